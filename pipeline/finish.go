package pipeline

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

// finish stores the outcome of the run: the winner's model is registered with
// what led to it, in the transaction that ends the run and its job.
func (d *driver) finish(ctx context.Context) error {
	d.remove(d.workDir()) // all that counts is stored elsewhere
	d.judgeRun()
	var model []blob.Entry
	if d.run.State == Succeeded {
		var err error
		if model, err = d.modelFiles(ctx); err != nil {
			return err
		}
	}
	return d.job.Commit(ctx, store.Control, func(tx *store.Tx) error {
		if err := d.ignoreTries(ctx, tx); err != nil {
			return err
		}
		if len(model) > 0 {
			if err := d.register(ctx, tx, model); err != nil {
				return err
			}
		}
		if err := d.hold(tx); err != nil {
			return err
		}
		return d.close(ctx, tx, d.p, d.run)
	})
}

// judgeRun decides how the run ended, and says why.
func (d *driver) judgeRun() {
	v := d.verdict()
	refit, refitted := d.parts[Refit]
	switch shared := d.parts[Shared]; {
	case shared.State == Failed:
		d.run.State, d.run.Reason, d.run.Winner = Failed, shared.Reason, 0
	case v.winner == 0:
		d.run.State, d.run.Reason = Failed, v.reason+"; the first one: "+d.firstFailure(v.needed)
		if len(d.plan.tries) == 1 {
			d.run.Reason = d.firstFailure(v.needed)
		}
	case refitted && refit.State == Failed:
		d.run.State, d.run.Reason = Failed, "the refit of the winner failed: "+refit.Reason
	default:
		d.run.State, d.run.Reason = Succeeded, v.reason
	}
	d.run.Reason += d.droppedPoints()
}

// droppedPoints says which step printed more points than are kept, "" for none.
func (d *driver) droppedPoints() string {
	for _, n := range slices.Sorted(maps.Keys(d.parts)) {
		for _, name := range sortedKeys(d.parts[n].steps) {
			if row := d.parts[n].steps[name]; row.Dropped > 0 {
				return fmt.Sprintf("; step %s printed more metrics than are kept: %d points were dropped, "+
					"the newest %d and the last of each name (of %d names at most) are there",
					name, row.Dropped, maxPoints, maxNames)
			}
		}
	}
	return ""
}

func (d *driver) firstFailure(needed int) string {
	for n := 1; n <= needed; n++ {
		if part, ok := d.parts[n]; ok && part.State == Failed {
			return part.Reason
		}
	}
	return "unknown"
}

// ignoreTries marks the tries after the one that ended the search, whether they
// had ended by chance or not. Their runs in tracking keep what they logged.
func (d *driver) ignoreTries(ctx context.Context, tx *store.Tx) error {
	needed := d.verdict().needed
	for n, part := range d.parts {
		if n <= needed {
			continue
		}
		t := part.Try
		if !part.closed {
			if err := d.Tracking.FinishRun(ctx, tx, d.p, t.Run, tracking.Killed, 0); err != nil {
				return err
			}
		}
		t.State, t.Reason = Ignored, errNotNeeded.Error()
		if err := saveTry(tx, d.run.k, t); err != nil {
			return err
		}
	}
	return nil
}

// modelStep returns the step whose output is the candidate: the refit's if that
// makes it, else the winner's. Nil when the pipeline makes no model.
func (d *driver) modelStep() (name string, row *Step) {
	name, ok := d.plan.spec.ModelOutput()
	if !ok {
		return "", nil
	}
	if refit, ok := d.parts[Refit]; ok {
		for _, row := range refit.steps {
			if _, made := row.output(name); made {
				return name, row
			}
		}
	}
	maker, home, _ := d.plan.home(name, Refit, d.run.Winner)
	return name, d.parts[home].steps[maker]
}

