package transfer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

// importing is one import.
type importing struct {
	*Service
	p     fairlead.Project
	src   source
	trash []model // logged models that are deleted there
}

// all brings in everything. Runs come before the logged models that name them, both before
// the versions that are made of them, and only then logged models and experiments are
// deleted that were deleted there.
func (im *importing) all(ctx context.Context) error {
	experiments, err := im.src.experiments(ctx)
	if err != nil {
		return err
	}
	var places []*place
	for _, e := range experiments {
		at, err := im.place(ctx, e)
		if fairlead.Is(err, fairlead.Invalid) {
			im.leave("experiment %q: %s", e.Name, fairlead.MessageOf(err))
			continue
		}
		if err != nil {
			return fmt.Errorf("experiment %q: %w", e.Name, err)
		}
		if at != nil {
			places = append(places, at)
		}
		im.note(func(r *Report) { r.Experiments++ })
	}
	for _, step := range []func(context.Context, *place) error{im.runs, im.models} {
		for _, at := range places {
			if err := step(ctx, at); err != nil {
				return fmt.Errorf("experiment %q: %w", at.there.Name, err)
			}
		}
	}
	if err := im.src.registered(ctx, func(m *registered) error {
		if err := im.registered(ctx, m); err != nil {
			return fmt.Errorf("model %q: %w", m.Name, err)
		}
		return nil
	}); err != nil {
		return err
	}
	for i := range im.trash {
		if err := im.trashModel(ctx, &im.trash[i]); err != nil {
			return fmt.Errorf("logged model %s: %w", im.trash[i].ID, err)
		}
	}
	for _, at := range places {
		if err := im.settle(ctx, at); err != nil {
			return fmt.Errorf("experiment %q: %w", at.there.Name, err)
		}
	}
	return nil
}

// place is an experiment there, and where what is in it comes here.
type place struct {
	there experiment
	key   key
	came  came
}

// place finds the experiment's place, or makes it; nil when nothing of it is to be taken.
func (im *importing) place(ctx context.Context, e experiment) (*place, error) {
	// an experiment has another path with each copy of its store, and may be renamed
	born := strconv.FormatInt(e.CreatedMS, 10)
	if e.CreatedMS == 0 {
		born = e.Name
	}
	at := &place{there: e, key: im.key("experiment", e.ID+"@"+born)}
	var err error
	if at.came, err = im.known(ctx, at.key); err != nil {
		return nil, err
	}
	if at.came.target == "" {
		return at, im.newExperiment(ctx, at)
	}
	here, err := im.tracking.Experiment(ctx, im.p, at.came.target)
	trashed := at.came.whole && at.came.state == tracking.Deleted
	switch {
	case fairlead.Is(err, fairlead.NotFound):
		im.leave("experiment %q came in before, and has been purged here since", e.Name)
		return nil, nil
	case err != nil:
		return nil, err
	case trashed && e.State == tracking.Deleted: // it takes nothing more, and was whole
		return nil, im.skip(ctx, e)
	case trashed && here.State == tracking.Deleted:
		im.leave("experiment %q was restored there after it came in deleted; restore experiment %s here, "+
			"and import again", e.Name, here.ID)
		return nil, nil
	case here.State == tracking.Deleted:
		im.leave("experiment %q was deleted here (%s), so nothing of it is taken", e.Name, here.ID)
		return nil, nil
	}
	return at, nil
}

// skip counts what came in with a deleted experiment.
func (im *importing) skip(ctx context.Context, e experiment) error {
	err := im.src.runs(ctx, e.ID, func(*run) error {
		im.note(func(r *Report) { r.Runs, r.Skipped = r.Runs+1, r.Skipped+1 })
		return nil
	})
	if err != nil {
		return err
	}
	return im.src.models(ctx, e.ID, func(*model) error {
		im.note(func(r *Report) { r.LoggedModels, r.Skipped = r.LoggedModels+1, r.Skipped+1 })
		return nil
	})
}

