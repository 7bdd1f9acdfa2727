package monitor

import (
	"context"
	"embed"
	"log/slog"

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
func Schema() store.Schema { return store.Embedded("monitor", files) }

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
	Load     serving.Loader // opens a package: the predictions of a reference
	Clock    fairlead.Clock
	Log      *slog.Logger
	Dir      string // the data directory
}

// Service watches all endpoints.
type Service struct{ Deps }

// The timers, and the jobs that they ask for by the same names.
const (
	windowTimer  = "monitor.window"
	windowJob    = windowTimer
	pairedTimer  = "monitor.paired"
	failedTimer  = "monitor.failed"
	referenceJob = "monitor.reference"
)

// retries of a job whose failure time may mend; with their waits some minutes.
const retries = 8

// Subscriber is the monitor's name in the ledger.
const Subscriber = "monitor"

// New wires the monitor to the events and timers it follows.
func New(d Deps) *Service {
	s := &Service{d}
	d.Ledger.Subscribe(ledger.Subscription{
		Name: Subscriber,
		Types: []string{event.ProjectAppliedType, event.ModelVersionConditionType,
			event.GateDecidedType, event.RolloutStartedType, event.RolloutFinishedType,
			event.AssignmentChangedType},
		Handle: s.react,
	})
	d.Stream.OnBegin(s.streamBegan)
	d.Stream.Handle(windowTimer, s.windowDue)
	d.Stream.Handle(pairedTimer, s.lookDue(block))
	d.Stream.Handle(failedTimer, s.lookDue(failureLook))
	// One at a time, so that what is due at once after a downtime is judged in order.
	limits := job.Limits{Concurrency: 1, Retries: retries}
	d.Jobs.Handle(windowJob, job.Transient(s.judgeWindow), limits)
	d.Jobs.Handle(pairedTimer, job.Transient(s.pairBlocks), limits)
	d.Jobs.Handle(failedTimer, job.Transient(s.countFailures), limits)
	d.Jobs.Handle(referenceJob, job.Transient(s.buildReference), limits)
	d.Jobs.OnDone(windowJob, s.windowDone)
	d.Jobs.OnDone(referenceJob, s.referenceDone)
	return s
}

func (s *Service) react(ctx context.Context, tx *store.Tx, r *ledger.Record) error {
	p := r.ProjectRef()
	switch r.Type {
	case event.ProjectAppliedType, event.AssignmentChangedType:
		return s.watch(ctx, tx, p)
	case event.ModelVersionConditionType:
		return s.versionPackaged(tx, p, r)
	case event.GateDecidedType:
		return s.keepMetrics(tx, p, r)
	case event.RolloutStartedType:
		return s.startPaired(tx, p, r)
	case event.RolloutFinishedType:
		return s.stopPaired(tx, p, r)
	}
	return nil
}
