package tracking

import (
	"database/sql"
	"errors"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/store"
)

// trash returns the next things of a kind that a purge removes, the longest deleted
// first; those that a purge before has begun with whatever their age. What was brought in
// from elsewhere, deleted, is as old as it is here.
func trash(tx *store.Tx, kind *trashKind, p fairlead.Project, beforeMS int64, after item) (
	[]item, error) {
	return items(tx.Query("select k, "+kind.id+", name, deleted_ms from "+kind.table+`
		where project_k = ? and state <> 'active'
		and (state = 'purging' or deleted_ms <= ? and `+kind.arrived+` <= ?)
		and (deleted_ms, k) > (?, ?) order by deleted_ms, k limit ?`,
		p.K, beforeMS, beforeMS, after.deletedMS, after.k, purgeChunk))
}

// modelsOf returns the next logged models of an experiment. A dry purge has counted those
// that are old enough already, where another has removed them.
func modelsOf(tx *store.Tx, u *purge, exp, after item) ([]item, error) {
	condition, args := "", []any{exp.k, after.k}
	if u.dry {
		condition, args = "and (state = 'active' or deleted_ms > ? or arrived_ms > ?)",
			append(args, u.beforeMS, u.beforeMS)
	}
	return items(tx.Query(`select k, id, name, coalesce(deleted_ms, 0) from logged_model
		where exp_k = ? and k > ? `+condition+" order by k limit ?", append(args, purgeChunk)...))
}

func items(rows *sql.Rows, err error) (out []item, _ error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var it item
		if err := rows.Scan(&it.k, &it.id, &it.name, &it.deletedMS); err != nil {
			return nil, err
		}
		out = append(out, it)
	}
	return out, rows.Err()
}

// runThatStays says which run keeps its experiment: any that is there, for a dry purge
// any that would be.
func runThatStays(tx *store.Tx, u *purge, exp item) (reason string, err error) {
	query, args := `select id from run r where exp_k = ?`, []any{exp.k}
	if u.dry {
		query += ` and (state = 'active' or state = 'deleted' and (deleted_ms > ? or created_ms > ?)
			or exists (
			select 1 from hold h where h.project_k = r.project_k and h.owner_kind = 'run'
			and h.owner_id = r.id))`
		args = append(args, u.beforeMS, u.beforeMS)
	}
	return stays(tx, "the run ", query, args)
}

func modelThatStays(tx *store.Tx, exp item) (string, error) {
	return stays(tx, "the logged model ", `select id from logged_model m where exp_k = ? and exists (
		select 1 from hold h where h.project_k = m.project_k and h.owner_kind = 'logged_model'
		and h.owner_id = m.id)`, []any{exp.k})
}

func stays(tx *store.Tx, what, query string, args []any) (string, error) {
	var id string
	err := tx.QueryRow(query+" order by k limit 1", args...).Scan(&id)
	if errors.Is(err, store.ErrNoRows) {
		return "", nil
	}
	return what + id + " stays in it", err
}

func markPurging(tx *store.Tx, kind *trashKind, it item) error {
	_, err := tx.Exec("update "+kind.table+` set state = 'purging',
		deleted_ms = coalesce(deleted_ms, 0) where k = ?`, it.k)
	return err
}

// deleteRows removes an item with all its rows, and reports whether it was still there.
func deleteRows(tx *store.Tx, kind *trashKind, it item) (there bool, err error) {
	there, err = changed(tx.Exec("delete from "+kind.table+" where k = ? and state = 'purging'", it.k))
	if err != nil || !there {
		return false, err
	}
	for _, t := range kind.rows {
		if _, err := tx.Exec("delete from "+t.name+" where "+kind.key+" = ?", it.k); err != nil {
			return false, err
		}
	}
	return true, nil
}

// countRows counts an item's rows in a table, to limit at most.
func countRows(tx *store.Tx, kind *trashKind, t rowsOf, it item, limit int) (n int, err error) {
	err = tx.QueryRow("select count(*) from (select 1 from "+t.name+" where "+kind.key+
		" = ? limit ?) c", it.k, limit).Scan(&n)
	return n, err
}

// deleteSome deletes up to limit of an item's rows in a table, and returns how many.
func deleteSome(tx *store.Tx, kind *trashKind, t rowsOf, it item, limit int) (int, error) {
	return affected(tx.Exec("delete from "+t.name+" where ("+t.primary+") in (select "+t.primary+
		" from "+t.name+" where "+kind.key+" = ? limit ?)", it.k, limit))
}

func affected(res sql.Result, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	return int(n), err
}

// deleteIndexed removes up to limit rows that the index of metrics has of a run, and
// returns how many.
func deleteIndexed(tx *store.Tx, runK int64, limit int) (int, error) {
	const some = " from latest l where l.run_k = ? and l.indexed is not null order by l.key_k limit ?"
	_, err := tx.Exec(`delete from metric_index where (exp_k, key_k, value, run_k) in
		(select (select r.exp_k from run r where r.k = l.run_k), l.key_k, l.indexed, l.run_k`+some+")",
		runK, limit)
	if err != nil {
		return 0, err
	}
	return affected(tx.Exec(`update latest set indexed = null where (run_k, key_k) in
		(select l.run_k, l.key_k`+some+")", runK, limit))
}

func deletePending(tx *store.Tx, runK int64) error {
	_, err := tx.Exec("delete from metric_pending where run_k = ?", runK)
	return err
}

func deleteSeals(tx *store.Tx, p fairlead.Project, o blob.Owner) error {
	_, err := tx.Exec("delete from seal where project_k = ? and owner_kind = ? and owner_id = ?",
		p.K, o.Kind, o.ID)
	return err
}

// deleteOwnDatasets removes the descriptions of inputs that no run has but this one.
func deleteOwnDatasets(tx *store.Tx, runK int64) error {
	_, err := tx.Exec(`delete from run_dataset
		where k in (select dataset_k from run_input where run_k = ?)
		and not exists (select 1 from run_input i where i.dataset_k = run_dataset.k and i.run_k <> ?)`,
		runK, runK)
	return err
}
