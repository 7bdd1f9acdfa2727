package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

// Import brings in all of an export, a directory that an absolute path names: each project
// under its own name, or the only one as the project into. Everything keeps its ids, times
// and states; an experiment whose number is taken gets another one.
//
// First all is compared with the digests, and with what is here: Invalid when the export is
// damaged, Precondition when it was cut off or is newer than the program, Conflict when
// something else here has a name or id of it; nothing is changed then. Artifacts, which are
// compared as they are read, are left out and named when they are damaged or missing. What
// is here already stays as it is, and is named when it differs. Cut off, it can be repeated.
func (s *Service) Import(ctx context.Context, from, into string) (Report, error) {
	if !filepath.IsAbs(from) {
		return Report{}, fairlead.Errorf(fairlead.Invalid, "%q is no absolute path", from)
	}
	root, err := os.OpenRoot(from)
	if err != nil {
		return Report{}, fairlead.Errorf(fairlead.NotFound, "there is no directory %s", from).Because(err)
	}
	defer root.Close()
	end, err := s.begin(from)
	if err != nil {
		return Report{}, err
	}
	defer end()
	err = s.importAll(ctx, root, into)
	return s.Progress(), err
}

func (s *Service) importAll(ctx context.Context, root *os.Root, into string) error {
	m, err := readManifest(root)
	if err != nil {
		return err
	}
	if into != "" && len(m.Projects) != 1 {
		return fairlead.Errorf(fairlead.Invalid, "the export has %d projects, which keep their names; "+
			"leave out the project", len(m.Projects))
	}
	var all []*importing
	for _, p := range m.Projects {
		im := &importing{Service: s, root: root, from: p, dir: path.Join(projectsDir, p.Name),
			name: p.Name}
		if into != "" {
			im.name = into
		}
		if err := im.verify(ctx); err != nil {
			return err
		}
		all = append(all, im)
	}
	for _, im := range all {
		if err := im.check(ctx); err != nil {
			return fmt.Errorf("project %s: %w", im.name, err)
		}
	}
	for _, im := range all {
		if err := im.bring(ctx); err != nil {
			return fmt.Errorf("project %s: %w", im.name, err)
		}
	}
	return nil
}

// importing is the import of one project.
type importing struct {
	*Service
	root *os.Root
	from Project
	dir  string
	name string           // here
	p    fairlead.Project // zero while there is none of the name

	experiments map[string]string // id there → here
	models      map[int64]*registry.ModelRecord
	numbers     []registry.NumberRecord
}

// file is the name of one of the project's files, below the root.
func (im *importing) file(name string) string { return path.Join(im.dir, name) }

