package tracking

import "github.com/fairlead-ml/fairlead/store"

func readSummaries(tx *store.Tx, runK int64, after string, limit int) ([]*MetricSummary, error) {
	return scanAll(tx, `select n.name, case when l.is_nan = 0 then l.value end, l.step, l.ts, l.low,
		l.high from latest l join key_name n on n.k = l.key_k where l.run_k = ? and n.name > ?
		order by n.name limit ?`, []any{runK, after, limit}, func(row scanner) (*MetricSummary, error) {
		var m MetricSummary
		return &m, row.Scan(&m.Key, &m.Last, &m.Step, &m.TimeMS, &m.Min, &m.Max)
	})
}

// history is the points of one metric of a run.
type history struct {
	tx         *store.Tx
	runK, keyK int64
}

// ends returns the least and the highest value of a column; ErrNoRows when there are
// no points.
func (h history) ends(column string) (first, last int64, err error) {
	err = h.tx.QueryRow("select min("+column+"), max("+column+`) from metric
		where run_k = ? and key_k = ? group by run_k, key_k`, h.runK, h.keyK).Scan(&first, &last)
	return first, last, err
}

// buckets cuts the history where a column passes a multiple of width. Those on both
// sides of zero are one.
func (h history) buckets(column string, width int64) ([]Bucket, error) {
	found, err := scanAll(h.tx, `select min(step), max(step), min(ts), max(ts),
		min(case when is_nan = 0 then value end), max(case when is_nan = 0 then value end),
		count(*), sum(is_nan) from metric where run_k = ? and key_k = ?
		group by `+column+" / ? order by "+column+" / ?", []any{h.runK, h.keyK, width, width},
		func(row scanner) (*Bucket, error) {
			var b Bucket
			return &b, row.Scan(&b.FromStep, &b.ToStep, &b.FromMS, &b.ToMS, &b.Min, &b.Max, &b.Points,
				&b.NaNs)
		})
	out := make([]Bucket, len(found))
	for i, b := range found {
		out[i] = *b
	}
	return out, err
}
