package loop

import (
	"context"
	"fmt"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/gate"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/monitor"
	"github.com/fairlead-ml/fairlead/pipeline"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/release"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

// CandidateAlias is the alias that opens a case for a version.
const CandidateAlias = registry.CandidateAlias

// react moves cases by the events of the stages.
func (s *Service) react(ctx context.Context, tx *store.Tx, r *ledger.Record) error {
	p := r.ProjectRef()
	switch r.Type {
	case event.AliasMovedType:
		return s.aliasMoved(ctx, tx, p, r)
	case event.IncidentOpenedType:
		return s.incidentOpened(ctx, tx, p, r)
	case event.PipelineRunFinishedType:
		return s.trained(ctx, tx, p, r)
	case event.ModelVersionConditionType:
		return s.conditioned(ctx, tx, p, r)
	case event.GateDecidedType:
		return s.decided(ctx, tx, p, r)
	case event.RolloutSteppedType, event.RolloutAskedType:
		return s.rollingOut(ctx, tx, p, r)
	case event.RolloutFinishedType:
		return s.rolledOut(ctx, tx, p, r)
	case event.AssignmentAppliedType, event.AssignmentFailedType:
		return s.assigned(ctx, tx, p, r)
	case event.ProjectAppliedType:
		return s.applied(tx, p)
	case event.DeliverySkippedType:
		return s.skipped(ctx, tx, p, r)
	}
	return nil
}

// applied looks at open incidents again: the new file may allow what the one before
// did not.
func (s *Service) applied(tx *store.Tx, p fairlead.Project) error {
	rev, err := s.Projects.Current(tx, p)
	if err != nil {
		return err
	}
	return s.lookAgain(tx, p, rev.Spec.Model)
}

// aliasMoved opens a case for a version that somebody made the candidate; a version
// that the loop named has its case. An alias that has moved on meanwhile has a later
// event, and is judged then.
func (s *Service) aliasMoved(ctx context.Context, tx *store.Tx, p fairlead.Project,
	r *ledger.Record) error {
	var a event.AliasMoved
	if err := r.Decode(&a); err != nil || a.Alias != CandidateAlias || a.To == 0 ||
		r.Actor == fairlead.System(subscriber).String() {
		return err
	}
	now, err := s.Registry.Alias(tx, p, a.Model, CandidateAlias)
	if fairlead.Is(err, fairlead.NotFound) {
		return nil // the model was deleted or renamed meanwhile
	}
	if err != nil || now != a.To {
		return err
	}
	open, err := openCase(tx, p, a.Model, a.To)
	if err != nil || open != nil {
		return err
	}
	name := fmt.Sprintf("version %d is the candidate, but ", a.To)
	v, err := s.Registry.Version(tx, p, a.Model, a.To)
	if err != nil {
		return err
	}
	if v.Retired() {
		return s.note(tx, p, a.Model, name+"it is retired")
	}
	rev, err := s.Projects.Current(tx, p)
	if fairlead.Is(err, fairlead.NotFound) {
		return s.note(tx, p, a.Model,
			name+"project "+p.Name+" has no fairlead.yaml that says what follows")
	}
	if err != nil {
		return err
	}
	if rev.Spec.Model != a.Model {
		return s.note(tx, p, a.Model,
			fmt.Sprintf("%sfairlead.yaml is about model %q", name, rev.Spec.Model))
	}
	_, err = s.consider(ctx, tx, p, rev, a.To)
	return err
}

// trained takes the pipeline's winner to packaging. A pipeline that was answered
// from the cache may name a version that it made before.
func (s *Service) trained(ctx context.Context, tx *store.Tx, p fairlead.Project,
	r *ledger.Record) error {
	var f event.PipelineRunFinished
	if err := r.Decode(&f); err != nil {
		return err
	}
	c, err := caseIn(tx, p, f.Case, Training)
	if err != nil || c == nil {
		return err
	}
	if f.Version == 0 && f.State == string(pipeline.Succeeded) {
		return s.close(ctx, tx, p, c, Unchanged, "the pipeline succeeded, and there is nothing to "+
			"release: no step has the output `model`, or one that the step `evaluate` reads")
	}
	if f.Version == 0 {
		return s.close(ctx, tx, p, c, Failed, "pipeline run "+f.Pipeline+" "+f.State+": "+f.Reason)
	}
	live, err := s.Registry.Alias(tx, p, c.Model, registry.LiveAlias)
	if err != nil {
		return err
	}
	c.Version = f.Version
	if live == f.Version {
		return s.close(ctx, tx, p, c, Unchanged,
			fmt.Sprintf("the pipeline made version %d again, and that is live", live))
	}
	c.Reason = fmt.Sprintf("version %d won: %s", f.Version, f.Reason)
	return s.pack(ctx, tx, p, c)
}

// pack asks for the version's package and reference, also again when they could not be
// made before, and makes it the candidate.
func (s *Service) pack(ctx context.Context, tx *store.Tx, p fairlead.Project, c *Case) error {
	c.State = Packaging
	if err := s.advance(ctx, tx, p, c); err != nil {
		return err
	}
	if err := s.hold(tx, p, c); err != nil {
		return err
	}
	if c.PipelineRun != "" {
		if err := s.Registry.SetAlias(ctx, tx, p, c.Model, CandidateAlias, c.Version); err != nil {
			return err
		}
	}
	inputs, err := s.recorded(tx, p, c)
	if err != nil {
		return err
	}
	if err := s.Package(ctx, tx, p, c.Model, c.Version, inputs); err != nil {
		return err
	}
	if err := s.Monitor.RepeatReference(ctx, tx, p, c.Model, c.Version); err != nil {
		return err
	}
	return s.packed(ctx, tx, p, c) // a version that was packaged before has no event to come
}

// recorded returns the inputs that a package may be tried on: the case's data in the
// order of the file. The holdout is none of them: only the gate reads it.
func (s *Service) recorded(tx *store.Tx, p fairlead.Project, c *Case) ([]data.Ref, error) {
	rev, err := s.Projects.Revision(tx, p, c.SpecRev)
	if err != nil {
		return nil, err
	}
	var refs []data.Ref
	for _, d := range rev.Spec.Data {
		refs = append(refs, c.Inputs[d.Name])
	}
	return refs, nil
}

// conditioned looks whether the version that a case packages is ready.
func (s *Service) conditioned(ctx context.Context, tx *store.Tx, p fairlead.Project,
	r *ledger.Record) error {
	var e event.ModelVersionCondition
	if err := r.Decode(&e); err != nil {
		return err
	}
	c, err := caseOfVersion(tx, p, e.Model, e.Version, Packaging)
	if err != nil || c == nil {
		return err
	}
	return s.packed(ctx, tx, p, c)
}

// packed takes the case to the gate once package and reference are there.
func (s *Service) packed(ctx context.Context, tx *store.Tx, p fairlead.Project, c *Case) error {
	for _, name := range []string{registry.ConditionPackaged, registry.ConditionReference} {
		cond, err := s.Registry.Condition(tx, p, c.Model, c.Version, name)
		if err != nil {
			return err
		}
		switch cond.Status {
		case registry.False:
			return s.close(ctx, tx, p, c, Failed, fmt.Sprintf("version %d: %s", c.Version, cond.Reason))
		case registry.True:
		default:
			return nil
		}
	}
	live, err := s.Registry.Alias(tx, p, c.Model, registry.LiveAlias)
	if err != nil {
		return err
	}
	c.State, c.Reason = Gating, "there is no live version to compare with"
	if live != 0 {
		c.Reason = fmt.Sprintf("compared with version %d, which is live", live)
	}
	if err := s.advance(ctx, tx, p, c); err != nil {
		return err
	}
	return s.Gate.Request(ctx, tx, p, gate.Request{
		Case: c.ID, Model: c.Model, Version: c.Version, Baseline: live,
		SpecRev: c.SpecRev, Commit: c.Commit, Holdout: c.Holdout,
	})
}

// decided releases what passed the gate.
func (s *Service) decided(ctx context.Context, tx *store.Tx, p fairlead.Project,
	r *ledger.Record) error {
	var d event.GateDecided
	if err := r.Decode(&d); err != nil {
		return err
	}
	c, err := caseIn(tx, p, d.Case, Gating)
	if err != nil || c == nil {
		return err
	}
	c.Decision = d.Decision
	switch d.Result {
	case gate.Passed:
		c.State = Releasing
		return s.release(ctx, tx, p, c)
	case gate.Undecided:
		return s.close(ctx, tx, p, c, Failed, d.Reason)
	}
	return s.close(ctx, tx, p, c, Stopped, "the gate stopped it: "+strings.Join(d.Failed, ", "))
}

// release starts the rollout to the case's next environment where its version is
// not live already.
func (s *Service) release(ctx context.Context, tx *store.Tx, p fairlead.Project, c *Case) error {
	rev, err := s.Projects.Revision(tx, p, c.SpecRev)
	if err != nil {
		return err
	}
	if len(rev.Spec.Release) == 0 {
		return s.close(ctx, tx, p, c, Promoted,
			"it passed the gate; fairlead.yaml names no environment to release it to")
	}
	for ; c.Environment < len(rev.Spec.Release); c.Environment++ {
		env := rev.Spec.Release[c.Environment]
		there, err := s.liveAt(tx, p, c, env)
		if err != nil {
			return err
		}
		if !there {
			return s.startRollout(ctx, tx, p, c, env)
		}
	}
	return s.close(ctx, tx, p, c, Promoted, "released to every environment")
}

// liveAt reports whether the case's version is live in the environment.
func (s *Service) liveAt(tx *store.Tx, p fairlead.Project, c *Case, env spec.Environment) (bool,
	error) {
	a, err := s.Release.Assignment(tx, p, release.EndpointName(c.Model, env.Name))
	if fairlead.Is(err, fairlead.NotFound) {
		return false, nil
	}
	return err == nil && a.Version(release.RoleLive) == c.Version, err
}

func (s *Service) startRollout(ctx context.Context, tx *store.Tx, p fairlead.Project, c *Case,
	env spec.Environment) error {
	id, err := s.Release.Start(ctx, tx, p, release.Start{
		Environment: env, Model: c.Model, Version: c.Version, Case: c.ID,
	})
	switch fairlead.CodeOf(err) {
	case "":
	case fairlead.Internal, fairlead.Unavailable, fairlead.Exhausted:
		return err // may pass: the event is tried again
	default:
		return s.close(ctx, tx, p, c, Failed, "cannot be released: "+fairlead.MessageOf(err))
	}
	c.Rollout, c.Reason = id, fmt.Sprintf("to %s, by %s", env.Name, env.Strategy)
	return s.advance(ctx, tx, p, c)
}

// ofRollout returns the case that waits for the rollout of an event, or nil.
func (s *Service) ofRollout(tx *store.Tx, p fairlead.Project, r *ledger.Record) (*Case,
	event.Rollout, error) {
	var f event.Rollout
	if err := r.Decode(&f); err != nil {
		return nil, f, err
	}
	c, err := caseIn(tx, p, f.Case, Releasing)
	if err != nil || c == nil || c.Rollout != f.Rollout {
		return nil, f, err
	}
	return c, f, nil
}

// rollingOut tells of the case how far its rollout is, and that it needs a human.
func (s *Service) rollingOut(ctx context.Context, tx *store.Tx, p fairlead.Project,
	r *ledger.Record) error {
	c, f, err := s.ofRollout(tx, p, r)
	if err != nil || c == nil {
		return err
	}
	c.Reason = fmt.Sprintf("to %s, by %s: %g%% of the requests", f.Environment, f.Strategy, f.Percent)
	if r.Type == event.RolloutAskedType {
		c.Reason = "it asks a human: " + f.Reason
	}
	return s.advance(ctx, tx, p, c)
}

// rolledOut waits until what was promoted is served, or closes the case.
func (s *Service) rolledOut(ctx context.Context, tx *store.Tx, p fairlead.Project,
	r *ledger.Record) error {
	c, f, err := s.ofRollout(tx, p, r)
	if err != nil || c == nil {
		return err
	}
	if f.Outcome != release.Promoted {
		return s.close(ctx, tx, p, c, RolledBack, f.Reason)
	}
	c.Reason = fmt.Sprintf("version %d is promoted; it waits for %s to serve it", c.Version,
		f.Endpoint)
	if err := s.advance(ctx, tx, p, c); err != nil {
		return err
	}
	a, err := s.Release.Assignment(tx, p, f.Endpoint)
	if err != nil {
		return err
	}
	return s.promoted(ctx, tx, p, c, a)
}

// assigned looks whether a version that was promoted is served now.
func (s *Service) assigned(ctx context.Context, tx *store.Tx, p fairlead.Project,
	r *ledger.Record) error {
	var e event.Assignment
	if err := r.Decode(&e); err != nil {
		return err
	}
	c, err := s.unserved(tx, p, e.Endpoint)
	if err != nil || c == nil {
		return err
	}
	a, err := s.Release.Assignment(tx, p, e.Endpoint)
	if err != nil || e.Generation < a.Generation { // it is about what was before
		return err
	}
	return s.promoted(ctx, tx, p, c, a)
}

// unserved returns the case whose version was promoted on the endpoint, and waits to be
// served there; or nil.
func (s *Service) unserved(tx *store.Tx, p fairlead.Project, endpoint string) (*Case, error) {
	model, _, _ := strings.Cut(endpoint, "@")
	c, err := activeCase(tx, p, model)
	if err != nil || c == nil || c.State != Releasing {
		return nil, err
	}
	r, err := s.Release.Rollout(tx, p, c.Rollout)
	if err != nil || r.Outcome != release.Promoted || r.Endpoint != endpoint {
		return nil, err
	}
	return c, nil
}

// promoted takes the case to its next environment once what was promoted is served:
// before that, a request would find the version before it, or none. A version that
// cannot be served ends the case.
func (s *Service) promoted(ctx context.Context, tx *store.Tx, p fairlead.Project, c *Case,
	a *release.Assignment) error {
	switch {
	case a.Version(release.RoleLive) != c.Version:
		return s.close(ctx, tx, p, c, RolledBack, a.Reason)
	case a.ObservedGeneration == a.Generation,
		a.Failure != "" && a.FailedVersion != c.Version: // a shadow is missing, and this one answers
		c.Environment++
		return s.release(ctx, tx, p, c)
	case a.Failure != "":
		return s.close(ctx, tx, p, c, Failed, fmt.Sprintf("%s should serve version %d, and cannot: %s",
			a.Endpoint, c.Version, a.Failure))
	}
	return nil
}

// skipped closes the case that waits for an event which the loop, or the monitor that
// builds references, will not handle any more: else it would stay as it is for ever, and
// let no other begin. What others skip stops no case.
func (s *Service) skipped(ctx context.Context, tx *store.Tx, p fairlead.Project,
	r *ledger.Record) error {
	var d event.DeliverySkipped
	if err := r.Decode(&d); err != nil {
		return err
	}
	if d.Subscriber != subscriber && d.Subscriber != monitor.Subscriber {
		return nil
	}
	lost, err := s.Ledger.Event(tx, d.Seq)
	if err != nil {
		return err
	}
	c, err := s.waitingFor(tx, p, lost)
	if err != nil || c == nil {
		return err
	}
	return s.close(ctx, tx, p, c, Failed, fmt.Sprintf("%s could not handle event %d (%s): %s",
		d.Subscriber, d.Seq, d.Event, d.Reason))
}

// waitingFor returns the case that waits for the event to go on, or nil.
func (s *Service) waitingFor(tx *store.Tx, p fairlead.Project, r *ledger.Record) (*Case, error) {
	var e struct {
		Case, Model, Endpoint string
		Version               int64
	}
	if err := r.Decode(&e); err != nil {
		return nil, err
	}
	switch r.Type {
	case event.PipelineRunFinishedType:
		return caseIn(tx, p, e.Case, Training)
	case event.ModelVersionConditionType:
		return caseOfVersion(tx, p, e.Model, e.Version, Packaging)
	case event.GateDecidedType:
		return caseIn(tx, p, e.Case, Gating)
	case event.RolloutFinishedType:
		c, f, err := s.ofRollout(tx, p, r)
		if f.Outcome == release.Promoted {
			return nil, err // it goes on once it is served
		}
		return c, err
	case event.AssignmentAppliedType, event.AssignmentFailedType:
		return s.unserved(tx, p, e.Endpoint)
	}
	return nil, nil
}
