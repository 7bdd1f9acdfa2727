package mlflow_test

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// surface lists every call that MLflow's server answers, as `METHOD path` in lines.
// `go test -run TestSurface -record` writes it anew.
const surface = "testdata/surface.txt"

var pathParameter = regexp.MustCompile(`<(?:path:)?[a-z_]+>`)

func writeSurface(t *testing.T) {
	t.Helper()
	script, err := filepath.Abs(filepath.Join("testdata", "surface.py"))
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	cmd := exec.CommandContext(t.Context(), python(t), "-W", "ignore", script)
	cmd.Dir, cmd.Env, cmd.Stderr = home, clientEnv(home), t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(surface, out, 0o644); err != nil {
		t.Fatal(err)
	}
}

// Whatever a client of MLflow may ask, it is served, or told in MLflow's own form that
// it is not, and what to do instead.
func TestSurface_IsServedOrNamedAsLeftOut(t *testing.T) {
	if *record {
		writeSurface(t)
	}
	list, err := os.ReadFile(surface)
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t)
	served, named := 0, 0
	for line := range strings.Lines(string(list)) {
		method, path, _ := strings.Cut(strings.TrimSpace(line), " ")
		path = pathParameter.ReplaceAllString(path, "x")
		req, err := http.NewRequestWithContext(t.Context(), method, path, nil)
		if err != nil {
			t.Fatal(err)
		}
		switch _, pattern := s.mux.Handler(req); pattern {
		case "":
			t.Errorf("nothing answers %s %s", method, path)
			continue
		default:
			status, answer := s.send(t, method, path, "")
			if status != http.StatusNotImplemented {
				served++
				continue
			}
			named++
			var e struct {
				Code    string `json:"error_code"`
				Message string `json:"message"`
			}
			if err := json.Unmarshal([]byte(answer), &e); err != nil || e.Code != "NOT_IMPLEMENTED" ||
				!strings.Contains(e.Message, " ") {
				t.Errorf("%s %s answers %s", method, path, answer)
			}
		}
	}
	t.Logf("%d calls are served, %d are named as left out", served, named)
}
