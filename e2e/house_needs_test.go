package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What the system lacks is installed where apt may be used, and told in a line each
// where not. What only tests need stops nothing.
func TestNeeds(t *testing.T) {
	const (
		broken   = "#!/bin/sh\nexit 1\n"
		works    = "#!/bin/sh\nexit 0\n"
		called   = "#!/bin/sh\ntouch \"$0.called\"\n"
		installs = "#!/bin/sh\n[ \"$DEBIAN_FRONTEND\" != noninteractive ] || " +
			"for f in python3 curl; do ln -sf \"$(dirname \"$0\")/git\" \"$(dirname \"$0\")/$f\"; done\n"
	)
	for _, tt := range []struct {
		name        string
		of          string // what is asked for
		uid         string
		apt         string // what apt-get does
		python      string
		ok          bool
		says, quiet string
	}{
		{"all is there but curl", "", "1000", called, works, true, "", "MISSING|curl"},
		{"no rights", "", "1000", called, broken, false,
			"MISSING: Python 3.11 or later with venv", "installing"},
		{"apt cannot", "", "0", broken, broken, false, "MISSING: Python 3.11", "curl"},
		{"apt can", "", "0", installs, broken, true, "installing python3-venv", "MISSING|curl"},
		{"tests, no rights", "tests", "1000", called, broken, true, "", "."},
		{"tests, apt cannot", "tests", "0", broken, broken, true, "installing curl", "MISSING"},
		{"tests, apt can", "tests", "0", installs, broken, true, "installing curl", "python3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bin := onlyTools(t, map[string]string{"id": "#!/bin/sh\necho " + tt.uid + "\n",
				"apt-get": tt.apt, "python3": tt.python, "git": works, "make": works,
				"gcc": "#!/bin/sh\nread -r source\n", // else who writes to it may be told that it has gone

				"node": "#!/bin/sh\necho v20.19.0\n", "npm": works})
			cmd := exec.Command("./needs.sh", tt.of)
			cmd.Dir = root
			cmd.Env = append(os.Environ(), "PATH="+bin, "PYTHON=", "GO=", "CC=")
			out, err := cmd.CombinedOutput()
			if (err == nil) != tt.ok || !strings.Contains(string(out), tt.says) || tt.quiet != "" &&
				regexp.MustCompile(tt.quiet).Match(out) {
				t.Errorf("%v: %s", err, out)
			}
			if _, err := os.Stat(filepath.Join(bin, "apt-get.called")); err == nil {
				t.Error("apt was called without the right to")
			}
		})
	}
}

// onlyTools returns a directory with the given programs, Go, and what a shell script
// needs: as a PATH, nothing else is installed.
func onlyTools(t *testing.T, programs map[string]string) string {
	t.Helper()
	bin := t.TempDir()
	for name, text := range programs {
		if err := os.WriteFile(filepath.Join(bin, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"bash", "sh", "dirname", "sed", "sort", "tail", "touch", "ln", "go"} {
		path, err := exec.LookPath(name)
		if err == nil {
			err = os.Symlink(path, filepath.Join(bin, name))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return bin
}
