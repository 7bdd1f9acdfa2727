package loop_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/gate"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/label"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/loop"
	"github.com/fairlead-ml/fairlead/monitor"
	"github.com/fairlead-ml/fairlead/pipeline"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/release"
	"github.com/fairlead-ml/fairlead/scm"
	"github.com/fairlead-ml/fairlead/serving"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/stream"
	"github.com/fairlead-ml/fairlead/tracking"
)

const (
	model    = "bikes"
	endpoint = "bikes@production"
)

var (
	day0 = time.Date(2011, 3, 1, 0, 0, 0, 0, time.UTC)
	wall = time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
)

func day(n int) time.Time { return day0.AddDate(0, 0, n) }

// Parts of a project's file.
const (
	head = `
project: bikes
risk: minimal
data:
  history: {from: data/*.csv, time: at, key: id, label: bikers}
  recent:  {from: requests, environment: production, labelled: true, last: 30d}
holdout: {by: time, last: 7d}
pipeline:
  steps:
    train:    {run: python train.py, in: [history, recent], out: [model], params: {trees: 10}}
    evaluate: {run: python evaluate.py, in: [model, history]}
  search: {over: {train.trees: [10, 20]}, when: first}
gates:
  better-than-live: {check: candidate.mae <= live.mae, when: live}
  good-enough: {check: candidate.mae <= 100}
`
	replace = `release:
  production: {strategy: replace, log: durable}
`
	canary = `release:
  production: {strategy: canary, steps: [10%, 100%], hold: {labels: 24, at_most: 5d}, ` +
		`abort: {metric: error, worse_by: 10%, alpha: 0.2}, log: durable}
`
	both = `release:
  staging: {strategy: replace}
  production: {strategy: canary, steps: [100%], hold: {labels: 24, at_most: 5d}, ` +
		`abort: {metric: error, worse_by: 10%, alpha: 0.2}, log: durable}
`
	watch = `monitor:
  performance: {metric: mae, worse_by: 50%, window: 1d, red: 1 of 2, label_delay: 24h}
  then: {performance: retrain}
  cooldown: 5d
`
)

// stub is what a model does in these tests; it stands for an engine. It answers the
// temperature and is off by Bias; an evaluation sees an error of Offline.
type stub struct {
	Bias    float64 `json:"bias"`
	Offline float64 `json:"offline"`
	Absent  bool    `json:"absent"` // its engine, where it is served
}

func (s *stub) Predict(_ context.Context, in *engine.Frame) (*engine.Frame, error) {
	out := make([]float64, in.Rows)
	for i := range out {
		out[i] = in.Column("temp").Floats[i] + s.Bias
	}
	return engine.NewFrame(engine.Floats64("bikers", out...)), nil
}

func (s *stub) Close() error { return nil }

func readStub(dir string) (*stub, error) {
	b, err := os.ReadFile(filepath.Join(dir, "model.json"))
	if err != nil {
		return nil, err
	}
	s := &stub{}
	return s, json.Unmarshal(b, s)
}

func load(_ context.Context, dir string) (engine.Predictor, *engine.Manifest, error) {
	m, err := engine.ReadManifest(dir)
	if err != nil {
		return nil, nil, err
	}
	s, err := readStub(dir)
	return s, m, err
}

// load is what serving does; all else tries a model on its own.
func (w *world) load(ctx context.Context, dir string) (engine.Predictor, *engine.Manifest, error) {
	if err := w.wait(ctx, loop.Releasing); err != nil {
		return nil, nil, err
	}
	if w.unserved != nil {
		return nil, nil, w.unserved
	}
	if s, err := readStub(dir); err == nil && s.Absent {
		return nil, nil, fmt.Errorf("ONNX Runtime is not installed: %w", engine.ErrAbsent)
	}
	return load(ctx, dir)
}

// work is the payload of the jobs that stand for the pipeline and for packaging.
type work struct {
	Run     string         `json:"run,omitempty"`
	Start   pipeline.Start `json:"start,omitzero"`
	Version int64          `json:"version,omitempty"`
}

