package backup

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/store"
)

// Service backs up the data directory of a server that runs.
type Service struct {
	db      *store.DB
	blobs   *blob.Store
	clock   fairlead.Clock
	dir     string
	version string
}

// New returns the service for the data directory dir; version is the program's.
func New(db *store.DB, blobs *blob.Store, clock fairlead.Clock, dir, version string) *Service {
	return &Service{db, blobs, clock, dir, version}
}

// lockFile is held by the one process that writes to a place for backups.
const lockFile = "lock"

// Take backs up into a place for backups, an absolute path that is created when
// absent, and returns when all of it is synced: everything that was acknowledged before
// it began is in it, and some of what came meanwhile. Content that is damaged or missing
// in the data directory is not, and the manifest names it. What only backups needed that
// were removed is removed. Conflict when another backup writes there, Exhausted when there
// is no room.
func (s *Service) Take(ctx context.Context, to string) (*Manifest, error) {
	if !filepath.IsAbs(to) {
		return nil, fairlead.Errorf(fairlead.Invalid, "%q is no absolute path", to)
	}
	lock, err := s.enter(to)
	if err != nil {
		return nil, said("back up", to, err)
	}
	defer lock.Close()
	m, err := s.take(ctx, to)
	if err != nil {
		return nil, said("back up", to, err)
	}
	if m.Pruned, err = prune(to); err != nil { // the backup is whole all the same
		m.Pruned.Kept = err.Error()
	}
	return m, nil
}

// enter creates the place, takes its lock, and removes what a kill has left.
func (s *Service) enter(to string) (lock *os.File, err error) {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return nil, err
	}
	// Its blobs would be taken for those of removed backups.
	if _, err := os.Lstat(filepath.Join(to, DatabaseFile)); err == nil {
		return nil, fairlead.Errorf(fairlead.Invalid,
			"%s is a data directory; choose another place for backups", to)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := Outside(s.dir, to); err != nil {
		return nil, err
	}
	lock, err = os.OpenFile(filepath.Join(to, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = fairlead.Errorf(fairlead.Conflict, "another backup is being written to %s", to)
	}
	if err == nil {
		err = removeUnfinished(to)
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

// Outside refuses a place, which exists, that is the data directory own or lies in it.
func Outside(own, place string) error {
	real, err := filepath.EvalSymlinks(place)
	if err != nil {
		return err
	}
	if own, err = filepath.EvalSymlinks(own); err != nil {
		return err
	}
	if rel, err := filepath.Rel(own, real); err == nil && filepath.IsLocal(rel) {
		return fairlead.Errorf(fairlead.Invalid,
			"%s lies in the data directory; choose a place outside of it, better on another disk", place)
	}
	return nil
}

func removeUnfinished(to string) error {
	entries, err := os.ReadDir(to)
	for _, e := range entries {
		path := filepath.Join(to, e.Name())
		if strings.HasPrefix(e.Name(), unfinished) ||
			strings.HasPrefix(e.Name(), checking) && abandoned(path) {
			err = errors.Join(err, os.RemoveAll(path))
		}
	}
	return err
}

// abandoned reports whether nobody checks a backup in the directory any more.
func abandoned(dir string) bool {
	lock, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer lock.Close()
	return syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}

func (s *Service) take(ctx context.Context, to string) (m *Manifest, err error) {
	now := s.clock.Now().UTC()
	name := now.Format("20060102-150405.000")
	m = &Manifest{Format: format, Fairlead: s.version, CreatedMS: fairlead.MS(now),
		Path: filepath.Join(to, name)}
	temp := filepath.Join(to, unfinished+name)
	if err := os.Mkdir(temp, 0o700); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(temp))
		}
	}()
	defer s.blobs.Keep()()
	if err := s.db.Backup(ctx, filepath.Join(temp, DatabaseFile)); err != nil {
		return nil, err
	}
	if err := s.copyBlobs(ctx, m, temp); err != nil {
		return nil, err
	}
	if err := s.describe(m, temp); err != nil {
		return nil, err
	}
	return m, finish(m, temp)
}

// copyBlobs copies what is new and lists all.
func (s *Service) copyBlobs(ctx context.Context, m *Manifest, temp string) (err error) {
	list, err := createList(filepath.Join(temp, listFile))
	if err != nil {
		return err
	}
	m.Blobs, err = s.blobs.CopyTo(ctx, m.blobs(), list.add)
	if len(m.Blobs.Damaged) > 0 && fairlead.Is(err, fairlead.Conflict) {
		err = nil // all else is here, and the backup is better than none
	}
	m.List, err = list.close(err)
	return err
}

// describe copies the keys, and notes all files.
func (s *Service) describe(m *Manifest, temp string) error {
	f, err := describe(filepath.Join(temp, DatabaseFile))
	if err != nil {
		return err
	}
	m.Files = append(m.Files, f)
	for _, name := range keyFiles {
		f, err := copyFile(filepath.Join(s.dir, name), filepath.Join(temp, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // not needed so far
		}
		if err != nil {
			return err
		}
		m.Files = append(m.Files, f)
	}
	return nil
}

// finish writes the manifest and gives the backup its name.
func finish(m *Manifest, temp string) error {
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(temp, manifestFile), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close(), syncDir(temp), syncDir(m.blobs())); err != nil {
		return err
	}
	if err := os.Rename(temp, m.Path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(m.Path))
}
