package archive

import (
	"errors"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

// isArriving reports whether something came in and is not whole yet.
func isArriving(tx *store.Tx, p fairlead.Project, kind, id string) (is bool, err error) {
	err = tx.QueryRow(`select exists (select 1 from arriving where project_k = ? and kind = ?
		and id = ?)`, p.K, kind, id).Scan(&is)
	return is, err
}

func markArriving(tx *store.Tx, p fairlead.Project, kind, id string) error {
	_, err := tx.Exec(`insert into arriving (project_k, kind, id) values (?, ?, ?)
		on conflict do nothing`, p.K, kind, id)
	return err
}

// arrived ends it.
func arrived(tx *store.Tx, p fairlead.Project, kind, id string) error {
	_, err := tx.Exec("delete from arriving where project_k = ? and kind = ? and id = ?",
		p.K, kind, id)
	return err
}

// arrivedExperiment returns what an experiment that came in is here, empty when none did.
func arrivedExperiment(tx *store.Tx, p fairlead.Project, e *tracking.ExperimentRecord) (id string,
	err error) {
	err = tx.QueryRow(`select here from arrived_experiment where project_k = ? and there = ?
		and created_ms = ?`, p.K, e.ID, e.CreatedMS).Scan(&id)
	if errors.Is(err, store.ErrNoRows) {
		err = nil
	}
	return id, err
}

func noteExperiment(tx *store.Tx, p fairlead.Project, e *tracking.ExperimentRecord,
	id string) error {
	_, err := tx.Exec(`insert into arrived_experiment (project_k, there, created_ms, here)
		values (?, ?, ?, ?) on conflict (project_k, there, created_ms)
		do update set here = excluded.here`, p.K, e.ID, e.CreatedMS, id)
	return err
}
