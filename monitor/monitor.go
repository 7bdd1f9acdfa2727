package monitor

import (
	"context"
	"embed"
	"io/fs"
	"log/slog"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/gate"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/label"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/release"
	"github.com/fairlead-ml/fairlead/serving"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/stream"
)

//go:embed migrations/*.sql
var files embed.FS

// Schema returns the monitor's tables.
func Schema() store.Schema {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		panic(err)
	}
	return store.Schema{Component: "monitor", Files: sub}
}

// Deps is what the monitor stands on.
type Deps struct {
	DB       *store.DB
	Ledger   *ledger.Ledger
	Stream   *stream.Service
	Jobs     *job.Service
	Projects *spec.Projects
	Blobs    *blob.Store
	Data     *data.Service
	Registry *registry.Service
	Gate     *gate.Service
	Release  *release.Service
	Serving  *serving.Service
	Label    *label.Service
	Clock    fairlead.Clock
	Log      *slog.Logger
}

// Service watches all endpoints.
type Service struct{ Deps }

// The timers and jobs.
const (
	windowTimer  = "monitor.window"
	windowJob    = "monitor.window"
	pairedTimer  = "monitor.paired"
	pairedJob    = "monitor.paired"
	referenceJob = "monitor.reference"
)

// New wires the monitor to the events and timers it follows.
func New(d Deps) *Service {
	s := &Service{d}
	d.Ledger.Subscribe(ledger.Subscription{
		Name: "monitor",
		Types: []string{event.ModelVersionConditionType, event.GateDecidedType,
			event.RolloutStartedType, event.RolloutFinishedType, event.AliasMovedType},
		Handle: s.react,
	})
	d.Stream.OnBegin(s.streamBegan)
	d.Stream.Handle(windowTimer, s.windowDue)
	d.Stream.Handle(pairedTimer, s.pairedDue)
	d.Jobs.Handle(windowJob, s.judgeWindow, job.Limits{Concurrency: 2})
	d.Jobs.Handle(pairedJob, s.pairBlock, job.Limits{Concurrency: 2})
	d.Jobs.Handle(referenceJob, s.buildReference, job.Limits{Concurrency: 1})
	d.Jobs.OnDone(referenceJob, s.referenceDone)
	return s
}

func (s *Service) react(ctx context.Context, tx *store.Tx, r *ledger.Record) error {
	p := r.ProjectRef()
	switch r.Type {
	case event.ModelVersionConditionType:
		return s.versionPackaged(tx, p, r)
	case event.GateDecidedType:
		return s.keepMetrics(tx, p, r)
	case event.RolloutStartedType:
		return s.startPaired(tx, p, r)
	case event.RolloutFinishedType:
		return s.stopPaired(tx, p, r)
	case event.AliasMovedType:
		return s.liveMoved(ctx, tx, p, r)
	}
	return nil
}

// liveMoved begins the windows of the version that became live, and resolves the
// incidents of the one before.
func (s *Service) liveMoved(ctx context.Context, tx *store.Tx, p fairlead.Project, r *ledger.Record) error {
	var a event.AliasMoved
	if err := r.Decode(&a); err != nil || a.Alias != registry.LiveAlias {
		return err
	}
	endpoint, mon, err := s.watched(tx, p, a.Model)
	if err != nil || mon == nil {
		return err
	}
	if a.From != 0 {
		err := s.resolveAll(ctx, tx, p, endpoint, replacedBy(a.To), r.At())
		if err != nil {
			return err
		}
	}
	at, err := s.Stream.Now(tx, p, endpoint)
	if err != nil || at.IsZero() || a.To == 0 {
		return err // a stream that has not begun: streamBegan does it
	}
	return s.beginWindows(tx, p, endpoint, a.Model, a.To, mon, at)
}

// streamBegan begins the windows of a version that was live before the first
// request.
func (s *Service) streamBegan(_ context.Context, tx *store.Tx, p fairlead.Project, name string, at time.Time) error {
	a, err := s.Release.Assignment(tx, p, name)
	if fairlead.Is(err, fairlead.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	endpoint, mon, err := s.watched(tx, p, a.Model)
	if err != nil || mon == nil || endpoint != name {
		return err
	}
	live := a.Version(release.RoleLive)
	if live == 0 {
		return nil
	}
	return s.beginWindows(tx, p, endpoint, a.Model, live, mon, at)
}

// watched returns the endpoint that the project's file watches, and how; nil when
// it watches none, or another model.
func (s *Service) watched(tx *store.Tx, p fairlead.Project, model string) (string, *spec.Monitor, error) {
	rev, err := s.Projects.Current(tx, p)
	if fairlead.Is(err, fairlead.NotFound) {
		return "", nil, nil
	}
	if err != nil {
		return "", nil, err
	}
	env, ok := rev.Spec.LastEnvironment()
	if !ok || rev.Spec.Model != model {
		return "", nil, nil
	}
	return model + "@" + env.Name, rev.Spec.Monitor, nil
}
