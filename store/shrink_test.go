package store_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/fairlead-ml/fairlead/store"
)

func TestShrink_GivesFreeRoomBackAndKeepsTheRest(t *testing.T) {
	path := filepath.Join(t.TempDir(), "it's.db")
	db, err := store.Open(t.Context(), store.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	write := func(query string, args ...any) {
		t.Helper()
		err := db.Write(context.Background(), store.Client, func(tx *store.Tx) error {
			_, err := tx.Exec(query, args...)
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	count := func(tx *store.Tx) (n int) {
		t.Helper()
		if err := tx.QueryRow("select count(*) from x").Scan(&n); err != nil {
			t.Error(err)
		}
		return n
	}
	write("create table x (k integer primary key, text text not null)")
	write(`insert into x (text) with recursive g(n) as (
			select 1 union all select n + 1 from g where n < 20000)
		select hex(randomblob(500)) from g`)
	write("delete from x where k % 10 <> 0")
	before, used, err := db.Size(t.Context())
	if err != nil || before < 4*used {
		t.Fatalf("%d bytes, %d of them used, %v", before, used, err)
	}

	// A read that began before sees what it saw, and writes that wait are done.
	seen, shrunk := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		err := db.Read(context.Background(), func(tx *store.Tx) error {
			first := count(tx)
			close(seen)
			<-shrunk
			if last := count(tx); first != 2000 || last != first {
				t.Errorf("a read saw %d rows, and then %d", first, last)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-seen
	for range 4 {
		wg.Go(func() {
			for range 50 {
				write("insert into x (text) values ('new')")
			}
		})
	}
	if err := db.Shrink(t.Context()); err != nil {
		t.Fatal(err)
	}
	close(shrunk)
	wg.Wait()
	if err := db.Shrink(t.Context()); err != nil { // nobody reads any more
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Size() > before/3 {
		t.Errorf("the file has %d bytes, and had %d; %v", info.Size(), before, err)
	}
	err = db.Read(t.Context(), func(tx *store.Tx) error {
		if n := count(tx); n != 2200 {
			t.Errorf("%d rows", n)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if err := db.CheckIntegrity(t.Context()); err != nil {
		t.Error(err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) > 4 {
		t.Errorf("left %v, %v", left, err)
	}
	db.Close()
	if err := db.Shrink(t.Context()); err == nil {
		t.Error("a closed database is shrunk")
	}
}
