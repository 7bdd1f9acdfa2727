// Package servingtest gives tests the serving stage on real services and a real
// database, with models that a test controls. It is for tests alone.
package servingtest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/gate"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/release"
	"github.com/fairlead-ml/fairlead/serving"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/stream"
	"github.com/fairlead-ml/fairlead/tracking"
)

// Endpoint is the one endpoint of a world, of the model flights.
const Endpoint = "flights@production"

// What every world has: the project, event times and wall time to begin with.
var (
	Project = fairlead.Project{K: 1, Name: "default"}
	March   = time.Date(2011, 3, 1, 0, 0, 0, 0, time.UTC)
	Wall    = time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
)

// Env returns the environment production with a strategy and a kind of log.
func Env(strategy, log string) spec.Environment {
	e := spec.Environment{Name: "production", Strategy: strategy, Log: log, Keep: 2}
	if strategy == spec.Canary {
		e.Steps = []float64{25, 100}
		e.Hold = spec.Hold{Labels: 48, AtMost: spec.Duration{Duration: 14 * 24 * time.Hour}}
	}
	return e
}

// Engines stands for the engines: a package's model file holds a number, which the
// model adds to the request's first column. Tests make versions fail or hang.
type Engines struct {
	sync.Mutex
	Broken map[int64]error                                // what loading the version gives
	Once   map[int64]error                                // what loading it gives the first time
	Hooks  map[int64]func(ctx context.Context) error      // runs in each prediction
	Made   map[int64]func(in *engine.Frame) *engine.Frame // instead of adding
	Slow   map[int64]chan struct{}                        // loading waits for it
	Ill    map[int64]error                                // what the loaded version says of its health
	Loads  map[int64]int
	open   atomic.Int64
	misuse atomic.Int64 // predictions by closed models
}

type model struct {
	engines *Engines
	version int64
	sig     engine.Signature
	closed  atomic.Bool
}

// Signature is what the models take and give.
var Signature = engine.Signature{
	Inputs:  []engine.Field{{Name: "hr", Kind: engine.Double, Required: true}, {Name: "hum", Kind: engine.Double}},
	Outputs: []engine.Field{{Name: "riders", Kind: engine.Double}},
}

func (e *Engines) load(ctx context.Context, dir string) (engine.Predictor, *engine.Manifest, error) {
	m, err := engine.ReadManifest(dir)
	if err != nil {
		return nil, nil, err
	}
	text, err := os.ReadFile(filepath.Join(dir, m.Model))
	if err != nil {
		return nil, nil, err
	}
	version, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return nil, nil, fairlead.Errorf(fairlead.Invalid, "the model is damaged")
	}
	e.Lock()
	e.Loads[version]++
	wait, broken := e.Slow[version], e.Broken[version]
	if once := e.Once[version]; once != nil {
		broken = once
		delete(e.Once, version)
	}
	e.Unlock()
	if wait != nil {
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		}
	}
	if broken != nil {
		return nil, nil, broken
	}
	e.open.Add(1)
	return &model{engines: e, version: version, sig: m.Signature}, m, nil
}

// Set changes the maps while models run.
func (e *Engines) Set(fn func(e *Engines)) {
	e.Lock()
	defer e.Unlock()
	fn(e)
}

func (m *model) Predict(ctx context.Context, in *engine.Frame) (*engine.Frame, error) {
	if m.closed.Load() {
		m.engines.misuse.Add(1)
		return nil, fairlead.Errorf(fairlead.Unavailable, "closed")
	}
	arranged, err := m.sig.Arrange(in)
	if err != nil {
		return nil, err
	}
	m.engines.Lock()
	hook, made := m.engines.Hooks[m.version], m.engines.Made[m.version]
	m.engines.Unlock()
	if hook != nil {
		if err := hook(ctx); err != nil {
			return nil, err
		}
	}
	if made != nil {
		return made(in), nil
	}
	out := make([]float64, arranged.Rows)
	for i := range out {
		out[i] = arranged.Columns[0].Floats[i] + float64(1000*m.version)
	}
	return engine.NewFrame(engine.Floats64("riders", out...)), nil
}

// Health implements engine.Checker.
func (m *model) Health() error {
	m.engines.Lock()
	defer m.engines.Unlock()
	return m.engines.Ill[m.version]
}

func (m *model) Close() error {
	if m.closed.Swap(true) {
		return errors.New("closed twice")
	}
	m.engines.open.Add(-1)
	return nil
}

// World is the serving stage on real services, with fake engines.
type World struct {
	t        testing.TB
	schemas  []store.Schema
	Dir      string
	Clock    *fairlead.FakeClock
	Engines  *Engines
	DB       *store.DB
	Ledger   *ledger.Ledger
	Streams  *stream.Service
	Blobs    *blob.Store
	Models   *registry.Service
	tracking *tracking.Service
	Release  *release.Service
	Serving  *serving.Service
	Deps     func(d *serving.Deps) // changes what Start gives to the service; nil: nothing
}

