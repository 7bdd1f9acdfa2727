package packager_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/engine/enginetest"
	"github.com/fairlead-ml/fairlead/engine/packager"
	"github.com/fairlead-ml/fairlead/engine/pyenv"
	scripts "github.com/fairlead-ml/fairlead/python"
)

func converters(t *testing.T) *pyenv.Env {
	return enginetest.Env(t, enginetest.Training, scripts.Converters)
}

func pack(t *testing.T, name, inputs string) (*engine.Manifest, string) {
	t.Helper()
	models := enginetest.Models(t)
	out := t.TempDir()
	m, err := packager.Package(t.Context(), packager.Options{
		Env: converters(t), ModelDir: filepath.Join(models, name), OutDir: out,
		Inputs: filepath.Join(models, inputs)})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return m, out
}

func TestPackage_ConvertsWhatIsEqual(t *testing.T) {
	t.Parallel()
	cases := []struct{ model, inputs, converter string }{
		{"lightgbm-native", "inputs.json", "onnxmltools"},
		{"forest-skops", "inputs.parquet", "skl2onnx"},
		{"ridge-pickle", "inputs.parquet", "skl2onnx"},
		{"offset-scaler", "offset.parquet", "skl2onnx"}, // needs double
		{"tensor", "full.parquet", "skl2onnx"},
		{"ridge-example", "text.parquet", "skl2onnx"}, // on its own example
	}
	for _, c := range cases {
		t.Run(c.model, func(t *testing.T) {
			t.Parallel()
			m, out := pack(t, c.model, c.inputs)
			if m.Engine != engine.EngineONNX || !strings.HasPrefix(m.Converter, c.converter) {
				t.Fatalf("engine %s by %q: %+v", m.Engine, m.Converter, m.Parity)
			}
			p := m.Parity
			if float64(p.MaxRelative) > p.Tolerance || p.Tolerance != 1e-5 ||
				p.Reason != "" || p.Rows < 200 {
				t.Errorf("parity %+v", p)
			}
			t.Logf("max relative %.2g over %d rows", float64(p.MaxRelative), p.Rows)
			if read, err := engine.ReadManifest(out); err != nil || read.Model != "model.onnx" {
				t.Errorf("manifest: %+v, %v", read, err)
			}
		})
	}
}

func TestPackage_KeepsPythonWithTheReason(t *testing.T) {
	t.Parallel()
	cases := []struct{ model, inputs, reason string }{
		{"histogram", "inputs.parquet", "the conversion failed"},
		{"ridge-pickle", "text.parquet", "the recorded inputs lack the column 'hr', which the model " +
			"requires, and it was logged without an input_example"},
		{"ridge-pickle", "strange.json", "have values in 'hr' that are not long"},
	}
	for _, c := range cases {
		t.Run(c.model, func(t *testing.T) {
			t.Parallel()
			m, out := pack(t, c.model, c.inputs)
			if m.Engine != engine.EnginePython || !strings.Contains(m.Parity.Reason, c.reason) {
				t.Fatalf("engine %s: %+v", m.Engine, m.Parity)
			}
			if _, err := os.Stat(filepath.Join(out, m.Model, "MLmodel")); err != nil {
				t.Error(err)
			}
			lock, err := os.ReadFile(filepath.Join(out, m.Lock))
			if err != nil || !strings.Contains(string(lock), "scikit-learn==1.9.1") || m.Environment == "" {
				t.Errorf("environment %q, lock %q, %v", m.Environment, lock, err)
			}
		})
	}
}

func TestPackage_ShowsTheRowThatDiffers(t *testing.T) {
	t.Parallel()
	// The converter divides an average of trees by 100, whatever their number.
	m, _ := pack(t, "lightgbm-averaged", "inputs.parquet")
	p := m.Parity
	if m.Engine != engine.EnginePython || float64(p.MaxRelative) < p.Tolerance || p.Worst == nil {
		t.Fatalf("engine %s: %+v", m.Engine, p)
	}
	python, onnx := float64(p.Worst.Python), float64(p.Worst.ONNX)
	relative := math.Abs(onnx-python) / max(1, math.Abs(python))
	if math.Abs(relative-float64(p.MaxRelative)) > 1e-12 || len(p.Worst.Inputs) != 9 {
		t.Errorf("worst %+v is not %v", p.Worst, p.MaxRelative)
	}
	if !strings.Contains(p.Reason, fmt.Sprintf("row %d differs: python ", p.Worst.Index)) {
		t.Errorf("reason %q", p.Reason)
	}
}

func TestPackage_KeepsACustomPyfunc(t *testing.T) {
	t.Parallel()
	in := `[{"type":"double","name":"temp","required":true}]`
	dir := enginetest.Pyfunc(t, "class M:\n    def predict(self, df): return df['temp'] * 2\n"+
		"def _load_pyfunc(path): return M()\n", in, "")
	out := t.TempDir()
	m, err := packager.Package(t.Context(), packager.Options{Env: converters(t), ModelDir: dir,
		OutDir: out, Inputs: filepath.Join(enginetest.Models(t), "text.parquet")})
	if err != nil {
		t.Fatal(err)
	}
	if m.Engine != engine.EnginePython || len(m.Signature.Inputs) != 1 ||
		m.Signature.Outputs[0].Name != "prediction" {
		t.Errorf("manifest %+v", m)
	}
}

