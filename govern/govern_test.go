package govern_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/app"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/govern"
	"github.com/fairlead-ml/fairlead/loop"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/release"
	"github.com/fairlead-ml/fairlead/serving"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

const file = `
project: wine
owner: cellar
risk: limited
goal: {metric: accuracy, at_least: 0.85}
data:
  bottles: {from: data/*.csv, time: at, key: id, label: cultivar, expect: {cultivar: {min: 0}}}
holdout: {by: time, last: 24h}
pipeline:
  python: {requirements: requirements.txt}
  steps:
    prepare:  {run: python prepare.py, in: [bottles], out: [rows]}
    train:    {run: python train.py, in: [rows], out: [model, validation]}
    evaluate: {run: python evaluate.py, in: [model, validation]}
gates:
  better-than-live: {check: candidate.accuracy >= live.accuracy, when: live}
release:
  production: {strategy: replace}
monitor:
  performance: {metric: accuracy, worse_by: 10%, window: 1d}
  then: {performance: retrain}
`

// house is the whole program, not started: nothing happens in it by itself.
type house struct {
	*app.App
	t *testing.T
	p fairlead.Project
}

func open(t *testing.T, file string) *house {
	t.Helper()
	a, err := app.New(t.Context(), app.Options{Dir: t.TempDir(), Listen: "127.0.0.1:0", Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Stop(t.Context()) })
	rev, err := a.Projects.Apply(t.Context(), []byte(file), "4b825dc642cb6eb9a060e54bf8d69288fbee4904")
	if err != nil {
		t.Fatal(err)
	}
	return &house{App: a, t: t, p: rev.Project}
}

func (h *house) write(fn func(tx *store.Tx) error) {
	h.t.Helper()
	if err := h.DB.Write(h.t.Context(), store.Control, fn); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) exec(query string, args ...any) {
	h.t.Helper()
	h.write(func(tx *store.Tx) error { _, err := tx.Exec(query, args...); return err })
}

// versions registers n packaged versions of a model.
func (h *house) versions(model string, n int64) {
	h.t.Helper()
	ctx := h.t.Context()
	h.write(func(tx *store.Tx) error {
		if _, err := h.Registry.EnsureModel(ctx, tx, h.p, model); err != nil {
			return err
		}
		for i := range n {
			run, err := h.Tracking.CreateRun(ctx, tx, h.p, tracking.NewRun{})
			if err != nil {
				return err
			}
			if _, err = h.Registry.CreateVersion(ctx, tx, h.p, registry.NewVersion{Model: model,
				Source: "s3://bucket/model", RunID: run.ID}); err != nil {
				return err
			}
			if err := h.Registry.SetCondition(ctx, tx, h.p, model, i+1, registry.Condition{
				Type: registry.ConditionPackaged, Status: registry.True, Ref: "00"}); err != nil {
				return err
			}
		}
		return nil
	})
}

func (h *house) release(env spec.Environment, n int64) (id string) {
	h.t.Helper()
	h.write(func(tx *store.Tx) (err error) {
		id, err = h.Release.Start(h.t.Context(), tx, h.p,
			release.Start{Environment: env, Model: "wine", Version: n})
		return err
	})
	return id
}

var production = spec.Environment{Name: "production", Strategy: spec.Replace, Keep: 1}

func (h *house) incident(id, kind string, version int64) {
	h.exec(`insert into incident (id, project_k, endpoint, model, version, kind, action, opened_at_ms,
		resolved_at_ms, value, limit_value, reason, resolution)
		values (?, ?, 'wine@production', 'wine', ?, ?, 'alert', 1000, 0, 2, 1, 'it is red', '')`,
		id, h.p.K, version, kind)
}

func (h *house) turn(id string, state loop.State, outcome string) {
	h.exec(`insert into loop_case (id, project_k, model, state, cause, incident, spec_rev, commit_sha, search,
		opened_at_ms, closed_at_ms, pipeline_run, version, inputs, holdout, decision, environment, rollout,
		outcome, reason) values (?, ?, 'wine', ?, 'user', '', 1, '', false, 1000, 0, '', 3, '{}', '{}', '', 0, '',
		?, 'because')`, id, h.p.K, string(state), outcome)
}

func (h *house) overview() *govern.Overview {
	h.t.Helper()
	o, err := h.Govern.Overview(h.t.Context(), h.p)
	if err != nil {
		h.t.Fatal(err)
	}
	return o
}

