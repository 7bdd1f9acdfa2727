package pipeline

import (
	"context"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

// Cancel ends a run that has not ended: its steps are killed, and nothing of it
// is registered.
func (s *Service) Cancel(ctx context.Context, p fairlead.Project, id string) error {
	return s.DB.Write(ctx, store.Control, func(tx *store.Tx) error {
		r, err := readRun(tx, p, id)
		if err != nil || r.State.Final() {
			return err
		}
		return s.Jobs.Cancel(ctx, tx, p.K, r.Job)
	})
}

// concluded closes a run whose job ended without the driver saying how: it was
// cancelled, or the driver failed.
func (s *Service) concluded(ctx context.Context, tx *store.Tx, j *job.Job) error {
	var pl payload
	if err := j.Decode(&pl); err != nil {
		return err
	}
	r, err := readRun(tx, j.Project, pl.Run)
	if err != nil || r.State.Final() {
		return err
	}
	r.State, r.Reason = Failed, j.Error
	if j.State == job.Cancelled {
		r.State, r.Reason = Cancelled, "cancelled"
	}
	return s.close(ctx, tx, j.Project, r)
}

// close stores the end of a run: nothing of it is left open, no token of its
// steps is good any more.
func (s *Service) close(ctx context.Context, tx *store.Tx, p fairlead.Project, r *Run) error {
	r.Finished = s.Clock.Now()
	if err := s.closeSteps(tx, r); err != nil {
		return err
	}
	if err := s.closeTries(ctx, tx, p, r); err != nil {
		return err
	}
	if err := updateRun(tx, r); err != nil {
		return err
	}
	_, err := s.Ledger.Append(ctx, tx, p, subject(r), time.Time{}, event.PipelineRunFinished{
		Pipeline: r.ID, State: string(r.State), Reason: r.Reason, Model: r.Model,
		Version: r.Version, Case: r.Case})
	return err
}

func (s *Service) closeSteps(tx *store.Tx, r *Run) error {
	steps, err := listSteps(tx, r.k)
	if err != nil {
		return err
	}
	for _, step := range steps {
		if step.State.Final() {
			continue
		}
		if err := s.Tokens.RevokeBelow(tx, tokenSubject(r, step), maxFence); err != nil {
			return err
		}
		step.State, step.Finished = Cancelled, r.Finished
		if err := saveStep(tx, step); err != nil {
			return err
		}
	}
	return nil
}

// closeTries ends what is open, in tracking too. Tries beyond the one that ended
// the search do not count, even if they had ended.
func (s *Service) closeTries(ctx context.Context, tx *store.Tx, p fairlead.Project,
	r *Run) error {
	tries, err := listTries(tx, r.k)
	if err != nil {
		return err
	}
	for i := range tries {
		if err := s.closeTry(ctx, tx, p, r, &tries[i]); err != nil {
			return err
		}
		err := s.Tracking.Unhold(tx, p, tracking.RunOwner(tries[i].Run), holder(r))
		if err != nil {
			return err
		}
	}
	return nil
}

// holder names a pipeline run where it keeps the runs in tracking from being purged that
// it works in.
func holder(r *Run) string { return "pipelinerun/" + r.ID }

func (s *Service) closeTry(ctx context.Context, tx *store.Tx, p fairlead.Project, r *Run,
	t *Try) error {
	if t.State != Running {
		return nil
	}
	t.State = Cancelled
	if t.N == Shared {
		t.State = r.State
	}
	if err := s.Tracking.FinishRun(ctx, tx, p, t.Run, trackingStatus(t.State), 0); err != nil {
		return err
	}
	return saveTry(tx, r.k, *t)
}

func trackingStatus(s State) string {
	switch s {
	case Succeeded, Cached:
		return tracking.Finished
	case Cancelled:
		return tracking.Killed
	}
	return tracking.Failed
}