// New starts a world in a temporary directory; schemas are those of further stages.
func New(t testing.TB, schemas ...store.Schema) *World {
	t.Helper()
	w := &World{t: t, schemas: schemas, Dir: t.TempDir(), Clock: fairlead.NewFakeClock(Wall), Engines: &Engines{
		Broken: map[int64]error{}, Once: map[int64]error{}, Hooks: map[int64]func(context.Context) error{},
		Made: map[int64]func(*engine.Frame) *engine.Frame{},
		Slow: map[int64]chan struct{}{}, Ill: map[int64]error{}, Loads: map[int64]int{}}}
	w.Start()
	w.Do(func(tx *store.Tx) error {
		_, err := w.Models.EnsureModel(context.Background(), tx, Project, "flights")
		return err
	})
	t.Cleanup(func() {
		w.Stop()
		if n := w.Engines.misuse.Load(); n != 0 {
			t.Errorf("%d predictions by models that were closed", n)
		}
		w.Until("all models are closed", func() bool { return w.Engines.open.Load() == 0 })
	})
	return w
}

// Schemas returns the tables of the world's database.
func (w *World) Schemas() []store.Schema {
	return append([]store.Schema{
		ledger.Schema(), stream.Schema(), job.Schema(), spec.Tables(), blob.Schema(),
		tracking.Schema(), registry.Schema(), gate.Schema(), release.Schema(), serving.Schema(), data.Schema()}, w.schemas...)
}

// Start starts the program on the data directory, as it stands.
func (w *World) Start() {
	w.t.Helper()
	must := func(err error) {
		w.t.Helper()
		if err != nil {
			w.t.Fatal(err)
		}
	}
	var err error
	ctx, log := context.Background(), slog.New(slog.DiscardHandler)
	w.DB, err = store.Open(ctx, store.Options{Path: filepath.Join(w.Dir, "f.db")}, w.Schemas()...)
	must(err)
	w.Ledger = ledger.New(w.DB, w.Clock, log)
	w.Streams = stream.New(w.DB, w.Clock, log)
	jobs := job.New(w.DB, w.Ledger, w.Clock, log, job.Options{})
	projects := spec.NewProjects(w.DB, w.Ledger, w.Clock)
	gates, err := gate.New(gate.Deps{DB: w.DB, Ledger: w.Ledger, Jobs: jobs, Clock: w.Clock, Log: log}, w.Dir)
	must(err)
	w.Blobs, err = blob.New(w.DB, w.Dir)
	must(err)
	w.tracking = tracking.New(w.DB, w.Ledger, w.Blobs, w.Clock, slog.New(slog.DiscardHandler))
	w.Models = registry.New(w.DB, w.Ledger, w.Blobs, w.tracking, w.Clock)
	w.Release = release.New(release.Deps{DB: w.DB, Ledger: w.Ledger, Stream: w.Streams,
		Projects: projects, Registry: w.Models, Gate: gates, Clock: w.Clock, Log: log})
	deps := serving.Deps{DB: w.DB, Ledger: w.Ledger, Stream: w.Streams, Projects: projects,
		Blobs: w.Blobs, Registry: w.Models, Release: w.Release, Load: w.Engines.load, Clock: w.Clock, Log: log,
		Dir: w.Dir, RetryAfter: time.Millisecond}
	if w.Deps != nil {
		w.Deps(&deps)
	}
	w.Serving = serving.New(deps)
	must(w.Ledger.Start(ctx))
	must(w.Serving.Start(ctx))
}

// Stop ends the program; nothing but the data directory is left of it.
func (w *World) Stop() {
	w.Ledger.Stop()
	if err := w.Serving.Stop(context.Background()); err != nil {
		w.t.Error(err)
	}
	w.Streams.Stop()
	w.DB.Close()
}

// Do runs one write that must succeed.
func (w *World) Do(fn func(tx *store.Tx) error) {
	w.t.Helper()
	if err := w.DB.Write(context.Background(), store.Control, fn); err != nil {
		w.t.Fatal(err)
	}
}

// Version registers and packages the next version of the model.
func (w *World) Version() (n int64) {
	w.t.Helper()
	ctx := context.Background()
	w.Do(func(tx *store.Tx) error {
		run, err := w.tracking.CreateRun(ctx, tx, Project, tracking.NewRun{})
		if err != nil {
			return err
		}
		v, err := w.Models.CreateVersion(ctx, tx, Project,
			registry.NewVersion{Model: "flights", Source: "s3://m", RunID: run.ID})
		if err == nil {
			n = v.N
		}
		return err
	})
	dir := w.t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "model.onnx"), []byte(fmt.Sprint(n)), 0o644); err != nil {
		w.t.Fatal(err)
	}
	manifest := engine.Manifest{Version: engine.ManifestVersion, Engine: engine.EngineONNX, Model: "model.onnx",
		Signature: Signature}
	if err := manifest.Write(dir); err != nil {
		w.t.Fatal(err)
	}
	entries, err := w.Blobs.PutDir(ctx, dir)
	if err != nil {
		w.t.Fatal(err)
	}
	w.Do(func(tx *store.Tx) error {
		if err := w.Blobs.LinkAll(tx, Project, registry.PackageOwner("flights", n), "", entries); err != nil {
			return err
		}
		return w.Models.SetCondition(ctx, tx, Project, "flights", n, registry.Condition{
			Type: registry.ConditionPackaged, Status: registry.True, Ref: fmt.Sprintf("%064d", n)})
	})
	return n
}

