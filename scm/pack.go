package scm

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/fairlead-ml/fairlead"
)

// Source is a working tree on the client's machine, ready to be packed.
type Source struct {
	Commit  Commit
	repo    *repository
	scratch string // holds the index and objects of a dirty tree
}

// Pack returns the tar of the repository that dir lies in, and the commit that
// Import needs beside it. The file has no name: closing it frees it. See Look
// for errors.
func Pack(ctx context.Context, dir string, allowDirty bool) (*os.File, Commit, error) {
	src, err := Look(ctx, dir, allowDirty)
	if err != nil {
		return nil, Commit{}, err
	}
	defer src.Close()
	f, err := src.Tar(ctx)
	return f, src.Commit, err
}

// Look says which commit the working tree around dir is at, which is cheap, so
// that a client may ask whether the server has it before it packs. Uncommitted
// changes, which are changed, staged and untracked files that are not ignored,
// are Precondition unless they are allowed. Close the source afterwards.
func Look(ctx context.Context, dir string, allowDirty bool) (*Source, error) {
	repo := &repository{dir: dir}
	var top string
	var object, changes []byte
	var topErr, objectErr, changesErr error
	var asked sync.WaitGroup // three processes at once: most of their time is their start
	asked.Go(func() { top, topErr = repo.line(ctx, "rev-parse", "--show-toplevel") })
	asked.Go(func() { object, objectErr = repo.run(ctx, "cat-file", "commit", "HEAD") })
	asked.Go(func() {
		changes, changesErr = repo.run(ctx, "status", "--porcelain", "-z", "--untracked-files=normal",
			"--no-renames")
	})
	asked.Wait()
	if topErr != nil {
		return nil, topErr
	}
	repo.dir = top
	if objectErr != nil {
		return nil, fairlead.Errorf(fairlead.Precondition,
			"the repository has no commit yet; run `git add` and `git commit` first").Because(objectErr)
	}
	c, err := parseCommit(object)
	if err != nil {
		return nil, err
	}
	c.Object = object
	src := &Source{Commit: *c, repo: repo}
	if changesErr != nil || len(changes) == 0 {
		return src, changesErr
	}
	if !allowDirty {
		return nil, dirtyError(changes)
	}
	if err := src.snapshot(ctx); err != nil {
		src.Close()
		return nil, err
	}
	return src, nil
}

// Root is the directory of the repository that the tree is of.
func (s *Source) Root() string { return s.repo.dir }

// maxShown is how many changed files an error names.
const maxShown = 3

func dirtyError(changes []byte) error {
	lines := strings.Split(strings.TrimSuffix(string(changes), "\x00"), "\x00")
	var names []string
	for _, l := range lines[:min(len(lines), maxShown)] {
		names = append(names, l[min(3, len(l)):])
	}
	more := ""
	if n := len(lines) - len(names); n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return fairlead.Errorf(fairlead.Precondition,
		"the working tree has uncommitted changes (%s%s); commit them, or add to .gitignore what does "+
			"not belong to the project, or allow a dirty tree", strings.Join(names, ", "), more)
}

// snapshot writes the working tree as a Git tree, with an index and an object
// directory of its own, so that the user's repository is only read.
func (s *Source) snapshot(ctx context.Context) (err error) {
	if s.scratch, err = os.MkdirTemp("", "fairlead-tree-"); err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	index := filepath.Join(s.scratch, "index")
	if err := s.copyIndex(ctx, index); err != nil {
		return err
	}
	objects, err := s.repo.line(ctx, "rev-parse", "--path-format=absolute", "--git-path", "objects")
	if err != nil {
		return err
	}
	own := filepath.Join(s.scratch, "objects")
	if err := os.Mkdir(own, 0o700); err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	s.repo.env = []string{"GIT_INDEX_FILE=" + index, "GIT_OBJECT_DIRECTORY=" + own,
		"GIT_ALTERNATE_OBJECT_DIRECTORIES=" + strconv.Quote(objects)}
	if _, err := s.repo.run(ctx, "add", "--all", "."); err != nil {
		return err
	}
	tree, err := s.repo.line(ctx, "write-tree")
	if err != nil {
		return err
	}
	s.Commit.Dirty = tree != s.Commit.Tree
	s.Commit.Tree = tree
	return nil
}

// copyIndex begins from the user's index, which knows what is unchanged.
func (s *Source) copyIndex(ctx context.Context, to string) error {
	from, err := s.repo.line(ctx, "rev-parse", "--path-format=absolute", "--git-path", "index")
	if err != nil {
		return err
	}
	content, err := os.ReadFile(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = os.WriteFile(to, content, 0o600)
	}
	if err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	return nil
}

