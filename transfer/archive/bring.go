package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

// experiment returns the experiment of a record that is here, nil when there is none.
func (im *importing) experiment(tx *store.Tx, e *tracking.ExperimentRecord) (
	here *tracking.ExperimentRecord, err error) {
	id, err := arrivedExperiment(tx, im.p, e)
	if err == nil && id != "" {
		here, err = im.Tracking.ExperimentRecord(tx, im.p, id)
	}
	if err != nil || here != nil {
		return here, err
	}
	return im.Tracking.FindExperiment(tx, im.p, e)
}

func (im *importing) bringExperiments(ctx context.Context) error {
	im.experiments = map[string]string{}
	return eachLine(im.root, im.file(experimentsFile), func(e *tracking.ExperimentRecord) error {
		im.count(func(c *Counts) { c.Experiments++ })
		if _, twice := im.experiments[e.ID]; twice {
			return damaged(experimentsFile, "the experiment %s is there twice", e.ID)
		}
		var here *tracking.ExperimentRecord
		var arriving bool
		err := im.DB.Read(ctx, func(tx *store.Tx) (err error) {
			if here, err = im.experiment(tx, e); err == nil && here != nil {
				arriving, err = isArriving(tx, im.p, "experiment", here.ID)
			}
			return err
		})
		if err != nil {
			return err
		}
		if here != nil {
			im.experiments[e.ID] = here.ID
			want := *e
			if want.ID = here.ID; e.ID == "0" { // every project has one
				want.CreatedMS, want.UpdatedMS = here.CreatedMS, here.UpdatedMS
			}
			if same := want.Same(here); !arriving || !same {
				im.skip(same, "experiment %s (%q)", here.ID, e.Name)
			}
			return nil
		}
		return im.makeExperiment(ctx, e)
	})
}

// makeExperiment brings in an experiment that is not here yet.
func (im *importing) makeExperiment(ctx context.Context, e *tracking.ExperimentRecord) error {
	var id string
	err := im.DB.Write(ctx, store.Bulk, func(tx *store.Tx) (err error) {
		if id, err = im.Tracking.BringExperiment(ctx, tx, im.p, e); err != nil {
			return err
		}
		if err := noteExperiment(tx, im.p, e, id); err != nil {
			return err
		}
		return markArriving(tx, im.p, "experiment", id)
	})
	if err != nil {
		return fmt.Errorf("experiment %s (%q): %w", e.ID, e.Name, err)
	}
	if im.experiments[e.ID] = id; id != e.ID {
		im.leave("experiment %s (%q): the number is taken here, it is %s now", e.ID, e.Name, id)
	}
	return nil
}

// here is what the experiment of a record is here.
func (im *importing) here(file, exp string) (string, error) {
	id, ok := im.experiments[exp]
	if !ok {
		return "", damaged(file, "it names an experiment %.40q, which is not in the export", exp)
	}
	return id, nil
}

func (im *importing) bringDatasets(ctx context.Context) error {
	w := &work{im: im}
	err := eachLine(im.root, im.file(datasetsFile), func(d *tracking.DatasetRecord) error {
		exp, err := im.here(datasetsFile, d.Experiment)
		if err != nil {
			return err
		}
		im.count(func(c *Counts) { c.Datasets++ })
		return w.add(ctx, 1, func(tx *store.Tx) error {
			return im.Tracking.BringDataset(tx, im.p, exp, d)
		})
	})
	return errors.Join(err, w.flush(ctx))
}

func (im *importing) bringRuns(ctx context.Context) error {
	w := &work{im: im}
	err := eachLine(im.root, im.file(runsFile), func(r *tracking.RunRecord) error {
		exp, err := im.here(runsFile, r.Experiment)
		if err != nil {
			return err
		}
		im.count(func(c *Counts) { c.Runs++ })
		var have *tracking.RunRecord
		arriving := false
		err = im.DB.Read(ctx, func(tx *store.Tx) (err error) {
			if arriving, err = isArriving(tx, im.p, "run", r.ID); err == nil && !arriving {
				have, err = im.Tracking.RunRecord(tx, im.p, r.ID)
			}
			return err
		})
		if err != nil {
			return err
		}
		if have != nil {
			want := *r
			want.Experiment = exp
			im.skip(want.Same(have), "run %s", r.ID)
			return nil
		}
		rows := len(r.Params) + len(r.Tags) + len(r.Datasets) + len(r.Models)
		return w.add(ctx, rows, func(tx *store.Tx) error {
			if err := im.Tracking.BringRun(ctx, tx, im.p, exp, r); err != nil {
				return fmt.Errorf("run %s: %w", r.ID, err)
			}
			return markArriving(tx, im.p, "run", r.ID)
		})
	})
	return errors.Join(err, w.flush(ctx))
}

// arriving tells of one thing after another whether it is coming in.
type arriving struct {
	im   *importing
	kind string
	last string
	is   bool
}

