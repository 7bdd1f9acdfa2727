package tracking

import (
	"database/sql/driver"
	"encoding/json"

	"github.com/fairlead-ml/fairlead/store"
)

// insertInput stores the dataset once in the run's experiment, and the link.
func insertInput(tx *store.Tx, runK int64, in DatasetInput) error {
	d := in.Dataset
	var k int64
	err := tx.QueryRow(`insert into run_dataset (exp_k, name, digest, source_type, source, schema,
		profile) select exp_k, ?, ?, ?, ?, ?, ? from run where k = ?
		on conflict (exp_k, name, digest) do update set name = excluded.name returning k`,
		d.Name, d.Digest, d.SourceType, d.Source, d.Schema, d.Profile, runK).Scan(&k)
	if err != nil {
		return err
	}
	tags, err := json.Marshal(in.Tags)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`insert into run_input (run_k, dataset_k, context, tags) values (?, ?, ?, ?)
		on conflict (run_k, dataset_k) do update
		set context = excluded.context, tags = excluded.tags`, runK, k, in.context(), string(tags))
	return err
}

func insertRunModel(tx *store.Tx, runK int64, direction string, m ModelOutput) error {
	_, err := tx.Exec(`insert into run_model (run_k, direction, model_id, step) values (?, ?, ?, ?)
		on conflict (run_k, direction, model_id) do update set step = excluded.step`,
		runK, direction, m.ModelID, m.Step)
	return err
}

func loadInputs(tx *store.Tx, runs []*Run) error {
	return eachRun(tx, runs, `select i.run_k, d.name, d.digest, d.source_type, d.source, d.schema,
		d.profile, i.tags from run_input i join run_dataset d on d.k = i.dataset_k
		where i.run_k in (%s) order by i.run_k, i.dataset_k`, nil,
		func(at int, row []driver.Value) error {
			in := DatasetInput{Dataset: Dataset{Name: row[0].(string), Digest: row[1].(string),
				SourceType: row[2].(string), Source: row[3].(string), Schema: row[4].(string),
				Profile: row[5].(string)}}
			if err := json.Unmarshal([]byte(row[6].(string)), &in.Tags); err != nil {
				return err
			}
			runs[at].Datasets = append(runs[at].Datasets, in)
			return nil
		})
}

func loadModels(tx *store.Tx, runs []*Run) error {
	return eachRun(tx, runs, `select run_k, direction, model_id, step from run_model
		where run_k in (%s) order by run_k, direction, step, model_id`, nil,
		func(at int, row []driver.Value) error {
			m := ModelOutput{ModelID: row[1].(string), Step: row[2].(int64)}
			if r := runs[at]; row[0].(string) == "input" {
				r.ModelInputs = append(r.ModelInputs, m.ModelID)
			} else {
				r.ModelOutputs = append(r.ModelOutputs, m)
			}
			return nil
		})
}
