package tracking

import (
	"database/sql"
	"database/sql/driver"
	"strconv"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

const experimentColumns = `e.k, e.n, e.name, e.state, e.created_ms, e.updated_ms,
	coalesce(e.deleted_ms, 0)`

type scanner interface{ Scan(dest ...any) error }

func scanExperiment(row scanner) (*Experiment, error) {
	var e Experiment
	var n int64
	err := row.Scan(&e.k, &n, &e.Name, &e.State, &e.CreatedMS, &e.UpdatedMS, &e.DeletedMS)
	if err != nil {
		return nil, err
	}
	e.ID = strconv.FormatInt(n, 10)
	return &e, nil
}

// insertExperiment gives the next number of the project, from 0, and none twice.
func insertExperiment(tx *store.Tx, p fairlead.Project, name string, nowMS int64) (*Experiment,
	error) {
	e := &Experiment{Name: name, State: Active, CreatedMS: nowMS, UpdatedMS: nowMS}
	var n int64
	err := tx.QueryRow(`insert into experiment_number (project_k, last_n) values (?, 0)
		on conflict (project_k) do update set last_n = experiment_number.last_n + 1
		returning last_n`, p.K).Scan(&n)
	if err != nil {
		return nil, err
	}
	err = tx.QueryRow(`insert into experiment (project_k, n, name, state, created_ms, updated_ms)
		values (?, ?, ?, 'active', ?, ?) returning k`, p.K, n, name, nowMS, nowMS).Scan(&e.k)
	e.ID = strconv.FormatInt(n, 10)
	return e, err
}

func experimentByN(tx *store.Tx, p fairlead.Project, n int64) (*Experiment, error) {
	return scanExperiment(tx.QueryRow("select "+experimentColumns+
		" from experiment e where e.project_k = ? and e.n = ? and e.state <> 'purging'", p.K, n))
}

// experimentByName returns the active experiment of that name, else the one that was
// deleted last.
func experimentByName(tx *store.Tx, p fairlead.Project, name string) (*Experiment, error) {
	return scanExperiment(tx.QueryRow("select "+experimentColumns+` from experiment e
		where e.project_k = ? and e.name = ? and e.state <> 'purging'
		order by case e.state when 'active' then 0 else 1 end, e.deleted_ms desc, e.n desc
		limit 1`, p.K, name))
}

func updateExperiment(tx *store.Tx, e *Experiment, nowMS int64) error {
	_, err := tx.Exec(`update experiment set name = ?, state = ?, updated_ms = ?, deleted_ms = ?
		where k = ?`, e.Name, e.State, nowMS, nullZero(e.DeletedMS), e.k)
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

func loadExperimentTags(tx *store.Tx, experiments []*Experiment) error {
	return eachOf(tx, experiments, func(e *Experiment) int64 { return e.k },
		"select exp_k, key, value from experiment_tag where exp_k in (%s) order by exp_k, key", nil,
		func(at int, row []driver.Value) error {
			e := experiments[at]
			e.Tags = append(e.Tags, Tag{row[0].(string), row[1].(string)})
			return nil
		})
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
