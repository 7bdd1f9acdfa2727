package monitor

import (
	"context"
	"fmt"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

// Incident is a lasting deviation of an endpoint: N of the newest M windows were
// red. Times are stream time. Action is what fairlead.yaml says now is to follow, and of
// a resolved one what it said when that opened.
type Incident struct {
	ID         string    `json:"id"`
	Endpoint   string    `json:"endpoint"`
	Model      string    `json:"model"`
	Version    int64     `json:"version"`
	Kind       string    `json:"kind"`   // drift | decay
	Action     string    `json:"action"` // alert | retrain | rollback
	OpenedAt   time.Time `json:"opened_at"`
	ResolvedAt time.Time `json:"resolved_at,omitzero"`
	Value      float64   `json:"value"`
	Limit      float64   `json:"limit"`
	Reason     string    `json:"reason"`
	Resolution string    `json:"resolution,omitempty"`

	k int64
}

// Open reports whether the incident has not been resolved.
func (i *Incident) Open() bool { return i.ResolvedAt.IsZero() }

// Event returns the payload of the incident's events.
func (i *Incident) Event() event.Incident {
	return event.Incident{Incident: i.ID, Endpoint: i.Endpoint, Model: i.Model,
		Version: i.Version, Kind: i.Kind, Action: i.Action, Value: i.Value, Limit: i.Limit,
		Reason: i.Reason}
}

// Decay is the kind of incident that performance windows open.
const Decay = "decay"

func incidentKind(k Kind) string {
	if k == Performance {
		return Decay
	}
	return string(k)
}

func replacedBy(version int64) string { return fmt.Sprintf("version %d took over", version) }

// redRule returns the N of M for a kind of window that is watched.
func redRule(mon *spec.Monitor, k Kind) spec.Red {
	if k == Performance {
		return mon.Performance.Red
	}
	return mon.Drift.Red
}

// actionOf is what follows an incident of the kind.
func actionOf(mon *spec.Monitor, incident string) string {
	switch {
	case mon == nil:
		return spec.Alert
	case incident == Decay:
		return mon.Then.Performance
	}
	return mon.Then.Drift
}

// judgeIncident opens an incident when N of the newest M windows of the version
// are red, and resolves it when all M are green: in between it stays as it is
// (hysteresis). Unknown windows count neither way, and neither do windows from
// before since, when the version was live an earlier time.
func (s *Service) judgeIncident(ctx context.Context, tx *store.Tx, p fairlead.Project, w *Window,
	since time.Time, mon *spec.Monitor, at time.Time) error {
	if w.State == Unknown {
		return nil
	}
	rule := redRule(mon, w.Kind)
	reds, judged, err := countRed(tx, p, w, since, rule.M)
	if err != nil {
		return err
	}
	open, err := openIncident(tx, p, w.Endpoint, incidentKind(w.Kind))
	if err != nil {
		return err
	}
	switch {
	case open == nil && reds >= rule.N:
		why := fmt.Sprintf("%d of the last %d windows are red", reds, judged)
		if w.Reason != "" {
			why += ": " + w.Reason
		}
		return s.openIncident(ctx, tx, p, w, actionOf(mon, incidentKind(w.Kind)), why, at)
	case open != nil && reds == 0 && judged >= rule.M:
		return s.resolve(ctx, tx, p, open, fmt.Sprintf("the last %d windows are green", judged), at)
	}
	return nil
}

func (s *Service) openIncident(ctx context.Context, tx *store.Tx, p fairlead.Project, w *Window,
	action, reason string, at time.Time) error {
	i := &Incident{
		ID: fairlead.NewID("in", s.Clock.Now()), Endpoint: w.Endpoint, Model: w.Model,
		Version: w.Version, Kind: incidentKind(w.Kind), Action: action, OpenedAt: at,
		Value: w.Value, Limit: w.Limit, Reason: reason,
	}
	if err := insertIncident(tx, p, i); err != nil {
		return err
	}
	ev := i.Event()
	ev.Name = event.IncidentOpenedType
	_, err := s.Ledger.Append(ctx, tx, p, "endpoint/"+i.Endpoint, at, ev)
	return err
}

func (s *Service) resolve(ctx context.Context, tx *store.Tx, p fairlead.Project, i *Incident,
	why string, at time.Time) error {
	i.ResolvedAt, i.Resolution = at, why
	if err := resolveIncident(tx, i); err != nil {
		return err
	}
	ev := i.Event()
	ev.Name, ev.Reason = event.IncidentResolvedType, why
	_, err := s.Ledger.Append(ctx, tx, p, "endpoint/"+i.Endpoint, at, ev)
	return err
}

// Incident returns one incident.
func (s *Service) Incident(tx *store.Tx, p fairlead.Project, id string) (*Incident, error) {
	i, err := readIncident(tx, p, id)
	if err != nil {
		return nil, err
	}
	return i, s.setActions(tx, p, i)
}

// Open returns the endpoint's unresolved incidents, drift before decay.
func (s *Service) Open(tx *store.Tx, p fairlead.Project, endpoint string) ([]*Incident, error) {
	var out []*Incident
	for _, kind := range []string{string(Drift), Decay} {
		i, err := openIncident(tx, p, endpoint, kind)
		if err != nil {
			return nil, err
		}
		if i != nil {
			out = append(out, i)
		}
	}
	return out, s.setActions(tx, p, out...)
}

// setActions gives the incidents that are open the action that the project's file has for
// them now.
func (s *Service) setActions(tx *store.Tx, p fairlead.Project, all ...*Incident) error {
	mon, err := s.settings(tx, p)
	for _, i := range all {
		if i.Open() {
			i.Action = actionOf(mon, i.Kind)
		}
	}
	return err
}
