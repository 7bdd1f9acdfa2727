package serving

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
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
func Schema() store.Schema {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		panic(err)
	}
	return store.Schema{Component: "serving", Files: sub}
}

// Loader opens the package in a directory. It is given by the program's wiring,
// so that serving knows no engine.
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
}

// Service serves all endpoints of all projects.
type Service struct {
	Deps
	routes   atomic.Pointer[routes]
	log      *requestLog
	wake     chan struct{}
	quit     context.CancelFunc
	wait     sync.WaitGroup
	mu       sync.Mutex // guards quit and the reconciler's own state
	packages map[packageKey]*loaded
}

type packageKey struct {
	projectK int64
	model    string
	version  int64
}

// loaded is a version that can predict.
type loaded struct {
	version   int64
	predictor engine.Predictor
	manifest  *engine.Manifest
}

// routes is the immutable table that requests read.
type routes struct {
	endpoints map[routeKey]*endpoint
}

type routeKey struct {
	projectK int64
	name     string
}

// endpoint is what one endpoint serves in one generation.
type endpoint struct {
	project    fairlead.Project
	name       string // model@environment
	model      string
	generation int64
	durable    bool
	lateness   time.Duration
	live       *variant
	canary     *variant
	scorers    []*variant // every version that scores each request, each once
	all        map[int64]*variant
}

type variant struct {
	*loaded
	role    string
	percent float64
}

// New wires the service; Start loads what is assigned.
func New(d Deps) *Service {
	s := &Service{Deps: d, wake: make(chan struct{}, 1), packages: map[packageKey]*loaded{}}
	s.routes.Store(&routes{endpoints: map[routeKey]*endpoint{}})
	s.log = newRequestLog(d.DB, d.Log)
	d.Ledger.Subscribe(ledger.Subscription{
		Name: "serving", Types: []string{event.AssignmentChangedType},
		Handle: func(context.Context, *store.Tx, *ledger.Record) error {
			s.poke()
			return nil
		},
	})
	return s
}

// Start loads all assignments in the background and keeps them true.
func (s *Service) Start(ctx context.Context) error {
	run, quit := context.WithCancel(context.WithoutCancel(ctx))
	s.mu.Lock()
	s.quit = quit
	s.mu.Unlock()
	s.log.start()
	s.poke()
	s.wait.Go(func() { s.run(run) })
	return nil
}

// Stop finishes the request log and unloads all models. It is safe before Start
// and to call twice.
func (s *Service) Stop() {
	s.mu.Lock()
	quit := s.quit
	s.quit = nil
	s.mu.Unlock()
	if quit == nil {
		return
	}
	quit()
	s.wait.Wait()
	s.log.stop()
	s.routes.Store(&routes{endpoints: map[routeKey]*endpoint{}})
	for key, l := range s.packages {
		l.close(s.Log, key)
		delete(s.packages, key)
	}
}

// Idle reports whether every assignment of the project is loaded and every
// buffered request is stored.
func (s *Service) Idle(ctx context.Context, p fairlead.Project) (bool, error) {
	if !s.log.empty() {
		return false, nil
	}
	return s.Release.Idle(ctx, p)
}

func (s *Service) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// retryLoad is how long a failed reconciliation waits before it is tried again,
// in wall time.
const retryLoad = 2 * time.Second

func (s *Service) run(ctx context.Context) {
	for {
		var again <-chan time.Time
		if err := s.reconcile(ctx); err != nil && ctx.Err() == nil {
			s.Deps.Log.Error("cannot make an assignment true", "err", err)
			again = time.After(retryLoad)
		}
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-again:
		}
	}
}

func (l *loaded) close(log *slog.Logger, key packageKey) {
	if err := l.predictor.Close(); err != nil {
		log.Warn("model did not close cleanly", "model", key.model, "version", key.version, "err", err)
	}
}

// packageDir is where a version's package is unpacked for the engines.
func (s *Service) packageDir(key packageKey, digest string) string {
	return filepath.Join(s.Dir, "packages", fmt.Sprintf("%d-%s-%d-%.12s", key.projectK, key.model, key.version, digest))
}