// world is a whole server but for what runs Python: its pipeline makes what the
// test says, in jobs that survive a restart as the real ones do.
type world struct {
	t      *testing.T
	dir    string
	p      fairlead.Project
	commit string

	next       stub                         // what the next training makes
	again      int64                        // the version that the next training makes again, answered from the cache
	trainFails string                       // why trainings fail
	modelless  bool                         // trainings make no model
	packFails  string                       // why packaging fails
	unserved   error                        // why nothing can be loaded to be served
	unpacked   bool                         // packages lack their files, so that no reference can be built
	recorded   string                       // what the newest package was compared on
	slow       map[loop.State]chan struct{} // what a state waits for
	lazy       bool                         // jobs do not begin

	db       *store.DB
	led      *ledger.Ledger
	streams  *stream.Service
	jobs     *job.Service
	projects *spec.Projects
	blobs    *blob.Store
	source   *scm.Service
	data     *data.Service
	tracking *tracking.Service
	models   *registry.Service
	gates    *gate.Service
	release  *release.Service
	serving  *serving.Service
	labels   *label.Service
	monitor  *monitor.Service
	loop     *loop.Service
}

func newWorld(t *testing.T, parts ...string) *world {
	t.Helper()
	t.Parallel()
	w := &world{t: t, dir: t.TempDir()}
	w.open()
	t.Cleanup(w.close)
	w.apply(parts...)
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) open() {
	w.t.Helper()
	ctx, log, clock := context.Background(), slog.New(slog.DiscardHandler), fairlead.NewFakeClock(wall)
	var err error
	w.db, err = store.Open(ctx, store.Options{Path: filepath.Join(w.dir, "f.db")},
		ledger.Schema(), stream.Schema(), job.Schema(), spec.Tables(), blob.Schema(), scm.Schema(),
		data.Schema(), tracking.Schema(), registry.Schema(), gate.Schema(), release.Schema(),
		serving.Schema(), label.Schema(), monitor.Schema(), loop.Schema())
	w.must(err)
	w.led = ledger.New(w.db, clock, log)
	w.streams = stream.New(w.db, clock, log)
	w.projects = spec.NewProjects(w.db, w.led, clock)
	w.jobs = job.New(w.db, w.led, clock, log, job.Options{Exclusive: true})
	w.blobs, err = blob.New(w.db, w.dir)
	w.must(err)
	w.source = scm.New(w.db, w.blobs, clock)
	w.data, err = data.New(w.db, w.led, w.blobs, w.dir, clock)
	w.must(err)
	w.tracking = tracking.New(w.db, w.led, w.blobs, clock, slog.New(slog.DiscardHandler))
	w.models = registry.New(w.db, w.led, w.blobs, w.tracking, clock)
	w.gates, err = gate.New(gate.Deps{DB: w.db, Ledger: w.led, Jobs: w.jobs, Stream: w.streams,
		Projects: w.projects, Data: w.data, Registry: w.models, Evaluate: w.evaluate, Clock: clock,
		Log: log}, w.dir)
	w.must(err)
	w.release = release.New(release.Deps{DB: w.db, Ledger: w.led, Stream: w.streams,
		Projects: w.projects, Registry: w.models, Gate: w.gates, Clock: clock, Log: log})
	w.serving = serving.New(serving.Deps{DB: w.db, Ledger: w.led, Stream: w.streams,
		Projects: w.projects, Blobs: w.blobs, Registry: w.models, Release: w.release, Load: w.load,
		Clock: clock, Log: log, Dir: w.dir})
	w.labels = label.New(w.db, w.led, w.streams, w.serving, w.data, clock)
	w.monitor = monitor.New(monitor.Deps{DB: w.db, Ledger: w.led, Stream: w.streams, Jobs: w.jobs,
		Projects: w.projects, Blobs: w.blobs, Data: w.data, Registry: w.models, Gate: w.gates,
		Release: w.release, Serving: w.serving, Label: w.labels, Load: load, Clock: clock, Log: log,
		Dir: w.dir})
	w.loop = loop.New(loop.Deps{DB: w.db, Ledger: w.led, Stream: w.streams, Jobs: w.jobs,
		Projects: w.projects, SCM: w.source, Data: w.data, Registry: w.models, Gate: w.gates,
		Release: w.release, Label: w.labels, Monitor: w.monitor, Train: w.train, Package: w.pack,
		Clock: clock, Log: log, Dir: w.dir})
	w.jobs.Handle("test.train", w.runTraining, job.Limits{})
	w.jobs.Handle("test.package", w.runPackaging, job.Limits{})
	w.streams.Settles(w.ledgerIdle)
	w.streams.Settles(w.jobsIdle)
	w.streams.Settles(w.serving.Idle)
	w.must(w.led.Start(ctx))
	if !w.lazy {
		w.must(w.jobs.Start(ctx))
	}
	w.must(w.serving.Start(ctx))
}

