package e2e_test

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// storiesMax bounds all stories in the browser, in wall time, on a machine that does
// other things too.
const storiesMax = 10 * time.Minute

// The pages of the web interface in a real browser, on what the demo's year has left; the
// stories themselves are in ui/e2e. With -update their pictures go into docs/interface.
func TestUI_InABrowser(t *testing.T) {
	python(t)
	if _, err := exec.LookPath("chromium"); err != nil {
		t.Skip("LEFT OUT: chromium is not installed")
	}
	if _, err := os.Stat(filepath.Join(root, "ui", "node_modules")); err != nil {
		t.Skip("LEFT OUT: the web interface's libraries are not here; make build")
	}
	dir, _ := theYear(t)
	s := serve(t, filepath.Join(dir, "data"))
	cmd := exec.Command("npm", "run", "--silent", "stories")
	cmd.Dir = filepath.Join(root, "ui")
	cmd.Env = append(os.Environ(), "FAIRLEAD_URL="+s.url, "FAIRLEAD_PROJECT=bikes",
		"FAIRLEAD_SESSION="+s.session(), "NO_COLOR=1")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = time.Second
	timer := time.AfterFunc(storiesMax, func() { cmd.Process.Kill() })
	defer timer.Stop()
	if err := cmd.Run(); err != nil {
		t.Errorf("%v:\n%s", err, out.Bytes())
	} else if *update {
		takePictures(t)
	}
}

// takePictures puts those of the stories' pictures into docs/interface that are there.
func takePictures(t *testing.T) {
	t.Helper()
	shown, err := filepath.Glob(filepath.Join(root, "docs", "interface", "*.png"))
	if err != nil || len(shown) == 0 {
		t.Fatalf("docs/interface shows no pictures: %v", err)
	}
	for _, file := range shown {
		name := strings.TrimSuffix(filepath.Base(file), ".png") + "-wide-light.png"
		b, err := os.ReadFile(filepath.Join(root, "ui", "e2e", "shots", name))
		if err == nil {
			err = os.WriteFile(file, b, 0o644)
		}
		if err != nil {
			t.Error(err)
		}
	}
}

// session is the secret of a browser that the owner's link has let in.
func (s *server) session() string {
	s.t.Helper()
	var link struct{ URL string }
	run(s.t, s.t.TempDir(), "ui", "--data", s.data, "-p", "bikes", "-o", "json").want(s.t, 0).
		decode(s.t, &link)
	once := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	res, err := once.Get(link.URL)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "/p/bikes" ||
		len(res.Cookies()) != 1 {
		s.t.Fatalf("the owner's link answers %s, %v", res.Status, res.Header)
	}
	return res.Cookies()[0].Value
}
