package tracking

import (
	"database/sql/driver"
	"encoding/json"
	"strconv"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// recordChunk is how many records are read at once.
const recordChunk = 100

// experimentRecords returns the first experiments that meet a condition, by their keys.
func experimentRecords(tx *store.Tx, p fairlead.Project, condition string, args ...any) (
	[]*ExperimentRecord, error) {
	all, err := scanAll(tx, "select "+experimentColumns+` from experiment e
		where e.project_k = ? and e.state <> 'purging' and `+condition+" order by e.k limit ?",
		append(append([]any{p.K}, args...), recordChunk), scanExperiment)
	if err != nil {
		return nil, err
	}
	if err := loadExperimentTags(tx, all); err != nil {
		return nil, err
	}
	out := make([]*ExperimentRecord, len(all))
	for i, e := range all {
		out[i] = &ExperimentRecord{ID: e.ID, Name: e.Name, State: e.State, CreatedMS: e.CreatedMS,
			UpdatedMS: e.UpdatedMS, DeletedMS: e.DeletedMS, Tags: pairs(e.Tags), k: e.k}
	}
	return out, nil
}

// pairs returns tags or params by key; nil for none.
func pairs[T Tag | Param](all []T) map[string]string {
	if len(all) == 0 {
		return nil
	}
	out := make(map[string]string, len(all))
	for _, t := range all {
		out[Tag(t).Key] = Tag(t).Value
	}
	return out
}

// runRecords returns the first runs that meet a condition, by their keys.
func (s *Service) runRecords(tx *store.Tx, condition string, args ...any) ([]*RunRecord, error) {
	runs, err := scanAll(tx, "select "+runColumns+` from run r join experiment e on e.k = r.exp_k
		where `+condition+` and r.state <> 'purging' and e.state <> 'purging' order by r.k limit ?`,
		append(args, recordChunk), scanRun)
	if err != nil {
		return nil, err
	}
	for _, load := range []func(*store.Tx, []*Run, ...any) error{s.loadParams, s.loadTags} {
		if err := load(tx, runs); err != nil {
			return nil, err
		}
	}
	out := make([]*RunRecord, len(runs))
	for i, r := range runs {
		out[i] = &RunRecord{ID: r.ID, Experiment: r.ExperimentID, Name: r.Name, User: r.User,
			Status: r.Status, State: r.State, StartMS: r.StartMS, EndMS: r.EndMS, DeletedMS: r.DeletedMS,
			Params: pairs(r.Params), Tags: pairs(r.Tags), k: r.k}
		if err := out[i].loadRest(tx); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (r *RunRecord) loadRest(tx *store.Tx) (err error) {
	r.Datasets, err = scanValues(tx, `select d.name, d.digest, i.tags
		from run_input i join run_dataset d on d.k = i.dataset_k where i.run_k = ? order by d.k`,
		[]any{r.k}, func(row scanner) (u DatasetLink, err error) {
			var tags string
			if err := row.Scan(&u.Name, &u.Digest, &tags); err != nil {
				return u, err
			}
			return u, json.Unmarshal([]byte(tags), &u.Tags)
		})
	if err != nil {
		return err
	}
	r.Models, err = scanValues(tx, `select direction, model_id, step from run_model where run_k = ?
		order by direction, step, model_id`, []any{r.k}, func(row scanner) (u ModelLink, err error) {
		return u, row.Scan(&u.Direction, &u.ModelID, &u.Step)
	})
	if err != nil {
		return err
	}
	r.Points, err = countPoints(tx, r.k)
	return err
}

func countPoints(tx *store.Tx, runK int64) (n int64, err error) {
	err = tx.QueryRow("select count(*) from metric where run_k = ?", runK).Scan(&n)
	return n, err
}

// scanValues is scanAll for values.
func scanValues[T any](tx *store.Tx, query string, args []any, scan func(scanner) (T, error)) (
	[]T, error) {
	all, err := scanAll(tx, query, args, func(row scanner) (*T, error) {
		v, err := scan(row)
		return &v, err
	})
	var out []T
	for _, v := range all {
		out = append(out, *v)
	}
	return out, err
}

// pointKeys are the metrics of a run by name.
func pointKeys(tx *store.Tx, runK int64) ([]Tag, error) {
	return scanTags(tx.Query(`select n.name, cast(n.k as text) from latest l
		join key_name n on n.k = l.key_k where l.run_k = ? order by n.name`, runK))
}

// eachPoint reads a metric's points; the value of the key is its number.
func eachPoint(tx *store.Tx, r *RunRecord, key Tag, fn func(*PointRecord) error) error {
	keyK, err := strconv.ParseInt(key.Value, 10, 64)
	if err != nil {
		return err
	}
	return tx.Each(`select step, ts, value, is_nan from metric
		where run_k = ? and key_k = ? order by step, ts, value, is_nan`, []any{r.k, keyK},
		func(row []driver.Value) error {
			return fn(&PointRecord{RunID: r.ID, Key: key.Key, Step: row[0].(int64),
				TimestampMS: row[1].(int64), Value: unflag(row[2].(float64), row[3].(int64))})
		})
}

// loggedModelRecords returns the first logged models that meet a condition, by their keys.
func loggedModelRecords(tx *store.Tx, condition string, args ...any) ([]*LoggedModelRecord,
	error) {
	out, err := scanAll(tx, "select "+loggedModelColumns+`, coalesce(m.deleted_ms, 0),
		(select count(*) from logged_model_metric x join run r on r.k = x.run_k where x.model_k = m.k)
		from logged_model m join experiment e on e.k = m.exp_k where `+condition+`
		and m.state <> 'purging' and e.state <> 'purging' order by m.k limit ?`,
		append(args, recordChunk), func(row scanner) (*LoggedModelRecord, error) {
			var m LoggedModelRecord
			var exp int64
			err := row.Scan(&m.k, &m.ID, &exp, &m.RunID, &m.Name, &m.Type, &m.Status, &m.State,
				&m.CreatedMS, &m.UpdatedMS, &m.DeletedMS, &m.Points)
			m.Experiment = strconv.FormatInt(exp, 10)
			return &m, err
		})
	if err != nil {
		return nil, err
	}
	for _, m := range out {
		if m.Tags, err = modelPairs(tx, "logged_model_tag", m.k); err != nil {
			return nil, err
		}
		if m.Params, err = modelPairs(tx, "logged_model_param", m.k); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func modelPairs(tx *store.Tx, table string, modelK int64) (map[string]string, error) {
	tags, err := scanTags(tx.Query("select key, value from "+table+
		" where model_k = ? order by key", modelK))
	return pairs(tags), err
}

func eachModelPoint(tx *store.Tx, m *LoggedModelRecord, fn func(*ModelPointRecord) error) error {
	return tx.Each(`select n.name, x.dataset_name, x.dataset_digest, r.id, x.step, x.ts,
		x.value, x.is_nan from logged_model_metric x join key_name n on n.k = x.key_k
		join run r on r.k = x.run_k where x.model_k = ? order by n.name, x.dataset_name,
		x.dataset_digest, x.run_k, x.step, x.ts, x.value, x.is_nan`, []any{m.k},
		func(row []driver.Value) error {
			return fn(&ModelPointRecord{ModelID: m.ID, Key: row[0].(string), DatasetName: row[1].(string),
				DatasetDigest: row[2].(string), RunID: row[3].(string), Step: row[4].(int64),
				TimestampMS: row[5].(int64), Value: unflag(row[6].(float64), row[7].(int64))})
		})
}
