package tracking

import (
	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// runNameTag is the tag that carries a run's name; the two are kept equal.
const runNameTag = "mlflow.runName"

// writeParams adds params; the same value again is fine, another one is Invalid.
func writeParams(ring *keyring, r *Run, params []Param) error {
	for _, p := range params {
		key, err := ring.key(p.Key)
		if err != nil {
			return err
		}
		added, err := changed(ring.tx.Exec(`insert into param (run_k, key_k, value) values (?, ?, ?)
			on conflict do nothing`, r.k, key, p.Value))
		if err != nil {
			return err
		}
		if !added {
			if err := sameParam(ring.tx, r, key, p); err != nil {
				return err
			}
		}
	}
	return nil
}

func sameParam(tx *store.Tx, r *Run, key int64, p Param) error {
	var old string
	err := tx.QueryRow("select value from param where run_k = ? and key_k = ?", r.k, key).Scan(&old)
	if err != nil || old == p.Value {
		return err
	}
	return fairlead.Errorf(fairlead.Invalid, "Changing param values is not allowed. "+
		"Param with key='%s' was already logged with value='%s' for run ID='%s'. "+
		"Attempted logging new value '%s'.", p.Key, old, r.ID, p.Value)
}

func (s *Service) writeTags(ring *keyring, r *Run, tags []Tag) error {
	for _, t := range tags {
		key, err := ring.key(t.Key)
		if err != nil {
			return err
		}
		_, err = ring.tx.Exec(`insert into tag (run_k, key_k, value) values (?, ?, ?)
			on conflict (run_k, key_k) do update set value = excluded.value`, r.k, key, t.Value)
		if err != nil {
			return err
		}
		if t.Key == runNameTag && t.Value != r.Name {
			r.Name = t.Value
			if err := updateRun(ring.tx, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// Params returns the run's params.
func (s *Service) Params(tx *store.Tx, p fairlead.Project, runID string) (map[string]string,
	error) {
	r, err := runByID(tx, p, runID)
	if err != nil {
		return nil, err
	}
	if err := loadParams(tx, []*Run{r}); err != nil {
		return nil, err
	}
	out := make(map[string]string, len(r.Params))
	for _, q := range r.Params {
		out[q.Key] = q.Value
	}
	return out, nil
}

func loadParams(tx *store.Tx, runs []*Run, names ...any) error {
	return eachRun(tx, runs, `select q.run_k, n.name, q.value from param q
		join key_name n on n.k = q.key_k where q.run_k in (%s)`+named(names)+` order by q.run_k, n.name`,
		names, func(byK map[int64]*Run, row scanner) error {
			var k int64
			var q Param
			if err := row.Scan(&k, &q.Key, &q.Value); err != nil {
				return err
			}
			byK[k].Params = append(byK[k].Params, q)
			return nil
		})
}

func loadTags(tx *store.Tx, runs []*Run, names ...any) error {
	return eachRun(tx, runs, `select t.run_k, n.name, t.value from tag t
		join key_name n on n.k = t.key_k where t.run_k in (%s)`+named(names)+` order by t.run_k, n.name`,
		names, func(byK map[int64]*Run, row scanner) error {
			var k int64
			var t Tag
			if err := row.Scan(&k, &t.Key, &t.Value); err != nil {
				return err
			}
			byK[k].Tags = append(byK[k].Tags, t)
			return nil
		})
}
