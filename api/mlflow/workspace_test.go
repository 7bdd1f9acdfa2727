package mlflow_test

import (
	"os/exec"
	"testing"
)

func TestWorkspace_IsAProject(t *testing.T) {
	s := serve(t)
	const path = "/api/3.0/mlflow/workspaces"
	for _, c := range []struct {
		token, method, path, body string
		status                    int
		answer                    string
	}{
		{"", "GET", path, "", 200, `{"workspaces":[{"name":"default","description":"Default workspace for legacy resources"}]}`},
		{"", "POST", path, `{"name":"wine"}`, 401, ""},
		{s.owner, "POST", path, `{"name":"wine"}`, 201, `{"workspace":{"name":"wine"}}`},
		{s.owner, "POST", path, `{"name":"wine"}`, 400, ""},
		{s.owner, "POST", path, `{"name":"Wine/1"}`, 400, ""},
		{s.owner, "POST", path, `{}`, 400, ""},
		{"", "GET", path, "", 200, `{"workspaces":[{"name":"default","description":"Default workspace for legacy resources"},{"name":"wine"}]}`},
		{"", "GET", path + "/wine", "", 200, `{"workspace":{"name":"wine"}}`},
		{"", "GET", "/ajax-api/3.0/mlflow/workspaces/none", "", 404, ""},
		{s.owner, "DELETE", path + "/wine", "", 501, ""},
	} {
		status, answer := s.sendAs(t, c.token, c.method, c.path, c.body)
		if status != c.status || c.answer != "" && answer != c.answer {
			t.Errorf("%s %s %s: %d %s", c.method, c.path, c.body, status, answer)
		}
	}
}

// The client's own workspaces: the header that it sends is as good as a path.
func TestClient_WorksInAWorkspace(t *testing.T) {
	python := python(t)
	a, token := start(t)
	const script = `
import sys, mlflow
mlflow.set_tracking_uri(sys.argv[1])
mlflow.create_workspace("wine")
assert {w.name for w in mlflow.list_workspaces()} >= {"default", "wine"}
mlflow.set_workspace("wine")
with mlflow.start_run() as run:
    mlflow.log_metric("m", 1)
    mlflow.log_text("hello", "a.txt")
assert mlflow.get_run(run.info.run_id).data.metrics == {"m": 1}
assert mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/a.txt") == "hello"
mlflow.set_workspace("default")
try:
    mlflow.get_run(run.info.run_id)
    raise SystemExit("the default workspace sees the run")
except mlflow.MlflowException as e:
    assert e.error_code == "RESOURCE_DOES_NOT_EXIST", e
mlflow.set_workspace(None)
mlflow.set_tracking_uri(sys.argv[1] + "/p/wine")
assert mlflow.get_run(run.info.run_id).data.metrics == {"m": 1}
`
	home := t.TempDir()
	cmd := exec.CommandContext(t.Context(), python, "-W", "ignore", "-c", script, a.URL())
	cmd.Dir, cmd.Env = home, append(clientEnv(home), "MLFLOW_TRACKING_TOKEN="+token)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
