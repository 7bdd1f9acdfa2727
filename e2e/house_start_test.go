package e2e_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The first page that a newcomer works through runs as it is written: all blocks
// marked `sh test`, one after the other, in one shell.
func TestStart_RunsAsWritten(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("LEFT OUT: docs/start.md (-short)")
	}
	uv := os.Getenv("FAIRLEAD_UV")
	if uv == "" {
		t.Skip("LEFT OUT: docs/start.md (needs uv: make setup)")
	}
	needCurl(t)
	script := strings.ReplaceAll(startScript(t), ":4747", ":"+freePort(t))
	dir := t.TempDir()
	likeAClone(t, filepath.Join(dir, "fairlead"), uv)
	// A process group of its own, and -e: the first command that fails ends it.
	cmd := exec.Command("bash", "-euo", "pipefail", "-c",
		"trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n"+script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_AUTHOR_NAME=me", "GIT_AUTHOR_EMAIL=me@example.org",
		"GIT_COMMITTER_NAME=me", "GIT_COMMITTER_EMAIL=me@example.org")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("docs/start.md: %v\n%s", err, out)
	}
	for _, want := range []string{
		"fairlead.yaml is right", "promoted, version 1", "wine version 1 passed the gate",
		"train was answered from the cache", "unchanged, the pipeline made version 1 again",
		`"name":"wine"`,
		"72 rows and 72 labels sent", "o case is active", `"aliases":["candidate","live"]`, "verified: ",
	} {
		if !strings.Contains(string(out), want) { // a part of a line, whose wording may grow
			t.Errorf("docs/start.md did not print %q; it printed:\n%s", want, out)
		}
	}
}

var startBlock = regexp.MustCompile("(?ms)^```sh test\n(.*?)^```")

// startScript is what the page tells to type, with the port that it names.
func startScript(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for _, m := range startBlock.FindAllStringSubmatch(readTree(t, "docs/start.md"), -1) {
		b.WriteString(m[1])
	}
	script := b.String()
	if n := strings.Count(script, "fairlead "); n < 10 {
		t.Fatalf("docs/start.md has only %d commands in its `sh test` blocks", n)
	}
	return strings.Replace(script, "fairlead serve ", "fairlead serve --listen 127.0.0.1:4747 ", 1)
}

func freePort(t *testing.T) string {
	t.Helper()
	_, port, err := net.SplitHostPort(freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// likeAClone makes what the page needs of a clone that was set up and built.
func likeAClone(t *testing.T, dir, uv string) {
	t.Helper()
	for link, target := range map[string]string{
		"bin/fairlead": program(t), ".tools/uv/bin/uv": uv,
	} {
		path := filepath.Join(dir, link)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
	}
}
