package e2e_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// pipelineFile is a pipeline that makes no model: its steps are lines of shell, and wait
// for a file where a test says so.
const pipelineFile = `project: steps
data:
  rows: {from: data/rows.csv, time: at, key: id, label: y}
pipeline:
  steps:
    prepare: {run: 'cp "$FAIRLEAD_IN_ROWS" "$FAIRLEAD_OUT_TABLE"', in: [rows], out: [table]}
    train: {run: sh train.sh, in: [table], out: [weights], params: {depth: 1}}
    check: {run: 'cat "$FAIRLEAD_IN_WEIGHTS"', in: [weights]}
`

type stepList struct {
	Items []struct{ Name, State string }
}

// states returns the steps of a pipeline run with their states, in order.
func (s *server) states(run string) string {
	s.t.Helper()
	var list stepList
	s.call(http.MethodGet, "/api/v1/projects/steps/pipeline-runs/"+run+"/steps", nil).want(s.t, 200).
		decode(s.t, &list)
	var out []string
	for _, step := range list.Items {
		out = append(out, step.Name+" "+step.State)
	}
	return strings.Join(out, ", ")
}

// A step is run again together with what comes after it, also when the server is killed
// meanwhile, and who looks at its log sees each line within a second.
func TestPipeline_IsRunAgainFromAStep(t *testing.T) {
	gates := t.TempDir()
	s := serve(t, t.TempDir())
	dir := repository(t, map[string]string{"fairlead.yaml": pipelineFile,
		"data/rows.csv": tinyRows("id,at,x,y", 3),
		"train.sh": "echo begun; while [ -e " + gates + "/shut ]; do sleep 0.02; done\n" +
			"echo ended; echo weights > $FAIRLEAD_OUT_WEIGHTS\n"})
	s.run(dir, "run").want(t, 0, "closed, unchanged")
	s.run(dir, "rerun", "trian").want(t, 1, `no step "trian"; it has: prepare, train, check`)

	var run struct {
		ID      string `json:"id"`
		RerunOf string `json:"rerun_of"`
	}
	s.run(dir, "rerun", "train", "-o", "json").want(t, 0).decode(t, &run)
	const again = "prepare cached, train succeeded, check succeeded"
	if got := s.states(run.ID); got != again || run.RerunOf == "" {
		t.Errorf("%s, of %q", got, run.RerunOf)
	}
	s.run(dir, "why", "train").want(t, 0, `again from train`)

	if err := os.WriteFile(filepath.Join(gates, "shut"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.run(dir, "rerun", "train", "--detach", "-o", "json").want(t, 0).decode(t, &run)
	log := "/api/v1/projects/steps/pipeline-runs/" + run.ID + "/steps/train/log?wait=30s&offset="
	s.awaitBody(log+"0", `"text":"begun\\n"`)
	s.kill()
	s.start()
	s.call(http.MethodPost, "/api/v1/projects/steps/pipeline-runs/"+run.ID+"/rerun",
		map[string]string{"from": "train"}).want(t, 409, "has ended")
	read := make(chan reply)
	go func() {
		r, err := s.try(http.MethodGet, log+"6", nil)
		if err != nil {
			t.Error(err)
		}
		read <- r
	}()
	select { // there is nothing more yet
	case r := <-read:
		t.Fatalf("answered before there was more: %+v", r)
	case <-time.After(200 * time.Millisecond):
	}
	if err := os.Remove(filepath.Join(gates, "shut")); err != nil {
		t.Fatal(err)
	}
	opened := time.Now()
	(<-read).want(t, 200, `"text":"ended\\n"`, `"next":12`, `"attempt":1`)
	if took := time.Since(opened); took > 10*time.Second { // of the 30 that it may wait
		t.Errorf("the line came after %s", took)
	}
	s.awaitBody(log+"12", `"text":"",.*"done":true`)
	s.awaitBody("/api/v1/projects/steps/pipeline-runs/"+run.ID+"?tries=false", `"state":"succeeded"`)
	if got := s.states(run.ID); got != again {
		t.Errorf("%s", got)
	}
}
