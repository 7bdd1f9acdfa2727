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

	"github.com/fairlead-ml/fairlead"
)

// Lane is a queue of writes. A batch takes all waiting control writes first, so
// that a rollback does not wait behind metrics.
type Lane int

// The lanes.
const (
	Control Lane = iota // state of the control plane: small, must be prompt
	Bulk                // metrics, requests, imports: many rows, may wait
)

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
	reserve *reserve
	conn    *sql.Conn
	stmts   map[string]*sql.Stmt
	lanes   [2]chan *request
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
		db: db, reserve: newReserve(db.opt.Path, db.opt.Reserve), conn: conn, stmts: map[string]*sql.Stmt{},
		lanes: [2]chan *request{make(chan *request, 1024), make(chan *request, 1024)},
		quit:  make(chan struct{}), stopped: make(chan struct{}),
	}
	go w.run()
	return w, nil
}

func (w *writer) submit(ctx context.Context, lane Lane, fn func(tx *Tx) error) error {
	if lane != Control && !w.reserve.admits(w.db.opt.Clock.Now()) {
		return errFull
	}
	r := &request{fn: fn, lane: lane, done: make(chan error, 1)}
	select {
	case <-w.quit:
		return errStopping
	default:
	}
	select {
	case w.lanes[lane] <- r:
	case <-ctx.Done():
		return fairlead.Errorf(fairlead.Unavailable, "the write was not accepted in time; try again").Because(ctx.Err())
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

var errStopping = fairlead.Errorf(fairlead.Unavailable, "the server is stopping; send the request again")

func (w *writer) stop() {
	w.once.Do(func() { close(w.quit) })
	<-w.stopped
}

func (w *writer) run() {
	defer close(w.stopped)
	defer w.conn.Close()
	for {
		first := w.next(true)
		if first == nil {
			return
		}
		w.commit(first)
	}
}

// next returns a waiting write, control first. With wait it blocks, and returns
// nil only when the writer is stopping and both lanes are drained.
func (w *writer) next(wait bool) *request {
	select {
	case r := <-w.lanes[Control]:
		return r
	default:
	}
	select {
	case r := <-w.lanes[Bulk]:
		return r
	default:
	}
	if !wait {
		return nil
	}
	select {
	case r := <-w.lanes[Control]:
		return r
	case r := <-w.lanes[Bulk]:
		return r
	case <-w.quit:
		return w.next(false)
	}
}

// commit runs the first write and whatever else waits as one transaction, and
// acknowledges them together. When the disk fails it, the control writes are run once
// more, each alone, and with the room of the reserve when the disk is full.
func (w *writer) commit(first *request) {
	all := w.transact(first, w.next)
	if failed := failedControl(all); len(failed) > 0 {
		if slices.ContainsFunc(failed, (*outcome).full) && w.reserve.giveUp() {
			w.db.opt.Log.Error("the disk is full; only control writes go on")
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
func (w *writer) prompt(lanes [2]int) bool {
	return lanes[Control] > 0 && lanes[Bulk] > 0 && len(w.lanes[Control]) == 0
}

// transact runs the first request and those that more returns in one transaction.
func (w *writer) transact(first *request, more func(wait bool) *request) []*outcome {
	ctx := context.Background() // an interrupt would roll back the others' work too
	b := &batch{atEnd: map[string]func(*Tx) error{}, after: map[string]func(){}}
	tx := &Tx{ctx: ctx, conn: w.conn, stmts: w.stmts, batch: b}
	if _, err := tx.Exec("begin immediate"); err != nil {
		return []*outcome{{request: first, err: err}}
	}
	b.begun = true
	var all []*outcome
	var lanes [2]int // writes of each lane in this batch
	good := 0
	for r, n := first, 0; r != nil; r = more(false) {
		o := &outcome{request: r, err: w.apply(tx, r.fn)}
		if all = append(all, o); o.err == nil {
			good++
		}
		lanes[r.lane]++
		if n++; b.lost != nil || n >= batchClosures || b.rows >= w.db.opt.BatchMax || w.prompt(lanes) {
			break
		}
	}
	if err := w.finish(tx, good > 0); err != nil {
		for _, o := range all {
			if o.err == nil {
				o.err = err
			}
		}
	}
	return all
}

// apply runs one closure in a savepoint and undoes it when it fails or panics. When
// the savepoint is gone, the batch is lost: the engine has rolled all of it back.
func (w *writer) apply(tx *Tx, fn func(*Tx) error) (err error) {
	if _, err := tx.Exec("savepoint w"); err != nil {
		return err
	}
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
	return fn(tx)
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
