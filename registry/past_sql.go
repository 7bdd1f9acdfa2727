package registry

import (
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

// everNamed is NotFound when no model has had the name.
func everNamed(tx *store.Tx, p fairlead.Project, name string) error {
	var k int64
	err := tx.QueryRow(`select model_k from model_name where project_k = ? and name = ?
		order by from_ms limit 1`, p.K, name).Scan(&k)
	return found(err, "Registered Model with name=%s not found", name)
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

func insertChange(tx *store.Tx, of versionKey, eventID, actor string, ms int64, c change) error {
	_, err := tx.Exec(`insert into change (model_k, n, kind, key, rev, value, event_id, actor, at_ms)
		select ?, ?, ?, ?, coalesce(max(rev), 0) + 1, ?, ?, ?, ? from change
		where model_k = ? and n = ? and kind = ? and key = ?`, of.model, of.n, c.kind, c.key, c.value,
		eventID, actor, ms, of.model, of.n, c.kind, c.key)
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

// highestAt returns the highest number of the versions that there were, 0 without any.
func highestAt(tx *store.Tx, modelK, ms int64) (n int64, err error) {
	err = tx.QueryRow(`select coalesce(max(n), 0) from (
			select n from version where model_k = ? and created_ms <= ?
			union all select n from version_past
				where model_k = ? and created_ms <= ? and deleted_ms > ?) x`,
		modelK, ms, modelK, ms, ms).Scan(&n)
	return n, err
}

// versionsAt returns the versions that there were with numbers above after, as many as
// limit says at most, without what has a history.
func versionsAt(tx *store.Tx, modelK, ms, after int64, limit int) ([]*Version, error) {
	there, err := scanVersions(tx.Query("select "+versionColumns+fromVersion+`where v.model_k = ?
		and v.created_ms <= ? and v.n > ? order by v.n limit ?`, modelK, ms, after, limit))
	if err != nil {
		return nil, err
	}
	gone, err := versionsGone(tx, modelK, ms, after, limit)
	if err != nil {
		return nil, err
	}
	all := merge(there, gone)
	all = all[:min(len(all), limit)]
	retired, err := retiredAt(tx, modelK, ms, all)
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

func versionsGone(tx *store.Tx, modelK, ms, after int64, limit int) ([]*Version, error) {
	rows, err := tx.Query(`select body from version_past where model_k = ? and created_ms <= ?
		and deleted_ms > ? and n > ? order by n limit ?`, modelK, ms, ms, after, limit)
	return collect(rows, err, func(row scanner, v **Version) error {
		var body string
		if err := row.Scan(&body); err != nil {
			return err
		}
		*v = &Version{}
		return json.Unmarshal([]byte(body), *v)
	})
}

// span returns the lowest and highest number of versions that are ordered by it.
func span(versions []*Version) (first, last int64) {
	if len(versions) == 0 {
		return 0, 0
	}
	return versions[0].N, versions[len(versions)-1].N
}

func retiredAt(tx *store.Tx, modelK, ms int64, versions []*Version) (map[int64]bool, error) {
	first, last := span(versions)
	out := map[int64]bool{}
	rows, err := tx.Query(`select n from version
			where model_k = ? and n between ? and ? and retired_ms <= ?
		union all select n from version_past
			where model_k = ? and n between ? and ? and retired_ms <= ? order by 1`,
		modelK, first, last, ms, modelK, first, last, ms)
	_, err = collect(rows, err, func(row scanner, n *int64) error {
		if err := row.Scan(n); err != nil {
			return err
		}
		out[*n] = true
		return nil
	})
	return out, err
}

// saidAt returns what the versions from first to last said about themselves, by number;
// 0 is the model itself.
func saidAt(tx *store.Tx, modelK, ms, first, last int64) (map[int64]*said, error) {
	out := map[int64]*said{}
	rows, err := tx.Query(`select a.n, a.kind, a.key, a.value from change a
		join (select n, kind, key, max(rev) as rev from change
			where model_k = ? and n between ? and ? and at_ms <= ? group by n, kind, key) newest
		on newest.n = a.n and newest.kind = a.kind and newest.key = a.key and newest.rev = a.rev
		where a.model_k = ? order by a.n, a.kind, a.key`, modelK, first, last, ms, modelK)
	_, err = collect(rows, err, func(row scanner, c *change) error {
		var n int64
		if err := row.Scan(&n, &c.kind, &c.key, &c.value); err != nil {
			return err
		}
		if out[n] == nil {
			out[n] = &said{}
		}
		out[n].hear(c)
		return nil
	})
	return out, err
}
