package tracking

import (
	"context"
	"io"
	"slices"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/store"
)

// What is brought in from elsewhere keeps the ids, times and states that it has there. It
// is written while it is active or deleted here, as it comes, and settled at its end.

// ImportExperiment returns the active experiment of that name, and makes it when there is
// none; the tags are set.
func (s *Service) ImportExperiment(ctx context.Context, tx *store.Tx, p fairlead.Project,
	name string, tags []Tag) (*Experiment, error) {
	if err := validateExperiment(name, tags); err != nil {
		return nil, err
	}
	e, err := s.EnsureExperiment(ctx, tx, p, name)
	if err != nil {
		return nil, err
	}
	for _, t := range tags {
		if err := upsertExperimentTag(tx, e.k, t); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// SettleExperiment gives an active experiment that was brought in its times and, when it
// was deleted there, the time of that, 0 for never; restoring it restores its runs that
// were deleted then.
func (s *Service) SettleExperiment(ctx context.Context, tx *store.Tx, p fairlead.Project,
	id string, createdMS, updatedMS, deletedMS int64) error {
	e, err := s.activeExperiment(ctx, tx, p, id)
	if err != nil {
		return err
	}
	if deletedMS != 0 {
		e.State, e.DeletedMS = Deleted, deletedMS
	}
	if err := updateExperiment(tx, e, updatedMS); err != nil {
		return err
	}
	_, err = tx.Exec("update experiment set created_ms = ?, arrived_ms = ? where k = ?", createdMS,
		s.nowMS(), e.k)
	if err != nil || deletedMS == 0 {
		return err
	}
	return s.emitExperiment(ctx, tx, p, e, event.ExperimentDeletedType)
}

// FindRun returns the experiment and the state of a run, also of a deleted one.
func (s *Service) FindRun(tx *store.Tx, p fairlead.Project, id string) (experiment, state string,
	err error) {
	r, err := runByID(tx, p, id)
	if err != nil {
		return "", "", err
	}
	return r.ExperimentID, r.State, nil
}

// ImportBatch is LogBatch for a run that is brought in, which may be deleted.
func (s *Service) ImportBatch(ctx context.Context, p fairlead.Project, runID string,
	b Batch) error {
	b.past = true
	return s.LogBatch(ctx, p, runID, b)
}

// ImportLinks notes what a run that is brought in read and made. Logged models are not
// looked for: a run goes on naming one that has been deleted.
func (s *Service) ImportLinks(ctx context.Context, p fairlead.Project, runID string,
	datasets []DatasetInput, inputs []string, outputs []ModelOutput) error {
	for part := range slices.Chunk(datasets, maxDatasets) {
		if err := validateInputs(part); err != nil {
			return err
		}
	}
	return s.db.Write(ctx, store.Bulk, func(tx *store.Tx) error {
		r, err := runByID(tx, p, runID)
		if err != nil {
			return err
		}
		for _, d := range datasets {
			if err := insertInput(tx, r.k, d); err != nil {
				return err
			}
		}
		for _, id := range inputs {
			if err := insertRunModel(tx, r.k, "input", ModelOutput{ModelID: id}); err != nil {
				return err
			}
		}
		for _, m := range outputs {
			if err := insertRunModel(tx, r.k, "output", m); err != nil {
				return err
			}
		}
		return nil
	})
}

// SettleRun gives a run that was brought in its end: status, end and, when it was deleted
// there, the time of that, 0 for never.
func (s *Service) SettleRun(ctx context.Context, tx *store.Tx, p fairlead.Project, id,
	status string, endMS, deletedMS int64) error {
	r, err := runByID(tx, p, id)
	if err != nil {
		return err
	}
	was := r.State
	r.State, r.DeletedMS = Active, deletedMS
	if deletedMS != 0 {
		r.State = Deleted
	}
	if err := s.updateRun(ctx, tx, p, r, Update{Status: &status, EndMS: &endMS}); err != nil {
		return err
	}
	switch r.State {
	case was:
		return nil
	case Deleted:
		return s.emitRun(ctx, tx, p, r, event.RunDeletedType)
	}
	return s.emitRun(ctx, tx, p, r, event.RunRestoredType)
}

// FindLoggedModel returns the experiment and the state of a logged model, also of a
// deleted one.
func (s *Service) FindLoggedModel(tx *store.Tx, p fairlead.Project, id string) (experiment,
	state string, err error) {
	m, err := anyLoggedModel(tx, p, id)
	if err != nil {
		return "", "", err
	}
	return m.ExperimentID, m.State, nil
}

func anyLoggedModel(tx *store.Tx, p fairlead.Project, id string) (*LoggedModel, error) {
	m, err := scanLoggedModel(tx.QueryRow("select "+loggedModelColumns+` from logged_model m
		join experiment e on e.k = m.exp_k
		where m.id = ? and m.project_k = ? and m.state <> 'purging' and e.state <> 'purging'`, id, p.K))
	return m, found(err, "Logged model with ID '%s' not found.", id)
}

// ImportModelData sets tags and adds params of a logged model that is brought in.
func (s *Service) ImportModelData(ctx context.Context, p fairlead.Project, id string, tags []Tag,
	params []Param) error {
	n := NewLoggedModel{Tags: tags, Params: params}
	if err := n.check(); err != nil {
		return err
	}
	return s.db.Write(ctx, store.Bulk, func(tx *store.Tx) error {
		m, err := anyLoggedModel(tx, p, id)
		if err != nil {
			return err
		}
		if err := upsertModelTags(tx, m.k, n.Tags); err != nil {
			return err
		}
		return insertModelParams(tx, m.k, n.Params)
	})
}

// ImportModelPoints stores what runs measured on a logged model that is brought in, beside
// the histories of those runs, and returns how many points are of runs that are not here.
func (s *Service) ImportModelPoints(ctx context.Context, p fairlead.Project, id string,
	points []Metric) (strays int, err error) {
	points = slices.Clone(points)
	for i := range points {
		if err := points[i].check(""); err != nil {
			return 0, err
		}
	}
	var learned map[string]int64
	err = s.db.Write(ctx, store.Bulk, func(tx *store.Tx) error {
		ring := s.keyring(tx)
		m, err := anyLoggedModel(tx, p, id)
		if err != nil {
			return err
		}
		strays, err = storeModelPoints(ring, p, m.k, points)
		learned = ring.learned
		return err
	})
	if err == nil {
		s.keys.add(learned)
	}
	return strays, err
}

// storeModelPoints stores what was measured on a logged model, and returns how many points are
// of runs that are not here.
func storeModelPoints(ring *keyring, p fairlead.Project, modelK int64, points []Metric) (strays int,
	err error) {
	runs := map[string]int64{} // 0 is not here
	var args []any
	for i := range points {
		x := &points[i]
		if _, ok := runs[x.RunID]; !ok {
			r, err := runByID(ring.tx, p, x.RunID)
			if err != nil && !fairlead.Is(err, fairlead.NotFound) {
				return 0, err
			}
			if err == nil {
				runs[x.RunID] = r.k
			} else {
				runs[x.RunID] = 0
			}
		}
		if runs[x.RunID] == 0 {
			strays++
			continue
		}
		key, err := ring.key(x.Key)
		if err != nil {
			return 0, err
		}
		pt := newPoint(key, x)
		args = append(args, modelK, key, x.DatasetName, x.DatasetDigest, runs[x.RunID], pt.step, pt.ts,
			pt.value, pt.nan)
	}
	return strays, insertModelPoints(ring.tx, args)
}

// SettleLoggedModel gives a logged model that was brought in its status, times and state.
func (s *Service) SettleLoggedModel(ctx context.Context, tx *store.Tx, p fairlead.Project, id,
	status, state string, createdMS, updatedMS int64) error {
	m, err := anyLoggedModel(tx, p, id)
	if err != nil {
		return err
	}
	was, finished := m.State, m.Status != status
	m.Status, m.State = status, state
	if err := updateLoggedModel(tx, m, updatedMS); err != nil {
		return err
	}
	_, err = tx.Exec("update logged_model set created_ms = ?, arrived_ms = ? where k = ?", createdMS,
		s.nowMS(), m.k)
	if err != nil {
		return err
	}
	if finished {
		err = s.emitLoggedModel(ctx, tx, p, m, event.LoggedModelFinishedType)
	}
	if err == nil && was != state && state == Deleted {
		err = s.emitLoggedModel(ctx, tx, p, m, event.LoggedModelDeletedType)
	}
	return err
}

// ImportArtifact is PutArtifact for a run or logged model that is brought in, which may be
// deleted. What was sealed while it was missing may come; what is there stays.
func (s *Service) ImportArtifact(ctx context.Context, p fairlead.Project, at Place,
	r io.Reader) (err error) {
	if at.Path, err = blob.CleanPath(at.Path); err != nil {
		return err
	}
	obj, err := s.blobs.Put(ctx, r)
	if err != nil {
		return err
	}
	old, err := s.blobs.Stat(ctx, p, at.Owner, at.Path)
	if err != nil && !fairlead.Is(err, fairlead.NotFound) {
		return err
	}
	missing := err != nil
	if !missing && old == obj {
		return nil // it came before
	}
	return s.db.Write(ctx, store.Bulk, func(tx *store.Tx) error {
		if !missing {
			if err := requireUnsealed(tx, p, at); err != nil {
				return err
			}
		}
		return s.blobs.Link(tx, p, at.Owner, at.Path, obj)
	})
}

// Contents counts what a run or a logged model has.
type Contents struct{ Points, Params, Tags, Links, Files int }

// CountRun counts what a run has, also a deleted one. Links are datasets and logged models
// that it read or made.
func (s *Service) CountRun(ctx context.Context, p fairlead.Project, id string) (c Contents,
	err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		r, err := runByID(tx, p, id)
		if err != nil {
			return err
		}
		return tx.QueryRow(`select (select count(*) from metric where run_k = ?),
			(select count(*) from param where run_k = ?), (select count(*) from tag where run_k = ?),
			(select count(*) from run_input where run_k = ?) +
			(select count(*) from run_model where run_k = ?)`,
			r.k, r.k, r.k, r.k, r.k).Scan(&c.Points, &c.Params, &c.Tags, &c.Links)
	})
	if err == nil {
		c.Files, err = s.countFiles(ctx, p, RunOwner(id))
	}
	return c, err
}

// CountLoggedModel counts what a logged model has, also a deleted one.
func (s *Service) CountLoggedModel(ctx context.Context, p fairlead.Project, id string) (c Contents,
	err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		m, err := anyLoggedModel(tx, p, id)
		if err != nil {
			return err
		}
		return tx.QueryRow(`select (select count(*) from logged_model_metric where model_k = ?),
			(select count(*) from logged_model_param where model_k = ?),
			(select count(*) from logged_model_tag where model_k = ?)`,
			m.k, m.k, m.k).Scan(&c.Points, &c.Params, &c.Tags)
	})
	if err == nil {
		c.Files, err = s.countFiles(ctx, p, LoggedModelOwner(id))
	}
	return c, err
}

func (s *Service) countFiles(ctx context.Context, p fairlead.Project, o blob.Owner) (int, error) {
	files, err := s.blobs.Files(ctx, p, o, "")
	return len(files), err
}
