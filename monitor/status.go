package monitor

import (
	"slices"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

// recentWindows is how many of the newest windows a status shows.
const recentWindows = 30

// namedFeatures is how many features of the newest window a status shows.
const namedFeatures = 3

// Status is how an endpoint stands. A kind that is not watched is left out.
type Status struct {
	Drift       *Watched    `json:"drift,omitempty"`
	Performance *Watched    `json:"performance,omitempty"`
	Incidents   []*Incident `json:"incidents"` // open ones
}

// Watched is one kind of windows of an endpoint: what the file asks for, and how the
// newest ones came out.
type Watched struct {
	Version   int64     `json:"version"` // that is watched
	Since     time.Time `json:"since"`   // stream time
	WindowMS  int64     `json:"window_ms"`
	DelayMS   int64     `json:"label_delay_ms"`
	Red       string    `json:"red" doc:"how many of the newest windows must be red, such as 2 of 3"`
	Then      string    `json:"then" doc:"what follows an incident: alert, retrain or rollback"`
	Threshold float64   `json:"threshold,omitempty" doc:"drift: the least limit of a feature"`
	Metric    string    `json:"metric,omitempty"`
	WorseBy   string    `json:"worse_by,omitempty" doc:"a number, or a percentage of what the gate saw"`
	// Newest is the newest window that was judged, of whichever version, with its three
	// worst features; left out before the first.
	Newest *Window `json:"newest,omitempty"`
	Recent []Mark  `json:"recent"`         // the newest 30 windows, in order of time
	Next   *Next   `json:"next,omitempty"` // the window that is judged next
}

// Mark is the verdict on one window.
type Mark struct {
	From    time.Time   `json:"from"`
	To      time.Time   `json:"to"`
	Version int64       `json:"version"`
	State   WindowState `json:"state"`
	Value   float64     `json:"value"`
	Limit   float64     `json:"limit"`
}

// Next is a window that is not judged yet, in stream time.
type Next struct {
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	JudgedAt time.Time `json:"judged_at"` // after the labels were waited for
}

// Status returns how an endpoint stands.
func (s *Service) Status(tx *store.Tx, p fairlead.Project, endpoint string) (out Status, err error) {
	if out.Incidents, err = s.Open(tx, p, endpoint); err != nil {
		return out, err
	}
	if out.Incidents == nil {
		out.Incidents = []*Incident{}
	}
	if out.Drift, err = s.watching(tx, p, endpoint, Drift); err != nil {
		return out, err
	}
	out.Performance, err = s.watching(tx, p, endpoint, Performance)
	return out, err
}

func (s *Service) watching(tx *store.Tx, p fairlead.Project, endpoint string, kind Kind) (*Watched,
	error) {
	mon, err := s.settings(tx, p)
	if err != nil {
		return nil, err
	}
	w, ok, err := watchedKind(tx, p, endpoint, kind)
	length, delay, asked := lengthOf(mon, kind)
	if err != nil || !ok || !asked {
		return nil, err
	}
	out := &Watched{Version: w.version, Since: w.since, WindowMS: length.Milliseconds(),
		DelayMS: delay.Milliseconds(), Red: redRule(mon, kind).String(),
		Then: actionOf(mon, incidentKind(kind))}
	out.settle(mon, kind)
	newest, err := listNewest(tx, p, WindowFilter{Endpoint: endpoint, Kind: kind},
		windowCursor{FromMS: maxMS}, recentWindows)
	if err != nil {
		return nil, err
	}
	out.Recent = make([]Mark, len(newest))
	for i, n := range newest {
		out.Recent[len(newest)-1-i] = Mark{n.From, n.To, n.Version, n.State, n.Value, n.Limit}
	}
	if len(newest) > 0 {
		out.Newest = newest[0]
		out.Newest.Features = slices.Clip(out.Newest.Features[:min(namedFeatures, len(out.Newest.Features))])
	}
	out.Next, err = s.nextWindow(tx, p, endpoint, kind)
	return out, err
}

func (w *Watched) settle(mon *spec.Monitor, kind Kind) {
	if kind == Drift {
		w.Threshold = mon.Drift.Threshold
		return
	}
	w.Metric, w.WorseBy = mon.Performance.Metric, mon.Performance.WorseBy.String()
}

// nextWindow returns the window that is judged next; nil when the kind is not watched.
func (s *Service) nextWindow(tx *store.Tx, p fairlead.Project, endpoint string, kind Kind) (*Next,
	error) {
	mon, err := s.settings(tx, p)
	if err != nil {
		return nil, err
	}
	w, ok, err := watchedKind(tx, p, endpoint, kind)
	length, delay, asked := lengthOf(mon, kind)
	if err != nil || !ok || !asked {
		return nil, err
	}
	from := w.since
	newest, err := newestWindow(tx, p, endpoint, kind)
	if err != nil {
		return nil, err
	}
	if newest != nil && newest.Version == w.version && newest.To.After(from) {
		from = newest.To
	}
	return &Next{From: from, To: from.Add(length), JudgedAt: from.Add(length + delay)}, nil
}
