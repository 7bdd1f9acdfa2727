package mlflow_test

import (
	"context"
	"flag"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

var record = flag.Bool("record", false, "record MLflow's own server anew")

// python returns an interpreter that has mlflow, or skips the test.
func python(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("FAIRLEAD_TEST_PYTHON"); path != "" {
		return interpreter(t, path)
	}
	return interpreter(t, tool("test-venv"))
}

// tool is the interpreter of an environment that `make test` sets up.
func tool(name string) string {
	return filepath.Join("..", "..", ".tools", name, "bin", "python")
}

// interpreter returns the path of an interpreter, or skips the test.
func interpreter(t testing.TB, path string) string {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		t.Skipf("left out: no Python with mlflow at %s; run `make test`, which sets it up", path)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// mlflowServer starts `mlflow server` as its manual says, and returns its address.
func mlflowServer(t *testing.T, python string, args ...string) string {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	_, port, _ := net.SplitHostPort(address)
	dir := t.TempDir()
	bin := filepath.Dir(python)
	args = append([]string{"server", "--host", "127.0.0.1", "--port", port, "--workers", "1",
		"--backend-store-uri", "sqlite:///" + filepath.Join(dir, "mlflow.db"),
		"--artifacts-destination", filepath.Join(dir, "artifacts")}, args...)
	cmd := exec.Command(filepath.Join(bin, "mlflow"), args...)
	cmd.Dir = dir
	cmd.Env = append(clientEnv(dir), "PATH="+bin+":"+os.Getenv("PATH"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		req, _ := http.NewRequestWithContext(ctx, "GET", "http://"+address+"/health", nil)
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			resp.Body.Close()
			return "http://" + address
		}
		select {
		case <-ctx.Done():
			t.Fatal("mlflow server does not answer")
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// clientEnv lets mlflow work in a home of its own, and send nothing to anyone.
func clientEnv(home string) []string {
	return append(os.Environ(), "HOME="+home, "TMPDIR="+home, "DO_NOT_TRACK=true",
		"MLFLOW_DISABLE_TELEMETRY=true", "MLFLOW_HTTP_REQUEST_MAX_RETRIES=0",
		"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR=false", "MLFLOW_REQUIREMENTS_INFERENCE_TIMEOUT=1",
		"GIT_PYTHON_REFRESH=quiet")
}

// client runs a script of testdata against a server of its own.
func client(t *testing.T, python, script string, args ...string) {
	t.Helper()
	s := serve(t)
	path, err := filepath.Abs(filepath.Join("testdata", script))
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	cmd := exec.CommandContext(t.Context(), python,
		append([]string{"-W", "ignore", path, s.URL}, args...)...)
	cmd.Dir, cmd.Env = home, append(clientEnv(home), "MLFLOW_TRACKING_TOKEN="+s.owner)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the client failed: %v\n%s", err, out)
	}
}

func TestClient_OfMLflow2Works(t *testing.T) {
	client(t, interpreter(t, tool("test-mlflow2")), "clients.py", "model")
}

func TestClient_SkinnyWorks(t *testing.T) {
	client(t, interpreter(t, tool("test-skinny")), "clients.py")
}

func TestClient_KeepsPrompts(t *testing.T) { client(t, python(t), "prompts.py") }

// flow runs the script of a real client with the token and arguments, from a directory
// of its own: what the client finds out about its place is the same on each machine.
func flow(t *testing.T, python, token string, args ...string) {
	t.Helper()
	home := t.TempDir()
	script, err := os.ReadFile(filepath.Join("testdata", "flow.py"))
	if err == nil {
		err = os.WriteFile(filepath.Join(home, "flow.py"), script, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, append([]string{"-W", "ignore", "flow.py"}, args...)...)
	cmd.Dir = home
	cmd.Env = append(clientEnv(home), "MLFLOW_TRACKING_TOKEN="+token, "LOGNAME=ann", "USER=ann")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the client failed: %v\n%s", err, out)
	}
	t.Logf("%s", out)
}

func TestClient_OrdinaryFlowWorksWithAndWithoutProjectPrefix(t *testing.T) {
	python := python(t)
	s := serve(t)
	flow(t, python, s.owner, s.URL, s.URL+"/p/other")
	if rep, err := s.led.Verify(t.Context()); err != nil || rep.Events == 0 {
		t.Errorf("the ledger after the flow: %+v, %v", rep, err)
	}
}
