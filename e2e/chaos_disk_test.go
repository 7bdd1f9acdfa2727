package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// fullDiskClient tries each write and each read with MLflow's own client, and prints what
// became of it.
const fullDiskClient = `
import sys
import mlflow
from mlflow.entities import Metric, Param
client, run = mlflow.MlflowClient(), sys.argv[1]
def tell(name, call):
    try:
        call()
        print(name, "ok")
    except Exception as e:
        print(name, type(e).__name__, getattr(e, "error_code", ""), str(e).replace("\n", " "))
tell("log_metric", lambda: client.log_metric(run, "loss", 1))
tell("log_batch", lambda: client.log_batch(run, [Metric("acc", 1, 1, 1)], [Param("q", "1")]))
tell("log_param", lambda: client.log_param(run, "p", "1"))
tell("set_tag", lambda: client.set_tag(run, "t", "1"))
tell("create_run", lambda: client.create_run("0"))
tell("log_text", lambda: client.log_text(run, "some text", "text.txt"))
tell("create_model_version", lambda: client.create_model_version("m", f"runs:/{run}/model", run))
tell("set_alias", lambda: client.set_registered_model_alias("m", "a", 1))
assert client.get_run(run).data.metrics["before"] == 9
assert len(client.get_metric_history(run, "before")) == 10
assert run in [r.info.run_id for r in client.search_runs(["0"], "metrics.before > 1")]
assert client.search_model_versions("name = 'm'")[0].version
assert client.search_experiments()
assert mlflow.artifacts.load_text(f"runs:/{run}/weights.bin") == "early"
print("all is read")
`

// Each kind of write is refused on a full disk, in words that reach the user of MLflow's
// client, while reads go on; with room again all of it works, and nothing was restarted.
func TestFaults_FullDiskRefusesEachWriteAndNoRead(t *testing.T) {
	interpreter := python(t)
	s := serve(t, smallDisk(t))
	id := newRun(t, s)
	const api = "/api/2.0/mlflow/"
	s.call("POST", api+"runs/log-batch", batchOf(id, "before", 10)).want(t, 200)
	putArtifact(s, id, "early").want(t, 200)
	spare := newRun(t, s)
	putArtifact(s, spare, "spare").want(t, 200)
	s.call("POST", api+"runs/log-batch", batchOf(spare, "spare", 1000)).want(t, 200)
	s.call("POST", api+"registered-models/create", `{"name":"m"}`).want(t, 200)
	version := fmt.Sprintf(`{"name":"m","source":"runs:/%s/model","run_id":%q}`, id, id)
	s.call("POST", api+"model-versions/create", version).want(t, 200)
	ballast := filepath.Join(s.data, "ballast")
	fill(t, ballast)
	writeUntilRefused(t, s, id)

	inRun := func(text string) string { return fmt.Sprintf(`{"run_id":%q,%s}`, id, text) }
	writes := []struct{ method, path, body string }{
		{"POST", "runs/log-metric", inRun(`"key":"one","value":1,"timestamp":1,"step":1`)},
		{"POST", "runs/log-batch", batchOf(id, "many", 1000)},
		{"POST", "runs/log-parameter", inRun(`"key":"p","value":"1"`)},
		{"POST", "runs/set-tag", inRun(`"key":"t","value":"1"`)},
		{"POST", "runs/create", `{"experiment_id":"0"}`},
		{"POST", "runs/update", inRun(`"status":"FINISHED"`)},
		{"POST", "experiments/create", `{"name":"other"}`},
		{"POST", "registered-models/create", `{"name":"other"}`},
		{"POST", "model-versions/create", version},
		{"POST", "registered-models/alias", `{"name":"m","alias":"a","version":"1"}`},
	}
	reads := []struct{ method, path, body string }{
		{"GET", "runs/get?run_id=" + id, ""},
		{"POST", "runs/search", `{"experiment_ids":["0"],"filter":"metrics.before > 1"}`},
		{"GET", "metrics/get-history?metric_key=before&run_id=" + id, ""},
		{"GET", "model-versions/search?filter=name%3D%27m%27", ""},
		{"GET", "model-versions/get?name=m&version=1", ""},
		{"GET", "experiments/get?experiment_id=0", ""},
		{"GET", "artifacts/list?run_id=" + id, ""},
	}
	for _, w := range writes {
		s.call(w.method, api+w.path, w.body).want(t, 507, `RESOURCE_EXHAUSTED`, `disk.*is full`)
	}
	putArtifact(s, id, "small").want(t, 507, `RESOURCE_EXHAUSTED`, `disk.*is full`)
	for _, r := range reads {
		s.call(r.method, api+r.path, r.body).want(t, 200)
	}
	client := func() outcome {
		cmd := exec.Command(interpreter, "-W", "ignore", "-c", fullDiskClient, id)
		cmd.Env = append(os.Environ(), "MLFLOW_TRACKING_URI="+s.url,
			"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR=false", "MLFLOW_DISABLE_TELEMETRY=true")
		return outcomeOf(t, cmd)
	}
	calls := []string{"log_metric", "log_batch", "log_param", "set_tag", "create_run", "log_text",
		"create_model_version", "set_alias"}
	refused := client().want(t, 0, `all is read`)
	for _, call := range calls {
		wantMatches(t, refused.stdout, `(?m)^`+call+` .*RESOURCE_EXHAUSTED.*disk.*is full`)
	}

	// What gives room back works, so that one need not look for something else to remove.
	s.call("DELETE", "/api/2.0/mlflow-artifacts/artifacts/0/"+spare+"/artifacts/weights.bin", "").want(t, 200)
	s.call("POST", api+"runs/delete", fmt.Sprintf(`{"run_id":%q}`, spare)).want(t, 200)
	s.run(t.TempDir(), "gc", "--older-than", "0s").want(t, 0, `1 runs? `)
	s.call("GET", api+"runs/get?run_id="+spare, "").want(t, 404)

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	s.awaitWrites(id)
	s.call("POST", api+"runs/update", inRun(`"status":"FINISHED"`)).want(t, 200)
	taken := client().want(t, 0, `all is read`)
	for _, call := range calls {
		wantMatches(t, taken.stdout, `(?m)^`+call+` ok`)
	}
	s.run(t.TempDir(), "audit", "verify").want(t, 0, `^verified`)
}
