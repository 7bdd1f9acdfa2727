package serving

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/store"
)

// packages is the directory, in the data directory, of what engines load from.
const packages = "packages"

// part is in the name of a directory that is not whole yet.
const part = ".part-"

// place begins the name of the package's directory; a model's name is no file's name.
func (k packageKey) place() string {
	model := sha256.Sum256([]byte(k.model))
	return fmt.Sprintf("%d-%x-%d", k.projectK, model[:8], k.version)
}

// sweep removes the unpacked packages that no assignment names any more, and what a
// crash has left half full. It runs before anything is loaded.
func (s *Service) sweep(ctx context.Context) error {
	all, err := s.desired(ctx)
	if err != nil {
		return err
	}
	keep := map[string]bool{}
	for _, key := range wanted(all) {
		keep[key.place()] = true
	}
	dirs, err := os.ReadDir(filepath.Join(s.Dir, packages))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, d := range dirs {
		i := strings.LastIndexByte(d.Name(), '-')
		if i < 0 || !keep[d.Name()[:i]] {
			err = errors.Join(err, os.RemoveAll(filepath.Join(s.Dir, packages, d.Name())))
		}
	}
	return err
}

// open loads one package. A directory that an earlier process has left may be damaged,
// by hand or by the disk: it is made anew before the package is judged by it.
func (s *Service) open(ctx context.Context, key packageKey) (*loaded, error) {
	dir, err := s.unpack(ctx, key, false)
	if err != nil {
		return nil, err
	}
	predictor, manifest, err := s.Load(ctx, dir)
	if _, made := s.unpacked.Load(dir); err != nil && ownFault(err) && !made {
		if dir, err = s.unpack(ctx, key, true); err != nil {
			return nil, err
		}
		predictor, manifest, err = s.Load(ctx, dir)
	}
	if err != nil {
		return nil, err
	}
	l := &loaded{key: key, predictor: predictor, manifest: manifest}
	l.n.Store(1)
	return l, nil
}

// unpack returns the directory with the package's files, which it makes when there is
// none, or when it is wanted anew.
func (s *Service) unpack(ctx context.Context, key packageKey, anew bool) (string, error) {
	p := fairlead.Project{K: key.projectK}
	var cond registry.Condition
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		cond, err = s.Registry.Condition(tx, p, key.model, key.version, registry.ConditionPackaged)
		return err
	})
	if err != nil {
		return "", err
	}
	if cond.Status != registry.True {
		return "", fairlead.Errorf(fairlead.Precondition,
			"%s version %d has no package: %s", key.model, key.version, cond.Reason)
	}
	dir := filepath.Join(s.Dir, packages, fmt.Sprintf("%s-%.12s", key.place(), cond.Ref))
	if _, err := engine.ReadManifest(dir); err == nil && !anew {
		return dir, nil
	}
	if err := s.materialize(ctx, p, key, dir); err != nil {
		return "", fmt.Errorf("unpack %s version %d: %w", key.model, key.version, err)
	}
	s.unpacked.Store(dir, true)
	return dir, nil
}

// materialize makes dir the package's files: whole and on disk before they have
// the name that counts.
func (s *Service) materialize(ctx context.Context, p fairlead.Project, key packageKey,
	dir string) error {
	parent := filepath.Dir(dir)
	if err := errors.Join(os.MkdirAll(parent, 0o755), os.RemoveAll(dir)); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(parent, filepath.Base(dir)+part)
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp) // there no more, once it is renamed
	owner := registry.PackageOwner(key.model, key.version)
	if err := s.Blobs.Materialize(ctx, p, owner, "", tmp); err != nil {
		return err
	}
	if err := syncTree(tmp); err != nil {
		return err
	}
	if err := os.Rename(tmp, dir); err != nil {
		return err
	}
	return syncPath(parent)
}

// syncTree puts all files and directories below dir on disk.
func syncTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return syncPath(path)
	})
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
