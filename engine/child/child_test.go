package child_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"testing"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine/child"
)

func TestRun_EndsWithItsContextAndTakesItsChildrenAlong(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	// The grandchild holds the only other end of the pipe: a read ends with it.
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command("sh", "-c", "sleep 600 & echo x >&3; wait")
	cmd.ExtraFiles = []*os.File{w}
	go func() {
		io.ReadFull(r, make([]byte, 2))
		cancel()
	}()
	if err := child.Run(ctx, cmd); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	w.Close()
	if _, err := io.ReadAll(r); err != nil {
		t.Error(err)
	}
}

func TestRun_WaitsForTheOutput(t *testing.T) {
	var out bytes.Buffer
	cmd := exec.Command("sh", "-c", "printf all; exit 3")
	cmd.Stdout = &out
	var exit *exec.ExitError
	if err := child.Run(t.Context(), cmd); !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("got %v", err)
	}
	if out.String() != "all" {
		t.Errorf("output %q", &out)
	}
	err := child.Run(t.Context(), exec.Command("/nonexistent"))
	if !fairlead.Is(err, fairlead.Unavailable) {
		t.Errorf("no program: %v", err)
	}
}

func TestState_TellsACrashFromAKill(t *testing.T) {
	for script, want := range map[string][2]bool{ // crashed, killed
		"exit 1": {false, false}, "kill -SEGV $$": {true, false}, "kill -ABRT $$": {true, false},
		"kill -FPE $$": {true, false}, "kill -KILL $$": {false, true}, "kill -TERM $$": {false, true},
	} {
		p, err := child.Start(exec.Command("sh", "-c", script))
		if err != nil {
			t.Fatal(err)
		}
		<-p.Done()
		p.Kill() // too late, and harmless
		if got := [2]bool{child.Crashed(p.State()), child.Killed(p.State())}; got != want {
			t.Errorf("%s: %v", script, got)
		}
	}
}

func TestEnviron_KeepsSecretsBack(t *testing.T) {
	t.Setenv("AWS_SECRET_ACCESS_KEY", "s")
	t.Setenv("UV_INDEX", "i")
	t.Setenv("UVX", "x")
	t.Setenv("LANG", "C")
	got := child.Environ("UV_*")
	for kv, want := range map[string]bool{
		"AWS_SECRET_ACCESS_KEY=s": false, "UV_INDEX=i": true, "UVX=x": false, "LANG=C": true} {
		if slices.Contains(got, kv) != want {
			t.Errorf("%s: %v", kv, !want)
		}
	}
}