// Close frees what Look prepared.
func (s *Source) Close() error {
	if s.scratch == "" {
		return nil
	}
	return os.RemoveAll(s.scratch)
}

// Tar returns the tree's files as Git stores them, in a file without a name.
func (s *Source) Tar(ctx context.Context) (*os.File, error) {
	items, err := s.items(ctx)
	if err != nil {
		return nil, err
	}
	f, err := os.CreateTemp("", "fairlead-*.tar")
	if err != nil {
		return nil, fmt.Errorf("pack: %w", err)
	}
	os.Remove(f.Name())
	if err := s.writeTar(ctx, f, items); err != nil {
		f.Close()
		return nil, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		f.Close()
		return nil, fmt.Errorf("pack: %w", err)
	}
	return f, nil
}

// item is one file of the tree that git lists.
type item struct {
	id, path   string
	executable bool
	size       int64
}

func (s *Source) items(ctx context.Context) ([]item, error) {
	out, err := s.repo.run(ctx, "ls-tree", "-r", "-l", "-z", "--full-tree", s.Commit.Tree)
	if err != nil {
		return nil, err
	}
	var items []item
	var total int64
	for line := range bytes.SplitSeq(bytes.TrimSuffix(out, []byte{0}), []byte{0}) {
		it, err := parseItem(string(line))
		if err != nil {
			return nil, err
		}
		items = append(items, it)
		if total += it.size; total > MaxBytes {
			return nil, tooBig()
		}
	}
	if len(items) > MaxFiles {
		return nil, tooMany()
	}
	return items, nil
}

// parseItem reads "mode type id size\tpath".
func parseItem(line string) (item, error) {
	meta, path, _ := strings.Cut(line, "\t")
	f := strings.Fields(meta)
	if len(f) != 4 {
		return item{}, fairlead.Errorf(fairlead.Invalid, "the commit has no files; add some and commit")
	}
	switch f[0] {
	case "120000":
		return item{}, refuseLink(path)
	case "160000":
		return item{}, fairlead.Errorf(fairlead.Invalid,
			"%q is a submodule, which snapshots do not hold; commit its files instead", path)
	}
	size, err := strconv.ParseInt(f[3], 10, 64)
	if err != nil {
		return item{}, fmt.Errorf("pack %q: size %q: %w", path, f[3], err)
	}
	return item{f[2], path, f[0] == "100755", size}, checkPath(path)
}

// writeTar streams the raw blobs through one `git cat-file --batch`.
func (s *Source) writeTar(ctx context.Context, w io.Writer, items []item) error {
	var ids, stderr bytes.Buffer
	for _, it := range items {
		ids.WriteString(it.id + "\n")
	}
	cmd := s.repo.command(ctx, "cat-file", "--batch")
	cmd.Stdin, cmd.Stderr = &ids, &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return gitError(ctx, "cat-file", "", err)
	}
	copied := copyBlobs(tar.NewWriter(w), bufio.NewReader(out), items)
	if copied != nil {
		out.Close() // git ends by itself when nobody reads
	}
	if err := cmd.Wait(); err != nil && copied == nil {
		return gitError(ctx, "cat-file", stderr.String(), err)
	}
	return copied
}

func copyBlobs(t *tar.Writer, git *bufio.Reader, items []item) error {
	for _, it := range items {
		header, err := git.ReadString('\n')
		if err != nil || header != fmt.Sprintf("%s blob %d\n", it.id, it.size) {
			return fairlead.Errorf(fairlead.Precondition,
				"git cannot read %q (%q); a partial clone must be completed first",
				it.path, strings.TrimSpace(header)).Because(err)
		}
		h := &tar.Header{Typeflag: tar.TypeReg, Name: it.path, Size: it.size, Mode: 0o644}
		if it.executable {
			h.Mode = 0o755
		}
		if err := t.WriteHeader(h); err != nil {
			return fmt.Errorf("pack %q: %w", it.path, err)
		}
		if _, err := io.CopyN(t, git, it.size); err != nil {
			return fmt.Errorf("pack %q: %w", it.path, err)
		}
		if _, err := git.Discard(1); err != nil { // the line's end after the content
			return fmt.Errorf("pack %q: %w", it.path, err)
		}
	}
	if err := t.Close(); err != nil {
		return fmt.Errorf("pack: %w", err)
	}
	return nil
}
