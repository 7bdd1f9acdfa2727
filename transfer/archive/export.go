package archive

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/backup"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

//go:embed readme.md
var readme []byte

// Export writes projects, all when none is named, into a directory: an absolute path that
// is absent, empty, or that of an export which was cut off. Conflict when it holds
// something else, Exhausted when there is no room. Artifacts that are damaged or missing
// in the server are left out, and named.
func (s *Service) Export(ctx context.Context, to string, names []string) (Report, error) {
	if !filepath.IsAbs(to) {
		return Report{}, fairlead.Errorf(fairlead.Invalid, "%q is no absolute path", to)
	}
	projects, err := s.projects(ctx, names)
	if err != nil {
		return Report{}, err
	}
	end, err := s.begin(to)
	if err != nil {
		return Report{}, err
	}
	defer end()
	err = s.export(ctx, to, projects)
	return s.Progress(), said(to, err)
}

func (s *Service) projects(ctx context.Context, names []string) (out []fairlead.Project,
	err error) {
	if len(names) == 0 {
		return s.Projects.List(ctx)
	}
	for _, name := range names {
		p, err := s.Projects.Get(ctx, name)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// said gives what the destination's disk does not allow its code.
func said(dir string, err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fairlead.Errorf(fairlead.Exhausted, "the disk of %s is full; free some room and try again",
			dir).Because(err)
	case errors.Is(err, syscall.EROFS), errors.Is(err, fs.ErrPermission),
		errors.Is(err, syscall.ENOTDIR):
		return fairlead.Errorf(fairlead.Precondition, "%s is no directory that can be written; "+
			"choose another one", dir).Because(err)
	}
	return err
}

func (s *Service) export(ctx context.Context, to string, projects []fairlead.Project) error {
	root, lock, err := s.enter(to)
	if err != nil {
		return err
	}
	defer root.Close()
	defer lock.Close()
	defer s.Blobs.Keep()() // what the records name stays until it is copied
	m := &Manifest{Format: format, Fairlead: s.Version, CreatedMS: fairlead.MS(s.Clock.Now()),
		Projects: []Project{}}
	err = s.DB.Snapshot(ctx, func(tx *store.Tx) error {
		for _, p := range projects {
			out := &exporting{Service: s, tx: tx, root: root, p: p,
				dir: path.Join(projectsDir, p.Name), out: Project{Name: p.Name}}
			if err := out.records(); err != nil {
				return fmt.Errorf("export project %s: %w", p.Name, err)
			}
			m.Projects = append(m.Projects, out.out)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i := range m.Projects {
		set, err := s.Projects.Settings(ctx, projects[i])
		if err != nil {
			return err
		}
		m.Projects[i].KeepDeleted = set.KeepDeleted
		if err := s.copyArtifacts(ctx, root, &m.Projects[i]); err != nil {
			return err
		}
	}
	return finish(root, m)
}

// enter makes the directory ready and marks it as being written.
func (s *Service) enter(to string) (root *os.Root, lock *os.File, err error) {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return nil, nil, err
	}
	if err := backup.Outside(s.Dir, to); err != nil {
		return nil, nil, err
	}
	if root, err = os.OpenRoot(to); err != nil {
		return nil, nil, err
	}
	if lock, err = claim(root); err != nil {
		return nil, nil, errors.Join(err, root.Close())
	}
	err = root.WriteFile(readmeFile, readme, 0o600)
	if err == nil {
		err = root.Mkdir(projectsDir, 0o700)
	}
	if err != nil {
		return nil, nil, errors.Join(err, lock.Close(), root.Close())
	}
	return root, lock, nil
}

// claim takes the lock of an empty directory, or of one with an export that was cut off,
// which it removes.
func claim(root *os.Root) (lock *os.File, err error) {
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, err
	}
	if _, err := root.Lstat(marker); err != nil {
		for _, e := range entries {
			if e.Name() != "lost+found" {
				return nil, fairlead.Errorf(fairlead.Conflict, "%s is not empty; export into a new directory",
					root.Name())
			}
		}
	}
	lock, err = root.OpenFile(marker, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = fairlead.Errorf(fairlead.Conflict, "another export is being written to %s", root.Name())
	}
	for _, left := range []string{manifestFile, manifestFile + ".new", readmeFile, projectsDir} {
		if err == nil {
			err = root.RemoveAll(left)
		}
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

// exporting writes one project.
type exporting struct {
	*Service
	tx   *store.Tx
	root *os.Root
	p    fairlead.Project
	dir  string
	out  Project
	arts *lines
}

// records writes everything but the artifacts' content.
func (x *exporting) records() (err error) {
	if err := x.root.MkdirAll(x.dir, 0o700); err != nil {
		return err
	}
	x.note(func(r *Report) { r.Projects = append(r.Projects, x.p.Name) })
	if x.arts, err = createLines(x.root, x.dir, artifactsFile); err != nil {
		return err
	}
	for _, write := range []func() error{x.experiments, x.runs, x.loggedModels, x.models} {
		if err := write(); err != nil {
			return errors.Join(err, x.arts.f.Close())
		}
	}
	return x.done(x.arts.close())
}

// done notes a file that is written.
func (x *exporting) done(f File, err error) error {
	x.out.Files = append(x.out.Files, f)
	return err
}

// with writes a file of lines.
func (x *exporting) with(name string, fn func(*lines) error) error {
	l, err := createLines(x.root, x.dir, name)
	if err != nil {
		return err
	}
	if err := fn(l); err != nil {
		return errors.Join(err, l.f.Close())
	}
	return x.done(l.close())
}

// count adds to the counts of the project and to the report.
func (x *exporting) count(add func(*Counts)) {
	add(&x.out.Counts)
	x.note(func(r *Report) { add(&r.Counts) })
}

func (x *exporting) experiments() error {
	var all []*tracking.ExperimentRecord
	err := x.with(experimentsFile, func(l *lines) error {
		return x.Tracking.Experiments(x.tx, x.p, func(e *tracking.ExperimentRecord) error {
			all = append(all, e)
			if err := l.add(e); err != nil {
				return err
			}
			x.count(func(c *Counts) { c.Experiments++ })
			return x.artifacts(tracking.ExperimentOwner(e.ID))
		})
	})
	if err != nil {
		return err
	}
	return x.with(datasetsFile, func(l *lines) error {
		for _, e := range all {
			err := x.Tracking.Datasets(x.tx, e, func(d *tracking.DatasetRecord) error {
				x.count(func(c *Counts) { c.Datasets++ })
				return l.add(d)
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// runs writes runs and their histories side by side.
func (x *exporting) runs() error {
	points, err := createTable[tracking.PointRecord](x.root, x.dir, metricsFile)
	if err != nil {
		return err
	}
	err = x.with(runsFile, func(l *lines) error {
		return x.Tracking.Runs(x.tx, x.p, func(r *tracking.RunRecord) error {
			if err := l.add(r); err != nil {
				return err
			}
			if err := x.Tracking.Points(x.tx, r, points.add); err != nil {
				return err
			}
			x.count(func(c *Counts) { c.Runs, c.Points = c.Runs+1, c.Points+r.Points })
			return x.artifacts(tracking.RunOwner(r.ID))
		})
	})
	if err != nil {
		return errors.Join(err, points.f.Close())
	}
	return x.done(points.close())
}

func (x *exporting) loggedModels() error {
	points, err := createTable[tracking.ModelPointRecord](x.root, x.dir, modelMetricsFile)
	if err != nil {
		return err
	}
	err = x.with(loggedModelsFile, func(l *lines) error {
		return x.Tracking.LoggedModels(x.tx, x.p, func(m *tracking.LoggedModelRecord) error {
			if err := l.add(m); err != nil {
				return err
			}
			if err := x.Tracking.ModelPoints(x.tx, m, points.add); err != nil {
				return err
			}
			x.count(func(c *Counts) {
				c.LoggedModels, c.ModelPoints = c.LoggedModels+1, c.ModelPoints+m.Points
			})
			return x.artifacts(tracking.LoggedModelOwner(m.ID))
		})
	})
	if err != nil {
		return errors.Join(err, points.f.Close())
	}
	return x.done(points.close())
}

func (x *exporting) models() error {
	versions, err := createLines(x.root, x.dir, versionsFile)
	if err != nil {
		return err
	}
	err = x.with(modelsFile, func(l *lines) error {
		return x.Registry.Records(x.tx, x.p, func(m *registry.ModelRecord) error {
			if err := l.add(m); err != nil {
				return err
			}
			x.count(func(c *Counts) { c.Models++ })
			return x.Registry.VersionRecords(x.tx, m, func(v *registry.VersionRecord) error {
				x.count(func(c *Counts) { c.Versions++ })
				return versions.add(v)
			})
		})
	})
	if err != nil {
		return errors.Join(err, versions.f.Close())
	}
	if err := x.done(versions.close()); err != nil {
		return err
	}
	return x.with(numbersFile, func(l *lines) error {
		all, err := x.Registry.NumberRecords(x.tx, x.p)
		for i := range all {
			err = errors.Join(err, l.add(&all[i]))
		}
		return err
	})
}

// artifact is a line of artifacts.jsonl.
type artifact struct {
	Owner  string `json:"owner"` // run | logged_model | experiment
	ID     string `json:"id"`
	Path   string `json:"path"` // below the owner
	File   string `json:"file"` // below the project's directory
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`
}

// ownerDirs are where the files of each kind of owner lie.
var ownerDirs = map[string]string{"run": "artifacts/runs", "logged_model": "artifacts/models",
	"experiment": "artifacts/experiments"}

var plainID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$`)

// artifacts lists the files of an owner.
func (x *exporting) artifacts(o blob.Owner) error {
	all, err := x.Tracking.Artifacts(x.tx, x.p, o)
	if err != nil {
		return err
	}
	name := o.ID
	if !plainID.MatchString(name) {
		sum := sha256.Sum256([]byte(name))
		name = "sha256-" + hex.EncodeToString(sum[:])
	}
	for _, e := range all {
		err := x.arts.add(artifact{Owner: o.Kind, ID: o.ID, Path: e.Path,
			File: path.Join(ownerDirs[o.Kind], name, e.Path), SHA256: e.Digest, Bytes: e.Bytes})
		if err != nil {
			return err
		}
	}
	return nil
}

// copyArtifacts copies what a project's artifacts.jsonl lists. Nothing is linked: who
// changes a file of an export must not change what a version was made of.
func (s *Service) copyArtifacts(ctx context.Context, root *os.Root, p *Project) error {
	dir := path.Join(projectsDir, p.Name)
	return eachLine(root, path.Join(dir, artifactsFile), func(a *artifact) error {
		err := s.copyArtifact(ctx, root, path.Join(dir, a.File), blob.Object{Digest: a.SHA256,
			Bytes: a.Bytes})
		if fairlead.Is(err, fairlead.Conflict) {
			if p.Missing == nil {
				p.Missing = map[string]string{}
			}
			p.Missing[a.File] = fairlead.MessageOf(err)
			s.leave("%s of %s %s: %s", a.Path, a.Owner, a.ID, fairlead.MessageOf(err))
			return nil
		}
		if err != nil {
			return fmt.Errorf("export %s of %s %s: %w", a.Path, a.Owner, a.ID, err)
		}
		p.Counts.Files, p.Counts.Bytes = p.Counts.Files+1, p.Counts.Bytes+a.Bytes
		s.note(func(r *Report) { r.Files, r.Bytes = r.Files+1, r.Bytes+a.Bytes })
		return nil
	})
}

func (s *Service) copyArtifact(ctx context.Context, root *os.Root, name string,
	o blob.Object) error {
	if err := root.MkdirAll(path.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = errors.Join(s.Blobs.CopyObject(ctx, o, f), f.Close())
	if err != nil {
		root.Remove(name)
	}
	return err
}

// finish makes all of it durable and then whole.
func finish(root *os.Root, m *Manifest) error {
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return err
	}
	dir, err := root.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := unix.Syncfs(int(dir.Fd())); err != nil {
		return err
	}
	if err := root.WriteFile(manifestFile+".new", append(b, '\n'), 0o600); err != nil {
		return err
	}
	if err := unix.Syncfs(int(dir.Fd())); err != nil {
		return err
	}
	if err := root.Rename(manifestFile+".new", manifestFile); err != nil {
		return err
	}
	return errors.Join(dir.Sync(), root.Remove(marker), dir.Sync())
}
