package registry

import (
	"errors"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// recordChunk is how many records are read at once.
const recordChunk = 100

func modelKeys(tx *store.Tx, p fairlead.Project) ([]int64, error) {
	rows, err := tx.Query(`select distinct model_k from model_name where project_k = ?
		order by model_k`, p.K)
	return collect(rows, err, func(row scanner, k *int64) error { return row.Scan(k) })
}

func modelRecord(tx *store.Tx, k int64) (*ModelRecord, error) {
	m := &ModelRecord{k: k}
	rows, err := tx.Query(`select name, from_ms, coalesce(to_ms, 0) from model_name where model_k = ?
		order by from_ms, case when to_ms is null then 1 else 0 end, to_ms, name`, k)
	m.Names, err = collect(rows, err, func(row scanner, n *NameRecord) error {
		return row.Scan(&n.Name, &n.FromMS, &n.ToMS)
	})
	if err != nil {
		return nil, err
	}
	err = tx.QueryRow("select name, description, created_ms, updated_ms from model where k = ?",
		k).Scan(&m.Name, &m.Description, &m.CreatedMS, &m.UpdatedMS)
	if errors.Is(err, store.ErrNoRows) {
		m.Name, m.Deleted, err = m.Names[len(m.Names)-1].Name, true, nil
	}
	if err != nil {
		return nil, err
	}
	if m.Tags, err = tagPairs(tx, "select key, value from model_tag where model_k = ? order by key",
		k); err != nil {
		return nil, err
	}
	rows, err = tx.Query("select name, n, rev from alias where model_k = ? order by name", k)
	m.Aliases, err = collect(rows, err, func(row scanner, a *AliasRecord) error {
		return row.Scan(&a.Alias, &a.Version, &a.Rev)
	})
	if err != nil {
		return nil, err
	}
	rows, err = tx.Query(`select name, rev, from_n, to_n, event_id, actor, at_ms from alias_move
		where model_k = ? order by name, rev`, k)
	m.AliasMoves, err = collect(rows, err, func(row scanner, a *AliasMove) error {
		return row.Scan(&a.Alias, &a.Rev, &a.From, &a.To, &a.Event, &a.Actor, &a.AtMS)
	})
	if err != nil {
		return nil, err
	}
	m.Changes, err = changeRecords(tx, k, 0)
	return m, err
}

func tagPairs(tx *store.Tx, query string, args ...any) (map[string]string, error) {
	rows, err := tx.Query(query, args...)
	all, err := collect(rows, err, func(row scanner, t *Tag) error {
		return row.Scan(&t.Key, &t.Value)
	})
	if len(all) == 0 {
		return nil, err
	}
	out := make(map[string]string, len(all))
	for _, t := range all {
		out[t.Key] = t.Value
	}
	return out, err
}

// versionRecords returns the next versions, those that are there and those that were.
func versionRecords(tx *store.Tx, modelK, after int64) ([]*VersionRecord, error) {
	rows, err := tx.Query(`select n, created_ms, coalesce(retired_ms, 0), 0, '', source, storage,
			run_id, logged_id, run_link, description, user_name, stage, state, reason, produced_by,
			updated_ms
		from version where model_k = ? and n > ?
		union all select n, created_ms, coalesce(retired_ms, 0), deleted_ms, body, '', '', '', '', '',
			'', '', '', '', '', '', 0
		from version_past where model_k = ? and n > ? order by 1 limit ?`,
		modelK, after, modelK, after, recordChunk)
	all, err := collect(rows, err, func(row scanner, out **VersionRecord) error {
		v := &VersionRecord{}
		*out = v
		var was, lineage string
		err := row.Scan(&v.N, &v.CreatedMS, &v.RetiredMS, &v.DeletedMS, &was, &v.Source, &v.Storage,
			&v.RunID, &v.LoggedModelID, &v.RunLink, &v.Description, &v.User, &v.Stage, &v.State,
			&v.Reason, &lineage, &v.UpdatedMS)
		if was != "" {
			v.Was = []byte(was)
		}
		if lineage != "" && lineage != "{}" {
			v.ProducedBy = []byte(lineage)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, v := range all {
		v.Tags, err = tagPairs(tx, "select key, value from version_tag where model_k = ? and n = ? "+
			"order by key", modelK, v.N)
		if err != nil {
			return nil, err
		}
		if v.Changes, err = changeRecords(tx, modelK, v.N); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// changeRecords returns the changes of a version, or for 0 of the model itself.
func changeRecords(tx *store.Tx, modelK, n int64) ([]ChangeRecord, error) {
	rows, err := tx.Query(`select kind, key, rev, value, event_id, actor, at_ms from change
		where model_k = ? and n = ? order by kind, key, rev`, modelK, n)
	return collect(rows, err, func(row scanner, c *ChangeRecord) error {
		return row.Scan(&c.Kind, &c.Key, &c.Rev, &c.Value, &c.Event, &c.Actor, &c.AtMS)
	})
}

// numberRecords has the models' keys for their ids.
func numberRecords(tx *store.Tx, p fairlead.Project) ([]NumberRecord, error) {
	rows, err := tx.Query(`select name, last_n, model_k from model_number where project_k = ?
		order by name`, p.K)
	return collect(rows, err, func(row scanner, n *NumberRecord) error {
		return row.Scan(&n.Name, &n.Last, &n.Model)
	})
}
