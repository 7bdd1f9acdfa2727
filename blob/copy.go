package blob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sync/errgroup"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// Copied counts what Copy found and did.
type Copied struct {
	Files    int64 `json:"files"`
	Bytes    int64 `json:"bytes"`
	NewFiles int64 `json:"new_files"` // of them, those that were not there before
	NewBytes int64 `json:"new_bytes"`

	Damaged []Lost `json:"damaged,omitempty"` // or missing, where they were to be read
}

// Lost is content that is missing or damaged.
type Lost struct {
	Object
	Why string   `json:"why"`
	Of  []string `json:"of"` // some of who refers to it
}

// whole is Conflict when something is lost.
func (c *Copied) whole() error {
	if len(c.Damaged) == 0 {
		return nil
	}
	more := ""
	if n := len(c.Damaged) - 1; n > 0 {
		more = fmt.Sprintf("; %d more are damaged or missing", n)
	}
	return fairlead.Errorf(fairlead.Conflict, "%s%s", c.Damaged[0].Why, more)
}

// losses collects what is lost.
type losses struct {
	mu  sync.Mutex
	all []Lost
}

// add takes a Conflict about an object, and returns any other error.
func (l *losses) add(o Object, err error) error {
	if err == nil || !fairlead.Is(err, fairlead.Conflict) {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, Lost{Object: o, Why: fairlead.MessageOf(err), Of: []string{}})
	return nil
}