func (a *arriving) ask(ctx context.Context, id string) (bool, error) {
	if a.last == id {
		return a.is, nil
	}
	err := a.im.DB.Read(ctx, func(tx *store.Tx) (err error) {
		a.is, err = isArriving(tx, a.im.p, a.kind, id)
		return err
	})
	a.last = id
	return a.is, err
}

// pointChunk is how many points of one run or logged model are written at once.
const pointChunk = 1000

func (im *importing) bringPoints(ctx context.Context) error {
	return bringTable(ctx, im, metricsFile, "run",
		func(at *tracking.PointRecord) string { return at.RunID },
		func(tx *store.Tx, id string, part []tracking.PointRecord) error {
			return im.Tracking.BringPoints(tx, im.p, id, part)
		},
		func(c *Counts, n int64) { c.Points += n })
}

func (im *importing) bringModelPoints(ctx context.Context) error {
	return bringTable(ctx, im, modelMetricsFile, "logged_model",
		func(at *tracking.ModelPointRecord) string { return at.ModelID },
		func(tx *store.Tx, id string, part []tracking.ModelPointRecord) error {
			return im.Tracking.BringModelPoints(tx, im.p, id, part)
		},
		func(c *Counts, n int64) { c.ModelPoints += n })
}

// bringTable brings in the points of what is coming in.
func bringTable[T any](ctx context.Context, im *importing, file, kind string, owner func(*T) string,
	bring func(tx *store.Tx, id string, part []T) error, count func(*Counts, int64)) error {
	w, coming := &work{im: im}, &arriving{im: im, kind: kind}
	var part []T
	last := ""
	flush := func() error {
		id, all := last, part
		part = nil
		im.count(func(c *Counts) { count(c, int64(len(all))) })
		is, err := coming.ask(ctx, id)
		if err != nil || !is || len(all) == 0 {
			return err
		}
		return w.add(ctx, len(all), func(tx *store.Tx) error {
			if err := bring(tx, id, all); err != nil {
				return fmt.Errorf("%s %s: %w", kind, id, err)
			}
			return nil
		})
	}
	err := eachRow(im.root, im.file(file), func(row *T) error {
		if id := owner(row); id != last || len(part) == pointChunk {
			if err := flush(); err != nil {
				return err
			}
			last = strings.Clone(id)
		}
		part = append(part, *row)
		return nil
	})
	if err != nil {
		return err
	}
	if err := flush(); err != nil {
		return err
	}
	return w.flush(ctx)
}

func (im *importing) bringLoggedModels(ctx context.Context) error {
	w := &work{im: im}
	err := eachLine(im.root, im.file(loggedModelsFile), func(m *tracking.LoggedModelRecord) error {
		exp, err := im.here(loggedModelsFile, m.Experiment)
		if err != nil {
			return err
		}
		im.count(func(c *Counts) { c.LoggedModels++ })
		var have *tracking.LoggedModelRecord
		arriving := false
		err = im.DB.Read(ctx, func(tx *store.Tx) (err error) {
			if arriving, err = isArriving(tx, im.p, "logged_model", m.ID); err == nil && !arriving {
				have, err = im.Tracking.LoggedModelRecord(tx, im.p, m.ID)
			}
			return err
		})
		if err != nil {
			return err
		}
		if have != nil {
			want := *m
			want.Experiment = exp
			im.skip(want.Same(have), "logged model %s", m.ID)
			return nil
		}
		return w.add(ctx, len(m.Params)+len(m.Tags), func(tx *store.Tx) error {
			if err := im.Tracking.BringLoggedModel(ctx, tx, im.p, exp, m); err != nil {
				return fmt.Errorf("logged model %s: %w", m.ID, err)
			}
			return markArriving(tx, im.p, "logged_model", m.ID)
		})
	})
	return errors.Join(err, w.flush(ctx))
}

// Files that are stored at once.
const (
	fileChunk = 500
	byteChunk = 256 << 20
)

// bringArtifacts stores the files of what is coming in.
func (im *importing) bringArtifacts(ctx context.Context) error {
	f := &filing{im: im}
	err := eachLine(im.root, im.file(artifactsFile), func(a *artifact) error {
		if _, known := ownerDirs[a.Owner]; !known || !fs.ValidPath(a.File) {
			return damaged(artifactsFile, "it has the file %.200q of a %.40q", a.File, a.Owner)
		}
		if a.Owner == "experiment" {
			id, err := im.here(artifactsFile, a.ID)
			if err != nil {
				return err
			}
			a.ID = id
		}
		return f.add(ctx, a)
	})
	defer f.discard()
	if err != nil {
		return err
	}
	return f.store(ctx)
}

// filing stores files, those of one owner at a time.
type filing struct {
	im     *importing
	coming arriving
	owner  blob.Owner
	batch  *blob.Batch
	files  int64
	bytes  int64
}

