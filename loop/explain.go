package loop

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/monitor"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/release"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/stream"
)

// recentCases is how many cases an explanation lists.
const recentCases = 10

// Explanation says what the loop does for a model, and why.
type Explanation struct {
	Model     string              `json:"model"`
	At        time.Time           `json:"at"` // stream time
	Paused    bool                `json:"paused"`
	Active    *Case               `json:"active,omitempty"`
	WaitsFor  string              `json:"waits_for,omitempty"` // what the active case waits for
	Clock     stream.State        `json:"clock"`
	Rollout   *release.Rollout    `json:"rollout,omitempty"` // of the active case
	Waiting   []*Case             `json:"waiting,omitempty"`
	Incidents []*monitor.Incident `json:"incidents,omitempty"` // open ones
	Recent    []*Case             `json:"recent"`
	Retrains  int                 `json:"retrains"`
	Failures  int                 `json:"failures_in_a_row"`
	Held      string              `json:"held,omitempty"` // why no retraining would start now
	GaveUp    bool                `json:"gave_up"`        // it starts none until a person changes something
	Note      string              `json:"note"`           // the last thing it did or left, and why
	Lines     []string            `json:"explanation"`

	endpoint string // that the clock is of; empty when nothing is released
}

// Explain returns why the loop did or did not act on the model.
func (s *Service) Explain(ctx context.Context, p fairlead.Project, model string) (*Explanation,
	error) {
	e := &Explanation{Model: model}
	err := s.DB.Read(ctx, func(tx *store.Tx) error { return s.explain(tx, p, e) })
	if err != nil {
		return nil, err
	}
	if e.endpoint != "" {
		if e.Clock, err = s.Stream.Describe(ctx, p, e.endpoint); err != nil {
			return nil, err
		}
	}
	e.Lines = e.lines()
	return e, nil
}

func (s *Service) explain(tx *store.Tx, p fairlead.Project, e *Explanation) error {
	m, err := readModel(tx, p, e.Model)
	if err != nil {
		return err
	}
	e.Paused, e.Retrains, e.Failures, e.Note = m.paused, m.retrains, m.failures, m.note
	if e.Recent, err = listCases(tx, p, e.Model, 0, recentCases); err != nil {
		return err
	}
	rev, err := s.current(tx, p, e.Model)
	if fairlead.Is(err, fairlead.NotFound) && (m.note != "" || len(e.Recent) > 0) {
		e.At, e.Held = s.Clock.Now(), fairlead.MessageOf(err) // what was left alone has a note
		return nil
	}
	if err != nil {
		return err
	}
	return s.explainCurrent(tx, p, e, m, rev)
}

func (s *Service) explainCurrent(tx *store.Tx, p fairlead.Project, e *Explanation, m *modelState,
	rev *spec.Revision) (err error) {
	if _, ok := rev.Spec.LastEnvironment(); ok {
		e.endpoint = endpointOf(rev.Spec)
	}
	if e.At, err = s.Stream.NowOrWall(tx, p, endpointOf(rev.Spec)); err != nil {
		return err
	}
	if e.Waiting, err = waitingCases(tx, p, e.Model); err != nil {
		return err
	}
	if e.Incidents, err = s.Monitor.Open(tx, p, endpointOf(rev.Spec)); err != nil {
		return err
	}
	if e.Active, err = activeCase(tx, p, e.Model); err != nil {
		return err
	}
	e.Held, _ = m.mayRetrain(rev.Spec, e.Active, e.At)
	e.GaveUp = m.gaveUp(rev.Spec.Monitor)
	if e.Active == nil {
		return nil
	}
	if e.Active.State == Releasing {
		if e.Rollout, err = s.Release.Rollout(tx, p, e.Active.Rollout); err != nil {
			return err
		}
	}
	e.WaitsFor, err = s.waitsFor(tx, p, e.Active, e.Rollout)
	return err
}

// waitsFor says what has to happen before the case goes on.
func (s *Service) waitsFor(tx *store.Tx, p fairlead.Project, c *Case, r *release.Rollout) (
	string, error) {
	switch c.State {
	case Collecting:
		return "its data to be collected: `fairlead job`", nil
	case Training:
		return "pipeline run " + c.PipelineRun + " to end: `fairlead job`", nil
	case Packaging:
		cond, err := s.Registry.Condition(tx, p, c.Model, c.Version, registry.ConditionPackaged)
		if err != nil || cond.Status != registry.True {
			return fmt.Sprintf("version %d to be packaged: `fairlead job`", c.Version), err
		}
		return fmt.Sprintf("the reference of version %d, which drift is measured against: "+
			"`fairlead job`", c.Version), nil
	case Gating:
		return "the gate to evaluate it: `fairlead job`", nil
	}
	switch {
	case r.State == release.Waiting:
		return fmt.Sprintf("a human: `fairlead rollout %s`", r.ID), nil
	case r.Active():
		return "the labels of live requests: " + r.Waits(), nil
	}
	return fmt.Sprintf("%s to serve it: `fairlead endpoint %s`", r.Endpoint, r.Endpoint), nil
}

// stamp is how times read in explanations, in UTC.
const stamp = "2006-01-02 15:04"