// Begin starts a rollout of the version.
func (w *World) Begin(version int64, e spec.Environment) (id string) {
	w.t.Helper()
	w.Do(func(tx *store.Tx) (err error) {
		id, err = w.Release.Start(context.Background(), tx, Project,
			release.Start{Environment: e, Model: "flights", Version: version})
		return err
	})
	return id
}

// Deploy registers a version, releases it and waits until it is served.
func (w *World) Deploy(e spec.Environment) int64 {
	w.t.Helper()
	n := w.Version()
	w.Begin(n, e)
	w.Settle()
	return n
}

// Shadow makes the version a standing shadow.
func (w *World) Shadow(version int64) {
	w.t.Helper()
	w.Do(func(tx *store.Tx) error {
		return w.Release.StartShadow(context.Background(), tx, Project, Endpoint, version, "test")
	})
}

// Rollback goes back to the newest standby.
func (w *World) Rollback(reason string) {
	w.t.Helper()
	w.Do(func(tx *store.Tx) error {
		return w.Release.RollbackEndpoint(context.Background(), tx, Project, Endpoint, reason)
	})
}

// Settle waits until nothing is left to do.
func (w *World) Settle() {
	w.t.Helper()
	w.Until("idle", func() bool {
		for _, idle := range []func() (bool, error){
			func() (bool, error) { return w.Ledger.Idle(context.Background()) },
			func() (bool, error) { return w.Serving.Idle(context.Background(), Project) },
		} {
			if ok, err := idle(); err != nil || !ok {
				return false
			}
		}
		return true
	})
}

// Until waits for what happens in the background.
func (w *World) Until(what string, cond func() bool) {
	w.t.Helper()
	deadline := time.After(time.Minute)
	for !cond() {
		select {
		case <-w.DB.Changed():
		case <-time.After(2 * time.Millisecond):
		case <-deadline:
			w.t.Fatalf("this did not happen in time: %s", what)
		}
	}
}

// Hours is a request with the required column.
func Hours(values ...float64) *engine.Frame { return engine.NewFrame(engine.Floats64("hr", values...)) }

// Infer calls the endpoint.
func (w *World) Infer(id string, at time.Time, f *engine.Frame) (*serving.Response, error) {
	return w.Serving.Infer(context.Background(), Project, Endpoint, serving.Request{ID: id, EventTime: at, Frame: f})
}

// MustInfer calls the endpoint, which must answer.
func (w *World) MustInfer(id string, at time.Time, f *engine.Frame) *serving.Response {
	w.t.Helper()
	res, err := w.Infer(id, at, f)
	if err != nil {
		w.t.Fatal(err)
	}
	return res
}

// Assignment returns what the endpoint should serve.
func (w *World) Assignment() (a *release.Assignment) {
	w.t.Helper()
	err := w.DB.Read(context.Background(), func(tx *store.Tx) (err error) {
		a, err = w.Release.Assignment(tx, Project, Endpoint)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// Roles writes what the endpoint has loaded: "2:live 1:standby".
func (w *World) Roles() string {
	w.t.Helper()
	all, err := w.Serving.Describe(context.Background(), Project, Endpoint, 0)
	if err != nil {
		return err.Error()
	}
	var out []string
	for _, l := range all {
		out = append(out, fmt.Sprintf("%d:%s", l.Version, l.Role))
	}
	return strings.Join(out, " ")
}

// Logged writes the log's predictions: "id v1=1003 v2=failed".
func (w *World) Logged() []string {
	w.t.Helper()
	var all []serving.Prediction
	err := w.DB.Read(context.Background(), func(tx *store.Tx) (err error) {
		all, err = w.Serving.Predictions(tx, Project, Endpoint, serving.Query{})
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	last := ""
	for _, p := range all {
		if p.RequestID != last {
			out, last = append(out, p.RequestID), p.RequestID
		}
		value := fmt.Sprintf(" v%d=%g", p.Version, p.Value)
		if p.Failed {
			value = fmt.Sprintf(" v%d=failed", p.Version)
		}
		out[len(out)-1] += value
	}
	return out
}

// Requests returns the log.
func (w *World) Requests() (out []serving.LoggedRequest) {
	w.t.Helper()
	err := w.DB.Read(context.Background(), func(tx *store.Tx) (err error) {
		out, err = w.Serving.Requests(tx, Project, Endpoint, serving.Query{})
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}
