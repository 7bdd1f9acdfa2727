package e2e_test

import (
	"context"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// demoOutput is the shape that `fairlead demo -o json` promises.
type demoOutput struct {
	Months []struct {
		Month       int     `json:"month"`
		LiveVersion string  `json:"live_version"`
		WAPEFrozen  float64 `json:"wape_frozen"`
		WAPELive    float64 `json:"wape_live"`
		Rows        int     `json:"rows"`
	} `json:"months"`
	Summary struct {
		WAPEFrozen         float64 `json:"wape_frozen"`
		WAPELive           float64 `json:"wape_live"`
		RetrainsPromoted   int     `json:"retrains_promoted"`
		StoppedByGate      int     `json:"stopped_by_gate"`
		RolledBackByCanary int     `json:"rolled_back_by_canary"`
		Audit              string  `json:"audit"`
		Seconds            float64 `json:"seconds"`
		Colleagues         []struct {
			Name    string `json:"name"`
			Version int64  `json:"version"`
			Outcome string `json:"outcome"`
		} `json:"colleagues"`
	} `json:"summary"`
}

// monthsOf returns the table of a demo's JSON byte by byte.
func monthsOf(t *testing.T, stdout string) string {
	t.Helper()
	var parts map[string]json.RawMessage
	if err := json.Unmarshal([]byte(stdout), &parts); err != nil {
		t.Fatalf("%v: %s", err, stdout)
	}
	return string(parts["months"])
}

// threeMonths are the hours that the data has in March, April and May.
var threeMonths = []int{730, 719, 744}

// The same part of the year is played undisturbed, in another order, and killed in the
// middle, all at once: a loaded machine changes nothing either.
func TestDemo(t *testing.T) {
	python(t)
	var plain, permuted, killed, plainDir string
	t.Run("runs", func(t *testing.T) {
		for name, play := range map[string]func(t *testing.T){
			"undisturbed": func(t *testing.T) {
				plainDir = filepath.Join(scratch, "demo")
				plain = playDemo(t, plainDir, "--months", "3")
			},
			"permuted": func(t *testing.T) {
				permuted = playDemo(t, filepath.Join(t.TempDir(), "demo"), "--months", "3", "--permute-months",
					"7")
			},
			"killed": func(t *testing.T) {
				killed = playAndKill(t, filepath.Join(t.TempDir(), "demo"),
					"--months", "3")
			},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				play(t)
			})
		}
	})
	if t.Failed() {
		return
	}
	first, other := readDemo(t, plain), readDemo(t, permuted)
	for i, m := range first.Months {
		if m.Month != i+3 || m.Rows != threeMonths[i] {
			t.Errorf("month %d has %d rows, want month %d with %d", m.Month, m.Rows, i+3, threeMonths[i])
		}
	}
	if first.Months[0].WAPEFrozen < 0.2 || first.Months[0].WAPEFrozen > 0.32 {
		t.Errorf("frozen in March: %v, want about .26", first.Months[0].WAPEFrozen)
	}
	if reflect.DeepEqual(first.Months, other.Months) ||
		first.Summary.WAPEFrozen == other.Summary.WAPEFrozen {
		t.Errorf("months in another order give the same figures:\n%s\n%s", plain, permuted)
	}
	if a, b := monthsOf(t, plain), monthsOf(t, killed); a != b {
		t.Errorf("the table of a demo that was killed differs:\n%s\nundisturbed:\n%s", b, a)
	}
	t.Run("again", func(t *testing.T) {
		run(t, t.TempDir(), "demo", "--dir", plainDir, "-o", "json").want(t, 0, `this demo has ended`,
			`fairlead demo --dir \S+ --months 3 --fresh`, `fairlead serve .*--data `+plainDir)
		run(t, t.TempDir(), "demo", "--dir", plainDir, "--months", "4").want(t, 1, `--months 3 .*--fresh`)
		if again := run(t, t.TempDir(), "demo", "--dir", plainDir, "-o", "json").stdout; again != plain {
			t.Errorf("the finished demo's report: %s, want %s", again, plain)
		}
	})
}

