package pipeline

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/spec"
)

// tree is what files hold: for each path the digest of its content, with a mark for
// one that can be executed.
type tree map[string]string

// executable marks a file that can be executed.
const executable = "+x"

func (t tree) add(path, digest string, mode fs.FileMode) {
	if mode&0o111 != 0 {
		digest += executable
	}
	t[path] = digest
}

func (t tree) digest() string {
	var b strings.Builder
	for _, path := range sortedKeys(t) {
		b.WriteString(path + "\x00" + t[path] + "\n")
	}
	return digest([]byte(b.String()))
}

// code returns the files of a commit that steps may see.
func (s *Service) code(ctx context.Context, p fairlead.Project, sp *spec.Spec, commit string) (
	tree, error) {
	all, err := s.Blobs.Files(ctx, p, blob.Owner{Kind: "commit", ID: commit}, "")
	if err != nil {
		return nil, err
	}
	modes, err := s.Source.Modes(ctx, p, commit)
	if err != nil {
		return nil, err
	}
	out := tree{}
	for _, f := range all {
		if !withheld(sp, f.Path) {
			out.add(f.Path, f.Digest, modes(f.Path))
		}
	}
	return out, nil
}

// seenBy returns the files that one step sees.
func (t tree) seenBy(step spec.Step) tree {
	out := tree{}
	for path, digest := range t {
		if sees(step, path) {
			out[path] = digest
		}
	}
	return out
}

// withheld reports whether no step may see a file of the commit: fairlead.yaml, of
// which each key holds the parts that concern its step, and the files that `data`
// names. Steps read those as inputs only: a file that is in no key, and out of which
// the holdout is cut, is not to be seen beside it.
func withheld(sp *spec.Spec, file string) bool {
	if file == spec.FileName {
		return true
	}
	return slices.ContainsFunc(sp.Data, func(d spec.NamedData) bool {
		return d.From != spec.FromRequests && spec.MatchFile(d.From, file)
	})
}

// sees reports whether a file that is not withheld is part of the step's `code`.
func sees(step spec.Step, file string) bool {
	return len(step.Code) == 0 || slices.ContainsFunc(step.Code,
		func(glob string) bool { return spec.MatchFile(glob, file) })
}

// writeCode writes those files of a commit into dir that keep names.
func (s *Service) writeCode(ctx context.Context, p fairlead.Project, commit, dir string,
	keep func(file string) bool) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := s.Source.Checkout(ctx, p, commit, dir); err != nil {
		return err
	}
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err == nil && !keep(filepath.ToSlash(rel)) {
			err = os.Remove(path)
		}
		return err
	})
}

// checkout returns a pristine copy of the code that steps may see, written once for
// each driver.
func (d *driver) checkout(ctx context.Context) (string, error) {
	d.pristine.Lock()
	defer d.pristine.Unlock()
	if d.codeDir != "" {
		return d.codeDir, nil
	}
	dir := filepath.Join(d.workDir(), "code")
	err := d.writeCode(ctx, d.p, d.run.Commit, dir,
		func(file string) bool { return !withheld(d.plan.spec, file) })
	if err != nil {
		return "", err
	}
	d.codeDir = dir
	return dir, nil
}
