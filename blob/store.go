package blob

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

//go:embed migrations/*.sql
var files embed.FS

// Schema returns the tables of stored bytes and of references to them.
func Schema() store.Schema { return store.Embedded("blob", files) }

// Object is stored content: its SHA-256 in lower-case hexadecimal and its size.
type Object struct {
	Digest string `json:"digest"`
	Bytes  int64  `json:"bytes"`
}

// Store is a directory of content-addressed files with its references in the
// database. It is safe for concurrent use.
type Store struct {
	db    *store.DB
	dir   string
	root  *os.Root
	clock fairlead.Clock

	// placing is held shared from looking for a file until its row is stored,
	// and alone while rows and files are deleted, so that collection never
	// takes a file that a concurrent Put has found in place.
	placing sync.RWMutex

	// lasting has the directories below the root whose names are known to be durable.
	lasting sync.Map

	// kept is held shared by who needs all files to stay (Keep), and alone by Collect.
	kept sync.RWMutex

	receiving receiving
}

// Option changes how a Store works.
type Option func(*Store)

// WithClock sets the wall clock that the grace period of Collect follows.
func WithClock(c fairlead.Clock) Option { return func(s *Store) { s.clock = c } }

// tmp holds files while they are written; what a crash left there is garbage.
const tmp = "tmp"

// New opens or creates the store in dir/blobs and removes what an interrupted
// write left behind. The database's schema must include Schema().
func New(db *store.DB, dir string, options ...Option) (*Store, error) {
	s := &Store{db: db, dir: filepath.Join(dir, "blobs"), clock: fairlead.WallClock{}}
	for _, o := range options {
		o(s)
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, diskError("create the blob directory", err)
	}
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return nil, diskError("open the blob directory", err)
	}
	s.root = root
	if err := syncDir(dir); err != nil { // its name is durable
		return nil, diskError("create the blob directory", err)
	}
	if err := root.RemoveAll(tmp); err != nil {
		return nil, diskError("clean the blob directory", err)
	}
	if err := errors.Join(root.Mkdir(tmp, 0o700), root.MkdirAll(partials, 0o700)); err != nil {
		return nil, diskError("create the blob directory", err)
	}
	return s, nil
}

// Close frees the directory; it is called when nobody reads or writes any more.
func (s *Store) Close() error { return s.root.Close() }

// Put stores what r yields, streaming, and returns when it is synced to disk.
// Nothing refers to it yet: Link it within the grace period of Collect. A full
// disk is Exhausted and leaves nothing behind; an error of r is returned wrapped.
func (s *Store) Put(ctx context.Context, r io.Reader) (Object, error) {
	return s.PutChecked(ctx, r, nil)
}

// PutChecked is Put of what check, which sees it when it has come whole, agrees to;
// otherwise nothing of it stays. Nil agrees to everything.
func (s *Store) PutChecked(ctx context.Context, r io.Reader, check func(Object) error) (Object,
	error) {
	staged, err := s.stageChecked(ctx, r, check)
	if err != nil {
		return Object{}, err
	}
	if err := s.place(ctx, []staging{staged}); err != nil {
		return Object{}, err
	}
	return staged.Object, nil
}

// stageChecked stages what check, if there is one, agrees to.
func (s *Store) stageChecked(ctx context.Context, r io.Reader, check func(Object) error) (staging,
	error) {
	staged, err := s.stage(ctx, r)
	if err != nil || check == nil {
		return staged, err
	}
	if err := check(staged.Object); err != nil {
		s.root.Remove(staged.name)
		return staging{}, err
	}
	return staged, nil
}

// PutFile stores the content of a file that the caller trusts.
func (s *Store) PutFile(ctx context.Context, path string) (Object, error) {
	f, err := os.Open(path)
	if err != nil {
		return Object{}, fmt.Errorf("store file: %w", err)
	}
	defer f.Close()
	return s.Put(ctx, f)
}

// staging is content written under a temporary name.
type staging struct {
	Object
	name string
}

func (s *Store) stage(ctx context.Context, r io.Reader) (staging, error) {
	if err := s.db.Room(); err != nil {
		return staging{}, err
	}
	name := tmp + "/" + fairlead.NewHexID()
	f, err := s.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o400)
	if err != nil {
		return staging{}, diskError("write a blob", err)
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, sum), &reader{ctx, r})
	if err == nil {
		err = f.Chmod(0o444)
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		s.root.Remove(name)
		return staging{}, diskError("write a blob", err)
	}
	return staging{Object{hex.EncodeToString(sum.Sum(nil)), n}, name}, nil
}

// reader ends a copy when its context does.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r *reader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(b)
}

