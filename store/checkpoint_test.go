package store_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead-ml/fairlead/store"
)

// The log of writes begins anew again and again while writes go on without a pause.
func TestCheckpoint_BoundsTheLogUnderLoad(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir, schema("create table note (k {{pk}}, text text not null)"))
	text := strings.Repeat("x", 3000)
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
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
	writers.Wait()
	log, err := os.Stat(filepath.Join(dir, "f.db-wal"))
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Stat(filepath.Join(dir, "f.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("log %d MB, file %d MB", log.Size()>>20, file.Size()>>20)
	if most := int64(store.CheckpointMost) * 4096 * 3 / 2; log.Size() >= most || file.Size() < most {
		t.Errorf("the log has %d bytes, the file %d", log.Size(), file.Size())
	}
}
