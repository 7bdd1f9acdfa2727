package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fairlead-ml/fairlead"
)

// Writers go on while a copy is made, and the copy holds what was there before it.
func TestBackup_IsOneMomentWhileWritesGoOn(t *testing.T) {
	db := open(t, t.TempDir(), schema(noteTable))
	for i := range 100 {
		if err := add(db, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	var quit atomic.Bool
	var wait sync.WaitGroup
	wait.Go(func() {
		for i := 100; !quit.Load(); i++ {
			if err := add(db, fmt.Sprint(i)); err != nil {
				t.Errorf("a write while the copy is made: %v", err)
				return
			}
		}
	})
	dir := t.TempDir()
	path := filepath.Join(dir, "f.db")
	err := db.Backup(t.Context(), path)
	quit.Store(true)
	wait.Wait()
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, error %v", info.Mode(), err)
	}
	restored := open(t, dir, schema(noteTable))
	if err := restored.CheckIntegrity(t.Context()); err != nil {
		t.Error(err)
	}
	if n := count(t, restored); n < 100 || n > count(t, db) {
		t.Errorf("the copy has %d notes, and there were 100 before it and %d after it", n, count(t, db))
	}
}

func TestCheckIntegrity_SeesDamage(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir, schema(noteTable))
	for i := range 2000 {
		if err := add(db, fmt.Sprint("note ", i)); err != nil {
			t.Fatal(err)
		}
	}
	db.Close()
	path := filepath.Join(dir, "f.db")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 5 << 12; i < 6<<12; i++ { // a page in the middle of what is used
		b[i] = 0xff
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	err = open(t, dir, schema(noteTable)).CheckIntegrity(t.Context())
	if !fairlead.Is(err, fairlead.Conflict) {
		t.Errorf("a damaged database: %v", err)
	}
}
