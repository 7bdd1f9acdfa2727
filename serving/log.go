package serving

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// The bounds of a buffered log. A crash loses what was answered within the last
// flushEvery and one write, and at most bufferRows rows; an orderly stop loses none.
const (
	flushEvery = 200 * time.Millisecond // wall time
	bufferRows = MaxRows                // that are answered and not stored
	laterRows  = 2 * MaxRows            // that are stored, and that versions still score
	flushRows  = 500                    // of one write, which others wait for
)

// requestLog stores requests: before their answer where the endpoint's log is
// durable, else in the background, in order of arrival. A buffer that is full makes
// its callers wait: nothing is answered that cannot be kept. Scores that come after
// the answer are added when they are there.
type requestLog struct {
	db      *store.DB
	log     *slog.Logger
	stored  func(*entry) // after a request was stored
	flushed func()
	room    *semaphore.Weighted // in rows
	later   *semaphore.Weighted // in rows
	rows    atomic.Int64        // reserved and not stored yet
	scored  atomic.Int64        // rows whose later scores are not stored yet
	lost    atomic.Int64

	mu      sync.Mutex
	buffer  []piece
	waiting int // rows in it
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

// reserve waits for room for a request of so many rows, which add or cancel uses.
func (l *requestLog) reserve(ctx context.Context, rows int) error {
	if !l.room.TryAcquire(int64(rows)) {
		if err := l.room.Acquire(ctx, int64(rows)); err != nil {
			return fairlead.Errorf(fairlead.Unavailable, "the request log cannot keep up; try again").Because(err)
		}
	}
	l.rows.Add(int64(rows))
	select {
	case <-l.quit:
		l.cancel(rows)
		return fairlead.Errorf(fairlead.Unavailable,
			"the server is stopping; send the request again")
	default:
		return nil
	}
}

func (l *requestLog) cancel(rows int) {
	l.rows.Add(-int64(rows))
	l.room.Release(int64(rows))
}

// expect takes room for the later scores of a request, which addScores uses; false
// when too many are scored already.
func (l *requestLog) expect(rows int) bool {
	ok := l.later.TryAcquire(int64(rows))
	if ok {
		l.scored.Add(int64(rows))
	}
	return ok
}

// forgo gives that room back: there are no later scores.
func (l *requestLog) forgo(rows int) {
	l.scored.Add(-int64(rows))
	l.later.Release(int64(rows))
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

// give gives the piece's room back.
func (l *requestLog) give(p piece) {
	if p.later {
		l.forgo(p.rows())
		return
	}
	l.cancel(p.rows())
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

// flush stores what is buffered. What cannot be stored stays, so a full disk makes
// callers wait before it loses anything.
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
		if err != nil {
			l.log.Error("request log cannot be written; it is tried again", "err", err)
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
			if !p.later && p.to == len(p.entry.rows) {
				l.stored(p.entry)
			}
			l.give(p)
		}
		l.flushed()
	}
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
