package backup_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/backup"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/store"
)

var (
	project = fairlead.Project{K: 1, Name: "one"}
	run     = blob.Owner{Kind: "run", ID: "r1"}
	schemas = []store.Schema{ledger.Schema(), blob.Schema()}
)

// world is a data directory in use, with a place for backups.
type world struct {
	*backup.Service
	db     *store.DB
	blobs  *blob.Store
	ledger *ledger.Ledger
	clock  *fairlead.FakeClock
	dir    string
	place  string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return openWorld(t, t.TempDir(), schemas)
}

func openWorld(t *testing.T, dir string, schemas []store.Schema) *world {
	t.Helper()
	w := &world{dir: dir, place: filepath.Join(t.TempDir(), "backups"),
		clock: fairlead.NewFakeClock(time.Date(2026, 11, 21, 15, 0, 0, 0, time.UTC))}
	var err error
	w.db, err = store.Open(t.Context(),
		store.Options{Path: filepath.Join(dir, backup.DatabaseFile)}, schemas...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.db.Close() })
	if w.blobs, err = blob.New(w.db, dir, blob.WithClock(w.clock)); err != nil {
		t.Fatal(err)
	}
	w.ledger = ledger.New(w.db, w.clock, slog.New(slog.DiscardHandler))
	signer, err := ledger.OpenSigner(dir)
	if err != nil {
		t.Fatal(err)
	}
	w.ledger.SignWith(signer)
	w.Service = backup.New(w.db, w.blobs, w.clock, dir, "1.2.3")
	return w
}

// add stores a file that a run refers to, and an event.
func (w *world) add(t *testing.T, path, text string) {
	t.Helper()
	obj, err := w.blobs.Put(t.Context(), strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	err = w.db.Write(t.Context(), store.Control, func(tx *store.Tx) error {
		if err := w.blobs.Link(tx, project, run, path, obj); err != nil {
			return err
		}
		_, err := w.ledger.Append(t.Context(), tx, project, "run/r1", time.Time{},
			event.Run{Name: event.RunCreatedType, Run: "r1"})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) take(t *testing.T) *backup.Manifest {
	t.Helper()
	w.clock.Advance(time.Second)
	m, err := w.Take(t.Context(), w.place)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestRestore_BringsBackFilesLedgerAndKeys(t *testing.T) {
	w := newWorld(t)
	w.add(t, "a", "alpha")
	w.add(t, "b", "beta")
	w.take(t)
	to := filepath.Join(t.TempDir(), "restored")
	rep, err := backup.Restore(t.Context(), w.place, to, schemas)
	if err != nil {
		t.Fatal(err)
	}
	if rep.Ledger.Events != 2 || rep.Blobs.Files != 2 || rep.Blobs.Bytes != 9 ||
		rep.Fairlead != "1.2.3" {
		t.Errorf("report %+v", rep)
	}
	r := openWorld(t, to, schemas)
	for path, want := range map[string]string{"a": "alpha", "b": "beta"} {
		if got, err := r.blobs.ReadFile(t.Context(), project, run, path, 100); string(got) != want {
			t.Errorf("%s holds %q, want %q (%v)", path, got, want, err)
		}
	}
	key, err := os.ReadFile(filepath.Join(w.dir, "ledger.key"))
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(to, "ledger.key")
	got, err := os.ReadFile(name)
	info, _ := os.Stat(name)
	if err != nil || string(got) != string(key) || info.Mode().Perm() != 0o600 {
		t.Errorf("the key is not what it was, or others can read it: %v, %v", info.Mode(), err)
	}
}

func TestTake_CopiesOnlyWhatIsNew(t *testing.T) {
	w := newWorld(t)
	w.add(t, "a", "alpha")
	first := w.take(t)
	w.add(t, "b", "beta")
	second := w.take(t)
	if first.Blobs != (blob.Copied{Files: 1, Bytes: 5, NewFiles: 1, NewBytes: 5}) ||
		second.Blobs != (blob.Copied{Files: 2, Bytes: 9, NewFiles: 1, NewBytes: 4}) {
		t.Errorf("first %+v, second %+v", first.Blobs, second.Blobs)
	}
	for path, events := range map[string]int64{first.Path: 1, second.Path: 2, w.place: 2} {
		rep, err := backup.Check(t.Context(), path, schemas)
		if err != nil || rep.Ledger.Events != events {
			t.Errorf("%s: %+v, %v; want %d events", path, rep, err, events)
		}
	}
}

func TestTake_RefusesTheDataDirectory(t *testing.T) {
	w := newWorld(t)
	for _, to := range []string{w.dir, filepath.Join(w.dir, "backups"), "relative"} {
		if _, err := w.Take(t.Context(), to); !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("a backup into %s: %v", to, err)
		}
	}
}

// What a kill leaves is never a backup, and the next one clears it away.
func TestOpen_PassesOverWhatWasNotFinished(t *testing.T) {
	w := newWorld(t)
	w.add(t, "a", "alpha")
	if _, err := backup.Open(w.place); !fairlead.Is(err, fairlead.NotFound) {
		t.Errorf("a backup where none is: %v", err)
	}
	m := w.take(t)
	left := filepath.Join(w.place, ".new-20990101-000000.000")
	if err := os.CopyFS(left, os.DirFS(m.Path)); err != nil {
		t.Fatal(err)
	}
	got, err := backup.Open(w.place)
	if err != nil || got.Path != m.Path {
		t.Errorf("the newest backup is %v, want %s (%v)", got, m.Path, err)
	}
	w.take(t)
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("an unfinished backup is still there: %v", err)
	}
}

func TestCheck_SeesWhatIsDamagedMissingOrForeign(t *testing.T) {
	for name, tt := range map[string]struct {
		harm func(m *backup.Manifest) error
		code fairlead.Code
	}{
		"a changed database": {func(m *backup.Manifest) error {
			return flip(filepath.Join(m.Path, backup.DatabaseFile))
		}, fairlead.Conflict},
		"a changed key": {func(m *backup.Manifest) error {
			return flip(filepath.Join(m.Path, "ledger.key"))
		}, fairlead.Conflict},
		"a missing key": {func(m *backup.Manifest) error {
			return os.Remove(filepath.Join(m.Path, "ledger.key"))
		}, fairlead.Conflict},
		"a changed blob": {func(m *backup.Manifest) error { return flip(blobOf(m)) }, fairlead.Conflict},
		"a missing blob": {func(m *backup.Manifest) error {
			return os.Remove(blobOf(m))
		}, fairlead.Conflict},
		"no blobs at all": {func(m *backup.Manifest) error {
			return os.RemoveAll(blobsOf(m))
		}, fairlead.Conflict},
		"half a manifest": {func(m *backup.Manifest) error {
			return os.Truncate(filepath.Join(m.Path, "manifest.json"), 40)
		}, fairlead.Conflict},
		"a file that leaves the backup": {func(m *backup.Manifest) error {
			m.Files[0].Name = "../../etc/passwd"
			return rewrite(m)
		}, fairlead.Conflict},
		"a newer format": {func(m *backup.Manifest) error { m.Format = 2; return rewrite(m) },
			fairlead.Precondition},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.add(t, "a", "alpha")
			m := w.take(t)
			if err := tt.harm(m); err != nil {
				t.Fatal(err)
			}
			if _, err := backup.Check(t.Context(), m.Path, schemas); !fairlead.Is(err, tt.code) {
				t.Errorf("check: %v", err)
			}
			to := filepath.Join(t.TempDir(), "to")
			if _, err := backup.Restore(t.Context(), m.Path, to, schemas); !fairlead.Is(err, tt.code) {
				t.Errorf("restore: %v", err)
			}
			if left, _ := os.ReadDir(to); len(left) > 0 {
				t.Errorf("a refused restore left %v", left)
			}
		})
	}
}

