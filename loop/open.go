package loop

import (
	"context"
	"fmt"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
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
			return fairlead.Errorf(fairlead.Precondition, "%s has no pipeline to run", spec.FileName)
		}
		c = s.newCase(rev, ByUser)
		c.Search = true
		return s.open(ctx, tx, p, c)
	})
	return c, err
}

// Candidate makes a version the candidate and opens the case that packages, gates
// and releases it.
func (s *Service) Candidate(ctx context.Context, p fairlead.Project, model string, version int64) (c *Case, err error) {
	err = s.DB.Write(ctx, store.Control, func(tx *store.Tx) error {
		rev, err := s.Projects.Current(tx, p)
		if err != nil {
			return err
		}
		if rev.Spec.Model != model {
			return fairlead.Errorf(fairlead.Precondition, "%s is about model %q, not %q", spec.FileName, rev.Spec.Model, model)
		}
		v, err := s.Registry.Version(tx, p, model, version)
		if err != nil {
			return err
		}
		if v.Retired() {
			return fairlead.Errorf(fairlead.Gone, "version %d of %s is retired; release another one", version, model)
		}
		c = s.newCase(rev, ByCandidate)
		c.Version = version
		if err := s.open(ctx, tx, p, c); err != nil {
			return err
		}
		return s.Registry.SetAlias(ctx, tx, p, model, CandidateAlias, version)
	})
	return c, err
}

func (s *Service) newCase(rev *spec.Revision, cause string) *Case {
	return &Case{
		ID: fairlead.NewID("ca", s.Clock.Now()), Model: rev.Spec.Model, Cause: cause,
		SpecRev: rev.N, Commit: rev.Commit,
	}
}

// open starts the case, or lets it wait behind the model's active one. Of the
// candidates that wait, the newest replaces the others.
func (s *Service) open(ctx context.Context, tx *store.Tx, p fairlead.Project, c *Case) error {
	at, err := s.now(tx, p, c.Model)
	if err != nil {
		return err
	}
	c.OpenedAt = at
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
	c.State, c.Reason = Waiting, "case "+active.ID+" is active"
	return s.advance(ctx, tx, p, c)
}

func (s *Service) supersede(ctx context.Context, tx *store.Tx, p fairlead.Project, by *Case) error {
	waiting, err := waitingCases(tx, p, by.Model)
	if err != nil {
		return err
	}
	for _, c := range waiting {
		if c.Cause == ByCandidate {
			c.State, c.Outcome, c.ClosedAt = Closed, Superseded, by.OpenedAt
			c.Reason = fmt.Sprintf("version %d became the candidate", by.Version)
			if err := s.advance(ctx, tx, p, c); err != nil {
				return err
			}
		}
	}
	return nil
}

// begin sets the case to work: its data is collected as of now.
func (s *Service) begin(ctx context.Context, tx *store.Tx, p fairlead.Project, c *Case) error {
	at, err := s.now(tx, p, c.Model)
	if err != nil {
		return err
	}
	c.OpenedAt, c.State, c.Reason = at, Collecting, ""
	if err := s.advance(ctx, tx, p, c); err != nil {
		return err
	}
	return s.enqueueCollect(tx, p, c)
}

// close ends the case, counts it, and begins the next one that waits. An incident
// that is still open is looked at again after the cooldown.
func (s *Service) close(ctx context.Context, tx *store.Tx, p fairlead.Project, c *Case, outcome, reason string) error {
	at, err := s.now(tx, p, c.Model)
	if err != nil {
		return err
	}
	c.State, c.Outcome, c.Reason, c.ClosedAt = Closed, outcome, reason, at
	if err := s.advance(ctx, tx, p, c); err != nil {
		return err
	}
	m, err := readModel(tx, p, c.Model)
	if err != nil {
		return err
	}
	if outcome == Failed && c.Cause == ByIncident {
		m.failures++
	} else {
		m.failures = 0
	}
	if m.lastClosedMS, err = s.cooldownFrom(tx, p, c.Model); err != nil {
		return err
	}
	if err := saveModel(tx, p, c.Model, m); err != nil {
		return err
	}
	if c.Incident != "" && outcome != Promoted {
		if err := s.setRetry(tx, p, c, at); err != nil {
			return err
		}
	}
	waiting, err := waitingCases(tx, p, c.Model)
	if err != nil || len(waiting) == 0 {
		return err
	}
	return s.begin(ctx, tx, p, waiting[0])
}

// cooldownFrom is the stream time at which a cooldown begins; 0 for a stream that
// has not begun, whose first time may be any.
func (s *Service) cooldownFrom(tx *store.Tx, p fairlead.Project, model string) (int64, error) {
	rev, err := s.Projects.Current(tx, p)
	if err != nil {
		return 0, err
	}
	at, err := s.Stream.Now(tx, p, endpoint(model, rev.Spec))
	return fairlead.MS(at), err
}

// Pause stops the loop from opening cases for the model by itself; cases of
// people and candidates go on. Resume with paused false.
func (s *Service) Pause(ctx context.Context, p fairlead.Project, model string, paused bool, reason string) error {
	return s.DB.Write(ctx, store.Control, func(tx *store.Tx) error {
		m, err := readModel(tx, p, model)
		if err != nil {
			return err
		}
		m.paused, m.pauseReason = paused, reason
		if !paused {
			m.failures = 0 // a person has looked
		}
		if err := saveModel(tx, p, model, m); err != nil {
			return err
		}
		_, err = s.Ledger.Append(ctx, tx, p, "model/"+model, time.Time{},
			event.LoopPaused{Model: model, Paused: paused, Reason: reason})
		return err
	})
}
