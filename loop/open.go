package loop

import (
	"context"
	"fmt"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

// Run opens a case for the project's current file, as a person asks for it: the
// whole way from the data to the release. It waits behind an active case.
func (s *Service) Run(ctx context.Context, p fairlead.Project) (c *Case, err error) {
	err = s.DB.Write(ctx, store.Control, func(tx *store.Tx) error {
		rev, err := s.Projects.Current(tx, p)
		if err != nil {
			return err
		}
		if rev.Spec.Pipeline == nil {
			return fairlead.Errorf(fairlead.Precondition, "%s has no pipeline to run; "+
				"add `pipeline:` with its steps", spec.FileName)
		}
		c = s.newCase(rev, ByUser, "a person asked for it")
		c.Search = true
		return s.open(ctx, tx, p, c)
	})
	return c, err
}

// Candidate makes a version the candidate and opens the case that packages, gates
// and releases it. A version that has an open case keeps that; one that is live
// gets a case that is closed as unchanged.
func (s *Service) Candidate(ctx context.Context, p fairlead.Project, model string,
	version int64) (c *Case, err error) {
	err = s.DB.Write(ctx, store.Control, func(tx *store.Tx) error {
		rev, err := s.Projects.Current(tx, p)
		if err != nil {
			return err
		}
		if rev.Spec.Model != model {
			return fairlead.Errorf(fairlead.Precondition,
				"%s is about model %q, not %q", spec.FileName, rev.Spec.Model, model)
		}
		v, err := s.Registry.Version(tx, p, model, version)
		if err != nil {
			return err
		}
		if v.Retired() {
			return fairlead.Errorf(fairlead.Gone,
				"version %d of %s is retired; release another one", version, model)
		}
		if c, err = s.consider(ctx, tx, p, rev, version); err != nil || c.State == Closed {
			return err
		}
		return s.Registry.SetAlias(ctx, tx, p, model, CandidateAlias, version)
	})
	return c, err
}

// consider opens the case of a candidate that somebody brought, or returns the open
// one that it has.
func (s *Service) consider(ctx context.Context, tx *store.Tx, p fairlead.Project,
	rev *spec.Revision, version int64) (*Case, error) {
	c, err := openCase(tx, p, rev.Spec.Model, version)
	if err != nil || c != nil {
		return c, err
	}
	c = s.newCase(rev, ByCandidate, fmt.Sprintf("version %d was made the candidate", version))
	c.Version = version
	live, err := s.Registry.Alias(tx, p, c.Model, registry.LiveAlias)
	if err != nil {
		return nil, err
	}
	if live == version {
		at, err := s.now(tx, p, c)
		if err != nil {
			return nil, err
		}
		c.OpenedAt = at
		return c, s.end(ctx, tx, p, c, Unchanged, fmt.Sprintf("version %d is live already", version), at)
	}
	return c, s.open(ctx, tx, p, c)
}

func (s *Service) newCase(rev *spec.Revision, cause, reason string) *Case {
	return &Case{
		ID: fairlead.NewID("ca", s.Clock.Now()), Model: rev.Spec.Model, Cause: cause,
		SpecRev: rev.N, Commit: rev.Commit, Reason: reason,
	}
}

// open starts the case, or lets it wait behind the model's active one. Of the
// candidates that wait, the newest replaces the others. A version is held from
// here on, so that it cannot vanish on its way.
func (s *Service) open(ctx context.Context, tx *store.Tx, p fairlead.Project, c *Case) (err error) {
	if c.OpenedAt, err = s.now(tx, p, c); err != nil {
		return err
	}
	if c.Version != 0 {
		if err := s.hold(tx, p, c); err != nil {
			return err
		}
	}
	active, err := activeCase(tx, p, c.Model)
	if err != nil {
		return err
	}
	if active == nil {
		return s.begin(ctx, tx, p, c)
	}
	if c.Cause == ByCandidate {
		if err := s.supersede(ctx, tx, p, c); err != nil {
			return err
		}
	}
	c.State = Waiting
	c.Reason += "; it waits for case " + active.ID
	return s.advance(ctx, tx, p, c)
}

func (s *Service) hold(tx *store.Tx, p fairlead.Project, c *Case) error {
	return s.Registry.Hold(tx, p, c.Model, c.Version, registry.CaseHolder(c.ID))
}

func (s *Service) supersede(ctx context.Context, tx *store.Tx, p fairlead.Project, by *Case) error {
	waiting, err := waitingCases(tx, p, by.Model)
	if err != nil {
		return err
	}
	for _, c := range waiting {
		if c.Cause != ByCandidate {
			continue
		}
		why := fmt.Sprintf("version %d became the candidate", by.Version)
		if err := s.end(ctx, tx, p, c, Superseded, why, by.OpenedAt); err != nil {
			return err
		}
	}
	return nil
}

// begin sets the case to work: its data is collected as of now.
func (s *Service) begin(ctx context.Context, tx *store.Tx, p fairlead.Project, c *Case) (
	err error) {
	if c.OpenedAt, err = s.now(tx, p, c); err != nil {
		return err
	}
	if c.State == Waiting {
		c.Reason = "its turn has come"
	}
	c.State = Collecting
	if err := s.advance(ctx, tx, p, c); err != nil {
		return err
	}
	return s.enqueueCollect(tx, p, c)
}

// end stores a case as closed, and lets go of its version.
func (s *Service) end(ctx context.Context, tx *store.Tx, p fairlead.Project, c *Case, outcome,
	reason string, at time.Time) error {
	if c.Version != 0 {
		by := registry.CaseHolder(c.ID)
		if err := s.Registry.Unhold(tx, p, c.Model, c.Version, by.Kind, by.ID); err != nil {
			return err
		}
	}
	c.State, c.Outcome, c.Reason, c.ClosedAt = Closed, outcome, reason, at
	return s.advance(ctx, tx, p, c)
}

// close ends the active case, counts it, and begins the next one that waits. Then,
// or when none waits, incidents that are still open are looked at again after the
// cooldown.
func (s *Service) close(ctx context.Context, tx *store.Tx, p fairlead.Project, c *Case, outcome,
	reason string) error {
	at, err := s.now(tx, p, c)
	if err != nil {
		return err
	}
	if err := s.end(ctx, tx, p, c, outcome, reason, at); err != nil {
		return err
	}
	if err := s.count(tx, p, c); err != nil {
		return err
	}
	waiting, err := waitingCases(tx, p, c.Model)
	if err != nil {
		return err
	}
	if len(waiting) > 0 {
		return s.begin(ctx, tx, p, waiting[0])
	}
	return s.lookAgain(tx, p, c.Model)
}

// count remembers the end of a case: when, for the cooldown, and whether it is one
// more retraining of the loop's own in a row that brought no new live version: it goes
// on trying only as long as that is likely to help. The cases of people say nothing
// about that, unless they succeed.
func (s *Service) count(tx *store.Tx, p fairlead.Project, c *Case) error {
	m, err := readModel(tx, p, c.Model)
	if err != nil {
		return err
	}
	switch {
	case c.Outcome == Promoted:
		m.failures = 0
	case c.Cause == ByIncident:
		m.failures++
	}
	rev, err := s.Projects.Revision(tx, p, c.SpecRev)
	if err != nil {
		return err
	}
	// Zero for a stream that has not begun, whose first time may be any.
	at, err := s.Stream.Now(tx, p, endpointOf(rev.Spec))
	if err != nil {
		return err
	}
	m.lastClosedMS = fairlead.MS(at)
	return saveModel(tx, p, c.Model, m)
}

// Pause stops the loop from opening cases for the model by itself; cases of people
// and candidates go on. Resume with paused false: the failures so far are forgiven,
// since a person has looked, and open incidents are looked at again.
func (s *Service) Pause(ctx context.Context, p fairlead.Project, model string, paused bool,
	reason string) error {
	return s.DB.Write(ctx, store.Control, func(tx *store.Tx) error {
		rev, err := s.current(tx, p, model)
		if err != nil {
			return err
		}
		m, err := readModel(tx, p, model)
		if err != nil {
			return err
		}
		m.paused, m.pauseReason = paused, reason
		if !paused {
			m.pauseReason, m.failures = "", 0
		}
		if err := saveModel(tx, p, model, m); err != nil {
			return err
		}
		at, err := s.Stream.NowOrWall(tx, p, endpointOf(rev.Spec))
		if err != nil {
			return err
		}
		_, err = s.Ledger.Append(ctx, tx, p, "model/"+model, at,
			event.LoopPaused{Model: model, Paused: paused, Reason: reason})
		if err != nil || paused {
			return err
		}
		return s.lookAgain(tx, p, model)
	})
}

// current returns the project's file, which must be about the model.
func (s *Service) current(tx *store.Tx, p fairlead.Project, model string) (*spec.Revision, error) {
	rev, err := s.Projects.Current(tx, p)
	if err == nil && rev.Spec.Model != model {
		return nil, fairlead.Errorf(fairlead.NotFound, "there is no loop for model %q: %s is about %q",
			model, spec.FileName, rev.Spec.Model)
	}
	return rev, err
}
