package rest

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/fairlead-ml/fairlead/store"
)

// Who waits while others write without a pause looks now and then, and not after each write.
func TestUntil_DoesNotLookAfterEachCommit(t *testing.T) {
	db, err := store.Open(t.Context(), store.Options{Path: filepath.Join(t.TempDir(), "f.db")}, Schema())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx, leave := context.WithCancel(t.Context())
	const commits = 20 * quickLooks
	go func() {
		defer leave()
		for range commits {
			err := db.Write(ctx, store.Bulk, func(tx *store.Tx) error {
				_, err := tx.Exec("delete from migration where n = -1")
				return err
			})
			if err != nil {
				t.Error(err)
			}
		}
	}()
	a, looks := &API{Services: Services{DB: db}}, 0
	err = a.until(ctx, Waiting{Wait: "2m"}, func() (bool, error) {
		looks++
		return false, nil
	})
	if !errors.Is(err, context.Canceled) || looks < quickLooks || looks > commits/2 {
		t.Errorf("%d looks at %d commits, %v", looks, commits, err)
	}
}
