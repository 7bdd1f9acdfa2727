package pyenv_test

import (
	"context"
	"errors"
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
	again, err := m.Ensure(t.Context(), pyenv.Requirements{Text: older + "  # same"}, nil)
	if err != nil || *again != *env {
		t.Fatalf("again: %+v, %v", again, err)
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
	for _, text := range []string{"-r other.txt", "-rother.txt", "-e .", "./local", "a @ file:///x",
		"a@./a.whl", "a[b] @ a.whl", "a-1.0-py3-none-any.whl", "dir/a.tar.gz", "-c c.txt", "file:a",
		"--find-links ./x", "--find-links=/x", "-f x", "-fx", "git+file:///x",
		"--extra-index-url https://x/simple --find-links ./x", "--editable=."} {
		_, err := m.Ensure(t.Context(), pyenv.Requirements{Text: text}, nil)
		if !fairlead.Is(err, fairlead.Invalid) || !strings.Contains(err.Error(), "list the packages") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// hashed is what pip-compile --generate-hashes writes.
const hashed = `#
# This file is autogenerated by pip-compile with Python 3.11
#
six==1.17.0 \
    --hash=sha256:4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274 \
    --hash=sha256:ff70335d468e7eb6ec65b95b99d3a2836546063f63acc5171de367e834932a81
    # via -r requirements.in
`

func TestEnsure_HoldsToHashes(t *testing.T) {
	m := managerOrSkip(t)
	env, err := m.Ensure(t.Context(), pyenv.Requirements{Text: hashed}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if m.Installer() == "uv" && !strings.Contains(env.Lock, "--hash=sha256:4721f391") {
		t.Errorf("lock %q", env.Lock)
	}
	// A package carries only the lock, and asks for more besides.
	again, err := m.Ensure(t.Context(), pyenv.Requirements{Text: env.Lock}, nil)
	if err != nil || m.Installer() == "uv" && again.Key != env.Key {
		t.Errorf("from the lock: %v, %v", again, err)
	}
	other := strings.NewReplacer("4721f391", "00000000", "ff70335d", "00000000").Replace(hashed)
	_, err = m.Ensure(t.Context(), pyenv.Requirements{Text: other}, nil)
	if !fairlead.Is(err, fairlead.Invalid) || !strings.Contains(strings.ToLower(err.Error()), "hash") {
		t.Errorf("other hashes: %v", err)
	}
}

// What pip-compile writes for several Pythons: one package under two markers.
func TestEnsure_TakesTheHashesOfEachMarker(t *testing.T) {
	m := managerOrSkip(t)
	text := strings.Replace(hashed, "six==1.17.0", `six==1.17.0 ; python_version >= "3"`, 1) +
		`six==1.16.0 ; python_version < "3" \
    --hash=sha256:1e61c37477a1626458e36f7b1d82aa5c9b094fa4802892072e49de9c84c4c926
`
	if _, err := m.Ensure(t.Context(), pyenv.Requirements{Text: text}, nil); err != nil {
		t.Error(err)
	}
}

func TestEnsure_BlamesNoRequirementsForTheNetwork(t *testing.T) {
	m, err := pyenv.New(pyenv.Options{Root: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if m.Installer() != "uv" {
		t.Skip("left out: pip is patient with a network that is gone")
	}
	t.Setenv("UV_HTTP_RETRIES", "0")
	t.Setenv("UV_CACHE_DIR", t.TempDir())
	req := pyenv.Requirements{Text: "--index-url http://127.0.0.1:9/simple\n" + older}
	if _, err := m.Ensure(t.Context(), req, nil); !fairlead.Is(err, fairlead.Unavailable) {
		t.Errorf("got %v", err)
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

func TestFindUV_TakesNoToolsThatAnotherUserCouldFill(t *testing.T) {
	t.Setenv("FAIRLEAD_UV", "")
	t.Setenv("PATH", "")
	above := t.TempDir()
	tools := filepath.Join(above, ".tools")
	uv := filepath.Join(tools, "uv", "bin", "uv")
	work := filepath.Join(above, "repository", "sub")
	for _, dir := range []string{filepath.Dir(uv), work} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(uv, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(work)
	find := func() string { path, _ := pyenv.FindUV(""); return path }
	if got := find(); got == uv {
		t.Error("taken outside of any repository")
	}
	if err := os.Mkdir(filepath.Join(above, ".git"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got := find(); got != uv {
		t.Errorf("in the repository: %q", got)
	}
	if err := os.Mkdir(filepath.Join(above, "repository", ".git"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got := find(); got == uv {
		t.Error("taken above the repository's root")
	}
	t.Chdir(above)
	if err := os.Chmod(tools, 0o777); err != nil {
		t.Fatal(err)
	}
	if got := find(); got == uv {
		t.Error("taken where anybody can write")
	}
	if os.Getuid() != 0 {
		return
	}
	if err := errors.Join(os.Chmod(tools, 0o755), os.Chown(tools, 12345, 12345)); err != nil {
		t.Fatal(err)
	}
	if got := find(); got == uv {
		t.Error("taken from another user")
	}
}
