package transfer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

func (im *importing) runs(ctx context.Context, at *place) error {
	return im.src.runs(ctx, at.there.ID, func(r *run) error {
		if err := im.run(ctx, at, r); err != nil {
			return fmt.Errorf("run %s: %w", r.ID, err)
		}
		im.note(func(rep *Report) { rep.Runs++ })
		return nil
	})
}

// run brings in a run with its history and files; its state comes last, and only then
// it is noted as whole. One that still runs is looked at again each time.
func (im *importing) run(ctx context.Context, at *place, r *run) error {
	key, digest := im.key("run", r.ID), digestOf(r)
	was, err := im.known(ctx, key)
	if err != nil {
		return err
	}
	if was.whole && was.digest == digest {
		im.note(func(rep *Report) { rep.Skipped++ })
		return nil
	}
	if taken, err := im.beginRun(ctx, at, r, key, was); err != nil || !taken {
		return err
	}
	var want tracking.Contents
	runs := r.Status == tracking.Running || r.Status == tracking.Scheduled
	now := came{target: r.ID, digest: digest, state: r.State, whole: !runs}
	if was.digest != digest {
		if want, err = im.fillRun(ctx, at, r); fairlead.Is(err, fairlead.Invalid) {
			im.leave("run %s is here in part: %s", r.ID, fairlead.MessageOf(err))
			now.digest, now.whole = "", false
		} else if err != nil {
			return err
		}
	}
	n, all, err := im.files(ctx, tracking.RunOwner(r.ID), r.Artifacts)
	if err != nil {
		return err
	}
	now.whole, want.Files = now.whole && all, n
	have, err := im.tracking.CountRun(ctx, im.p, r.ID)
	if err != nil {
		return err
	}
	if few := lacks(have, want); few != "" {
		im.leave("run %s is here in part: %s", r.ID, few)
		now.digest, now.whole = "", false
	}
	deleted := r.DeletedMS
	if deleted != 0 && at.there.DeletedMS != 0 {
		deleted = at.there.DeletedMS // so that restoring the experiment restores it
	}
	return im.db.Write(ctx, store.Bulk, func(tx *store.Tx) error {
		if err := im.tracking.SettleRun(ctx, tx, im.p, r.ID, r.Status, r.EndMS, deleted); err != nil {
			return err
		}
		return record(tx, key, now)
	})
}

// errLeft ends a transaction about something that is not taken; it was said why.
var errLeft = errors.New("left out")

// beginRun makes the run, or finds the one that came in before, and reports whether it is
// to be taken.
func (im *importing) beginRun(ctx context.Context, at *place, r *run, key key, was came) (
	taken bool, err error) {
	err = im.db.Write(ctx, store.Bulk, func(tx *store.Tx) error {
		exp, state, err := im.tracking.FindRun(tx, im.p, r.ID)
		switch {
		case fairlead.Is(err, fairlead.NotFound) && was.target != "":
			im.leave("run %s came in before, and has been purged here since", r.ID)
			return errLeft
		case fairlead.Is(err, fairlead.NotFound):
			_, err = im.tracking.CreateRun(ctx, tx, im.p, tracking.NewRun{ID: r.ID,
				Experiment: at.came.target, Name: r.Name, User: r.User, StartMS: r.StartMS})
			if store.IsUnique(err) {
				return elsewhere("run")
			}
			state = tracking.Active
		case err == nil && exp != at.came.target:
			return fairlead.Errorf(fairlead.Conflict, "a run with its id is in experiment %s", exp)
		case err == nil && state == tracking.Deleted && was.state != tracking.Deleted:
			im.leave("run %s was deleted here, so what is new of it is not taken", r.ID)
			return errLeft
		}
		if err != nil {
			return err
		}
		return record(tx, key, came{target: r.ID, digest: was.digest, state: state})
	})
	if errors.Is(err, errLeft) {
		return false, nil
	}
	return err == nil, err
}

func elsewhere(what string) error {
	return fairlead.Errorf(fairlead.Conflict, "a %s with its id is in another project, and ids are "+
		"given once; import into that project, or purge it there first", what)
}

// fillRun brings in a run's data and returns how much it is.
func (im *importing) fillRun(ctx context.Context, at *place, r *run) (n tracking.Contents,
	err error) {
	log := func(b tracking.Batch) error { return im.tracking.ImportBatch(ctx, im.p, r.ID, b) }
	for part := range slices.Chunk(r.Params, batch) {
		if err := log(tracking.Batch{Params: part}); err != nil {
			return n, err
		}
	}
	for part := range slices.Chunk(r.Tags, batch) {
		if err := log(tracking.Batch{Tags: part}); err != nil {
			return n, err
		}
	}
	n = tracking.Contents{Params: len(r.Params), Tags: len(r.Tags),
		Links: len(r.Datasets) + len(r.ModelInputs) + len(r.ModelOutputs)}
	err = im.stream(func(each func(tracking.Metric) error) error {
		n.Points, err = im.src.points(ctx, at.there.ID, r, each)
		return err
	}, func(points []tracking.Metric) error {
		im.note(func(rep *Report) { rep.Points += len(points) })
		return log(tracking.Batch{Metrics: points})
	})
	if err != nil || n.Links == 0 {
		return n, err
	}
	return n, im.tracking.ImportLinks(ctx, im.p, r.ID, r.Datasets, r.ModelInputs, r.ModelOutputs)
}
