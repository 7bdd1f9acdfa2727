package blob

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// Owner is what refers to bytes: a run, a logged model, a dataset version. Owners
// of different projects never meet, whatever their names.
type Owner struct {
	Kind string
	ID   string
}

// Entry is one name below an owner: a file with its content, or a directory.
type Entry struct {
	Path  string `json:"path"`
	IsDir bool   `json:"is_dir"`
	Object
}

// Link makes path refer to a stored object, instead of what it referred to
// before. Precondition when the object has been collected meanwhile; Conflict
// when a file stands where the path needs a directory, or the reverse.
func (s *Store) Link(tx *store.Tx, p fairlead.Project, o Owner, path string, obj Object) error {
	return s.LinkAll(tx, p, o, "", []Entry{{Path: path, Object: obj}})
}

// LinkAll links many entries, as PutDir returns them, below prefix.
func (s *Store) LinkAll(tx *store.Tx, p fairlead.Project, o Owner, prefix string,
	entries []Entry) error {
	files, err := s.linkable(prefix, entries)
	if err != nil {
		return err
	}
	if err := refuseConflicts(tx, p, o, files); err != nil {
		return err
	}
	for chunk := range slices.Chunk(files, sqlChunk) {
		lost, err := missing(tx, chunk)
		if err != nil {
			return fmt.Errorf("link blobs: %w", err)
		}
		if lost != "" {
			return fairlead.Errorf(fairlead.Precondition,
				"the content %.12s is not stored any more; send it again", lost)
		}
		if err := insertRefs(tx, p, o, chunk); err != nil {
			return fmt.Errorf("link blobs: %w", err)
		}
	}
	return nil
}

// linkable returns the files among entries with clean full paths, sorted, the
// last of equal paths alone.
func (s *Store) linkable(prefix string, entries []Entry) ([]Entry, error) {
	prefix, err := cleanPrefix(prefix)
	if err != nil {
		return nil, err
	}
	byPath := make(map[string]Entry, len(entries))
	for _, e := range entries {
		if e.IsDir {
			continue
		}
		if prefix != "" {
			e.Path = prefix + "/" + e.Path
		}
		if e.Path, err = CleanPath(e.Path); err != nil {
			return nil, err
		}
		byPath[e.Path] = e
	}
	out := make([]Entry, 0, len(byPath))
	for _, e := range byPath {
		out = append(out, e)
	}
	slices.SortFunc(out, byPathOrder)
	return out, nil
}

func byPathOrder(a, b Entry) int { return cmp.Compare(a.Path, b.Path) }

// refuseConflicts keeps an owner's paths a tree, which Materialize can write out.
func refuseConflicts(tx *store.Tx, p fairlead.Project, o Owner, entries []Entry) error {
	if len(entries) == 1 {
		found, err := conflicting(tx, p, o, entries[0].Path)
		if err != nil {
			return fmt.Errorf("link blob: %w", err)
		}
		return conflict(entries[0].Path, found)
	}
	present, err := readRefs(tx, p, o, "")
	if err != nil {
		return fmt.Errorf("link blobs: %w", err)
	}
	files := make(map[string]bool, len(present)+len(entries))
	for _, e := range slices.Concat(present, entries) {
		files[e.Path] = true
	}
	for path := range files {
		for i := range path {
			if path[i] == '/' && files[path[:i]] {
				return conflict(path, path[:i])
			}
		}
	}
	return nil
}

func conflict(path, found string) error {
	if found == "" {
		return nil
	}
	return fairlead.Errorf(fairlead.Conflict,
		"%q cannot be stored beside %q: one name would be a file and a directory", path, found)
}

// Unlink removes the reference; NotFound when there is none.
func (s *Store) Unlink(tx *store.Tx, p fairlead.Project, o Owner, path string) error {
	path, err := CleanPath(path)
	if err != nil {
		return err
	}
	found, err := deleteRef(tx, p, o, path)
	if err != nil {
		return fmt.Errorf("unlink blob: %w", err)
	}
	if !found {
		return notFound(o, path)
	}
	return nil
}

// UnlinkAll removes all references of the owner.
func (s *Store) UnlinkAll(tx *store.Tx, p fairlead.Project, o Owner) error {
	if err := deleteRefs(tx, p, o); err != nil {
		return fmt.Errorf("unlink blobs: %w", err)
	}
	return nil
}

// UnlinkSome removes up to limit references of the owner, and returns how many.
func (s *Store) UnlinkSome(tx *store.Tx, p fairlead.Project, o Owner, limit int) (int, error) {
	n, err := deleteSomeRefs(tx, p, o, limit)
	if err != nil {
		return 0, fmt.Errorf("unlink blobs: %w", err)
	}
	return n, nil
}