// ledgerIdle looks more often than the stream does: the last event may be nobody's,
// and is passed over without a commit to wait for.
func (w *world) ledgerIdle(ctx context.Context, _ fairlead.Project) (idle bool, err error) {
	for range 50 {
		if idle, err = w.led.Idle(ctx); err != nil || idle {
			return idle, err
		}
		select {
		case <-w.db.Changed():
		case <-time.After(2 * time.Millisecond):
		}
	}
	return false, nil
}

func (w *world) jobsIdle(ctx context.Context, p fairlead.Project) (idle bool, err error) {
	err = w.db.Read(ctx, func(tx *store.Tx) error {
		idle, err = w.jobs.Idle(tx, p.K)
		return err
	})
	return idle, err
}

// close ends the process; nothing but the data directory is left of it.
func (w *world) close() {
	w.serving.Stop(context.Background())
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := w.jobs.Stop(ctx); err != nil {
		w.t.Error(err)
	}
	w.led.Stop()
	w.data.Close()
	w.db.Close()
}

func (w *world) restart() { w.t.Helper(); w.close(); w.open() }

// apply commits the file with a year's start of data, and makes it current.
func (w *world) apply(parts ...string) {
	w.t.Helper()
	w.applyCommit(map[string]string{"data/history.csv": history(),
		spec.FileName: head + strings.Join(parts, "")})
}

