package store_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// smallDisk mounts a real file system of its own, which a test can fill.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("LEFT OUT: a full disk needs the right to mount one: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

func TestWrite_FullDiskRefusesBulkKeepsControlAndRecovers(t *testing.T) {
	dir := smallDisk(t, "16m")
	clock := fairlead.NewFakeClock(time.Now())
	db, err := store.Open(t.Context(), store.Options{Path: filepath.Join(dir, "f.db"), Clock: clock, Reserve: 4 << 20},
		schema("create table note (k {{pk}}, text text not null)"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	write := func(lane store.Lane, text string) error {
		return db.Write(t.Context(), lane, func(tx *store.Tx) error {
			_, err := tx.Exec("insert into note (text) values (?)", text)
			return err
		})
	}
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 4<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	kept := 0
	for err = nil; err == nil; kept++ {
		err = write(store.Bulk, strings.Repeat("x", 100<<10))
	}
	kept--
	if !fairlead.Is(err, fairlead.Exhausted) {
		t.Fatalf("a full disk answers %v", err)
	}
	for i := range 20 {
		if err := write(store.Control, "control"); err != nil {
			t.Fatalf("control write %d on a full disk: %v", i, err)
		}
	}
	if n := count(t, db); n != kept+20 {
		t.Errorf("%d notes, want %d: acknowledged ones and no others", n, kept+20)
	}
	if err := write(store.Bulk, "more"); !fairlead.Is(err, fairlead.Exhausted) {
		t.Errorf("bulk write while the reserve is given up: %v", err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	clock.Advance(2 * time.Second)
	if err := write(store.Bulk, "after"); err != nil {
		t.Errorf("bulk write after room was made: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, ".reserve")); err != nil {
		t.Errorf("the reserve was not taken back: %v", err)
	}
}
