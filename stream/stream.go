package stream

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

//go:embed migrations/*.sql
var files embed.FS

// Schema returns the tables of stream time.
func Schema() store.Schema { return store.Embedded("stream", files) }

// Timer is something to be done once the stream's watermark reaches Due. Kind
// names the handler, Key tells timers of a kind apart.
type Timer struct {
	Stream  string // the endpoint's name, such as "flights@production"
	Kind    string
	Key     string
	Due     time.Time // stream time
	Payload json.RawMessage
}

// Handler does what a due timer asks for, in the transaction that removes the
// timer; it may set the same timer again for later. It does no I/O.
type Handler func(ctx context.Context, tx *store.Tx, p fairlead.Project, t Timer) error

// BeginFunc runs once for each stream, when it gets its first time.
type BeginFunc func(ctx context.Context, tx *store.Tx, p fairlead.Project, name string, at time.Time) error

// IdleFunc reports whether a part of the program has nothing left to do for the
// project; Advance waits until all of them agree.
type IdleFunc func(ctx context.Context, p fairlead.Project) (bool, error)

// Service keeps all streams.
type Service struct {
	db       *store.DB
	clock    fairlead.Clock
	log      *slog.Logger
	handlers map[string]Handler
	begin    []BeginFunc
	idle     []IdleFunc

	mu    sync.Mutex
	turns map[key]turn
	seen  map[key]*sighting // what the requests of live streams have shown
	quit  context.CancelFunc
	wait  sync.WaitGroup

	nudged atomic.Pointer[chan struct{}] // closed by Nudge
}

// New returns the service; handlers are registered before Start.
func New(db *store.DB, clock fairlead.Clock, log *slog.Logger) *Service {
	s := &Service{
		db: db, clock: clock, log: log, handlers: map[string]Handler{},
		turns: map[key]turn{}, seen: map[key]*sighting{},
	}
	ch := make(chan struct{})
	s.nudged.Store(&ch)
	return s
}

// Handle registers the handler of a kind of timers.
func (s *Service) Handle(kind string, h Handler) { s.handlers[kind] = h }

// OnBegin registers what is to be done when a stream gets its first time.
func (s *Service) OnBegin(f BeginFunc) { s.begin = append(s.begin, f) }

// Settles registers a part of the program that Advance waits for.
func (s *Service) Settles(f IdleFunc) { s.idle = append(s.idle, f) }

// Now returns the stream's watermark, or the zero time for a stream that has
// not begun.
func (s *Service) Now(tx *store.Tx, p fairlead.Project, name string) (time.Time, error) {
	st, err := read(tx, p, name)
	return fairlead.FromMS(st.watermarkMS), err
}

// NowOrWall is Now, and wall time for a stream that has not begun: the time that
// an event about an endpoint carries.
func (s *Service) NowOrWall(tx *store.Tx, p fairlead.Project, name string) (time.Time, error) {
	t, err := s.Now(tx, p, name)
	if t.IsZero() {
		t = s.clock.Now()
	}
	return t, err
}

// Set stores a timer, replacing one with the same stream, kind and key.
func (s *Service) Set(tx *store.Tx, p fairlead.Project, t Timer) error {
	if _, ok := s.handlers[t.Kind]; !ok {
		return fmt.Errorf("timer of unknown kind %q", t.Kind)
	}
	return setTimer(tx, p, t)
}

// Cancel removes a timer; one that does not exist is fine.
func (s *Service) Cancel(tx *store.Tx, p fairlead.Project, stream, kind, key string) error {
	return deleteTimer(tx, p, stream, kind, key)
}

// Due returns when a timer is due; the zero time when there is none of that key.
func (s *Service) Due(tx *store.Tx, p fairlead.Project, stream, kind, key string) (time.Time, error) {
	ms, err := readDue(tx, p, stream, kind, key)
	return fairlead.FromMS(ms), err
}

// State is what Describe returns.
type State struct {
	Stream    string    `json:"stream"`
	Watermark time.Time `json:"watermark"` // zero: not begun
	Driven    bool      `json:"driven"`    // by a replay; requests do not move it
	Mode      string    `json:"mode"`      // undecided | wall_time | event_time: what moves it else
	Timers    int       `json:"timers"`
	Next      time.Time `json:"next_timer"` // zero: none
}

// Describe returns the stream's state.
func (s *Service) Describe(ctx context.Context, p fairlead.Project, name string) (out State, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		out, err = s.DescribeIn(tx, p, name)
		return err
	})
	return out, err
}

// DescribeIn is Describe in a transaction.
func (s *Service) DescribeIn(tx *store.Tx, p fairlead.Project, name string) (out State, err error) {
	st, err := read(tx, p, name)
	if err != nil {
		return out, err
	}
	n, next, err := countTimers(tx, p, name)
	if moving := s.modeOf(p, name); !st.driven && moving != undecided {
		st.mode = moving // which is stored when it moves the watermark
	}
	return State{Stream: name, Watermark: fairlead.FromMS(st.watermarkMS), Driven: st.driven,
		Mode: st.mode.String(), Timers: n, Next: fairlead.FromMS(next)}, err
}
