package serving_test

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

const name = "bikes@production"

var (
	project = fairlead.Project{K: 1, Name: "default"}
	march   = time.Date(2011, 3, 1, 0, 0, 0, 0, time.UTC)
	wall    = time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
)

func env(strategy, log string) spec.Environment {
	e := spec.Environment{Name: "production", Strategy: strategy, Log: log, Keep: 2}
	if strategy == spec.Canary {
		e.Steps = []float64{25, 100}
		e.Hold = spec.Hold{Labels: 48, AtMost: spec.Duration{Duration: 14 * 24 * time.Hour}}
	}
	return e
}

// engines stands for the engines: a package's model file holds a number, which the
// model adds to the request's first column. Tests make versions fail or hang.
type engines struct {
	mu     sync.Mutex
	broken map[int64]error                                // what loading the version gives
	hooks  map[int64]func(ctx context.Context) error      // runs in each prediction
	made   map[int64]func(in *engine.Frame) *engine.Frame // instead of adding
	slow   map[int64]chan struct{}                        // loading waits for it
	loads  map[int64]int
	open   atomic.Int64
	misuse atomic.Int64 // predictions by closed models
}

type model struct {
	engines *engines
	version int64
	sig     engine.Signature
	closed  atomic.Bool
}

var signature = engine.Signature{
	Inputs:  []engine.Field{{Name: "hr", Kind: engine.Double, Required: true}, {Name: "hum", Kind: engine.Double}},
	Outputs: []engine.Field{{Name: "riders", Kind: engine.Double}},
}

func (e *engines) load(ctx context.Context, dir string) (engine.Predictor, *engine.Manifest, error) {
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
		return nil, nil, err
	}
	e.mu.Lock()
	e.loads[version]++
	wait, broken := e.slow[version], e.broken[version]
	e.mu.Unlock()
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

func (e *engines) set(fn func(e *engines)) {
	e.mu.Lock()
	defer e.mu.Unlock()
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
	m.engines.mu.Lock()
	hook, made := m.engines.hooks[m.version], m.engines.made[m.version]
	m.engines.mu.Unlock()
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

func (m *model) Close() error {
	if m.closed.Swap(true) {
		return errors.New("closed twice")
	}
	m.engines.open.Add(-1)
	return nil
}

// world is the serving stage on real services, with fake engines.
type world struct {
	t       testing.TB
	dir     string
	clock   *fairlead.FakeClock
	engines *engines
	db      *store.DB
	led     *ledger.Ledger
	streams *stream.Service
	blobs   *blob.Store
	models  *registry.Service
	release *release.Service
	serving *serving.Service
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), clock: fairlead.NewFakeClock(wall), engines: &engines{
		broken: map[int64]error{}, hooks: map[int64]func(context.Context) error{},
		made: map[int64]func(*engine.Frame) *engine.Frame{},
		slow: map[int64]chan struct{}{}, loads: map[int64]int{}}}
	w.start()
	w.do(func(tx *store.Tx) error {
		_, err := w.models.EnsureModel(context.Background(), tx, project, "bikes")
		return err
	})
	t.Cleanup(func() {
		w.stop()
		if n := w.engines.misuse.Load(); n != 0 {
			t.Errorf("%d predictions by models that were closed", n)
		}
		if n := w.engines.open.Load(); n != 0 {
			t.Errorf("%d models were left open", n)
		}
	})
	return w
}

// start starts the program on the data directory, as it stands.
func (w *world) start() {
	w.t.Helper()
	must := func(err error) {
		w.t.Helper()
		if err != nil {
			w.t.Fatal(err)
		}
	}
	var err error
	ctx, log := context.Background(), slog.New(slog.DiscardHandler)
	w.db, err = store.Open(ctx, store.Options{Path: filepath.Join(w.dir, "f.db")},
		ledger.Schema(), stream.Schema(), job.Schema(), spec.Tables(), blob.Schema(),
		tracking.Schema(), registry.Schema(), gate.Schema(), release.Schema(), serving.Schema())
	must(err)
	w.led = ledger.New(w.db, w.clock, log)
	w.streams = stream.New(w.db, w.clock, log)
	jobs := job.New(w.db, w.led, w.clock, log, job.Options{})
	projects := spec.NewProjects(w.db, w.led, w.clock)
	gates, err := gate.New(gate.Deps{DB: w.db, Ledger: w.led, Jobs: jobs, Clock: w.clock, Log: log}, w.dir)
	must(err)
	w.blobs, err = blob.New(w.db, w.dir)
	must(err)
	w.models = registry.New(w.db, w.led, w.blobs, tracking.New(w.db, w.led, w.blobs, w.clock), w.clock)
	w.release = release.New(release.Deps{DB: w.db, Ledger: w.led, Stream: w.streams,
		Projects: projects, Registry: w.models, Gate: gates, Clock: w.clock, Log: log})
	w.serving = serving.New(serving.Deps{DB: w.db, Ledger: w.led, Stream: w.streams, Projects: projects,
		Blobs: w.blobs, Registry: w.models, Release: w.release, Load: w.engines.load, Clock: w.clock, Log: log,
		Dir: w.dir, RetryAfter: time.Millisecond})
	must(w.led.Start(ctx))
	must(w.serving.Start(ctx))
}