// marks writes the marks of the project's only model: "live 2, training".
func (h *house) marks() string {
	h.t.Helper()
	o := h.overview()
	if len(o.Models) != 1 {
		h.t.Fatalf("models %+v", o.Models)
	}
	var out []string
	for _, m := range o.Models[0].Marks {
		out = append(out, fmt.Sprint(m.Station, " ", m.Version))
	}
	return strings.Join(out, ", ")
}

func needs(o *govern.Overview) (out []string) {
	for _, n := range o.Needs {
		out = append(out, n.Kind+" "+n.Link.Kind)
	}
	return out
}

func TestOverview_OfAnEmptyProject(t *testing.T) {
	h := open(t, file)
	o := h.overview()
	if len(o.Models) != 0 || len(o.Endpoints) != 0 || len(o.Needs) != 0 || o.Models == nil ||
		o.Endpoints == nil || o.Needs == nil || o.Owner != "cellar" || o.Revision != 1 || o.Seq == 0 {
		t.Errorf("%+v", o)
	}
	none, err := h.Projects.Get(t.Context(), spec.Default.Name)
	if err != nil {
		t.Fatal(err)
	}
	h.p = none
	if o := h.overview(); o.Revision != 0 || len(o.Needs) != 0 {
		t.Errorf("without a file: %+v", o)
	}
}

func TestOverview_FollowsAModelThroughTheLoop(t *testing.T) {
	h := open(t, file)
	h.versions("wine", 3)
	if got := h.marks(); got != "registered 3" {
		t.Errorf("with versions: %s", got)
	}
	h.turn("ca_0", loop.Collecting, "")
	for state, want := range map[loop.State]string{loop.Collecting: "data 3", loop.Training: "training 3",
		loop.Packaging: "packaging 3", loop.Gating: "gate 3"} {
		h.exec("update loop_case set state = ? where id = 'ca_0'", string(state))
		if got := h.marks(); got != want {
			t.Errorf("%s: %s, want %s", state, got, want)
		}
	}
	h.exec("update loop_case set state = 'closed', outcome = 'promoted' where id = 'ca_0'")
	h.release(production, 1)
	if got := h.marks(); got != "live 1" {
		t.Errorf("released: %s", got)
	}
	h.exec(`insert into win (project_k, endpoint, model, version, kind, from_ms, to_ms, state, value,
		limit_value, row_count, coverage, detail) values (?, 'wine@production', 'wine', 1, 'performance', 0, 1000,
		'green', 1, 2, 20, 1, '{}')`, h.p.K)
	if got := h.marks(); got != "watched 1" {
		t.Errorf("with a window: %s", got)
	}
	h.incident("in_0", "decay", 1)
	h.turn("ca_1", loop.Training, "")
	if got := h.marks(); got != "training 3, incident 1" {
		t.Errorf("with an incident that is worked at: %s", got)
	}
}

func TestOverview_ShowsARetiredModel(t *testing.T) {
	h := open(t, file)
	h.versions("wine", 1)
	h.write(func(tx *store.Tx) error { return h.Registry.Retire(t.Context(), tx, h.p, "wine", 1, "it is over") })
	if got := h.marks(); got != "retired 1" {
		t.Error(got)
	}
	if m := h.overview().Models[0].Marks[0]; m.Text != "it is over" {
		t.Errorf("%+v", m)
	}
}

func TestOverview_TellsWhatWaitsForAHuman(t *testing.T) {
	h := open(t, file)
	h.versions("wine", 2)
	h.release(production, 1)
	canary := production
	canary.Strategy, canary.Steps = spec.Canary, []float64{10, 100}
	canary.Hold = spec.Hold{Labels: 10, AtMost: spec.Duration{Duration: time.Hour}}
	rollout := h.release(canary, 2)
	if got := needs(h.overview()); len(got) != 0 {
		t.Errorf("while all is well: %v", got)
	}
	h.exec("update rollout set state = 'waiting_human', reason = 'no labels' where id = ?", rollout)
	h.exec("update assignment set failure = 'the package is gone', failed_n = 2")
	h.incident("in_0", "drift", 1)
	h.incident("in_1", "decay", 1)
	h.turn("ca_0", loop.Closed, loop.Failed)
	if err := h.Loop.Pause(t.Context(), h.p, "wine", true, "audit"); err != nil {
		t.Fatal(err)
	}
	o := h.overview()
	want := []string{"endpoint endpoint", "rollout rollout", "incident incident", "incident incident",
		"loop model", "case case"}
	if got := needs(o); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	e := o.Endpoints[0]
	if e.Health != govern.Failing || e.Incidents != 2 || e.Live != 1 || e.Rollout == nil || e.Failure == "" {
		t.Errorf("%+v", e)
	}
	if o.Needs[2].Title != "Drift of version 1 at wine@production" || o.Needs[2].At.IsZero() {
		t.Errorf("%+v", o.Needs[2])
	}
	if m := o.Models[0].Marks[0]; !m.Failing || !strings.Contains(m.Text, "cannot serve") {
		t.Errorf("%+v", m)
	}
	if !o.Models[0].Paused || o.Models[0].Held != "the loop is paused: audit" {
		t.Errorf("%+v", o.Models[0])
	}
}

