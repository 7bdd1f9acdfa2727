package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The real client writes a store without Fairlead; what it reads from Fairlead after the
// import is what it reads from there, and a second import changes nothing.
func TestStory_ImportOfMLflowReadsTheSame(t *testing.T) {
	interpreter := python(t)
	for name, tt := range map[string]struct{ scheme, file string }{
		"files":  {"file://", "mlruns"},
		"SQLite": {"sqlite:///", "mlflow.db"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			from := filepath.Join(dir, tt.file)
			client := func(script string, args ...string) outcome {
				path, err := filepath.Abs(filepath.Join("testdata", "import", script))
				if err != nil {
					t.Fatal(err)
				}
				cmd := exec.Command(interpreter, append([]string{"-W", "ignore", path}, args...)...)
				cmd.Dir = dir
				cmd.Env = append(os.Environ(), "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR=false",
					"MLFLOW_DISABLE_TELEMETRY=true")
				return outcomeOf(t, cmd).want(t, 0)
			}
			client("store.py", tt.scheme+from, dir)
			want := client("dump.py", tt.scheme+from).stdout
			s := serve(t, t.TempDir())
			s.run(dir, "import", "mlflow", from).want(t, 0,
				`^3 experiments, 3 runs, 1 logged models, 2 models with 2 versions; 15\d\d points and 7 files read`)
			if got := client("dump.py", s.url).stdout; got != want {
				t.Errorf("the client reads from Fairlead:\n%s\nand from the store:\n%s", got, want)
			}
			events := s.run(dir, "audit", "verify").want(t, 0).stdout
			s.run(dir, "import", "mlflow", from).want(t, 0, `; 0 points and 0 files read, 6 things were here already\n$`)
			if got := s.run(dir, "audit", "verify").want(t, 0).stdout; got != events {
				t.Errorf("a second import has changed something: %s, before %s", got, events)
			}
			if got := client("dump.py", s.url).stdout; got != want {
				t.Error("the client reads something else after a second import")
			}
		})
	}
}
