package tracking

import (
	"database/sql"
	"strconv"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

const experimentColumns = "e.k, e.n, e.name, e.state, e.created_ms, e.updated_ms"

type scanner interface{ Scan(dest ...any) error }

func scanExperiment(row scanner) (*Experiment, error) {
	var e Experiment
	var n int64
	err := row.Scan(&e.k, &n, &e.Name, &e.State, &e.CreatedMS, &e.UpdatedMS)
	if err != nil {
		return nil, err
	}
	e.ID = strconv.FormatInt(n, 10)
	return &e, nil
}

// insertExperiment gives the next number of the project, from 0.
func insertExperiment(tx *store.Tx, p fairlead.Project, name string, nowMS int64) (*Experiment,
	error) {
	e := &Experiment{Name: name, State: Active, CreatedMS: nowMS, UpdatedMS: nowMS}
	var n int64
	err := tx.QueryRow(`insert into experiment (project_k, n, name, state, created_ms, updated_ms)
		select ?, coalesce(max(n) + 1, 0), ?, 'active', ?, ? from experiment where project_k = ?
		returning k, n`, p.K, name, nowMS, nowMS, p.K).Scan(&e.k, &n)
	e.ID = strconv.FormatInt(n, 10)
	return e, err
}

func experimentByN(tx *store.Tx, p fairlead.Project, n int64) (*Experiment, error) {
	return scanExperiment(tx.QueryRow("select "+experimentColumns+
		" from experiment e where e.project_k = ? and e.n = ?", p.K, n))
}

func experimentByName(tx *store.Tx, p fairlead.Project, name string) (*Experiment, error) {
	return scanExperiment(tx.QueryRow("select "+experimentColumns+
		" from experiment e where e.project_k = ? and e.name = ?", p.K, name))
}

func updateExperiment(tx *store.Tx, e *Experiment, nowMS int64) error {
	_, err := tx.Exec("update experiment set name = ?, state = ?, updated_ms = ? where k = ?",
		e.Name, e.State, nowMS, e.k)
	return err
}

func upsertExperimentTag(tx *store.Tx, expK int64, t Tag) error {
	_, err := tx.Exec(`insert into experiment_tag (exp_k, key, value) values (?, ?, ?)
		on conflict (exp_k, key) do update set value = excluded.value`, expK, t.Key, t.Value)
	return err
}

func deleteExperimentTag(tx *store.Tx, expK int64, key string) (bool, error) {
	return changed(tx.Exec("delete from experiment_tag where exp_k = ? and key = ?", expK, key))
}

func changed(res sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

func experimentTags(tx *store.Tx, expK int64) ([]Tag, error) {
	return scanTags(tx.Query(
		"select key, value from experiment_tag where exp_k = ? order by key", expK))
}

func scanTags(rows *sql.Rows, err error) ([]Tag, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Tag
	for rows.Next() {
		var t Tag
		if err := rows.Scan(&t.Key, &t.Value); err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, rows.Err()
}

// trashRuns deletes the experiment's active runs at the time of the experiment's
// own deletion, by which restoreRuns knows them again.
func trashRuns(tx *store.Tx, expK, nowMS int64) error {
	_, err := tx.Exec(`update run set state = 'deleted', deleted_ms = ?
		where exp_k = ? and state = 'active'`, nowMS, expK)
	return err
}

func restoreRuns(tx *store.Tx, expK, deletedMS int64) error {
	_, err := tx.Exec(`update run set state = 'active', deleted_ms = null
		where exp_k = ? and state = 'deleted' and deleted_ms = ?`, expK, deletedMS)
	return err
}