// verify compares all files but the artifacts, which are when they are read, with their
// digests.
func (im *importing) verify(ctx context.Context) error {
	for _, want := range im.from.Files {
		name := im.file(want.Name)
		f, err := openFile(im.root, name)
		if errors.Is(err, fs.ErrNotExist) {
			return damaged(name, "it is missing")
		}
		if err != nil {
			return err
		}
		sum := sha256.New()
		n, err := io.Copy(sum, f)
		f.Close()
		if err != nil {
			return fmt.Errorf("read %s: %w", name, err)
		}
		if got := hex.EncodeToString(sum.Sum(nil)); got != want.SHA256 || n != want.Bytes {
			return damaged(name, "it has %d bytes with SHA-256 %s", n, got)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// maxConflicts bounds how many conflicts are told at once.
const maxConflicts = 20

// conflicts collects what stands in the way of an import.
type conflicts []string

// add takes a conflict, and returns any other error.
func (c *conflicts) add(err error) error {
	if err == nil || !fairlead.Is(err, fairlead.Conflict) {
		return err
	}
	*c = append(*c, fairlead.MessageOf(err))
	if len(*c) < maxConflicts {
		return nil
	}
	return c.err()
}

func (c *conflicts) err() error {
	if len(*c) == 0 {
		return nil
	}
	return fairlead.Errorf(fairlead.Conflict, "nothing was imported: %s", strings.Join(*c, "; "))
}

// check compares the records' names and ids with what is here.
func (im *importing) check(ctx context.Context) (err error) {
	im.p, err = im.Projects.Get(ctx, im.name)
	if err != nil && !fairlead.Is(err, fairlead.NotFound) {
		return err
	}
	var found conflicts
	for _, check := range []func(context.Context, *conflicts) error{im.checkExperiments, im.checkRuns,
		im.checkLoggedModels, im.checkModels, im.checkVersions} {
		if err := check(ctx, &found); err != nil {
			return err
		}
	}
	return found.err()
}

// checkLines checks each record of a file in a transaction.
func checkLines[T any](ctx context.Context, im *importing, file string, found *conflicts,
	check func(tx *store.Tx, record *T) error) error {
	return eachLine(im.root, im.file(file), func(record *T) error {
		err := found.add(im.DB.Read(ctx, func(tx *store.Tx) error { return check(tx, record) }))
		if err != nil && fairlead.Is(err, fairlead.Invalid) {
			return damaged(file, "%s", fairlead.MessageOf(err))
		}
		return err
	})
}

func (im *importing) checkExperiments(ctx context.Context, found *conflicts) error {
	check := func(tx *store.Tx, e *tracking.ExperimentRecord) error {
		here, err := im.experiment(tx, e)
		if err != nil || here != nil {
			return err
		}
		return im.Tracking.CheckExperiment(tx, im.p, e)
	}
	return checkLines(ctx, im, experimentsFile, found, check)
}

func (im *importing) checkRuns(ctx context.Context, found *conflicts) error {
	return checkLines(ctx, im, runsFile, found, func(tx *store.Tx, r *tracking.RunRecord) error {
		return im.Tracking.CheckRun(tx, im.p, r)
	})
}

func (im *importing) checkLoggedModels(ctx context.Context, found *conflicts) error {
	check := func(tx *store.Tx, m *tracking.LoggedModelRecord) error {
		return im.Tracking.CheckLoggedModel(tx, im.p, m)
	}
	return checkLines(ctx, im, loggedModelsFile, found, check)
}

func (im *importing) checkModels(ctx context.Context, found *conflicts) error {
	last := map[string]int64{}
	err := eachLine(im.root, im.file(numbersFile), func(n *registry.NumberRecord) error {
		im.numbers, last[n.Name] = append(im.numbers, *n), n.Last
		return nil
	})
	if err != nil {
		return err
	}
	return checkLines(ctx, im, modelsFile, found, func(tx *store.Tx, m *registry.ModelRecord) error {
		here, err := im.Registry.Here(tx, im.p, m)
		if err != nil || here {
			return err
		}
		return im.Registry.CheckModel(tx, im.p, m, last)
	})
}

func (im *importing) checkVersions(_ context.Context, _ *conflicts) error {
	return eachLine(im.root, im.file(versionsFile), func(v *registry.VersionRecord) error {
		if err := v.Check(); err != nil {
			return damaged(versionsFile, "version %d of model %d: %s", v.N, v.Model, fairlead.MessageOf(err))
		}
		return nil
	})
}

// bring brings everything in, each kind after what it stands on.
func (im *importing) bring(ctx context.Context) (err error) {
	created := im.p.K == 0
	if created {
		if im.p, err = im.Projects.Create(ctx, im.name); err != nil {
			return err
		}
	}
	im.note(func(r *Report) { r.Projects = append(r.Projects, im.name) })
	if err := im.bringSettings(ctx, created); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{
		im.bringExperiments, im.bringDatasets, im.bringRuns, im.bringPoints,
		im.bringLoggedModels, im.bringModelPoints, im.bringArtifacts,
		im.settleRuns, im.settleLoggedModels, im.settleExperiments,
		im.bringModels, im.bringVersions, im.settleModels,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// bringSettings sets what is set of a project that has come into being, and names what
// differs of another.
func (im *importing) bringSettings(ctx context.Context, created bool) error {
	if im.from.KeepDeleted == "" {
		return nil
	}
	set, err := im.Projects.Settings(ctx, im.p)
	if err != nil || set.KeepDeleted == im.from.KeepDeleted {
		return err
	}
	if created {
		return im.Projects.Set(ctx, im.p, spec.Settings{KeepDeleted: im.from.KeepDeleted})
	}
	im.leave("the export's project keeps what is deleted for %s; set it with `fairlead project set "+
		"--keep-deleted`", im.from.KeepDeleted)
	return nil
}

// work is what goes in one transaction: its closures are called again when that is.
type work struct {
	im   *importing
	fns  []func(tx *store.Tx) error
	rows int
}

// workRows bounds the rows of one transaction, so that others wait briefly.
const workRows = 2000

// add adds something that writes about that many rows.
func (w *work) add(ctx context.Context, rows int, fn func(tx *store.Tx) error) error {
	w.fns, w.rows = append(w.fns, fn), w.rows+rows+1
	if w.rows < workRows {
		return nil
	}
	return w.flush(ctx)
}

func (w *work) flush(ctx context.Context) error {
	if len(w.fns) == 0 {
		return nil
	}
	err := w.im.DB.Write(ctx, store.Bulk, func(tx *store.Tx) error {
		for _, fn := range w.fns {
			if err := fn(tx); err != nil {
				return err
			}
		}
		return nil
	})
	w.fns, w.rows = nil, 0
	return err
}

// count adds to the report.
func (im *importing) count(add func(*Counts)) { im.note(func(r *Report) { add(&r.Counts) }) }

// skip notes something that is here already, and that it differs when it does.
func (im *importing) skip(same bool, format string, args ...any) {
	im.note(func(r *Report) { r.Skipped++ })
	if !same {
		im.leave("%s: it is here and differs, and stays as it is here", fmt.Sprintf(format, args...))
	}
}
