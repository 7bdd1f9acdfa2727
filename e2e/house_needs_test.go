package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What the system lacks is installed where apt may be used, and told in a line each
// where not.
func TestNeeds(t *testing.T) {
	script, err := filepath.Abs(filepath.Join(root, "needs.sh"))
	if err != nil {
		t.Fatal(err)
	}
	const broken, works = "#!/bin/sh\nexit 1\n", "#!/bin/sh\nexit 0\n"
	for _, tt := range []struct {
		name        string
		uid         string
		apt         string // what apt-get does
		python      string
		ok          bool
		says, quiet string
	}{
		{"all is there", "1000", broken, works, true, "", "MISSING"},
		{"no rights", "1000", "#!/bin/sh\ntouch \"$0.called\"\n", broken, false,
			"MISSING: Python 3.11 or later with venv", "installing"},
		{"apt cannot", "0", broken, broken, false, "MISSING: Python 3.11", ""},
		{"apt can", "0", "#!/bin/sh\n[ \"$DEBIAN_FRONTEND\" != noninteractive ] || printf '#!/bin/sh\\n' > \"$(dirname \"$0\")/python3\"\n",
			broken, true, "installing python3-venv", "MISSING"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, text := range map[string]string{"id": "#!/bin/sh\necho " + tt.uid + "\n",
				"apt-get": tt.apt, "python3": tt.python} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.Command(script)
			cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "PYTHON=", "GO=", "CC=")
			out, err := cmd.CombinedOutput()
			if (err == nil) != tt.ok || !strings.Contains(string(out), tt.says) || tt.quiet != "" &&
				strings.Contains(string(out), tt.quiet) {
				t.Errorf("%v: %s", err, out)
			}
			if _, err := os.Stat(filepath.Join(dir, "apt-get.called")); err == nil {
				t.Error("apt was called without the right to")
			}
		})
	}
}
