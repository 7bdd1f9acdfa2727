// Package enginetest gives tests real Python environments and MLflow models. The
// environments live in the user's cache directory, so that only the first run
// installs anything. It is for tests alone.
package enginetest

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead/engine/pyenv"
)

// Requirements of the environments that tests share.
const (
	// Serving runs any pyfunc on current versions.
	Serving = "mlflow-skinny==3.17.2\npandas==3.1.1\nnumpy==2.4.6\n"
	// Older runs any pyfunc on versions that Serving cannot hold as well.
	Older = "mlflow-skinny==3.17.2\npandas==2.3.3\nnumpy==2.2.6\n"
	// Training fits and packages scikit-learn and LightGBM models.
	Training = "mlflow-skinny==3.17.2\npandas==3.1.1\nnumpy==2.4.6\nscikit-learn==1.9.1\n" +
		"lightgbm==4.7.0\npyarrow\nskops\n"
)

// Env returns the environment for the requirements, and skips the test with one
// line when it cannot be installed here.
func Env(t testing.TB, requirements string, extra ...string) *pyenv.Env {
	t.Helper()
	m, err := manager()
	if err != nil {
		t.Skip("left out: no Python environments here: " + err.Error())
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	env, err := m.Ensure(ctx, pyenv.Requirements{Text: requirements, Extra: extra}, nil)
	if err != nil {
		t.Skip("left out: the Python environment cannot be installed here: " + err.Error())
	}
	return env
}

var manager = sync.OnceValues(func() (*pyenv.Manager, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	return pyenv.New(pyenv.Options{Root: filepath.Join(cache, "fairlead-test")})
})

// Pyfunc writes an MLflow model directory whose predictions are Python source: a
// module that defines _load_pyfunc(path), as MLflow's custom loaders do. The
// signature's sides are MLflow's JSON lists.
func Pyfunc(t testing.TB, source, inputs, outputs string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "mlflow-model")
	mlmodel := `flavors:
  python_function:
    code: code
    loader_module: fairlead_test_loader
    python_version: "3.11"
mlflow_version: 3.17.2
model_uuid: 00000000000000000000000000000000
signature:
  inputs: '` + inputs + `'
  outputs: '` + outputs + `'
  params: null
`
	write(t, filepath.Join(dir, "MLmodel"), mlmodel)
	write(t, filepath.Join(dir, "code", "fairlead_test_loader.py"), source)
	return dir
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
