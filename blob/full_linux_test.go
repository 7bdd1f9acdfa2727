package blob_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/fairlead-ml/fairlead"
)

func TestPut_FullDiskIsExhaustedAndLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("left out: a full disk needs the right to mount a tmpfs: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	f := openIn(t, dir)
	f.mustLink(t, "before", "before")
	_, err := f.Put(t.Context(), bytes.NewReader(make([]byte, 1<<20)))
	if !fairlead.Is(err, fairlead.Exhausted) {
		t.Errorf("error %v, code %s", err, fairlead.CodeOf(err))
	}
	src := t.TempDir()
	for _, name := range []string{"a", "b", "c"} {
		content := bytes.Repeat([]byte(name), 120<<10)
		if err := os.WriteFile(filepath.Join(src, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.PutDir(t.Context(), src); !fairlead.Is(err, fairlead.Exhausted) {
		t.Errorf("directory: error %v", err)
	}
	if content, temporary := f.stored(t); len(content) != 1 || len(temporary) != 0 {
		t.Errorf("left files %v, temporary %v", content, temporary)
	}
	if got, err := f.read("before"); err != nil || got != "before" {
		t.Errorf("reading on a full disk: %q, %v", got, err)
	}
	f.mustLink(t, "after", "there is room for this")
}
