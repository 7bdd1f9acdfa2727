package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/fairlead-ml/fairlead/auth"
)

// colleague loads what is live, by the alias, and asks for a release of a version.
const colleague = `
import sys
import mlflow, pandas
from mlflow.exceptions import MlflowException
model = mlflow.pyfunc.load_model("models:/wine@live")
rows = pandas.read_csv("data/live.csv")[[c.name for c in model.metadata.signature.inputs.inputs]]
print("predicted", len(model.predict(rows)), "rows")
client = mlflow.MlflowClient()
made = client.get_model_version_by_alias("wine", "live")
version = mlflow.register_model(made.source, "wine").version
try:
    client.set_registered_model_alias("wine", "candidate", version)
except MlflowException as e:
    sys.exit(f"{e.error_code} {e}")
print("candidate", version)
`

// A colleague with nothing but mlflow loads the live version, with and without the
// project's prefix, and needs the owner's token to make a candidate.
func TestMLflow_LoadsWhatIsLiveAndNeedsATokenForACandidate(t *testing.T) {
	interpreter := python(t)
	dir := example(t, "wine")
	replaceIn(t, filepath.Join(dir, "fairlead.yaml"), "project: wine", "project: default\nmodel: wine")
	git(t, dir, "init", "-q", "-b", "main")
	commit(t, dir)
	data := t.TempDir()
	s := serve(t, data)
	s.run(dir, "run").want(t, 0)
	owner, err := auth.ReadOwner(data)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(prefix, token string) outcome {
		cmd := exec.Command(interpreter, "-W", "ignore", "-c", colleague)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "MLFLOW_TRACKING_URI="+s.url+prefix,
			"MLFLOW_TRACKING_TOKEN="+token,
			"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR=false", "MLFLOW_DISABLE_TELEMETRY=true")
		return outcomeOf(t, cmd)
	}
	ask("", "").want(t, 1, `PERMISSION_DENIED`, `export MLFLOW_TRACKING_TOKEN=`)
	ask("/p/default", owner).want(t, 0, `predicted \d+ rows`, `candidate 3`)
	s.run(dir, "case").want(t, 0, `3`)
}
