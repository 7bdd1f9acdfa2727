package registry

import (
	"cmp"
	"database/sql"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// broughtModel returns the key of the model that began with the record's first name then.
func broughtModel(tx *store.Tx, p fairlead.Project, r *ModelRecord) (k int64, err error) {
	err = tx.QueryRow(`select model_k from model_name where project_k = ? and name = ? and from_ms = ?
		order by model_k limit 1`, p.K, r.Names[0].Name, r.Names[0].FromMS).Scan(&k)
	return k, err
}

// lastNumber returns the highest number that a version under the name has had, 0 for none.
func lastNumber(tx *store.Tx, p fairlead.Project, name string) (n int64, err error) {
	err = tx.QueryRow(`select coalesce(max(last_n), 0) from model_number
		where project_k = ? and name = ?`, p.K, name).Scan(&n)
	return n, err
}

func insertModelRecord(tx *store.Tx, p fairlead.Project, r *ModelRecord) error {
	var k int64
	err := tx.QueryRow("select coalesce(max(model_k), 0) + 1 from model_name").Scan(&k)
	if err != nil {
		return err
	}
	for _, n := range r.Names {
		_, err := tx.Exec(`insert into model_name (project_k, name, model_k, from_ms, to_ms)
			values (?, ?, ?, ?, ?)`, p.K, n.Name, k, n.FromMS, nullZero(n.ToMS))
		if err != nil {
			return err
		}
	}
	if err := bringChanges(tx, k, 0, r.Changes); err != nil || r.Deleted {
		return err
	}
	_, err = tx.Exec(`insert into model (k, project_k, name, description, created_ms, updated_ms)
		values (?, ?, ?, ?, ?, ?)`, k, p.K, r.Name, r.Description, r.CreatedMS, r.UpdatedMS)
	if err != nil {
		return err
	}
	for key, value := range r.Tags {
		if err := upsertModelTag(tx, k, Tag{key, value}); err != nil {
			return err
		}
	}
	return nil
}

func nullZero(n int64) sql.NullInt64 { return sql.NullInt64{Int64: n, Valid: n != 0} }

// insertVersionRecord reports whether the version was not there yet.
func insertVersionRecord(tx *store.Tx, k int64, r *VersionRecord) (added bool, err error) {
	res, err := tx.Exec(`insert into version (model_k, n, source, storage, run_id, logged_id, run_link,
		description, user_name, stage, state, reason, produced_by, created_ms, updated_ms, retired_ms)
		values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing`,
		k, r.N, r.Source, r.Storage, r.RunID, r.LoggedModelID, r.RunLink, r.Description, r.User, r.Stage,
		r.State, r.Reason, cmp.Or(string(r.ProducedBy), "{}"), r.CreatedMS, r.UpdatedMS,
		nullZero(r.RetiredMS))
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	if err != nil || n == 0 {
		return false, err
	}
	for key, value := range r.Tags {
		if err := upsertVersionTag(tx, &Version{modelK: k, N: r.N}, Tag{key, value}); err != nil {
			return false, err
		}
	}
	return true, bringChanges(tx, k, r.N, r.Changes)
}

func insertVersionPast(tx *store.Tx, k int64, r *VersionRecord) error {
	_, err := tx.Exec(`insert into version_past (model_k, n, body, created_ms, retired_ms, deleted_ms)
		values (?, ?, ?, ?, ?, ?) on conflict do nothing`, k, r.N, string(r.Was), r.CreatedMS,
		nullZero(r.RetiredMS), r.DeletedMS)
	if err != nil {
		return err
	}
	return bringChanges(tx, k, r.N, r.Changes)
}

func bringChanges(tx *store.Tx, k, n int64, all []ChangeRecord) error {
	for _, c := range all {
		_, err := tx.Exec(`insert into change (model_k, n, kind, key, rev, value, event_id, actor, at_ms)
			values (?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing`,
			k, n, c.Kind, c.Key, c.Rev, c.Value, c.Event, c.Actor, c.AtMS)
		if err != nil {
			return err
		}
	}
	return nil
}

func bringAliasMove(tx *store.Tx, k int64, m AliasMove) error {
	_, err := tx.Exec(`insert into alias_move (model_k, name, rev, from_n, to_n, event_id, actor,
		at_ms) values (?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing`,
		k, m.Alias, m.Rev, m.From, m.To, m.Event, m.Actor, m.AtMS)
	return err
}

// bringNumber raises the highest number of a name.
func bringNumber(tx *store.Tx, p fairlead.Project, n NumberRecord, k int64) error {
	_, err := tx.Exec(`insert into model_number (project_k, name, model_k, last_n) values (?, ?, ?, ?)
		on conflict (project_k, name) do update set last_n = case
		when excluded.last_n > model_number.last_n then excluded.last_n else model_number.last_n end`,
		p.K, n.Name, k, n.Last)
	return err
}

func dateModel(tx *store.Tx, k int64, r *ModelRecord) error {
	_, err := tx.Exec("update model set created_ms = ?, updated_ms = ? where k = ?", r.CreatedMS,
		r.UpdatedMS, k)
	return err
}