// named returns what is lost by digest, and says of each who refers to it.
func (l *losses) named(ctx context.Context, db *store.DB) ([]Lost, error) {
	slices.SortFunc(l.all, func(a, b Lost) int { return strings.Compare(a.Digest, b.Digest) })
	for part := range slices.Chunk(l.all, recordChunk) {
		err := db.Read(ctx, func(tx *store.Tx) (err error) {
			for i := range part {
				if part[i].Of, err = owners(tx, part[i].Digest); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return l.all, nil
}

// Keep holds back Collect until release is called, so that what is stored stays.
func (s *Store) Keep() (release func()) {
	s.kept.RLock()
	return s.kept.RUnlock
}

// CopyTo copies every stored file into dir as Copy does, and calls note with each, by
// digest. Who reads the database before it, and both within one Keep, has all files that
// it refers to.
func (s *Store) CopyTo(ctx context.Context, dir string, note func(Object) error) (Copied, error) {
	return copyBlobs(ctx, s.db, s.dir, dir, note)
}

// CopyObject writes a stored content to w, within a Keep; Conflict when it is missing or
// damaged, which shows when all of it was written.
func (s *Store) CopyObject(ctx context.Context, o Object, w io.Writer) error {
	return compare(ctx, s.root, o, w)
}

// Copy copies every file that db's rows name from one directory of blobs to another,
// which is created when absent, and syncs it. A file that is there with its size is
// left; each other one is compared with its digest on the way. Conflict, with all else
// copied, when some are missing or differ: Copied names them.
func Copy(ctx context.Context, db *store.DB, from, to string) (Copied, error) {
	return copyBlobs(ctx, db, from, to, func(Object) error { return nil })
}

func copyBlobs(ctx context.Context, db *store.DB, from, to string,
	note func(Object) error) (c Copied, err error) {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return c, err
	}
	src, err := openBlobs(from)
	if err != nil {
		return c, err
	}
	defer src.Close()
	dst, err := os.OpenRoot(to)
	if err != nil {
		return c, err
	}
	defer dst.Close()
	if err := dst.RemoveAll(tmp); err != nil { // what a kill has left
		return c, err
	}
	if err := dst.Mkdir(tmp, 0o700); err != nil {
		return c, err
	}
	d := &copying{src: src, dst: &Store{root: dst}}
	err = eachChunk(ctx, db, func(all []Object) error {
		fresh, err := d.copyAll(ctx, all)
		for _, o := range all {
			c.Files, c.Bytes = c.Files+1, c.Bytes+o.Bytes
			err = errors.Join(err, note(o))
		}
		for _, st := range fresh {
			c.NewFiles, c.NewBytes = c.NewFiles+1, c.NewBytes+st.Bytes
		}
		return err
	})
	if err != nil {
		return c, err
	}
	if c.Damaged, err = d.lost.named(ctx, db); err != nil {
		return c, err
	}
	return c, c.whole()
}

// copying is one Copy. The destination is written as a store's own directory is; no
// rows are.
type copying struct {
	src  *os.Root
	dst  *Store
	lost losses
}

// copyAll copies what is not there yet, and returns it.
func (d *copying) copyAll(ctx context.Context, all []Object) (fresh []staging, err error) {
	for _, o := range all {
		if st := (staging{o, tmp + "/" + o.Digest}); !d.dst.has(st) {
			fresh = append(fresh, st)
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	staged := make([]bool, len(fresh))
	for i, st := range fresh {
		group.Go(func() error {
			err := d.stage(ctx, st)
			staged[i] = err == nil
			return d.lost.add(st.Object, err)
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	whole := fresh[:0]
	for i, st := range fresh {
		if staged[i] {
			whole = append(whole, st)
		}
	}
	fresh = whole
	if err := d.dst.syncAll(fresh); err != nil {
		return nil, err
	}
	for _, st := range fresh {
		if err := d.dst.rename(st); err != nil {
			return nil, err
		}
	}
	return fresh, d.dst.syncPlaces(fresh)
}

func (d *copying) stage(ctx context.Context, st staging) error {
	f, err := d.dst.root.OpenFile(st.name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o444)
	if err != nil {
		return err
	}
	err = errors.Join(compare(ctx, d.src, st.Object, f), f.Chmod(0o444), f.Close())
	if err != nil {
		d.dst.root.Remove(st.name)
	}
	return err
}

// Check reads every file that db's rows name in a directory of blobs. Conflict when some
// are missing or not what their names say: Copied names them.
func Check(ctx context.Context, db *store.DB, dir string) (c Copied, err error) {
	root, err := openBlobs(dir)
	if err != nil {
		return c, err
	}
	defer root.Close()
	var lost losses
	err = eachChunk(ctx, db, func(all []Object) error {
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(parallel)
		for _, o := range all {
			c.Files, c.Bytes = c.Files+1, c.Bytes+o.Bytes
			group.Go(func() error { return lost.add(o, compare(ctx, root, o, io.Discard)) })
		}
		return group.Wait()
	})
	if err != nil {
		return c, err
	}
	if c.Damaged, err = lost.named(ctx, db); err != nil {
		return c, err
	}
	return c, c.whole()
}

func openBlobs(dir string) (*os.Root, error) {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fairlead.Errorf(fairlead.Conflict, "there is no directory %s", dir)
	}
	return root, err
}

// compare reads a blob's file, writes it to w, and says whether it is what it should be.
func compare(ctx context.Context, root *os.Root, o Object, w io.Writer) error {
	f, err := root.Open(place(o.Digest))
	if errors.Is(err, fs.ErrNotExist) {
		return fairlead.Errorf(fairlead.Conflict, "the file with the content %s is missing", o.Digest)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(w, sum), &reader{ctx, f})
	if failed := (*fs.PathError)(nil); errors.As(err, &failed) && failed.Op == "read" &&
		errors.Is(err, syscall.EIO) {
		return fairlead.Errorf(fairlead.Conflict, "the disk cannot read the file with the content %s",
			o.Digest).Because(err)
	}
	if err != nil {
		return fmt.Errorf("copy blob %s: %w", o.Digest, err)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); n != o.Bytes || got != o.Digest {
		return fairlead.Errorf(fairlead.Conflict,
			"the file with the content %s is damaged: it has %d bytes with SHA-256 %s", o.Digest, n, got)
	}
	return nil
}

// eachChunk calls fn with all rows, in parts, so that no read is long.
func eachChunk(ctx context.Context, db *store.DB, fn func(all []Object) error) error {
	for last := ""; ; {
		var all []Object
		err := db.Read(ctx, func(tx *store.Tx) (err error) {
			all, err = objectsAfter(tx, last, recordChunk)
			return err
		})
		if err != nil || len(all) == 0 {
			return err
		}
		if err := fn(all); err != nil {
			return err
		}
		last = all[len(all)-1].Digest
	}
}
