package worker_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/fairlead-ml/fairlead/engine/worker"
)

func TestStart_NeedsNoRoomOnTheDisk(t *testing.T) {
	t.Parallel()
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "nr_inodes=2"); err != nil { // and none is left
		t.Skipf("LEFT OUT: a full disk needs the right to mount one: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(disk, unix.MNT_DETACH) })
	other := filepath.Join(disk, "other")
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(disk, "workers", "flights")
	w := start(t, func(o *worker.Options) { o.Dir = dir })
	if _, err := w.Predict(t.Context(), ask("print")); err != nil {
		t.Error(err)
	}
	if _, err := w.Predict(t.Context(), ask("killed")); err == nil || !strings.Contains(err.Error(), "died") {
		t.Errorf("killed: %v", err)
	}
	if _, err := w.Predict(t.Context(), ask("x")); err != nil {
		t.Errorf("started again: %v", err)
	}
}