// newExperiment takes the active experiment of the name, or makes it. One that was
// deleted there must not be the one that is active here.
func (im *importing) newExperiment(ctx context.Context, at *place) error {
	e := &at.there
	have, err := im.tracking.ExperimentByName(ctx, im.p, e.Name)
	if err == nil && have.State == tracking.Active && e.State == tracking.Deleted {
		return fairlead.Errorf(fairlead.Conflict,
			"it was deleted there, and experiment %s here has its name; rename that one, and import again",
			have.ID)
	}
	if err != nil && !fairlead.Is(err, fairlead.NotFound) {
		return err
	}
	return im.db.Write(ctx, store.Bulk, func(tx *store.Tx) error {
		made, err := im.tracking.ImportExperiment(ctx, tx, im.p, e.Name, e.Tags)
		if err != nil {
			return err
		}
		at.came = came{target: made.ID, state: tracking.Active}
		return record(tx, at.key, at.came)
	})
}

// settle gives an experiment its times and state, when all that is in it has come.
func (im *importing) settle(ctx context.Context, at *place) error {
	e := &at.there
	if at.came.whole && at.came.state == e.State {
		return nil
	}
	return im.db.Write(ctx, store.Bulk, func(tx *store.Tx) error {
		if !at.came.whole && at.came.target != "0" || e.State == tracking.Deleted {
			err := im.tracking.SettleExperiment(ctx, tx, im.p, at.came.target, e.CreatedMS, e.UpdatedMS,
				e.DeletedMS)
			if err != nil {
				return err
			}
		}
		return record(tx, at.key, came{target: at.came.target, state: e.State, whole: true})
	})
}

// batch is how many params or tags go in one write; of points ten times as many.
const batch = 100

// stream passes points on in batches, so that memory does not grow with a history.
func (im *importing) stream(read func(each func(tracking.Metric) error) error,
	write func([]tracking.Metric) error) error {
	buffer := make([]tracking.Metric, 0, 10*batch)
	flush := func() error {
		err := write(buffer)
		buffer = buffer[:0]
		return err
	}
	err := read(func(m tracking.Metric) error {
		if buffer = append(buffer, m); len(buffer) < cap(buffer) {
			return nil
		}
		return flush()
	})
	if err != nil || len(buffer) == 0 {
		return err
	}
	return flush()
}

// files brings in the files below a URI, and returns how many, and whether that is all.
func (im *importing) files(ctx context.Context, o blob.Owner, uri string) (n int, all bool,
	err error) {
	left, err := im.src.files(ctx, o, uri, func(path string, r io.Reader) error {
		err := im.tracking.ImportArtifact(ctx, im.p, tracking.Place{Owner: o, Path: path}, r)
		if fairlead.Is(err, fairlead.Invalid) || fairlead.Is(err, fairlead.Precondition) {
			im.leave("%s of %s: %s", path, called(o), fairlead.MessageOf(err))
			return nil
		}
		if err == nil {
			n++
			im.note(func(r *Report) { r.Files++ })
		}
		return err
	})
	for _, what := range left {
		im.leave("%s", what)
	}
	return n, len(left) == 0, err
}

// called names an owner as people do.
func called(o blob.Owner) string {
	if o.Kind == "logged_model" {
		return "logged model " + o.ID
	}
	return o.Kind + " " + o.ID
}

// lacks compares what is here now of something with what was read of it, and says what is
// fewer; nothing when it is all.
func lacks(have, want tracking.Contents) string {
	if have.Points < want.Points || have.Params < want.Params || have.Tags < want.Tags ||
		have.Links < want.Links || have.Files < want.Files {
		return fmt.Sprintf("%d points, %d params, %d tags, %d inputs and outputs "+
			"and %d files are here, of %d, %d, %d, %d and %d that were read", have.Points, have.Params,
			have.Tags, have.Links, have.Files, want.Points, want.Params, want.Tags, want.Links, want.Files)
	}
	return ""
}

// digestOf identifies what something was in the source.
func digestOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil { // NaN and infinities are no JSON
		b = fmt.Appendf(nil, "%+v", v)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
