package e2e_test

import (
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// tinyFile is the fairlead.yaml of a project whose steps are shell, so that what its
// stories cost is the program's own.
const tinyFile = `project: tiny
goal: {metric: mae, at_most: 1}
data:
  rows: {from: data/rows.csv, time: at, key: id, label: y}
holdout: {by: time, last: 24h}
pipeline:
  steps:
    train: {run: sh train.sh, in: [rows], out: [model, validation]}
    evaluate: {run: 'echo "::metric mae=0.1"', in: [model, validation]}
gates:
  good: {check: candidate.mae <= 1.0}
release:
  production: {strategy: replace, log: durable}
`

// tinyModel is an MLflow model whose loader is the project's own, so that it is served
// by the Python worker: y = 2 x.
const tinyModel = `flavors:
  python_function:
    code: code
    loader_module: tiny_loader
    python_version: "3.11"
mlflow_version: 3.17.2
model_uuid: 00000000000000000000000000000000
signature:
  inputs: '[{"type": "double", "name": "x", "required": true}]'
  outputs: '[{"type": "double", "name": "y", "required": true}]'
  params: null
`

const tinyLoader = `class Model:
    def predict(self, df, params=None):
        return df["x"].to_numpy() * 2.0


def _load_pyfunc(path):
    return Model()
`

const tinyTrain = `cp -r model "$FAIRLEAD_OUT_MODEL" && cp "$FAIRLEAD_IN_ROWS" "$FAIRLEAD_OUT_VALIDATION"
`

// tinyProject returns the project's files, with those in other laid over them.
func tinyProject(t testing.TB, other map[string]string) map[string]string {
	t.Helper()
	files := map[string]string{
		"fairlead.yaml":             tinyFile,
		"train.sh":                  tinyTrain,
		"data/rows.csv":             tinyRows("id,at,x,y", 72),
		"model/MLmodel":             tinyModel,
		"model/requirements.txt":    requirements(t),
		"model/code/tiny_loader.py": tinyLoader,
	}
	maps.Copy(files, other)
	return files
}

// tinyRows writes n hours of data.
func tinyRows(header string, n int) string {
	var b strings.Builder
	b.WriteString(header + "\n")
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range n {
		fmt.Fprintf(&b, "r%03d,%s,%d,%d\n", i, at.Add(time.Duration(i)*time.Hour).Format(time.RFC3339),
			i%7, 2*(i%7))
	}
	return b.String()
}

// serveTiny returns a server that serves the tiny model, and the model's repository.
func serveTiny(t testing.TB, other map[string]string) (s *server, dir string) {
	t.Helper()
	python(t)
	dir = repository(t, tinyProject(t, other))
	s = serve(t, t.TempDir())
	s.run(dir, "run").want(t, 0)
	s.awaitVersion("tiny", "tiny", 1)
	return s, dir
}

// releaseNext changes the tiny model's code, and releases what comes of it.
func (s *server) releaseNext(dir string, version int) {
	s.t.Helper()
	writeFiles(s.t, dir, map[string]string{"model/code/tiny_loader.py": fmt.Sprintf("%s# %d\n",
		tinyLoader, version)})
	commit(s.t, dir)
	s.run(dir, "run").want(s.t, 0)
	s.awaitVersion("tiny", "tiny", version)
}

// awaitVersion waits until the endpoint answers with the version.
func (s *server) awaitVersion(project, endpoint string, version int) {
	s.t.Helper()
	s.awaitBody("/p/"+project+"/v2/models/"+endpoint, fmt.Sprintf(`"versions":\["%d"`, version))
}

// awaitBody waits until what the path answers matches the pattern.
func (s *server) awaitBody(path, pattern string) {
	s.t.Helper()
	want := regexp.MustCompile(pattern)
	var last reply
	deadline := time.Now().Add(time.Minute)
	for ; time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		last = s.call(http.MethodGet, path, nil)
		if want.MatchString(last.body) {
			return
		}
	}
	s.t.Fatalf("%s does not come to answer with %s: %+v", path, pattern, last)
}

// inferBody is a request of the Open Inference Protocol for the tiny model.
func inferBody(id string, x float64) string {
	return fmt.Sprintf(`{"id":%q,"inputs":[{"name":"x","shape":[1],"datatype":"FP64","data":[%g]}]}`,
		id, x)
}

// A shadow never comes to its end by itself: the command does not wait for it, and once
// the shadow asks, the exit status says so.
func TestTiny_AShadowIsNotWaitedFor(t *testing.T) {
	s, dir := serveTiny(t, map[string]string{"fairlead.yaml": strings.Replace(tinyFile,
		"strategy: replace", "strategy: shadow, hold: {labels: 1000, at_most: 2h}", 1)})
	writeFiles(t, dir, map[string]string{"model/code/tiny_loader.py": tinyLoader + "# 2\n"})
	commit(t, dir)
	s.run(dir, "run").want(t, 0, `version 2 scores every request of tiny@production`,
		`fairlead rollout rol_`)
	s.run(dir, "replay", filepath.Join("data", "rows.csv"), "--time", "at", "--id", "id", "--label",
		"y").want(t, 0)
	s.run(dir, "release", "tiny", "2").want(t, 4, `asks for a human`, `--promote`)
	s.run(dir, "rollout", "tiny", "--promote", "--reason", "seen").want(t, 0)
	s.awaitVersion("tiny", "tiny", 2)
}
