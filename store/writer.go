package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/fairlead-ml/fairlead"
)

// Lane says how a write is treated. A batch takes all waiting control writes first, so
// that a rollback does not wait behind metrics; and on a full disk only they go on.
type Lane int

// The lanes.
const (
	Control Lane = iota // state of the control plane: small, must be prompt, has a reserve
	Bulk                // metrics, requests, imports: many rows, may wait
	Client              // small writes of clients: as prompt as control, without the reserve
)

// queue is where the lane's writes wait: those of clients among control's.
func (l Lane) queue() Lane {
	if l == Client {
		return Control
	}
	return l
}

// batchClosures bounds the closures of one batch, as batchMax bounds its rows.
const batchClosures = 256

type request struct {
	fn   func(tx *Tx) error
	lane Lane
	done chan error
}

// batch is what one commit holds.
type batch struct {
	begun bool  // its transaction was opened
	lost  error // why nothing of it can be committed
	rows  int
	atEnd map[string]func(*Tx) error
	order []string
	after map[string]func()
}

// writer owns the only writing connection.
type writer struct {
	db      *DB
	conn    *sql.Conn
	stmts   map[string]*sql.Stmt
	bound   bool // the engine knows when it is to move the log: on a low disk
	low     bool
	rows    int   // changed since the last look at the log
	log     int64 // pages of the log then
	moveAt  int64 // at how many pages it is moved again
	queues  [2]chan *request
	metrics *metrics
	between chan func() // what runs between two batches
	quit    chan struct{}
	stopped chan struct{}
	once    sync.Once
}

func startWriter(ctx context.Context, db *DB) (*writer, error) {
	conn, err := db.write.Conn(ctx)
	if err != nil {
		return nil, translate(err)
	}
	w := &writer{
		db: db, conn: conn, stmts: map[string]*sql.Stmt{},
		queues:  [2]chan *request{make(chan *request, 1024), make(chan *request, 1024)},
		between: make(chan func()), quit: make(chan struct{}), stopped: make(chan struct{}),
	}
	w.metrics = newMetrics(w)
	if err := growInSteps(conn); err != nil {
		return nil, err
	}
	// After a long read the log is longer than it needs to be.
	limit := fmt.Sprint("pragma journal_size_limit = ", logMost*pageSize)
	if _, err := conn.ExecContext(ctx, limit); err != nil {
		return nil, translate(err)
	}
	if err := w.boundLog(); err != nil {
		return nil, translate(err)
	}
	go w.run()
	return w, nil
}

// boundLog has the engine move the log in commits on a full disk, where it is not to be
// much longer than what the reserve gave it, and in none otherwise.
func (w *writer) boundLog() error {
	low := w.db.reserve.low.Load()
	if w.bound && low == w.low {
		return nil
	}
	at := 0
	if low {
		at = checkpointLow
	}
	_, err := w.conn.ExecContext(context.Background(), fmt.Sprint("pragma wal_autocheckpoint = ", at))
	if err == nil {
		w.bound, w.low = true, low
	}
	return err
}

func (w *writer) submit(ctx context.Context, lane Lane, fn func(tx *Tx) error) error {
	if lane != Control {
		if err := w.db.Room(); err != nil {
			return err
		}
	}
	r := &request{fn: fn, lane: lane, done: make(chan error, 1)}
	select {
	case <-w.quit:
		return errStopping
	default:
	}
	select {
	case w.queues[lane.queue()] <- r:
	case <-ctx.Done():
		return fairlead.Errorf(fairlead.Unavailable,
			"the write was not accepted in time; try again").Because(ctx.Err())
	case <-w.quit:
		return errStopping
	}
	select {
	case err := <-r.done:
		return err
	case <-w.stopped:
		select {
		case err := <-r.done:
			return err
		default:
			return errStopping
		}
	}
}

var errStopping = fairlead.Errorf(fairlead.Unavailable,
	"the server is stopping; send the request again")

func (w *writer) stop() {
	w.once.Do(func() { close(w.quit) })
	<-w.stopped
}

func (w *writer) run() {
	defer close(w.stopped)
	defer w.close()
	for {
		select { // also when writes wait without an end
		case fn := <-w.between:
			fn()
		default:
		}
		first := w.next(true)
		if first == nil {
			return
		}
		w.commit(first)
		w.tend()
	}
}

// alone runs fn on the writing connection between two batches.
func (w *writer) alone(ctx context.Context, fn func(conn *sql.Conn) error) error {
	done := make(chan error, 1)
	select {
	case w.between <- func() { done <- fn(w.conn) }:
		return <-done
	case <-ctx.Done():
		return ctx.Err()
	case <-w.quit:
		return errStopping
	}
}

// close gives back the statements and the connection; there is nobody to tell when
// that fails.
func (w *writer) close() {
	for _, s := range w.stmts {
		s.Close()
	}
	w.conn.Close()
}

// next returns a waiting write, control first. With wait it blocks, and returns
// nil only when the writer is stopping and both queues are drained.
func (w *writer) next(wait bool) *request {
	select {
	case r := <-w.queues[Control]:
		return r
	default:
	}
	select {
	case r := <-w.queues[Bulk]:
		return r
	default:
	}
	if !wait {
		return nil
	}
	select {
	case r := <-w.queues[Control]:
		return r
	case r := <-w.queues[Bulk]:
		return r
	case fn := <-w.between:
		fn()
		return w.next(wait)
	case <-w.quit:
		return w.next(false)
	}
}

