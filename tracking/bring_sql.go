package tracking

import (
	"errors"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// takeExperimentNumber takes a number, or the next one when that or a higher one was given.
func takeExperimentNumber(tx *store.Tx, p fairlead.Project, n int64) (int64, error) {
	var last int64
	err := tx.QueryRow("select last_n from experiment_number where project_k = ?", p.K).Scan(&last)
	switch {
	case errors.Is(err, store.ErrNoRows):
	case err != nil:
		return 0, err
	default:
		n = max(n, last+1)
	}
	_, err = tx.Exec(`insert into experiment_number (project_k, last_n) values (?, ?)
		on conflict (project_k) do update set last_n = excluded.last_n`, p.K, n)
	return n, err
}

func insertExperimentRecord(tx *store.Tx, p fairlead.Project, n int64, r *ExperimentRecord,
	nowMS int64) (k int64, err error) {
	err = tx.QueryRow(`insert into experiment (project_k, n, name, state, created_ms, updated_ms,
		deleted_ms, arrived_ms) values (?, ?, ?, ?, ?, ?, ?, ?) returning k`, p.K, n, r.Name, r.State,
		r.CreatedMS, r.UpdatedMS, nullZero(r.DeletedMS), nowMS).Scan(&k)
	return k, err
}

func modelArrived(tx *store.Tx, modelK, nowMS int64) error {
	_, err := tx.Exec("update logged_model set arrived_ms = ? where k = ?", nowMS, modelK)
	return err
}

func deleteTags(tx *store.Tx, runK int64) error {
	_, err := tx.Exec("delete from tag where run_k = ?", runK)
	return err
}

// updateModelRecord makes a logged model what a record says, but for its tags, of which it
// has none then, its times and its state.
func updateModelRecord(tx *store.Tx, modelK int64, r *LoggedModelRecord) error {
	_, err := tx.Exec("update logged_model set name = ?, model_type = ?, status = ? where k = ?",
		r.Name, r.Type, r.Status, modelK)
	if err != nil {
		return err
	}
	_, err = tx.Exec("delete from logged_model_tag where model_k = ?", modelK)
	return err
}

func insertDataset(tx *store.Tx, expK int64, d Dataset) error {
	_, err := tx.Exec(`insert into run_dataset (exp_k, name, digest, source_type, source, schema,
		profile) values (?, ?, ?, ?, ?, ?, ?) on conflict do nothing`, expK, d.Name, d.Digest,
		d.SourceType, d.Source, d.Schema, d.Profile)
	return err
}

func insertDatasetLink(tx *store.Tx, runK int64, d DatasetLink, context, tags string) error {
	added, err := changed(tx.Exec(`insert into run_input (run_k, dataset_k, context, tags)
		select r.k, d.k, ?, ? from run r join run_dataset d on d.exp_k = r.exp_k
		where r.k = ? and d.name = ? and d.digest = ? on conflict (run_k, dataset_k)
		do update set context = excluded.context`, context, tags, runK, d.Name, d.Digest))
	if err == nil && !added {
		err = fairlead.Errorf(fairlead.Invalid, "a run has read the dataset %q (%s), which its "+
			"experiment does not have", d.Name, d.Digest)
	}
	return err
}

func insertModelPoints(tx *store.Tx, args []any) error {
	return insertRows(tx, `insert into logged_model_metric (model_k, key_k, dataset_name,
		dataset_digest, run_k, step, ts, value, is_nan)`, " on conflict do nothing", 9, args)
}

func settleModelRecord(tx *store.Tx, p fairlead.Project, r *LoggedModelRecord) error {
	found, err := changed(tx.Exec(`update logged_model set state = ?, updated_ms = ?, deleted_ms = ?
		where project_k = ? and id = ? and state <> 'purging'`, r.State, r.UpdatedMS,
		nullZero(r.DeletedMS), p.K, r.ID))
	if err == nil && !found {
		err = fairlead.Errorf(fairlead.NotFound, "the logged model %s was purged meanwhile", r.ID)
	}
	return err
}

func inOtherProject(tx *store.Tx, p fairlead.Project, table, id string) (there bool, err error) {
	err = tx.QueryRow("select exists (select 1 from "+table+" where id = ? and project_k <> ?)",
		id, p.K).Scan(&there)
	return there, err
}
