package app_test

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/app"
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
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
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

func TestNew_IgnoresWhatAKilledServerLeft(t *testing.T) {
	dir := t.TempDir()
	stale := []byte(`{"url":"http://127.0.0.1:1","pid":999999}`)
	if err := os.WriteFile(filepath.Join(dir, "server.json"), stale, 0o600); err != nil {
		t.Fatal(err)
	}
	a := open(t, dir)
	start(t, a)
	if s, err := app.ReadServer(dir); err != nil || s.PID != os.Getpid() {
		t.Errorf("announced %+v, %v", s, err)
	}
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
	change(t, file, "drop table token", "delete from migration where component = 'auth'")
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
	for name, fail := range map[string]func(dir string) context.Context{
		"cancelled": func(string) context.Context { return cancelled },
		"cannot announce": func(dir string) context.Context {
			if err := os.Mkdir(filepath.Join(dir, "server.json"), 0o700); err != nil {
				t.Fatal(err)
			}
			return t.Context()
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			a := open(t, dir)
			if err := a.Start(fail(dir)); err == nil {
				t.Fatal("it starts")
			}
			if _, err := http.Get(a.URL() + "/livez"); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("still reachable: %v", err)
			}
			os.Remove(filepath.Join(dir, "server.json"))
			b := open(t, dir)
			start(t, b)
			stop(t, b)
		})
	}
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
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("stopped after %s", took)
	}
	<-answered
}
