package serving

import (
	"context"
	"embed"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/release"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/stream"
)

//go:embed migrations/*.sql
var files embed.FS

// Schema returns the tables of the request log.
func Schema() store.Schema { return store.Embedded("serving", files) }

// Loader opens the package in a directory. It is given by the program's wiring,
// so that serving knows no engine. An error that is the package's own fault carries
// a code such as Invalid or Precondition. Any other one, and Unavailable, may pass: the
// load is tried again for GiveUpAfter before anything is done about it, and without an
// end where it wraps engine.ErrAbsent, or comes of a full disk or too many open files.
type Loader func(ctx context.Context, dir string) (engine.Predictor, *engine.Manifest, error)

// Deps is what the service stands on.
type Deps struct {
	DB       *store.DB
	Ledger   *ledger.Ledger
	Stream   *stream.Service
	Projects *spec.Projects
	Blobs    *blob.Store
	Registry *registry.Service
	Release  *release.Service
	Load     Loader
	Clock    fairlead.Clock
	Log      *slog.Logger
	Dir      string // the data directory

	// Wall times. ScoreWithin is what a version that is not live may take to score a
	// request; 10 s when not positive. RetryAfter passes before a failed load is tried
	// again, and between two looks at the health of what is loaded; 2 s when not
	// positive. GiveUpAfter is how long a load fails, or a loaded version says that it
	// is broken, before its standby takes over; 5 minutes when not positive.
	ScoreWithin time.Duration
	RetryAfter  time.Duration
	GiveUpAfter time.Duration
}

// Service serves all endpoints of all projects.
type Service struct {
	Deps
	routes   atomic.Pointer[routes]
	ready    atomic.Bool
	pool     *pool
	log      *requestLog
	metrics  *metrics
	traffic  *traffic
	wake     chan struct{}
	unpacked sync.Map // the package directories that this process has made
	after    crew     // requests that are scored after their answer
	wait     crew     // the reconciler

	background    context.Context // of scores after the answer; Stop ends it
	endBackground context.CancelFunc

	mu   sync.Mutex // guards quit
	quit context.CancelFunc
}

// New wires the service; Start loads what is assigned.
func New(d Deps) *Service {
	if d.RetryAfter <= 0 {
		d.RetryAfter = 2 * time.Second
	}
	if d.ScoreWithin <= 0 {
		d.ScoreWithin = 10 * time.Second
	}
	if d.GiveUpAfter <= 0 {
		d.GiveUpAfter = 5 * time.Minute
	}
	s := &Service{Deps: d, wake: make(chan struct{}, 1)}
	s.background, s.endBackground = context.WithCancel(engine.Background(context.Background()))
	s.routes.Store(&routes{})
	s.log = newRequestLog(d.DB, d.Log, s.stored, d.Stream.Nudge)
	s.metrics = newMetrics(s)
	s.traffic = newTraffic(d.DB, d.Log)
	s.pool = &pool{load: s.open, ended: s.poke, retry: d.RetryAfter, patience: d.GiveUpAfter,
		log: d.Log, slots: map[packageKey]*slot{}}
	d.Ledger.Subscribe(ledger.Subscription{
		Name: "serving", Types: []string{event.AssignmentChangedType, event.ProjectAppliedType},
		Handle: func(_ context.Context, tx *store.Tx, _ *ledger.Record) error {
			s.poke()
			return nil
		},
	})
	return s
}

// Start loads all assignments in the background and keeps them true.
func (s *Service) Start(ctx context.Context) error {
	if err := s.sweep(ctx); err != nil {
		return err
	}
	run, quit := context.WithCancel(context.WithoutCancel(ctx))
	s.mu.Lock()
	s.quit = quit
	s.mu.Unlock()
	s.log.start()
	s.traffic.start()
	s.wait.Go(func() { s.run(run) })
	return nil
}

// Stop finishes the request log and unloads all models. Scores that are still to come
// after their answers are given up. It waits until ctx ends at most, and is safe before
// Start and to call twice. What still calls Infer then is refused, or not logged.
func (s *Service) Stop(ctx context.Context) error {
	s.mu.Lock()
	quit := s.quit
	s.quit = nil
	s.mu.Unlock()
	if quit == nil {
		return nil
	}
	quit()
	s.endBackground()
	err := s.wait.wait(ctx, "what makes assignments true")
	err = errors.Join(err, s.after.wait(ctx, "scores of requests"), s.log.stop(ctx),
		s.traffic.stop(ctx))
	s.swap(s.routes.Load(), &routes{})
	s.pool.want(context.Background(), nil)
	return errors.Join(err, s.pool.wait.wait(ctx, "models that are unloaded"))
}

// Ready is nil once everything that was assigned when the service started is loaded,
// or was found not to load: before, an endpoint may be Unavailable.
func (s *Service) Ready() error {
	if s.ready.Load() {
		return nil
	}
	return fairlead.Errorf(fairlead.Unavailable, "models are being loaded; try again")
}

// Idle reports whether nothing is left to do for the project: every assignment is
// served, or is known not to load, and every request that was answered is stored
// with all its scores.
func (s *Service) Idle(ctx context.Context, p fairlead.Project) (idle bool, err error) {
	if !s.log.empty() {
		return false, nil
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		assignments, err := s.Release.Assignments(tx, p)
		if err != nil {
			return err
		}
		known := s.routes.Load().progress
		for _, a := range assignments {
			pr := known[routeKey{p.K, a.Endpoint}]
			told := a.ObservedGeneration == a.Generation || pr.failed.err != nil && a.Failure != ""
			if !pr.settled || pr.generation != a.Generation || !told {
				return nil
			}
		}
		idle = true
		return nil
	})
	return idle, err
}

// stored tells stream time of a request that the log has.
func (s *Service) stored(e *entry) {
	s.Stream.Observe(e.endpoint.project, e.endpoint.name, fairlead.FromMS(e.atMS), e.explicit, e.endpoint.lateness)
}
