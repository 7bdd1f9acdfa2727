package govern

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/loop"
	"github.com/fairlead-ml/fairlead/monitor"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/release"
	"github.com/fairlead-ml/fairlead/serving"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

// Station is a place in the loop between data and retirement.
type Station string

// The stations, in order. From an incident a retraining leads back to Collected.
const (
	Collected  Station = "data"       // its data is being collected
	Trained    Station = "training"   // its pipeline runs
	Packaged   Station = "packaging"  // its version becomes a package
	Judged     Station = "gate"       // the gate decides
	Released   Station = "release"    // a rollout is under way
	Live       Station = "live"       // it answers, and nothing watches it yet
	Watched    Station = "watched"    // it answers, and its windows are judged
	InIncident Station = "incident"   // it answers, and an incident is open
	Registered Station = "registered" // it has versions, and none is live
	Retired    Station = "retired"    // its newest version was retired, and none is live
)

// stationOf is where the active case of a model stands.
var stationOf = map[loop.State]Station{loop.Collecting: Collected, loop.Training: Trained,
	loop.Packaging: Packaged, loop.Gating: Judged, loop.Releasing: Released}

// Mark is one version of a model, or one that is being made, at its station.
type Mark struct {
	Station Station   `json:"station"`
	Version int64     `json:"version,omitempty"` // absent for one that is still being made
	Text    string    `json:"text"`              // what it does there, in a few words
	Since   time.Time `json:"since,omitzero"`    // stream time, where that is known
	Link    Link      `json:"link"`
	Waits   bool      `json:"waits,omitempty"`   // for a human
	Failing bool      `json:"failing,omitempty"` // its endpoint cannot serve what it should
}

// Standing is where a model stands: what is live, and what a case makes of it.
type Standing struct {
	Model    string `json:"model"`
	Live     int64  `json:"live,omitempty"`
	Newest   int64  `json:"newest,omitempty"`
	Marks    []Mark `json:"marks"`
	Waiting  int    `json:"waiting,omitempty"` // cases that wait for the active one
	Paused   bool   `json:"paused,omitempty"`
	Held     string `json:"held,omitempty"` // why an incident would start no retraining now
	Last     string `json:"last,omitempty"` // the last thing that the loop did or left, and why
	Retrains int    `json:"retrains"`       // by itself, so far
}

// The kinds of Needs: what waits for a human.
const (
	NeedIncident = "incident" // is open
	NeedRollout  = "rollout"  // has no evidence, and asks
	NeedEndpoint = "endpoint" // does not serve what it should
	NeedLoop     = "loop"     // is paused, or has given up
	NeedCase     = "case"     // the newest one of a model failed
)

// pressing are the kinds of Needs, the most pressing first.
var pressing = []string{NeedEndpoint, NeedRollout, NeedIncident, NeedLoop, NeedCase}

// Need is something that a person should look at.
type Need struct {
	Kind  string    `json:"kind"`
	Title string    `json:"title"`
	Text  string    `json:"text"`
	At    time.Time `json:"at,omitzero"` // stream time
	Link  Link      `json:"link"`
}

// The health of an endpoint.
const (
	Healthy  = "healthy"
	Incident = "incident" // answers, and has an open incident
	Loading  = "loading"  // does not serve the newest assignment yet
	Failing  = "failing"  // cannot serve what it should
	Empty    = "empty"    // has no live version
)

// Endpoint is how an endpoint does, in short.
type Endpoint struct {
	Endpoint    string           `json:"endpoint"`
	Environment string           `json:"environment"`
	Model       string           `json:"model"`
	Health      string           `json:"health" enum:"healthy,incident,loading,failing,empty"`
	Failure     string           `json:"failure,omitempty"`
	Live        int64            `json:"live,omitempty"`
	Rollout     *release.Rollout `json:"rollout,omitempty"` // the active one
	Drift       *Verdict         `json:"drift,omitempty"`
	Performance *Verdict         `json:"performance,omitempty"`
	Incidents   int              `json:"incidents"`      // open ones
	At          time.Time        `json:"at,omitzero"`    // stream time; absent before the first request
	Since       time.Time        `json:"since,omitzero"` // when the live version was promoted, stream time
	Traffic     Traffic          `json:"traffic"`
}

// Traffic is how an endpoint answered of late: in the last hour, or, if nobody asked it
// then, in the last day of the event time that its requests brought.
type Traffic struct {
	Clock    string    `json:"clock" enum:"wall,event"` // what the times are
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Requests int64     `json:"requests"` // answered
	Errors   int64     `json:"errors"`   // through no fault of the caller
	P50      *float64  `json:"p50_s"`    // seconds to an answer; null without one
	P99      *float64  `json:"p99_s"`
	Points   []int64   `json:"points"` // requests and errors in steps of equal length
}