func (h *house) asked(clock int, at time.Time, requests, errors int) {
	for _, width := range []time.Duration{time.Minute, time.Hour, 24 * time.Hour} {
		h.exec(`insert into traffic (project_k, endpoint, clock, width_ms, at_ms, model_n, requests, rows_n, errors,
			refused, scored, failed) values (?, 'wine@production', ?, ?, ?, 1, ?, 0, ?, 0, 0, 0)
			on conflict do update set requests = requests + excluded.requests`, h.p.K, clock,
			width.Milliseconds(), at.Truncate(width).UnixMilli(), requests, errors)
	}
}

func TestOverview_TellsHowEndpointsAnsweredOfLate(t *testing.T) {
	h := open(t, file)
	h.versions("wine", 1)
	h.release(production, 1)
	of := func() govern.Traffic { return h.overview().Endpoints[0].Traffic }
	sum := func(all []int64) (n int64) {
		for _, v := range all {
			n += v
		}
		return n
	}
	if got := of(); got.Clock != serving.ByWall || got.Requests != 0 || got.P50 != nil || got.Points == nil {
		t.Errorf("before the first request %+v", got)
	}
	newest := time.Date(2011, 3, 2, 0, 0, 0, 0, time.UTC)
	h.asked(1, newest, 5, 0)
	h.asked(1, newest.AddDate(0, 0, -3), 7, 0)
	if got := of(); got.Clock != serving.ByEvent || got.Requests != 5 || sum(got.Points) != 5 {
		t.Errorf("by event time %+v", got)
	}
	h.asked(0, time.Now().Add(-10*time.Minute), 40, 2)
	h.asked(0, time.Now().Add(-2*time.Hour), 9, 9)
	got := of()
	if got.Clock != serving.ByWall || got.Requests != 40 || got.Errors != 2 || sum(got.Points) != 42 ||
		got.To.Sub(got.From) < time.Hour {
		t.Errorf("in the last hour %+v", got)
	}
}

// A server that others use as a registry may have thousands of models.
func TestOverview_IsBounded(t *testing.T) {
	h := open(t, file)
	for i := range 52 {
		h.versions(fmt.Sprintf("model-%d", i), 0)
	}
	o := h.overview()
	if len(o.Models) != 50 || !o.More || o.Models[0].Marks[0].Text != "registered without a version" {
		t.Errorf("%d models, more %v", len(o.Models), o.More)
	}
}

func phase(t *testing.T, all []govern.Phase, name string) govern.Phase {
	t.Helper()
	for _, ph := range all {
		if ph.Name == name {
			return ph
		}
	}
	t.Fatalf("no phase %s", name)
	return govern.Phase{}
}

func check(t *testing.T, all []govern.Phase, name string) govern.Check {
	t.Helper()
	for _, ph := range all {
		for _, c := range ph.Checks {
			if c.Name == name {
				return c
			}
		}
	}
	t.Fatalf("no check %q", name)
	return govern.Check{}
}

func (h *house) phases() []govern.Phase {
	h.t.Helper()
	all, err := h.Govern.Phases(h.t.Context(), h.p)
	if err != nil {
		h.t.Fatal(err)
	}
	return all
}

func TestPhases_TeachWhatIsMissing(t *testing.T) {
	h := open(t, "project: bare\n")
	all := h.phases()
	if len(all) != 6 {
		t.Fatalf("%d phases", len(all))
	}
	for _, ph := range all {
		if ph.Title == "" || ph.About == "" || len(ph.Checks) == 0 {
			t.Errorf("%+v", ph)
		}
		for _, c := range ph.Checks {
			if c.Name == "" || c.Fact == "" || c.State == govern.Open && c.Next == "" {
				t.Errorf("%s: %+v", ph.Name, c)
			}
		}
		if ph.Name != "business" && ph.Done != 0 {
			t.Errorf("%s has %d done: %+v", ph.Name, ph.Done, ph.Checks)
		}
	}
}

