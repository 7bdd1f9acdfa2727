package app_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/app"
	"github.com/fairlead-ml/fairlead/auth"
)

func open(t *testing.T, dir string) *app.App {
	t.Helper()
	a, err := app.New(t.Context(), app.Options{Dir: dir, Listen: "127.0.0.1:0", Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Stop(context.Background()) })
	return a
}

func start(t *testing.T, a *app.App) {
	t.Helper()
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func stop(t *testing.T, a *app.App) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := a.Stop(ctx); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

func TestApp_StartsAnswersAndStops(t *testing.T) {
	dir := t.TempDir()
	began := time.Now()
	a := open(t, dir)
	start(t, a)
	for _, path := range []string{"/livez", "/readyz", "/", "/metrics", "/api/v1/projects", "/api/v1/openapi.json",
		"/health", "/v2/health/ready"} {
		status, body := get(t, a.URL()+path)
		if path == "/livez" {
			t.Logf("ready %s after the start on a fresh directory", time.Since(began).Round(time.Millisecond))
		}
		if status != 200 {
			t.Errorf("%s: %d %s", path, status, body)
		}
		for _, family := range []string{"go_goroutines", "process_resident_memory_bytes", "fairlead_build_info",
			"fairlead_ledger_lag", "fairlead_ledger_failing_seconds", "fairlead_ledger_skipped_total",
			"fairlead_http_requests_total", "fairlead_http_request_seconds_bucket"} {
			if path == "/metrics" && !strings.Contains(body, "\n"+family) {
				t.Errorf("/metrics lacks %s", family)
			}
		}
	}
	s, err := app.ReadServer(dir)
	if err != nil || s.URL != a.URL() || s.PID != os.Getpid() {
		t.Errorf("announced %+v, %v", s, err)
	}
	stop(t, a)
	stop(t, a)
	if _, err := app.ReadServer(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("still announced: %v", err)
	}
	if _, err := http.Get(a.URL() + "/livez"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("still reachable: %v", err)
	}
}

func TestApp_StopBeforeStartFreesTheDirectory(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir)
	stop(t, a)
	stop(t, a)
	stop(t, open(t, dir))
}

func TestNew_RefusesALockedDirectoryAndNamesTheHolder(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir)
	start(t, a)
	_, err := app.New(t.Context(), app.Options{Dir: dir, Listen: "127.0.0.1:0"})
	if !fairlead.Is(err, fairlead.Conflict) || !strings.Contains(err.Error(), a.URL()) {
		t.Fatalf("a second server: %v", err)
	}
	if status, _ := get(t, a.URL()+"/readyz"); status != 200 {
		t.Errorf("the first server is disturbed: %d", status)
	}
	stop(t, a)
	stop(t, open(t, dir))
}

func TestNew_RefusesAnAddressItCannotOrMayNotUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, tt := range []struct {
		listen string
		code   fairlead.Code
	}{
		{taken.Addr().String(), fairlead.Conflict},
		{"0.0.0.0:0", fairlead.Denied},
		{":0", fairlead.Denied},
		{"192.0.2.1:80", fairlead.Denied},
		{"example.com:80", fairlead.Denied},
		{"127.0.0.1", fairlead.Invalid},
		{"nonsense", fairlead.Invalid},
		{"127.0.0.1:99999", fairlead.Invalid},
	} {
		dir := t.TempDir()
		_, err := app.New(t.Context(), app.Options{Dir: dir, Listen: tt.listen})
		if !fairlead.Is(err, tt.code) {
			t.Errorf("%s: %v, want %s", tt.listen, err, tt.code)
		}
		stop(t, open(t, dir))
	}
}

func TestNew_TakesTheLastPortAgain(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir)
	url := a.URL()
	start(t, a)
	stop(t, a)
	b := open(t, dir)
	if b.URL() != url {
		t.Errorf("after a graceful stop: %s, was %s", b.URL(), url)
	}
	stop(t, b)
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(url, "http://"))
	other, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Skipf("the port is in use: %v", err)
	}
	defer other.Close()
	if c := open(t, dir); c.URL() == url {
		t.Error("a taken port was taken")
	}
}