func (f *filing) add(ctx context.Context, a *artifact) error {
	if owner := (blob.Owner{Kind: a.Owner, ID: a.ID}); owner != f.owner || f.files == fileChunk ||
		f.bytes > byteChunk {
		if err := f.store(ctx); err != nil {
			return err
		}
		f.owner, f.coming = owner, arriving{im: f.im, kind: owner.Kind}
	}
	if is, err := f.coming.ask(ctx, a.ID); err != nil || !is {
		return err
	}
	if why, missing := f.im.from.Missing[a.File]; missing {
		f.im.leave("%s of %s %s was missing when it was exported: %s", a.Path, a.Owner, a.ID, why)
		return nil
	}
	err := f.read(ctx, a)
	if fairlead.Is(err, fairlead.Invalid) {
		f.im.leave("%s of %s %s: %s", a.Path, a.Owner, a.ID, fairlead.MessageOf(err))
		return nil
	}
	return err
}

// read adds a file to the batch; Invalid when it is not what the export says.
func (f *filing) read(ctx context.Context, a *artifact) error {
	name := path.Join(f.im.dir, a.File)
	in, err := openFile(f.im.root, name)
	if errors.Is(err, fs.ErrNotExist) {
		return damaged(name, "it is missing")
	}
	if err != nil {
		return err
	}
	defer in.Close()
	if f.batch == nil {
		f.batch = f.im.Blobs.NewBatch()
	}
	_, err = f.batch.AddChecked(ctx, a.Path, in, func(o blob.Object) error {
		if o.Digest != a.SHA256 || o.Bytes != a.Bytes {
			return damaged(name, "it has %d bytes with SHA-256 %s", o.Bytes, o.Digest)
		}
		return nil
	})
	if err != nil {
		return err
	}
	f.files, f.bytes = f.files+1, f.bytes+a.Bytes
	return nil
}

// store stores what was added, and links it to its owner.
func (f *filing) store(ctx context.Context) error {
	if f.batch == nil {
		return nil
	}
	entries, err := f.batch.Store(ctx)
	if err != nil {
		return err
	}
	err = f.im.DB.Write(ctx, store.Bulk, func(tx *store.Tx) error {
		return f.im.Blobs.LinkAll(tx, f.im.p, f.owner, "", entries)
	})
	if err != nil {
		return fmt.Errorf("files of %s %s: %w", f.owner.Kind, f.owner.ID, err)
	}
	f.im.count(func(c *Counts) { c.Files, c.Bytes = c.Files+f.files, c.Bytes+f.bytes })
	f.batch, f.files, f.bytes = nil, 0, 0
	return nil
}

func (f *filing) discard() {
	if f.batch != nil {
		f.batch.Discard()
	}
}

// settleRuns takes what is whole out of the trash, where it was not deleted there too.
func (im *importing) settleRuns(ctx context.Context) error {
	w, coming := &work{im: im}, &arriving{im: im, kind: "run"}
	err := eachLine(im.root, im.file(runsFile), func(r *tracking.RunRecord) error {
		if is, err := coming.ask(ctx, r.ID); err != nil || !is {
			return err
		}
		n, err := im.Tracking.CountPoints(ctx, im.p, r.ID)
		if err != nil {
			return err
		}
		if n != r.Points {
			return damaged(metricsFile, "the run %s has %d points and not %d", r.ID, n, r.Points)
		}
		return w.add(ctx, 1, func(tx *store.Tx) error {
			if err := im.Tracking.SettleBrought(ctx, tx, im.p, r); err != nil {
				return err
			}
			return arrived(tx, im.p, "run", r.ID)
		})
	})
	return errors.Join(err, w.flush(ctx))
}

func (im *importing) settleLoggedModels(ctx context.Context) error {
	w, coming := &work{im: im}, &arriving{im: im, kind: "logged_model"}
	err := eachLine(im.root, im.file(loggedModelsFile), func(m *tracking.LoggedModelRecord) error {
		if is, err := coming.ask(ctx, m.ID); err != nil || !is {
			return err
		}
		return w.add(ctx, 1, func(tx *store.Tx) error {
			if err := im.Tracking.SettleBroughtModel(ctx, tx, im.p, m); err != nil {
				return err
			}
			return arrived(tx, im.p, "logged_model", m.ID)
		})
	})
	return errors.Join(err, w.flush(ctx))
}

func (im *importing) settleExperiments(ctx context.Context) error {
	w := &work{im: im}
	for _, id := range im.experiments {
		err := w.add(ctx, 1, func(tx *store.Tx) error { return arrived(tx, im.p, "experiment", id) })
		if err != nil {
			return err
		}
	}
	return w.flush(ctx)
}

// moved is a URI of artifacts in which the experiment has its number of here.
func (im *importing) moved(uri string) string {
	clean, ok := tracking.CleanURI(uri)
	if !ok {
		return uri
	}
	scheme, rest, _ := strings.Cut(clean, "/")
	exp, rest, _ := strings.Cut(rest, "/")
	here, known := im.experiments[exp]
	if !known || here == exp {
		return uri
	}
	return scheme + "/" + here + "/" + rest
}