// modelFiles returns the files of the candidate, relative to its directory.
func (d *driver) modelFiles(ctx context.Context) ([]blob.Entry, error) {
	name, row := d.modelStep()
	if row == nil {
		return nil, nil
	}
	out, _ := row.output(name)
	if !out.Dir {
		return []blob.Entry{{Path: name, Object: blob.Object{Digest: out.Digest, Bytes: out.Bytes}}}, nil
	}
	files, err := d.Blobs.Files(ctx, d.p, owner(row.ID), name)
	for i := range files {
		files[i].Path = strings.TrimPrefix(files[i].Path, name+"/")
	}
	return files, err
}

// register makes a logged model and a version of the candidate. A candidate whose
// step was answered from the cache, and that an earlier run registered, is that
// version again.
func (d *driver) register(ctx context.Context, tx *store.Tx, files []blob.Entry) error {
	_, row := d.modelStep()
	d.run.modelStep = row.ID
	before, err := d.registeredBefore(tx, row)
	if err != nil {
		return err
	}
	if before != 0 {
		d.run.Version = before
		d.run.Reason = fmt.Sprintf("%s; nothing has changed since version %d", d.verdict().reason, before)
		return nil
	}
	made := d.parts[row.Try]
	winner := d.parts[d.run.Winner]
	lm, err := d.Tracking.CreateLoggedModel(ctx, tx, d.p, tracking.NewLoggedModel{
		Experiment: d.run.Experiment, RunID: made.Run, Name: loggedName(d.run.Model),
		Tags:   []tracking.Tag{{Key: "fairlead.pipeline_run", Value: d.run.ID}},
		Params: trackingParams(winner.Params)})
	if err != nil {
		return err
	}
	err = d.Blobs.LinkAll(tx, d.p, tracking.LoggedModelOwner(lm.ID), "", files)
	if err != nil {
		return err
	}
	err = d.Tracking.FinalizeLoggedModel(ctx, tx, d.p, lm.ID, tracking.ModelReady)
	if err != nil {
		return err
	}
	if _, err := d.Registry.EnsureModel(ctx, tx, d.p, d.run.Model); err != nil {
		return err
	}
	v, err := d.Registry.CreateVersion(ctx, tx, d.p, registry.NewVersion{
		Model: d.run.Model, Source: "models:/" + lm.ID, RunID: winner.Run, LoggedModelID: lm.ID,
		Description: fmt.Sprintf("winner of pipeline run %s: %s", d.run.ID, d.run.Reason),
		ProducedBy:  d.lineage(winner.Params)})
	if err == nil {
		d.run.Version = v.N
	}
	return err
}

// hold keeps the version for the case that is going to judge it.
func (d *driver) hold(tx *store.Tx) error {
	if d.run.Version == 0 || d.run.Case == "" {
		return nil
	}
	return d.Registry.Hold(tx, d.p, d.run.Model, d.run.Version, registry.CaseHolder(d.run.Case))
}

// registeredBefore returns the newest version that an earlier run made of what a
// cached step has; 0 when there is none, or it is retired or deleted.
func (d *driver) registeredBefore(tx *store.Tx, row *Step) (int64, error) {
	if row.State != Cached {
		return 0, nil
	}
	n, err := versionOf(tx, d.p, d.run, row)
	if err != nil || n == 0 {
		return 0, err
	}
	v, err := d.Registry.Version(tx, d.p, d.run.Model, n)
	if fairlead.Is(err, fairlead.NotFound) || err == nil && v.Retired() {
		return 0, nil
	}
	return n, err
}

// loggedName is a model's name without what a logged model's may not have.
func loggedName(model string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(`/:.%"'`, r) {
			return '-'
		}
		return r
	}, model)
}

func (d *driver) lineage(params Params) registry.Lineage {
	l := registry.Lineage{PipelineRun: d.run.ID, Commit: d.run.Commit, EnvLock: d.lock,
		SpecRev: d.run.SpecRev, Cause: d.run.Cause, Params: map[string]any{}}
	for step, values := range params {
		l.Params[step] = values
	}
	for _, name := range sortedKeys(d.run.Inputs) {
		l.Datasets = append(l.Datasets, d.run.Inputs[name])
	}
	if d.run.Holdout != (data.Ref{}) {
		l.Datasets = append(l.Datasets, d.run.Holdout)
	}
	return l
}
