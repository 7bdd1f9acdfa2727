package tracking

import (
	"database/sql/driver"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking/filter"
)

// runNameTag is the tag that carries a run's name; the two are kept equal.
const runNameTag = "mlflow.runName"

// parentTag is the tag that carries the id of the run that this one is below.
const parentTag = "mlflow.parentRunId"

// writeParams adds params; the same value again is fine, another one is Invalid.
func writeParams(ring *keyring, r *Run, params []Param) error {
	for _, p := range params {
		key, err := ring.of(r.expK, filter.Param, p.Key)
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
		key, err := ring.of(r.expK, filter.Tag, t.Key)
		if err != nil {
			return err
		}
		_, err = ring.tx.Exec(`insert into tag (run_k, key_k, value) values (?, ?, ?)
			on conflict (run_k, key_k) do update set value = excluded.value`, r.k, key, t.Value)
		if err != nil {
			return err
		}
		if t.Key == parentTag {
			if err := setParent(ring.tx, r.k, t.Value); err != nil {
				return err
			}
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
	if err := s.loadParams(tx, []*Run{r}); err != nil {
		return nil, err
	}
	out := make(map[string]string, len(r.Params))
	for _, q := range r.Params {
		out[q.Key] = q.Value
	}
	return out, nil
}

func (s *Service) loadParams(tx *store.Tx, runs []*Run, names ...any) error {
	all, err := loadKeyed(s, tx, runs, "param", "value", names,
		func(row []driver.Value) Param { return Param{Value: row[0].(string)} },
		func(p *Param) *string { return &p.Key })
	for i := range all {
		runs[i].Params = all[i]
	}
	return err
}

func (s *Service) loadTags(tx *store.Tx, runs []*Run, names ...any) error {
	all, err := loadKeyed(s, tx, runs, "tag", "value", names,
		func(row []driver.Value) Tag { return Tag{Value: row[0].(string)} },
		func(t *Tag) *string { return &t.Key })
	for i := range all {
		runs[i].Tags = all[i]
	}
	return err
}
