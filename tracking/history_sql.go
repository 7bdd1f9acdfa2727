package tracking

import (
	"database/sql"
	"errors"
	"strconv"

	"github.com/fairlead-ml/fairlead/store"
)

func readHistoryByTime(tx *store.Tx, runK int64, key string, limit int) ([]Metric, error) {
	return ofKey(tx, key, func(keyK int64) (*sql.Rows, error) {
		return tx.Query(`select step, ts, value, is_nan from metric where run_k = ? and key_k = ?
			order by ts, step, value, is_nan limit ?`, runK, keyK, limit)
	})
}

// sampleHistory returns the first point of each of limit buckets, and the last point of
// all, which stands for the last bucket where that has more than one.
func sampleHistory(tx *store.Tx, runK int64, key string, steps Steps, limit int) ([]Metric,
	error) {
	return ofKey(tx, key, func(keyK int64) (*sql.Rows, error) {
		return tx.Query(`select step, ts, value, is_nan from (
				select step, ts, value, is_nan, bucket, max(bucket) over () as buckets,
					row_number() over (partition by bucket order by step, ts, value, is_nan) as up,
					row_number() over (partition by bucket
						order by step desc, ts desc, value desc, is_nan desc) as down
				from (
					select step, ts, value, is_nan,
						ntile(?) over (order by step, ts, value, is_nan) as bucket
					from metric where run_k = ? and key_k = ? and step between ? and ?
				) as bucketed
			) as ranked
			where up = 1 and bucket < buckets or down = 1 and bucket = buckets
			order by step, ts, value, is_nan`,
			limit, runK, keyK, steps.First, steps.Last)
	})
}

// ofKey reads points of the metric of that name; there are none of an unknown one.
func ofKey(tx *store.Tx, key string, query func(keyK int64) (*sql.Rows, error)) ([]Metric, error) {
	keyK, err := lookUpKey(tx, key)
	if errors.Is(err, store.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	rows, err := query(keyK)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Metric
	for rows.Next() {
		m := Metric{Key: key}
		var nan int64
		if err := rows.Scan(&m.Step, &m.TimestampMS, &m.Value, &nan); err != nil {
			return nil, err
		}
		m.Value = unflag(m.Value, nan)
		out = append(out, m)
	}
	return out, rows.Err()
}

func tagValue(tx *store.Tx, runK, keyK int64) (value string, err error) {
	err = tx.QueryRow("select value from tag where run_k = ? and key_k = ?", runK, keyK).Scan(&value)
	return value, err
}

func datasetUses(tx *store.Tx, expKs []any) ([]DatasetUse, error) {
	rows, err := tx.Query(`select distinct e.n, d.name, d.digest, i.context
		from run_dataset d join run_input i on i.dataset_k = d.k join experiment e on e.k = d.exp_k
		where d.exp_k in (`+store.Placeholders(len(expKs))+`)
		order by e.n, d.name, d.digest, i.context limit ?`, append(expKs, maxDatasetUses)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []DatasetUse
	for rows.Next() {
		var u DatasetUse
		var n int64
		if err := rows.Scan(&n, &u.Name, &u.Digest, &u.Context); err != nil {
			return nil, err
		}
		u.ExperimentID = strconv.FormatInt(n, 10)
		out = append(out, u)
	}
	return out, rows.Err()
}
