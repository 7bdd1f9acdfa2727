package job_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/job/shim"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/store"
)

// chaosVar makes the test's program a server on the directory it names.
const chaosVar = "FAIRLEAD_TEST_CHAOS"

// chaosStep holds a lock of its job while it works: who finds it taken has met a
// process of an attempt that should be over.
const chaosStep = `
	exec 9> "lock.$KEY"
	flock -n 9 || echo "$KEY" >> overlap
	(setsid sleep 1000 &)
	sleep 0.02
	echo "$KEY"
`

// chaosServer enqueues a job for each line of stdin and answers with the line
// once that is durable. After the last line it exits when all is done.
func chaosServer(dir string) {
	ctx := context.Background()
	db, err := store.Open(ctx, store.Options{Path: filepath.Join(dir, "f.db")},
		ledger.Schema(), job.Schema(), effects)
	must(err)
	led := ledger.New(db, fairlead.WallClock{}, discard)
	s := job.New(db, led, fairlead.WallClock{}, discard,
		job.Options{Exclusive: true, StepsDir: filepath.Join(dir, "steps"), MaxLosses: 1000})
	s.Handle("chaos", chaosHandler(dir), job.Limits{})
	must(s.Start(ctx))
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		must(db.Write(ctx, store.Control, func(tx *store.Tx) error {
			_, _, err := s.Enqueue(tx, job.Task{Project: project, Kind: "chaos", Key: in.Text()})
			return err
		}))
		fmt.Println(in.Text())
	}
	for {
		changed := db.Changed()
		var idle bool
		must(db.Read(ctx, func(tx *store.Tx) (err error) {
			idle, err = s.Idle(tx, project.K)
			return err
		}))
		if idle {
			break
		}
		<-changed
	}
	must(s.Stop(ctx))
	must(db.Close())
	os.Exit(0)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func chaosHandler(dir string) job.Handler {
	return func(ctx context.Context, r *job.Run) error {
		a, exit, err := r.Step(ctx, "main", func(context.Context, job.Attempt) (shim.Spec, error) {
			return shim.Spec{
				Command: []string{"sh", "-c", chaosStep}, WorkDir: dir,
				Env: []string{"PATH=/usr/bin:/bin", "KEY=" + r.Job.Key},
			}, nil
		})
		if err != nil {
			return err
		}
		if !exit.OK() { // the test killed the step itself
			killed := errors.New("the step was killed")
			return job.Lost(errors.Join(killed, r.Forget(ctx, a.Step)))
		}
		part, err := shim.ReadLog(a.Dir, 0, 100)
		if err != nil {
			return err
		}
		return r.Commit(ctx, store.Control, func(tx *store.Tx) error {
			return note(tx, strings.TrimSpace(string(part.Data)))
		})
	}
}

func TestChaos_EveryAcknowledgedJobIsDoneOnce(t *testing.T) {
	rounds := envInt("FAIRLEAD_CHAOS_ROUNDS", 20)
	seed := envInt("FAIRLEAD_CHAOS_SEED", time.Now().UnixNano())
	t.Logf("REPORT: FAIRLEAD_CHAOS_SEED=%d, %d rounds", seed, rounds)
	rnd := rand.New(rand.NewPCG(uint64(seed), 0))
	dir := t.TempDir()
	var acked []string
	for round := range rounds {
		acked = append(acked, chaosRound(t, dir, int(round), rnd)...)
	}
	last := startChaosServer(t, dir)
	last.in.Close()
	if err := last.cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	checkChaos(t, dir, acked)
}

func envInt(name string, otherwise int64) int64 {
	if n, err := strconv.ParseInt(os.Getenv(name), 10, 64); err == nil {
		return n
	}
	return otherwise
}

type chaosProcess struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func startChaosServer(t *testing.T, dir string) chaosProcess {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), chaosVar+"="+dir)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	must(err)
	out, err := cmd.StdoutPipe()
	must(err)
	must(cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill() })
	return chaosProcess{cmd, in, bufio.NewScanner(out)}
}

// chaosRound runs a server until it is killed, kills shims and steps under it
// meanwhile, and returns what the server acknowledged.
func chaosRound(t *testing.T, dir string, round int, rnd *rand.Rand) (acked []string) {
	p := startChaosServer(t, dir)
	kills := make(chan time.Duration, 3)
	for range 1 + rnd.IntN(2) {
		kills <- time.Duration(rnd.Int64N(int64(40 * time.Millisecond)))
	}
	close(kills)
	victim := rnd.IntN(1 << 16)
	for i := range 4 {
		fmt.Fprintf(p.in, "%d-%d\n", round, i)
		if !p.out.Scan() {
			t.Fatal("the server died by itself")
		}
		acked = append(acked, p.out.Text())
		if wait, ok := <-kills; ok {
			time.Sleep(wait) // the random moment is the point
			killOne(dir, victim+i)
		}
	}
	time.Sleep(time.Duration(rnd.Int64N(int64(30 * time.Millisecond))))
	p.cmd.Process.Kill()
	p.cmd.Wait()
	return acked
}

// killOne kills the shim or the command of one attempt that seems to run.
func killOne(dir string, n int) {
	files, _ := filepath.Glob(filepath.Join(dir, "steps", "*", "*", "*", "shim.json"))
	files = slices.DeleteFunc(files, func(f string) bool {
		_, err := os.Stat(filepath.Join(filepath.Dir(f), "exit.json"))
		return err == nil
	})
	if len(files) == 0 {
		return
	}
	var who struct{ Shim, Child struct{ PID int } }
	b, err := os.ReadFile(files[n%len(files)])
	if err != nil || json.Unmarshal(b, &who) != nil {
		return
	}
	pid := who.Shim.PID
	if n%2 == 0 {
		pid = who.Child.PID
	}
	if cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); len(cmdline) > 0 {
		syscall.Kill(pid, syscall.SIGKILL)
	}
}

func checkChaos(t *testing.T, dir string, acked []string) {
	t.Helper()
	w := open(t, dir, fairlead.WallClock{}, job.Options{})
	done := w.noted(t)
	slices.Sort(done)
	slices.Sort(acked)
	if !slices.Equal(done, acked) {
		t.Errorf("acknowledged %v\ndone %v", acked, done)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "overlap")); err == nil {
		t.Errorf("attempts of one job overlapped: %s", b)
	}
	report, err := w.led.Verify(t.Context())
	if err != nil {
		t.Errorf("the ledger does not verify: %v", err)
	}
	t.Logf("%d jobs, %d losses in the ledger", len(done), report.Events)
	for jobDir, n := range successes(dir) {
		if n != 1 {
			t.Errorf("the step in %s succeeded %d times", jobDir, n)
		}
	}
	if left := marked(dir); len(left) > 0 {
		t.Errorf("processes of steps are left: %v", left)
	}
}

// successes counts, for each job's directory, the attempts that ended well.
func successes(dir string) map[string]int {
	n := map[string]int{}
	files, _ := filepath.Glob(filepath.Join(dir, "steps", "*", "main", "*", "exit.json"))
	for _, f := range files {
		var exit shim.Exit
		b, err := os.ReadFile(f)
		must(err)
		must(json.Unmarshal(b, &exit))
		if exit.OK() {
			n[filepath.Dir(filepath.Dir(f))]++
		}
	}
	return n
}

// marked returns the processes that were started in dir and still live.
func marked(dir string) (pids []string) {
	links, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, link := range links {
		if at, err := os.Readlink(link); err == nil && at == dir {
			pids = append(pids, link)
		}
	}
	return pids
}
