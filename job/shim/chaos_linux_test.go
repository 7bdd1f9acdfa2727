package shim_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead/job/shim"
)

// The step holds a lock that all its processes share, works for a while, and
// notes that it is done. Whoever finds the lock taken has met a process of an
// attempt that should be over.
const guarded = `
	exec 9> busy
	flock -n 9 || echo overlap >> wrong
	(setsid sh -c 'sleep 0.02; exec sleep 1000' &)
	sleep 0.03
	echo done >> ledger
`

// In each round one of server, shim and step is killed at a random moment. The
// next server attaches, cleans up, and runs the step again unless it was done.
func TestChaos_AStepIsDoneOnceWhateverDies(t *testing.T) {
	rounds := 20
	if n, err := strconv.Atoi(os.Getenv("FAIRLEAD_CHAOS_ROUNDS")); err == nil {
		rounds = n
	}
	seed := uint64(time.Now().UnixNano())
	if n, err := strconv.ParseUint(os.Getenv("FAIRLEAD_CHAOS_SEED"), 10, 64); err == nil {
		seed = n
	}
	t.Logf("FAIRLEAD_CHAOS_SEED=%d, %d rounds", seed, rounds)
	rnd := rand.New(rand.NewPCG(seed, 0))
	for i := range rounds {
		victim := []string{"server", "shim", "step"}[rnd.IntN(3)]
		delay := time.Duration(rnd.Int64N(int64(60 * time.Millisecond)))
		t.Run(fmt.Sprintf("%d %s after %s", i, victim, delay), func(t *testing.T) {
			chaosRound(t, victim, delay)
		})
	}
}

func chaosRound(t *testing.T, victim string, delay time.Duration) {
	s := sh(t, guarded)
	root := s.WorkDir
	first := server(t, s)
	time.Sleep(delay) // the random moment is the point
	if victim == "server" {
		first.Process.Kill()
		first.Wait()
	} else {
		shimPID, childPID := pids(t, s.Dir)
		if victim == "step" {
			shimPID = childPID
		}
		syscall.Kill(shimPID, syscall.SIGKILL)
	}
	attempts := 1
	for ; !finish(t, s.Dir); attempts++ {
		s.Dir = filepath.Join(root, "attempt"+strconv.Itoa(attempts))
		start(t, s)
	}
	if b, err := os.ReadFile(filepath.Join(root, "wrong")); err == nil {
		t.Errorf("two attempts overlapped: %s", b)
	}
	if victim == "server" && attempts > 1 {
		t.Errorf("the step was run %d times, though only its server died", attempts)
	}
	if b, _ := os.ReadFile(filepath.Join(root, "ledger")); strings.Count(string(b), "done") < 1 {
		t.Error("the step was not done")
	}
}

// finish plays a server that has just started: it waits for the attempt and
// reports whether the step is done.
func finish(t *testing.T, dir string) bool {
	t.Helper()
	h, err := shim.Attach(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	exit := wait(t, h)
	if err := h.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	return exit.OK()
}
