package main

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead/loop"
)

// ended makes a directory of a demo that has ended.
func ended(t *testing.T, terms demoTerms) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "the demo's")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := terms.write(dir); err != nil {
		t.Fatal(err)
	}
	report, err := json.Marshal(demoReport{Months: []demoMonth{{Month: 3, LiveVersion: "1"}},
		Summary: demoSummary{
			Colleagues: []demoCandidate{{Name: "noisy", Version: 5, Outcome: loop.Stopped}}}})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, doneFile), string(report))
	return dir
}

func TestDemo_GoesOnAsItWasBegun(t *testing.T) {
	elsewhere(t)
	for _, tt := range []struct {
		flags  string
		status int
	}{
		{"", 0}, {"--months 3", 0}, {"--permute-months 7", 0}, {"--months 3 --permute-months 7", 0},
		{"--months 10", 1}, {"--months 4", 1}, {"--permute-months 0", 1},
		{"--months 3 --permute-months 8", 1}, {"--months 11", 2},
	} {
		dir := ended(t, demoTerms{Months: 3, Seed: 7})
		got := command(t, append([]string{"demo", "--dir", dir}, strings.Fields(tt.flags)...)...)
		if got.status != tt.status || tt.status == 1 &&
			!strings.Contains(got.stderr, "--months 3 --permute-months 7; go on "+
				"without these flags, or start over with --fresh") {
			t.Errorf("%q: status %d, want %d: %s", tt.flags, got.status, tt.status, got.stderr)
		}
	}
	dir := ended(t, demoTerms{Months: 3})
	write(t, filepath.Join(dir, markFile), "made by fairlead demo; remove with --fresh\n")
	if got := command(t, "demo", "--dir", dir); got.status != 1 ||
		!strings.Contains(got.stderr, "start over with --fresh") {
		t.Errorf("a mark that is no JSON: %+v", got)
	}
}

// A demo that was killed before it had its mark, or while it wrote its report, is none
// that anybody has to clear up after.
func TestDemo_TakesUpWhatAKillLeaves(t *testing.T) {
	elsewhere(t)
	for _, fresh := range []bool{false, true} {
		d := &demo{cli: &cli{out: io.Discard, err: io.Discard}, dir: t.TempDir(), fresh: fresh}
		write(t, filepath.Join(d.dir, markFile+".part"), `{"mon`)
		if err := d.prepareDir(func(string) bool { return false }); err != nil {
			t.Errorf("a part of the mark, fresh %v: %v", fresh, err)
			continue
		}
		d.lock.Close()
	}
	d := &demo{cli: &cli{output: "text", out: io.Discard, err: io.Discard},
		dir: ended(t, demoTerms{Months: 3})}
	d.say = newNarrator(d.cli)
	whole, err := os.ReadFile(filepath.Join(d.dir, doneFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, kept := range []int{0, len(whole) / 2, len(whole)} {
		write(t, filepath.Join(d.dir, doneFile), string(whole[:kept]))
		if done, err := d.finished(t.Context()); err != nil || done != (kept == len(whole)) {
			t.Errorf("%d of %d bytes of the report: finished %v, %v", kept, len(whole), done, err)
		}
	}
}

func TestDemo_RunsOnceInADirectory(t *testing.T) {
	elsewhere(t)
	dir := ended(t, demoTerms{Months: 3})
	lock, err := lockDemo(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, flags := range [][]string{nil, {"--fresh"}} {
		got := command(t, append([]string{"demo", "--dir", dir}, flags...)...)
		if got.status != 1 || !strings.Contains(got.stderr, "a demo runs in "+dir) {
			t.Errorf("%v: %+v", flags, got)
		}
	}
	lock.Close()
	if got := command(t, "demo", "--dir", dir); got.status != 0 {
		t.Errorf("when it has ended: %+v", got)
	}
}

// What an ended demo tells to type works as it is printed.
func TestDemo_PrintsWholeCommands(t *testing.T) {
	elsewhere(t)
	t.Setenv("FAIRLEAD_ENVIRONMENTS", filepath.Join(t.TempDir(), "of all"))
	dir := ended(t, demoTerms{Months: 3, Seed: 7})
	got := command(t, "demo", "--dir", dir)
	if got.status != 0 || !strings.Contains(got.out, "noisy candidate, version 5: stopped") {
		t.Fatalf("%+v", got)
	}
	var printed [][]string
	for line := range strings.Lines(got.stderr) {
		if _, words, ok := strings.Cut(line, ": "); ok {
			out, err := exec.Command("sh", "-c", "printf '%s\\n' "+words).Output()
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			printed = append(printed, strings.Split(strings.TrimSpace(string(out)), "\n"))
		}
	}
	want := [][]string{
		{os.Args[0], "demo", "--dir", dir, "--months", "3", "--permute-months", "7", "--fresh"},
		{os.Args[0], "serve", "--project", demoProject, "--data", filepath.Join(dir, "data"),
			"--environments", os.Getenv("FAIRLEAD_ENVIRONMENTS")},
	}
	if !slices.EqualFunc(printed, want, slices.Equal) {
		t.Errorf("printed %q, want %q", printed, want)
	}
}

func TestColleagueEnv_LeavesOutWhatLeadsElsewhere(t *testing.T) {
	got := colleagueEnv([]string{"PATH=/bin", "HOME=/root", "MLFLOW_TRACKING_URI=http://elsewhere",
		"MLFLOW_RUN_ID=1",
		"http_proxy=http://proxy", "HTTPS_PROXY=http://proxy", "no_proxy=x", "PYTHONPATH=/mine",
		"LANG=C"})
	if want := []string{"PATH=/bin", "HOME=/root", "LANG=C",
		"PYTHONDONTWRITEBYTECODE=1"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// A newcomer's own settings of Git neither stop nor change the demo's repository.
func TestGitInit_IgnoresTheUsersSettings(t *testing.T) {
	home := t.TempDir()
	hooks := filepath.Join(home, "hooks")
	if err := os.Mkdir(hooks, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(hooks, "pre-commit"), []byte("#!/bin/sh\nexit 1\n"),
		0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(home, ".gitconfig"), "[commit]\n\tgpgsign = true\n[gpg]\n\tprogram = false\n[core]\n\thooksPath = "+
		hooks+"\n\tautocrlf = true\n\texcludesFile = "+filepath.Join(home, "ignored")+"\n")
	write(t, filepath.Join(home, "ignored"), "*.csv\n")
	for name, value := range map[string]string{"HOME": home, "XDG_CONFIG_HOME": home,
		"GIT_DIR": "/nonexistent"} {
		t.Setenv(name, value)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "rows.csv"), "a\n1\n")
	if err := gitInit(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	os.Unsetenv("GIT_DIR")
	out, err := exec.Command("git", "-C", dir, "archive", "HEAD").Output()
	if err != nil || !strings.Contains(string(out), "rows.csv") ||
		strings.Contains(string(out), "\r\n") {
		t.Errorf("%v: %q", err, out)
	}
}
