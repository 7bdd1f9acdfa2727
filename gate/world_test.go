package gate_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/gate"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/pipeline"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/stream"
	"github.com/fairlead-ml/fairlead/tracking"
)

const file = `
project: bikes
risk: minimal
data:
  history: {from: data/history.csv, time: at, key: id, label: bikers}
holdout: {by: time, last: 7d}
pipeline:
  steps:
    train:    {run: python train.py, in: [history], out: [model]}
    evaluate: {run: python evaluate.py, in: [model, history]}
release:
  production: {strategy: replace}
`

// world is the gate stage over a real database, with real versions and data. The
// evaluator stands for the pipeline: it prints what a test says about the version
// whose files it is given.
type world struct {
	t        *testing.T
	dir      string
	db       *store.DB
	led      *ledger.Ledger
	gates    *gate.Service
	jobs     *job.Service
	projects *spec.Projects
	data     *data.Service
	blobs    *blob.Store
	tracking *tracking.Service
	models   *registry.Service
	project  fairlead.Project
	rev      int64
	holdout  data.Ref
	wape     map[int64]float64 // what evaluate prints, by version
	metrics  func(version int64) map[string]float64
	broken   map[int64]error
	known    map[int64]bool // evaluations that the pipeline answers from its cache
}

var at = time.Date(2011, 5, 3, 4, 0, 0, 0, time.UTC)

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, wape: map[int64]float64{}, broken: map[int64]error{}}
	w.metrics = func(n int64) map[string]float64 {
		return map[string]float64{"wape": w.wape[n]}
	}
	w.dir = t.TempDir()
	dir, log := w.dir, slog.New(slog.DiscardHandler)
	clock := fairlead.NewFakeClock(at.AddDate(15, 0, 0))
	var err error
	w.db, err = store.Open(t.Context(), store.Options{Path: filepath.Join(dir, "f.db")},
		ledger.Schema(), stream.Schema(), job.Schema(), spec.Tables(), blob.Schema(), data.Schema(),
		tracking.Schema(), registry.Schema(), gate.Schema())
	w.must(err)
	t.Cleanup(func() { w.db.Close() })
	w.led = ledger.New(w.db, clock, log)
	streams := stream.New(w.db, clock, log)
	w.projects = spec.NewProjects(w.db, w.led, clock)
	w.jobs = job.New(w.db, w.led, clock, log, job.Options{Exclusive: true})
	w.blobs, err = blob.New(w.db, dir)
	w.must(err)
	w.data, err = data.New(w.db, w.led, w.blobs, dir, clock)
	w.must(err)
	t.Cleanup(func() { w.data.Close() })
	w.tracking = tracking.New(w.db, w.led, w.blobs, clock, slog.New(slog.DiscardHandler))
	w.models = registry.New(w.db, w.led, w.blobs, w.tracking, clock)
	w.gates, err = gate.New(gate.Deps{DB: w.db, Ledger: w.led, Jobs: w.jobs, Stream: streams,
		Projects: w.projects, Data: w.data, Registry: w.models, Evaluate: w.evaluate,
		Clock: clock, Log: log}, dir)
	w.must(err)
	w.apply([]spec.Gate{
		{Name: "better-than-live", Check: "candidate.wape <= live.wape", When: spec.WhenLive},
		{Name: "good-enough", Check: "candidate.wape <= 0.6 && holdout.reads == 0"},
	})
	w.must(streams.Advance(t.Context(), w.project, "bikes@production", at))
	for n := range int64(2) {
		w.register(n + 1)
	}
	v, err := w.data.Create(t.Context(), w.project, data.Create{Dataset: "newest", Table: data.Table{
		Columns: []data.TableColumn{{Name: "bikers", Type: data.Double, Floats: make([]float64, 168)}}}})
	w.must(err)
	w.holdout = v.Ref()
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// register makes a version whose files say which one it is, and packages it.
func (w *world) register(n int64) {
	w.t.Helper()
	ctx := context.Background()
	number, err := w.blobs.Put(ctx, strings.NewReader(strconv.FormatInt(n, 10)))
	w.must(err)
	manifest, err := w.blobs.Put(ctx, strings.NewReader(`{"version": 1, "engine": "onnx",
		"model": "model.onnx", "parity": {"rows": 168, "max_relative": 3e-6, "tolerance": 1e-5}}`))
	w.must(err)
	w.must(w.write(func(tx *store.Tx) error {
		exp, err := w.tracking.EnsureExperiment(ctx, tx, w.project, "bikes")
		if err != nil {
			return err
		}
		m, err := w.tracking.CreateLoggedModel(ctx, tx, w.project,
			tracking.NewLoggedModel{Experiment: exp.ID})
		if err != nil {
			return err
		}
		if err := w.tracking.FinalizeLoggedModel(ctx, tx, w.project, m.ID, tracking.ModelReady); err != nil {
			return err
		}
		owner := tracking.LoggedModelOwner(m.ID)
		if err := w.blobs.Link(tx, w.project, owner, "number", number); err != nil {
			return err
		}
		if _, err := w.models.EnsureModel(ctx, tx, w.project, "bikes"); err != nil {
			return err
		}
		v, err := w.models.CreateVersion(ctx, tx, w.project,
			registry.NewVersion{Model: "bikes", LoggedModelID: m.ID})
		if err != nil || v.N != n {
			return fmt.Errorf("version %d: %w", n, err)
		}
		return w.blobs.Link(tx, w.project, registry.PackageOwner("bikes", n), "package.json", manifest)
	}))
}

