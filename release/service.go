package release

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/gate"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/stream"
)

//go:embed migrations/*.sql
var files embed.FS

// Schema returns the tables of environments, rollouts and assignments.
func Schema() store.Schema { return store.Embedded("release", files) }

// Deps is what releases stand on.
type Deps struct {
	DB       *store.DB // its schema must include Schema()
	Ledger   *ledger.Ledger
	Stream   *stream.Service
	Projects *spec.Projects
	Registry *registry.Service
	Gate     *gate.Service
	Clock    fairlead.Clock // wall time
	Log      *slog.Logger
}

// Service keeps the rollouts and assignments of all endpoints.
type Service struct{ Deps }

// timerKind is the kind of the timers that end a step's wait for evidence.
const timerKind = "rollout.at_most"

// New registers the service with stream time and the ledger. It is called before
// they start.
func New(d Deps) *Service {
	s := &Service{d}
	d.Stream.Handle(timerKind, s.onTimer)
	d.Stream.OnBegin(s.onBegin)
	d.Ledger.Subscribe(ledger.Subscription{
		Name: "release", Types: []string{event.EvidenceRecordedType}, Handle: s.onEvidence})
	return s
}

// Start asks for a rollout.
type Start struct {
	Environment spec.Environment // as the file has it; kept for the whole rollout
	Model       string
	Version     int64
	Case        string
}

// EndpointName returns the name of a model's endpoint in an environment.
func EndpointName(model, environment string) string { return model + "@" + environment }

// Start begins the rollout of a packaged version and returns its id. The first
// version of an endpoint is live at once, whatever the strategy; so is any other
// with strategy replace. Precondition when the version is not packaged or is live
// already, Gone when it is retired, Conflict when a rollout is active on the
// endpoint; nothing was changed then.
func (s *Service) Start(ctx context.Context, tx *store.Tx, p fairlead.Project, in Start) (
	id string, err error) {
	if err := s.servable(tx, p, in.Model, in.Version); err != nil {
		return "", err
	}
	env, err := readEnvironment(tx, p, EndpointName(in.Model, in.Environment.Name))
	if err != nil && !errors.Is(err, store.ErrNoRows) {
		return "", err
	}
	env.endpoint, env.model = EndpointName(in.Model, in.Environment.Name), in.Model
	env.name, env.settings, env.changed = in.Environment.Name, in.Environment, true
	if env.early, err = s.early(tx, p, env.name); err != nil {
		return "", err
	}
	r := Rollout{ID: fairlead.NewID("rol", s.Clock.Now()), Case: in.Case, Endpoint: env.endpoint,
		Environment: env.name, Model: in.Model, To: in.Version, Plan: in.Environment}
	return r.ID, s.transit(ctx, tx, p, env, start{r})
}

// servable is nil for a version that is packaged and not retired.
func (s *Service) servable(tx *store.Tx, p fairlead.Project, model string, n int64) error {
	v, err := s.Registry.Version(tx, p, model, n)
	if err != nil {
		return err
	}
	if v.State == registry.Retired {
		return fairlead.Errorf(fairlead.Gone, "version %d of %s is retired (%s); release another one",
			n, model, v.Reason)
	}
	ok, reason, err := s.Registry.Packaged(tx, p, model, n)
	if err != nil {
		return err
	}
	if !ok {
		return fairlead.Errorf(fairlead.Precondition,
			"version %d of %s cannot be served: it is not packaged (%s)", n, model, reason)
	}
	return nil
}

