package e2e_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// deleter has nothing but mlflow: it registers a model, deletes all that it has made but
// the model, and takes the name of the experiment again.
const deleter = `
import mlflow
from mlflow.exceptions import MlflowException
client = mlflow.MlflowClient()
old = client.create_experiment("bikes")
kept, gone = (client.create_run(old).info.run_id for _ in range(2))
for run in kept, gone:
    client.log_metric(run, "auc", 0.9)
    client.log_text(run, "of " + run, "model/MLmodel")
client.create_registered_model("bikes")
for _ in range(2):
    client.create_model_version("bikes", f"runs:/{kept}/model", kept, tags={"stage": "first"})
client.set_registered_model_alias("bikes", "best", 1)
client.set_model_version_tag("bikes", 1, "stage", "second")
client.delete_experiment(old)
new = client.create_experiment("bikes")
assert new != old and client.get_experiment_by_name("bikes").experiment_id == new
assert mlflow.set_experiment("bikes").experiment_id == new
try:
    client.restore_experiment(old)
    raise SystemExit("restored beside another of that name")
except MlflowException as e:
    assert e.error_code == "RESOURCE_ALREADY_EXISTS", e
print(kept, gone, old)
`

// finder looks for what is left.
const finder = `
import sys
import mlflow
from mlflow.exceptions import MlflowException
client = mlflow.MlflowClient()
kept, gone, old = sys.argv[1:]
assert client.get_run(kept).data.metrics == {"auc": 0.9}
assert mlflow.artifacts.load_text(f"runs:/{kept}/model/MLmodel") == "of " + kept
assert client.get_experiment(old).lifecycle_stage == "deleted"
try:
    client.get_run(gone)
    raise SystemExit("a purged run is found")
except MlflowException as e:
    assert e.error_code == "RESOURCE_DOES_NOT_EXIST", e
print("all as it should be")
`

// What MLflow's client deletes is gone after `fairlead gc`, but for what a version is made
// of; who moved an alias, and what there was, stays known.
func TestTrash_IsEmptiedButForWhatAModelIsMadeOf(t *testing.T) {
	interpreter := python(t)
	dir := t.TempDir()
	s := serve(t, t.TempDir())
	script := func(text string, args ...string) outcome {
		cmd := exec.Command(interpreter, append([]string{"-W", "ignore", "-c", text}, args...)...)
		cmd.Env = append(os.Environ(), "MLFLOW_TRACKING_URI="+s.url, "MLFLOW_DISABLE_TELEMETRY=true",
			"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR=false")
		return outcomeOf(t, cmd)
	}
	ids := strings.Fields(script(deleter).want(t, 0).stdout)
	kept := ids[0]
	s.run(dir, "gc").want(t, 0, `removed 0 experiments, 0 runs`)
	s.run(dir, "project", "set", "--keep-deleted", "soon").want(t, 1, `30d.*forever`)
	s.run(dir, "project", "set", "--keep-deleted", "forever").want(t, 0, `default keeps .* forever`)
	s.run(dir, "gc").want(t, 1, `for ever`, `--older-than`)
	s.run(dir, "project", "set", "--keep-deleted", "server").want(t, 0)
	s.run(dir, "project", "show").want(t, 0, `as long as the server`)
	s.run(dir, "gc", "--older-than", "0s", "--dry-run").want(t, 0,
		`would remove 0 experiments, 1 runs`,
		kept+`.*version 1 of "bikes" is made from it; version 2 of "bikes" is made from it`)
	var got struct {
		Purged struct {
			Runs int
			Kept []struct{ ID, Reason string }
		}
		Before, After map[string]int64
	}
	s.run(dir, "gc", "--older-than", "0s", "-o", "json").want(t, 0).decode(t, &got)
	if got.Purged.Runs != 1 || len(got.Purged.Kept) != 2 || got.Purged.Kept[0].ID != kept ||
		got.Before["files_bytes"] == 0 ||
		got.Before["project_files_bytes"] <= got.After["project_files_bytes"] || got.After["unused_files_bytes"] == 0 {
		t.Errorf("collected %+v", got)
	}
	s.run(dir, "gc", "--shrink", "-o", "json").want(t, 0).decode(t, &got)
	if got.After["database_bytes"] > got.Before["database_bytes"] ||
		got.After["database_bytes"] > got.After["database_used_bytes"]+2<<20 {
		t.Errorf("shrunk to %v from %v", got.After, got.Before)
	}
	script(finder, ids...).want(t, 0, `all as it should be`)
	s.run(dir, "audit", "verify").want(t, 0, `verified`)

	s.run(dir, "model", "history", "bikes@best").want(t, 0, `- +1 `)
	s.run(dir, "model", "show", "bikes@best", "--as-of", "9000-01-01").want(t, 0,
		`bikes version 1: ready, best`,
		`tag +stage=second`)
	s.run(dir, "model", "show", "bikes@best", "--as-of", "2011-05-01").want(t, 5)
	s.run(dir, "model", "show", "bikes", "--as-of", "9000-01-01").want(t, 0, `2 +ready`)
}
