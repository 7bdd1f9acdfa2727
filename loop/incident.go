package loop

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/monitor"
	"github.com/fairlead-ml/fairlead/release"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/stream"
)

// retryTimer looks at a model's open incidents again, in stream time.
const retryTimer = "loop.retry"

// incidentOpened does what is to follow.
func (s *Service) incidentOpened(ctx context.Context, tx *store.Tx, p fairlead.Project,
	r *ledger.Record) error {
	var in event.Incident
	if err := r.Decode(&in); err != nil {
		return err
	}
	return s.answer(ctx, tx, p, in.Incident)
}

// answer does what fairlead.yaml says now, and not what it said when the incident opened.
// One that is over, or whose version was replaced, asks for nothing.
func (s *Service) answer(ctx context.Context, tx *store.Tx, p fairlead.Project, id string) error {
	in, err := s.Monitor.Incident(tx, p, id)
	if err != nil {
		return err
	}
	past, err := s.past(tx, p, in)
	if err != nil {
		return err
	}
	if past != "" {
		return s.noteOn(tx, p, in, " asks for nothing any more: "+past)
	}
	switch in.Action {
	case spec.Retrain:
		return s.retrain(ctx, tx, p, in)
	case spec.Rollback:
		err := s.Release.RollbackEndpoint(ctx, tx, p, in.Endpoint, nameOf(in)+": "+in.Reason)
		if fairlead.Is(err, fairlead.Precondition) || fairlead.Is(err, fairlead.NotFound) {
			return s.noteOn(tx, p, in, " asks for a rollback: "+fairlead.MessageOf(err))
		}
		if err != nil {
			return err
		}
		return s.noteOn(tx, p, in, ": rolled back")
	}
	return s.noteOn(tx, p, in, " is shown; fairlead.yaml asks for nothing more")
}

func nameOf(in *monitor.Incident) string { return fmt.Sprintf("incident %s (%s)", in.ID, in.Kind) }

// noteOn keeps what was done about an incident, with it and as the loop's newest note.
func (s *Service) noteOn(tx *store.Tx, p fairlead.Project, in *monitor.Incident, what string) error {
	if err := s.answered(tx, p, in, strings.TrimLeft(what, ": ")); err != nil {
		return err
	}
	return s.note(tx, p, in.Model, nameOf(in)+what)
}

// past says why the incident no longer holds; empty when it does. The monitor resolves
// the incidents of a version that was replaced, but may have yet to hear of it.
func (s *Service) past(tx *store.Tx, p fairlead.Project, in *monitor.Incident) (string, error) {
	if !in.Open() {
		return in.Resolution, nil
	}
	a, err := s.Release.Assignment(tx, p, in.Endpoint)
	if err != nil || a.Version(release.RoleLive) == in.Version {
		return "", err
	}
	return fmt.Sprintf("version %d is no longer live", in.Version), nil
}

// retrain opens a case for the incident, unless the loop has a reason not to; the
// reason is kept for Explain.
func (s *Service) retrain(ctx context.Context, tx *store.Tx, p fairlead.Project,
	in *monitor.Incident) error {
	rev, err := s.Projects.Current(tx, p)
	if err != nil {
		return err
	}
	m, err := readModel(tx, p, in.Model)
	if err != nil {
		return err
	}
	at, err := s.Stream.NowOrWall(tx, p, in.Endpoint)
	if err != nil {
		return err
	}
	active, err := activeCase(tx, p, in.Model)
	if err != nil {
		return err
	}
	why, until := m.mayRetrain(rev.Spec, active, at)
	if why != "" {
		err := s.noteOn(tx, p, in, ": no retraining, "+why)
		if err != nil || until.IsZero() {
			return err
		}
		return s.setRetry(tx, p, in.Model, in.Endpoint, until)
	}
	m.retrains++
	m.note = nameOf(in) + ": retraining"
	if err := s.answered(tx, p, in, "retraining"); err != nil {
		return err
	}
	if err := saveModel(tx, p, in.Model, m); err != nil {
		return err
	}
	c := s.newCase(rev, ByIncident, in.Reason)
	c.Incident = in.ID
	search := rev.Spec.Pipeline.Search
	c.Search = search != nil && search.When == "always"
	return s.open(ctx, tx, p, c)
}

