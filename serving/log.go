package serving

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/store"
)

// The bounds of a buffered log. A crash loses what was answered within the last
// flushEvery and one write, and at most bufferRows rows; an orderly stop loses none.
const (
	flushEvery = 200 * time.Millisecond // wall time
	bufferRows = MaxRows                // that are answered and not stored
	laterRows  = 2 * MaxRows            // that are stored, and that versions still score
	flushRows  = 500                    // of one write, which others wait for
	rowBytes   = 4 << 10                // of a row on average; larger ones count as several
	roomWithin = time.Second            // how long a request waits for room, in wall time
)

// requestLog stores requests: before their answer where the endpoint's log is
// durable, else in the background, in order of arrival. A buffer that is full makes
// its callers wait, and soon refuses them: nothing is answered that cannot be kept.
// Scores that come after the answer are added when they are there.
type requestLog struct {
	db      *store.DB
	log     *slog.Logger
	stored  func(*entry) // after a request was stored
	flushed func()
	room    *semaphore.Weighted // in rows of rowBytes
	later   *semaphore.Weighted // in rows of rowBytes
	rows    atomic.Int64        // reserved and not stored yet
	scored  atomic.Int64        // rows whose later scores are not stored yet
	lost    atomic.Int64

	mu      sync.Mutex
	buffer  []piece
	waiting int   // rows in it
	failure error // of the newest write
	closed  bool
	kick    chan struct{} // there is something in the buffer
	quit    chan struct{}
	done    chan struct{}
}

// piece is what one write stores, at most flushRows rows: some rows of a request with
// the scores that it has, or the scores that came later.
type piece struct {
	entry    *entry
	from, to int     // rows
	later    bool    // the rows are stored
	scores   []score // only then
}

func (p piece) rows() int { return p.to - p.from }

// last reports whether the request's room is free once the piece is stored.
func (p piece) last() bool { return p.to == len(p.entry.rows) }

// size is what a request takes of the log.
type size struct {
	rows int64
	room int64 // in rows of rowBytes
}

// sizeOf estimates what entryRows makes of a frame.
func sizeOf(f *engine.Frame) size {
	bytes := 0
	for i := range f.Columns {
		c := &f.Columns[i]
		bytes += f.Rows * (len(c.Name) + numberBytes)
		for _, text := range c.Strings {
			bytes += len(text)
		}
	}
	rows := int64(f.Rows)
	return size{rows, min(max(rows, int64(bytes/rowBytes)), bufferRows)}
}

// numberBytes is about what a number takes as JSON, with what stands around it.
const numberBytes = 20

func newRequestLog(db *store.DB, log *slog.Logger, stored func(*entry), flushed func()) *requestLog {
	return &requestLog{db: db, log: log, stored: stored, flushed: flushed,
		room: semaphore.NewWeighted(bufferRows), later: semaphore.NewWeighted(laterRows),
		kick: make(chan struct{}, 1), quit: make(chan struct{}), done: make(chan struct{})}
}

// put stores the entry now. For a request that is stored already it returns what was
// answered then.
func (l *requestLog) put(ctx context.Context, e *entry) (before *answered, err error) {
	l.rows.Add(int64(len(e.rows)))
	defer l.rows.Add(-int64(len(e.rows)))
	err = l.db.Write(ctx, store.Bulk, func(tx *store.Tx) (err error) {
		before, err = insertOnce(tx, e)
		return err
	})
	if err == nil {
		l.stored(e)
	}
	return before, err
}

// reserve waits for room for a request, which add or cancel uses: for a second at most,
// and not at all while nothing can be stored.
func (l *requestLog) reserve(ctx context.Context, n size) error {
	if !l.room.TryAcquire(n.room) {
		if err := l.failing(); err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, roomWithin)
		defer cancel()
		if err := l.room.Acquire(ctx, n.room); err != nil {
			return fairlead.Errorf(fairlead.Unavailable, "the request log cannot keep up; try again").Because(err)
		}
	}
	l.rows.Add(n.rows)
	select {
	case <-l.quit:
		l.cancel(n)
		return fairlead.Errorf(fairlead.Unavailable,
			"the server is stopping; send the request again")
	default:
		return nil
	}
}

// failing says why a full log does not get empty; nil while it is written.
func (l *requestLog) failing() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failure == nil {
		return nil
	}
	code := fairlead.Unavailable
	if fairlead.Is(l.failure, fairlead.Exhausted) {
		code = fairlead.Exhausted
	}
	return fairlead.Errorf(code, "the request log is full and cannot be written: %s",
		fairlead.MessageOf(l.failure)).Because(l.failure)
}

func (l *requestLog) cancel(n size) {
	l.rows.Add(-n.rows)
	l.room.Release(n.room)
}