// playDemo plays a demo to its end, and returns its JSON.
func playDemo(t *testing.T, dir string, args ...string) string {
	t.Helper()
	o := within(t, demoMax, t.TempDir(), append([]string{"demo", "--dir", dir, "-o", "json"},
		args...)...).want(t, 0)
	return checkDemo(t, dir, o.stdout)
}

// demoMax bounds a demo, in wall time, on a machine that does other things too.
const demoMax = 20 * time.Minute

// checkDemo checks what holds of every demo.
func checkDemo(t *testing.T, dir, stdout string) string {
	t.Helper()
	d := readDemo(t, stdout)
	frozen, live := 0.0, 0.0
	for _, m := range d.Months {
		if m.LiveVersion == "" || m.WAPEFrozen <= 0 || m.WAPELive <= 0 || m.Rows <= 0 {
			t.Errorf("a month without figures: %+v", m)
		}
		frozen += m.WAPEFrozen / float64(len(d.Months))
		live += m.WAPELive / float64(len(d.Months))
	}
	if !near(d.Summary.WAPEFrozen, frozen) || !near(d.Summary.WAPELive, live) {
		t.Errorf("the summary's figures are not the means of the months': %s", stdout)
	}
	if d.Summary.Audit != "verified" || d.Summary.Seconds <= 0 {
		t.Errorf("the summary: %+v", d.Summary)
	}
	if left := processesOf(dir); len(left) > 0 {
		t.Errorf("processes that are left behind: %v", left)
	}
	return stdout
}

func near(a, b float64) bool { return a-b < 1e-9 && b-a < 1e-9 }

func readDemo(t *testing.T, stdout string) (d demoOutput) {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(stdout))
	if err := dec.Decode(&d); err != nil || dec.More() || len(d.Months) == 0 {
		t.Fatalf("stdout is not one JSON object with months: %v\n%s", err, stdout)
	}
	return d
}

// demoKills is how often a demo is killed, and killWithin how long after its start
// (wall time).
const (
	demoKills  = 3
	killWithin = 50 * time.Second
)

// playAndKill plays a demo, and kills it and its server at random moments; the first
// time the demo alone, whose server then ends by itself.
func playAndKill(t *testing.T, dir string, args ...string) string {
	t.Helper()
	rng := randomness(t)
	args = append([]string{"demo", "--dir", dir, "-o", "json"}, args...)
	for n := range demoKills {
		after := 2*time.Second + time.Duration(rng.Int64N(int64(killWithin)))
		if killDemo(t, rng, dir, after, n > 0, args) {
			break // it was quicker than expected, and has ended
		}
	}
	o := within(t, demoMax, t.TempDir(), args...).want(t, 0)
	return checkDemo(t, dir, o.stdout)
}

// killDemo starts a demo and kills it after a while, and its server too when asked to.
// It reports whether it had ended before.
func killDemo(t *testing.T, rng *rand.Rand, dir string, after time.Duration, server bool,
	args []string) bool {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := exec.CommandContext(ctx, program(t), args...)
	cmd.Dir = t.TempDir()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		cmd.Wait()
	}()
	select {
	case <-ended:
		return cmd.ProcessState.Success()
	case <-time.After(after):
	}
	victims := []int{cmd.Process.Pid}
	if pid := serverOf(filepath.Join(dir, "data")); server && pid != 0 {
		victims = append(victims, pid)
	}
	rng.Shuffle(len(victims), func(i, j int) { victims[i], victims[j] = victims[j], victims[i] })
	for _, pid := range victims {
		syscall.Kill(pid, syscall.SIGKILL)
	}
	<-ended
	t.Logf("killed after %s, with its server: %v", after.Round(time.Millisecond), len(victims) == 2)
	return false
}