func (w *world) evaluate(ctx context.Context, _ fairlead.Project, r pipeline.EvaluateRequest) (
	map[string]float64, error) {
	b, err := os.ReadFile(filepath.Join(r.ModelDir, "number"))
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil || r.Data != w.holdout {
		return nil, fmt.Errorf("asked to evaluate %q on %v: %w", b, r.Data, err)
	}
	if w.known[n] {
		return w.metrics(n), nil
	}
	if err := r.Reading(ctx); err != nil {
		return nil, err
	}
	if err := w.broken[n]; err != nil {
		return nil, err
	}
	return w.metrics(n), nil
}

// reads returns the versions that the holdout was read for.
func (w *world) reads() (out []int64) {
	w.t.Helper()
	all, err := w.data.HoldoutReads(w.t.Context(), w.project, w.holdout)
	w.must(err)
	for _, r := range all {
		out = append(out, r.Version)
	}
	slices.Sort(out) // candidate and live are read side by side
	return out
}

// apply makes the gates those of the project's current file.
func (w *world) apply(gates []spec.Gate) {
	w.t.Helper()
	text := file
	for i, g := range gates {
		if i == 0 {
			text += "gates:\n"
		}
		text += fmt.Sprintf("  %s:\n    check: %q\n", g.Name, g.Check)
		if g.When != "" {
			text += "    when: " + g.When + "\n"
		}
	}
	rev, err := w.projects.Apply(w.t.Context(), []byte(text), "")
	if err != nil {
		w.t.Fatal(err)
	}
	w.project, w.rev = rev.Project, rev.N
}

func (w *world) write(fn func(tx *store.Tx) error) error {
	return w.db.Write(context.Background(), store.Control, fn)
}

func (w *world) request(version, baseline int64) gate.Request {
	return gate.Request{Case: "case_1", Model: "bikes", Version: version, Baseline: baseline,
		SpecRev: w.rev, Holdout: w.holdout}
}

func (w *world) run(version, baseline int64) (*gate.Record, error) {
	return w.gates.RunGate(w.t.Context(), w.project, w.request(version, baseline))
}

// job runs gates as jobs until every one asked for is finished.
func (w *world) job(requests ...gate.Request) {
	w.t.Helper()
	for _, r := range requests {
		w.must(w.write(func(tx *store.Tx) error {
			return w.gates.Request(context.Background(), tx, w.project, r)
		}))
	}
	if err := w.jobs.Start(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	defer w.jobs.Stop(context.Background())
	page, err := w.jobs.List(w.t.Context(), w.project.K, job.Filter{}, "", 0)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, j := range page.Items {
		if _, err := w.jobs.Await(w.t.Context(), w.project.K, j.ID); err != nil {
			w.t.Fatal(err)
		}
	}
}

// decided returns the only gate.decided.
func (w *world) decided() (body event.GateDecided) {
	w.t.Helper()
	events := w.events(event.GateDecidedType)
	if len(events) != 1 {
		w.t.Fatalf("%d decisions", len(events))
	}
	if err := events[0].Decode(&body); err != nil {
		w.t.Fatal(err)
	}
	return body
}

func (w *world) events(kind string) []*ledger.Record {
	w.t.Helper()
	out, err := w.led.List(w.t.Context(), ledger.Filter{Types: []string{kind}})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func (w *world) evidence(id string) (e *gate.Evidence) {
	w.t.Helper()
	err := w.db.Read(w.t.Context(), func(tx *store.Tx) (err error) {
		e, err = w.gates.Evidence(tx, w.project, id)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}
