package onnx_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/engine/enginetest"
	"github.com/fairlead-ml/fairlead/engine/onnx"
	"github.com/fairlead-ml/fairlead/engine/packager"
	"github.com/fairlead-ml/fairlead/engine/pyenv"
	scripts "github.com/fairlead-ml/fairlead/python"
)

func TestMain(m *testing.M) {
	if os.Getenv("FAIRLEAD_PROBE") == "hang" {
		select {}
	}
	if os.Getenv("FAIRLEAD_PROBE") == "crash" {
		var p *int
		*p = 1
	}
	onnx.ProbeMain()
	status := m.Run()
	for _, dir := range packages.dirs {
		os.RemoveAll(dir)
	}
	os.Exit(status)
}

func environment(t testing.TB) *pyenv.Env {
	return enginetest.Env(t, enginetest.Training, scripts.Converters)
}

func open(t testing.TB) *onnx.Runtime {
	t.Helper()
	path, err := onnx.Find(environment(t).Dir)
	if err != nil {
		t.Fatal(err)
	}
	r, err := onnx.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// packaged returns a package of one of enginetest's models, made once a run.
func packaged(t testing.TB, name, inputs string) (string, *engine.Manifest) {
	t.Helper()
	models := enginetest.Models(t)
	packages.Lock()
	defer packages.Unlock()
	if dir, ok := packages.dirs[name]; ok {
		m, err := engine.ReadManifest(dir)
		if err != nil {
			t.Fatal(err)
		}
		return dir, m
	}
	dir, err := os.MkdirTemp("", "fairlead-onnx-")
	if err != nil {
		t.Fatal(err)
	}
	m, err := packager.Package(t.Context(), packager.Options{Env: environment(t), OutDir: dir,
		ModelDir: filepath.Join(models, name), Inputs: filepath.Join(models, inputs)})
	if err != nil {
		t.Fatal(err)
	}
	packages.dirs[name] = dir
	return dir, m
}

var packages = struct {
	sync.Mutex
	dirs map[string]string
}{dirs: map[string]string{}}

func load(t testing.TB, name, inputs string) engine.Predictor {
	t.Helper()
	r := open(t)
	dir, m := packaged(t, name, inputs)
	p, err := r.Load(dir, m)
	if err != nil {
		t.Fatal(err)
	}
	if m.Parity.Reason != "" || float64(m.Parity.MaxRelative) > 1e-6 {
		t.Errorf("%s: parity %+v", name, m.Parity)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// recorded reads rows of inputs.json as a batch, and LightGBM's own predictions.
func recorded(t testing.TB, rows int) (*engine.Frame, []float64) {
	t.Helper()
	models := enginetest.Models(t)
	var table []map[string]*float64
	readJSON(t, filepath.Join(models, "inputs.json"), &table)
	expected := map[string][]float64{}
	readJSON(t, filepath.Join(models, "expected.json"), &expected)
	f := &engine.Frame{Rows: rows}
	for _, name := range []string{"temp", "hr", "holiday", "weekday", "workingday", "weathersit",
		"atemp", "hum", "windspeed"} {
		values := make([]float64, rows)
		for i := range values {
			values[i] = math.NaN()
			if v := table[i][name]; v != nil {
				values[i] = *v
			}
		}
		f.Columns = append(f.Columns, engine.Floats64(name, values...))
	}
	return f, expected["lightgbm-skops"][:rows]
}

func readJSON(t testing.TB, path string, v any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
}

func TestPredict_EqualsLightGBM(t *testing.T) {
	p := load(t, "lightgbm-skops", "inputs.parquet")
	for _, rows := range []int{1, 200, 1, 7} {
		in, want := recorded(t, rows)
		out, err := p.Predict(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		if out.Rows != rows || len(out.Columns) != 1 || out.Columns[0].Name != "prediction" {
			t.Fatalf("output %+v", out)
		}
		for i, got := range out.Columns[0].Floats {
			if d := math.Abs(got-want[i]) / max(1, math.Abs(want[i])); d > 1e-7 {
				t.Errorf("row %d: %v, LightGBM says %v", i, got, want[i])
			}
		}
	}
}

func TestPredict_TakesMissingColumnsAsMissingValues(t *testing.T) {
	p := load(t, "lightgbm-skops", "inputs.parquet")
	in, _ := recorded(t, 1)
	wind := in.Column("windspeed")
	wind.Floats[0] = math.NaN()
	null, err := p.Predict(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	in.Columns = in.Columns[:len(in.Columns)-1]
	absent, err := p.Predict(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if null.Columns[0].Floats[0] != absent.Columns[0].Floats[0] {
		t.Error("an absent optional column and a null differ")
	}
	in.Columns[0].Floats[0] = math.NaN()
	if _, err := p.Predict(t.Context(), in); !fairlead.Is(err, fairlead.Invalid) {
		t.Errorf("a null in a required column: %v", err)
	}
}

func TestPredict_AnswersLabelsProbabilitiesAndText(t *testing.T) {
	in, _ := recorded(t, 200)
	in.Column("hum").Valid = nil
	for i, v := range in.Column("windspeed").Floats {
		if math.IsNaN(v) {
			in.Column("windspeed").Floats[i] = 0.2
		}
	}
	labels := predict(t, "lightgbm-classifier", "inputs.parquet", in).Columns[0]
	chance := predict(t, "lightgbm-binary", "inputs.parquet", in).Columns[0]
	words := predict(t, "logistic-labels", "inputs.parquet", in).Columns[0]
	both := predict(t, "logistic-probabilities", "inputs.parquet", in)
	for i := range 200 {
		if (labels.Ints[i] == 1) != (chance.Floats[i] > 0.5) {
			t.Errorf("row %d: label %d with chance %v", i, labels.Ints[i], chance.Floats[i])
		}
		busy, calm := both.Columns[0].Floats[i], both.Columns[1].Floats[i]
		if math.Abs(busy+calm-1) > 1e-6 || (words.Strings[i] == "busy") != (busy > calm) {
			t.Errorf("row %d: %s with %v and %v", i, words.Strings[i], busy, calm)
		}
	}
}

func predict(t *testing.T, name, inputs string, in *engine.Frame) *engine.Frame {
	t.Helper()
	out, err := load(t, name, inputs).Predict(t.Context(), in)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return out
}

func TestPredict_TakesDoubles(t *testing.T) {
	in := engine.NewFrame(engine.Ints64("hr", 10_000_000, 10_000_012))
	out := predict(t, "offset-scaler", "offset.parquet", in)
	if v := out.Columns[0].Floats; len(v) != 2 || math.Abs(v[0]-v[1]) < 0.1 {
		t.Errorf("output %v", v)
	}
}

func TestPredict_TakesATextColumn(t *testing.T) {
	in := engine.NewFrame(
		engine.Strings("weather", "clear", "rain"), engine.Floats64("temp", 0.5, 0.5))
	out := predict(t, "named-columns", "text.parquet", in)
	if out.Rows != 2 || out.Columns[0].Floats[0] == out.Columns[0].Floats[1] {
		t.Errorf("output %+v", out)
	}
}

func TestPredict_ServesManyCallersAndOutlivesClose(t *testing.T) {
	p := load(t, "lightgbm-skops", "inputs.parquet")
	in, want := recorded(t, 16)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for rows := 1; rows <= 16; rows++ {
				out, err := p.Predict(t.Context(), head(in, rows))
				if fairlead.Is(err, fairlead.Unavailable) {
					return // closed below
				}
				if err != nil || math.Abs(out.Columns[0].Floats[rows-1]-want[rows-1]) > 1e-2 {
					t.Errorf("%d rows: %v", rows, err)
				}
			}
		})
	}
	p.Close()
	wg.Wait()
	p.Close()
	if _, err := p.Predict(t.Context(), in); !fairlead.Is(err, fairlead.Unavailable) {
		t.Errorf("after Close: %v", err)
	}
}

func head(f *engine.Frame, rows int) *engine.Frame {
	out := &engine.Frame{Rows: rows}
	for _, c := range f.Columns {
		c.Floats = c.Floats[:rows]
		out.Columns = append(out.Columns, c)
	}
	return out
}

func TestPredict_EndsWithItsContext(t *testing.T) {
	p := load(t, "lightgbm-skops", "inputs.parquet")
	in, _ := recorded(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Predict(ctx, in); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := p.Predict(t.Context(), in); err != nil {
		t.Errorf("after a cancelled call: %v", err)
	}
}

func TestLoad_RefusesWhatIsNoModel(t *testing.T) {
	r := open(t)
	dir := t.TempDir()
	path := filepath.Join(dir, "model.onnx")
	if err := os.WriteFile(path, []byte("not a model"), 0o644); err != nil {
		t.Fatal(err)
	}
	m := &engine.Manifest{Version: 1, Engine: engine.EngineONNX, Model: "model.onnx"}
	if _, err := r.Load(dir, m); !fairlead.Is(err, fairlead.Invalid) {
		t.Errorf("got %v", err)
	}
	m.Engine = engine.EnginePython
	if _, err := r.Load(dir, m); !fairlead.Is(err, fairlead.Invalid) {
		t.Errorf("a Python package: %v", err)
	}
}

func TestProbe_TriesAModelInAnotherProcess(t *testing.T) {
	r := open(t)
	dir, m := packaged(t, "lightgbm-skops", "inputs.parquet")
	if err := onnx.Probe(t.Context(), "", r.Path(), dir); err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	content, err := os.ReadFile(filepath.Join(dir, "model.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(other, "model.onnx"), content, 0o644); err != nil {
		t.Fatal(err)
	}
	m.Parity.Worst.ONNX += 1
	if err := m.Write(other); err != nil {
		t.Fatal(err)
	}
	err = onnx.Probe(t.Context(), "", r.Path(), other)
	if !fairlead.Is(err, fairlead.Invalid) || !strings.Contains(err.Error(), "when it was packaged") {
		t.Errorf("another answer: %v", err)
	}
}

func TestProbe_SurvivesCrashAndHang(t *testing.T) {
	err := onnx.Probe(t.Context(), "", "", "crash")
	if !fairlead.Is(err, fairlead.Invalid) || !strings.Contains(err.Error(), "ended its process") {
		t.Errorf("crash: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := onnx.Probe(ctx, "", "", "hang"); !fairlead.Is(err, fairlead.Unavailable) {
		t.Errorf("hang: %v", err)
	}
}

func TestFind_LooksWhereItIsTold(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("FAIRLEAD_ONNXRUNTIME", "")
	capi := filepath.Join(dir, "env", "lib", "python3.11", "site-packages", "onnxruntime", "capi")
	if err := os.MkdirAll(capi, 0o755); err != nil {
		t.Fatal(err)
	}
	library := filepath.Join(capi, "libonnxruntime.so.1.31.1")
	if err := os.WriteFile(library, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, hint := range []string{library, filepath.Join(dir, "env")} {
		if got, err := onnx.Find(hint); err != nil || got != library {
			t.Errorf("Find(%s) = %s, %v", hint, got, err)
		}
	}
	t.Setenv("FAIRLEAD_ONNXRUNTIME", filepath.Join(dir, "env"))
	if got, err := onnx.Find(); err != nil || got != library {
		t.Errorf("by the variable: %s, %v", got, err)
	}
	t.Setenv("FAIRLEAD_ONNXRUNTIME", filepath.Join(dir, "nowhere"))
	if _, err := onnx.Find(filepath.Join(dir, "env")); !fairlead.Is(err, fairlead.NotFound) {
		t.Errorf("a wrong variable: %v", err)
	}
	t.Setenv("FAIRLEAD_ONNXRUNTIME", "")
	if err := os.Rename(filepath.Join(dir, "env"), filepath.Join(dir, "other")); err != nil {
		t.Fatal(err)
	}
	if _, err := onnx.Find(); err == nil || !strings.Contains(err.Error(), "make setup") {
		t.Errorf("nowhere: %v", err)
	}
}

func TestOpen_RefusesWhatIsNoLibrary(t *testing.T) {
	path := filepath.Join(t.TempDir(), "libonnxruntime.so")
	// Another test may have opened the real library by now: then this is a conflict.
	refused := func(err error) bool {
		return fairlead.Is(err, fairlead.Precondition) || fairlead.Is(err, fairlead.Conflict)
	}
	if _, err := onnx.Open(path); !refused(err) {
		t.Errorf("absent: %v", err)
	}
	if err := os.WriteFile(path, []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := onnx.Open(path); !refused(err) {
		t.Errorf("text: %v", err)
	}
}

func BenchmarkPredict(b *testing.B) {
	p := load(b, "lightgbm-skops", "inputs.parquet")
	for _, rows := range []int{1, 100} {
		in, _ := recorded(b, rows)
		b.Run(map[int]string{1: "rows=1", 100: "rows=100"}[rows], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Predict(b.Context(), in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
