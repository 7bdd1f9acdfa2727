package loop

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/stream"
)

// retryTimer looks at an open incident again, in stream time.
const retryTimer = "loop.retry"

// incidentOpened does what fairlead.yaml says is to follow.
func (s *Service) incidentOpened(ctx context.Context, tx *store.Tx, p fairlead.Project, r *ledger.Record) error {
	var in event.Incident
	if err := r.Decode(&in); err != nil {
		return err
	}
	return s.answer(ctx, tx, p, in)
}

func (s *Service) answer(ctx context.Context, tx *store.Tx, p fairlead.Project, in event.Incident) error {
	switch in.Action {
	case spec.Retrain:
		return s.retrain(ctx, tx, p, in)
	case spec.Rollback:
		err := s.Release.RollbackEndpoint(ctx, tx, p, in.Endpoint, "incident "+in.Incident+": "+in.Reason)
		if fairlead.Is(err, fairlead.Precondition) || fairlead.Is(err, fairlead.NotFound) {
			return s.note(tx, p, in.Model, "incident "+in.Incident+" asks for a rollback: "+fairlead.MessageOf(err))
		}
		return err
	case spec.Alert:
		return s.note(tx, p, in.Model, "incident "+in.Incident+" is shown; fairlead.yaml asks for nothing more")
	}
	return s.note(tx, p, in.Model, fmt.Sprintf("incident %s asks for %q, which a human has to do", in.Incident, in.Action))
}

// retrain opens a case for the incident, unless the loop has a reason to wait; the
// reason is kept for Explain.
func (s *Service) retrain(ctx context.Context, tx *store.Tx, p fairlead.Project, in event.Incident) error {
	rev, err := s.Projects.Current(tx, p)
	if err != nil {
		return err
	}
	at, err := s.Stream.NowOrWall(tx, p, in.Endpoint)
	if err != nil {
		return err
	}
	m, err := readModel(tx, p, in.Model)
	if err != nil {
		return err
	}
	why, until := m.mayRetrain(rev.Spec.Monitor, at)
	if why != "" {
		if err := s.note(tx, p, in.Model, "incident "+in.Incident+": no retraining, "+why); err != nil {
			return err
		}
		if until.IsZero() {
			return nil
		}
		return s.later(tx, p, in, until)
	}
	m.retrains++
	m.note = "incident " + in.Incident + ": retraining"
	if err := saveModel(tx, p, in.Model, m); err != nil {
		return err
	}
	c := s.newCase(rev, ByIncident)
	c.Incident, c.Reason = in.Incident, in.Reason
	c.Search = rev.Spec.Pipeline != nil && rev.Spec.Pipeline.Search != nil && rev.Spec.Pipeline.Search.When == "always"
	return s.open(ctx, tx, p, c)
}

// mayRetrain says why the loop must not retrain at the given stream time, and
// until when; the zero time means until a human acts.
func (m *modelState) mayRetrain(mon *spec.Monitor, at time.Time) (why string, until time.Time) {
	if m.paused {
		return "the loop is paused: " + m.pauseReason, time.Time{}
	}
	if mon == nil {
		return "fairlead.yaml has no monitor", time.Time{}
	}
	if m.failures >= mon.Retrain.Failures {
		return fmt.Sprintf("%d cases in a row failed; look at them, then `fairlead loop resume`", m.failures), time.Time{}
	}
	if mon.Retrain.AtMost > 0 && m.retrains >= mon.Retrain.AtMost {
		return fmt.Sprintf("the budget of %d retrainings is used up", mon.Retrain.AtMost), time.Time{}
	}
	if m.lastClosedMS > 0 {
		if free := fairlead.FromMS(m.lastClosedMS).Add(mon.Cooldown.Duration); at.Before(free) {
			return "the cooldown lasts until " + free.Format(time.RFC3339), free
		}
	}
	return "", time.Time{}
}

func (s *Service) note(tx *store.Tx, p fairlead.Project, model, note string) error {
	m, err := readModel(tx, p, model)
	if err != nil {
		return err
	}
	m.note = note
	return saveModel(tx, p, model, m)
}

func (s *Service) later(tx *store.Tx, p fairlead.Project, in event.Incident, due time.Time) error {
	payload, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return s.Stream.Set(tx, p, stream.Timer{Stream: in.Endpoint, Kind: retryTimer, Key: in.Model, Due: due, Payload: payload})
}

// setRetry looks at the case's incident again once the cooldown is over.
func (s *Service) setRetry(tx *store.Tx, p fairlead.Project, c *Case, at time.Time) error {
	in, err := s.Monitor.Incident(tx, p, c.Incident)
	if err != nil || !in.Open() {
		return err
	}
	rev, err := s.Projects.Current(tx, p)
	if err != nil {
		return err
	}
	cooldown := time.Duration(0)
	if rev.Spec.Monitor != nil {
		cooldown = rev.Spec.Monitor.Cooldown.Duration
	}
	return s.later(tx, p, in.Event(), at.Add(cooldown))
}

// retryIncident runs when the timer is due: an incident that is still open is
// answered again.
func (s *Service) retryIncident(ctx context.Context, tx *store.Tx, p fairlead.Project, t stream.Timer) error {
	var in event.Incident
	if err := json.Unmarshal(t.Payload, &in); err != nil {
		return fmt.Errorf("timer of incident: %w", err)
	}
	now, err := s.Monitor.Incident(tx, p, in.Incident)
	if err != nil || !now.Open() {
		return err
	}
	if active, err := activeCase(tx, p, in.Model); err != nil || active != nil {
		return err
	}
	return s.answer(ctx, tx, p, now.Event())
}
