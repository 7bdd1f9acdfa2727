package backup

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/store"
)

// Report is what a check or a restore has found.
type Report struct {
	Backup    string         `json:"backup"` // its directory
	Fairlead  string         `json:"fairlead"`
	CreatedMS int64          `json:"created_ms"`
	Files     int            `json:"files"`
	Blobs     blob.Copied    `json:"blobs"`
	Ledger    *ledger.Report `json:"ledger"`
}

// working is the directory, in that which is restored to, where a restore works.
const working = ".restoring"

// checking begins the name of a directory in which a backup is checked.
const checking = ".check-"

// Check reads all of the backup that from names (see Open) and proves that it is whole:
// every file and blob has its digest, but for those of which the manifest says that they
// were damaged before, the database is not damaged, and the ledger verifies. It works in
// a copy of the database and the keys, below the directory work or, where that is empty,
// in the place of the backup; the next backup there removes what a kill leaves. Conflict
// says what is wrong, Precondition that a newer program wrote it.
func Check(ctx context.Context, from, work string, schemas []store.Schema) (rep *Report,
	err error) {
	m, err := Open(from)
	if err != nil {
		return nil, err
	}
	work = cmp.Or(work, filepath.Dir(m.Path))
	defer func() { err = said("check", work, err) }()
	dir, err := os.MkdirTemp(work, checking)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	lock, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, err
	}
	return m.unpack(ctx, dir, schemas, func(db *store.DB) (blob.Copied, error) {
		return blob.Check(ctx, db, m.blobs())
	})
}

// Restore makes a data directory of the backup that from names (see Open), and checks
// it as Check does. The directory must be empty or absent: Conflict otherwise.
func Restore(ctx context.Context, from, to string, schemas []store.Schema) (*Report, error) {
	m, err := Open(from)
	if err != nil {
		return nil, err
	}
	work, err := prepare(to)
	if err != nil {
		return nil, said("restore", to, err)
	}
	rep, err := m.unpack(ctx, work, schemas, func(db *store.DB) (blob.Copied, error) {
		return blob.Copy(ctx, db, m.blobs(), filepath.Join(work, blobsDir))
	})
	if err == nil {
		err = moveUp(work, to)
	}
	if err != nil {
		return nil, errors.Join(said("restore", to, err), os.RemoveAll(work))
	}
	return rep, nil
}

// prepare makes the directory to work in; what a restore that was killed has left in
// it is removed.
func prepare(to string) (work string, err error) {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return "", err
	}
	work = filepath.Join(to, working)
	if err := os.RemoveAll(work); err != nil {
		return "", err
	}
	entries, err := os.ReadDir(to)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if e.Name() != "lost+found" {
			return "", fairlead.Errorf(fairlead.Conflict,
				"%s is not empty; restore into a new directory, with --data", to)
		}
	}
	return work, errors.Join(os.Chmod(to, 0o700), os.Mkdir(work, 0o700))
}

// readMax bounds one read of the check, in wall time.
const readMax = 24 * time.Hour

// unpack fetches the files into dir, lets blobs see to the rest, and checks the
// database and the ledger.
func (m *Manifest) unpack(ctx context.Context, dir string, schemas []store.Schema,
	blobs func(db *store.DB) (blob.Copied, error)) (rep *Report, err error) {
	if err := m.fetch(dir); err != nil {
		return nil, err
	}
	db, err := store.Open(ctx, store.Options{Path: filepath.Join(dir, DatabaseFile), ReadMax: readMax},
		schemas...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	rep = &Report{Backup: m.Path, Fairlead: m.Fairlead, CreatedMS: m.CreatedMS, Files: len(m.Files)}
	if err := db.CheckIntegrity(ctx); err != nil {
		return nil, err
	}
	if rep.Ledger, err = verify(ctx, db, dir); err != nil {
		return nil, err
	}
	rep.Blobs, err = blobs(db)
	if fairlead.Is(err, fairlead.Conflict) && m.knows(rep.Blobs.Damaged) {
		err = nil
	}
	return rep, err
}

// knows reports whether content was damaged already when the backup was made.
func (m *Manifest) knows(damaged []blob.Lost) bool {
	before := map[string]bool{}
	for _, l := range m.Blobs.Damaged {
		before[l.Digest] = true
	}
	for _, l := range damaged {
		if !before[l.Digest] {
			return false
		}
	}
	return len(damaged) > 0
}

func verify(ctx context.Context, db *store.DB, dir string) (*ledger.Report, error) {
	led := ledger.New(db, fairlead.WallClock{}, slog.New(slog.DiscardHandler))
	signer, err := ledger.OpenSigner(dir)
	if err != nil {
		return nil, err
	}
	led.SignWith(signer)
	return led.Verify(ctx)
}

// moveUp moves what a restore has made into its place, the database last: without it
// no server takes the directory for one that has held something.
func moveUp(work, to string) error {
	entries, err := os.ReadDir(work)
	if err != nil {
		return err
	}
	move := func(name string) error {
		return moveNew(filepath.Join(work, name), filepath.Join(to, name))
	}
	for _, e := range entries {
		if e.Name() != DatabaseFile {
			err = errors.Join(err, move(e.Name()))
		}
	}
	if err := errors.Join(err, syncDir(to)); err != nil {
		return err
	}
	if err := move(DatabaseFile); err != nil {
		return err
	}
	if err := os.Remove(work); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return syncDir(to)
}

// moveNew renames a file to a name that nothing has. Some file systems, such as NFS, cannot
// refuse to replace; the directory was empty, and there only the look before is left.
func moveNew(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOSYS) {
		return err
	}
	if _, err := os.Lstat(to); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, fs.ErrExist)
	}
	return os.Rename(from, to)
}
