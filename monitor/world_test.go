package monitor_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"os"
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
	"github.com/fairlead-ml/fairlead/monitor"
	"github.com/fairlead-ml/fairlead/pipeline"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/release"
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

// file is a project's file with the given part about monitoring.
func file(monitoring string) string {
	return `
project: bikes
risk: minimal
data:
  history: {from: data/history.csv, time: at, key: id, label: bikers}
holdout: {by: time, last: 7d}
pipeline:
  steps:
    train:    {run: python train.py, in: [history], out: [model]}
    evaluate: {run: python evaluate.py, in: [model, history]}
gates:
  good-enough: {check: candidate.mae <= 100}
release:
  production: {strategy: canary, steps: [10%, 100%], hold: {labels: 48, at_most: 28d}, ` +
		`abort: {metric: error, worse_by: 10%, alpha: 0.05}, log: durable}
` + monitoring
}

const watchBoth = `monitor:
  drift: {method: psi, threshold: 0.25, window: 1d, red: 2 of 3}
  performance: {metric: mae, worse_by: 50%, window: 1d, red: 2 of 3, label_delay: 24h}
  then: {drift: alert, performance: retrain}
`

// stub is what a package's model does in these tests: it stands for an engine.
type stub struct {
	Bias    float64 `json:"bias"`
	Fail    bool    `json:"fail"`
	Classes float64 `json:"classes"` // how many; 0: a regression
}

// Predict answers ten times the temperature, and the bias; or the class that follows.
func (s *stub) Predict(_ context.Context, in *engine.Frame) (*engine.Frame, error) {
	if s.Fail {
		return nil, fairlead.Errorf(fairlead.Invalid, "the input \"registered\" is missing")
	}
	out := make([]float64, in.Rows)
	temp := in.Column("temp")
	for i := range out {
		if out[i] = s.Bias; temp != nil && !temp.Missing(i) {
			out[i] += 10 * temp.Floats[i]
		}
		if s.Classes > 0 {
			out[i] = classOf(out[i], s.Classes)
		}
	}
	return engine.NewFrame(engine.Floats64("bikers", out...)), nil
}

func classOf(v, classes float64) float64 { return math.Mod(math.Floor(v), classes) }

func (s *stub) Close() error { return nil }

func load(_ context.Context, dir string) (engine.Predictor, *engine.Manifest, error) {
	m, err := engine.ReadManifest(dir)
	if err != nil {
		return nil, nil, err
	}
	b, err := os.ReadFile(filepath.Join(dir, "model.json"))
	if err != nil {
		return nil, nil, err
	}
	s := &stub{}
	return s, m, json.Unmarshal(b, s)
}

// world is a server up to the monitor, over a real database; only the engine and
// the evaluation stand in.
type world struct {
	t        *testing.T
	dir      string
	p        fairlead.Project
	rev      int64
	mae      float64 // what evaluate prints
	abort    string  // the metric of a canary; default error
	away     int     // how many tries of a version on its own data find its engine away
	deaf     bool    // stream time does not wait for the ledger
	clock    *fairlead.FakeClock
	db       *store.DB
	led      *ledger.Ledger
	streams  *stream.Service
	jobs     *job.Service
	projects *spec.Projects
	blobs    *blob.Store
	data     *data.Service
	tracking *tracking.Service
	models   *registry.Service
	gates    *gate.Service
	release  *release.Service
	serving  *serving.Service
	labels   *label.Service
	monitor  *monitor.Service
}

func newWorld(t *testing.T, monitoring string) *world {
	t.Helper()
	t.Parallel()
	w := &world{t: t, dir: t.TempDir(), mae: 2}
	w.open()
	t.Cleanup(func() { w.close() })
	w.apply(monitoring)
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
	w.clock = clock
	var err error
	w.db, err = store.Open(ctx, store.Options{Path: filepath.Join(w.dir, "f.db")},
		ledger.Schema(), stream.Schema(), job.Schema(), spec.Tables(), blob.Schema(), data.Schema(),
		tracking.Schema(), registry.Schema(), gate.Schema(), release.Schema(), serving.Schema(),
		label.Schema(), monitor.Schema())
	w.must(err)
	w.led = ledger.New(w.db, clock, log)
	w.streams = stream.New(w.db, clock, log)
	w.projects = spec.NewProjects(w.db, w.led, clock)
	w.jobs = job.New(w.db, w.led, clock, log, job.Options{Exclusive: true})
	w.blobs, err = blob.New(w.db, w.dir)
	w.must(err)
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
		Projects: w.projects, Blobs: w.blobs, Registry: w.models, Release: w.release, Load: load,
		Clock: clock, Log: log, Dir: w.dir})
	w.labels = label.New(w.db, w.led, w.streams, w.serving, w.data, clock)
	w.monitor = monitor.New(monitor.Deps{DB: w.db, Ledger: w.led, Stream: w.streams, Jobs: w.jobs,
		Projects: w.projects, Blobs: w.blobs, Data: w.data, Registry: w.models, Gate: w.gates,
		Release: w.release, Serving: w.serving, Label: w.labels, Load: w.loadAlone, Clock: clock, Log: log,
		Dir: w.dir})
	w.streams.Settles(w.ledgerIdle)
	w.streams.Settles(w.jobsIdle)
	w.streams.Settles(w.serving.Idle)
	w.must(w.led.Start(ctx))
	w.must(w.jobs.Start(ctx))
	w.must(w.serving.Start(ctx))
}

