package transfer

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/fairlead-ml/fairlead/blob"
)

// dirs are the directories of this machine that the files of a store may be read from: a
// store names paths, and whoever wrote it must not choose what the server reads.
type dirs struct {
	home      string // the store's own; empty for none
	artifacts string // what is named beside it; empty for none
	dataDir   string // nothing of this
}

func (s *Service) dirsOf(home string, from Source) (dirs, error) {
	d := dirs{home: home, artifacts: from.Artifacts, dataDir: s.dataDir}
	for _, dir := range []*string{&d.home, &d.artifacts, &d.dataDir} {
		if *dir == "" {
			continue
		}
		real, err := filepath.EvalSymlinks(*dir)
		if err == nil {
			*dir, err = filepath.Abs(real)
		}
		if err != nil {
			return d, err
		}
	}
	return d, nil
}

// files passes the files of an owner, whose URI the store has.
func (d dirs) files(o blob.Owner, uri string, each func(path string, r io.Reader) error) (
	left []string, err error) {
	dir, why := d.find(o, uri)
	if dir == "" {
		if why != "" {
			left = []string{why}
		}
		return left, nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	err = fs.WalkDir(root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		if !e.Type().IsRegular() {
			left = append(left, fmt.Sprintf("%s of %s is no regular file", name, called(o)))
			return nil
		}
		f, err := root.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		return each(name, f)
	})
	return left, err
}

// find returns the directory of an owner's files; or none, and why, if there should be one.
func (d dirs) find(o blob.Owner, uri string) (dir, why string) {
	parent := strings.TrimSuffix(uri, "/"+o.ID+"/artifacts") // so that it is said once for all runs
	scheme, _, found := strings.Cut(uri, ":")
	u, err := url.Parse(uri)
	var candidates []string
	switch {
	case uri == "":
		return "", ""
	case !found: // a path, of the server's working directory when it is relative
		candidates = d.moved(uri)
	case scheme == "file" && err == nil && u.Host == "":
		candidates = d.moved(u.Path)
	case scheme != "mlflow-artifacts" || err != nil:
		return "", fmt.Sprintf("the files at %s are not on this machine", parent)
	case d.artifacts == "":
		return "", fmt.Sprintf("the files at %s are a server's; name the directory that it keeps them in "+
			"with --artifacts", parent)
	default:
		candidates = []string{filepath.Join(d.artifacts, u.Path)}
	}
	for _, candidate := range candidates {
		real, err := filepath.EvalSymlinks(candidate)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil || !d.may(o, real) {
			return "", fmt.Sprintf("the files at %s: that is outside of what was named; name its directory "+
				"with --artifacts", parent)
		}
		return real, ""
	}
	if first := candidates[0]; o.Kind == "run" && ownedBy(o, first) &&
		(within(d.home, first) || used(filepath.Join(first, "../../.."))) {
		return "", "" // no files were logged
	}
	return "", fmt.Sprintf("there are no files at %s; if they are elsewhere now, name that directory "+
		"with --artifacts", parent)
}

// moved returns where a path may be now: there, or below what is named beside the store by
// as much of its end as is there too.
func (d dirs) moved(path string) []string {
	if !filepath.IsAbs(path) {
		path = filepath.Join("/", d.home, path)
	}
	all := []string{path}
	if d.artifacts == "" {
		return all
	}
	parts := strings.Split(strings.Trim(filepath.Clean(path), "/"), "/")
	for i := range max(0, len(parts)-1) {
		all = append(all, filepath.Join(d.artifacts, filepath.Join(parts[i:]...)))
	}
	return all
}

// may reports whether the files of an owner may be read from a directory: it is below what
// was named, is the owner's by its name, and is not ours.
func (d dirs) may(o blob.Owner, dir string) bool {
	info, err := os.Stat(dir)
	return err == nil && info.IsDir() && ownedBy(o, dir) &&
		(within(d.home, dir) || within(d.artifacts, dir)) &&
		!within(d.dataDir, dir) && !within(dir, d.dataDir)
}

// ownedBy reports whether a directory is an owner's by its name, as all are that MLflow
// makes.
func ownedBy(o blob.Owner, dir string) bool { return strings.HasSuffix(dir, "/"+o.ID+"/artifacts") }

// within reports whether a clean path is a directory, or below it; none holds nothing.
func within(dir, path string) bool {
	return dir != "" && (path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/"))
}

// used reports whether there is something in a directory.
func used(dir string) bool {
	f, err := os.Open(dir)
	if err != nil {
		return false
	}
	defer f.Close()
	_, err = f.Readdirnames(1)
	return err == nil
}
