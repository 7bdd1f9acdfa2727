package sink_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/sink"
	"github.com/fairlead-ml/fairlead/store"
)

var project = fairlead.Project{K: 1, Name: "wine"}

// Events that webhooks can subscribe to; the source tells of the first alone.
const (
	moved = "model_version_alias.created"
	other = "registered_model.created"
)

// told counts what the source was asked for.
var told atomic.Int64

// source tells of aliases that move.
var source = sink.Source{
	Types:  map[string][]string{event.AliasMovedType: {moved}},
	Events: []string{moved, other},
	Message: func(_ *store.Tx, r *ledger.Record) (*sink.Message, error) {
		told.Add(1)
		return &sink.Message{Event: moved, Body: map[string]any{"data": r.Body}}, nil
	},
	Example: func(_ fairlead.Project, name string, _ time.Time) *sink.Message {
		if name != moved {
			return nil
		}
		return &sink.Message{Event: name, Body: "an example"}
	},
}

// world is a ledger with webhooks on one data directory.
type world struct {
	*sink.Service
	t     *testing.T
	dir   string
	db    *store.DB
	led   *ledger.Ledger
	clock *fairlead.FakeClock
	log   *strings.Builder // what a stopped world has logged
	once  sync.Once
	idle  chan struct{} // the subscriber has seen all events
}

func begin(t *testing.T, allow string) *world {
	noon := time.Date(2025, 6, 1, 12, 0, 0, 0, time.UTC)
	return open(t, t.TempDir(), fairlead.NewFakeClock(noon), allow)
}

// open starts everything on a directory, as a server that is started there.
func open(t *testing.T, dir string, clock *fairlead.FakeClock, allow string) *world {
	t.Helper()
	w := wire(t, dir, clock, allow)
	if err := w.led.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

func wire(t *testing.T, dir string, clock *fairlead.FakeClock, allow string) *world {
	t.Helper()
	w := &world{t: t, dir: dir, clock: clock, log: &strings.Builder{}, idle: make(chan struct{}, 1)}
	log := slog.New(slog.NewTextHandler(w.log, nil))
	var err error
	w.db, err = store.Open(t.Context(), store.Options{Path: filepath.Join(dir, "f.db")},
		ledger.Schema(), sink.Schema())
	if err != nil {
		t.Fatal(err)
	}
	w.led = ledger.New(w.db, clock, log)
	w.led.OnCaughtUp(func() {
		select {
		case w.idle <- struct{}{}:
		default:
		}
	})
	allowed, err := sink.ParseAllowed(allow)
	if err != nil {
		t.Fatal(err)
	}
	w.Service, err = sink.New(sink.Deps{DB: w.db, Ledger: w.led, Clock: clock, Log: log, Source: source,
		Dir: dir, Allowed: allowed})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.stop)
	return w
}

// stop ends everything, and leaves the directory.
func (w *world) stop() {
	w.once.Do(func() {
		w.Stop()
		w.led.Stop()
		w.db.Close()
	})
}

// create makes a webhook that is told of aliases.
func (w *world) create(url, secret string) *sink.Webhook {
	w.t.Helper()
	name := "hook"
	h, err := w.Create(w.t.Context(), project,
		sink.Change{Name: &name, URL: &url, Secret: &secret, Events: []string{moved}})
	if err != nil {
		w.t.Fatal(err)
	}
	return h
}

// move appends an event that webhooks are told of.
func (w *world) move(alias string) {
	w.t.Helper()
	err := w.db.Write(w.t.Context(), store.Control, func(tx *store.Tx) error {
		_, err := w.led.Append(w.t.Context(), tx, project, "model/wine", time.Time{},
			event.AliasMoved{Model: "wine", Alias: alias, To: 1})
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// until waits for a condition that commits or the subscriber bring about.
func (w *world) until(what string, done func() bool) {
	w.t.Helper()
	limit := time.After(time.Minute)
	for {
		changed := w.db.Changed()
		if done() {
			return
		}
		select {
		case <-changed:
		case <-w.idle:
		case <-limit:
			w.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// settle waits until the subscriber has seen all events.
func (w *world) settle() {
	w.t.Helper()
	w.until("the subscriber", func() bool {
		idle, err := w.led.Idle(w.t.Context())
		return idle && err == nil
	})
}

func (w *world) deliveries(h *sink.Webhook) []*sink.Delivery {
	w.t.Helper()
	page, err := w.Deliveries(w.t.Context(), project, h.ID, "", "", 0)
	if err != nil {
		w.t.Fatal(err)
	}
	return page.Items
}

// attempted waits until the newest delivery was sent n times, and returns it.
func (w *world) attempted(h *sink.Webhook, n int64) *sink.Delivery {
	w.t.Helper()
	var d *sink.Delivery
	w.until("attempts", func() bool {
		if all := w.deliveries(h); len(all) > 0 {
			d = all[0]
		}
		return d != nil && d.Attempts >= n
	})
	return d
}

func (w *world) get(h *sink.Webhook) *sink.Webhook {
	w.t.Helper()
	got, err := w.Get(w.t.Context(), project, h.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return got
}

// advance moves the wall clock and lets the dispatcher see it.
func (w *world) advance(d time.Duration) {
	w.clock.Advance(d)
	w.Wake()
}

// receiver keeps what it is sent and answers by its function.
type receiver struct {
	*httptest.Server
	mu   sync.Mutex
	got  []*http.Request
	body []string
}

func receive(t *testing.T, answer http.HandlerFunc) *receiver {
	t.Helper()
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		b, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		r.got, r.body = append(r.got, req), append(r.body, string(b))
		r.mu.Unlock()
		answer(w, req)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.got)
}

func ok(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "thanks") }

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}
