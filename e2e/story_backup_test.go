package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// load writes points and artifacts from several clients until it is stopped, and knows
// what was acknowledged.
type load struct {
	s     *server
	run   string
	acked [4]atomic.Int64 // of each client: the writes that were
	quit  atomic.Bool
	wait  sync.WaitGroup
}

func beginLoad(t *testing.T, s *server) *load {
	l := &load{s: s, run: newRun(t, s)}
	for c := range l.acked {
		l.wait.Go(func() {
			for n := int64(1); !l.quit.Load(); n++ {
				if l.write(c, n) {
					l.acked[c].Store(n)
				} else {
					return // the server was killed
				}
			}
		})
	}
	return l
}

// write logs a point, and each eighth time an artifact before it.
func (l *load) write(c int, n int64) bool {
	if n%8 == 0 {
		r, err := l.s.try("PUT", l.artifact(c, n), fmt.Sprintf("client %d, write %d", c, n))
		if err != nil || r.status != 200 {
			return false
		}
	}
	r, err := l.s.try("POST", "/api/2.0/mlflow/runs/log-metric",
		fmt.Sprintf(`{"run_id":%q,"key":"m%d","value":%d,"timestamp":%d,"step":%d}`, l.run, c, n, n, n))
	return err == nil && r.status == 200
}

func (l *load) artifact(c int, n int64) string {
	return fmt.Sprintf("/api/2.0/mlflow-artifacts/artifacts/0/%s/artifacts/c%d/%06d.txt", l.run, c, n)
}

// now returns what each client knows to be acknowledged.
func (l *load) now() (n [4]int64) {
	for c := range n {
		n[c] = l.acked[c].Load()
	}
	return n
}

// await waits until each client has had n writes more than it has.
func (l *load) await(t *testing.T, n int64) {
	t.Helper()
	before := l.now()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(pause) {
		done := true
		for c, have := range l.now() {
			done = done && have >= before[c]+n
		}
		if done {
			return
		}
	}
	t.Fatalf("the load does not go on: %v", l.now())
}

// wantIn checks that a server has everything up to these numbers.
func (l *load) wantIn(t *testing.T, s *server, want [4]int64) {
	t.Helper()
	for c, n := range want {
		r := s.call("GET", history(l.run, fmt.Sprintf("m%d", c))+"&max_results=25000", nil).want(t, 200)
		if got := int64(strings.Count(r.body, `"step"`)); got < n {
			t.Errorf("client %d has %d points, want the %d that were acknowledged", c, got, n)
		}
		for i := int64(8); i <= n; i += 8 {
			s.call("GET", l.artifact(c, i), nil).want(t, 200, fmt.Sprintf("^client %d, write %d$", c, i))
		}
	}
}

// A backup is taken under load, and another one is cut off by kill -9: what the first
// one began with is there after a restore, and the second is never taken for one.
func TestStory_BackupUnderLoadIsRestoredWhole(t *testing.T) {
	s := serve(t, t.TempDir())
	place := filepath.Join(t.TempDir(), "backups")
	l := beginLoad(t, s)
	l.await(t, 40)
	before := l.now()
	s.run(t.TempDir(), "backup", place).want(t, 0, `backed up to `)
	l.await(t, 40)

	cut := make(chan struct{})
	go func() {
		defer close(cut)
		for err := error(nil); err == nil; { // one of them is seen before it has ended
			_, err = s.try("POST", "/api/v1/backups", map[string]string{"to": place})
		}
	}()
	awaitEntry(t, place, ".new-*")
	s.kill()
	<-cut
	l.quit.Store(true)
	l.wait.Wait()
	s.start()

	s.run(t.TempDir(), "restore", place, "--check").want(t, 0, `^whole: `)
	restored := filepath.Join(t.TempDir(), "restored")
	run(t, t.TempDir(), "restore", place, "--data", restored).want(t, 0, `^restored to `)
	run(t, t.TempDir(), "restore", place, "--data", restored).want(t, 1, `is not empty`)
	r := serve(t, restored)
	l.wantIn(t, r, before)
	r.run(t.TempDir(), "audit", "verify").want(t, 0, `^verified`)

	s.run(t.TempDir(), "backup", place).want(t, 0)
	l.wantIn(t, s, l.now())
	if left, _ := filepath.Glob(filepath.Join(place, ".new-*")); len(left) > 0 {
		t.Errorf("what was cut off is still there: %v", left)
	}
}

// awaitEntry waits until a name in a directory matches.
func awaitEntry(t *testing.T, dir, pattern string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		if found, _ := filepath.Glob(filepath.Join(dir, pattern)); len(found) > 0 {
			return
		}
	}
	entries, _ := os.ReadDir(dir)
	t.Fatalf("nothing in %s matches %s: %v", dir, pattern, entries)
}
