package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

// collect stores the outputs that a step declares, and returns them with the
// entries to link. Invalid when one is missing or empty.
func (s *Service) collect(ctx context.Context, step spec.Step, dirs scratch) (
	outputs []Output, entries []blob.Entry, err error) {
	for _, name := range step.Out {
		out, files, err := s.collectOne(ctx, name, dirs.outPath(name))
		if errors.Is(err, fs.ErrNotExist) || err == nil && out.Files == 0 {
			return nil, nil, fairlead.Errorf(fairlead.Invalid,
				"step %s ended well, but left no output %q; write it to the path in "+
					"FAIRLEAD_OUT_%s, or remove it from `out`", step.Name, name, variable(name))
		}
		if err != nil {
			return nil, nil, err
		}
		outputs, entries = append(outputs, out), append(entries, files...)
	}
	return outputs, entries, nil
}

func (s *Service) collectOne(ctx context.Context, name, path string) (Output, []blob.Entry,
	error) {
	info, err := os.Lstat(path)
	if err != nil {
		return Output{}, nil, err
	}
	switch {
	case info.Mode().IsRegular():
		obj, err := s.Blobs.PutFile(ctx, path)
		out := Output{Name: name, Digest: obj.Digest, Files: 1, Bytes: obj.Bytes}
		if info.Mode()&0o111 != 0 {
			out.Executables = []string{name}
		}
		return out, []blob.Entry{{Path: name, Object: obj}}, err
	case !info.IsDir():
		return Output{}, nil, fairlead.Errorf(fairlead.Invalid,
			"the output %q is neither a file nor a directory; write the content itself", name)
	}
	files, err := s.Blobs.PutDir(ctx, path)
	if err != nil {
		return Output{}, nil, err
	}
	out, content := Output{Name: name, Dir: true, Files: len(files)}, tree{}
	for _, f := range files {
		info, err := os.Stat(filepath.Join(path, filepath.FromSlash(f.Path)))
		if err != nil {
			return Output{}, nil, err
		}
		if content.add(f.Path, f.Digest, info.Mode()); info.Mode()&0o111 != 0 {
			out.Executables = append(out.Executables, f.Path)
		}
	}
	out.Digest = content.digest()
	for i := range files {
		out.Bytes += files[i].Bytes
		files[i].Path = name + "/" + files[i].Path
	}
	return out, files, nil
}

// Sweep removes the working files of runs that have ended without removing them,
// as in a crash. It is called before jobs start.
func (s *Service) Sweep(ctx context.Context) error {
	dirs, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sweep working files: %w", err)
	}
	for _, e := range dirs {
		var ended bool
		err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
			ended, err = hasEnded(tx, e.Name())
			return err
		})
		if err != nil {
			return fmt.Errorf("sweep working files: %w", err)
		}
		if !ended {
			continue
		}
		s.remove(filepath.Join(s.dir, e.Name()))
	}
	return nil
}

// remove deletes working files. Some that cannot be deleted are no reason to fail
// what is done: the next Sweep tries again.
func (s *Service) remove(dir string) {
	if err := removeAll(dir); err != nil {
		s.Deps.Log.Warn("working files cannot be removed", "dir", dir, "error", err)
	}
}

// removeAll is os.RemoveAll, also of what is in directories that a step has made
// read-only.
func removeAll(dir string) error {
	if os.RemoveAll(dir) == nil {
		return nil
	}
	filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			os.Chmod(path, 0o700)
		}
		return nil // what goes wrong shows again below
	})
	return os.RemoveAll(dir)
}

// copyTree copies those files below from into the directory to that keep names.
func copyTree(ctx context.Context, from, to string, keep func(file string) bool) error {
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || e.IsDir() {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil || !keep(filepath.ToSlash(rel)) {
			return err
		}
		dest := filepath.Join(to, rel)
		if err := os.MkdirAll(filepath.Dir(dest), 0o755); err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		return copyFile(path, dest, info.Mode().Perm())
	})
}

// copyFile copies a file; the kernel shares extents where the file system can.
func copyFile(from, to string, mode fs.FileMode) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, dst.Close())
}
