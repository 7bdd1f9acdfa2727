package pipeline_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/fairlead-ml/fairlead/pipeline"
)

// A full disk stops a run until there is room; it fails neither the run nor a step.
func TestRun_GoesOnWhenAFullDiskHasRoomAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ disk, size string }{
		"furnish":            {"pipeline", "64k"},
		"collect":            {"blobs", "256k"},
		"collect and commit": {".", "24m"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			disk := filepath.Join(dir, c.disk)
			check(t, os.MkdirAll(disk, 0o700))
			if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size="+c.size); err != nil {
				t.Skipf("LEFT OUT: a full disk needs the right to mount a small tmpfs: %v", err)
			}
			t.Cleanup(func() { unix.Unmount(disk, unix.MNT_DETACH) })
			w := &world{dir: dir, data: datasets{}}
			w.start(t)
			t.Cleanup(func() { w.stop(t) })
			mark := t.TempDir()
			st := w.chain(t, chainFiles.with("prepare.sh", chainFiles["prepare.sh"]+" && "+waiting(mark)))
			filler := filepath.Join(disk, "filler")
			if name == "furnish" {
				fill(t, filler)
			}
			id := w.begin(t, st)
			if name != "furnish" {
				waitFor(t, filepath.Join(mark, "started"))
				fill(t, filler)
			}
			check(t, os.WriteFile(filepath.Join(mark, "go"), nil, 0o600))
			for changed := w.db.Changed(); ; changed = w.db.Changed() {
				r, err := w.Get(t.Context(), w.p, id)
				check(t, err)
				if strings.Contains(r.Progress, "the disk of the data directory is full") {
					break
				}
				if r.State.Final() {
					t.Fatalf("%s: %s", r.State, r.Reason)
				}
				<-changed
			}
			check(t, os.Remove(filler))
			r := w.await(t, id)
			if r.State != pipeline.Succeeded {
				t.Fatalf("%s: %s", r.State, r.Reason)
			}
			j, err := w.jobs.Get(t.Context(), w.p.K, r.Job)
			check(t, err)
			if j.Losses != 0 || j.Fence < 2 || w.steps(t, id)[0].Fails != 0 {
				t.Errorf("%d losses, fence %d", j.Losses, j.Fence)
			}
		})
	}
}

// fill writes until nothing more goes on the disk.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	check(t, err)
	defer f.Close()
	for b := make([]byte, 4096); err == nil; {
		_, err = f.Write(b)
	}
}