// Verdict is the newest window of a kind, without its details.
type Verdict struct {
	State monitor.WindowState `json:"state"`
	// Version is the one that was judged, which may not be live any more.
	Version int64     `json:"version"`
	Value   float64   `json:"value"`
	Limit   float64   `json:"limit"`
	To      time.Time `json:"to"` // stream time
}

// Overview is a project in one answer.
type Overview struct {
	Project   string     `json:"project"`
	Owner     string     `json:"owner,omitempty"`
	Risk      spec.Risk  `json:"risk,omitempty"`
	Revision  int64      `json:"revision,omitempty"` // of fairlead.yaml; absent without one
	Seq       int64      `json:"seq"`                // of the newest event that it may know of
	Models    []Standing `json:"models"`
	More      bool       `json:"more,omitempty"` // there are more registered models than are listed
	Endpoints []Endpoint `json:"endpoints"`
	Needs     []Need     `json:"needs"` // the most pressing first
}

// maxModels is how many models an overview tells of.
const maxModels = 50

// Overview returns the project at a glance.
func (s *Service) Overview(ctx context.Context, p fairlead.Project) (*Overview, error) {
	o := &Overview{Project: p.Name, Models: []Standing{}, Endpoints: []Endpoint{}, Needs: []Need{}}
	var err error
	if o.Seq, err = s.Ledger.Head(ctx); err != nil {
		return nil, err
	}
	rev, err := s.current(ctx, p)
	if err != nil {
		return nil, err
	}
	if rev != nil {
		o.Owner, o.Risk, o.Revision = rev.Spec.Owner, rev.Spec.Risk, rev.N
	}
	if err := s.endpoints(ctx, p, o); err != nil {
		return nil, err
	}
	if err := s.standings(ctx, p, rev, o); err != nil {
		return nil, err
	}
	slices.SortStableFunc(o.Needs, func(a, b Need) int {
		return slices.Index(pressing, a.Kind) - slices.Index(pressing, b.Kind)
	})
	return o, nil
}

// current returns the project's file, nil when it has none.
func (s *Service) current(ctx context.Context, p fairlead.Project) (*spec.Revision, error) {
	rev, err := s.Projects.CurrentRevision(ctx, p)
	if fairlead.Is(err, fairlead.NotFound) {
		return nil, nil
	}
	return rev, err
}

// endpoints reads how the endpoints do, and what they need.
func (s *Service) endpoints(ctx context.Context, p fairlead.Project, o *Overview) error {
	return s.DB.Read(ctx, func(tx *store.Tx) error {
		all, err := s.Release.Assignments(tx, p)
		if err != nil {
			return err
		}
		o.Endpoints, o.Needs = o.Endpoints[:0], o.Needs[:0]
		for _, as := range all {
			e, err := s.endpoint(tx, p, as, o)
			if err != nil {
				return err
			}
			o.Endpoints = append(o.Endpoints, e)
		}
		return nil
	})
}

func (s *Service) endpoint(tx *store.Tx, p fairlead.Project, as *release.Assignment, o *Overview) (
	e Endpoint, err error) {
	e = Endpoint{Endpoint: as.Endpoint, Environment: as.Environment, Model: as.Model,
		Failure: as.Failure, Live: as.Version(release.RoleLive)}
	if err := s.Serving.Failing(p, as.Endpoint); err != nil {
		e.Failure = fairlead.MessageOf(err)
	}
	if e.Rollout, err = s.Release.ActiveRollout(tx, p, as.Endpoint); err != nil {
		return e, err
	}
	open, err := s.Monitor.Open(tx, p, as.Endpoint)
	if err != nil {
		return e, err
	}
	if e.Drift, err = s.verdict(tx, p, as.Endpoint, monitor.Drift); err != nil {
		return e, err
	}
	if e.Performance, err = s.verdict(tx, p, as.Endpoint, monitor.Performance); err != nil {
		return e, err
	}
	if e.At, err = s.Stream.Now(tx, p, as.Endpoint); err != nil {
		return e, err
	}
	if e.Since, err = s.liveSince(tx, p, &e); err != nil {
		return e, err
	}
	if e.Traffic, err = s.traffic(tx, p, as.Endpoint); err != nil {
		return e, err
	}
	e.Incidents = len(open)
	e.Health = e.health(as)
	o.Needs = append(o.Needs, e.needs(open)...)
	return e, nil
}

