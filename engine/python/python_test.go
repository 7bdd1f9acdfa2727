package python_test

import (
	"context"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/engine/enginetest"
	"github.com/fairlead-ml/fairlead/engine/python"
	"github.com/fairlead-ml/fairlead/engine/worker"
)

// model does what its column "what" says, on the first row.
const model = `
import errno, os, signal
import numpy as np, pandas as pd

class Model:
    def predict(self, df):
        what = df["what"].iloc[0]
        if what == "raise": raise ValueError("no such flight")
        if what == "die": os.kill(os.getpid(), signal.SIGKILL)
        if what == "memory": raise MemoryError
        if what == "disk": raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if what == "short": return df["x"].to_numpy()[:0]
        if what == "series": return df["x"] * 2
        if what == "list": return [float(v) for v in df["x"]]
        if what == "matrix": return np.column_stack([df["x"], -df["x"]])
        if what == "text": return df["what"].str.upper()
        if what == "types": return pd.DataFrame({c: [str(t)] for c, t in df.dtypes.items()})
        if what == "echo": return df[["i", "b", "x", "at"]]
        return df["x"].to_numpy() + 1

def _load_pyfunc(path): return Model()
`

const inputs = `[{"type":"string","name":"what","required":true},` +
	`{"type":"double","name":"x","required":false},{"type":"long","name":"i","required":false},` +
	`{"type":"boolean","name":"b","required":false},{"type":"datetime","name":"at","required":false}]`

const output = `[{"type":"double","name":"riders","required":true}]`