// expect takes room for the later scores of a request, which addScores uses; false
// when too many are scored already.
func (l *requestLog) expect(n size) bool {
	ok := l.later.TryAcquire(n.room)
	if ok {
		l.scored.Add(n.rows)
	}
	return ok
}

// forgo gives that room back: there are no later scores.
func (l *requestLog) forgo(n size) {
	l.scored.Add(-n.rows)
	l.later.Release(n.room)
}

// add buffers an entry that has its room. It never waits.
func (l *requestLog) add(e *entry) { l.append(piece{entry: e}) }

// addScores buffers scores that came after their entry. It never waits.
func (l *requestLog) addScores(e *entry, scores []score) {
	l.append(piece{entry: e, later: true, scores: scores})
}

// append cuts a piece of all rows into those that a write may have. What comes after
// stop is lost.
func (l *requestLog) append(all piece) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(all.entry.rows)
	for from := 0; from < n; from += flushRows {
		cut := all
		cut.from, cut.to = from, min(from+flushRows, n)
		if l.closed {
			l.give(cut)
			continue
		}
		l.buffer = append(l.buffer, cut)
	}
	if l.closed {
		l.lost.Add(int64(n))
		return
	}
	first := l.waiting == 0
	if l.waiting += n; first || l.waiting >= flushRows {
		l.wake()
	}
}

// give gives back what the piece takes: with the last one all room of the request.
func (l *requestLog) give(p piece) {
	n := size{rows: int64(p.rows())}
	if p.last() {
		n.room = p.entry.size.room
	}
	if p.later {
		l.forgo(n)
		return
	}
	l.cancel(n)
}

func (l *requestLog) wake() {
	select {
	case l.kick <- struct{}{}:
	default:
	}
}

func (l *requestLog) pending() int64 { return l.rows.Load() + l.scored.Load() }

func (l *requestLog) empty() bool { return l.pending() == 0 }

func (l *requestLog) start() { go l.run() }

func (l *requestLog) run() {
	defer close(l.done)
	for {
		select {
		case <-l.kick:
		case <-l.quit:
			l.finish()
			return
		}
		pause := time.NewTimer(flushEvery)
		for l.buffered() < flushRows {
			select {
			case <-l.kick:
				continue
			case <-pause.C:
			case <-l.quit:
			}
			break
		}
		pause.Stop()
		l.flush()
	}
}

func (l *requestLog) buffered() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.waiting
}

// stop takes nothing more, and stores what is there, unless ctx ends before.
func (l *requestLog) stop(ctx context.Context) error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	close(l.quit)
	select {
	case <-l.done:
		return nil
	case <-ctx.Done():
		return fairlead.Errorf(fairlead.Unavailable,
			"the request log is not stored in time").Because(ctx.Err())
	}
}

func (l *requestLog) finish() {
	l.flush()
	if n := l.buffered(); n > 0 {
		l.lost.Add(int64(n))
		l.log.Error("requests were not stored before the end", "rows", n)
	}
}

// flush stores what is buffered. What cannot be stored stays, so a full disk refuses
// callers before it loses anything.
func (l *requestLog) flush() {
	for {
		now := l.next()
		if len(now) == 0 {
			return
		}
		err := l.db.Write(context.Background(), store.Bulk, func(tx *store.Tx) error {
			for _, p := range now {
				if err := p.insert(tx); err != nil {
					return err
				}
			}
			return nil
		})
		if l.note(err); err != nil {
			time.AfterFunc(flushEvery, l.wake)
			return
		}
		l.mu.Lock()
		l.buffer = append([]piece(nil), l.buffer[len(now):]...)
		for _, p := range now {
			l.waiting -= p.rows()
		}
		l.mu.Unlock()
		for _, p := range now {
			if !p.later && p.last() {
				l.stored(p.entry)
			}
			l.give(p)
		}
		l.flushed()
	}
}

// note keeps what became of a write, and says so when that changes.
func (l *requestLog) note(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err != nil && l.failure == nil:
		l.log.Error("request log cannot be written; it is tried again", "err", err)
	case err == nil && l.failure != nil:
		l.log.Info("request log is written again")
	}
	l.failure = err
}

// next returns the pieces of the next write.
func (l *requestLog) next() []piece {
	l.mu.Lock()
	defer l.mu.Unlock()
	n, rows := 0, 0
	for n < len(l.buffer) && rows < flushRows {
		rows += l.buffer[n].rows()
		n++
	}
	if n > 1 && rows > flushRows {
		n--
	}
	return l.buffer[:n:n]
}

func (p piece) insert(tx *store.Tx) error {
	if !p.later {
		_, err := insertRows(tx, p.entry, p.from, p.to)
		return err
	}
	for i := p.from; i < p.to; i++ {
		if k := p.entry.rows[i].k; k != 0 {
			if err := insertScores(tx, k, p.scores, i); err != nil {
				return err
			}
		}
	}
	return nil
}
