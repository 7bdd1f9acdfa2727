package mlflow_test

import (
	"slices"
	"testing"
)

// workspaceAnswers is what MLflow's server with --enable-workspaces answers. `go test -run
// TestWorkspaces -record` writes it anew.
const workspaceAnswers = "testdata/workspaces.jsonl"

const workspaces = "/api/3.0/mlflow/workspaces"

// Why an answer about workspaces is not MLflow's.
const (
	features = "each server says what it has"
	ourName  = "the message says more: what a project is, and how there comes to be one"
	oneEach  = "each project has an experiment Default"
	foreign  = "a run of another workspace is not there, where MLflow makes a version of it"
	fixed    = "a project is described by its file, and cannot be deleted"
)

// workspaceAsks are about workspaces, and about what those of one see of another's.
var workspaceAsks = []ask{
	{call: "GET /api/3.0/mlflow/server-info", ours: features},
	{call: "GET " + workspaces},
	{call: "POST " + workspaces, body: `{}`},
	{call: "POST " + workspaces, body: `{"name":1}`},
	{call: "POST " + workspaces, body: `{"name":"default"}`},
	{call: "POST " + workspaces, body: `{"name":"Wine"}`},
	{call: "POST " + workspaces, body: `{"name":"a/b"}`},
	{call: "POST " + workspaces, body: `{"name":"-a"}`},
	{call: "POST " + workspaces, body: `{"name":"ajax-api"}`},
	{call: "POST " + workspaces, body: `{"name":"x"}`},
	{call: "POST " + workspaces, body: `{"name":"` + long + `"}`},
	{call: "POST " + workspaces, body: `{"name":"wine"}`},
	{call: "POST " + workspaces, body: `{"name":"wine"}`, ours: wording},
	{call: "GET " + workspaces + "/wine"},
	{call: "GET " + workspaces + "/none"},
	{call: "GET " + workspaces + "/Wine"},
	{call: "GET " + workspaces},

	{call: "POST experiments/create", body: `{"name":"a"}`, in: "none", ours: ourName},
	{call: "GET experiments/get?experiment_id=0", in: "none", ours: ourName},
	{call: "GET experiments/get?experiment_id=0", in: "No Name", ours: ourName},
	{call: "POST experiments/search", body: `{"max_results":9}`, in: "wine", ours: oneEach},
	{call: "POST experiments/create", body: `{"name":"a"}`, in: "wine", keep: "exp=experiment_id"},
	{call: "POST experiments/create", body: `{"name":"a"}`, in: "wine", ours: wording},
	{call: "GET experiments/get?experiment_id={exp}", in: "wine"},
	{call: "GET experiments/get-by-name?experiment_name=a", in: "wine"},
	{call: "GET experiments/get-by-name?experiment_name=a"},
	{call: "GET experiments/get-by-name?experiment_name=a", in: "default"},
	{call: "POST experiments/search", body: `{"max_results":9}`},

	{call: "POST runs/create", body: `{"experiment_id":"{exp}","run_name":"r"}`, in: "wine",
		keep: "run=run.info.run_id"},
	{call: "POST runs/log-metric", body: `{"run_id":"{run}","key":"m","value":1,"timestamp":1}`,
		in: "wine"},
	{call: "GET runs/get?run_id={run}"},
	{call: "GET runs/get?run_id={run}", in: "default"},
	{call: "POST runs/update", body: `{"run_id":"{run}","status":"FINISHED"}`},
	{call: "POST runs/log-metric", body: `{"run_id":"{run}","key":"m","value":2,"timestamp":2}`},
	{call: "POST runs/log-parameter", body: `{"run_id":"{run}","key":"p","value":"2"}`},
	{call: "POST runs/set-tag", body: `{"run_id":"{run}","key":"t","value":"2"}`},
	{call: "POST runs/delete", body: `{"run_id":"{run}"}`},
	{call: "GET metrics/get-history?run_id={run}&metric_key=m", in: "wine"},

	{call: "POST registered-models/create", body: `{"name":"m"}`, in: "wine"},
	{call: "GET registered-models/get?name=m"},
	{call: "GET registered-models/search"},
	{call: "GET registered-models/search", in: "wine"},
	{call: "POST registered-models/create", body: `{"name":"m"}`},
	{call: "POST registered-models/set-tag", body: `{"name":"m","key":"t","value":"1"}`},
	{call: "GET registered-models/get?name=m", in: "wine"},
	{call: "POST model-versions/create", body: `{"name":"m","source":"runs:/{run}/model",` +
		`"run_id":"{run}"}`, ours: foreign},
	{call: "DELETE registered-models/delete", body: `{"name":"m"}`},
	{call: "GET registered-models/get?name=m", in: "wine"},

	{call: "PATCH " + workspaces + "/wine", body: `{"description":"red"}`, ours: fixed},
	{call: "DELETE " + workspaces + "/default", ours: fixed},
	{call: "DELETE " + workspaces + "/wine", ours: fixed},
}

func TestWorkspaces_AreAnsweredAsByMLflowsServer(t *testing.T) {
	// Where files are and how experiments are numbered is each server's own.
	dotted := append([]string{"artifact_location", "artifact_uri", "experiment_id"}, clocked...)
	if *record {
		url := mlflowServer(t, python(t), "--enable-workspaces")
		a := &asker{base: url, chosen: map[string]string{}, dotted: slices.Clone(dotted)}
		a.write(t, workspaceAnswers, workspaceAsks)
	}
	app, token := start(t)
	a := &asker{base: app.URL(), token: token, chosen: map[string]string{}, dotted: dotted}
	a.compare(t, workspaceAnswers, workspaceAsks)
}
