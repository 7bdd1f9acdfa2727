package store_test

import (
	"runtime"
	"sync"
	"testing"

	"github.com/fairlead-ml/fairlead/store"
)

// What comes in the lanes of control and of clients goes before all the bulk that
// waits, and its batch is committed with no more than one bulk write in it.
func TestWrite_ControlDoesNotWaitBehindBulk(t *testing.T) {
	for _, lane := range []store.Lane{store.Control, store.Client} {
		db := open(t, t.TempDir(), schema(noteTable))
		release := hold(t, db, store.Control)
		var all sync.WaitGroup
		const bulk = 600 // more than fit into two batches
		ran, atCommit := 0, 0
		for range bulk {
			all.Go(func() {
				err := db.Write(t.Context(), store.Bulk, func(*store.Tx) error { ran++; return nil })
				if err != nil {
					t.Error(err)
				}
			})
		}
		for db.Waiting(store.Bulk) < bulk {
			runtime.Gosched()
		}
		all.Go(func() {
			err := db.Write(t.Context(), lane, func(tx *store.Tx) error {
				if ran > 0 {
					t.Errorf("lane %d: %d bulk writes went before", lane, ran)
				}
				tx.AfterCommit("test", func() { atCommit = ran })
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
		for db.Waiting(lane) < 1 {
			runtime.Gosched()
		}
		release()
		all.Wait()
		if ran != bulk || atCommit > 1 {
			t.Errorf("lane %d: committed with %d bulk writes, of %d", lane, atCommit, ran)
		}
	}
}
