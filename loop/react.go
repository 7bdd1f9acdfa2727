package loop

import (
	"context"
	"fmt"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/gate"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/release"
	"github.com/fairlead-ml/fairlead/store"
)

// CandidateAlias is the alias that opens a case for a version.
const CandidateAlias = "candidate"

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
	case event.RolloutFinishedType:
		return s.rolledOut(ctx, tx, p, r)
	}
	return nil
}

// aliasMoved opens a case for a version that became the candidate, unless the
// active case made it itself.
func (s *Service) aliasMoved(ctx context.Context, tx *store.Tx, p fairlead.Project, r *ledger.Record) error {
	var a event.AliasMoved
	if err := r.Decode(&a); err != nil || a.Alias != CandidateAlias || a.To == 0 {
		return err
	}
	known, err := caseOfVersion(tx, p, a.Model, a.To)
	if err != nil || known {
		return err
	}
	rev, err := s.Projects.Current(tx, p)
	if fairlead.Is(err, fairlead.NotFound) {
		return s.note(tx, p, a.Model, fmt.Sprintf(
			"version %d is the candidate, but project %s has no fairlead.yaml that says what follows", a.To, p.Name))
	}
	if err != nil {
		return err
	}
	if rev.Spec.Model != a.Model {
		return s.note(tx, p, a.Model, fmt.Sprintf("version %d is the candidate, but fairlead.yaml is about model %q", a.To, rev.Spec.Model))
	}
	c := s.newCase(rev, ByCandidate)
	c.Version = a.To
	return s.open(ctx, tx, p, c)
}

// trained takes the pipeline's winner to packaging.
func (s *Service) trained(ctx context.Context, tx *store.Tx, p fairlead.Project, r *ledger.Record) error {
	var f event.PipelineRunFinished
	if err := r.Decode(&f); err != nil || f.Case == "" {
		return err
	}
	c, err := readCase(tx, p, f.Case)
	if err != nil || c.State != Training {
		return err
	}
	if f.Version == 0 {
		return s.close(ctx, tx, p, c, Failed, "pipeline run "+f.Pipeline+" "+f.State+": "+f.Reason)
	}
	c.Version = f.Version
	return s.pack(ctx, tx, p, c, true)
}

// pack asks for the version's package and reference. A version of our own becomes
// the candidate with it.
func (s *Service) pack(ctx context.Context, tx *store.Tx, p fairlead.Project, c *Case, name bool) error {
	c.State = Packaging
	if err := s.advance(ctx, tx, p, c); err != nil {
		return err
	}
	if name {
		if err := s.Registry.SetAlias(ctx, tx, p, c.Model, CandidateAlias, c.Version); err != nil {
			return err
		}
	}
	if err := s.Registry.Hold(tx, p, c.Model, c.Version, registry.Holder{Kind: "case", ID: c.ID, Reason: "is being judged"}); err != nil {
		return err
	}
	if err := s.Packaging.Request(tx, p, c.Model, c.Version, c.Holdout); err != nil {
		return err
	}
	return s.packed(ctx, tx, p, c) // a version that was packaged before has no event to come
}

// conditioned looks whether the version that a case packages is ready.
func (s *Service) conditioned(ctx context.Context, tx *store.Tx, p fairlead.Project, r *ledger.Record) error {
	var e event.ModelVersionCondition
	if err := r.Decode(&e); err != nil {
		return err
	}
	c, err := activeCase(tx, p, e.Model)
	if err != nil || c == nil || c.State != Packaging || c.Version != e.Version {
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
			return s.settle(ctx, tx, p, c, Failed, fmt.Sprintf("version %d: %s", c.Version, cond.Reason))
		case registry.True:
		default:
			return nil
		}
	}
	live, err := s.Registry.Alias(tx, p, c.Model, registry.LiveAlias)
	if err != nil {
		return err
	}
	c.State = Gating
	if err := s.advance(ctx, tx, p, c); err != nil {
		return err
	}
	return s.Gate.Request(ctx, tx, p, gate.Request{
		Case: c.ID, Model: c.Model, Version: c.Version, Baseline: live,
		SpecRev: c.SpecRev, Commit: c.Commit, Holdout: c.Holdout,
	})
}

// decided releases what passed the gate.
func (s *Service) decided(ctx context.Context, tx *store.Tx, p fairlead.Project, r *ledger.Record) error {
	var d event.GateDecided
	if err := r.Decode(&d); err != nil || d.Case == "" {
		return err
	}
	c, err := readCase(tx, p, d.Case)
	if err != nil || c.State != Gating {
		return err
	}
	c.Decision = d.Decision
	if d.Result == gate.Undecided {
		return s.settle(ctx, tx, p, c, Failed, d.Reason)
	}
	if d.Result != gate.Passed {
		return s.settle(ctx, tx, p, c, Stopped, "the gate stopped it: "+strings.Join(d.Failed, ", "))
	}
	c.State = Releasing
	return s.release(ctx, tx, p, c)
}

// release starts the rollout to the case's present environment.
func (s *Service) release(ctx context.Context, tx *store.Tx, p fairlead.Project, c *Case) error {
	rev, err := s.Projects.Revision(tx, p, c.SpecRev)
	if err != nil {
		return err
	}
	if c.Environment >= len(rev.Spec.Release) {
		return s.settle(ctx, tx, p, c, Promoted, "released to every environment")
	}
	c.Rollout, err = s.Release.Start(ctx, tx, p, release.Start{
		Environment: rev.Spec.Release[c.Environment], Model: c.Model, Version: c.Version, Case: c.ID,
	})
	if err != nil && fairlead.CodeOf(err) != fairlead.Internal {
		return s.settle(ctx, tx, p, c, Failed, "cannot be released: "+fairlead.MessageOf(err))
	}
	if err != nil {
		return err
	}
	return s.advance(ctx, tx, p, c)
}

// rolledOut takes the case to its next environment, or closes it.
func (s *Service) rolledOut(ctx context.Context, tx *store.Tx, p fairlead.Project, r *ledger.Record) error {
	var f event.Rollout
	if err := r.Decode(&f); err != nil || f.Case == "" {
		return err
	}
	c, err := readCase(tx, p, f.Case)
	if err != nil || c.State != Releasing || c.Rollout != f.Rollout {
		return err
	}
	if f.Outcome != release.Promoted {
		return s.settle(ctx, tx, p, c, RolledBack, f.Reason)
	}
	c.Environment++
	return s.release(ctx, tx, p, c)
}

// settle closes a case that has a version, and lets go of it.
func (s *Service) settle(ctx context.Context, tx *store.Tx, p fairlead.Project, c *Case, outcome, reason string) error {
	if err := s.Registry.Unhold(tx, p, c.Model, c.Version, "case", c.ID); err != nil {
		return err
	}
	return s.close(ctx, tx, p, c, outcome, reason)
}