func signature(t *testing.T, in, out string) engine.Signature {
	t.Helper()
	sig, err := engine.ParseSignature(in, out)
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

// shared returns one worker for the tests that leave it as it was.
// shared returns one worker for all tests; they leave it as it was.
func shared(t *testing.T) *worker.Worker {
	t.Helper()
	env := enginetest.Env(t, enginetest.Serving)
	dir := enginetest.Pyfunc(t, model, inputs, output)
	sharedOnce.Do(func() {
		sharedWorker, sharedErr = python.Start(context.Background(), python.Options{
			Python: env.Python, ModelDir: dir,
			Worker: worker.Options{Dir: dir, Signature: signature(t, inputs, output)}})
	})
	if sharedErr != nil {
		t.Fatal(sharedErr)
	}
	return sharedWorker
}

var (
	sharedOnce   sync.Once
	sharedWorker *worker.Worker
	sharedErr    error
)

func TestMain(m *testing.M) {
	status := m.Run()
	if sharedWorker != nil {
		sharedWorker.Close()
	}
	os.Exit(status)
}

func ask(what string, x ...float64) *engine.Frame {
	if len(x) == 0 {
		x = []float64{1}
	}
	words := make([]string, len(x))
	for i := range words {
		words[i] = what
	}
	return engine.NewFrame(engine.Strings("what", words...), engine.Floats64("x", x...))
}

func TestPredict_ReturnsWhatAnyPyfuncReturns(t *testing.T) {
	t.Parallel()
	w := shared(t)
	cases := []struct {
		what string
		want engine.Column
	}{
		{"array", engine.Floats64("riders", 2, 3.5)},
		{"series", engine.Floats64("riders", 2, 5)}, // one output, whatever column it came from
		{"list", engine.Floats64("riders", 1, 2.5)},
		{"matrix", engine.Floats64("prediction_0", 1, 2.5)},
	}
	for _, c := range cases {
		out, err := w.Predict(t.Context(), ask(c.what, 1, 2.5))
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		got := out.Columns[0]
		if got.Name != c.want.Name || out.Rows != 2 || got.Floats[0] != c.want.Floats[0] ||
			got.Floats[1] != c.want.Floats[1] {
			t.Errorf("%s: %+v", c.what, got)
		}
	}
	out, err := w.Predict(t.Context(), ask("text"))
	if err != nil || out.Columns[0].Kind != engine.String || out.Columns[0].Strings[0] != "TEXT" {
		t.Errorf("text: %+v, %v", out, err)
	}
}

func TestPredict_KeepsTypesAndMissingValues(t *testing.T) {
	t.Parallel()
	w := shared(t)
	big := int64(1)<<62 + 1
	in := engine.NewFrame(
		engine.Strings("what", "echo", "echo"), engine.Floats64("x", 0.1, math.NaN()),
		engine.Ints64("i", big, -big),
		engine.Column{Name: "b", Kind: engine.Boolean, Floats: []float64{1, 0}},
		engine.Column{Name: "at", Kind: engine.Datetime,
			Strings: []string{"2011-03-01T05:00:00+02:00", ""}, Valid: []bool{true, false}},
	)
	out, err := w.Predict(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][2]any{"i": {big, -big}, "b": {true, false}, "x": {0.1, nil}}
	for name, v := range want {
		c := out.Column(name)
		if c.Value(0) != v[0] || c.Value(1) != v[1] {
			t.Errorf("%s: %v, %v", name, c.Value(0), c.Value(1))
		}
	}
	at := out.Column("at")
	if !strings.HasPrefix(at.Strings[0], "2011-03-01T03:00:00") || !at.Missing(1) {
		t.Errorf("at: %+v", at)
	}
	types, err := w.Predict(t.Context(), ask("types"))
	if err != nil {
		t.Fatal(err)
	}
	for name, dtype := range map[string]string{"x": "float64", "i": "float64", "b": "object"} {
		if got := types.Column(name).Strings[0]; got != dtype {
			t.Errorf("missing %s has type %s", name, got)
		}
	}
}

func TestPredict_RefusesWhatBreaksTheSignature(t *testing.T) {
	t.Parallel()
	w := shared(t)
	big := engine.Ints64("i", 1<<60+1, 0)
	big.Valid = []bool{true, false}
	for name, in := range map[string]*engine.Frame{
		"missing column": engine.NewFrame(engine.Floats64("x", 1)),
		"wrong type":     engine.NewFrame(engine.Strings("what", "a"), engine.Strings("x", "1")),
		"inexact":        engine.NewFrame(engine.Strings("what", "a", "b"), big),
		"no time": engine.NewFrame(engine.Strings("what", "a"),
			engine.Column{Name: "at", Kind: engine.String, Strings: []string{"noon"}}),
	} {
		if _, err := w.Predict(t.Context(), in); !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPredict_SaysWhoseFaultAFailureIs(t *testing.T) {
	t.Parallel()
	w := shared(t)
	for what, want := range map[string]struct {
		code fairlead.Code
		text string
	}{
		"raise":  {fairlead.Internal, "failed on this request: ValueError: no such flight"},
		"short":  {fairlead.Internal, "ValueError"},
		"memory": {fairlead.Unavailable, "MemoryError"},
		"disk":   {fairlead.Unavailable, "No space left"},
	} {
		_, err := w.Predict(t.Context(), ask(what))
		if !fairlead.Is(err, want.code) || !strings.Contains(err.Error(), want.text) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestStart_TellsTheModelsFaultFromTheMachines(t *testing.T) {
	t.Parallel()
	env := enginetest.Env(t, enginetest.Serving)
	cases := []struct {
		source string
		code   fairlead.Code
		want   string
	}{
		{"import xgboost", fairlead.Invalid,
			"does not load: ModuleNotFoundError: No module named 'xgboost'"},
		{"import sys; sys.exit(1)", fairlead.Invalid, "SystemExit"},
		{"raise MemoryError", fairlead.Unavailable, "MemoryError"},
	}
	for _, c := range cases {
		t.Run(c.want, func(t *testing.T) {
			t.Parallel()
			_, err := python.Start(t.Context(), python.Options{
				Python: env.Python, ModelDir: enginetest.Pyfunc(t, c.source, inputs, output),
				Worker: worker.Options{Dir: t.TempDir()}})
			if !fairlead.Is(err, c.code) || !strings.Contains(err.Error(), c.want) {
				t.Error(err)
			}
		})
	}
	_, err := python.Start(t.Context(), python.Options{Python: "/nonexistent"})
	if !fairlead.Is(err, fairlead.Unavailable) || !errors.Is(err, engine.ErrAbsent) {
		t.Errorf("no interpreter: %v", err)
	}
}

func TestWorker_IsStartedAgain(t *testing.T) {
	t.Parallel()
	env := enginetest.Env(t, enginetest.Serving)
	w, err := python.Start(t.Context(), python.Options{
		Python: env.Python, ModelDir: enginetest.Pyfunc(t, model, inputs, output),
		Worker: worker.Options{Dir: t.TempDir(), Signature: signature(t, inputs, output)}})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	_, err = w.Predict(t.Context(), ask("die"))
	if !fairlead.Is(err, fairlead.Unavailable) || !strings.Contains(err.Error(), "died") {
		t.Error(err)
	}
	if out, err := w.Predict(t.Context(), ask("array")); err != nil || out.Columns[0].Floats[0] != 2 {
		t.Errorf("after a death: %v", err)
	}
}

func TestStart_LeavesAScriptThatIsThere(t *testing.T) {
	opts := python.Options{Worker: worker.Options{Dir: t.TempDir()}}
	script, before := filepath.Join(opts.Worker.Dir, "fairlead_worker.py"), time.Unix(1e9, 0)
	opts.Python, _ = exec.LookPath("true") // no model loads
	changed := func() bool {
		t.Helper()
		if _, err := python.Start(t.Context(), opts); err == nil {
			t.Fatal("a model has loaded")
		}
		info, err := os.Stat(script)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(script, before, before); err != nil {
			t.Fatal(err)
		}
		return !info.ModTime().Equal(before)
	}
	if !changed() || changed() {
		t.Error("the script was not written once")
	}
	if err := os.WriteFile(script, []byte("an older one"), 0o644); err != nil {
		t.Fatal(err)
	}
	if !changed() {
		t.Error("an older script was left")
	}
}

func TestWorkers_RunModelsWhoseDependenciesDiffer(t *testing.T) {
	t.Parallel()
	source := `
import numpy, pandas
class Model:
    def predict(self, df):
        return pandas.DataFrame({"pandas": [pandas.__version__], "numpy": [numpy.__version__]})
def _load_pyfunc(path): return Model()
`
	in := `[{"type":"double","name":"x","required":true}]`
	want := map[string]string{enginetest.Serving: "3.1.1 2.4.6", enginetest.Older: "2.3.3 2.2.6"}
	for requirements, versions := range want {
		env := enginetest.Env(t, requirements)
		w, err := python.Start(t.Context(), python.Options{
			Python: env.Python, ModelDir: enginetest.Pyfunc(t, source, in, ""),
			Worker: worker.Options{Signature: signature(t, in, ""), Dir: t.TempDir()}})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		out, err := w.Predict(t.Context(), engine.NewFrame(engine.Floats64("x", 1)))
		if err != nil {
			t.Fatal(err)
		}
		got := out.Column("pandas").Strings[0] + " " + out.Column("numpy").Strings[0]
		if got != versions {
			t.Errorf("got %s, want %s", got, versions)
		}
	}
}

func BenchmarkPredict(b *testing.B) {
	env := enginetest.Env(b, enginetest.Serving)
	source := "import numpy\nclass Model:\n    def predict(self, data): return numpy.ravel(data)\n" +
		"def _load_pyfunc(path): return Model()\n"
	for name, in := range map[string]string{
		"frame": `[{"type":"double","name":"x","required":true}]`,
		"array": `[{"type":"tensor","tensor-spec":{"dtype":"float64","shape":[-1,1]}}]`,
	} {
		b.Run(name, func(b *testing.B) {
			sig, err := engine.ParseSignature(in, "")
			if err != nil {
				b.Fatal(err)
			}
			w, err := python.Start(b.Context(), python.Options{Python: env.Python,
				ModelDir: enginetest.Pyfunc(b, source, in, ""),
				Worker:   worker.Options{Signature: sig, Dir: b.TempDir()}})
			if err != nil {
				b.Fatal(err)
			}
			defer w.Close()
			f := engine.NewFrame(engine.Floats64(sig.Inputs[0].Name, 1))
			for b.Loop() {
				if _, err := w.Predict(b.Context(), f); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
