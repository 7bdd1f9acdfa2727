package registry

import (
	"database/sql"
	"encoding/json"
	"fmt"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// modelAt returns the key of the model that had the name then, and when that model, or
// its oldest known name, began.
func modelAt(tx *store.Tx, p fairlead.Project, name string, ms int64) (k, createdMS int64,
	err error) {
	err = tx.QueryRow(`select x.model_k, (select min(o.from_ms) from model_name o
			where o.model_k = x.model_k)
		from model_name x where x.project_k = ? and x.name = ? and x.from_ms <= ?
		and (x.to_ms is null or x.to_ms > ?) order by x.from_ms desc, x.model_k desc limit 1`,
		p.K, name, ms, ms).Scan(&k, &createdMS)
	return k, createdMS, err
}

// lastModel returns the key of the model that has the name, or had it last.
func lastModel(tx *store.Tx, p fairlead.Project, name string) (k int64, err error) {
	err = tx.QueryRow(`select model_k from model_name where project_k = ? and name = ?
		order by case when to_ms is null then 0 else 1 end, to_ms desc, from_ms desc, model_k desc
		limit 1`, p.K, name).Scan(&k)
	return k, found(err, "Registered Model with name=%s not found", name)
}

func beginName(tx *store.Tx, p fairlead.Project, m *Model, nowMS int64) error {
	_, err := tx.Exec(`insert into model_name (project_k, name, model_k, from_ms)
		values (?, ?, ?, ?)`, p.K, m.Name, m.k, nowMS)
	return err
}

// endName notes that a model has its name no more.
func endName(tx *store.Tx, modelK, nowMS int64) error {
	_, err := tx.Exec("update model_name set to_ms = ? where model_k = ? and to_ms is null",
		nowMS, modelK)
	return err
}

// keepVersion keeps what a version was that is being deleted.
func keepVersion(tx *store.Tx, v *Version, nowMS int64) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("keep version %d of %s: %w", v.N, v.Model, err)
	}
	_, err = tx.Exec(`insert into version_past (model_k, n, body, created_ms, retired_ms, deleted_ms)
		select model_k, n, ?, created_ms, retired_ms, ? from version where model_k = ? and n = ?`,
		string(body), nowMS, v.modelK, v.N)
	return err
}

func insertTagMove(tx *store.Tx, v *Version, key string, value *string, m AliasMove) error {
	_, err := tx.Exec(`insert into version_tag_move (model_k, n, key, rev, value, event_id, actor,
			at_ms)
		select ?, ?, ?, coalesce(max(rev), 0) + 1, ?, ?, ?, ? from version_tag_move
		where model_k = ? and n = ? and key = ?`,
		v.modelK, v.N, key, value, m.Event, m.Actor, m.AtMS, v.modelK, v.N, key)
	return err
}

func aliasesAt(tx *store.Tx, modelK, ms int64) (map[string]int64, error) {
	out := map[string]int64{}
	rows, err := tx.Query(`select a.name, a.to_n from alias_move a
		join (select name, max(rev) as rev from alias_move where model_k = ? and at_ms <= ?
			group by name) newest on newest.name = a.name and newest.rev = a.rev
		where a.model_k = ? order by a.name`, modelK, ms, modelK)
	_, err = collect(rows, err, func(row scanner, name *string) error {
		var n int64
		if err := row.Scan(name, &n); err != nil {
			return err
		}
		if n != 0 {
			out[*name] = n
		}
		return nil
	})
	return out, err
}

// versionsAt returns the versions that there were, without their tags and aliases of then.
func versionsAt(tx *store.Tx, modelK, ms int64) ([]*Version, error) {
	there, err := scanVersions(tx.Query("select "+versionColumns+` from version v
		join model m on m.k = v.model_k where v.model_k = ? and v.created_ms <= ? order by v.n`,
		modelK, ms))
	if err != nil {
		return nil, err
	}
	gone, err := versionsGone(tx, modelK, ms)
	if err != nil {
		return nil, err
	}
	all := merge(there, gone)
	retired, err := retiredAt(tx, modelK, ms)
	for _, v := range all {
		if v.State == Retired && !retired[v.N] {
			v.State, v.Reason = Ready, ""
		}
	}
	return all, err
}

// merge returns the versions of both lists by number.
func merge(a, b []*Version) []*Version {
	out := make([]*Version, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if a[0].N < b[0].N {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}

func versionsGone(tx *store.Tx, modelK, ms int64) ([]*Version, error) {
	rows, err := tx.Query(`select body from version_past
		where model_k = ? and created_ms <= ? and deleted_ms > ? order by n`, modelK, ms, ms)
	return collect(rows, err, func(row scanner, v **Version) error {
		var body string
		if err := row.Scan(&body); err != nil {
			return err
		}
		*v = &Version{}
		return json.Unmarshal([]byte(body), *v)
	})
}

func retiredAt(tx *store.Tx, modelK, ms int64) (map[int64]bool, error) {
	out := map[int64]bool{}
	rows, err := tx.Query(`select n from version where model_k = ? and retired_ms <= ?
		union all select n from version_past where model_k = ? and retired_ms <= ? order by 1`,
		modelK, ms, modelK, ms)
	_, err = collect(rows, err, func(row scanner, n *int64) error {
		if err := row.Scan(n); err != nil {
			return err
		}
		out[*n] = true
		return nil
	})
	return out, err
}

func tagsAt(tx *store.Tx, modelK, ms int64) (map[int64][]Tag, error) {
	out := map[int64][]Tag{}
	rows, err := tx.Query(`select a.n, a.key, a.value from version_tag_move a
		join (select n, key, max(rev) as rev from version_tag_move where model_k = ? and at_ms <= ?
			group by n, key) newest
		on newest.n = a.n and newest.key = a.key and newest.rev = a.rev
		where a.model_k = ? order by a.n, a.key`, modelK, ms, modelK)
	_, err = collect(rows, err, func(row scanner, t *Tag) error {
		var n int64
		var value sql.NullString
		if err := row.Scan(&n, &t.Key, &value); err != nil {
			return err
		}
		if t.Value = value.String; value.Valid {
			out[n] = append(out[n], *t)
		}
		return nil
	})
	return out, err
}
