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
	bufferRows = MaxRows
	flushRows  = 500 // after which a write does not wait for more
)

// requestLog stores requests: before their answer where the endpoint's log is
// durable, else in the background, in order of arrival. A buffer that is full makes
// its callers wait: nothing is answered that cannot be kept.
type requestLog struct {
	db      *store.DB
	log     *slog.Logger
	stored  func(*entry) // after a request was stored
	flushed func()
	room    *semaphore.Weighted // in rows
	rows    atomic.Int64        // reserved and not stored yet
	lost    atomic.Int64

	mu     sync.Mutex
	buffer []*entry
	kick   chan struct{} // there is something in the buffer
	quit   chan struct{}
	done   chan struct{}
}

func newRequestLog(db *store.DB, log *slog.Logger, stored func(*entry), flushed func()) *requestLog {
	return &requestLog{db: db, log: log, stored: stored, flushed: flushed, room: semaphore.NewWeighted(bufferRows),
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
	return nil
}

func (l *requestLog) cancel(rows int) {
	l.rows.Add(-int64(rows))
	l.room.Release(int64(rows))
}

// add buffers an entry that has its room. It never waits.
func (l *requestLog) add(e *entry) {
	l.mu.Lock()
	l.buffer = append(l.buffer, e)
	n := len(l.buffer)
	l.mu.Unlock()
	if n == 1 || n >= flushRows {
		select {
		case l.kick <- struct{}{}:
		default:
		}
	}
}

func (l *requestLog) pending() int64 { return l.rows.Load() }

func (l *requestLog) empty() bool { return l.rows.Load() == 0 }

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
		for l.waiting() < flushRows {
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

func (l *requestLog) waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.buffer)
}

// stop stores what is left.
func (l *requestLog) stop() {
	close(l.quit)
	<-l.done
}

func (l *requestLog) finish() {
	if l.flush(); l.empty() {
		return
	}
	l.lost.Add(l.pending())
	l.log.Error("requests were not stored before the end", "rows", l.pending())
}

// flush stores what is buffered. What cannot be stored stays, so a full disk makes
// callers wait before it loses anything.
func (l *requestLog) flush() {
	for {
		l.mu.Lock()
		part := l.buffer[:min(flushRows, len(l.buffer))]
		l.mu.Unlock()
		if len(part) == 0 {
			return
		}
		err := l.db.Write(context.Background(), store.Bulk, func(tx *store.Tx) error {
			for _, e := range part {
				if _, err := insertEntry(tx, e); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			l.log.Error("request log cannot be written; it is tried again", "err", err)
			time.AfterFunc(flushEvery, func() {
				select {
				case l.kick <- struct{}{}:
				default:
				}
			})
			return
		}
		l.mu.Lock()
		l.buffer = append([]*entry(nil), l.buffer[len(part):]...)
		l.mu.Unlock()
		for _, e := range part {
			l.stored(e)
			l.cancel(len(e.rows))
		}
		l.flushed()
	}
}
