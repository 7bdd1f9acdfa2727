package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead/auth"
)

// testedBlocks returns the blocks of a document that are marked to be run.
func testedBlocks(t *testing.T, name, language string) []string {
	t.Helper()
	block := regexp.MustCompile("(?ms)^```" + language + " test\n(.*?)^```")
	var all []string
	for _, m := range block.FindAllStringSubmatch(readTree(t, name), -1) {
		all = append(all, m[1])
	}
	if len(all) == 0 {
		t.Fatalf("%s has no `%s test` block", name, language)
	}
	return all
}

// logged is what the snippet in docs/mlflow.md begins with: a run that has logged a
// model of the project.
const logged = `
import mlflow, pandas as pd
from mlflow.models import infer_signature
from sklearn.naive_bayes import GaussianNB

rows = pd.read_csv("data/history.csv")
x, y = rows.drop(columns=["bottle", "analysed_at", "cultivar"]).astype("float64"), rows["cultivar"]
with mlflow.start_run() as run:
    mlflow.sklearn.log_model(GaussianNB().fit(x, y), name="model", signature=infer_signature(x, y), input_example=x.head(3))
run_id = run.info.run_id
`

// needCurl skips the test with one line where curl is missing.
func needCurl(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skipf("LEFT OUT: %s needs curl", t.Name())
	}
}

// What docs/api.md and docs/mlflow.md show is called as it is written, on the project
// that they name.
func TestWine_DocumentedCallsWork(t *testing.T) {
	t.Parallel()
	needCurl(t)
	interpreter := python(t)
	dir := example(t, "wine")
	git(t, dir, "init", "-q", "-b", "main")
	commit(t, dir)
	s := serve(t, t.TempDir())
	s.run(dir, "run").want(t, 0, `promoted, version 1`)
	replaceIn(t, filepath.Join(dir, "fairlead.yaml"), "c: 1.0", "c: 0.5")
	commit(t, dir)
	s.run(dir, "run").want(t, 0, `promoted, version 2`)

	sh := func(script string) outcome {
		t.Helper()
		script = strings.ReplaceAll(script, "http://127.0.0.1:4747", s.url)
		script = strings.ReplaceAll(script, "curl -s", "curl -sS --fail-with-body")
		cmd := exec.Command("bash", "-euc", script)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "FAIRLEAD_DATA="+s.data)
		return outcomeOf(t, cmd)
	}
	blocks := testedBlocks(t, "docs/api.md", "sh")
	sh(blocks[0]).want(t, 0, `"openapi":`, `"outcome":"promoted"`)
	s.awaitVersion("wine", "wine", 1)
	s.run(dir, "release", "wine", "1").want(t, 0, `version 1 is live already`)
	s.run(dir, "release", "wine", "2").want(t, 0, `promoted, version 2`)
	s.awaitVersion("wine", "wine", 2)
	s.run(dir, "rollback", "wine", "--reason", "once more").want(t, 0)
	sh(blocks[1]).want(t, 0, `"accepted": ?1`, `"unmatched": ?1`)

	token, err := auth.ReadOwner(s.data)
	if err != nil {
		t.Fatal(err)
	}
	snippet := exec.Command(interpreter, "-c", logged+testedBlocks(t, "docs/mlflow.md", "python")[0]+
		"\nassert len(model.predict(x.head(3))) == 3")
	snippet.Dir, snippet.Env = dir, append(os.Environ(), "MLFLOW_TRACKING_URI="+s.url+"/p/wine",
		"MLFLOW_TRACKING_TOKEN="+token)
	outcomeOf(t, snippet).want(t, 0)
	s.run(dir, "case").want(t, 0, `candidate`)
}
