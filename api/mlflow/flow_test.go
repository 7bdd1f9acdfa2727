package mlflow_test

import (
	"flag"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead/api/mlflow"
)

var update = flag.Bool("update", false, "write testdata/flow.txt anew from the real client")

const recording = "testdata/flow.txt"

// python returns an interpreter that has mlflow, or skips the test.
func python(t testing.TB) string {
	t.Helper()
	path := os.Getenv("FAIRLEAD_TEST_PYTHON")
	if path == "" {
		path = filepath.Join("..", "..", ".tools", "test-venv", "bin", "python")
	}
	if _, err := os.Stat(path); err != nil {
		t.Skip("left out: no Python with mlflow; set FAIRLEAD_TEST_PYTHON or run `make setup`")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// flow runs the script of a real client against the addresses.
func flow(t *testing.T, python string, addresses ...string) {
	t.Helper()
	home := t.TempDir()
	args := append([]string{"-W", "ignore", filepath.Join("testdata", "flow.py")}, addresses...)
	cmd := exec.CommandContext(t.Context(), python, args...)
	cmd.Env = append(os.Environ(), "HOME="+home, "TMPDIR="+home, "MLFLOW_DISABLE_TELEMETRY=true",
		"MLFLOW_HTTP_REQUEST_MAX_RETRIES=0", "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR=false",
		"MLFLOW_REQUIREMENTS_INFERENCE_TIMEOUT=1", "GIT_PYTHON_REFRESH=quiet")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the client failed: %v\n%s", err, out)
	}
	t.Logf("%s", out)
}

func TestClient_OrdinaryFlowWorksWithAndWithoutProjectPrefix(t *testing.T) {
	python := python(t)
	s := serve(t)
	flow(t, python, s.URL, s.URL+"/p/other")
	compare(t, s)
}

// compare checks the routes that the client used against the recording.
func compare(t *testing.T, s *server) {
	t.Helper()
	got := strings.Join(s.routes(), "\n") + "\n"
	if *update {
		if err := os.WriteFile(recording, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(recording)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the client used these routes:\n%s\nrecorded are:\n%s", got, want)
	}
	if rep, err := s.led.Verify(t.Context()); err != nil || rep.Events == 0 {
		t.Errorf("the ledger after the flow: %+v, %v", rep, err)
	}
}

func TestRoutes_HoldEverythingRecorded(t *testing.T) {
	text, err := os.ReadFile(recording)
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for _, r := range mlflow.New(nil, nil, nil).Routes() {
		have[r.Method+" "+r.Path] = true
	}
	for route := range strings.Lines(string(text)) {
		if route = strings.TrimSpace(route); !have[route] {
			t.Errorf("the client calls %q, which the table lacks", route)
		}
	}
}

func readAll(t testing.TB, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
