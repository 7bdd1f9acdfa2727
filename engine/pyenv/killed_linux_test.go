package pyenv_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead/engine/pyenv"
)

// TestMain is also the builder that TestEnsure_WaitsForAnInstallerThatOutlivedItsBuilder
// kills.
func TestMain(m *testing.M) {
	if root := os.Getenv("TEST_BUILDER"); root != "" {
		manager, err := pyenv.New(pyenv.Options{Root: root, UV: os.Getenv("TEST_UV")})
		if err == nil {
			_, err = manager.Ensure(context.Background(), pyenv.Requirements{Text: newer}, nil)
		}
		fmt.Fprintln(os.Stderr, "the builder ended by itself:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// slow is an installer whose own child leaves its group, and writes into the
// environment when the FIFO says so; where there is no FIFO it installs at once.
const slow = `#!/bin/sh
here=$(dirname "$0")
case "$1 $2" in
"python find") command -v python3;;
"pip compile") echo six==1.17.0;;
"pip install") [ -p "$here/fifo" ] || exit 0
  dir=$(dirname "$(dirname "$6")")
  setsid sh -c "read x < '$here/fifo'; echo late > '$dir/late'" & wait;;
venv*) for dir; do :; done; mkdir -p "$dir/bin"; ln -s "$(command -v python3)" "$dir/bin/python";;
esac
`

func TestEnsure_WaitsForAnInstallerThatOutlivedItsBuilder(t *testing.T) {
	dir := t.TempDir()
	root, uv := filepath.Join(dir, "root"), filepath.Join(dir, "uv")
	fifo := filepath.Join(dir, "fifo")
	err := errors.Join(os.WriteFile(uv, []byte(slow), 0o755), syscall.Mkfifo(fifo, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	builder := exec.Command(os.Args[0])
	builder.Env = append(os.Environ(), "TEST_BUILDER="+root, "TEST_UV="+uv)
	builder.Stderr = os.Stderr
	if err := builder.Start(); err != nil {
		t.Fatal(err)
	}
	end, err := os.OpenFile(fifo, os.O_WRONLY, 0) // when the installer reads
	if err != nil {
		t.Fatal(err)
	}
	builder.Process.Kill()
	builder.Wait()
	os.Remove(fifo)

	m, err := pyenv.New(pyenv.Options{Root: root, UV: uv})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = m.Ensure(ctx, pyenv.Requirements{Text: newer}, nil)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("beside the installer: %v", err)
	}
	end.Close() // now the installer writes, and ends
	env, err := m.Ensure(t.Context(), pyenv.Requirements{Text: newer}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(env.Dir, "late")); err == nil {
		t.Error("the installer of the killed builder wrote into the environment")
	}
}

func TestEnsure_KeepsTheServersSecretsFromInstallers(t *testing.T) {
	dir := t.TempDir()
	uv := filepath.Join(dir, "uv")
	script := strings.Replace(slow, "here=", `env >> "$(dirname "$0")/seen"`+"\nhere=", 1)
	if err := os.WriteFile(uv, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DATABASE_PASSWORD", "hunter2")
	t.Setenv("HTTPS_PROXY", "http://proxy:3128")
	t.Setenv("UV_INDEX_URL", "https://index/simple")
	m, err := pyenv.New(pyenv.Options{Root: filepath.Join(dir, "root"), UV: uv})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Ensure(t.Context(), pyenv.Requirements{Text: newer}, nil); err != nil {
		t.Fatal(err)
	}
	seen, err := os.ReadFile(filepath.Join(dir, "seen"))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		"hunter2": false, "http://proxy:3128": true, "https://index/simple": true} {
		if strings.Contains(string(seen), text) != want {
			t.Errorf("%s: %v", text, !want)
		}
	}
}
