package registry

import (
	"database/sql"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

type scanner interface{ Scan(dest ...any) error }

const modelColumns = "m.k, m.name, m.description, m.created_ms, m.updated_ms"

func scanModel(row scanner) (*Model, error) {
	m := Model{Aliases: map[string]int64{}}
	err := row.Scan(&m.k, &m.Name, &m.Description, &m.CreatedMS, &m.UpdatedMS)
	return &m, err
}

func modelByName(tx *store.Tx, p fairlead.Project, name string) (*Model, error) {
	m, err := scanModel(tx.QueryRow("select "+modelColumns+
		" from model m where m.project_k = ? and m.name = ?", p.K, name))
	if err != nil {
		return nil, found(err, "Registered Model with name=%s not found", name)
	}
	return m, nil
}

// insertModel gives a key that no model has had.
func insertModel(tx *store.Tx, p fairlead.Project, m *Model) error {
	m.Aliases = map[string]int64{}
	err := tx.QueryRow(`insert into model (k, project_k, name, description, created_ms, updated_ms)
		select coalesce(max(model_k), 0) + 1, ?, ?, ?, ?, ? from model_name returning k`,
		p.K, m.Name, m.Description, m.CreatedMS, m.UpdatedMS).Scan(&m.k)
	if err != nil {
		return err
	}
	return beginName(tx, p, m, m.CreatedMS)
}

func updateModel(tx *store.Tx, m *Model, nowMS int64) error {
	m.UpdatedMS = nowMS
	_, err := tx.Exec("update model set name = ?, description = ?, updated_ms = ? where k = ?",
		m.Name, m.Description, m.UpdatedMS, m.k)
	return err
}

func touchModel(tx *store.Tx, k, nowMS int64) error {
	_, err := tx.Exec("update model set updated_ms = ? where k = ?", nowMS, k)
	return err
}

// deleteModel removes every row of the model but those of its past; its numbers stay
// taken.
func deleteModel(tx *store.Tx, k int64) error {
	for _, table := range []string{"version_hold", "condition", "alias",
		"version_tag", "version", "model_tag"} {
		if _, err := tx.Exec("delete from "+table+" where model_k = ?", k); err != nil {
			return err
		}
	}
	// Its numbers are not given again.
	if _, err := tx.Exec("update model_number set model_k = 0 where model_k = ?", k); err != nil {
		return err
	}
	_, err := tx.Exec("delete from model where k = ?", k)
	return err
}

func modelTag(tx *store.Tx, p fairlead.Project, name, key string) (value string, err error) {
	err = tx.QueryRow(`select coalesce(t.value, '') from model m
		left join model_tag t on t.model_k = m.k and t.key = ?
		where m.project_k = ? and m.name = ?`, key, p.K, name).Scan(&value)
	return value, found(err, "Registered Model with name=%s not found", name)
}

func upsertModelTag(tx *store.Tx, k int64, t Tag) error {
	_, err := tx.Exec(`insert into model_tag (model_k, key, value) values (?, ?, ?)
		on conflict (model_k, key) do update set value = excluded.value`, k, t.Key, t.Value)
	return err
}

func deleteModelTag(tx *store.Tx, k int64, key string) error {
	_, err := tx.Exec("delete from model_tag where model_k = ? and key = ?", k, key)
	return err
}

// eachModel runs the query, whose %s is an `in` list of model keys, over chunks
// of the models.
func eachModel(tx *store.Tx, models []*Model, query string,
	scan func(byK map[int64]*Model, rows *sql.Rows) error) error {
	const chunk = 500
	for len(models) > 0 {
		part := models[:min(chunk, len(models))]
		models = models[len(part):]
		byK := make(map[int64]*Model, len(part))
		args := make([]any, len(part))
		for i, m := range part {
			byK[m.k], args[i] = m, m.k
		}
		rows, err := tx.Query(strings.ReplaceAll(query, "%s", store.Placeholders(len(args))), args...)
		if err != nil {
			return err
		}
		for rows.Next() && err == nil {
			err = scan(byK, rows)
		}
		if e := rows.Close(); err == nil {
			err = e
		}
		if e := rows.Err(); err == nil {
			err = e
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func loadModelTags(tx *store.Tx, models []*Model) error {
	return eachModel(tx, models, `select model_k, key, value from model_tag
		where model_k in (%s) order by model_k, key`,
		func(byK map[int64]*Model, rows *sql.Rows) error {
			var k int64
			var t Tag
			if err := rows.Scan(&k, &t.Key, &t.Value); err != nil {
				return err
			}
			byK[k].Tags = append(byK[k].Tags, t)
			return nil
		})
}

func loadModelAliases(tx *store.Tx, models []*Model) error {
	return eachModel(tx, models, `select model_k, name, n from alias
		where model_k in (%s) and n > 0 order by model_k, name`,
		func(byK map[int64]*Model, rows *sql.Rows) error {
			var k, n int64
			var name string
			if err := rows.Scan(&k, &name, &n); err != nil {
				return err
			}
			byK[k].Aliases[name] = n
			return nil
		})
}

// loadLatest fills the newest version of each stage.
func loadLatest(tx *store.Tx, models []*Model) error {
	var latest []*Version
	err := eachModel(tx, models, "select "+versionColumns+` from version v
		join model m on m.k = v.model_k
		where (v.model_k, v.n) in (select model_k, max(n) from version where model_k in (%s)
			group by model_k, stage) order by v.model_k, v.n`,
		func(byK map[int64]*Model, rows *sql.Rows) error {
			v, err := scanVersion(rows)
			if err != nil {
				return err
			}
			byK[v.modelK].Latest = append(byK[v.modelK].Latest, v)
			latest = append(latest, v)
			return nil
		})
	if err != nil {
		return err
	}
	return loadVersions(tx, latest)
}

func countVersions(tx *store.Tx, models []*Model, out map[string]int64) error {
	return eachModel(tx, models, `select model_k, count(*) from version
		where model_k in (%s) group by model_k order by model_k`,
		func(byK map[int64]*Model, rows *sql.Rows) error {
			var k, n int64
			if err := rows.Scan(&k, &n); err != nil {
				return err
			}
			out[byK[k].Name] = n
			return nil
		})
}