// ledgerIdle looks more often than the stream does: the last event may be nobody's,
// and is passed over without a commit to wait for.
func (w *world) ledgerIdle(ctx context.Context, _ fairlead.Project) (idle bool, err error) {
	for range 50 {
		if w.deaf {
			return true, nil
		}
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

// loadAlone opens a version to try it on its own data.
func (w *world) loadAlone(ctx context.Context, dir string) (engine.Predictor, *engine.Manifest,
	error) {
	if w.away--; w.away >= 0 {
		return nil, nil, fairlead.Errorf(fairlead.Unavailable, "the worker was killed")
	}
	return load(ctx, dir)
}

// jobsIdle lets no job wait for wall time.
func (w *world) jobsIdle(ctx context.Context, p fairlead.Project) (idle bool, err error) {
	err = w.db.Read(ctx, func(tx *store.Tx) error {
		idle, err = w.jobs.Idle(tx, p.K)
		return err
	})
	if !idle {
		w.clock.Advance(time.Second)
	}
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

// restart ends the process and starts another, which serves what was live.
func (w *world) restart() {
	w.t.Helper()
	w.close()
	w.open()
	for {
		idle, err := w.serving.Idle(context.Background(), w.p)
		w.must(err)
		if idle && len(w.serving.Endpoints(w.p)) > 0 {
			return
		}
		select {
		case <-w.t.Context().Done():
			w.t.Fatal("nothing is served after a restart")
		case <-time.After(2 * time.Millisecond):
		}
	}
}

func (w *world) evaluate(context.Context, fairlead.Project, pipeline.EvaluateRequest) (
	map[string]float64, error) {
	return map[string]float64{"mae": w.mae, "bias": -w.mae / 2, "accuracy": 1, "logloss": 0.1}, nil
}

func (w *world) apply(monitoring string) {
	w.t.Helper()
	text := strings.Replace(file(monitoring), "metric: error", "metric: "+cmp.Or(w.abort, "error"), 1)
	rev, err := w.projects.Apply(context.Background(), []byte(text), "")
	w.must(err)
	w.p, w.rev = rev.Project, rev.N
	w.settle()
}

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
	ctx := context.Background()
	w.must(w.db.Write(ctx, store.Control, func(tx *store.Tx) error { return fn(ctx, tx) }))
}

func (w *world) read(fn func(tx *store.Tx) error) {
	w.t.Helper()
	w.must(w.db.Read(context.Background(), fn))
}

// inputs is the signature of the models here.
var inputs = []engine.Field{
	{Name: "temp", Kind: engine.Double, Required: false},
	{Name: "weekday", Kind: engine.Long, Required: false},
	{Name: "weather", Kind: engine.String, Required: false},
	{Name: "holiday", Kind: engine.Boolean, Required: false},
}

// register makes a packaged version that names the datasets as its lineage, and
// waits for its reference.
func (w *world) register(s stub, lineage ...data.Ref) (n int64) {
	w.t.Helper()
	ctx := context.Background()
	manifest, err := json.Marshal(engine.Manifest{Version: 1, Engine: engine.EngineONNX,
		Model: "model.json", Signature: engine.Signature{Inputs: inputs,
			Outputs: []engine.Field{{Name: "bikers", Kind: engine.Double, Required: true}}}})
	w.must(err)
	body, err := json.Marshal(s)
	w.must(err)
	files := map[string]blob.Object{}
	for path, text := range map[string]string{engine.ManifestName: string(manifest), "model.json": string(body)} {
		files[path], err = w.blobs.Put(ctx, strings.NewReader(text))
		w.must(err)
	}
	w.do(func(ctx context.Context, tx *store.Tx) error {
		n, err = w.create(ctx, tx, files, lineage)
		return err
	})
	w.settle()
	return n
}

func (w *world) create(ctx context.Context, tx *store.Tx, files map[string]blob.Object,
	lineage []data.Ref) (int64, error) {
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
	owner := tracking.LoggedModelOwner(lm.ID)
	if err := w.blobs.Link(tx, w.p, owner, "model.json", files["model.json"]); err != nil {
		return 0, err
	}
	if _, err := w.models.EnsureModel(ctx, tx, w.p, model); err != nil {
		return 0, err
	}
	v, err := w.models.CreateVersion(ctx, tx, w.p, registry.NewVersion{Model: model,
		LoggedModelID: lm.ID, ProducedBy: registry.Lineage{Datasets: lineage}})
	if err != nil {
		return 0, err
	}
	for path, o := range files {
		if err := w.blobs.Link(tx, w.p, registry.PackageOwner(model, v.N), path, o); err != nil {
			return 0, err
		}
	}
	return v.N, w.models.SetCondition(ctx, tx, w.p, model, v.N,
		registry.Condition{Type: registry.ConditionPackaged, Status: registry.True, Ref: fmt.Sprint(v.N)})
}

func (w *world) condition(n int64) (c registry.Condition) {
	w.t.Helper()
	w.read(func(tx *store.Tx) (err error) {
		c, err = w.models.Condition(tx, w.p, model, n, registry.ConditionReference)
		return err
	})
	return c
}

// judge lets the gate pass a version with the mean error mae.
func (w *world) judge(n int64, mae float64) {
	w.t.Helper()
	w.mae = mae
	held := w.dataset("newest", day(-7), day0, usual)
	_, err := w.gates.RunGate(context.Background(), w.p, gate.Request{Model: model, Version: n,
		SpecRev: w.rev, Holdout: held})
	w.must(err)
	w.settle()
}

// put releases a version: at once, or by the strategy.
func (w *world) put(n int64, strategy string) (id string) {
	w.t.Helper()
	w.do(func(ctx context.Context, tx *store.Tx) error {
		rev, err := w.projects.Current(tx, w.p)
		if err != nil {
			return err
		}
		env, _ := rev.Spec.LastEnvironment()
		if env.Strategy = strategy; strategy == spec.Replace {
			env.Abort = nil
		}
		id, err = w.release.Start(ctx, tx, w.p, release.Start{Environment: env, Model: model, Version: n})
		return err
	})
	w.settle()
	return id
}

// hour is what the world does at one hour.
type hour struct {
	temp    float64
	weather string
	bikers  float64
}

// usual is a mild day: the temperature goes round from 10 to 20.
func usual(at time.Time) hour {
	temp := 15 + 5*math.Sin(float64(at.Hour())*math.Pi/12)
	weather := "dry"
	if at.Hour()%6 == 0 {
		weather = "rain"
	}
	return hour{temp, weather, 10 * temp}
}

func (h hour) frame(at time.Time) *engine.Frame {
	holiday := engine.Floats64("holiday", 0)
	holiday.Kind = engine.Boolean
	return engine.NewFrame(engine.Floats64("temp", h.temp),
		engine.Ints64("weekday", int64(at.Weekday())), engine.Strings("weather", h.weather), holiday)
}

// ask sends one request an hour in [from, to), whose labels come a day later, and
// takes stream time along.
func (w *world) ask(from, to time.Time, what func(at time.Time) hour) {
	w.t.Helper()
	w.send(from, to, true, func(at time.Time) (*engine.Frame, float64) {
		h := what(at)
		return h.frame(at), h.bikers
	})
}

func (w *world) send(from, to time.Time, labelled bool,
	what func(at time.Time) (*engine.Frame, float64)) {
	w.t.Helper()
	ctx := context.Background()
	for day := from; day.Before(to); day = day.AddDate(0, 0, 1) {
		var batch []label.Truth
		end := day.AddDate(0, 0, 1)
		if end.After(to) {
			end = to
		}
		for at := day; at.Before(end); at = at.Add(time.Hour) {
			f, truth := what(at)
			id := at.Format("20060102T15")
			if _, err := w.serving.Infer(ctx, w.p, endpoint, serving.Request{ID: id, EventTime: at, Frame: f}); err != nil {
				w.t.Fatal(err)
			}
			batch = append(batch, label.Truth{RequestID: id, Value: truth, ObservedAt: at.Add(24 * time.Hour)})
		}
		if labelled {
			_, err := w.labels.Receive(ctx, w.p, endpoint, batch, "test")
			w.must(err)
		}
		w.advance(end)
	}
}

// history makes a dataset version of the days before day0.
func (w *world) history(name string, days int, what func(at time.Time) hour) data.Ref {
	w.t.Helper()
	return w.dataset(name, day0.AddDate(0, 0, -days), day0, what)
}

func (w *world) dataset(name string, from, to time.Time, what func(at time.Time) hour) data.Ref {
	w.t.Helper()
	at := data.TableColumn{Name: "at", Type: data.Datetime}
	temp := data.TableColumn{Name: "temp", Type: data.Double}
	weekday := data.TableColumn{Name: "weekday", Type: data.Long}
	weather := data.TableColumn{Name: "weather", Type: data.String}
	holiday := data.TableColumn{Name: "holiday", Type: data.Boolean}
	for t := from; t.Before(to); t = t.Add(time.Hour) {
		h := what(t)
		at.Times = append(at.Times, t)
		temp.Floats = append(temp.Floats, h.temp)
		weekday.Ints = append(weekday.Ints, int64(t.Weekday()))
		weather.Strings = append(weather.Strings, h.weather)
		holiday.Floats = append(holiday.Floats, 0)
	}
	v, err := w.data.Create(context.Background(), w.p, data.Create{Dataset: name, Time: "at",
		Table: data.Table{Columns: []data.TableColumn{at, temp, weekday, weather, holiday}}})
	w.must(err)
	return v.Ref()
}

func (w *world) windows(kind monitor.Kind) []*monitor.Window {
	w.t.Helper()
	out, err := w.monitor.Windows(context.Background(), w.p,
		monitor.WindowFilter{Endpoint: endpoint, Kind: kind}, "", 0)
	w.must(err)
	return out.Items
}

// states writes the windows of a kind as "1g 1r 2?": version and verdict.
func (w *world) states(kind monitor.Kind) string {
	w.t.Helper()
	var out []string
	for _, x := range w.windows(kind) {
		mark := map[monitor.WindowState]string{monitor.Green: "g", monitor.Red: "r", monitor.Unknown: "?"}[x.State]
		out = append(out, fmt.Sprintf("%d%s", x.Version, mark))
	}
	return strings.Join(out, " ")
}

func (w *world) incidents() []*monitor.Incident {
	w.t.Helper()
	out, err := w.monitor.Incidents(context.Background(), w.p, monitor.IncidentFilter{Endpoint: endpoint}, "", 0)
	w.must(err)
	return out.Items
}

func (w *world) events(types ...string) []*ledger.Record {
	w.t.Helper()
	out, err := w.led.List(context.Background(), ledger.Filter{Types: types, Limit: 1000})
	w.must(err)
	return out
}

// evidence returns the facts that were pushed for a rollout, in order.
func (w *world) evidence(rollout string) (out []gate.Facts) {
	w.t.Helper()
	for _, r := range w.events(event.EvidenceRecordedType) {
		var e event.EvidenceRecorded
		w.must(r.Decode(&e))
		if e.Rollout != rollout {
			continue
		}
		w.read(func(tx *store.Tx) error {
			got, err := w.gates.Evidence(tx, w.p, e.Evidence)
			if err == nil {
				out = append(out, got.Facts)
			}
			return err
		})
	}
	return out
}

func (w *world) rollout(id string) (r *release.Rollout) {
	w.t.Helper()
	w.read(func(tx *store.Tx) (err error) {
		r, err = w.release.Rollout(tx, w.p, id)
		return err
	})
	return r
}

// split holds the last week of a dataset back.
func (w *world) split(ref data.Ref) (rest, held data.Ref) {
	w.t.Helper()
	refs, held, err := w.data.Split(context.Background(), w.p, []data.Ref{ref},
		data.Holdout{Last: 7 * 24 * time.Hour})
	w.must(err)
	return refs[0], held
}

// others makes a dataset that has none of the models' columns.
func (w *world) others() data.Ref {
	w.t.Helper()
	v, err := w.data.Create(context.Background(), w.p, data.Create{Dataset: "others", Table: data.Table{
		Columns: []data.TableColumn{{Name: "planes", Type: data.Double, Floats: make([]float64, 100)}}}})
	w.must(err)
	return v.Ref()
}