// early reports whether the project's file has an environment after this one:
// releases to it leave the alias `live` alone.
func (s *Service) early(tx *store.Tx, p fairlead.Project, name string) (bool, error) {
	rev, err := s.Projects.Current(tx, p)
	if fairlead.Is(err, fairlead.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	last, ok := rev.Spec.LastEnvironment()
	return ok && last.Name != name, nil
}

// Rollout returns a rollout; NotFound for an id of another project.
func (s *Service) Rollout(tx *store.Tx, p fairlead.Project, id string) (*Rollout, error) {
	r, err := readRollout(tx, p, id)
	if errors.Is(err, store.ErrNoRows) {
		return nil, fairlead.Errorf(fairlead.NotFound, "there is no rollout %s", id)
	}
	return r, err
}

// ActiveRollout returns the endpoint's rollout that is not finished, nil when
// there is none.
func (s *Service) ActiveRollout(tx *store.Tx, p fairlead.Project, endpoint string) (*Rollout,
	error) {
	r, err := readActive(tx, p, endpoint)
	if errors.Is(err, store.ErrNoRows) {
		return nil, nil
	}
	return r, err
}

// Rollouts returns the newest rollouts of an endpoint, or of the project when
// endpoint is empty; at most limit, which is 100 when not positive.
func (s *Service) Rollouts(tx *store.Tx, p fairlead.Project, endpoint string, limit int) (
	[]*Rollout, error) {
	if limit <= 0 {
		limit = 100
	}
	return readRollouts(tx, p, endpoint, min(limit, 1000))
}

// Promote ends a rollout with its version live, whatever the evidence: a human's
// answer to rollout.asked.
func (s *Service) Promote(ctx context.Context, tx *store.Tx, p fairlead.Project, id,
	reason string) error {
	return s.decide(ctx, tx, p, id, promote{reason})
}

// Rollback ends a rollout without its version. Precondition when it is finished.
func (s *Service) Rollback(ctx context.Context, tx *store.Tx, p fairlead.Project, id,
	reason string) error {
	return s.decide(ctx, tx, p, id, rollback{reason})
}

func (s *Service) decide(ctx context.Context, tx *store.Tx, p fairlead.Project, id string,
	in input) error {
	r, err := s.Rollout(tx, p, id)
	if err != nil {
		return err
	}
	if !r.Active() {
		return fairlead.Errorf(fairlead.Precondition,
			"%s is finished: %s; roll back the endpoint %s instead", r.name(), r.Outcome, r.Endpoint)
	}
	return s.at(ctx, tx, p, r.Endpoint, in)
}

// RollbackEndpoint goes from the live version back to the newest standby, and
// aborts an active rollout. The version left is no standby afterwards.
// Precondition when there is no standby.
func (s *Service) RollbackEndpoint(ctx context.Context, tx *store.Tx, p fairlead.Project,
	endpoint, reason string) error {
	return s.at(ctx, tx, p, endpoint, restore{reason})
}

// DropStandby takes a version that cannot answer from the endpoint's standbys, so that no
// rollback goes to it. A version that is none changes nothing.
func (s *Service) DropStandby(ctx context.Context, tx *store.Tx, p fairlead.Project,
	endpoint string, version int64, reason string) error {
	return s.at(ctx, tx, p, endpoint, lose{version, reason})
}

// StartShadow lets a version score every request of the endpoint and answer none,
// until StopShadow; rollouts leave it alone. It may be the live version, or a
// canary: it is scored once then. A version that is a shadow already stays one.
func (s *Service) StartShadow(ctx context.Context, tx *store.Tx, p fairlead.Project,
	endpoint string, version int64, reason string) error {
	env, err := s.environment(tx, p, endpoint)
	if err != nil {
		return err
	}
	if err := s.servable(tx, p, env.model, version); err != nil {
		return err
	}
	return s.transit(ctx, tx, p, env, shadow{version, reason})
}

// StopShadow ends a standing shadow, and retires a version that was replaced and
// that nothing else holds. Precondition when the version is none.
func (s *Service) StopShadow(ctx context.Context, tx *store.Tx, p fairlead.Project, endpoint string,
	version int64, reason string) error {
	return s.at(ctx, tx, p, endpoint, unshadow{version, reason})
}

// Assignment returns what the endpoint should serve; NotFound for one that
// nothing was released to.
func (s *Service) Assignment(tx *store.Tx, p fairlead.Project, endpoint string) (*Assignment,
	error) {
	a, err := readAssignment(tx, p, endpoint)
	if errors.Is(err, store.ErrNoRows) {
		return nil, noEndpoint(endpoint)
	}
	return a, err
}

// Assignments returns the assignments of all endpoints, by name.
func (s *Service) Assignments(tx *store.Tx, p fairlead.Project) ([]*Assignment, error) {
	return readAssignments(tx, p)
}

// Observe tells that the endpoint serves what the assignment of that generation
// says. An older generation than the newest observed one changes nothing; one
// that was never assigned is Invalid.
func (s *Service) Observe(ctx context.Context, tx *store.Tx, p fairlead.Project, endpoint string,
	generation int64) error {
	env, err := s.environment(tx, p, endpoint)
	if err != nil {
		return err
	}
	a, err := s.Assignment(tx, p, endpoint)
	if err != nil || generation <= a.ObservedGeneration {
		return err
	}
	if generation > a.Generation {
		return fairlead.Errorf(fairlead.Invalid, "%s has no generation %d; the newest is %d",
			endpoint, generation, a.Generation)
	}
	if err := writeObserved(tx, env.k, generation); err != nil {
		return fmt.Errorf("observe %s: %w", endpoint, err)
	}
	return s.report(ctx, tx, p, event.Assignment{
		Name: event.AssignmentAppliedType, Endpoint: endpoint, Generation: generation})
}

// Unserved tells which version keeps the endpoint from serving the assignment of that
// generation, and why, until Observe says that it does: the live one, or another one
// beside a live one that answers. A generation that is served, or no longer the newest,
// and what is known already change nothing.
func (s *Service) Unserved(ctx context.Context, tx *store.Tx, p fairlead.Project, endpoint string,
	generation, version int64, why string) error {
	env, err := s.environment(tx, p, endpoint)
	if err != nil {
		return err
	}
	a, err := s.Assignment(tx, p, endpoint)
	if err != nil || generation != a.Generation || generation == a.ObservedGeneration ||
		a.Failure == why && a.FailedVersion == version {
		return err
	}
	if err := writeFailure(tx, env.k, version, why); err != nil {
		return fmt.Errorf("report on %s: %w", endpoint, err)
	}
	return s.report(ctx, tx, p, event.Assignment{Name: event.AssignmentFailedType,
		Endpoint: endpoint, Generation: generation, Reason: why})
}

func (s *Service) report(ctx context.Context, tx *store.Tx, p fairlead.Project,
	e event.Assignment) error {
	at, err := s.now(tx, p, e.Endpoint)
	if err != nil {
		return err
	}
	_, err = s.Ledger.Append(ctx, tx, p, e.Endpoint, at, e)
	return err
}

// Idle reports whether every endpoint of the project serves what it should.
func (s *Service) Idle(ctx context.Context, p fairlead.Project) (idle bool, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		n, err := countUnobserved(tx, p)
		idle = n == 0
		return err
	})
	return idle, err
}

func (s *Service) environment(tx *store.Tx, p fairlead.Project, endpoint string) (environment,
	error) {
	env, err := readEnvironment(tx, p, endpoint)
	if errors.Is(err, store.ErrNoRows) {
		return env, noEndpoint(endpoint)
	}
	return env, err
}

func noEndpoint(endpoint string) error {
	return fairlead.Errorf(fairlead.NotFound,
		"there is no endpoint %q; one begins with the first release to its environment", endpoint)
}

// now returns the stream time that a transition happens at, in whole milliseconds.
func (s *Service) now(tx *store.Tx, p fairlead.Project, endpoint string) (time.Time, error) {
	at, err := s.Stream.NowOrWall(tx, p, endpoint)
	return at.UTC().Truncate(time.Millisecond), err
}
