package pyenv_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine/pyenv"
)

// A wheel without dependencies, in two versions, keeps these tests quick.
const (
	older = "six==1.16.0"
	newer = "six==1.17.0"
)

// managerOrSkip returns a manager on a fresh root, and skips the test when nothing
// can install here.
func managerOrSkip(t *testing.T) *pyenv.Manager {
	t.Helper()
	m, err := pyenv.New(pyenv.Options{Root: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if reason := cannotInstall(); reason != "" {
		t.Skip("left out: no package can be installed here: " + reason)
	}
	return m
}

var cannotInstall = sync.OnceValue(func() string {
	root, err := os.MkdirTemp("", "fairlead-pyenv-")
	if err != nil {
		return err.Error()
	}
	defer os.RemoveAll(root)
	m, err := pyenv.New(pyenv.Options{Root: root})
	if err != nil {
		return err.Error()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if _, err := m.Ensure(ctx, pyenv.Requirements{Text: newer}, nil); err != nil {
		return err.Error()
	}
	return ""
})

func TestEnsure_BuildsWhatIsAskedAndFindsItAgain(t *testing.T) {
	m := managerOrSkip(t)
	var said []string
	req := pyenv.Requirements{Text: "# pinned\n" + older + "\n"}
	env, err := m.Ensure(t.Context(), req, func(line string) { said = append(said, line) })
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(env.Python, "-c", "import six; print(six.__version__)").Output()
	if err != nil || strings.TrimSpace(string(out)) != "1.16.0" {
		t.Fatalf("six in the environment: %q, %v", out, err)
	}
	if strings.TrimSpace(env.Lock) != older || !strings.HasPrefix(env.Version, "3.") {
		t.Errorf("lock %q, version %q", env.Lock, env.Version)
	}
	if len(said) == 0 {
		t.Error("no progress was told")
	}
	// Again, with another comment and without any installer to run.
	t.Setenv("PATH", "")
	start := time.Now()
	again, err := m.Ensure(t.Context(), pyenv.Requirements{Text: older + "  # same"}, nil)
	if err != nil || *again != *env {
		t.Fatalf("again: %+v, %v", again, err)
	}
	if d := time.Since(start); d > 50*time.Millisecond {
		t.Errorf("a hit took %v", d)
	}
	found, ok := m.Lookup(env.Key)
	if !ok || *found != *env {
		t.Errorf("Lookup = %+v, %v", found, ok)
	}
}

func TestEnsure_SharesWhatResolvesToTheSame(t *testing.T) {
	m := managerOrSkip(t)
	if m.Installer() != "uv" {
		t.Skip("left out: pip keys an environment by its text alone")
	}
	a, err := m.Ensure(t.Context(), pyenv.Requirements{Text: older}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ranges := pyenv.Requirements{Text: "six<1.17", Extra: []string{"six>=1.16"}}
	b, err := m.Ensure(t.Context(), ranges, nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := m.Ensure(t.Context(), pyenv.Requirements{Text: newer}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if a.Key != b.Key || a.Key == c.Key {
		t.Errorf("keys %s, %s and %s", a.Key, b.Key, c.Key)
	}
	// A package carries only the lock: it leads to the same environment.
	d, err := m.Ensure(t.Context(), pyenv.Requirements{Text: c.Lock}, nil)
	if err != nil || d.Key != c.Key {
		t.Errorf("from the lock: %v, %v", d, err)
	}
}

func TestEnsure_BuildsOnceForConcurrentCallers(t *testing.T) {
	m := managerOrSkip(t)
	root := t.TempDir()
	var wg sync.WaitGroup
	keys := make([]string, 4)
	for i := range keys {
		wg.Go(func() {
			// Managers of their own stand for other processes: file locks tell them apart.
			other, err := pyenv.New(pyenv.Options{Root: root})
			if err != nil {
				t.Error(err)
				return
			}
			env, err := other.Ensure(t.Context(), pyenv.Requirements{Text: older}, nil)
			if err != nil {
				t.Error(err)
				return
			}
			keys[i] = env.Key
		})
	}
	wg.Wait()
	entries, err := os.ReadDir(filepath.Join(root, "envs"))
	if err != nil || len(entries) != 1 {
		t.Fatalf("environments %v, %v", entries, err)
	}
	for _, k := range keys {
		if k != entries[0].Name() {
			t.Errorf("keys %v", keys)
		}
	}
	if _, ok := m.Lookup(keys[0]); ok {
		t.Error("another root's environment was found")
	}
}

func TestEnsure_ReplacesWhatAKilledBuilderLeft(t *testing.T) {
	managerOrSkip(t)
	root := t.TempDir()
	m, err := pyenv.New(pyenv.Options{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	env, err := m.Ensure(t.Context(), pyenv.Requirements{Text: older}, nil)
	if err != nil {
		t.Fatal(err)
	}
	// A builder that is killed leaves everything but the mark that it is complete.
	if err := os.Remove(filepath.Join(env.Dir, "fairlead-env.json")); err != nil {
		t.Fatal(err)
	}
	litter := filepath.Join(env.Dir, "litter")
	if err := os.WriteFile(litter, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, ok := m.Lookup(env.Key); ok {
		t.Error("a half-built environment was found")
	}
	if _, err := m.Ensure(t.Context(), pyenv.Requirements{Text: older}, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(litter); err == nil {
		t.Error("the half-built environment was kept")
	}
}

func TestEnsure_SaysWhatCannotBeResolved(t *testing.T) {
	m := managerOrSkip(t)
	_, err := m.Ensure(t.Context(), pyenv.Requirements{Text: newer + "\nsix==1.16.0"}, nil)
	if !fairlead.Is(err, fairlead.Invalid) || !strings.Contains(err.Error(), "six==1.16.0") {
		t.Errorf("got %v", err)
	}
}

func TestEnsure_FallsBackToPip(t *testing.T) {
	managerOrSkip(t)
	out, err := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output()
	if err != nil {
		t.Skip("left out: no python3 on PATH")
	}
	python := strings.TrimSpace(string(out))
	t.Setenv("FAIRLEAD_UV", "")
	t.Setenv("PATH", "/nonexistent")
	t.Chdir(t.TempDir())
	m, err := pyenv.New(pyenv.Options{Root: t.TempDir(), Python: python})
	if err != nil {
		t.Fatal(err)
	}
	if m.Installer() != "pip" {
		t.Skip("left out: uv was found above the test binary")
	}
	env, err := m.Ensure(t.Context(), pyenv.Requirements{Text: older}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(env.Lock, older) {
		t.Errorf("lock %q", env.Lock)
	}
}

func TestEnsure_RefusesTextsThatReferToFiles(t *testing.T) {
	m, err := pyenv.New(pyenv.Options{Root: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"-r other.txt", "-e .", "./local", "a @ file:///x", "-c c.txt"} {
		_, err := m.Ensure(t.Context(), pyenv.Requirements{Text: text}, nil)
		if !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestEnsure_NamesThePythonThatIsMissing(t *testing.T) {
	m, err := pyenv.New(pyenv.Options{Root: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	_, err = m.Ensure(t.Context(), pyenv.Requirements{Text: older, Python: "2.6"}, nil)
	if !fairlead.Is(err, fairlead.Precondition) || !strings.Contains(err.Error(), "2.6") {
		t.Errorf("got %v", err)
	}
}

func TestLookup_RefusesWhatIsNotAKey(t *testing.T) {
	m, err := pyenv.New(pyenv.Options{Root: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"", "..", "../../etc", strings.Repeat("a", 24)} {
		if _, ok := m.Lookup(key); ok {
			t.Errorf("found %q", key)
		}
	}
}

func TestEnviron_ActivatesAndLetsBytecodeBeWritten(t *testing.T) {
	env := &pyenv.Env{Dir: "/e", Python: "/e/bin/python"}
	got := env.Environ([]string{
		"PATH=/usr/bin", "PYTHONDONTWRITEBYTECODE=1", "PYTHONPATH=/x", "HOME=/h"})
	want := "HOME=/h PATH=/e/bin:/usr/bin VIRTUAL_ENV=/e"
	if strings.Join(got, " ") != want {
		t.Errorf("got %v", got)
	}
}

func TestFindUV_NamesThePathThatIsWrong(t *testing.T) {
	_, err := pyenv.FindUV("/nonexistent/uv")
	if !fairlead.Is(err, fairlead.NotFound) || !strings.Contains(err.Error(), "/nonexistent/uv") {
		t.Errorf("got %v", err)
	}
}
