package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// scratch holds what all tests share; it is removed after the last one.
var scratch string

func TestMain(m *testing.M) { os.Exit(runAll(m)) }

func runAll(m *testing.M) int {
	var err error
	if scratch, err = os.MkdirTemp("", "fairlead-e2e-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(scratch)
	if err := os.Chmod(scratch, 0o755); err != nil { // other users run the program too
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := setTools(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// setTools points to what `make setup` has fetched, to the environments that the demo
// uses too, and away from a server that the developer may have.
func setTools() error {
	for _, name := range []string{"FAIRLEAD_SERVER", "FAIRLEAD_DATA", "FAIRLEAD_PROJECT",
		"FAIRLEAD_TOKEN", "FAIRLEAD_LISTEN", "MLFLOW_TRACKING_URI"} {
		os.Unsetenv(name)
	}
	tools, err := filepath.Abs(filepath.Join(root, ".tools"))
	if err != nil {
		return err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	for name, path := range map[string]string{
		"FAIRLEAD_UV":           filepath.Join(tools, "uv", "bin", "uv"),
		"FAIRLEAD_ONNXRUNTIME":  filepath.Join(tools, "onnxruntime", "onnxruntime", "capi"),
		"FAIRLEAD_ENVIRONMENTS": filepath.Join(cache, "fairlead", "environments"),
	} {
		_, missing := os.Stat(path)
		made := name == "FAIRLEAD_ENVIRONMENTS" // when something is installed into it
		if os.Getenv(name) == "" && (missing == nil || made) {
			os.Setenv(name, path)
		}
	}
	return nil
}

var built = sync.OnceValues(func() (string, error) {
	path := filepath.Join(scratch, "fairlead")
	cmd := exec.Command("go", "build", "-o", path, "./cmd/fairlead")
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// program returns the path of the program, built once for all tests.
func program(t testing.TB) string {
	t.Helper()
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
