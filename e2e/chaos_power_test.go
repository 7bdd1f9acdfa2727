package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead/app"
	"github.com/fairlead-ml/fairlead/store/powercut"
)

// victimVar names the data directory of a server that is recorded.
const victimVar = "FAIRLEAD_TEST_VICTIM"

// powerWriters write at once while the server is recorded.
const powerWriters = 4

// progress is what a writer has got acknowledged.
type progress struct {
	First                 int
	Name, Experiment, Run string
	Acked                 int
}

// victim is the process that is recorded: the whole server, and writers that say on
// standard output what it has acknowledged.
func victim(t *testing.T, data string) {
	s := serveHere(t, data)
	var all sync.WaitGroup
	for i := range powerWriters {
		all.Go(func() {
			w := &writer{s: s, first: 2 * i, name: fmt.Sprint("v", i)}
			w.begin(t)
			for n := range 3 * kindsOfWrites {
				line, err := json.Marshal(progress{w.first, w.name, w.experiment, w.run, w.acked})
				if err != nil {
					t.Error(err)
				}
				fmt.Println(string(line))
				w.write(t, n+1)
			}
		})
	}
	all.Wait()
}

// serveHere starts the server in this process.
func serveHere(t *testing.T, data string) *server {
	t.Helper()
	a, err := app.New(t.Context(), app.Options{Dir: data, Listen: "127.0.0.1:0", KeepDeleted: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Stop(context.Background()) })
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	t.Cleanup(client.CloseIdleConnections)
	return &server{t: t, data: data, url: a.URL(), http: client}
}

// The power is lost at random moments of the whole server's work, from its first start
// on. It starts again on whatever the disk then holds, all that was acknowledged is there,
// nothing is half there, and the record verifies.
func TestPowerCut_TheServerKeepsWhatItAcknowledged(t *testing.T) {
	if data := os.Getenv(victimVar); data != "" {
		victim(t, data)
		return
	}
	cutPower(t, t.TempDir(), 2*chaosRounds(t), func(t *testing.T, s *server, acks []string) {
		checkWriters(t, s, writersOf(t, s, acks))
	})
}

// The power is lost while a data directory of the first program is brought up to date:
// the next start ends the work, and nothing of the directory is lost.
func TestPowerCut_AnUpgradeGoesOnAfterIt(t *testing.T) {
	if data := os.Getenv(victimVar); data != "" {
		serveHere(t, data)
		return
	}
	data, answers := firstData(t)
	cutPower(t, data, chaosRounds(t), func(t *testing.T, s *server, _ []string) {
		answersAs(t, s, answers)
	})
}

// cutPower records what the test does as a victim of its own, cuts the power at random
// moments of it, and checks the server that starts on what is left.
func cutPower(t *testing.T, data string, cuts int,
	check func(t *testing.T, s *server, acks []string)) {
	t.Helper()
	chance := randomness(t)
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), victimVar+"="+data)
	log, err := powercut.Record(cmd, data)
	if errors.Is(err, powercut.ErrNoTracing) {
		t.Skipf("LEFT OUT: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	disk := log.Disk()
	for i := range cuts {
		at := (i*log.Len() + chance.IntN(log.Len())) / cuts
		disk.Go(at)
		t.Run(fmt.Sprintf("at %d of %d", at, log.Len()), func(t *testing.T) {
			left := t.TempDir()
			if err := disk.AfterLoss(left, chance); err != nil {
				t.Fatal(err)
			}
			s := serveHere(t, left)
			check(t, s, log.Acks(at))
			s.call("POST", "/api/v1/audit/verify", "{}").want(t, 200)
		})
	}
}

// writersOf returns the writers that have begun, as far as they have come.
func writersOf(t *testing.T, s *server, acks []string) (all []*writer) {
	t.Helper()
	last := map[string]*writer{}
	for _, line := range acks {
		var p progress
		if !strings.HasPrefix(line, "{") { // of the test program itself
			continue
		}
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			t.Fatal(err)
		}
		if last[p.Name] == nil {
			last[p.Name] = &writer{}
			all = append(all, last[p.Name])
		}
		*last[p.Name] = writer{s: s, name: p.Name, first: p.First, experiment: p.Experiment, run: p.Run,
			acked: p.Acked}
	}
	return all
}
