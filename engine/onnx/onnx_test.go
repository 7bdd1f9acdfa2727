package onnx_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/engine/enginetest"
	"github.com/fairlead-ml/fairlead/engine/onnx"
	"github.com/fairlead-ml/fairlead/engine/pyenv"
	scripts "github.com/fairlead-ml/fairlead/python"
)

func TestMain(m *testing.M) {
	onnx.ChildMain()
	if dir := os.Getenv("TEST_SERVER"); dir != "" {
		serveOnce(dir)
	}
	os.Exit(m.Run())
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

func load(t testing.TB, name, inputs string) engine.Predictor {
	t.Helper()
	r := open(t)
	dir, m := enginetest.Package(t, name, inputs)
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

// raw returns a package of one of models.py's own ONNX models: x in, numbers out.
func raw(t testing.TB, name string) (string, *engine.Manifest) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(enginetest.Models(t), "onnx", name+".onnx"))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), name)
	m := &engine.Manifest{Version: engine.ManifestVersion, Engine: engine.EngineONNX,
		Model: "model.onnx", Signature: engine.Signature{
			Inputs: []engine.Field{{Name: "x", Kind: engine.Double, Required: true}}}}
	err = errors.Join(os.Mkdir(dir, 0o755),
		os.WriteFile(filepath.Join(dir, m.Model), content, 0o644), m.Write(dir))
	if err != nil {
		t.Fatal(err)
	}
	return dir, m
}

func x(values ...float64) *engine.Frame { return engine.NewFrame(engine.Floats64("x", values...)) }

func loadRaw(t *testing.T, name string) engine.Predictor {
	t.Helper()
	dir, m := raw(t, name)
	p, err := open(t).Load(dir, m)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// forever is more rounds of the model "loop" than a test can wait for.
const forever = 1e15

func TestPredict_EndsWithItsContext(t *testing.T) {
	p := loadRaw(t, "loop")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := p.Predict(ctx, x(forever)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without end: %v", err)
	}
	out, err := p.Predict(t.Context(), x(1, 3))
	if err != nil || out.Columns[0].Floats[0] != 8 || out.Columns[0].Floats[1] != 24 {
		t.Errorf("after a call that was cut off: %+v, %v", out, err)
	}
}

func TestPredict_IsNotHeldUpByTheBackground(t *testing.T) {
	p := loadRaw(t, "loop")
	ctx, cancel := context.WithCancel(t.Context())
	var background sync.WaitGroup
	for range runtime.GOMAXPROCS(0) + 1 {
		background.Go(func() {
			_, err := p.Predict(engine.Background(ctx), x(forever))
			if !errors.Is(err, context.Canceled) {
				t.Errorf("in the background: %v", err)
			}
		})
	}
	for range 100 { // by then the background has what it can get
		if _, err := p.Predict(t.Context(), x(1)); err != nil {
			t.Fatal(err)
		}
	}
	cancel()
	background.Wait()
}

func TestPredict_SplitsOutputsThatAreNoFloats(t *testing.T) {
	out, err := loadRaw(t, "pair").Predict(t.Context(), x(1, 5, 7))
	if err != nil {
		t.Fatal(err)
	}
	if out.Rows != 3 || len(out.Columns) != 2 || !slices.Equal(out.Columns[0].Ints, []int64{1, 5, 7}) ||
		!slices.Equal(out.Columns[1].Ints, []int64{2, 6, 8}) || out.Columns[1].Name != "prediction_1" {
		t.Errorf("integers: %+v", out)
	}
	out, err = loadRaw(t, "texts").Predict(t.Context(), x(1, 5))
	if err != nil {
		t.Fatal(err)
	}
	if out.Rows != 2 || len(out.Columns) != 2 ||
		!slices.Equal(out.Columns[1].Strings, []string{"2", "6"}) {
		t.Errorf("texts: %+v", out)
	}
}

func TestPredict_RefusesAnAnswerThatDoesNotFollowTheRows(t *testing.T) {
	p := loadRaw(t, "total")
	if out, err := p.Predict(t.Context(), x(1)); err != nil || out.Columns[0].Ints[0] != 1 {
		t.Errorf("one row: %+v, %v", out, err)
	}
	_, err := p.Predict(t.Context(), x(1, 2))
	if !fairlead.Is(err, fairlead.Internal) || !strings.Contains(err.Error(), "shape [1 1]") {
		t.Errorf("two rows: %v", err)
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

func TestFind_LooksWhereItIsTold(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "[a*") // a directory's own name is no pattern
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
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
	if _, err := onnx.Find(filepath.Join(dir, "env")); !errors.Is(err, engine.ErrAbsent) {
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
		return fairlead.Is(err, fairlead.Unavailable) && errors.Is(err, engine.ErrAbsent) ||
			fairlead.Is(err, fairlead.Conflict)
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
