package monitor

import (
	"slices"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

// recentWindows is how many of the newest windows a status shows.
const recentWindows = 20

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
	Recent []Mark  `json:"recent"`         // the newest 20 windows, in order of time
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
	now, err := s.cadence(tx, p, endpoint, kind)
	if err != nil || now == nil {
		return nil, err
	}
	newest, err := listNewest(tx, p, WindowFilter{Endpoint: endpoint, Kind: kind},
		windowCursor{FromMS: maxMS}, recentWindows)
	if err != nil {
		return nil, err
	}
	mon := now.settings
	out := &Watched{Version: now.version, Since: now.since, WindowMS: now.length.Milliseconds(),
		DelayMS: now.delay.Milliseconds(), Red: redRule(mon, kind).String(),
		Then: actionOf(mon, incidentKind(kind)), Recent: make([]Mark, len(newest))}
	out.settle(mon, kind)
	for i, n := range newest {
		out.Recent[len(newest)-1-i] = Mark{n.From, n.To, n.Version, n.State, n.Value, n.Limit}
	}
	var last *Window
	if len(newest) > 0 {
		last = newest[0]
		out.Newest = last
		last.Features = slices.Clip(last.Features[:min(namedFeatures, len(last.Features))])
	}
	out.Next = now.after(last)
	return out, nil
}

func (w *Watched) settle(mon *spec.Monitor, kind Kind) {
	if kind == Drift {
		w.Threshold = mon.Drift.Threshold
		return
	}
	w.Metric, w.WorseBy = mon.Performance.Metric, mon.Performance.WorseBy.String()
}

// cadence is how the windows of one kind follow each other now.
type cadence struct {
	watched
	settings      *spec.Monitor
	length, delay time.Duration
}

// cadence returns nil when the kind is not watched.
func (s *Service) cadence(tx *store.Tx, p fairlead.Project, endpoint string, kind Kind) (*cadence,
	error) {
	w, ok, err := watchedKind(tx, p, endpoint, kind)
	if err != nil || !ok {
		return nil, err
	}
	out := &cadence{watched: w}
	if out.settings, err = s.settings(tx, p); err != nil {
		return nil, err
	}
	if out.length, out.delay, ok = lengthOf(out.settings, kind); !ok {
		return nil, nil
	}
	return out, nil
}

// after returns the window that is judged next, given the newest judged one, or nil.
func (c *cadence) after(newest *Window) *Next {
	from := c.since
	if newest != nil && newest.Version == c.version && newest.To.After(from) {
		from = newest.To
	}
	to := from.Add(c.length)
	return &Next{From: from, To: to, JudgedAt: to.Add(c.delay)}
}
