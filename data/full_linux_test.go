package data_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/ledger"
)

func TestIngest_FullDiskIsExhaustedAndLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=128k"); err != nil {
		t.Skipf("left out: a full disk needs the right to mount a tmpfs: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	f := open(t)
	blobs, err := blob.New(f.db, dir)
	if err != nil {
		t.Fatal(err)
	}
	clock := fairlead.NewFakeClock(wall)
	s, err := data.New(f.db, ledger.New(f.db, clock, slog.New(slog.DiscardHandler)), blobs, dir, clock)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	big := data.Ingest{Dataset: "d", Files: []string{f.write(t, "big.csv", wide(10_000, 1))}}
	if _, err := s.Ingest(t.Context(), project, big); !fairlead.Is(err, fairlead.Exhausted) {
		t.Errorf("%s: %v", fairlead.CodeOf(err), err)
	}
	if left, err := os.ReadDir(filepath.Join(dir, "datasets")); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
	little := data.Ingest{Dataset: "d", Files: []string{f.write(t, "little.csv", small)}}
	if v, err := s.Ingest(t.Context(), project, little); err != nil || v.N != 1 {
		t.Errorf("with room again: %+v, %v", v, err)
	}
}
