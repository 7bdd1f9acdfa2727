package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var comingBlock = regexp.MustCompile("(?ms)^```(?:sh test|python (\\w+\\.py))\n(.*?)^```")

// The page for who comes from MLflow runs as it is written, with the real client: its
// `sh test` blocks in one shell, which finds the Python blocks as files.
func TestComing_RunsAsWritten(t *testing.T) {
	t.Parallel()
	interpreter := python(t)
	needCurl(t)
	dir := t.TempDir()
	var script strings.Builder
	for _, m := range comingBlock.FindAllStringSubmatch(readTree(t, "docs/coming-from-mlflow.md"), -1) {
		if m[1] == "" {
			script.WriteString(m[2])
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, m[1]), []byte(m[2]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	typed := script.String()
	if n := strings.Count(typed, "fairlead ") + strings.Count(typed, "python "); n < 25 {
		t.Fatalf("the page has only %d commands in its `sh test` blocks", n)
	}
	port := freePort(t)
	typed = strings.Replace(strings.ReplaceAll(typed, ":4747", ":"+port), "fairlead serve ",
		"fairlead serve --listen 127.0.0.1:"+port+" ", 1)
	cmd := exec.Command("bash", "-euo", "pipefail", "-c",
		"trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n"+typed)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "PYTHONWARNINGS=ignore", "MLFLOW_DISABLE_TELEMETRY=true",
		"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR=false", "PATH="+strings.Join([]string{
			filepath.Dir(program(t)), filepath.Dir(interpreter), os.Getenv("PATH")}, ":"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("docs/coming-from-mlflow.md: %v\n%s", err, out)
	}
	for _, want := range []string{
		`C=1\.0 +0\.9`, `4 runs: \['a', 'b'\]`, `(?m)^4$`, // the runs of both stores
		`- +1 `, `1 +2 `, `wine version 2: ready, champion`, `tag +checked=yes`, `2 +ready +- `,
		`would remove 1 experiments, 1 runs`, `removed 1 experiments, 1 runs`,
		`C=1\.0 .*version 2 of "wine" is made from it`, `ci +active`,
		`\['default', 'cellar'\]|\['cellar', 'default'\]`, `name='barrels'`,
		`ada has an account`, `(\['scratch', 'Default', 'wine'\]\n){4}`, `whole: .*events verified`,
		`(?m)^README\.md$`, `(?m)^manifest\.json$`, `imported from .*, 3 runs with 3 points`,
	} {
		if !regexp.MustCompile(want).Match(out) {
			t.Errorf("docs/coming-from-mlflow.md did not print %q", want)
		}
	}
	if t.Failed() {
		t.Logf("it printed:\n%s", out)
	}
}
