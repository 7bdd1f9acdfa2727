package shim_test

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestExit_IsWrittenOnADiskThatTheStepFilled(t *testing.T) {
	s := sh(t, `cat /dev/zero > fill; head -c 100000 /dev/zero; exit 6`)
	if err := unix.Mount("tmpfs", s.WorkDir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("left out: a full disk needs the right to mount a small tmpfs: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(s.WorkDir, unix.MNT_DETACH) })
	exit := run(t, s)
	if exit.Code != 6 || exit.LogBytes < 100_000 || exit.LogDropped == 0 {
		t.Errorf("exit = %+v", exit)
	}
	info, err := os.Stat(filepath.Join(s.WorkDir, "fill"))
	if err != nil || info.Size() == 0 {
		t.Errorf("the step did not fill the disk: %v", err)
	}
}
