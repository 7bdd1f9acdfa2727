package tracking

import (
	"database/sql/driver"
	"errors"
	"strconv"

	"github.com/fairlead-ml/fairlead/store"
)

func readHistoryByTime(tx *store.Tx, runK int64, key string, limit int) ([]Metric, error) {
	return ofKey(tx, key, func(keyK int64) ([]Metric, error) {
		return readPoints(tx, key, `select step, ts, value, is_nan from metric
			where run_k = ? and key_k = ? order by ts, step, value, is_nan limit ?`, runK, keyK, limit)
	})
}

// sampleHistory divides the points into limit buckets, the first of them one point longer
// where it does not come out even, and returns the first point of each, but of the last
// bucket the last one. It goes through the points once, in the order in which they lie.
func sampleHistory(tx *store.Tx, runK int64, key string, steps Steps, limit int) ([]Metric,
	error) {
	return ofKey(tx, key, func(keyK int64) ([]Metric, error) {
		var n int64
		err := tx.QueryRow(`select count(*) from metric where run_k = ? and key_k = ?
			and step between ? and ?`, runK, keyK, steps.First, steps.Last).Scan(&n)
		if err != nil {
			return nil, err
		}
		buckets := max(1, min(int64(limit), n))
		size := max(1, n/buckets)
		longer := n % buckets * (size + 1) // the points in the longer buckets
		return readPoints(tx, key, `select step, ts, value, is_nan from (
				select step, ts, value, is_nan,
					row_number() over (order by step, ts, value, is_nan) - 1 as i
				from metric where run_k = ? and key_k = ? and step between ? and ?
			) as numbered
			where i < ? and i % ? = 0 or i >= ? and i <> ? and (i - ?) % ? = 0 or i = ?
			order by step, ts, value, is_nan`, runK, keyK, steps.First, steps.Last,
			longer, size+1, longer, n-size, longer, size, n-1)
	})
}

// ofKey reads points of the metric of that name; there are none of an unknown one.
func ofKey(tx *store.Tx, key string, read func(keyK int64) ([]Metric, error)) ([]Metric, error) {
	keyK, err := lookUpKey(tx, key)
	if errors.Is(err, store.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return read(keyK)
}

// readPoints runs a query for the step, time, value and NaN flag of points.
func readPoints(tx *store.Tx, key, query string, args ...any) (out []Metric, err error) {
	err = tx.Each(query, args, func(row []driver.Value) error {
		out = append(out, Metric{Key: key, Step: row[0].(int64), TimestampMS: row[1].(int64),
			Value: unflag(row[2].(float64), row[3].(int64))})
		return nil
	})
	return out, err
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
