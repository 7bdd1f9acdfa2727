package transfer

import (
	"context"
	"errors"
	"fmt"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

func (im *importing) models(ctx context.Context, at *place) error {
	return im.src.models(ctx, at.there.ID, func(m *model) error {
		if err := im.model(ctx, at, m); err != nil {
			return fmt.Errorf("logged model %s: %w", m.ID, err)
		}
		im.note(func(r *Report) { r.LoggedModels++ })
		return nil
	})
}

// model brings in a logged model with its files; one that is deleted there is active here
// until trashModel, so that versions can be made of it.
func (im *importing) model(ctx context.Context, at *place, m *model) error {
	key, digest := im.key("logged model", m.ID), digestOf(m)
	was, err := im.known(ctx, key)
	if err != nil {
		return err
	}
	if was.whole && was.digest == digest && was.state == m.State {
		im.note(func(r *Report) { r.Skipped++ })
		return nil
	}
	state, err := im.beginModel(ctx, at, m, key, was)
	if err != nil || state == "" {
		return err
	}
	if m.State == tracking.Deleted {
		im.trash = append(im.trash, *m)
	}
	var want tracking.Contents
	now := came{target: m.ID, digest: digest, state: state, whole: m.Status != tracking.ModelPending}
	if was.digest != digest {
		if want, err = im.fillModel(ctx, at, m); fairlead.Is(err, fairlead.Invalid) {
			im.leave("logged model %s is here in part: %s", m.ID, fairlead.MessageOf(err))
			now.digest, now.whole = "", false
		} else if err != nil {
			return err
		}
	}
	n, all, err := im.files(ctx, tracking.LoggedModelOwner(m.ID), m.Artifacts)
	if err != nil {
		return err
	}
	now.whole, want.Files = now.whole && all, n
	have, err := im.tracking.CountLoggedModel(ctx, im.p, m.ID)
	if err != nil {
		return err
	}
	if few := lacks(have, want); few != "" {
		im.leave("logged model %s is here in part: %s", m.ID, few)
		now.digest, now.whole = "", false
	}
	return im.settleModel(ctx, m, now)
}

// beginModel makes the logged model, or finds the one that came in before, and returns its
// state here, which is empty when it is not to be taken.
func (im *importing) beginModel(ctx context.Context, at *place, m *model, key key, was came) (
	state string, err error) {
	err = im.db.Write(ctx, store.Bulk, func(tx *store.Tx) error {
		var exp string
		exp, state, err = im.tracking.FindLoggedModel(tx, im.p, m.ID)
		switch {
		case fairlead.Is(err, fairlead.NotFound) && was.target != "":
			im.leave("logged model %s came in before, and has been purged here since", m.ID)
			return errLeft
		case fairlead.Is(err, fairlead.NotFound):
			_, err = im.tracking.CreateLoggedModel(ctx, tx, im.p, tracking.NewLoggedModel{ID: m.ID,
				Experiment: at.came.target, RunID: m.RunID, Name: m.Name, Type: m.Type})
			if store.IsUnique(err) {
				return elsewhere("logged model")
			}
			state = tracking.Active
		case err == nil && exp != at.came.target:
			return fairlead.Errorf(fairlead.Conflict, "a logged model with its id is in experiment %s", exp)
		case err == nil && state == tracking.Deleted && was.state != tracking.Deleted:
			im.leave("logged model %s was deleted here, so what is new of it is not taken", m.ID)
			return errLeft
		}
		if err != nil {
			return err
		}
		return record(tx, key, came{target: m.ID, digest: was.digest, state: state})
	})
	if errors.Is(err, errLeft) {
		return "", nil
	}
	return state, err
}

// fillModel brings in a logged model's data and returns how much it is.
func (im *importing) fillModel(ctx context.Context, at *place, m *model) (n tracking.Contents,
	err error) {
	if err := im.tracking.ImportModelData(ctx, im.p, m.ID, m.Tags, m.Params); err != nil {
		return n, err
	}
	n = tracking.Contents{Params: len(m.Params), Tags: len(m.Tags)}
	strays := 0
	err = im.stream(func(each func(tracking.Metric) error) error {
		n.Points, err = im.src.measured(ctx, at.there.ID, m, each)
		return err
	}, func(points []tracking.Metric) error {
		missing, err := im.tracking.ImportModelPoints(ctx, im.p, m.ID, points)
		strays += missing
		return err
	})
	if err == nil && strays > 0 {
		im.leave("%d points of logged model %s: the runs that measured them are not here", strays, m.ID)
	}
	n.Points -= strays
	return n, err
}

// settleModel gives a logged model its status, times and state, and notes it.
func (im *importing) settleModel(ctx context.Context, m *model, now came) error {
	return im.db.Write(ctx, store.Bulk, func(tx *store.Tx) error {
		err := im.tracking.SettleLoggedModel(ctx, tx, im.p, m.ID, m.Status, now.state, m.CreatedMS,
			m.UpdatedMS)
		if err != nil {
			return err
		}
		return record(tx, im.key("logged model", m.ID), now)
	})
}

// trashModel deletes a logged model that was deleted there.
func (im *importing) trashModel(ctx context.Context, m *model) error {
	now, err := im.known(ctx, im.key("logged model", m.ID))
	if err != nil || now.state == tracking.Deleted {
		return err
	}
	now.state = tracking.Deleted
	return im.settleModel(ctx, m, now)
}
