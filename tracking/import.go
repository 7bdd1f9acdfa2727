package tracking

import (
	"context"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/store"
)

// SettleRun gives a run that was brought in from elsewhere its end: status, end and, for
// one that was deleted there, the time of that.
func (s *Service) SettleRun(ctx context.Context, p fairlead.Project, id, status string, endMS,
	deletedMS int64) error {
	return s.db.Write(ctx, store.Bulk, func(tx *store.Tx) error {
		r, err := activeRun(tx, p, id)
		if err != nil {
			return err
		}
		if err := s.updateRun(ctx, tx, p, r, Update{Status: &status, EndMS: &endMS}); err != nil {
			return err
		}
		if deletedMS == 0 {
			return nil
		}
		r.State, r.deletedMS = Deleted, deletedMS
		if err := updateRun(tx, r); err != nil {
			return err
		}
		return s.emitRun(ctx, tx, p, r, event.RunDeletedType)
	})
}

// SettleExperiment gives an experiment that was brought in from elsewhere its times and,
// for one that was deleted there, the time of that; restoring it restores its runs that
// were deleted then.
func (s *Service) SettleExperiment(ctx context.Context, p fairlead.Project, id string, createdMS,
	updatedMS, deletedMS int64) error {
	return s.db.Write(ctx, store.Bulk, func(tx *store.Tx) error {
		e, err := s.activeExperiment(ctx, tx, p, id)
		if err != nil {
			return err
		}
		if deletedMS != 0 {
			e.State, e.deletedMS = Deleted, deletedMS
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
	})
}

// SettleLoggedModel gives a logged model that was brought in from elsewhere its status,
// times and, when it was deleted there, that state.
func (s *Service) SettleLoggedModel(ctx context.Context, p fairlead.Project, id, status,
	state string, createdMS, updatedMS int64) error {
	return s.db.Write(ctx, store.Bulk, func(tx *store.Tx) error {
		m, err := loggedModelByID(tx, p, id)
		if err != nil {
			return err
		}
		m.Status, m.State = status, state
		if err := updateLoggedModel(tx, m, updatedMS); err != nil {
			return err
		}
		_, err = tx.Exec("update logged_model set created_ms = ?, arrived_ms = ? where k = ?", createdMS,
			s.nowMS(), m.k)
		if err != nil {
			return err
		}
		return s.emitLoggedModel(ctx, tx, p, m, event.LoggedModelFinishedType)
	})
}

// CountRun returns how many points, params and tags the run has.
func (s *Service) CountRun(ctx context.Context, p fairlead.Project, id string) (points, params,
	tags int, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		r, err := runByID(tx, p, id)
		if err != nil {
			return err
		}
		return tx.QueryRow(`select (select count(*) from metric where run_k = ?),
			(select count(*) from param where run_k = ?), (select count(*) from tag where run_k = ?)`,
			r.k, r.k, r.k).Scan(&points, &params, &tags)
	})
	return points, params, tags, err
}