func TestPackage_GivesTheSameBytes(t *testing.T) {
	t.Parallel()
	read := func(out string) (files [2][]byte) {
		for i, name := range []string{"model.onnx", engine.ManifestName} {
			b, err := os.ReadFile(filepath.Join(out, name))
			if err != nil {
				t.Fatal(err)
			}
			files[i] = b
		}
		return files
	}
	a, _ := enginetest.Package(t, "lightgbm-skops", "inputs.parquet") // of another process, maybe
	_, b := pack(t, "lightgbm-skops", "inputs.parquet")
	first, second := read(a), read(b)
	if !bytes.Equal(first[0], second[0]) || !bytes.Equal(first[1], second[1]) {
		t.Error("two packages of one model differ")
	}
}

const raises = `
class Model:
    def predict(self, df): raise KeyError("carrier")
def _load_pyfunc(path): return Model()
`

func TestPackage_RefusesWhatCannotBeUsed(t *testing.T) {
	t.Parallel()
	models := enginetest.Models(t)
	in := `[{"type":"double","name":"temp","required":true}]`
	cases := []struct{ name, dir, inputs, want string }{
		{"no import", enginetest.Pyfunc(t, "import xgboost", in, ""), "text.parquet",
			"does not load: ModuleNotFoundError"},
		{"raises", enginetest.Pyfunc(t, raises, in, ""), "text.parquet",
			"fails on the recorded inputs: KeyError"},
		{"dies", enginetest.Pyfunc(t, "import os; os.abort()", in, ""), "text.parquet",
			"crashed (signal: aborted"},
		{"not a model", t.TempDir(), "text.parquet", "no MLmodel file"},
		{"no inputs", filepath.Join(models, "ridge-pickle"), "absent.parquet", "cannot be read"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			out := t.TempDir()
			_, err := packager.Package(t.Context(), packager.Options{Env: converters(t), ModelDir: c.dir,
				OutDir: out, Inputs: filepath.Join(models, c.inputs)})
			if !fairlead.Is(err, fairlead.Invalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
			if left, _ := os.ReadDir(out); len(left) > 0 {
				t.Errorf("left behind %v", left)
			}
		})
	}
}

