package loop

import (
	"context"
	"embed"
	"log/slog"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/gate"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/label"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/monitor"
	"github.com/fairlead-ml/fairlead/pipeline"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/release"
	"github.com/fairlead-ml/fairlead/scm"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/stream"
)

//go:embed migrations/*.sql
var files embed.FS

// Schema returns the tables of cases.
func Schema() store.Schema { return store.Embedded("loop", files) }

// State is where a case stands.
type State string

// The states of a case, in order.
const (
	Waiting    State = "waiting" // for the model's active case to close
	Collecting State = "collecting"
	Training   State = "training"
	Packaging  State = "packaging"
	Gating     State = "gating"
	Releasing  State = "releasing"
	Closed     State = "closed"
)

// The outcomes of a closed case.
const (
	Promoted   = "promoted"
	Stopped    = "stopped"    // by the gate
	RolledBack = "rolledback" // by live evidence, or by hand
	Failed     = "failed"     // could not be trained, packaged or released
	Superseded = "superseded" // a newer candidate came while it waited
	Unchanged  = "unchanged"  // its version is live already, or its pipeline makes no model
)

// The causes of a case.
const (
	ByUser      = "user"
	ByIncident  = "incident"
	ByCandidate = "candidate"
)

// Case is one turn of the loop for one model.
type Case struct {
	k           int64
	ID          string              `json:"id"`
	Model       string              `json:"model"`
	State       State               `json:"state"`
	Cause       string              `json:"cause"` // user | incident | candidate
	Incident    string              `json:"incident,omitempty"`
	SpecRev     int64               `json:"spec_revision"`
	Commit      string              `json:"commit"`
	Search      bool                `json:"search"`    // else on the last winner's settings
	OpenedAt    time.Time           `json:"opened_at"` // stream time; what data is collected as of
	ClosedAt    time.Time           `json:"closed_at,omitzero"`
	PipelineRun string              `json:"pipeline_run,omitempty"`
	Version     int64               `json:"version,omitempty"`
	Inputs      map[string]data.Ref `json:"inputs,omitempty"`
	Holdout     data.Ref            `json:"holdout,omitzero"`
	Decision    string              `json:"decision,omitempty"`
	Environment int                 `json:"-"` // index of the environment it is being released to
	Rollout     string              `json:"rollout,omitempty"`
	Outcome     string              `json:"outcome,omitempty"`
	Reason      string              `json:"reason,omitempty"` // for the state it is in
}

// Deps is what the loop stands on: every stage to its left. Of those that run
// Python, it needs no more than how to ask for work.
type Deps struct {
	DB       *store.DB
	Ledger   *ledger.Ledger
	Stream   *stream.Service
	Jobs     *job.Service
	Projects *spec.Projects
	SCM      *scm.Service
	Data     *data.Service
	Registry *registry.Service
	Gate     *gate.Service
	Release  *release.Service
	Label    *label.Service
	Monitor  *monitor.Service
	// Train starts a pipeline run; pipelinerun.finished tells of its end.
	Train func(ctx context.Context, tx *store.Tx, p fairlead.Project, start pipeline.Start) (
		run string, err error)
	// Package asks for a version's package, compared on the first of the inputs that has
	// rows; the conditions `packaged` and `reference` tell of its end.
	Package func(ctx context.Context, tx *store.Tx, p fairlead.Project, model string, n int64,
		inputs []data.Ref) error
	Clock fairlead.Clock
	Log   *slog.Logger
	Dir   string // the data directory
}

// Service moves the cases of all models.
type Service struct{ Deps }

// subscriber is the loop's name in the ledger, as a subscriber and as an actor.
const subscriber = "loop"

// New wires the loop to the events it reacts to.
func New(d Deps) *Service {
	s := &Service{d}
	d.Ledger.Subscribe(ledger.Subscription{
		Name: subscriber,
		Types: []string{event.AliasMovedType, event.IncidentOpenedType, event.PipelineRunFinishedType,
			event.ModelVersionConditionType, event.GateDecidedType, event.RolloutSteppedType,
			event.RolloutAskedType, event.RolloutFinishedType, event.AssignmentAppliedType,
			event.AssignmentFailedType, event.ProjectAppliedType, event.DeliverySkippedType},
		Handle: s.react,
	})
	d.Stream.Handle(retryTimer, s.retry)
	d.Jobs.Handle(collectJob, job.Transient(s.collect), job.Limits{Concurrency: 1, Retries: 8})
	d.Jobs.OnDone(collectJob, s.collected)
	return s
}

// endpointOf is the name of the endpoint that a model's loop is about: that of the
// last environment. It is the model's own name when nothing is released.
func endpointOf(sp *spec.Spec) string {
	env, ok := sp.LastEnvironment()
	if !ok {
		return sp.Model
	}
	return release.EndpointName(sp.Model, env.Name)
}

// advance stores the case and appends the event that tells of it.
func (s *Service) advance(ctx context.Context, tx *store.Tx, p fairlead.Project, c *Case) error {
	name := event.CaseAdvancedType
	switch {
	case c.State == Closed:
		name = event.CaseClosedType
	case c.k == 0:
		name = event.CaseOpenedType
	}
	if err := saveCase(tx, p, c); err != nil {
		return err
	}
	at, err := s.now(tx, p, c)
	if err != nil {
		return err
	}
	_, err = s.Ledger.Append(ctx, tx, p, "model/"+c.Model, at, event.Case{
		Name: name, Case: c.ID, Model: c.Model, Version: c.Version, State: string(c.State),
		Outcome: c.Outcome, Cause: c.Cause, Incident: c.Incident, Reason: c.Reason,
	})
	return err
}

// now is the stream time of the endpoint that the case's file is about, wall time
// before that has one.
func (s *Service) now(tx *store.Tx, p fairlead.Project, c *Case) (time.Time, error) {
	rev, err := s.Projects.Revision(tx, p, c.SpecRev)
	if err != nil {
		return time.Time{}, err
	}
	return s.Stream.NowOrWall(tx, p, endpointOf(rev.Spec))
}
