package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// experimenter logs a run with a file and a model, and loads the model again.
const experimenter = `
import os, sys, tempfile
import mlflow
from mlflow.exceptions import MlflowException
class Twice(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input: list[float]) -> list[float]:
        return [2 * x for x in model_input]
try:
    mlflow.set_experiment("who")
    with mlflow.start_run() as run:
        mlflow.log_param("a", 1)
        mlflow.log_metric("loss", 0.5)
        mlflow.log_text("hello", "notes/hello.txt")
        made = mlflow.pyfunc.log_model(name="twice", python_model=Twice(), registered_model_name="twice")
except MlflowException as e:
    sys.exit(f"{e.error_code} {e}")
assert mlflow.artifacts.load_text(run.info.artifact_uri + "/notes/hello.txt") == "hello"
print("answer", mlflow.pyfunc.load_model("models:/twice/1").predict([21.0]))
print("user", mlflow.MlflowClient().get_model_version("twice", 1).user_id)
`

const phrase = "a quiet harbour at dawn"

// An unmodified client signs in by each of the ways that it has, at a server that
// listens everywhere, and is refused without.
func TestAccess_MLflowSignsInByEachOfItsWays(t *testing.T) {
	t.Parallel()
	interpreter := python(t)
	data := filepath.Join(t.TempDir(), "data")
	addUser := func(name string, args ...string) {
		t.Helper()
		cmd := exec.Command(program(t), append([]string{"user", "add", name, "--data", data}, args...)...)
		cmd.Stdin = strings.NewReader(phrase + "\n")
		outcomeOf(t, cmd).want(t, 0, name)
	}
	run(t, ".", "serve", "--data", data, "--listen", "0.0.0.0:4797").want(t, 6, `fairlead user add`)
	addUser("ada", "--role", "admin")
	addUser("bob")
	at := func(args ...string) outcome { return run(t, ".", append(args, "--data", data)...) }
	at("role", "grant", "bob", "data-scientist", "--project", "default").want(t, 0)
	token := strings.TrimSpace(at("token", "create", "laptop", "--user", "bob").want(t, 0).stdout)
	narrow := strings.TrimSpace(
		at("token", "create", "board", "--user", "bob", "--scope", "read").want(t, 0).stdout)

	address := strings.Replace(freeAddress(t), "127.0.0.1", "0.0.0.0", 1)
	s := serve(t, data, "--listen", address)
	host := strings.TrimPrefix(s.url, "http://")
	home := t.TempDir()
	credentials := "[mlflow]\nmlflow_tracking_username = bob\nmlflow_tracking_password = " + phrase + "\n"
	write := func(name, content string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(home, ".mlflow", "credentials"), credentials)
	url := "MLFLOW_TRACKING_URI=" + s.url
	for _, tt := range []struct {
		name   string
		env    []string
		status int
		want   string
	}{
		{"nothing", []string{url}, 1, "UNAUTHENTICATED.*MLFLOW_TRACKING_TOKEN"},
		{"wrong password", []string{url, "MLFLOW_TRACKING_USERNAME=bob",
			"MLFLOW_TRACKING_PASSWORD=a wrong one"}, 1, "UNAUTHENTICATED.*password is wrong"},
		{"token of too little", []string{url, "MLFLOW_TRACKING_TOKEN=" + narrow}, 1,
			`PERMISSION_DENIED.*permission "track"`},
		{"token", []string{url, "MLFLOW_TRACKING_TOKEN=" + token}, 0, "user bob"},
		{"user and password", []string{url, "MLFLOW_TRACKING_USERNAME=bob",
			"MLFLOW_TRACKING_PASSWORD=" + phrase}, 0, "user bob"},
		{"any user and a token", []string{url, "MLFLOW_TRACKING_USERNAME=token",
			"MLFLOW_TRACKING_PASSWORD=" + token}, 0, "user bob"},
		{"URL", []string{"MLFLOW_TRACKING_URI=http://bob:" + strings.ReplaceAll(phrase, " ", "%20") +
			"@" + host}, 0, "user bob"},
		{"credentials file", []string{url, "HOME=" + home}, 0, "user bob"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd := exec.Command(interpreter, "-W", "ignore", "-c", experimenter)
			cmd.Dir = t.TempDir()
			cmd.Env = append(os.Environ(), "HOME="+t.TempDir(),
				"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR=false", "MLFLOW_DISABLE_TELEMETRY=true",
				"MLFLOW_HTTP_REQUEST_MAX_RETRIES=0")
			cmd.Env = append(cmd.Env, tt.env...)
			got := outcomeOf(t, cmd).want(t, tt.status, tt.want)
			if tt.status == 0 {
				wantMatches(t, got.stdout, `answer \[42\.0\]`)
			}
		})
	}
	s.run(".", "user", "list").want(t, 0, `ada.*admin everywhere`, `bob.*data-scientist in default`)
}