func (w *world) applyCommit(files map[string]string) {
	w.t.Helper()
	dir := w.t.TempDir()
	for path, text := range files {
		path = filepath.Join(dir, path)
		w.must(os.MkdirAll(filepath.Dir(path), 0o755))
		w.must(os.WriteFile(path, []byte(text), 0o644))
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "."},
		{"-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "x"}} {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			w.t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	tar, commit, err := scm.Pack(context.Background(), dir, false)
	w.must(err)
	defer tar.Close()
	rev, err := w.projects.Apply(context.Background(), []byte(files[spec.FileName]), commit.SHA)
	w.must(err)
	w.p, w.commit = rev.Project, commit.SHA
	_, err = w.source.Import(context.Background(), w.p, tar, commit)
	w.must(err)
	w.settle()
}

// history is 28 days before day0, as a file.
func history() string {
	var b strings.Builder
	b.WriteString("id,at,temp,bikers\n")
	for at := day(-28); at.Before(day0); at = at.Add(time.Hour) {
		fmt.Fprintf(&b, "%s,%s,%g,%g\n", at.Format("20060102T15"), at.Format(time.RFC3339), temp(at), temp(at))
	}
	return b.String()
}

// temp goes round from 10 to 20 each day.
func temp(at time.Time) float64 { return 15 + 5*math.Sin(float64(at.Hour())*math.Pi/12) }

// settle waits until all that was caused has happened.
func (w *world) settle() {
	w.t.Helper()
	w.must(w.streams.Advance(context.Background(), w.p, "another", time.UnixMilli(0).AddDate(0, 0, 1)))
}

func (w *world) advance(to time.Time) {
	w.t.Helper()
	w.must(w.streams.Advance(context.Background(), w.p, endpoint, to))
}

func (w *world) do(fn func(ctx context.Context, tx *store.Tx) error) {
	w.t.Helper()
	ctx := fairlead.WithActor(context.Background(), fairlead.Actor{Kind: "user", Name: "colleague"})
	w.must(w.db.Write(ctx, store.Control, func(tx *store.Tx) error { return fn(ctx, tx) }))
}

func (w *world) read(fn func(tx *store.Tx) error) {
	w.t.Helper()
	w.must(w.db.Read(context.Background(), fn))
}

// train stands for pipeline.Service.Start.
func (w *world) train(_ context.Context, tx *store.Tx, p fairlead.Project, st pipeline.Start) (
	string, error) {
	run := "pr_" + st.Case
	_, _, err := w.jobs.Enqueue(tx, job.Task{Project: p, Kind: "test.train", Key: run,
		Payload: work{Run: run, Start: st}})
	return run, err
}

func (w *world) runTraining(ctx context.Context, r *job.Run) error {
	var in work
	if err := r.Job.Decode(&in); err != nil {
		return err
	}
	if err := w.wait(ctx, loop.Training); err != nil {
		return err
	}
	f := event.PipelineRunFinished{Pipeline: in.Run, State: "succeeded", Reason: "threshold reached",
		Model: model, Case: in.Start.Case, Version: w.again}
	files, err := w.files(ctx, w.next)
	if err != nil {
		return err
	}
	return r.Commit(ctx, store.Control, func(tx *store.Tx) (err error) {
		switch {
		case w.trainFails != "":
			f.State, f.Reason = "failed", w.trainFails
		case w.modelless:
		case w.again == 0:
			lineage := registry.Lineage{PipelineRun: in.Run, Commit: in.Start.Commit,
				Params: map[string]any{"train": map[string]any{"trees": 20}}}
			for _, name := range []string{"history", "recent"} {
				lineage.Datasets = append(lineage.Datasets, in.Start.Inputs[name])
			}
			if f.Version, err = w.create(ctx, tx, files, lineage); err != nil {
				return err
			}
			err = w.models.Hold(tx, w.p, model, f.Version, registry.CaseHolder(in.Start.Case))
			if err != nil {
				return err
			}
		}
		_, err = w.led.Append(ctx, tx, r.Job.Project, "pipeline_run/"+in.Run, time.Time{}, f)
		return err
	})
}

// wait lets a state last as long as the test wants.
func (w *world) wait(ctx context.Context, at loop.State) error {
	ch := w.slow[at]
	if ch == nil {
		return nil
	}
	select {
	case <-ch:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (w *world) files(ctx context.Context, s stub) (map[string]blob.Object, error) {
	manifest, err := json.Marshal(engine.Manifest{Version: 1, Engine: engine.EngineONNX,
		Model: "model.json", Signature: engine.Signature{
			Inputs:  []engine.Field{{Name: "temp", Kind: engine.Double, Required: true}},
			Outputs: []engine.Field{{Name: "bikers", Kind: engine.Double, Required: true}}}})
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	out := map[string]blob.Object{}
	for path, text := range map[string][]byte{engine.ManifestName: manifest, "model.json": body} {
		if out[path], err = w.blobs.Put(ctx, strings.NewReader(string(text))); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// create registers a version; its package is linked when it is packaged.
func (w *world) create(ctx context.Context, tx *store.Tx, files map[string]blob.Object,
	lineage registry.Lineage) (int64, error) {
	exp, err := w.tracking.EnsureExperiment(ctx, tx, w.p, model)
	if err != nil {
		return 0, err
	}
	lm, err := w.tracking.CreateLoggedModel(ctx, tx, w.p, tracking.NewLoggedModel{Experiment: exp.ID})
	if err != nil {
		return 0, err
	}
	if err := w.tracking.FinalizeLoggedModel(ctx, tx, w.p, lm.ID, tracking.ModelReady); err != nil {
		return 0, err
	}
	if _, err := w.models.EnsureModel(ctx, tx, w.p, model); err != nil {
		return 0, err
	}
	for path, o := range files {
		if err := w.blobs.Link(tx, w.p, tracking.LoggedModelOwner(lm.ID), path, o); err != nil {
			return 0, err
		}
	}
	v, err := w.models.CreateVersion(ctx, tx, w.p, registry.NewVersion{Model: model,
		LoggedModelID: lm.ID, ProducedBy: lineage})
	if err != nil {
		return 0, err
	}
	if w.unpacked {
		return v.N, nil
	}
	return v.N, w.linkPackage(tx, v.N, files)
}

func (w *world) linkPackage(tx *store.Tx, n int64, files map[string]blob.Object) error {
	for path, o := range files {
		if err := w.blobs.Link(tx, w.p, registry.PackageOwner(model, n), path, o); err != nil {
			return err
		}
	}
	return nil
}

// pack stands for registry.Packaging.Request.
func (w *world) pack(_ context.Context, tx *store.Tx, p fairlead.Project, _ string, n int64,
	inputs []data.Ref) error {
	w.recorded = fmt.Sprint(inputs)
	c, err := w.models.Condition(tx, p, model, n, registry.ConditionPackaged)
	if err != nil || c.Status == registry.True {
		return err
	}
	_, _, err = w.jobs.Enqueue(tx, job.Task{Project: p, Kind: "test.package", Key: fmt.Sprint(n),
		Payload: work{Version: n}})
	return err
}

func (w *world) runPackaging(ctx context.Context, r *job.Run) error {
	var in work
	if err := r.Job.Decode(&in); err != nil {
		return err
	}
	if err := w.wait(ctx, loop.Packaging); err != nil {
		return err
	}
	c := registry.Condition{Type: registry.ConditionPackaged, Status: registry.True, Ref: fmt.Sprint(in.Version)}
	if w.packFails != "" {
		c.Status, c.Reason = registry.False, w.packFails
	}
	return r.Commit(ctx, store.Control, func(tx *store.Tx) error {
		return w.models.SetCondition(ctx, tx, r.Job.Project, model, in.Version, c)
	})
}

// evaluate stands for the project's step of that name.
func (w *world) evaluate(ctx context.Context, _ fairlead.Project, r pipeline.EvaluateRequest) (
	map[string]float64, error) {
	if err := w.wait(ctx, loop.Gating); err != nil {
		return nil, err
	}
	s, err := readStub(r.ModelDir)
	if err != nil {
		return nil, err
	}
	return map[string]float64{"mae": s.Offline}, nil
}

// colleague registers a version as somebody does by hand, and names it the candidate
// if asked to.
func (w *world) colleague(s stub, candidate bool) (n int64) {
	w.t.Helper()
	files, err := w.files(context.Background(), s)
	w.must(err)
	w.do(func(ctx context.Context, tx *store.Tx) error {
		n, err = w.create(ctx, tx, files, registry.Lineage{})
		if err != nil || !candidate {
			return err
		}
		return w.models.SetAlias(ctx, tx, w.p, model, loop.CandidateAlias, n)
	})
	return n
}

func (w *world) alias(n int64) {
	w.t.Helper()
	w.do(func(ctx context.Context, tx *store.Tx) error {
		return w.models.SetAlias(ctx, tx, w.p, model, loop.CandidateAlias, n)
	})
}

// run is `fairlead run` to its end.
func (w *world) run(next stub) *loop.Case {
	w.t.Helper()
	w.next = next
	c, err := w.loop.Run(context.Background(), w.p)
	w.must(err)
	w.settle()
	return w.get(c.ID)
}

func (w *world) get(id string) *loop.Case {
	w.t.Helper()
	c, err := w.loop.Case(context.Background(), w.p, id)
	w.must(err)
	return c
}

// ask sends one request an hour in [from, to) of which the truth, a day later, is
// off by shift, and takes stream time along.
func (w *world) ask(from, to time.Time, shift float64) {
	w.t.Helper()
	ctx := context.Background()
	for d := from; d.Before(to); d = d.AddDate(0, 0, 1) {
		var batch []label.Truth
		for at := d; at.Before(d.AddDate(0, 0, 1)); at = at.Add(time.Hour) {
			id := at.Format("20060102T15")
			_, err := w.serving.Infer(ctx, w.p, endpoint, serving.Request{ID: id, EventTime: at,
				Frame: engine.NewFrame(engine.Floats64("temp", temp(at)))})
			w.must(err)
			batch = append(batch, label.Truth{RequestID: id, Value: temp(at) + shift,
				ObservedAt: at.Add(24 * time.Hour)})
		}
		_, err := w.labels.Receive(ctx, w.p, endpoint, batch, "test")
		w.must(err)
		w.advance(d.AddDate(0, 0, 1))
	}
}

// story writes all cases, the oldest first: "user 1 promoted, incident 2 stopped".
func (w *world) story() string {
	w.t.Helper()
	page, err := w.loop.Cases(context.Background(), w.p, model, "", 0)
	w.must(err)
	var out []string
	for _, c := range page.Items {
		end := c.Outcome
		if c.State != loop.Closed {
			end = string(c.State)
		}
		out = append([]string{fmt.Sprintf("%s %d %s", c.Cause, c.Version, end)}, out...)
	}
	return strings.Join(out, ", ")
}

func (w *world) wantStory(want string) {
	w.t.Helper()
	if got := w.story(); got != want {
		w.t.Errorf("cases: %s\n want: %s", got, want)
	}
}

func (w *world) explain() *loop.Explanation {
	w.t.Helper()
	e, err := w.loop.Explain(context.Background(), w.p, model)
	w.must(err)
	return e
}

// wantLine checks that an explanation says something.
func (w *world) wantLine(want string) {
	w.t.Helper()
	lines := strings.Join(w.explain().Lines, "\n")
	if !strings.Contains(lines, want) {
		w.t.Errorf("the explanation does not say %q:\n%s", want, lines)
	}
}

// steps returns the states that a case's events tell of, with the reason of the last.
func (w *world) steps(id string) (states []string, reason string) {
	w.t.Helper()
	all, err := w.led.List(context.Background(), ledger.Filter{Limit: 1000, Types: []string{
		event.CaseOpenedType, event.CaseAdvancedType, event.CaseClosedType}})
	w.must(err)
	for _, r := range all {
		var c event.Case
		w.must(r.Decode(&c))
		if c.Case == id {
			states, reason = append(states, c.State), c.Reason
		}
	}
	return states, reason
}

// live returns the version that the alias `live` names.
func (w *world) live() (n int64) {
	w.t.Helper()
	w.read(func(tx *store.Tx) (err error) {
		n, err = w.models.Alias(tx, w.p, model, registry.LiveAlias)
		return err
	})
	return n
}

func (w *world) assignment() (a *release.Assignment) {
	w.t.Helper()
	w.read(func(tx *store.Tx) (err error) {
		a, err = w.release.Assignment(tx, w.p, endpoint)
		return err
	})
	return a
}

func (w *world) heldByCase(n int64) bool {
	w.t.Helper()
	held := false
	w.read(func(tx *store.Tx) error {
		holders, err := w.models.Holds(tx, w.p, model, n)
		for _, h := range holders {
			held = held || h.Kind == "case"
		}
		return err
	})
	return held
}

// serve waits until a server that was started again answers.
func (w *world) serve() {
	w.t.Helper()
	for len(w.serving.Endpoints(w.p)) == 0 {
		select {
		case <-w.t.Context().Done():
			w.t.Fatal("nothing is served after a restart")
		case <-time.After(2 * time.Millisecond):
		}
	}
}
