package serving_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/serving"
	"github.com/fairlead-ml/fairlead/serving/servingtest"
	"github.com/fairlead-ml/fairlead/store"
)

// onSmallDisk starts the world anew on a real file system of its own, which a test can
// fill.
func onSmallDisk(t *testing.T, w *servingtest.World) {
	t.Helper()
	if err := unix.Mount("tmpfs", w.Dir, "tmpfs", 0, "size=64m"); err != nil {
		t.Skipf("LEFT OUT: a full disk needs the right to mount one: %v", err)
	}
	w.Stop()
	t.Cleanup(func() { unix.Unmount(w.Dir, unix.MNT_DETACH) })
	w.Start()
	w.Do(func(tx *store.Tx) error {
		_, err := w.Models.EnsureModel(context.Background(), tx, servingtest.Project, "flights")
		return err
	})
}

func TestInfer_AFullDiskRefusesABufferedRequestOnceTheLogIsFull(t *testing.T) {
	w := servingtest.New(t)
	onSmallDisk(t, w)
	w.Deploy(replaceBuffered)
	w.MustInfer("before", servingtest.March, servingtest.Hours(1))
	w.Settle()
	fill := filepath.Join(w.Dir, "fill")
	if err := os.WriteFile(fill, make([]byte, 128<<20), 0o600); err == nil {
		t.Fatal("the disk is not full")
	}
	w.MustInfer("kept", servingtest.March, servingtest.Hours(make([]float64, serving.MaxRows)...))
	var err error
	w.Until("a request is refused", func() bool {
		_, err = w.Infer("refused", servingtest.March, servingtest.Hours(1))
		return fairlead.Is(err, fairlead.Exhausted)
	})
	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	w.Until("the log is written again", func() bool {
		_, err = w.Infer("after", servingtest.March, servingtest.Hours(1))
		return err == nil
	})
	w.Settle()
	got := w.Logged()
	if len(got) != serving.MaxRows+2 || !slices.Contains(got, "before v1=1001") ||
		!slices.Contains(got, "kept/9999 v1=1000") || !slices.Contains(got, "after v1=1001") {
		t.Errorf("%d rows: %.200q", len(got), got)
	}
}
