package scm

import (
	"archive/tar"
	"context"
	"crypto/sha1"
	"embed"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Schema returns the tables of imported commits.
func Schema() store.Schema { return store.Embedded("scm", migrations) }

// Limits of one snapshot. Data beyond them belongs beside the repository.
const (
	MaxBytes = 200 << 20
	MaxFiles = 50_000
)

// Service imports and reads snapshots. It is safe for concurrent use.
type Service struct {
	db    *store.DB
	blobs *blob.Store
	clock fairlead.Clock
}

// New returns the service. The database's schema must include Schema() and blob's.
func New(db *store.DB, blobs *blob.Store, clock fairlead.Clock) *Service {
	return &Service{db: db, blobs: blobs, clock: clock}
}

// owner is what the files of a snapshot belong to in blob.
func owner(id string) blob.Owner { return blob.Owner{Kind: "commit", ID: id} }

// Import stores the files in the tar as the snapshot of the commit, of which SHA,
// Object and Dirty are read. Invalid when the object is not the SHA's, when the
// files are not its tree's (unless Dirty), or for anything in the tar that is not
// a plain file or directory with a clean relative path; Exhausted beyond MaxBytes
// or MaxFiles. Importing what is there already changes nothing.
func (s *Service) Import(ctx context.Context, p fairlead.Project, r io.Reader,
	claimed Commit) (*Commit, error) {
	c, err := parseCommit(claimed.Object)
	if err != nil {
		return nil, err
	}
	if c.SHA != claimed.SHA {
		return nil, fairlead.Errorf(fairlead.Invalid,
			"the commit object sent is %s and not %.40s; send the object of that commit",
			c.SHA, claimed.SHA)
	}
	batch := s.blobs.NewBatch()
	defer batch.Discard()
	im := importer{batch: batch, kinds: map[string]bool{}}
	if err := im.read(ctx, tar.NewReader(r)); err != nil {
		return nil, err
	}
	tree := treeID(im.files)
	if tree != c.Tree && !claimed.Dirty {
		return nil, fairlead.Errorf(fairlead.Invalid,
			"the files sent are not those of commit %.12s: their tree is %.12s, the commit's is %.12s; "+
				"commit the changes, or send them as a dirty tree", c.SHA, tree, c.Tree)
	}
	c.Dirty, c.Tree = tree != c.Tree, tree
	entries, err := batch.Store(ctx)
	if err != nil {
		return nil, fmt.Errorf("import commit: %w", err)
	}
	return c, s.save(ctx, p, c, &im, entries)
}

func (s *Service) save(ctx context.Context, p fairlead.Project, c *Commit, im *importer,
	entries []blob.Entry) error {
	now := fairlead.MS(s.clock.Now())
	err := s.db.Write(ctx, store.Bulk, func(tx *store.Tx) error {
		had, err := readCommit(tx, p, c.ID())
		switch {
		case err == nil && had.Tree == c.Tree:
			return nil
		case err == nil:
			return fairlead.Errorf(fairlead.Conflict,
				"another dirty tree is known as %s; commit the changes first", c.ID())
		case !errors.Is(err, store.ErrNoRows):
			return err
		}
		if err := s.blobs.LinkAll(tx, p, owner(c.ID()), "", entries); err != nil {
			return err
		}
		return insertCommit(tx, p, c, im.executables(), now)
	})
	if err != nil {
		return fmt.Errorf("import commit %.12s: %w", c.SHA, err)
	}
	return nil
}

// importer reads one tar.
type importer struct {
	batch   *blob.Batch
	files   []file
	bytes   int64
	headers int
	kinds   map[string]bool // path → is a file; each file's directories too
}

func (im *importer) read(ctx context.Context, t *tar.Reader) error {
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return im.check()
		}
		if err != nil {
			return fairlead.Errorf(fairlead.Invalid, "the files did not arrive as a whole tar: %w", err)
		}
		if im.headers++; im.headers > 4*MaxFiles {
			return tooMany()
		}
		switch h.Typeflag {
		case tar.TypeDir, tar.TypeXGlobalHeader:
			continue // Git knows no empty directories
		case tar.TypeReg:
			if err := im.file(ctx, h, t); err != nil {
				return err
			}
		case tar.TypeSymlink:
			return refuseLink(h.Name)
		default:
			return fairlead.Errorf(fairlead.Invalid,
				"%q is not a plain file; remove it from the archive", h.Name)
		}
	}
}

func (im *importer) check() error {
	if len(im.files) == 0 {
		return fairlead.Errorf(fairlead.Invalid, "the archive has no files; commit some first")
	}
	return nil
}

func (im *importer) file(ctx context.Context, h *tar.Header, r io.Reader) error {
	if err := im.admit(h); err != nil {
		return err
	}
	sum := sha1.New()
	sum.Write(objectHeader("blob", h.Size))
	if _, err := im.batch.Add(ctx, h.Name, io.TeeReader(r, sum)); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return fairlead.Errorf(fairlead.Invalid, "the archive ends within %q; send it again", h.Name)
		}
		return fmt.Errorf("import %q: %w", h.Name, err)
	}
	im.files = append(im.files, file{h.Name, h.Mode&0o100 != 0, [sha1.Size]byte(sum.Sum(nil))})
	return nil
}

// admit checks name and size before anything is written.
func (im *importer) admit(h *tar.Header) error {
	if err := checkPath(h.Name); err != nil {
		return err
	}
	if im.bytes += h.Size; im.bytes > MaxBytes || h.Size < 0 {
		return tooBig()
	}
	if len(im.files) >= MaxFiles {
		return tooMany()
	}
	return im.place(h.Name)
}

// place refuses a path that is there already, as a file or as a directory.
func (im *importer) place(name string) error {
	if _, taken := im.kinds[name]; taken {
		return fairlead.Errorf(fairlead.Invalid, "%q is in the archive twice", name)
	}
	im.kinds[name] = true
	for i := range name {
		if name[i] != '/' {
			continue
		}
		if im.kinds[name[:i]] {
			return fairlead.Errorf(fairlead.Invalid,
				"%q is a file and a directory in the archive", name[:i])
		}
		im.kinds[name[:i]] = false
	}
	return nil
}

// checkPath accepts what blob accepts in its canonical form, without `.git`.
func checkPath(name string) error {
	clean, err := blob.CleanPath(name)
	if err != nil {
		return err
	}
	if clean != name {
		return fairlead.Errorf(fairlead.Invalid, "the path %q is not clean; write %q", name, clean)
	}
	for part := range strings.SplitSeq(name, "/") {
		if strings.EqualFold(part, ".git") {
			return fairlead.Errorf(fairlead.Invalid,
				"the path %q is refused: .git is Git's own directory", name)
		}
	}
	return nil
}

func refuseLink(name string) error {
	return fairlead.Errorf(fairlead.Invalid,
		"%q is a symbolic link, which snapshots do not hold; commit the file itself", name)
}

func tooBig() error {
	return fairlead.Errorf(fairlead.Exhausted,
		"the files are larger than %d MB together; keep large data outside the repository",
		MaxBytes>>20)
}

func tooMany() error {
	return fairlead.Errorf(fairlead.Exhausted,
		"the commit has more than %d files; keep generated files outside the repository", MaxFiles)
}

func (im *importer) executables() []string {
	names := []string{}
	for _, f := range im.files {
		if f.executable {
			names = append(names, f.path)
		}
	}
	return names
}