// Weigh returns how many files the owner has, and their bytes.
func (s *Store) Weigh(tx *store.Tx, p fairlead.Project, o Owner) (files, bytes int64, err error) {
	if files, bytes, err = weigh(tx, p, o); err != nil {
		return 0, 0, fmt.Errorf("weigh blobs: %w", err)
	}
	return files, bytes, nil
}

// List returns what lies directly below prefix, files and directories, by path.
// The empty prefix is the owner's root. A prefix that names a file, or nothing,
// lists nothing.
func (s *Store) List(ctx context.Context, p fairlead.Project, o Owner,
	prefix string) ([]Entry, error) {
	all, err := s.Files(ctx, p, o, prefix)
	if err != nil {
		return nil, err
	}
	prefix, _ = cleanPrefix(prefix)
	var out []Entry
	seen := map[string]bool{}
	for _, e := range all {
		rest := strings.TrimPrefix(strings.TrimPrefix(e.Path, prefix), "/")
		if name, _, deeper := strings.Cut(rest, "/"); deeper {
			e = Entry{Path: strings.TrimPrefix(prefix+"/"+name, "/"), IsDir: true}
		}
		if !seen[e.Path] {
			seen[e.Path] = true
			out = append(out, e)
		}
	}
	slices.SortFunc(out, byPathOrder)
	return out, nil
}

// Files returns all files below prefix at any depth, by path.
func (s *Store) Files(ctx context.Context, p fairlead.Project, o Owner,
	prefix string) (out []Entry, err error) {
	prefix, err = cleanPrefix(prefix)
	if err != nil {
		return nil, err
	}
	if prefix != "" {
		prefix += "/"
	}
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		out, err = readRefs(tx, p, o, prefix)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list blobs: %w", err)
	}
	slices.SortFunc(out, byPathOrder)
	return out, nil
}

// Stat returns the object that path refers to; NotFound when there is none.
func (s *Store) Stat(ctx context.Context, p fairlead.Project, o Owner,
	path string) (obj Object, err error) {
	path, err = CleanPath(path)
	if err != nil {
		return Object{}, err
	}
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		obj, err = readRef(tx, p, o, path)
		return err
	})
	if errors.Is(err, store.ErrNoRows) {
		return Object{}, notFound(o, path)
	}
	if err != nil {
		return Object{}, fmt.Errorf("look up blob: %w", err)
	}
	return obj, nil
}

func notFound(o Owner, path string) error {
	return fairlead.Errorf(fairlead.NotFound, "%s %s has no file %q", o.Kind, o.ID, path)
}

// Open returns the content that path refers to. The caller closes the file.
func (s *Store) Open(ctx context.Context, p fairlead.Project, o Owner,
	path string) (*os.File, Object, error) {
	obj, err := s.Stat(ctx, p, o, path)
	if err != nil {
		return nil, Object{}, err
	}
	f, err := s.root.Open(place(obj.Digest))
	if err != nil {
		return nil, Object{}, fmt.Errorf("open blob of %s %s %q: %w", o.Kind, o.ID, path, err)
	}
	return f, obj, nil
}

// Path returns the absolute name of the stored file that path refers to, for
// readers that want a file name. It must only be read, and is there as long as
// something refers to it.
func (s *Store) Path(ctx context.Context, p fairlead.Project, o Owner,
	path string) (string, Object, error) {
	obj, err := s.Stat(ctx, p, o, path)
	if err != nil {
		return "", Object{}, err
	}
	name, err := filepath.Abs(filepath.Join(s.dir, filepath.FromSlash(place(obj.Digest))))
	return name, obj, err
}

// ReadFile returns the whole content that path refers to, which is Exhausted when
// it is longer than limit bytes.
func (s *Store) ReadFile(ctx context.Context, p fairlead.Project, o Owner, path string,
	limit int64) ([]byte, error) {
	f, obj, err := s.Open(ctx, p, o, path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if obj.Bytes > limit {
		return nil, fairlead.Errorf(fairlead.Exhausted,
			"%q has %d bytes, more than the %d that are read at once; stream it", path, obj.Bytes, limit)
	}
	b, err := io.ReadAll(f)
	if err != nil {
		return nil, fmt.Errorf("read blob: %w", err)
	}
	return b, nil
}

// FilesTx is Files of all of the owner, inside the caller's transaction.
func (s *Store) FilesTx(tx *store.Tx, p fairlead.Project, o Owner) ([]Entry, error) {
	all, err := readRefs(tx, p, o, "")
	if err != nil {
		return nil, fmt.Errorf("list blobs: %w", err)
	}
	return all, nil
}