func TestPhases_AreFedByFacts(t *testing.T) {
	h := open(t, file)
	all := h.phases()
	for name, want := range map[string]string{"Goal": "accuracy at least 0.85", "Owner": "cellar answers for the model",
		"Steps before the model": "prepare", "Expectations": "bottles: 1 column",
		"What follows": "drift: alert; decay: retrain"} {
		if c := check(t, all, name); c.State != govern.Done || c.Fact != want {
			t.Errorf("%s: %+v, want %q", name, c, want)
		}
	}
	if c := check(t, all, "Collected versions"); c.State != govern.Open || c.Next != "fairlead run" {
		t.Errorf("%+v", c)
	}
	before := phase(t, all, "deployment").Done
	_, err := h.Data.Create(t.Context(), h.p, data.Create{Dataset: "bottles", Table: data.Table{
		Columns: []data.TableColumn{{Name: "y", Type: "double", Floats: []float64{1, 2}}}}})
	if err != nil {
		t.Fatal(err)
	}
	h.versions("wine", 2)
	h.release(production, 1)
	h.incident("in_0", "decay", 1)
	all = h.phases()
	for name, want := range map[string]govern.Check{
		"Collected versions": {State: govern.Done, Fact: "each has a version with a profile"},
		"Profile of bottles": {State: govern.Done, Fact: "version 1 has 2 rows in 1 column; 0 of them with gaps",
			Link: &govern.Link{Kind: govern.DataVersionKind, ID: "bottles/1"}},
		"Versions": {State: govern.Done, Fact: "2 versions so far", Link: &govern.Link{Kind: govern.ModelKind, ID: "wine"}},
		"Live version": {State: govern.Done, Fact: "version 1 answers at wine@production; it has had no request yet",
			Link: &govern.Link{Kind: govern.EndpointKind, ID: "wine@production"}},
		"Incidents": {State: govern.Attention, Fact: "1 open incident: it is red", Next: "fairlead incident in_0",
			Link: &govern.Link{Kind: govern.IncidentKind, ID: "in_0"}},
	} {
		got := check(t, all, name)
		if got.State != want.State || got.Fact != want.Fact || got.Next != want.Next ||
			want.Link != nil && (got.Link == nil || *got.Link != *want.Link) {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	if after := phase(t, all, "deployment").Done; after != before {
		t.Errorf("deployment: %d done, before %d", after, before) // one more is live, one less is untroubled
	}
}

func (h *house) find(text string) (out []string) {
	h.t.Helper()
	hits, err := h.Govern.Find(h.t.Context(), h.p, text)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, hit := range hits {
		if hit.Title == "" {
			h.t.Errorf("%+v", hit)
		}
		out = append(out, hit.Kind+" "+hit.ID)
	}
	return out
}

func TestFind_ByNameAndByTheBeginningOfAnID(t *testing.T) {
	h := open(t, file)
	h.versions("wine", 1)
	h.release(production, 1)
	h.incident("in_abc", "drift", 1)
	h.turn("ca_abc", loop.Closed, loop.Promoted)
	ctx := t.Context()
	made, err := h.Tracking.CreateExperiment(ctx, h.p, "100%_Wine", nil)
	if err != nil {
		t.Fatal(err)
	}
	e := made.ID
	run, err := h.Tracking.StartRun(ctx, h.p, tracking.NewRun{Experiment: e, Name: "Old Winery"})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string][]string{
		"":        nil,
		"  ":      nil,
		"nothing": nil,
		"WIN": {"model wine", "endpoint wine@production", "experiment " + e,
			"run " + e + "/" + run.ID},
		"0%_w":           {"experiment " + e},
		"0%w":            nil,
		`%`:              {"experiment " + e},
		`\`:              nil,
		"'":              nil,
		run.ID[:12]:      {"run " + e + "/" + run.ID},
		"in_":            {"incident in_abc"},
		"CA_A":           {"case ca_abc"},
		"ca_b":           nil,
		"production":     {"endpoint wine@production"},
		run.ID[1:] + "x": nil,
	} {
		if got := h.find(text); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	other, err := h.Projects.Get(ctx, spec.Default.Name)
	if err != nil {
		t.Fatal(err)
	}
	h.p = other
	if got := h.find("win"); got != nil {
		t.Errorf("in another project: %v", got)
	}
}

func TestFind_BoundsEachKind(t *testing.T) {
	h := open(t, file)
	for i := range 10 {
		h.versions(fmt.Sprintf("wine-%d", i), 0)
	}
	if got := h.find("wine-"); len(got) != 6 {
		t.Errorf("%v", got)
	}
}
