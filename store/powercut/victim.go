package powercut

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
)

// victimVar names the directory in which a process of a test program writes until it
// ends, while it is recorded.
const victimVar = "FAIRLEAD_TEST_VICTIM"

// Main is the TestMain of a package with a victim, which writes in a directory, in two
// sessions, and says on its standard output what is acknowledged. The second session finds
// what the first has closed.
func Main(m *testing.M, victim func(dir string, session int) error) {
	dir := os.Getenv(victimVar)
	if dir == "" {
		os.Exit(m.Run())
	}
	for session := range 2 {
		if err := victim(dir, session); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(0)
}

// Victim records what the victim of this test program, with more in its environment, does
// to its files.
func Victim(t *testing.T, env ...string) *Log {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), victimVar+"="+dir), env...)
	log, err := Record(cmd, dir)
	if errors.Is(err, ErrNoTracing) {
		t.Skipf("LEFT OUT: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return log
}

// Cut cuts the power at random moments, lets check open what is then on the disk, with what
// was acknowledged until then, and returns what it finds wrong. It prints the seed that
// repeats it.
func (l *Log) Cut(t *testing.T, cuts int, check func(dir string, acks []string) error) (wrong []error) {
	t.Helper()
	seed := rand.Uint64()
	t.Logf("REPORT: seed %d", seed)
	chance, disk := rand.New(rand.NewPCG(seed, 0)), l.Disk()
	for i := range cuts {
		at := (i*l.Len() + chance.IntN(l.Len())) / cuts
		disk.Go(at)
		dir, err := os.MkdirTemp(t.TempDir(), "cut")
		if err != nil {
			t.Fatal(err)
		}
		if err := disk.AfterLoss(dir, chance); err != nil {
			t.Fatal(err)
		}
		if err := check(dir, l.Acks(at)); err != nil {
			wrong = append(wrong, fmt.Errorf("power cut at %d of %d: %w", at, l.Len(), err))
		}
		os.RemoveAll(dir)
	}
	return wrong
}