// commit runs the first write and whatever else waits as one transaction, and
// acknowledges them together. When the disk fails it, the control writes are run once
// more, each alone, and with the room of the reserve when the disk is full.
func (w *writer) commit(first *request) {
	began := time.Now()
	all := w.transact(first, w.next)
	w.metrics.committed(len(all), time.Since(began))
	if failed := failedControl(all); len(failed) > 0 {
		if slices.ContainsFunc(failed, (*outcome).full) {
			w.giveUpReserve()
		}
		for _, o := range failed {
			o.err = w.transact(o.request, func(bool) *request { return nil })[0].err
		}
	}
	committed := false
	for _, o := range all {
		o.done <- o.err
		committed = committed || o.err == nil
	}
	if committed {
		w.db.announce()
	}
}

// giveUpReserve leaves the reserve's room to control writes, once.
func (w *writer) giveUpReserve() {
	if w.db.reserve.giveUp() {
		w.db.opt.Log.Error("the disk is full; only control writes go on")
		w.checkpoint()
	}
}

// outcome is what became of a request in a transaction.
type outcome struct {
	*request
	err error
}

func (o *outcome) full() bool { return isFull(o.err) }

// failedControl returns the control writes that the disk has failed.
func failedControl(all []*outcome) (failed []*outcome) {
	for _, o := range all {
		if o.lane == Control && isLost(o.err) {
			failed = append(failed, o)
		}
	}
	return failed
}

// prompt reports whether a batch is to be committed now for the sake of the control
// writes in it: they do not wait until bulk writes have filled it. One of those goes
// along, so that bulk writes get on under control writes without an end.
func (w *writer) prompt(queued [2]int) bool {
	return queued[Control] > 0 && queued[Bulk] > 0 && len(w.queues[Control]) == 0
}

// transact runs the first request and those that more returns in one transaction.
func (w *writer) transact(first *request, more func(wait bool) *request) []*outcome {
	ctx := context.Background() // an interrupt would roll back the others' work too
	if err := w.boundLog(); err != nil {
		w.db.opt.Log.Error("the log of writes keeps its bound", "err", err)
	}
	b := &batch{atEnd: map[string]func(*Tx) error{}}
	tx := &Tx{ctx: ctx, conn: w.conn, stmts: w.stmts, batch: b}
	if _, err := tx.Exec("begin immediate"); err != nil {
		return []*outcome{{request: first, err: err}}
	}
	b.begun = true
	var all []*outcome
	var queued [2]int // writes of each queue in this batch
	good := 0
	for r, n := first, 0; r != nil; r = more(false) {
		o := &outcome{request: r, err: w.admit(tx, r)}
		if all = append(all, o); o.err == nil {
			good++
		}
		queued[r.lane.queue()]++
		if n++; b.lost != nil || n >= batchClosures || b.rows >= w.db.opt.BatchMax || w.prompt(queued) {
			break
		}
	}
	if err := w.finish(tx, good > 0); err != nil {
		for _, o := range all {
			if o.err == nil {
				o.err = err
			}
		}
	} else {
		w.rows += max(b.rows, checkpointRows/100) // some rows are large
	}
	return all
}

// admit applies the write, unless the disk turned out to be full while it waited.
func (w *writer) admit(tx *Tx, r *request) error {
	if r.lane != Control && w.db.reserve.low.Load() {
		return errFull
	}
	return w.apply(tx, r.fn)
}

// apply runs one closure in a savepoint and undoes it when it fails or panics. When
// the savepoint is gone, the batch is lost: the engine has rolled all of it back.
func (w *writer) apply(tx *Tx, fn func(*Tx) error) (err error) {
	if _, err := tx.Exec("savepoint w"); err != nil {
		return err
	}
	after := tx.batch.after
	tx.batch.after = nil
	defer func() {
		if err == nil {
			after = merged(after, tx.batch.after)
		}
		tx.batch.after = after
	}()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("write panicked: %v\n%s", p, debug.Stack())
		}
		var gone error
		if err != nil {
			_, gone = tx.Exec("rollback to w")
		}
		if gone == nil {
			_, gone = tx.Exec("release w")
		}
		if gone != nil {
			err = cmp.Or(err, gone)
			tx.batch.lost = errLost.Because(errors.Join(err, gone))
			if isFull(err) {
				tx.batch.lost = errFull.Because(err)
			}
		}
	}()
	return translate(fn(tx))
}

// finish commits the batch, or undoes it and says why.
func (w *writer) finish(tx *Tx, commit bool) error {
	err := tx.batch.lost
	for i := 0; commit && err == nil && i < len(tx.batch.order); i++ {
		err = tx.batch.atEnd[tx.batch.order[i]](tx)
	}
	if commit && err == nil {
		if _, err = tx.Exec("commit"); err == nil {
			for _, fn := range tx.batch.after {
				fn()
			}
			return nil
		}
	}
	tx.Exec("rollback") // fails where the engine has done it by itself
	return err
}
