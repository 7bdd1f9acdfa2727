package serving

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/store"
)

// The bounds of a buffered log: a crash loses at most what came in during
// flushEvery, and at most bufferMax requests.
const (
	flushEvery = 200 * time.Millisecond // wall time
	bufferMax  = 5000
	flushRows  = 500 // requests of one write
)

// entry is what the log keeps of one request.
type entry struct {
	endpoint   *endpoint
	id         string
	atMS       int64
	receivedMS int64
	frame      *engine.Frame
	served     int64
	scores     []score
}

type score struct {
	version int64
	role    string
	outputs *engine.Frame
	err     error
}

func (e *entry) add(v *variant, outputs *engine.Frame, err error) {
	e.scores = append(e.scores, score{v.version, v.role, outputs, err})
}

// features returns the row's inputs as a JSON object.
func (e *entry) features(row int) (string, error) {
	m := make(map[string]any, len(e.frame.Columns))
	for i := range e.frame.Columns {
		m[e.frame.Columns[i].Name] = e.frame.Columns[i].Value(row)
	}
	b, err := json.Marshal(m)
	return string(b), err
}

// requestLog stores requests: at once where the endpoint's log is durable, else
// in the background.
type requestLog struct {
	db  *store.DB
	log *slog.Logger

	mu      sync.Mutex
	room    sync.Cond // signalled when the buffer shrinks
	buffer  []*entry
	writing int // entries taken from the buffer and not yet stored
	quit    chan struct{}
	done    chan struct{}
}

func newRequestLog(db *store.DB, log *slog.Logger) *requestLog {
	l := &requestLog{db: db, log: log, quit: make(chan struct{}), done: make(chan struct{})}
	l.room.L = &l.mu
	return l
}

// put stores the entry, or buffers it; a full buffer makes its callers wait.
func (l *requestLog) put(ctx context.Context, e *entry) error {
	if e.endpoint.durable {
		return l.db.Write(ctx, store.Bulk, func(tx *store.Tx) error { return insertEntry(tx, e) })
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.buffer) >= bufferMax {
		if ctx.Err() != nil {
			return fairlead.Errorf(fairlead.Unavailable, "the request log cannot keep up; try again")
		}
		l.room.Wait()
	}
	l.buffer = append(l.buffer, e)
	return nil
}

func (l *requestLog) empty() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.buffer) == 0 && l.writing == 0
}

func (l *requestLog) start() {
	go func() {
		defer close(l.done)
		tick := time.NewTicker(flushEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				l.flush()
			case <-l.quit:
				l.flush()
				return
			}
		}
	}()
}

func (l *requestLog) stop() {
	close(l.quit)
	<-l.done
}

// flush stores what is buffered. What cannot be stored stays, so a full disk
// makes callers wait before it loses anything.
func (l *requestLog) flush() {
	for {
		l.mu.Lock()
		part := l.buffer[:min(flushRows, len(l.buffer))]
		l.writing = len(part)
		l.mu.Unlock()
		if len(part) == 0 {
			return
		}
		err := l.db.Write(context.Background(), store.Bulk, func(tx *store.Tx) error {
			for _, e := range part {
				if err := insertEntry(tx, e); err != nil {
					return err
				}
			}
			return nil
		})
		l.mu.Lock()
		l.writing = 0
		if err == nil {
			l.buffer = append([]*entry(nil), l.buffer[len(part):]...)
			l.room.Broadcast()
		}
		l.mu.Unlock()
		if err != nil {
			l.log.Error("request log cannot be written; it is tried again", "err", err)
			return
		}
	}
}
