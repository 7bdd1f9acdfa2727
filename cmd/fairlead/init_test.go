package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead/cmd/fairlead/draft"
)

// initialized runs `fairlead init` as a user with a Git of no settings does.
func initialized(t *testing.T, args ...string) (ran, *initial) {
	t.Helper()
	got := command(t, append([]string{"init", "-o", "json"}, args...)...)
	out := &initial{}
	if got.status == 0 {
		if err := json.Unmarshal([]byte(got.out), out); err != nil {
			t.Fatalf("%v: %q", err, got.out)
		}
	}
	return got, out
}

// withoutIdentity lets Git know nothing about who works here.
func withoutIdentity(t *testing.T) {
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	t.Setenv("GIT_CONFIG_SYSTEM", os.DevNull)
	t.Setenv("GIT_CONFIG_COUNT", "1")
	t.Setenv("GIT_CONFIG_KEY_0", "user.useConfigOnly")
	t.Setenv("GIT_CONFIG_VALUE_0", "true")
}

func TestInit_WritesATemplateThatIsCommitted(t *testing.T) {
	elsewhere(t)
	withoutIdentity(t)
	got, out := initialized(t, "wine", "--template", "wine", "--git")
	if got.status != 0 {
		t.Fatal(got.stderr)
	}
	for _, name := range []string{"fairlead.yaml", "data/history.csv", "train.py", ".gitignore"} {
		if !slices.Contains(out.Written, name) {
			t.Errorf("%s was not written: %q", name, out.Written)
		}
	}
	if out.Project != "wine" || out.Git != gitMade || !slices.Equal(out.Next, []string{"cd wine", "fairlead run"}) {
		t.Errorf("it says %+v", out)
	}
	if got := command(t, "check", "wine"); got.status != 0 {
		t.Errorf("check: %s", got.stderr)
	}
	if left, err := exec.Command("git", "-C", "wine", "status", "--porcelain").Output(); err != nil ||
		len(left) > 0 {
		t.Errorf("not all is committed: %q, %v", left, err)
	}
	if text := command(t, "init", "other", "--template", "wine", "-p", "cellar"); text.status != 0 ||
		!strings.Contains(text.out, "project cellar") ||
		!strings.Contains(text.out, `git init && git add .`) {
		t.Errorf("as text: %+v", text)
	}
	if got := command(t, "check", "other"); !strings.Contains(got.out, "project cellar, model cellar") {
		t.Errorf("the project's name: %+v", got)
	}
}

func TestInit_WritesWhatRunsAndSaysWhatComesNext(t *testing.T) {
	elsewhere(t)
	withoutIdentity(t)
	write(t, "train.py", "print(1)\n")
	write(t, ".env", "SECRET=1\n")
	got, out := initialized(t, "--git", "-p", "flights")
	if got.status != 0 || out.Project != "flights" || !slices.Equal(out.Next, []string{"fairlead run"}) ||
		!slices.Equal(out.Written, []string{".gitignore", "fairlead.yaml"}) {
		t.Fatalf("%+v, %+v", got, out)
	}
	files, err := exec.Command("git", "ls-files").Output()
	if want := ".gitignore\nfairlead.yaml\ntrain.py\n"; err != nil || string(files) != want {
		t.Errorf("committed: %q, %v, want %q", files, err, want)
	}
	if got := command(t, "check"); got.status != 0 {
		t.Errorf("check: %s", got.stderr)
	}
}

// In a repository it leaves out what Git ignores, and says how to commit what it wrote.
func TestInit_LooksAtWhatACommitHas(t *testing.T) {
	elsewhere(t)
	if out, err := exec.Command("git", "init", "-q").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	write(t, ".gitignore", "big.csv\n")
	write(t, "big.csv", "a\nb\n")
	write(t, "small.csv", "a\nb\n")
	got, out := initialized(t)
	text, _ := os.ReadFile("fairlead.yaml")
	if got.status != 0 || strings.Contains(string(text), "big") || !strings.Contains(string(text), "small:") ||
		out.Git != gitThere || out.Next[0] != `git add fairlead.yaml && git commit -m "fairlead.yaml"` {
		t.Errorf("%+v, %+v: %s", got, out, text)
	}
}

// --git in a repository commits what was written, and nothing else.
func TestInit_CommitsWhatItWrote(t *testing.T) {
	elsewhere(t)
	withoutIdentity(t)
	if out, err := exec.Command("git", "init", "-q").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	write(t, "train.py", "")
	got, out := initialized(t, "--git", "-p", "x")
	files, err := exec.Command("git", "ls-files").Output()
	if got.status != 0 || err != nil || string(files) != "fairlead.yaml\n" || out.Git != gitCommitted ||
		!slices.Equal(out.Next, []string{"fairlead run"}) {
		t.Errorf("%+v, %+v: %s, %v", got, out, files, err)
	}
}

func TestInit_OverwritesNothing(t *testing.T) {
	elsewhere(t)
	write(t, "README.md", "mine\n")
	for _, tt := range []struct {
		args   string
		status int
		says   string
	}{
		{"init --template wine", 1, "README.md would be overwritten, and nothing was written"},
		{"init --template none", 2, "there is: wine"},
		{"init README.md", 2, "is a file"},
		{"init -p No/Name", 1, "project name"},
		{"init", 0, ""},
		{"init", 1, "fairlead.yaml is there already"},
		{"init new/folder", 0, ""},
		{"run new/none", 5, "`fairlead init new/none` writes one"},
		{"apply", 1, "git init"},
	} {
		if got := command(t, strings.Fields(tt.args)...); got.status != tt.status ||
			!strings.Contains(got.stderr, tt.says) {
			t.Errorf("%s: %+v, want %d with %q", tt.args, got, tt.status, tt.says)
		}
	}
	entries, err := os.ReadDir(".")
	if err != nil || len(entries) != 3 {
		t.Errorf("there are %v, %v", entries, err)
	}
	if text, _ := os.ReadFile("README.md"); string(text) != "mine\n" {
		t.Errorf("README.md is %q", text)
	}
}

// A project is a whole repository: a part of one is refused before and after.
func TestInit_RefusesAPartOfARepository(t *testing.T) {
	elsewhere(t)
	withoutIdentity(t)
	if got, _ := initialized(t, "--git"); got.status != 0 {
		t.Fatal(got.stderr)
	}
	if got, _ := initialized(t, "part"); got.status != 1 || !strings.Contains(got.stderr, "--git") {
		t.Errorf("init: %+v", got)
	}
	if err := os.Mkdir("part", 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join("part", "fairlead.yaml"), "project: part\n")
	if got := command(t, "apply", "part", "--allow-dirty"); got.status != 1 ||
		!strings.Contains(got.stderr, "part lies within the Git repository") {
		t.Errorf("apply: %+v", got)
	}
	if got, out := initialized(t, "part/own", "--git"); got.status != 0 || out.Git != gitMade {
		t.Errorf("init --git: %+v", got)
	}
}

func TestInit_LeavesNothingHalfWritten(t *testing.T) {
	out := &initial{Directory: t.TempDir()}
	err := out.write([]draft.File{{Path: "a", Text: []byte("x")}, {Path: "a/b"}})
	if left, _ := os.ReadDir(out.Directory); err == nil || len(left) != 0 {
		t.Errorf("%v; there is %v", err, left)
	}
}
