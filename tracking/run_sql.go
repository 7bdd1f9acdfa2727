package tracking

import (
	"database/sql"
	"strconv"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

const runColumns = `r.k, r.exp_k, r.id, e.n, r.name, r.user_name, r.status, r.state, r.start_ms,
	coalesce(r.end_ms, 0), coalesce(r.deleted_ms, 0), coalesce(r.parent, '')`

func scanRun(row scanner) (*Run, error) {
	var r Run
	var exp int64
	err := row.Scan(&r.k, &r.expK, &r.ID, &exp, &r.Name, &r.User, &r.Status, &r.State, &r.StartMS,
		&r.EndMS, &r.DeletedMS, &r.Parent)
	if err != nil {
		return nil, err
	}
	r.ExperimentID = strconv.FormatInt(exp, 10)
	return &r, nil
}

func runByID(tx *store.Tx, p fairlead.Project, id string) (*Run, error) {
	r, err := scanRun(tx.QueryRow("select "+runColumns+` from run r
		join experiment e on e.k = r.exp_k where r.id = ? and r.project_k = ? and r.state <> 'purging'`, id, p.K))
	return r, found(err, "Run with id=%s not found", id)
}

// setParent writes down what run it is below; empty for none.
func setParent(tx *store.Tx, runK int64, parent string) error {
	_, err := tx.Exec("update run set parent = ? where k = ?",
		sql.NullString{String: parent, Valid: parent != ""}, runK)
	return err
}

func insertRun(tx *store.Tx, p fairlead.Project, r *Run, nowMS int64) error {
	return tx.QueryRow(`insert into run (project_k, id, exp_k, name, user_name, status, state,
		start_ms, created_ms) values (?, ?, ?, ?, ?, ?, ?, ?, ?) returning k`,
		p.K, r.ID, r.expK, r.Name, r.User, r.Status, r.State, r.StartMS, nowMS).Scan(&r.k)
}

func updateRun(tx *store.Tx, r *Run) error {
	_, err := tx.Exec(`update run set name = ?, status = ?, state = ?, end_ms = ?, deleted_ms = ?
		where k = ?`, r.Name, r.Status, r.State, nullZero(r.EndMS), nullZero(r.DeletedMS), r.k)
	return err
}

func nullZero(n int64) sql.NullInt64 { return sql.NullInt64{Int64: n, Valid: n != 0} }

// removeTag reports whether the run had the tag.
func removeTag(tx *store.Tx, runK int64, key string) (bool, error) {
	had, err := changed(tx.Exec(`delete from tag where run_k = ?
		and key_k = (select k from key_name where name = ?)`, runK, key))
	if err != nil || key != parentTag {
		return had, err
	}
	return had, setParent(tx, runK, "")
}