// Steps that live look for their server at the port that they were told: it stays noted
// while another one has to serve meanwhile.
func TestStart_KeepsThePortThatLivingStepsKnow(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir)
	start(t, a)
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(a.URL(), "http://"))
	stop(t, a)
	taken, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Skipf("the port is in use: %v", err)
	}
	defer taken.Close()
	noted := func() string {
		a := open(t, dir)
		start(t, a)
		stop(t, a)
		b, err := os.ReadFile(filepath.Join(dir, "port"))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	db := filepath.Join(dir, "fairlead.db")
	change(t, db, fmt.Sprintf(`insert into job (id, project_k, project, kind, key, state, payload,
		progress, error, cause_event, run_at_ms, scheduled, attempt, max_attempts, losses, fence, owner,
		lease_until_ms, cancel_ms, created_ms, started_ms, finished_ms) values ('job_1', 1, 'p',
		'pipeline', 'run', 'queued', '{}', '', '', '', %d, 0, 0, 1, 0, 1, '', 0, 0, 0, 0, 0)`,
		time.Now().Add(time.Hour).UnixMilli()))
	change(t, db, "insert into job_step (job_id, name, fence, open) values ('job_1', 'train', 1, 1)")
	if got := noted(); got != port {
		t.Errorf("port %s is noted, and steps know %s", got, port)
	}
	change(t, db, "update job set state = 'done'")
	if got := noted(); got == port {
		t.Errorf("port %s is noted, which is another program's", got)
	}
}

