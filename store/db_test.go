package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

func schema(files ...string) store.Schema {
	fs := fstest.MapFS{}
	for i, text := range files {
		fs[fmt.Sprintf("%03d_step.sql", i+1)] = &fstest.MapFile{Data: []byte(text)}
	}
	return store.Schema{Component: "test", Files: fs}
}

const noteTable = "create table note (k {{pk}}, text text not null unique)"

func open(t *testing.T, dir string, s store.Schema) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Path: filepath.Join(dir, "f.db")}, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func add(db *store.DB, text string) error {
	return db.Write(context.Background(), store.Control, func(tx *store.Tx) error {
		_, err := tx.Exec("insert into note (text) values (?)", text)
		return err
	})
}

func count(t *testing.T, db *store.DB) (n int) {
	t.Helper()
	err := db.Read(t.Context(), func(tx *store.Tx) error {
		return tx.QueryRow("select count(*) from note").Scan(&n)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestWrite_FailedClosureLeavesTheOthersOfItsBatch(t *testing.T) {
	db := open(t, t.TempDir(), schema(noteTable))
	boom := errors.New("boom")
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			err := db.Write(context.Background(), store.Lane(i%2), func(tx *store.Tx) error {
				if _, err := tx.Exec("insert into note (text) values (?)", fmt.Sprint(i)); err != nil {
					return err
				}
				if i%10 == 0 {
					return boom
				}
				if i%10 == 1 {
					panic("closure panics")
				}
				return nil
			})
			if failed := i%10 < 2; failed != (err != nil) {
				t.Errorf("write %d: error %v", i, err)
			}
		})
	}
	wg.Wait()
	if n := count(t, db); n != 80 {
		t.Errorf("%d notes, want 80", n)
	}
}

func TestWrite_UniqueViolationIsRecognised(t *testing.T) {
	db := open(t, t.TempDir(), schema(noteTable))
	if err := add(db, "a"); err != nil {
		t.Fatal(err)
	}
	if err := add(db, "a"); !store.IsUnique(err) {
		t.Errorf("error %v is not a unique violation", err)
	}
}

func TestAtEnd_RunsOnceABatchAndItsFailureFailsTheBatch(t *testing.T) {
	db := open(t, t.TempDir(), schema(noteTable))
	ran := 0
	err := db.Write(t.Context(), store.Control, func(tx *store.Tx) error {
		tx.AtEnd("a", func(*store.Tx) error { ran++; return nil })
		tx.AtEnd("a", func(*store.Tx) error { ran++; return nil })
		_, err := tx.Exec("insert into note (text) values ('x')")
		return err
	})
	if err != nil || ran != 1 {
		t.Fatalf("ran %d times, error %v", ran, err)
	}
	err = db.Write(t.Context(), store.Control, func(tx *store.Tx) error {
		tx.AtEnd("a", func(*store.Tx) error { return errors.New("no") })
		_, err := tx.Exec("insert into note (text) values ('y')")
		return err
	})
	if err == nil || count(t, db) != 1 {
		t.Errorf("a failed end of batch left %d notes, error %v", count(t, db), err)
	}
}