func TestCheck_VerifiesTheLedger(t *testing.T) {
	w := newWorld(t)
	w.add(t, "a", "alpha")
	err := w.db.Write(t.Context(), store.Control, func(tx *store.Tx) error {
		_, err := tx.Exec("update event set body = '{}'")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	m := w.take(t)
	if _, err := backup.Check(t.Context(), m.Path, schemas); !fairlead.Is(err, fairlead.Conflict) ||
		!strings.Contains(err.Error(), "event 1") {
		t.Errorf("a changed event: %v", err)
	}
}

func TestRestore_RefusesADirectoryInUseAndANewerDatabase(t *testing.T) {
	newer := append(schemas[:2:2], store.Schema{Component: "later", Files: fstest.MapFS{
		"001_begin.sql": {Data: []byte("create table later (k {{pk}})")}}})
	w := openWorld(t, t.TempDir(), newer)
	w.add(t, "a", "alpha")
	w.take(t)
	_, err := backup.Restore(t.Context(), w.place, w.dir, newer)
	if !fairlead.Is(err, fairlead.Conflict) {
		t.Errorf("a restore over a data directory: %v", err)
	}
	to := t.TempDir()
	_, err = backup.Restore(t.Context(), w.place, to, schemas)
	if !fairlead.Is(err, fairlead.Precondition) {
		t.Errorf("a restore of a newer database: %v", err)
	}
	if err := os.MkdirAll(filepath.Join(to, ".restoring", "blobs"), 0o700); err != nil { // by a kill
		t.Fatal(err)
	}
	if _, err := backup.Restore(t.Context(), w.place, to, newer); err != nil {
		t.Errorf("a restore after one that was cut off: %v", err)
	}
}

func blobsOf(m *backup.Manifest) string { return filepath.Join(filepath.Dir(m.Path), "blobs") }

func blobOf(m *backup.Manifest) string {
	found, _ := filepath.Glob(filepath.Join(blobsOf(m), "??", "*"))
	return found[0]
}

// flip changes one bit in the middle of a file.
func flip(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	b[len(b)/2] ^= 1
	if err := os.Chmod(path, 0o600); err != nil {
		return err
	}
	return os.WriteFile(path, b, 0o600)
}

func rewrite(m *backup.Manifest) error {
	b, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	return os.WriteFile(filepath.Join(m.Path, "manifest.json"), b, 0o600)
}