// trafficPoints is how many steps of traffic an overview shows, about.
const trafficPoints = 30

func (s *Service) traffic(tx *store.Tx, p fairlead.Project, endpoint string) (out Traffic, err error) {
	for _, q := range []serving.TrafficQuery{
		{Clock: serving.ByWall, Last: time.Hour, Points: trafficPoints},
		{Last: 24 * time.Hour, Points: trafficPoints},
	} {
		t, err := s.Serving.Traffic(tx, p, endpoint, q)
		if err != nil {
			return out, err
		}
		if out.Clock != "" && t.Clock == serving.ByWall {
			break // nothing brought an event time: the last hour stays, and is empty
		}
		out = Traffic{Clock: t.Clock, From: t.From, To: t.To, Requests: t.Total.Requests, Errors: t.Total.Errors,
			P50: t.Total.P50, P99: t.Total.P99, Points: make([]int64, t.Steps())}
		for _, v := range t.Versions {
			for i := range out.Points {
				out.Points[i] += v.Requests[i] + v.Errors[i]
			}
		}
		if out.Requests+out.Errors > 0 {
			break
		}
	}
	return out, nil
}

// verdict returns the newest window in short.
func (s *Service) verdict(tx *store.Tx, p fairlead.Project, endpoint string, kind monitor.Kind) (
	*Verdict, error) {
	w, err := s.Monitor.Newest(tx, p, endpoint, kind)
	if err != nil || w == nil {
		return nil, err
	}
	return &Verdict{State: w.State, Version: w.Version, Value: w.Value, Limit: w.Limit, To: w.To}, nil
}

// fewRollouts is how many of the newest rollouts are looked at for the last promotion.
const fewRollouts = 20

// liveSince returns when the live version was promoted, the zero time when that is not
// among the newest rollouts.
func (s *Service) liveSince(tx *store.Tx, p fairlead.Project, e *Endpoint) (time.Time, error) {
	all, err := s.Release.Rollouts(tx, p, e.Endpoint, fewRollouts)
	for _, r := range all {
		if r.Outcome == release.Promoted {
			if r.To != e.Live {
				break // it was rolled back to, and its own promotion is older
			}
			return r.Ended, err
		}
	}
	return time.Time{}, err
}

func (e *Endpoint) health(as *release.Assignment) string {
	switch {
	case e.Failure != "":
		return Failing
	case e.Live == 0:
		return Empty
	case as.ObservedGeneration < as.Generation:
		return Loading
	case e.Incidents > 0:
		return Incident
	}
	return Healthy
}

// needs says what of an endpoint waits for a human.
func (e *Endpoint) needs(open []*monitor.Incident) (out []Need) {
	if e.Failure != "" {
		out = append(out, Need{Kind: NeedEndpoint, Title: e.Endpoint + " cannot serve what it should",
			Text: e.Failure, Link: Link{EndpointKind, e.Endpoint}})
	}
	if r := e.Rollout; r != nil && r.State == release.Waiting {
		out = append(out, Need{Kind: NeedRollout, At: r.Changed, Link: Link{RolloutKind, r.ID},
			Title: fmt.Sprintf("Promote or roll back version %d at %s", r.To, e.Endpoint), Text: r.Reason})
	}
	for _, i := range open {
		out = append(out, Need{Kind: NeedIncident, At: i.OpenedAt, Link: Link{IncidentKind, i.ID},
			Title: fmt.Sprintf("%s of version %d at %s", upper(i.Kind), i.Version, e.Endpoint),
			Text:  i.Reason})
	}
	return out
}

// standings finds out where each model stands: those of endpoints and the file's in full,
// others as they are registered.
func (s *Service) standings(ctx context.Context, p fairlead.Project, rev *spec.Revision,
	o *Overview) error {
	registered, err := s.Registry.SearchModels(ctx, p, registry.Search{Limit: maxModels,
		OrderBy: []string{"last_updated_timestamp DESC"}})
	if err != nil {
		return err
	}
	o.More = registered.Next != ""
	var names []string
	if rev != nil {
		names = append(names, rev.Spec.Model)
	}
	for _, e := range o.Endpoints {
		names = append(names, e.Model)
	}
	looped := slices.Compact(slices.Sorted(slices.Values(names)))
	known := map[string]*registry.Model{}
	for _, m := range registered.Items {
		known[m.Name] = m
		names = append(names, m.Name)
	}
	for _, name := range unique(names) {
		if len(o.Models) == maxModels {
			o.More = true
			break
		}
		st := Standing{Model: name, Marks: []Mark{}}
		if m := known[name]; m != nil {
			st.Newest = newest(m)
		}
		if _, ok := slices.BinarySearch(looped, name); ok {
			if err := s.inLoop(ctx, p, &st, o); err != nil {
				return err
			}
		}
		if len(st.Marks) == 0 && known[name] == nil {
			continue // the file's model, of which nothing is there yet
		}
		if len(st.Marks) == 0 {
			st.Marks = append(st.Marks, resting(known[name]))
		}
		o.Models = append(o.Models, st)
	}
	return nil
}

