package mlflow_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// frameworks are the packages that are too heavy for every run of the tests: PyPI's
// torch brings some 3 GB. `make test-frameworks` makes an environment of each and names
// it in the variable.
var frameworks = map[string]string{
	"tensorflow": "FAIRLEAD_TEST_TENSORFLOW",
	"pytorch":    "FAIRLEAD_TEST_PYTORCH",
}

// Users of each framework train under autolog, log models, and load them by alias.
func TestFlavours_WorkWithTheRealLibraries(t *testing.T) {
	for _, flavour := range []string{"sklearn", "lightgbm", "xgboost"} {
		t.Run(flavour, func(t *testing.T) {
			t.Parallel()
			useFlavour(t, python(t), flavour)
		})
	}
}

func TestFrameworks_WorkWithTheRealLibraries(t *testing.T) {
	for flavour, variable := range frameworks {
		t.Run(flavour, func(t *testing.T) {
			interpreter := os.Getenv(variable)
			if interpreter == "" {
				t.Skip("left out: too large for every run; run `make test-frameworks`")
			}
			useFlavour(t, interpreter, flavour)
		})
	}
}

func useFlavour(t *testing.T, interpreter, flavour string) {
	s := serve(t)
	script, err := filepath.Abs(filepath.Join("testdata", "flavours.py"))
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	cmd := exec.CommandContext(t.Context(), interpreter, "-W", "ignore", script, s.URL+"/p/other", flavour)
	cmd.Dir, cmd.Env = home, clientEnv(home)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the client failed: %v\n%s", err, out)
	}
	t.Logf("%s", out)
	if rep, err := s.led.Verify(t.Context()); err != nil || rep.Events == 0 {
		t.Errorf("the ledger afterwards: %+v, %v", rep, err)
	}
}
