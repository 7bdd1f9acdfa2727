package scm

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// maxFile bounds what File reads at once.
const maxFile = 16 << 20

// Get returns an imported commit by its ID; NotFound when it is not imported.
func (s *Service) Get(ctx context.Context, p fairlead.Project, id string) (c *Commit, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		c, err = readCommit(tx, p, id)
		return err
	})
	if err != nil {
		return nil, lookupError(id, err)
	}
	return c, nil
}

func lookupError(id string, err error) error {
	if errors.Is(err, store.ErrNoRows) {
		return fairlead.Errorf(fairlead.NotFound,
			"commit %q is not imported; send it with `fairlead run` from its repository", id)
	}
	return fmt.Errorf("look up commit %.12s: %w", id, err)
}

// File returns the content of one file of the commit, at most 16 MB.
func (s *Service) File(ctx context.Context, p fairlead.Project, id, path string) ([]byte, error) {
	return s.blobs.ReadFile(ctx, p, owner(id), path, maxFile)
}

// Files returns the paths of the commit's files below prefix, sorted; the empty
// prefix means all.
func (s *Service) Files(ctx context.Context, p fairlead.Project, id,
	prefix string) ([]string, error) {
	entries, err := s.blobs.Files(ctx, p, owner(id), prefix)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Path
	}
	return names, nil
}

// Modes returns a function that knows the mode of each of the commit's files: 0644
// or, for executables, 0755.
func (s *Service) Modes(ctx context.Context, p fairlead.Project, id string) (
	func(path string) fs.FileMode, error) {
	var executable map[string]bool
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		executable, err = readExecutables(tx, p, id)
		return err
	})
	if err != nil {
		return nil, lookupError(id, err)
	}
	return func(path string) fs.FileMode {
		if executable[path] {
			return 0o755
		}
		return 0o644
	}, nil
}

// Checkout writes the commit's files into dir, which is created when absent and
// must not hold any of them.
func (s *Service) Checkout(ctx context.Context, p fairlead.Project, id, dir string) error {
	modes, err := s.Modes(ctx, p, id)
	if err != nil {
		return err
	}
	return s.blobs.MaterializeAs(ctx, p, owner(id), "", dir, modes)
}
