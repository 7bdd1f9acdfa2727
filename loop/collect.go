package loop

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/label"
	"github.com/fairlead-ml/fairlead/pipeline"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

// collectJob makes a case's dataset versions.
const collectJob = "loop.collect"

type collectPayload struct {
	Case string `json:"case"`
}

func (s *Service) enqueueCollect(tx *store.Tx, p fairlead.Project, c *Case) error {
	_, _, err := s.Jobs.Enqueue(tx, job.Task{Project: p, Kind: collectJob, Key: c.ID,
		Payload: collectPayload{c.ID}})
	return err
}

// collect turns the files of the commit and what production saw into dataset
// versions, as of the case's opening, splits the holdout off, and takes the case
// on: to training, or, for a version that is there already, to packaging.
func (s *Service) collect(ctx context.Context, r *job.Run) error {
	p := r.Job.Project
	var in collectPayload
	if err := r.Job.Decode(&in); err != nil {
		return err
	}
	var c *Case
	var rev *spec.Revision
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if c, err = readCase(tx, p, in.Case); err != nil {
			return err
		}
		rev, err = s.Projects.Revision(tx, p, c.SpecRev)
		return err
	})
	if err != nil || c.State != Collecting {
		return err
	}
	inputs, holdout, err := s.datasets(ctx, p, c, rev.Spec)
	if err != nil {
		return err
	}
	return r.Commit(ctx, store.Control, func(tx *store.Tx) error {
		if c, err = readCase(tx, p, in.Case); err != nil || c.State != Collecting {
			return err
		}
		c.Inputs, c.Holdout = inputs, holdout
		if c.Version != 0 {
			c.Reason = fmt.Sprintf("version %d is there already", c.Version)
			return s.pack(ctx, tx, p, c)
		}
		return s.train(ctx, tx, p, c, rev.Spec)
	})
}

// collected closes the case when its data could not be made.
func (s *Service) collected(ctx context.Context, tx *store.Tx, j *job.Job) error {
	if j.State == job.Done {
		return nil
	}
	p := j.Project
	c, err := readCase(tx, p, j.Key)
	if err != nil || c.State != Collecting {
		return err
	}
	return s.close(ctx, tx, p, c, Failed, "the data cannot be collected: "+j.Error)
}

// train starts the pipeline: with the search space, or on the settings of the
// last version that a pipeline made.
func (s *Service) train(ctx context.Context, tx *store.Tx, p fairlead.Project, c *Case,
	sp *spec.Spec) error {
	start := pipeline.Start{Case: c.ID, SpecRev: c.SpecRev, Commit: c.Commit, Inputs: c.Inputs,
		Holdout: c.Holdout, Cause: c.Cause}
	if !c.Search && sp.Pipeline.Search != nil {
		params, err := s.Registry.LastParams(tx, p, c.Model)
		if err != nil {
			return err
		}
		start.Fixed = params
	}
	id, err := s.Train(ctx, tx, p, start)
	if err != nil {
		return err
	}
	c.State, c.PipelineRun, c.Reason = Training, id, "on the settings of the file"
	switch {
	case start.Fixed != nil:
		c.Reason = "on the settings of the last winner"
	case sp.Pipeline.Search != nil:
		c.Reason = "with a search of settings"
	}
	return s.advance(ctx, tx, p, c)
}

// datasets makes the versions of all entries of `data`, and the holdout.
func (s *Service) datasets(ctx context.Context, p fairlead.Project, c *Case, sp *spec.Spec) (
	map[string]data.Ref, data.Ref, error) {
	work := filepath.Join(s.Dir, "work", c.ID)
	defer os.RemoveAll(work)
	if err := os.RemoveAll(work); err != nil { // what a crash left
		return nil, data.Ref{}, err
	}
	if err := s.SCM.Checkout(ctx, p, c.Commit, work); err != nil {
		return nil, data.Ref{}, err
	}
	refs := make([]data.Ref, len(sp.Data))
	times := map[string]string{}
	for i, d := range sp.Data {
		v, err := s.dataset(ctx, p, c, sp, d, work)
		if err != nil {
			return nil, data.Ref{}, named("data "+d.Name, err)
		}
		refs[i] = data.Ref{Dataset: v.Dataset, N: v.N}
		times[v.Dataset] = timeColumn(d)
	}
	var holdout data.Ref
	if sp.Holdout != nil && len(refs) > 0 {
		var err error
		refs, holdout, err = s.Data.Split(ctx, p, refs, data.Holdout{
			TimeColumn: times, Last: sp.Holdout.Last.Duration, At: c.OpenedAt})
		if err != nil {
			return nil, data.Ref{}, named("holdout", err)
		}
	}
	inputs := make(map[string]data.Ref, len(refs))
	for i, d := range sp.Data {
		inputs[d.Name] = refs[i]
	}
	return inputs, holdout, nil
}

// named says in an error that people see which part of the file it is about.
func named(part string, err error) error {
	code := fairlead.CodeOf(err)
	if code == fairlead.Internal {
		return fmt.Errorf("%s: %w", part, err)
	}
	return fairlead.Errorf(code, "%s: %s", part, fairlead.MessageOf(err)).Because(err)
}

func timeColumn(d spec.NamedData) string {
	if d.From == spec.FromRequests {
		return label.TimeColumn
	}
	return d.Time
}

func (s *Service) dataset(ctx context.Context, p fairlead.Project, c *Case, sp *spec.Spec,
	d spec.NamedData, work string) (*data.Version, error) {
	if d.From == spec.FromRequests {
		env := d.Environment
		if env == "" {
			last, _ := sp.LastEnvironment()
			env = last.Name
		}
		return s.Label.CreateDataset(ctx, p, label.Collect{
			Dataset: d.Name, Endpoint: c.Model + "@" + env, Labelled: d.Labelled, Last: d.Last.Duration,
			AsOf: c.OpenedAt, LabelColumn: labelColumn(sp),
		})
	}
	found, err := match(work, d.From)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, fairlead.Errorf(fairlead.NotFound,
			"no file of commit %.12s matches %q; commit it, or correct `from`", c.Commit, d.From)
	}
	return s.Data.Ingest(ctx, p, data.Ingest{
		Dataset: d.Name, Files: found, Dir: work, Time: d.Time, Key: d.Key, Label: d.Label,
		Last: d.Last.Duration, Source: data.SourceFile, Commit: c.Commit, Expect: d.Expect,
		At: c.OpenedAt,
	})
}

// match returns the files below dir that the pattern names, in the order of their
// names.
func match(dir, pattern string) (found []string, err error) {
	err = fs.WalkDir(os.DirFS(dir), ".", func(name string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && spec.MatchFile(pattern, name) {
			found = append(found, filepath.Join(dir, filepath.FromSlash(name)))
		}
		return err
	})
	slices.Sort(found)
	return found, err
}

// labelColumn is what the label is called in datasets of requests: as in the
// project's files.
func labelColumn(sp *spec.Spec) string {
	for _, d := range sp.Data {
		if d.Label != "" {
			return d.Label
		}
	}
	return label.DefaultColumn
}
