package store_test

import (
	"errors"
	"fmt"
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
	for _, lane := range []store.Lane{store.Bulk, store.Client} {
		if err := write(lane, "more"); !fairlead.Is(err, fairlead.Exhausted) {
			t.Errorf("write in lane %d while the reserve is given up: %v", lane, err)
		}
	}
	if err := db.Room(); !fairlead.Is(err, fairlead.Exhausted) {
		t.Errorf("room while the reserve is given up: %v", err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	clock.Advance(2 * time.Second)
	if err := db.Room(); err != nil {
		t.Errorf("no room after it was made: %v", err)
	}
	if err := write(store.Bulk, "after"); err != nil {
		t.Errorf("bulk write after room was made: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, ".reserve")); err != nil {
		t.Errorf("the reserve was not taken back: %v", err)
	}
}

// The room of the reserve is for control writes: an upload or a step that writes
// beside the database does not get it.
func TestWrite_OthersCannotTakeTheReserve(t *testing.T) {
	dir := smallDisk(t, "24m")
	db := open(t, dir, schema(noteTable))
	for i := range 100 {
		if err := add(db, fmt.Sprint("before", i)); err != nil {
			t.Fatal(err)
		}
	}
	fill(t, dir, 0)
	for i := 0; ; i++ { // until the log of writes has no room of its own
		if err := add(db, fmt.Sprint("full", i)); err != nil {
			t.Fatalf("control write %d on a full disk: %v", i, err)
		}
		if db.Room() != nil {
			break
		}
	}
	greedy(t, dir)
	for i := range 1000 {
		if err := add(db, fmt.Sprint("after", i)); err != nil {
			t.Fatalf("control write %d after others have taken all room: %v", i, err)
		}
	}
}

// A server that was killed on a full disk comes up again, with what it had acknowledged.
func TestOpen_OnAFullDiskAfterAKill(t *testing.T) {
	for name, low := range map[string]bool{"with its reserve": false, "its reserve given up": true} {
		t.Run(name, func(t *testing.T) {
			before, dir := smallDisk(t, "24m"), smallDisk(t, "64m")
			db := open(t, before, schema(noteTable))
			if err := add(db, "kept"); err != nil {
				t.Fatal(err)
			}
			if low {
				fill(t, before, 0)
				for i := 0; db.Room() == nil; i++ {
					if err := add(db, fmt.Sprint("kept", i)); err != nil {
						t.Fatal(err)
					}
				}
			}
			want := count(t, db)
			files := []string{"f.db", "f.db-wal"}
			if !low {
				files = append(files, ".reserve")
			}
			for _, name := range files { // what a kill leaves
				b, err := os.ReadFile(filepath.Join(before, name))
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if low { // the log keeps its room, and its index gives up what it had
				room(t, filepath.Join(dir, "f.db-wal"), 4<<20)
				fill(t, dir, 64<<10)
			} else {
				fill(t, dir, 0)
			}
			db = open(t, dir, schema(noteTable))
			if n := count(t, db); n != want {
				t.Errorf("%d notes, want %d", n, want)
			}
			for i := range 50 {
				if err := add(db, fmt.Sprint("new", i)); err != nil {
					t.Fatalf("control write %d: %v", i, err)
				}
			}
			if err := db.Room(); !fairlead.Is(err, fairlead.Exhausted) {
				t.Errorf("room on a full disk: %v", err)
			}
		})
	}
}

// room gives a file room beyond its end.
func room(t *testing.T, name string, bytes int64) {
	t.Helper()
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, info.Size(), bytes); err != nil {
		t.Fatal(err)
	}
}

// greedy writes until nothing more goes on the disk.
func greedy(t *testing.T, dir string) {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "greedy"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
}
