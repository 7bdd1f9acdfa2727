package store_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/fairlead-ml/fairlead/store"
)

// The log of writes begins anew again and again while writes go on without a pause, and
// also while there is always a read that has begun before the newest of them.
func TestCheckpoint_BoundsTheLogUnderLoad(t *testing.T) {
	for name, readers := range map[string]int{"writes alone": 0, "reads that overlap": 3} {
		t.Run(name, func(t *testing.T) { boundedLog(t, readers) })
	}
}

func boundedLog(t *testing.T, readers int) {
	dir := t.TempDir()
	db := open(t, dir, schema("create table note (k {{pk}}, text text not null)"))
	text := strings.Repeat("x", 3000)
	var reading, writing sync.WaitGroup
	var stop atomic.Bool
	for range readers {
		reading.Go(func() {
			for !stop.Load() {
				err := db.Read(t.Context(), func(tx *store.Tx) error {
					var n int
					return tx.QueryRow("select count(*) from note where k > (select coalesce(max(k), 0) - 1000 from note)").Scan(&n)
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 4 {
		writing.Go(func() {
			for range 50 { // 4 × 50 × 300 rows of a page each: 240 MB
				err := db.Write(t.Context(), store.Bulk, func(tx *store.Tx) error {
					for range 300 {
						if _, err := tx.Exec("insert into note (text) values (?)", text); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	writing.Wait()
	stop.Store(true)
	reading.Wait()
	log, err := os.Stat(filepath.Join(dir, "f.db-wal"))
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Stat(filepath.Join(dir, "f.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("log %d MB, file %d MB", log.Size()>>20, file.Size()>>20)
	if most := int64(store.LogMost) * 4096 * 2; log.Size() >= most || file.Size() < most {
		t.Errorf("the log has %d bytes, the file %d", log.Size(), file.Size())
	}
}

// What is to run after the commit does not when its own write is undone, whoever else is
// in the batch.
func TestAfterCommit_IsUndoneWithItsWrite(t *testing.T) {
	db := open(t, t.TempDir(), schema(noteTable))
	held, let := make(chan struct{}), make(chan struct{})
	var writes sync.WaitGroup
	write := func(after *atomic.Bool, err error) {
		writes.Go(func() {
			db.Write(context.Background(), store.Control, func(tx *store.Tx) error {
				tx.AfterCommit(fmt.Sprint(after), func() { after.Store(true) })
				return err
			})
		})
	}
	writes.Go(func() {
		db.Write(context.Background(), store.Control, func(*store.Tx) error {
			close(held)
			<-let
			return nil
		})
	})
	<-held
	var kept, undone atomic.Bool
	write(&kept, nil)
	write(&undone, errors.New("refused"))
	for db.Waiting(store.Control) < 2 {
		runtime.Gosched()
	}
	close(let)
	writes.Wait()
	if !kept.Load() || undone.Load() {
		t.Errorf("ran after a commit: %v, after an undone write: %v", kept.Load(), undone.Load())
	}
}

func TestEach_APanicLeavesTheWriterAsItWas(t *testing.T) {
	db := open(t, t.TempDir(), schema(noteTable))
	if err := add(db, "a"); err != nil {
		t.Fatal(err)
	}
	err := db.Write(t.Context(), store.Control, func(tx *store.Tx) error {
		return tx.Each("select text from note", nil, func(row []driver.Value) error {
			_ = row[0].(int64)
			return nil
		})
	})
	if err == nil {
		t.Error("a panic is no error")
	}
	if err := add(db, "b"); err != nil {
		t.Errorf("the next write: %v", err)
	}
}