// serverOf returns the pid of the server of a data directory, 0 for none.
func serverOf(data string) int {
	var s struct{ PID int }
	b, err := os.ReadFile(filepath.Join(data, "server.json"))
	if err != nil || json.Unmarshal(b, &s) != nil {
		return 0
	}
	return s.PID
}

// A directory that is not a demo's is left as it is.
func TestDemo_RefusesAForeignDirectory(t *testing.T) {
	for _, flags := range [][]string{nil, {"--fresh"}} {
		dir := t.TempDir()
		writeFiles(t, dir, map[string]string{"thesis.txt": "three years of work"})
		run(t, t.TempDir(), append([]string{"demo", "--dir", dir}, flags...)...).want(t, 1, `not a demo`)
		if b, err := os.ReadFile(filepath.Join(dir, "thesis.txt")); err != nil ||
			string(b) != "three years of work" {
			t.Errorf("demo %v has touched the directory: %q, %v", flags, b, err)
		}
		if entries, _ := os.ReadDir(dir); len(entries) != 1 {
			t.Errorf("demo %v has written into the directory: %v", flags, entries)
		}
	}
	run(t, t.TempDir(), "demo", "--months", "0").want(t, 2, `--months`)
}

var year struct {
	once        sync.Once
	dir, stdout string
}

// theYear plays the whole year, once for all tests, and returns its directory, and what
// it printed.
func theYear(t *testing.T) (dir, stdout string) {
	t.Helper()
	year.once.Do(func() {
		dir := filepath.Join(scratch, "year")
		year.stdout = playDemo(t, dir)
		year.dir = dir
	})
	if year.dir == "" {
		t.Skip("the demo has failed")
	}
	return year.dir, year.stdout
}

// The whole year shows what the demo is there to show.
func TestDemo_TheWholeYear(t *testing.T) {
	python(t)
	_, stdout := theYear(t)
	t.Log(stdout)
	d := readDemo(t, stdout)
	s, rows := d.Summary, 0
	for _, m := range d.Months {
		rows += m.Rows
	}
	if rows != 7308 || len(d.Months) != 10 {
		t.Errorf("%d hours in %d months, want 7308 in 10", rows, len(d.Months))
	}
	if s.WAPEFrozen < 0.9*0.452 || s.WAPEFrozen > 1.1*0.452 {
		t.Errorf("frozen: %.3f, want .452 within a tenth", s.WAPEFrozen)
	}
	if s.WAPELive > 0.63*s.WAPEFrozen {
		t.Errorf("live is %.3f of frozen, want at most .63", s.WAPELive/s.WAPEFrozen)
	}
	if s.RetrainsPromoted < 3 || s.StoppedByGate < 1 || s.RolledBackByCanary < 1 {
		t.Errorf("promoted %d, stopped %d, rolled back %d; want at least 3, 1, 1",
			s.RetrainsPromoted, s.StoppedByGate, s.RolledBackByCanary)
	}
	outcomes := map[string]string{}
	for _, c := range s.Colleagues {
		outcomes[c.Name] = c.Outcome
	}
	if want := map[string]string{"noisy": "stopped", "leaky": "rolledback"}; !maps.Equal(outcomes,
		want) {
		t.Errorf("the colleagues' candidates: %v, want %v", outcomes, want)
	}
	if s.Seconds > 240 {
		t.Logf("REPORT: it took %.0f s, and should take 240 on an idle machine with 2 cores", s.Seconds)
	}
	if os.Getenv("FAIRLEAD_LONG") == "" {
		return
	}
	killed := playAndKill(t, filepath.Join(t.TempDir(), "demo"))
	if a, b := monthsOf(t, stdout), monthsOf(t, killed); a != b {
		t.Errorf("the table of a year that was killed differs:\n%s\nundisturbed:\n%s", b, a)
	}
}