// stop ends the program; nothing but the data directory is left of it.
func (w *world) stop() {
	w.led.Stop()
	w.serving.Stop()
	w.streams.Stop()
	w.db.Close()
}

func (w *world) do(fn func(tx *store.Tx) error) {
	w.t.Helper()
	if err := w.db.Write(context.Background(), store.Control, fn); err != nil {
		w.t.Fatal(err)
	}
}

// version registers and packages the next version of the model.
func (w *world) version() (n int64) {
	w.t.Helper()
	ctx := context.Background()
	w.do(func(tx *store.Tx) error {
		v, err := w.models.CreateVersion(ctx, tx, project, registry.NewVersion{Model: "bikes", Source: "s3://m"})
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
		Signature: signature}
	if err := manifest.Write(dir); err != nil {
		w.t.Fatal(err)
	}
	entries, err := w.blobs.PutDir(ctx, dir)
	if err != nil {
		w.t.Fatal(err)
	}
	w.do(func(tx *store.Tx) error {
		if err := w.blobs.LinkAll(tx, project, registry.PackageOwner("bikes", n), "", entries); err != nil {
			return err
		}
		return w.models.SetCondition(ctx, tx, project, "bikes", n, registry.Condition{
			Type: registry.ConditionPackaged, Status: registry.True, Ref: fmt.Sprintf("%064d", n)})
	})
	return n
}

func (w *world) begin(version int64, e spec.Environment) (id string) {
	w.t.Helper()
	w.do(func(tx *store.Tx) (err error) {
		id, err = w.release.Start(context.Background(), tx, project,
			release.Start{Environment: e, Model: "bikes", Version: version})
		return err
	})
	return id
}

// deploy registers a version, releases it and waits until it is served.
func (w *world) deploy(e spec.Environment) int64 {
	w.t.Helper()
	n := w.version()
	w.begin(n, e)
	w.settle()
	return n
}

func (w *world) rollback(reason string) {
	w.t.Helper()
	w.do(func(tx *store.Tx) error {
		return w.release.RollbackEndpoint(context.Background(), tx, project, name, reason)
	})
}

// settle waits until nothing is left to do.
func (w *world) settle() {
	w.t.Helper()
	w.until("idle", func() bool {
		for _, idle := range []func() (bool, error){
			func() (bool, error) { return w.led.Idle(context.Background()) },
			func() (bool, error) { return w.serving.Idle(context.Background(), project) },
		} {
			if ok, err := idle(); err != nil || !ok {
				return false
			}
		}
		return true
	})
}

// until waits for what happens in the background.
func (w *world) until(what string, cond func() bool) {
	w.t.Helper()
	deadline := time.After(20 * time.Second)
	for !cond() {
		select {
		case <-w.db.Changed():
		case <-time.After(2 * time.Millisecond):
		case <-deadline:
			w.t.Fatalf("this did not happen in time: %s", what)
		}
	}
}

func hours(values ...float64) *engine.Frame { return engine.NewFrame(engine.Floats64("hr", values...)) }

func (w *world) infer(id string, at time.Time, f *engine.Frame) (*serving.Response, error) {
	return w.serving.Infer(context.Background(), project, name, serving.Request{ID: id, EventTime: at, Frame: f})
}

func (w *world) mustInfer(id string, at time.Time, f *engine.Frame) *serving.Response {
	w.t.Helper()
	res, err := w.infer(id, at, f)
	if err != nil {
		w.t.Fatal(err)
	}
	return res
}

func (w *world) assignment() (a *release.Assignment) {
	w.t.Helper()
	err := w.db.Read(context.Background(), func(tx *store.Tx) (err error) {
		a, err = w.release.Assignment(tx, project, name)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// roles writes what the endpoint has loaded: "2:live 1:standby".
func (w *world) roles() string {
	w.t.Helper()
	all, err := w.serving.Describe(context.Background(), project, name, 0)
	if err != nil {
		return err.Error()
	}
	var out []string
	for _, l := range all {
		out = append(out, fmt.Sprintf("%d:%s", l.Version, l.Role))
	}
	return strings.Join(out, " ")
}

// logged writes the log's predictions: "id v1=1003 v2=failed".
func (w *world) logged() []string {
	w.t.Helper()
	var all []serving.Prediction
	err := w.db.Read(context.Background(), func(tx *store.Tx) (err error) {
		all, err = w.serving.Predictions(tx, project, name, serving.Query{})
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

func (w *world) requests() (out []serving.LoggedRequest) {
	w.t.Helper()
	err := w.db.Read(context.Background(), func(tx *store.Tx) (err error) {
		out, err = w.serving.Requests(tx, project, name, serving.Query{})
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}
