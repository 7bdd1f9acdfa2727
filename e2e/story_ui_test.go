package e2e_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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
	browser(t)
	dir, _ := theYear(t)
	s := serve(t, filepath.Join(dir, "data"))
	s.stories("bikes", nil)
	if *update && !t.Failed() {
		takePictures(t)
	}
}

// A canary goes on while its pages are open: its evidence comes into sight by itself, and
// Promote and Roll back never leave it.
func TestUI_ACanaryInABrowser(t *testing.T) {
	browser(t)
	s, dir := serveTiny(t, map[string]string{"fairlead.yaml": strings.Replace(tinyFile,
		"strategy: replace", "strategy: canary, steps: [10%, 50%, 100%], "+
			"hold: {labels: 20, at_most: 2d}, abort: {metric: mae, worse_by: 10%, alpha: 0.05}", 1)})
	s.releaseFiles(dir, map[string]string{"model/code/tiny_loader.py": tinyLoader + "# 2\n"})
	token := "FAIRLEAD_CANARY=" + s.token(t)
	s.stories("tiny", []string{"canary.spec.ts"}, token,
		"PATH="+filepath.Dir(program(t))+":"+os.Getenv("PATH"))
	s.stories("tiny", []string{"rollouts.spec.ts"}, token, "FAIRLEAD_STAGE="+s.stage(dir))
}

// Versions that rollouts.spec.ts releases after the canary's two: one that is worse, and
// one that is better, slower, and fails at x = 13.
var (
	worseLoader  = strings.Replace(tinyLoader, "* 2.0", "* 2.3", 1)
	unevenLoader = strings.NewReplacer("class", "import time\n\n\nclass", "return df",
		`if (df["x"] == 13).any():
            raise ValueError("thirteen is unlucky")
        time.sleep(0.004)
        return 0.05 + df`).Replace(tinyLoader)
)

// stage returns the address at which a story has done to the server what it cannot do by
// the API: releases from the repository in dir, its end and its start.
func (s *server) stage(dir string) string {
	shadow := strings.Replace(tinyFile, "strategy: replace",
		"strategy: shadow, hold: {labels: 20, at_most: 9d}", 1)
	acts := map[string]func(){
		"/worse": func() { s.releaseFiles(dir, map[string]string{"model/code/tiny_loader.py": worseLoader}) },
		"/again": func() { s.run(dir, "release", "tiny", "3").want(s.t, 0) },
		"/shadow": func() {
			s.releaseFiles(dir, map[string]string{"fairlead.yaml": shadow,
				"model/code/tiny_loader.py": unevenLoader})
		},
		"/stop":  s.stop,
		"/start": s.start,
	}
	at := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if act := acts[r.URL.Path]; act != nil {
			act()
			return
		}
		http.NotFound(w, r)
	}))
	s.t.Cleanup(at.Close)
	return at.URL
}

// releaseFiles commits the files, and releases what comes of them.
func (s *server) releaseFiles(dir string, files map[string]string) {
	s.t.Helper()
	writeFiles(s.t, dir, files)
	commit(s.t, dir)
	s.run(dir, "run").want(s.t, 0)
}

// browser leaves a test out where the stories cannot be run.
func browser(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("chromium"); err != nil {
		t.Skip("LEFT OUT: chromium is not installed")
	}
	if _, err := os.Stat(filepath.Join(root, "ui", "node_modules")); err != nil {
		t.Skip("LEFT OUT: the web interface's libraries are not here; make build")
	}
}

// stories runs those of the files, all for none, on a project of the server.
func (s *server) stories(project string, files []string, env ...string) {
	s.t.Helper()
	cmd := exec.Command("npm", append([]string{"run", "--silent", "stories", "--"}, files...)...)
	cmd.Dir = filepath.Join(root, "ui")
	cmd.Env = append(os.Environ(), "FAIRLEAD_URL="+s.url, "FAIRLEAD_PROJECT="+project,
		"FAIRLEAD_SESSION="+s.session(project), "NO_COLOR=1")
	cmd.Env = append(cmd.Env, env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = time.Second
	timer := time.AfterFunc(storiesMax, func() { cmd.Process.Kill() })
	defer timer.Stop()
	err := cmd.Run()
	s.t.Logf("%s", out.Bytes())
	for _, line := range told.FindAllString(out.String(), -1) {
		s.t.Logf("REPORT: %s", line)
	}
	if err != nil {
		s.t.Error(err)
	}
}

// told matches what ui/e2e/reporter.ts says of stories that failed, or did so once.
var told = regexp.MustCompile(`(?m)^(FAILED STORY|SECOND ATTEMPT): .*`)

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
func (s *server) session(project string) string {
	s.t.Helper()
	var link struct{ URL string }
	run(s.t, s.t.TempDir(), "ui", "--data", s.data, "-p", project, "-o", "json").want(s.t, 0).
		decode(s.t, &link)
	once := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	res, err := once.Get(link.URL)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != "/p/"+project ||
		len(res.Cookies()) != 1 {
		s.t.Fatalf("the owner's link answers %s, %v", res.Status, res.Header)
	}
	return res.Cookies()[0].Value
}
