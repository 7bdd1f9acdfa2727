package registry

import (
	"context"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// Past is what a version that is brought in from elsewhere keeps of its life there.
type Past struct {
	N         int64 // its number, higher than all that the name has had here
	User      string
	Stage     string
	CreatedMS int64
	UpdatedMS int64
}

// ImportVersion is CreateVersion for a version that has a past; Conflict when its number
// is taken or lower than one that is.
func (s *Service) ImportVersion(ctx context.Context, tx *store.Tx, p fairlead.Project,
	n NewVersion, past Past) error {
	stage, err := canonicalStage(past.Stage)
	if err != nil {
		return err
	}
	m, err := modelByName(tx, p, n.Model)
	if err != nil {
		return err
	}
	free, err := skipNumbers(tx, m.k, past.N)
	if err != nil {
		return err
	}
	if !free {
		return fairlead.Errorf(fairlead.Conflict,
			"the model %q has had a version %d here already; rename that model, or this one there",
			n.Model, past.N)
	}
	n.past = true
	v, err := s.CreateVersion(ctx, tx, p, n)
	if err != nil {
		return err
	}
	if stage != StageNone {
		if err := s.moveStage(ctx, tx, p, v, stage); err != nil {
			return err
		}
	}
	_, err = tx.Exec(`update version set user_name = ?, created_ms = ?, updated_ms = ?
		where model_k = ? and n = ?`, past.User, past.CreatedMS, past.UpdatedMS, v.modelK, v.N)
	return err
}

// skipNumbers makes n the model's next number; false when it was given already.
func skipNumbers(tx *store.Tx, modelK, n int64) (free bool, err error) {
	res, err := tx.Exec(`insert into model_number (project_k, name, model_k, last_n)
		select project_k, name, k, ? from model where k = ?
		on conflict (project_k, name) do update set
		model_k = excluded.model_k, last_n = excluded.last_n
		where model_number.last_n <= excluded.last_n`, n-1, modelK)
	if err != nil {
		return false, err
	}
	changed, err := res.RowsAffected()
	return changed > 0, err
}

// FinishModel gives a model that was brought in from elsewhere its times, and none of the
// numbers up to lastN to a version again.
func (s *Service) FinishModel(tx *store.Tx, p fairlead.Project, name string, lastN, createdMS,
	updatedMS int64) error {
	m, err := modelByName(tx, p, name)
	if err != nil {
		return err
	}
	if lastN > 0 {
		if _, err := skipNumbers(tx, m.k, lastN+1); err != nil {
			return err
		}
	}
	_, err = tx.Exec("update model set created_ms = ?, updated_ms = ? where k = ?", createdMS,
		updatedMS, m.k)
	return err
}