func TestNew_IgnoresWhatAKilledServerLeft(t *testing.T) {
	dir := t.TempDir()
	stop(t, open(t, dir))
	asked := make(chan string, 1)
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Header.Get("Authorization")
	}))
	defer other.Close()
	stale := fmt.Appendf(nil, `{"url":%q,"pid":999999}`, other.URL)
	if err := os.WriteFile(filepath.Join(dir, "server.json"), stale, 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := app.FindServer(t.Context(), dir); err == nil {
		t.Errorf("another program on the port is taken for the server: %+v", s)
	}
	if token := <-asked; token != "" {
		t.Errorf("it was sent the token %s", token)
	}
	a := open(t, dir)
	start(t, a)
	token, err := auth.ReadOwner(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := app.Server{URL: a.URL(), PID: os.Getpid(), Token: token}
	if s, err := app.FindServer(t.Context(), dir); err != nil || *s != want {
		t.Errorf("found %+v, %v", s, err)
	}
}

// A directory that was made by hand, or by another program, is open to other users
// mostly: the database is not for them.
func TestNew_ClosesItsDirectoryToOtherUsers(t *testing.T) {
	mode := func(dir string) os.FileMode {
		info, err := os.Stat(dir)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode().Perm()
	}
	dir := t.TempDir()
	for range 2 { // empty, and as a data directory that somebody opened
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		stop(t, open(t, dir))
		if m := mode(dir); m != 0o700 {
			t.Errorf("mode %o", m)
		}
	}
	foreign := t.TempDir()
	if err := os.WriteFile(filepath.Join(foreign, "notes.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(foreign, 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := app.New(t.Context(), app.Options{Dir: foreign, Listen: "127.0.0.1:0"})
	if !fairlead.Is(err, fairlead.Precondition) || !strings.Contains(err.Error(), "chmod 700") ||
		mode(foreign) != 0o755 {
		t.Errorf("a directory of other things: %v, mode %o", err, mode(foreign))
	}
	if err := os.Chmod(foreign, 0o700); err != nil {
		t.Fatal(err)
	}
	stop(t, open(t, foreign))
}

func TestNew_RefusesADirectoryItCannotUse(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{file, filepath.Join(file, "below"), "/proc/fairlead"} {
		_, err := app.New(t.Context(), app.Options{Dir: dir, Listen: "127.0.0.1:0"})
		if !fairlead.Is(err, fairlead.Precondition) || !strings.Contains(err.Error(), "--data") {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

func TestNew_RefusesANewerDatabaseAndChangesNothing(t *testing.T) {
	dir := t.TempDir()
	stop(t, open(t, dir))
	file := filepath.Join(dir, "fairlead.db")
	change(t, file, "insert into migration (component, n, name, applied_ms) values ('ledger', 9999, 'future', 1)")
	_, err := app.New(t.Context(), app.Options{Dir: dir, Listen: "127.0.0.1:0"})
	if !fairlead.Is(err, fairlead.Precondition) || !strings.Contains(err.Error(), "newer") {
		t.Fatalf("a newer database: %v", err)
	}
	change(t, file, "delete from migration where n = 9999")
	stop(t, open(t, dir))
}

func TestNew_SnapshotsBeforeAMigration(t *testing.T) {
	dir := t.TempDir()
	stop(t, open(t, dir))
	file := filepath.Join(dir, "fairlead.db")
	change(t, file, "drop table token", "drop table account", "drop table role_grant",
		"drop table credential", "drop table ended_pass", "delete from migration where component = 'auth'")
	stop(t, open(t, dir))
	found, err := filepath.Glob(file + ".before-*")
	if err != nil || len(found) != 1 {
		t.Fatalf("snapshots %v, %v", found, err)
	}
	db, err := sql.Open("sqlite3", found[0])
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var n int
	if err := db.QueryRow("select count(*) from migration where component = 'auth'").Scan(&n); err != nil || n != 0 {
		t.Errorf("the snapshot is not what was there before: %d, %v", n, err)
	}
}

// change edits a database that no server uses.
func change(t *testing.T, file string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite3", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStart_FailureLeavesNothingLocked(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	a := open(t, dir)
	if err := a.Start(cancelled); err == nil {
		t.Fatal("it starts")
	}
	if _, err := http.Get(a.URL() + "/livez"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("still reachable: %v", err)
	}
	b := open(t, dir)
	start(t, b)
	stop(t, b)
}

// On a full disk the files that say where the server answers cannot be written; it
// answers all the same.
func TestStart_AnswersThoughItCannotSayWhere(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{".server.json", ".port"} {
		if err := os.MkdirAll(filepath.Join(dir, name, "in the way"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	a := open(t, dir)
	start(t, a)
	if status, body := get(t, a.URL()+"/livez"); status != 200 {
		t.Errorf("%d %s", status, body)
	}
	stop(t, a)
}

// A server that can no longer answer says so to who runs it: it must not sit on its
// data directory for ever.
func TestFailed_WhenTheListenerBreaks(t *testing.T) {
	a := open(t, t.TempDir())
	start(t, a)
	app.BreakListener(a)
	select {
	case err := <-a.Failed():
		if !fairlead.Is(err, fairlead.Unavailable) {
			t.Errorf("error %v", err)
		}
	case <-t.Context().Done():
		t.Fatal("nobody is told")
	}
	stop(t, a)
}

func TestReady_FailsWhileTheDiskIsFull(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=96m"); err != nil {
		t.Skipf("LEFT OUT: a full disk needs the right to mount one: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	a := open(t, dir)
	start(t, a)
	if status, body := get(t, a.URL()+"/readyz"); status != 200 {
		t.Fatalf("at first: %d %s", status, body)
	}
	filler := filepath.Join(dir, "filler")
	f, err := os.Create(filler)
	if err != nil {
		t.Fatal(err)
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Fallocate(int(f.Fd()), 0, 0, int64(fs.Bavail)*fs.Bsize-(1<<20)); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if status, body := get(t, a.URL()+"/readyz"); status != 503 || !strings.Contains(body, "full") {
		t.Errorf("full: %d %s", status, body)
	}
	if status, _ := get(t, a.URL()+"/livez"); status != 200 {
		t.Errorf("a full disk ends the server: %d", status)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if status, body := get(t, a.URL()+"/readyz"); status != 200 {
		t.Errorf("with room again: %d %s", status, body)
	}
}

func TestNew_RefusesAReadOnlyDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_RDONLY, "size=1m"); err != nil {
		t.Skipf("LEFT OUT: a read-only disk needs the right to mount one: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	_, err := app.New(t.Context(), app.Options{Dir: dir, Listen: "127.0.0.1:0"})
	if !fairlead.Is(err, fairlead.Precondition) || !strings.Contains(err.Error(), "read-only") {
		t.Errorf("on a read-only disk: %v", err)
	}
}

func TestStop_EndsRequestsThatWait(t *testing.T) {
	a := open(t, t.TempDir())
	start(t, a)
	answered := make(chan int, 1)
	go func() {
		res, err := http.Get(a.URL() + "/api/v1/projects/default/events?wait=2m")
		if err != nil {
			answered <- 0
			return
		}
		res.Body.Close()
		answered <- res.StatusCode
	}()
	began := time.Now()
	stop(t, a)
	if took := time.Since(began); took > 30*time.Second { // of the 2 minutes
		t.Errorf("stopped after %s", took)
	}
	<-answered
}