// mayRetrain says why the loop must not retrain at the given stream time, and
// until when; the zero time means until something other than time changes, after
// which lookAgain is called.
func (m *modelState) mayRetrain(sp *spec.Spec, active *Case, at time.Time) (why string,
	until time.Time) {
	mon := sp.Monitor
	switch {
	case active != nil:
		return "case " + active.ID + " is active", time.Time{}
	case m.paused && m.pauseReason != "":
		return "the loop is paused: " + m.pauseReason, time.Time{}
	case m.paused:
		return "the loop is paused", time.Time{}
	case mon == nil:
		return "fairlead.yaml has no monitor", time.Time{}
	case sp.Pipeline == nil:
		return "fairlead.yaml has no pipeline", time.Time{}
	case m.failures >= mon.Retrain.Failures:
		return fmt.Sprintf("%d retrainings in a row brought no new live version; look at them, "+
			"then `fairlead loop resume`", m.failures), time.Time{}
	case mon.Retrain.AtMost > 0 && m.retrains >= mon.Retrain.AtMost:
		return fmt.Sprintf("the budget of %d retrainings is used up; raise monitor.retrain.at_most",
			mon.Retrain.AtMost), time.Time{}
	}
	if free := m.free(mon); at.Before(free) {
		return "the cooldown lasts until " + free.UTC().Format(stamp) + " UTC", free
	}
	return "", time.Time{}
}

// gaveUp reports whether failures or the budget keep the loop from retraining for as long as
// nobody resumes it or changes the file.
func (m *modelState) gaveUp(mon *spec.Monitor) bool {
	return mon != nil && (m.failures >= mon.Retrain.Failures ||
		mon.Retrain.AtMost > 0 && m.retrains >= mon.Retrain.AtMost)
}

// free is when the cooldown ends, in stream time; the zero time when no case has closed
// in it yet.
func (m *modelState) free(mon *spec.Monitor) time.Time {
	if m.lastClosedMS == 0 || mon == nil {
		return time.Time{}
	}
	return fairlead.FromMS(m.lastClosedMS).Add(mon.Cooldown.Duration)
}

func (s *Service) note(tx *store.Tx, p fairlead.Project, model, note string) error {
	m, err := readModel(tx, p, model)
	if err != nil {
		return err
	}
	m.note = note
	return saveModel(tx, p, model, m)
}

func (s *Service) setRetry(tx *store.Tx, p fairlead.Project, model, endpoint string,
	due time.Time) error {
	return s.Stream.Set(tx, p, stream.Timer{Stream: endpoint, Kind: retryTimer, Key: model, Due: due})
}

// lookAgain sets the timer that answers the model's open incidents once the cooldown
// is over: what held the loop back has changed. It goes through a timer even when that
// is over already, so that what happens at this moment settles first; a promotion, for
// one, resolves incidents.
func (s *Service) lookAgain(tx *store.Tx, p fairlead.Project, model string) error {
	rev, err := s.Projects.Current(tx, p)
	if err != nil || rev.Spec.Model != model {
		return err
	}
	endpoint := endpointOf(rev.Spec)
	at, err := s.Stream.Now(tx, p, endpoint)
	if err != nil || at.IsZero() {
		return err
	}
	open, err := s.Monitor.Open(tx, p, endpoint)
	if err != nil || len(open) == 0 {
		return err
	}
	m, err := readModel(tx, p, model)
	if err != nil {
		return err
	}
	if free := m.free(rev.Spec.Monitor); free.After(at) {
		at = free
	}
	return s.setRetry(tx, p, model, endpoint, at)
}

// retry runs when the timer is due: incidents that are still open, and are not only to
// be shown, are answered again.
func (s *Service) retry(ctx context.Context, tx *store.Tx, p fairlead.Project,
	t stream.Timer) error {
	open, err := s.Monitor.Open(tx, p, t.Stream)
	if err != nil {
		return err
	}
	for _, in := range open {
		if in.Action == spec.Alert {
			continue
		}
		if err := s.answer(ctx, tx, p, in.ID); err != nil {
			return err
		}
	}
	return nil
}
