package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/fairlead-ml/fairlead"
)

// parallel bounds the files that are written at once.
const parallel = 4

// PutDir stores all files below dir and returns their entries, paths relative to
// dir, sorted. A symbolic link to a file inside dir is stored as that file's
// content; any other link, and what is neither file nor directory, is Invalid.
// Empty directories are not kept.
func (s *Store) PutDir(ctx context.Context, dir string) ([]Entry, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("store directory: %w", err)
	}
	defer root.Close()
	names, err := storable(root)
	if err != nil {
		return nil, err
	}
	b := s.NewBatch()
	defer b.Discard()
	if err := b.addAll(ctx, root, names); err != nil {
		return nil, err
	}
	return b.Store(ctx)
}

// storable lists the files below root in path order.
func storable(root *os.Root) (names []string, err error) {
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("store directory: %w", err)
		}
		if d.IsDir() {
			return nil
		}
		if _, err := CleanPath(name); err != nil {
			return err
		}
		if !d.Type().IsRegular() && !linkToFile(root, name, d) {
			return fairlead.Errorf(fairlead.Invalid,
				"%q is neither a file nor a link to a file inside its directory; remove it", name)
		}
		names = append(names, name)
		return nil
	})
	return names, err
}

// linkToFile reports whether d is a link that ends at a regular file inside root.
func linkToFile(root *os.Root, name string, d fs.DirEntry) bool {
	if d.Type()&fs.ModeSymlink == 0 {
		return false
	}
	info, err := root.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

func (b *Batch) addAll(ctx context.Context, root *os.Root, names []string) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, name := range names {
		group.Go(func() error {
			f, err := root.Open(name)
			if err != nil {
				return fmt.Errorf("store directory: %w", err)
			}
			defer f.Close()
			_, err = b.Add(ctx, name, f)
			return err
		})
	}
	return group.Wait()
}

// Materialize writes the owner's files below prefix into dir, which is created
// when absent, with read-only files at their paths relative to prefix. NotFound
// when there are none, Conflict when one is there already. They are copies (cheap
// where the file system shares extents) and not hard links: who may write to the
// copy must not reach the original.
func (s *Store) Materialize(ctx context.Context, p fairlead.Project, o Owner,
	prefix, dir string) error {
	return s.MaterializeAs(ctx, p, o, prefix, dir, func(string) fs.FileMode { return 0o444 })
}

// MaterializeAs is Materialize with the mode of each file, by its path relative
// to prefix, chosen by the caller.
func (s *Store) MaterializeAs(ctx context.Context, p fairlead.Project, o Owner,
	prefix, dir string, mode func(path string) fs.FileMode) error {
	entries, err := s.Files(ctx, p, o, prefix)
	if err != nil {
		return err
	}
	if len(entries) == 0 {
		return notFound(o, prefix)
	}
	prefix, _ = cleanPrefix(prefix)
	w, err := openWriter(dir)
	if err != nil {
		return err
	}
	defer w.root.Close()
	for _, e := range entries {
		rel := strings.TrimPrefix(strings.TrimPrefix(e.Path, prefix), "/")
		if err := s.copyTo(ctx, w, e.Object, rel, mode(rel)); err != nil {
			return fmt.Errorf("materialize %s %s: %w", o.Kind, o.ID, err)
		}
	}
	return nil
}

func (s *Store) copyTo(ctx context.Context, w *writer, obj Object, rel string,
	mode fs.FileMode) error {
	src, err := s.root.Open(place(obj.Digest))
	if err != nil {
		return err
	}
	defer src.Close()
	return w.write(ctx, rel, mode, src)
}

// writer writes files below one directory and cannot leave it.
type writer struct {
	root *os.Root
	made map[string]bool // directories that exist by now
}

func openWriter(dir string) (*writer, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, diskError("create directory", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, diskError("open directory", err)
	}
	return &writer{root, map[string]bool{}}, nil
}

func (w *writer) write(ctx context.Context, rel string, mode fs.FileMode, src io.Reader) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	dir := path.Dir(rel)
	if !w.made[dir] {
		if err := w.root.MkdirAll(dir, 0o755); err != nil {
			return diskError("create directory", err)
		}
		w.made[dir] = true
	}
	dst, err := w.root.OpenFile(rel, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode|0o200)
	if errors.Is(err, fs.ErrExist) {
		return fairlead.Errorf(fairlead.Conflict, "%q exists already; choose an empty directory", rel)
	}
	if err != nil {
		return diskError("write "+rel, err)
	}
	_, err = io.Copy(dst, src) // file to file: the kernel copies, or shares extents
	if err == nil {
		err = dst.Chmod(mode)
	}
	if e := dst.Close(); err == nil {
		err = e
	}
	if err != nil {
		w.root.Remove(rel)
		return diskError("write "+rel, err)
	}
	return nil
}
