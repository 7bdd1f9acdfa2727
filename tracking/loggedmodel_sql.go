package tracking

import (
	"database/sql/driver"
	"strconv"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

const loggedModelColumns = `m.k, m.id, e.n, m.run_id, m.name, m.model_type, m.status, m.state,
	m.created_ms, m.updated_ms`

func scanLoggedModel(row scanner) (*LoggedModel, error) {
	var m LoggedModel
	var exp int64
	err := row.Scan(&m.k, &m.ID, &exp, &m.RunID, &m.Name, &m.Type, &m.Status, &m.State,
		&m.CreatedMS, &m.UpdatedMS)
	m.ExperimentID = strconv.FormatInt(exp, 10)
	return &m, err
}

func loggedModelByID(tx *store.Tx, p fairlead.Project, id string) (*LoggedModel, error) {
	m, err := scanLoggedModel(tx.QueryRow("select "+loggedModelColumns+` from logged_model m
		join experiment e on e.k = m.exp_k
		where m.id = ? and m.project_k = ? and m.state = 'active' and e.state <> 'purging'`, id, p.K))
	if err != nil {
		return nil, found(err, "Logged model with ID '%s' not found.", id)
	}
	return m, nil
}

func insertLoggedModel(tx *store.Tx, p fairlead.Project, expK int64, m *LoggedModel) error {
	return tx.QueryRow(`insert into logged_model (project_k, id, exp_k, run_id, name, model_type,
		status, state, created_ms, updated_ms) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) returning k`,
		p.K, m.ID, expK, m.RunID, m.Name, m.Type, m.Status, m.State, m.CreatedMS,
		m.UpdatedMS).Scan(&m.k)
}

func updateLoggedModel(tx *store.Tx, m *LoggedModel, nowMS int64) error {
	m.UpdatedMS = nowMS
	_, err := tx.Exec(`update logged_model set status = ?, state = ?, updated_ms = ?,
		deleted_ms = case ? when 'deleted' then ? end where k = ?`,
		m.Status, m.State, m.UpdatedMS, m.State, m.UpdatedMS, m.k)
	return err
}

func upsertModelTags(tx *store.Tx, modelK int64, tags []Tag) error {
	for _, t := range tags {
		_, err := tx.Exec(`insert into logged_model_tag (model_k, key, value) values (?, ?, ?)
			on conflict (model_k, key) do update set value = excluded.value`, modelK, t.Key, t.Value)
		if err != nil {
			return err
		}
	}
	return nil
}

func deleteModelTag(tx *store.Tx, modelK int64, key string) (bool, error) {
	return changed(tx.Exec("delete from logged_model_tag where model_k = ? and key = ?", modelK, key))
}

func insertModelParams(tx *store.Tx, modelK int64, params []Param) error {
	for _, q := range params {
		added, err := changed(tx.Exec(`insert into logged_model_param (model_k, key, value)
			values (?, ?, ?) on conflict do nothing`, modelK, q.Key, q.Value))
		if err != nil {
			return err
		}
		if added {
			continue
		}
		var old string
		err = tx.QueryRow("select value from logged_model_param where model_k = ? and key = ?",
			modelK, q.Key).Scan(&old)
		if err != nil {
			return err
		}
		if old != q.Value {
			return fairlead.Errorf(fairlead.Invalid, "Changing param values is not allowed. "+
				"Param with key='%s' was already logged with value='%s'.", q.Key, old)
		}
	}
	return nil
}

func loadLoggedModels(tx *store.Tx, models []*LoggedModel) error {
	each := func(query string, fn func(m *LoggedModel, row []driver.Value)) error {
		return eachOf(tx, models, func(m *LoggedModel) int64 { return m.k }, query, nil,
			func(at int, row []driver.Value) error {
				fn(models[at], row)
				return nil
			})
	}
	err := each(`select model_k, key, value from logged_model_tag where model_k in (%s)
		order by model_k, key`, func(m *LoggedModel, row []driver.Value) {
		m.Tags = append(m.Tags, Tag{row[0].(string), row[1].(string)})
	})
	if err != nil {
		return err
	}
	err = each(`select model_k, key, value from logged_model_param where model_k in (%s)
		order by model_k, key`, func(m *LoggedModel, row []driver.Value) {
		m.Params = append(m.Params, Param{row[0].(string), row[1].(string)})
	})
	if err != nil {
		return err
	}
	return each(`select x.model_k, n.name, x.dataset_name, x.dataset_digest, r.id, x.step, x.ts,
		x.value, x.is_nan from logged_model_metric x join key_name n on n.k = x.key_k
		join run r on r.k = x.run_k where x.model_k in (%s) order by x.model_k, n.name, x.dataset_name,
		x.dataset_digest, x.run_k, x.step, x.ts, x.value, x.is_nan`,
		func(m *LoggedModel, row []driver.Value) {
			m.Metrics = append(m.Metrics, Metric{ModelID: m.ID, Key: row[0].(string),
				DatasetName: row[1].(string), DatasetDigest: row[2].(string), RunID: row[3].(string),
				Step: row[4].(int64), TimestampMS: row[5].(int64),
				Value: unflag(row[6].(float64), row[7].(int64))})
		})
}