// unique keeps the first of each name.
func unique(names []string) (out []string) {
	for _, n := range names {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

func newest(m *registry.Model) (n int64) {
	for _, v := range m.Latest {
		n = max(n, v.N)
	}
	return n
}

// resting is the mark of a model that no endpoint and no case has.
func resting(m *registry.Model) Mark {
	mark := Mark{Station: Registered, Version: newest(m), Text: "registered, not released",
		Link: Link{ModelKind, m.Name}}
	if mark.Version == 0 {
		mark.Text = "registered without a version"
	}
	for _, v := range m.Latest {
		if v.N == mark.Version && v.Retired() {
			mark.Station, mark.Text = Retired, cmp.Or(v.Reason, "retired")
		}
	}
	return mark
}

// inLoop adds the marks of a model that the loop knows, and what it needs.
func (s *Service) inLoop(ctx context.Context, p fairlead.Project, st *Standing, o *Overview) error {
	e, err := s.Loop.Explain(ctx, p, st.Model)
	if fairlead.Is(err, fairlead.NotFound) {
		e, err = &loop.Explanation{}, nil
	}
	if err != nil {
		return err
	}
	st.Waiting, st.Paused, st.Held, st.Last = len(e.Waiting), e.Paused, e.Held, e.Note
	st.Retrains = e.Retrains
	if c := e.Active; c != nil {
		st.Marks = append(st.Marks, Mark{Station: stationOf[c.State], Version: c.Version, Since: c.OpenedAt,
			Text:  cmp.Or(c.Reason, string(c.State)),
			Link:  Link{CaseKind, c.ID},
			Waits: e.Rollout != nil && e.Rollout.State == release.Waiting})
	}
	if at := mainEndpoint(o.Endpoints, st.Model); at != nil {
		st.Live = at.Live
		st.Marks = append(st.Marks, at.mark())
	}
	o.Needs = append(o.Needs, needsOf(st.Model, e)...)
	return nil
}

// mainEndpoint is the model's last one that has a live version.
func mainEndpoint(all []Endpoint, model string) (at *Endpoint) {
	for i := range all {
		if all[i].Model == model && all[i].Live != 0 {
			at = &all[i]
		}
	}
	return at
}

// mark is where the live version of an endpoint stands.
func (e *Endpoint) mark() Mark {
	m := Mark{Station: Live, Version: e.Live, Text: "answers at " + e.Endpoint, Since: e.Since,
		Link: Link{EndpointKind, e.Endpoint}, Failing: e.Failure != ""}
	switch {
	case e.Incidents > 0:
		m.Station, m.Text = InIncident, fmt.Sprintf("%d open at %s", e.Incidents, e.Endpoint)
	case e.Drift.of(e.Live) || e.Performance.of(e.Live):
		m.Station, m.Text = Watched, "watched at "+e.Endpoint
	}
	if m.Failing {
		m.Text += ", which cannot serve what it should"
	}
	return m
}

// of reports whether there is a window, and it judges the version.
func (v *Verdict) of(version int64) bool { return v != nil && v.Version == version }

// needsOf says what of a model's loop waits for a human.
func needsOf(model string, e *loop.Explanation) (out []Need) {
	switch {
	case e.Paused:
		out = append(out, Need{Kind: NeedLoop, Title: "The loop of " + model + " is paused", Text: e.Held,
			At: e.At, Link: Link{ModelKind, model}})
	case e.GaveUp:
		out = append(out, Need{Kind: NeedLoop, Title: "The loop of " + model + " has stopped and asks",
			Text: e.Held, At: e.At, Link: Link{ModelKind, model}})
	}
	if len(e.Recent) > 0 && e.Recent[0].Outcome == loop.Failed {
		c := e.Recent[0]
		out = append(out, Need{Kind: NeedCase, Title: "The newest case of " + model + " failed",
			Text: c.Reason, At: c.ClosedAt, Link: Link{CaseKind, c.ID}})
	}
	return out
}

// upper begins a sentence with a word of ours.
func upper(word string) string { return strings.ToUpper(word[:1]) + word[1:] }
