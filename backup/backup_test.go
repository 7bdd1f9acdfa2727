package backup_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/sys/unix"

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
	if !reflect.DeepEqual(first.Blobs, blob.Copied{Files: 1, Bytes: 5, NewFiles: 1, NewBytes: 5}) ||
		!reflect.DeepEqual(second.Blobs, blob.Copied{Files: 2, Bytes: 9, NewFiles: 1, NewBytes: 4}) {
		t.Errorf("first %+v, second %+v", first.Blobs, second.Blobs)
	}
	for path, events := range map[string]int64{first.Path: 1, second.Path: 2, w.place: 2} {
		rep, err := backup.Check(t.Context(), path, "", schemas)
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

// Its files are at the same paths as those of backups.
func TestTake_RefusesTheDataDirectoryOfAnotherServer(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	other.add(t, "a", "alpha")
	if _, err := w.Take(t.Context(), other.dir); !fairlead.Is(err, fairlead.Invalid) {
		t.Errorf("a backup into it: %v", err)
	}
	if m := other.take(t); m.Blobs.Files != 1 {
		t.Errorf("%d of its files are left", m.Blobs.Files)
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
			if _, err := backup.Check(t.Context(), m.Path, "", schemas); !fairlead.Is(err, tt.code) {
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
	if _, err := backup.Check(t.Context(), m.Path, "", schemas); !fairlead.Is(err,
		fairlead.Conflict) ||
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

// unlink makes a file garbage, and collects it.
func (w *world) unlink(t *testing.T, path string) {
	t.Helper()
	err := w.db.Write(t.Context(), store.Control, func(tx *store.Tx) error {
		return w.blobs.Unlink(tx, project, run, path)
	})
	if err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(48 * time.Hour)
	if freed, err := w.blobs.Collect(t.Context(), time.Hour); err != nil || freed == 0 {
		t.Fatalf("freed %d bytes, %v", freed, err)
	}
}

func TestTake_RemovesWhatOnlyRemovedBackupsNeeded(t *testing.T) {
	w := newWorld(t)
	w.add(t, "a", "alpha")
	w.add(t, "b", "beta")
	first := w.take(t)
	w.unlink(t, "a")
	w.add(t, "c", "gamma")
	second := w.take(t)
	if second.Pruned != (backup.Pruned{}) {
		t.Errorf("removed %+v, which the first backup needs", second.Pruned)
	}
	if _, err := backup.Check(t.Context(), first.Path, "", schemas); err != nil {
		t.Errorf("the first backup: %v", err)
	}
	if err := os.RemoveAll(first.Path); err != nil {
		t.Fatal(err)
	}
	third := w.take(t)
	if third.Pruned != (backup.Pruned{Files: 1, Bytes: 5}) {
		t.Errorf("removed %+v, want one file of 5 bytes", third.Pruned)
	}
	for _, m := range []*backup.Manifest{second, third} {
		if rep, err := backup.Check(t.Context(), m.Path, "", schemas); err != nil ||
			rep.Blobs.Files != 2 {
			t.Errorf("%s: %+v, %v", m.Path, rep, err)
		}
	}
}

// Where a backup does not say, or not reliably, what it needs, everything stays.
func TestTake_RemovesNothingThatItCannotTell(t *testing.T) {
	for name, harm := range map[string]func(m *backup.Manifest) error{
		"no list": func(m *backup.Manifest) error {
			return os.Remove(filepath.Join(m.Path,
				"blobs.txt"))
		},
		"another list": func(m *backup.Manifest) error {
			return os.Truncate(filepath.Join(m.Path,
				"blobs.txt"), 0)
		},
		"no manifest that can be read": func(m *backup.Manifest) error {
			return os.Truncate(filepath.Join(m.Path, "manifest.json"), 10)
		},
		"a link to what is not there": func(m *backup.Manifest) error {
			return errors.Join(os.RemoveAll(m.Path), os.Symlink("/nowhere", m.Path))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.add(t, "a", "alpha")
			first := w.take(t)
			if err := harm(first); err != nil {
				t.Fatal(err)
			}
			w.unlink(t, "a")
			w.add(t, "b", "beta")
			if m := w.take(t); m.Pruned.Files > 0 || m.Pruned.Kept == "" {
				t.Errorf("removed %+v", m.Pruned)
			}
			if found, _ := filepath.Glob(filepath.Join(blobsOf(first), "??", "*")); len(found) != 2 {
				t.Errorf("%d files are left, want 2", len(found))
			}
		})
	}
}

// One file that is damaged, or gone, does not keep all others out of a backup.
func TestTake_GoesOnBeyondWhatIsDamaged(t *testing.T) {
	w := newWorld(t)
	w.add(t, "a", "alpha")
	w.add(t, "b", "beta")
	w.add(t, "c", "gamma")
	for path, harm := range map[string]func(string) error{"a": os.Remove, "b": flip} {
		file, _, err := w.blobs.Path(t.Context(), project, run, path)
		if err == nil {
			err = harm(file)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	m := w.take(t)
	if len(m.Blobs.Damaged) != 2 || m.Blobs.NewFiles != 1 {
		t.Fatalf("blobs %+v", m.Blobs)
	}
	for _, l := range m.Blobs.Damaged {
		if len(l.Of) != 1 || !strings.HasSuffix(l.Of[0], "of run r1") || l.Why == "" {
			t.Errorf("lost %+v", l)
		}
	}
	to := filepath.Join(t.TempDir(), "restored")
	rep, err := backup.Restore(t.Context(), w.place, to, schemas)
	if err != nil || len(rep.Blobs.Damaged) != 2 {
		t.Fatalf("restore: %+v, %v", rep, err)
	}
	r := openWorld(t, to, schemas)
	if got, err := r.blobs.ReadFile(t.Context(), project, run, "c", 100); string(got) != "gamma" {
		t.Errorf("c holds %q, %v", got, err)
	}
	if err := flip(blobOf(m)); err != nil { // the one that was whole
		t.Fatal(err)
	}
	if _, err := backup.Check(t.Context(), m.Path, "", schemas); !fairlead.Is(err, fairlead.Conflict) {
		t.Errorf("a file that was damaged in the backup: %v", err)
	}
}

// A check works where the backups are, not where all the world keeps its files, and what a
// kill leaves of it goes with the next backup.
func TestCheck_WorksBesideTheBackups(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "nowhere"))
	w := newWorld(t)
	w.add(t, "a", "alpha")
	m := w.take(t)
	if _, err := backup.Check(t.Context(), m.Path, "", schemas); err != nil {
		t.Error(err)
	}
	if _, err := backup.Check(t.Context(), m.Path, filepath.Join(m.Path, "manifest.json"),
		schemas); !fairlead.Is(err, fairlead.Precondition) {
		t.Errorf("a check in a file: %v", err)
	}
	left := filepath.Join(w.place, ".check-1")
	busy := filepath.Join(w.place, ".check-2")
	for _, dir := range []string{left, busy} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(filepath.Join(dir, "lock"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if dir == busy {
			err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	w.take(t)
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("what a kill has left is still there: %v", err)
	}
	if _, err := os.Stat(busy); err != nil {
		t.Errorf("a check lost its directory: %v", err)
	}
}

// A place that is full is said to be full, and not the data directory.
func TestTake_SaysWhichDiskIsFull(t *testing.T) {
	w := newWorld(t)
	w.add(t, "a", "alpha")
	m := w.take(t)
	small := t.TempDir()
	if err := unix.Mount("tmpfs", small, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("left out: a full disk needs the right to mount a tmpfs: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(small, unix.MNT_DETACH) })
	_, err := w.Take(t.Context(), small)
	_, err2 := backup.Check(t.Context(), m.Path, small, schemas)
	_, err3 := backup.Restore(t.Context(), m.Path, filepath.Join(small, "data"), schemas)
	for what, err := range map[string]error{"backup": err, "check": err2, "restore": err3} {
		if !fairlead.Is(err, fairlead.Exhausted) || !strings.Contains(err.Error(), small) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