func (e *Explanation) lines() []string {
	out := []string{e.clockLine()}
	if e.Active == nil {
		out = append(out, "No case is active.")
	} else {
		out = append(out, fmt.Sprintf("Active: case %s is %s since it was opened by %s%s.",
			e.Active.ID, e.Active.State, e.Active.Cause, about(e.Active)))
		if e.Active.Reason != "" {
			out = append(out, "  "+e.Active.Reason)
		}
		out = append(out, e.rolloutLines()...)
		out = append(out, "  It waits for "+e.WaitsFor)
	}
	for _, c := range e.Waiting {
		out = append(out, fmt.Sprintf("Waiting: case %s%s: %s", c.ID, about(c), c.Reason))
	}
	for _, i := range e.Incidents {
		out = append(out, fmt.Sprintf("Open incident %s: %s of version %d since %s, then %s: %s",
			i.ID, i.Kind, i.Version, i.OpenedAt.Format(stamp), i.Action, i.Reason))
	}
	if e.Held == "" {
		out = append(out, "An incident that asks for it would start a retraining now.")
	} else {
		out = append(out, "An incident would start no retraining: "+e.Held)
	}
	if e.Note != "" {
		out = append(out, "Last: "+e.Note)
	}
	out = append(out, fmt.Sprintf("Retrainings so far: %d; in a row without a new live version: %d.",
		e.Retrains, e.Failures))
	return append(out, e.history()...)
}

// clockLine says what time it is for the model, and what moves it: a clock that stands
// still is the usual reason for which nothing happens.
func (e *Explanation) clockLine() string {
	if e.endpoint != "" && e.Clock.Watermark.IsZero() {
		return e.endpoint + " has had no request yet: its stream time begins with the first one."
	}
	text := fmt.Sprintf("It is %s in the model's stream time (UTC)", e.At.UTC().Format(stamp))
	switch {
	case e.Clock.Driven:
		return text + ". A replay drives it: it stands still until that goes on, or lets go of it."
	case e.Clock.Mode == "event_time":
		return text + ", which follows the event times of requests: without them it stands still."
	}
	return text + "."
}

// about names the version and the incident of a case, as far as it has them.
func about(c *Case) string {
	var text string
	if c.Version != 0 {
		text += fmt.Sprintf(", with version %d", c.Version)
	}
	if c.Incident != "" {
		text += ", for incident " + c.Incident
	}
	return text
}

func (e *Explanation) rolloutLines() []string {
	r := e.Rollout
	if r == nil {
		return nil
	}
	return []string{fmt.Sprintf("  %s of version %d to %s at %g%%, %d labels so far", r.Strategy, r.To,
		r.Environment, r.Percent, r.Evidence.Labels)}
}

func (e *Explanation) history() []string {
	var out []string
	for _, c := range e.Recent {
		if c.State == Closed {
			out = append(out, fmt.Sprintf("%s  case %s by %s%s: %s, %s", c.ClosedAt.UTC().Format(stamp),
				c.ID, c.Cause, about(c), c.Outcome, c.Reason))
		}
	}
	if len(out) > 0 {
		out = append([]string{"Closed, the newest first:"}, out...)
	}
	return out
}

// Case returns one case.
func (s *Service) Case(ctx context.Context, p fairlead.Project, id string) (c *Case, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		c, err = readCase(tx, p, id)
		return err
	})
	return c, err
}

// has reports whether the version is an input of the case, or its holdout.
func (c *Case) has(ref data.Ref) bool {
	return ref.Covers(c.Holdout) || slices.ContainsFunc(slices.Collect(maps.Values(c.Inputs)), ref.Covers)
}

// CasesWith returns at most limit cases that have a dataset version as input or as
// holdout (N = 0: any version of the dataset), the newest first.
func (s *Service) CasesWith(ctx context.Context, p fairlead.Project, ref data.Ref,
	limit int) (out []*Case, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		out, err = listCasesWith(tx, p, ref, limit)
		return err
	})
	return slices.DeleteFunc(out, func(c *Case) bool { return !c.has(ref) }), err
}

// Cases lists the project's cases, the newest first; model may be empty.
func (s *Service) Cases(ctx context.Context, p fairlead.Project, model, page string, limit int) (
	out fairlead.Page[*Case], err error) {
	var before int64
	filter := "cases/" + p.Name + "/" + model
	if err := fairlead.DecodeCursor(page, filter, &before); err != nil {
		return out, err
	}
	if limit <= 0 || limit > 500 {
		limit = 100
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		out.Items, err = listCases(tx, p, model, before, limit+1)
		return err
	})
	if len(out.Items) > limit {
		out.Items = out.Items[:limit]
		out.Next = fairlead.EncodeCursor(filter, out.Items[limit-1].k)
	}
	return out, err
}

// Newest returns the newest case of each of the models that has one, by model.
func (s *Service) Newest(tx *store.Tx, p fairlead.Project, models []string) (map[string]*Case,
	error) {
	out := map[string]*Case{}
	for part := range slices.Chunk(models, 200) {
		found, err := newestCases(tx, p, part)
		if err != nil {
			return nil, err
		}
		for _, c := range found {
			out[c.Model] = c
		}
	}
	return out, nil
}

// OfVersion returns the newest cases that were about a version, as many as limit says at
// most, the newest first.
func (s *Service) OfVersion(tx *store.Tx, p fairlead.Project, model string, n int64, limit int) (
	[]*Case, error) {
	return casesOfVersion(tx, p, model, n, limit)
}