// place gives staged content its final name and its rows, or removes it.
func (s *Store) place(ctx context.Context, all []staging) error {
	defer func() {
		for _, st := range all {
			s.root.Remove(st.name) // what was not renamed
		}
	}()
	return s.settle(ctx, all)
}

// settle gives staged content its final name and its rows. What gets no row keeps its
// temporary name, and so does what was in its place already.
func (s *Store) settle(ctx context.Context, all []staging) error {
	fresh, err := s.tryPlace(ctx, all)
	if err != nil {
		err = errors.Join(err, s.unplace(context.WithoutCancel(ctx), fresh))
	}
	return err
}

// tryPlace writes first the bytes, then their directory entries, then the rows, each
// synced before the next. It returns what was not in its place before.
func (s *Store) tryPlace(ctx context.Context, all []staging) (fresh []staging, err error) {
	s.placing.RLock()
	defer s.placing.RUnlock()
	fresh = slices.DeleteFunc(slices.Clone(all), s.has)
	if err := s.syncAll(fresh); err != nil {
		return fresh, diskError("store a blob", err)
	}
	for _, st := range fresh {
		if err := s.rename(st); err != nil {
			return fresh, diskError("store a blob", err)
		}
	}
	if err := s.syncPlaces(all); err != nil { // also what a concurrent Put has not synced yet
		return fresh, diskError("store a blob", err)
	}
	objects := make([]Object, len(all))
	for i, st := range all {
		objects[i] = st.Object
	}
	return fresh, s.record(ctx, objects)
}

// unplace gives content that has got no row its temporary name again.
func (s *Store) unplace(ctx context.Context, all []staging) error {
	s.placing.Lock()
	defer s.placing.Unlock()
	return s.db.Read(ctx, func(tx *store.Tx) error {
		for _, st := range all {
			known, err := stored(tx, st.Digest)
			if err != nil {
				return err
			}
			if known {
				continue
			}
			err = s.root.Rename(place(st.Digest), st.name)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		return nil
	})
}

// has reports whether the content is in its place already.
func (s *Store) has(st staging) bool {
	info, err := s.root.Lstat(place(st.Digest))
	return err == nil && info.Size() == st.Bytes
}

// syncParallel is how many files are synced at once: the file system commits
// what waits together.
const syncParallel = 16

func (s *Store) syncAll(all []staging) error {
	var group errgroup.Group
	group.SetLimit(syncParallel)
	for _, st := range all {
		group.Go(func() error { return s.sync(st.name) })
	}
	return group.Wait()
}

// rename moves staged content to its place.
func (s *Store) rename(st staging) error {
	dest := place(st.Digest)
	err := s.root.Rename(st.name, dest)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := s.root.Mkdir(st.Digest[:2], 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return s.root.Rename(st.name, dest)
}

// syncPlaces makes the names of content in its place durable, and those of their
// directories, whoever has made them.
func (s *Store) syncPlaces(all []staging) error {
	dirs := map[string]bool{}
	for _, st := range all {
		dir := st.Digest[:2]
		dirs[dir] = true
		if _, ok := s.lasting.Load(dir); !ok {
			dirs["."] = true
		}
	}
	for dir := range dirs {
		if err := s.sync(dir); err != nil {
			return err
		}
	}
	for dir := range dirs {
		s.lasting.Store(dir, true)
	}
	return nil
}

// place is a digest's path below the store's root.
func place(digest string) string { return digest[:2] + "/" + digest[2:] }

// sync makes a file's content, or a directory's entries, durable.
func (s *Store) sync(name string) error {
	f, err := s.root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// syncDir makes the entries of a directory durable that is not below the root.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// recordChunk bounds the rows of one write, so that others get their turn.
const recordChunk = 500

func (s *Store) record(ctx context.Context, objects []Object) error {
	now := fairlead.MS(s.clock.Now())
	for len(objects) > 0 {
		n := min(len(objects), recordChunk)
		chunk := objects[:n]
		objects = objects[n:]
		err := s.db.Write(ctx, store.Client, func(tx *store.Tx) error {
			for _, o := range chunk {
				if err := touch(tx, o, now); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("record blobs: %w", err)
		}
	}
	return nil
}

// diskError names the operation, and gives a full or read-only disk its code.
func diskError(op string, err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fairlead.Errorf(fairlead.Exhausted,
			"the disk of the data directory is full; free some room and try again, nothing was kept",
		).Because(err)
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission):
		return fairlead.Errorf(fairlead.Unavailable,
			"the data directory is not writable; check its owner, mode and mount").Because(err)
	}
	return fmt.Errorf("%s: %w", op, err)
}
