package tracking

import (
	"database/sql"
	"slices"

	"github.com/fairlead-ml/fairlead/store"
)

func readSummaries(tx *store.Tx, runK int64, after string, limit int) ([]*MetricSummary, error) {
	return scanAll(tx, `select n.name, case when l.is_nan = 0 then l.value end, l.step, l.ts, l.low,
		l.high from latest l join key_name n on n.k = l.key_k where l.run_k = ? and n.name > ?
		order by n.name limit ?`, []any{runK, after, limit}, func(row scanner) (*MetricSummary, error) {
		var m MetricSummary
		return &m, row.Scan(&m.Key, &m.Last, &m.Step, &m.TimeMS, &m.Min, &m.Max)
	})
}

// history is the points of one metric of a run, or those of one step of it.
type history struct {
	tx    *store.Tx
	where string
	args  []any
}

func historyOf(tx *store.Tx, runK, keyK int64) history {
	return history{tx, "run_k = ? and key_k = ?", []any{runK, keyK}}
}

func (h history) ofStep(step int64) history {
	return history{h.tx, h.where + " and step = ?", append(slices.Clip(h.args), step)}
}

// ends returns the least and the highest value of a column in which the points lie in
// order; ErrNoRows when there are no points.
func (h history) ends(column string) (first, last int64, err error) {
	query := "select " + column + " from metric where " + h.where + " order by " + column
	if err = h.tx.QueryRow(query+" limit 1", h.args...).Scan(&first); err != nil {
		return 0, 0, err
	}
	err = h.tx.QueryRow(query+" desc limit 1", h.args...).Scan(&last)
	return first, last, err
}

// buckets cuts the history from first to last where a column passes a multiple of width.
// Those on both sides of zero are one. Each is a range of the points as they lie.
func (h history) buckets(column string, first, last, width int64) ([]Bucket, error) {
	out := []Bucket{}
	for q := first / width; q <= last/width; q++ {
		from, to := first, last
		if q > first/width {
			from = q * width
			if q <= 0 {
				from = (q-1)*width + 1
			}
		}
		if q < last/width {
			to = q * width
			if q >= 0 {
				to = (q+1)*width - 1
			}
		}
		var b Bucket
		var ends [4]sql.NullInt64
		var nans sql.NullInt64
		err := h.tx.QueryRow(`select min(step), max(step), min(ts), max(ts),
			min(case when is_nan = 0 then value end), max(case when is_nan = 0 then value end),
			count(*), sum(is_nan) from metric where `+h.where+" and "+column+" between ? and ?",
			append(slices.Clip(h.args), from, to)...).Scan(
			&ends[0], &ends[1], &ends[2], &ends[3], &b.Min, &b.Max, &b.Points, &nans)
		if err != nil {
			return nil, err
		}
		if b.Points > 0 {
			b.FromStep, b.ToStep, b.FromMS, b.ToMS = ends[0].Int64, ends[1].Int64, ends[2].Int64, ends[3].Int64
			b.NaNs = nans.Int64
			out = append(out, b)
		}
	}
	return out, nil
}
