package store_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// A write beyond the page cache meets the full disk in the middle of its closure. The
// engine then rolls back the whole batch and not the closure's savepoint: what is
// acknowledged must be there, what is refused must not, and control writes go on.
func TestWrite_LostTransactionTakesItsBatchAlongAndRunsControlAgain(t *testing.T) {
	dir := smallDisk(t, "32m")
	db, err := store.Open(t.Context(), store.Options{
		Path: filepath.Join(dir, "f.db"), Reserve: 8 << 20},
		schema("create table note (k {{pk}}, text text not null, pad text, seq bigint)"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	fill(t, dir, 12<<20)
	const writes = 60
	rows := func(i int) int { // every third is a bulk write, and every sixth a large one
		if i%6 == 5 {
			return 200
		}
		return 1
	}
	errs := make([]error, writes)
	release := hold(t, db, store.Control)
	var all sync.WaitGroup
	write := func(i int, lane store.Lane) {
		errs[i] = db.Write(context.Background(), lane, func(tx *store.Tx) error {
			tx.AtEnd("number", number)
			for range rows(i) {
				_, err := tx.Exec("insert into note (text, pad) values (?, ?)", fmt.Sprint(i),
					strings.Repeat("x", 1+(rows(i)-1)*1000))
				if err != nil {
					return fmt.Errorf("write %d: %w", i, err)
				}
			}
			return nil
		})
	}
	wait := func(lane store.Lane, n int) {
		for db.Waiting(lane) < n {
			runtime.Gosched()
		}
	}
	for i := 5; i < writes; i += 6 { // the large ones are the first of their lane
		all.Go(func() { write(i, store.Bulk) })
	}
	wait(store.Bulk, writes/6)
	for i := range writes {
		switch {
		case i%3 < 2:
			all.Go(func() { write(i, store.Control) })
		case i%6 == 2:
			all.Go(func() { write(i, store.Bulk) })
		}
	}
	wait(store.Control, writes*2/3)
	wait(store.Bulk, writes/3)
	release()
	all.Wait()
	there, unnumbered := notes(t, db)
	for i, err := range errs {
		want := 0
		if err == nil {
			want = rows(i)
		}
		if there[fmt.Sprint(i)] != want {
			t.Errorf("write %d: %d rows, want %d; its error is %v", i, there[fmt.Sprint(i)], want, err)
		}
		if refused := fairlead.Is(err, fairlead.Exhausted); err != nil && (i%3 != 2 || !refused) ||
			err == nil && i%6 == 5 {
			t.Errorf("write %d of %d rows: %v", i, rows(i), err)
		}
	}
	if unnumbered != 0 {
		t.Errorf("%d rows were committed without the end of their batch", unnumbered)
	}
}

// A closure that does not look at its errors cannot write outside of its transaction.
func TestWrite_LostTransactionIsSeenWhereTheClosureIsNot(t *testing.T) {
	dir := smallDisk(t, "16m")
	db, err := store.Open(t.Context(), store.Options{
		Path: filepath.Join(dir, "f.db"), Reserve: 4 << 20},
		schema("create table note (k {{pk}}, text text not null, pad text, seq bigint)"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	fill(t, dir, 6<<20)
	pad, refused := strings.Repeat("x", 200_000), 0
	err = db.Write(t.Context(), store.Bulk, func(tx *store.Tx) error {
		for range 100 {
			if _, err := tx.Exec("insert into note (text, pad) values ('careless', ?)", pad); err != nil {
				pad = "" // such a row would find its room
				refused++
			}
		}
		return nil
	})
	if there, _ := notes(t, db); err == nil || refused < 2 || len(there) > 0 {
		t.Errorf("error %v; %d statements refused, %v there", err, refused, there)
	}
	if !fairlead.Is(err, fairlead.Unavailable) {
		t.Errorf("error %v", err)
	}
}

// number is an end of batch, as the ledger has one.
func number(tx *store.Tx) error {
	_, err := tx.Exec("update note set seq = k where seq is null")
	return err
}

// notes counts the rows of each text, and those that no end of batch has seen.
func notes(t *testing.T, db *store.DB) (rows map[string]int, unnumbered int) {
	t.Helper()
	rows = map[string]int{}
	err := db.Read(t.Context(), func(tx *store.Tx) error {
		found, err := tx.Query("select text, seq is null from note")
		if err != nil {
			return err
		}
		defer found.Close()
		for found.Next() {
			var text string
			var bare int
			if err := found.Scan(&text, &bare); err != nil {
				return err
			}
			rows[text]++
			unnumbered += bare
		}
		return found.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows, unnumbered
}

// fill leaves no more than free bytes on the disk.
func fill(t *testing.T, dir string, free int64) (ballast string) {
	t.Helper()
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		t.Fatal(err)
	}
	ballast = filepath.Join(dir, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.Fallocate(int(f.Fd()), 0, 0, int64(fs.Bavail)*fs.Bsize-free); err != nil {
		t.Fatal(err)
	}
	return ballast
}

// hold keeps the writer in a closure until release, so that the writes that come
// meanwhile wait for it.
func hold(t *testing.T, db *store.DB, lane store.Lane) (release func()) {
	t.Helper()
	running, free, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	begun := sync.OnceFunc(func() { close(running) })
	go func() {
		done <- db.Write(context.Background(), lane, func(*store.Tx) error {
			begun()
			<-free
			return nil
		})
	}()
	<-running
	return func() {
		close(free)
		if err := <-done; err != nil {
			t.Errorf("the write that held: %v", err)
		}
	}
}