func TestRead_SeesOneSnapshotAndCannotWrite(t *testing.T) {
	db := open(t, t.TempDir(), schema(noteTable))
	err := db.Read(t.Context(), func(tx *store.Tx) error {
		var before, after int
		if err := tx.QueryRow("select count(*) from note").Scan(&before); err != nil {
			return err
		}
		if err := add(db, "later"); err != nil {
			return err
		}
		if err := tx.QueryRow("select count(*) from note").Scan(&after); err != nil {
			return err
		}
		if before != after {
			t.Errorf("snapshot moved from %d to %d", before, after)
		}
		if _, err := tx.Exec("insert into note (text) values ('z')"); err == nil {
			t.Error("a read transaction wrote")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A read that is cut off is no defect of ours: the caller is told what to do.
func TestRead_CutOffIsUnavailable(t *testing.T) {
	readers := func(most time.Duration) *store.DB {
		db, err := store.Open(t.Context(), store.Options{
			Path: filepath.Join(t.TempDir(), "f.db"), Readers: 1, ReadMax: most})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		return db
	}
	hasty, patient := readers(50*time.Millisecond), readers(time.Minute)
	const endless = "with recursive n (i) as (select 1 union all select i + 1 from n) "
	slow := func(tx *store.Tx) error {
		var n int
		return tx.QueryRow(endless + "select count(*) from n").Scan(&n)
	}
	rows := func(tx *store.Tx) error {
		found, err := tx.Query(endless + "select i from n")
		if err != nil {
			return err
		}
		defer found.Close()
		for found.Next() {
			continue
		}
		return fmt.Errorf("count: %w", found.Err())
	}
	leaving, leave := context.WithCancel(t.Context())
	whileLeaving := func(tx *store.Tx) error { leave(); return slow(tx) }
	nested := func(*store.Tx) error { return hasty.Read(t.Context(), slow) }
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for name, tt := range map[string]struct {
		db    *store.DB
		ctx   context.Context
		fn    func(tx *store.Tx) error
		cause error
	}{
		"too slow":                    {hasty, t.Context(), slow, nil},
		"too many rows":               {hasty, t.Context(), rows, nil},
		"no connection is free":       {hasty, t.Context(), nested, nil},
		"the caller has gone":         {patient, leaving, whileLeaving, context.Canceled},
		"the caller was gone already": {patient, gone, slow, context.Canceled},
	} {
		err := tt.db.Read(tt.ctx, tt.fn)
		if !fairlead.Is(err, fairlead.Unavailable) || tt.cause != nil && !errors.Is(err, tt.cause) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Searches that never end leave a reader to whoever wants little.
func TestReadLong_LeavesReadersToShortReads(t *testing.T) {
	const readers = 4
	db, err := store.Open(t.Context(), store.Options{Path: filepath.Join(t.TempDir(), "f.db"),
		Readers: readers, LongMax: time.Minute}, schema(noteTable))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	began := make(chan struct{}, 2*readers)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	var all sync.WaitGroup
	for range 2 * readers {
		all.Go(func() {
			err := db.ReadLong(ctx, func(tx *store.Tx) error {
				began <- struct{}{}
				return searchForEver(tx)
			})
			if !fairlead.Is(err, fairlead.Unavailable) {
				t.Errorf("a search without an end: %v", err)
			}
		})
	}
	for range readers / 2 {
		<-began
	}
	if n := count(t, db); n != 0 {
		t.Errorf("%d notes", n)
	}
	if n := len(began); n != 0 {
		t.Errorf("%d searches more than half of the readers ran at once", n)
	}
	leave()
	all.Wait()
	if err := db.ReadLong(t.Context(), func(*store.Tx) error { return nil }); err != nil {
		t.Errorf("a search after the others: %v", err)
	}
}

func searchForEver(tx *store.Tx) error {
	var n int
	return tx.QueryRow(`with recursive n (i) as (select 1 union all select i + 1 from n)
		select count(*) from n`).Scan(&n)
}

func TestReadLong_IsCutOffBeforeAShortRead(t *testing.T) {
	db, err := store.Open(t.Context(), store.Options{Path: filepath.Join(t.TempDir(), "f.db"),
		LongMax: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.ReadLong(t.Context(), searchForEver); !fairlead.Is(err, fairlead.Unavailable) {
		t.Errorf("a search without an end: %v", err)
	}
}

func TestChanged_ClosesAtTheNextCommit(t *testing.T) {
	db := open(t, t.TempDir(), schema(noteTable))
	ch := db.Changed()
	select {
	case <-ch:
		t.Fatal("closed without a commit")
	default:
	}
	if err := add(db, "x"); err != nil {
		t.Fatal(err)
	}
	<-ch
}

func TestOpen_MigratesOnceWithASnapshotAndRefusesNewer(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir, schema(noteTable))
	if err := add(db, "kept"); err != nil {
		t.Fatal(err)
	}
	db.Close()
	more := schema(noteTable, "alter table note add column more text")
	db = open(t, dir, more)
	if n := count(t, db); n != 1 {
		t.Errorf("%d notes after the migration", n)
	}
	db.Close()
	copies, _ := filepath.Glob(filepath.Join(dir, "f.db.before-*"))
	if len(copies) != 1 {
		t.Errorf("snapshots %v, want one", copies)
	}
	_, err := store.Open(t.Context(), store.Options{Path: filepath.Join(dir, "f.db")}, schema(noteTable))
	if !fairlead.Is(err, fairlead.Precondition) {
		t.Errorf("an older program opened a newer database: %v", err)
	}
}

func TestOpen_RefusesTablesOfAComponentItDoesNotKnow(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f.db")
	other := store.Schema{Component: "votes", Files: fstest.MapFS{
		"001_begin.sql": {Data: []byte("create table vote (k {{pk}})")}}}
	db, err := store.Open(t.Context(), store.Options{Path: path}, schema(noteTable), other)
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	_, err = store.Open(t.Context(), store.Options{Path: path},
		schema(noteTable, "alter table note add column n bigint"))
	if !fairlead.Is(err, fairlead.Precondition) || !strings.Contains(err.Error(), "votes") {
		t.Errorf("error %v", err)
	}
	if copies, _ := filepath.Glob(filepath.Join(dir, "*.before-*")); len(copies) > 0 {
		t.Errorf("a refused database was copied: %v", copies)
	}
}

func TestOpen_KeepsTheNewestTwoSnapshotsWhole(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "[a*") // a name, and no pattern
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	clock := fairlead.NewFakeClock(time.Now())
	files := []string{noteTable}
	for n := range 5 {
		opt := store.Options{Path: filepath.Join(dir, "f.db"), Clock: clock}
		db, err := store.Open(t.Context(), opt, schema(files...))
		if err != nil {
			t.Fatal(err)
		}
		if err := add(db, fmt.Sprint(n)); err != nil {
			t.Fatal(err)
		}
		db.Close()
		files = append(files, fmt.Sprintf("create table more%d (k {{pk}})", n))
		if n > 2 { // the ones before have the same second
			clock.Advance(time.Second)
		}
	}
	copies := containing(t, dir, ".before-")
	if len(copies) != 2 {
		t.Fatalf("snapshots %v", copies)
	}
	for i, name := range copies {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, error %v", info.Mode(), err)
		}
		db, err := store.Open(t.Context(), store.Options{Path: name}, schema(files[:3+i]...))
		if err != nil {
			t.Fatal(err)
		}
		if n := count(t, db); n != 3+i {
			t.Errorf("%s has %d notes, want %d", name, n, 3+i)
		}
		db.Close()
	}
	if left := containing(t, dir, ".copy"); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

// containing returns the files of a directory whose names contain part, in order.
func containing(t *testing.T, dir, part string) (paths []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.Contains(e.Name(), part) {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths
}

func TestOpen_RefusesAFileThatIsNoDatabase(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "f.db"), []byte("not a database at all, but text"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := store.Open(t.Context(), store.Options{Path: filepath.Join(dir, "f.db")})
	if !fairlead.Is(err, fairlead.Precondition) {
		t.Errorf("error %v", err)
	}
}

func TestClose_FinishesAcceptedWritesAndRefusesNewOnes(t *testing.T) {
	dir := t.TempDir()
	db := open(t, dir, schema(noteTable))
	if err := add(db, "a"); err != nil {
		t.Fatal(err)
	}
	db.Close()
	db.Close()
	if err := add(db, "b"); !fairlead.Is(err, fairlead.Unavailable) {
		t.Errorf("write after close: %v", err)
	}
}