func TestPackage_EndsInTime(t *testing.T) {
	t.Parallel()
	in := `[{"type":"double","name":"temp","required":true}]`
	opts := packager.Options{Env: converters(t), OutDir: t.TempDir(), Timeout: 200 * time.Millisecond,
		ModelDir: enginetest.Pyfunc(t, "import time; time.sleep(600)", in, ""),
		Inputs:   filepath.Join(enginetest.Models(t), "text.parquet")}
	if _, err := packager.Package(t.Context(), opts); !fairlead.Is(err, fairlead.Invalid) ||
		!strings.Contains(err.Error(), "was stopped after 200ms before") {
		t.Errorf("hangs: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := packager.Package(ctx, opts); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestPackage_BlamesNoModelForAKill(t *testing.T) {
	t.Parallel()
	in := `[{"type":"double","name":"temp","required":true}]`
	_, err := packager.Package(t.Context(), packager.Options{Env: converters(t), OutDir: t.TempDir(),
		ModelDir: enginetest.Pyfunc(t, "import os; os.kill(os.getpid(), 9)", in, ""),
		Inputs:   filepath.Join(enginetest.Models(t), "text.parquet")})
	if !fairlead.Is(err, fairlead.Unavailable) || !strings.Contains(err.Error(), "killed") {
		t.Errorf("got %v", err)
	}
}

// estimator is a scikit-learn model whose converter is Python source.
func estimator(t *testing.T, converter string) string {
	t.Helper()
	dir := enginetest.Pyfunc(t, "class M:\n    def predict(self, df): return df['temp'] * 2\n", "", "")
	for name, text := range map[string]string{
		"MLmodel": `flavors:
  python_function: {code: code, loader_module: mlflow.sklearn}
  sklearn: {pickled_model: model.pkl, serialization_format: pickle}
signature: {inputs: '[{"type":"double","name":"temp","required":true}]'}
`,
		"model.pkl":        "cfairlead_test_loader\nM\n(tR.", // M()
		"code/skl2onnx.py": converter,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestPackage_KeepsPythonWhenTheConversionDies(t *testing.T) {
	t.Parallel()
	for source, reason := range map[string]string{
		"import os; os.abort()":               "the conversion crashed (signal: aborted",
		"import os; os.kill(os.getpid(), 9)":  "the conversion was killed (signal: killed)",
		"import os; os._exit(0)":              "the conversion ended (exit status 0)",
		"raise MemoryError('2 GB, and more')": "the conversion failed: MemoryError: 2 GB",
	} {
		t.Run(source, func(t *testing.T) {
			t.Parallel()
			out := t.TempDir()
			m, err := packager.Package(t.Context(), packager.Options{Env: converters(t), OutDir: out,
				ModelDir: estimator(t, source), Inputs: filepath.Join(enginetest.Models(t), "text.parquet")})
			if err != nil {
				t.Fatal(err)
			}
			if m.Engine != engine.EnginePython || !strings.HasPrefix(m.Parity.Reason, reason) ||
				len(m.Signature.Outputs) != 1 {
				t.Errorf("manifest %+v, %+v", m, m.Parity)
			}
			if _, err := os.Stat(filepath.Join(out, m.Model, "model.pkl")); err != nil {
				t.Error(err)
			}
		})
	}
}

// slow is a Python that has the model's answers, and half of an ONNX model, when its
// time is over.
const slow = `#!/bin/sh
mkdir "$3/model" && cp "$2/MLmodel" "$3/model" && echo half > "$3/model.onnx"
echo '{"engine": "python", "model": "model", "parity": {"tolerance": 1e-5},
"signature": {"inputs": "[{\"type\": \"double\", \"name\": \"temp\"}]",
"outputs": "[{\"type\": \"double\"}]"}}' > "$5.new" && mv "$5.new" "$5"
exec sleep 600
`

func TestPackage_KeepsPythonWhenTheConversionIsSlow(t *testing.T) {
	dir, out := t.TempDir(), t.TempDir()
	python := filepath.Join(dir, "python")
	for name, text := range map[string]string{python: slow, filepath.Join(dir, "MLmodel"): ""} {
		if err := os.WriteFile(name, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	m, err := packager.Package(t.Context(), packager.Options{Env: &pyenv.Env{Python: python},
		ModelDir: dir, OutDir: out, Timeout: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if m.Engine != engine.EnginePython || m.Parity.Reason != "the conversion was stopped after 2s" {
		t.Errorf("manifest %+v, %+v", m, m.Parity)
	}
	if left, _ := os.ReadDir(out); len(left) != 3 {
		t.Errorf("the package is %v", left)
	}
}

func TestPackage_RefusesADirectoryInUse(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	if err := os.WriteFile(filepath.Join(out, "x"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := packager.Package(t.Context(), packager.Options{OutDir: out, Env: &pyenv.Env{}})
	if !fairlead.Is(err, fairlead.Conflict) {
		t.Errorf("got %v", err)
	}
}

func TestPackage_SaysThatConvertersAreAbsent(t *testing.T) {
	t.Parallel()
	models := enginetest.Models(t)
	env := enginetest.Env(t, enginetest.Training)
	m, err := packager.Package(t.Context(), packager.Options{Env: env, OutDir: t.TempDir(),
		ModelDir: filepath.Join(models, "ridge-pickle"), Inputs: filepath.Join(models, "inputs.parquet")})
	if err != nil {
		t.Fatal(err)
	}
	reason := "converters are not installed"
	if m.Engine != engine.EnginePython || !strings.Contains(m.Parity.Reason, reason) {
		t.Errorf("manifest %+v", m.Parity)
	}
}

func TestPrepare_KeepsPythonWhenConvertersDoNotFit(t *testing.T) {
	t.Parallel()
	enginetest.Env(t, enginetest.Serving)
	m, err := pyenv.New(pyenv.Options{Root: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	envs, err := packager.Prepare(t.Context(), m, pyenv.Requirements{Text: "onnx==1.16.0"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if envs.Convert != envs.Serving || !strings.Contains(envs.Reason, "onnx") {
		t.Errorf("%+v", envs)
	}
}

// indexes is an installer that writes down what it is asked to resolve.
const indexes = `#!/bin/sh
here=$(dirname "$0")
case "$1 $2" in
"python find") command -v python3;;
"pip compile") cat >> "$here/asked"; echo six==1.17.0;;
venv*) for dir; do :; done; mkdir -p "$dir/bin"; ln -s "$(command -v python3)" "$dir/bin/python";;
esac
`

func TestPrepare_TakesConvertersFromTheModelsIndexes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	uv := filepath.Join(dir, "uv")
	if err := os.WriteFile(uv, []byte(indexes), 0o755); err != nil {
		t.Fatal(err)
	}
	m, err := pyenv.New(pyenv.Options{Root: filepath.Join(dir, "root"), UV: uv})
	if err != nil {
		t.Fatal(err)
	}
	req := pyenv.Requirements{Text: "--extra-index-url https://index/simple\nsix\n"}
	if _, err := packager.Prepare(t.Context(), m, req, nil); err != nil {
		t.Fatal(err)
	}
	asked, err := os.ReadFile(filepath.Join(dir, "asked"))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(asked), "--extra-index-url https://index/simple\n"); n != 2 {
		t.Errorf("the index was named %d times:\n%s", n, asked)
	}
}
