package e2e_test

import (
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// signedStep is a training that logs with MLflow's client, which finds who it is in its
// environment, and tries what a step may not do.
const signedStep = `set -e
cp -r model "$FAIRLEAD_OUT_MODEL" && cp "$FAIRLEAD_IN_ROWS" "$FAIRLEAD_OUT_VALIDATION"
%[1]s -W ignore -c '
import os, urllib.error, urllib.request, mlflow
with mlflow.start_run() as run:
    mlflow.log_param("depth", 3)
    mlflow.log_metric("loss", 0.25)
    print("logged into", run.info.run_id)
server = os.environ["MLFLOW_TRACKING_URI"].split("/p/")[0]
token = {"Authorization": "Bearer " + os.environ["MLFLOW_TRACKING_TOKEN"]}
def status(method, path, data=None):
    headers = dict(token, **{"Content-Type": "application/json"})
    request = urllib.request.Request(server + path, method=method, headers=headers, data=data)
    try:
        return urllib.request.urlopen(request).status
    except urllib.error.HTTPError as e:
        return e.code
print("another project", status("GET", "/p/default/api/2.0/mlflow/experiments/get?experiment_id=0"))
print("release", status("POST", "/api/v1/projects/tiny/endpoints/tiny@production/rollback", b"{\"reason\": \"x\"}"))
print("accounts", status("GET", "/api/v1/users"))
'
`

// member is somebody with a token, at another machine than the server's.
type member struct {
	t          *testing.T
	url, token string
	home       string
}

// run runs a command as they do, and wants its status.
func (m *member) run(dir string, status int, args []string, patterns ...string) outcome {
	m.t.Helper()
	cmd := exec.Command(program(m.t), args...)
	cmd.Dir = dir
	cmd.Env = append(cmd.Environ(), "FAIRLEAD_SERVER="+m.url, "FAIRLEAD_TOKEN="+m.token,
		"FAIRLEAD_DATA="+m.home)
	return outcomeOf(m.t, cmd).want(m.t, status, patterns...)
}

// call sends a request as they do.
func (m *member) call(method, path, body string) reply {
	m.t.Helper()
	req, err := http.NewRequest(method, m.url+path, strings.NewReader(body))
	if err != nil {
		m.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if m.token != "" {
		req.Header.Set("Authorization", "Bearer "+m.token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		m.t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		m.t.Fatal(err)
	}
	return reply{res.StatusCode, string(answer)}
}

// A team works on one project of a server with accounts: a data scientist trains, steps
// sign in as themselves, an operator rolls back and releases, and each is refused what is
// not theirs.
func TestTeam_EachDoesTheirPartAndNoMore(t *testing.T) {
	interpreter := python(t)
	train := fmt.Sprintf(signedStep, interpreter)
	dir := repository(t, tinyProject(t, map[string]string{"train.sh": train}))
	data := filepath.Join(t.TempDir(), "data")
	owner := func(args ...string) string {
		t.Helper()
		return strings.TrimSpace(run(t, dir, append(args, "--data", data)...).want(t, 0).stdout)
	}
	cmd := exec.Command(program(t), "user", "add", "ada", "--role", "admin", "--data", data)
	cmd.Stdin = strings.NewReader(phrase + "\n")
	outcomeOf(t, cmd).want(t, 0, `ada has an account`)
	s := serve(t, data)
	team := map[string]*member{"": {t, s.url, "", t.TempDir()}}
	join := func(name, role string) *member {
		t.Helper()
		if role != "" {
			owner("user", "add", name, "--no-password")
			owner("role", "grant", name, role, "--project", "tiny")
		}
		team[name] = &member{t, s.url, owner("token", "create", "laptop", "--user", name), t.TempDir()}
		return team[name]
	}

	// The administrator makes the project; a scientist cannot.
	ada := join("ada", "")
	owner("user", "add", "sam", "--no-password")
	team["sam"] = &member{t, s.url, owner("token", "create", "first", "--user", "sam"), t.TempDir()}
	team["sam"].run(dir, 6, []string{"apply"}, `permission`)
	ada.run(dir, 0, []string{"apply"}, `tiny`)
	owner("role", "grant", "sam", "data-scientist", "--project", "tiny")
	sam, olga, vera := team["sam"], join("olga", "operator"), join("vera", "viewer")

	// The scientist's run leads to a release, and its step has signed in as itself.
	sam.run(dir, 0, []string{"run"}, `version 1`)
	s.awaitVersion("tiny", "tiny", 1)
	log := sam.run(dir, 0, []string{"log", "train"}, `logged into [0-9a-f]{32}`, `another project 40[34]`,
		`release 403`, `accounts 403`)
	if strings.Contains(log.stdout, ada.token) || strings.Contains(log.stdout, "fl_") {
		t.Errorf("a token is in the log:\n%s", log.stdout)
	}
	sam.run(dir, 0, []string{"runs", "--select", "params.depth", "--select", "metrics.loss"}, `3 +0\.25`)
	writeFiles(t, dir, map[string]string{"model/code/tiny_loader.py": tinyLoader + "# 2\n"})
	commit(t, dir)
	sam.run(dir, 0, []string{"run"}, `version 2`)
	s.awaitVersion("tiny", "tiny", 2)

	// What goes back and out again is the operator's.
	rollback := []string{"rollback", "tiny@production", "--reason", "too many complaints"}
	sam.run(dir, 6, rollback, `operate`)
	vera.run(dir, 6, rollback, `operate`)
	olga.run(dir, 0, rollback, `rolled back`)
	s.awaitVersion("tiny", "tiny", 1)
	vera.run(dir, 6, []string{"release", "tiny", "2"}, `permission`)
	olga.run(dir, 0, []string{"release", "tiny", "2"}, `version 2`)
	s.awaitVersion("tiny", "tiny", 2)

	// The viewer sees all of it, and changes nothing; without a token one sees nothing.
	for _, args := range [][]string{{"runs"}, {"model", "tiny"}, {"endpoint"}, {"log", "train"},
		{"model", "history", "tiny@live"}, {"case"}} {
		vera.run(dir, 0, args)
		team[""].run(dir, 6, args, `FAIRLEAD_TOKEN`)
	}
	vera.run(dir, 0, []string{"model", "history", "tiny@live"}, `1 +2 `, `2 +1 `)
	writeFiles(t, dir, map[string]string{"model/code/tiny_loader.py": tinyLoader + "# 3\n"})
	commit(t, dir)
	for _, args := range [][]string{{"run"}, {"apply"}, {"webhook", "list"}, {"gc"},
		{"loop", "pause", "tiny"}, {"role", "list"}, {"user", "list"}} {
		vera.run(dir, 6, args, `permission`)
	}
	const infer, metric = "/p/tiny/v2/models/tiny/infer", "/p/tiny/api/2.0/mlflow/runs/create"
	for _, tt := range []struct {
		who, path, body string
		status          int
	}{
		{"sam", infer, inferBody("q1", 3), 200}, {"olga", infer, inferBody("q2", 3), 200},
		{"vera", infer, inferBody("q3", 3), 403}, {"", infer, inferBody("q4", 3), 401},
		{"sam", metric, `{"experiment_id": "0"}`, 200}, {"olga", metric, `{"experiment_id": "0"}`, 403},
		{"vera", metric, `{"experiment_id": "0"}`, 403}, {"", metric, `{"experiment_id": "0"}`, 401},
	} {
		team[tt.who].call(http.MethodPost, tt.path, tt.body).want(t, tt.status)
	}
	owner("audit", "verify")
}
