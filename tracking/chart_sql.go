package tracking

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strconv"

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

// history is the points of one metric of a run, or some of them.
type history struct {
	tx        *store.Tx
	runK, key int64
	step      *int64 // when all have the same, and lie in the order of time
	where     string
	args      []any
}

func historyOf(tx *store.Tx, runK, keyK int64) history {
	return history{tx: tx, runK: runK, key: keyK, where: "run_k = ? and key_k = ?",
		args: []any{runK, keyK}}
}

func (h history) ofStep(step int64) history {
	h.step, h.where, h.args = &step, h.where+" and step = ?", append(slices.Clip(h.args), step)
	return h
}

func (h history) between(column string, r stretch) history {
	h.where += " and " + column + " between ? and ?"
	h.args = append(slices.Clip(h.args), r.from, r.to)
	return h
}

// seen tells what is newest in the history, and its extremes; empty when it has no points.
func (h history) seen() (out string, err error) {
	err = h.tx.Each(`select step, ts, value, is_nan, low, high from latest
		where run_k = ? and key_k = ?`, []any{h.runK, h.key}, func(row []driver.Value) error {
		sum := fnv.New64a()
		fmt.Fprint(sum, row)
		out = strconv.FormatUint(sum.Sum64(), 36)
		return nil
	})
	return out, err
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

// times is the range of the times within the asked one; ErrNoRows when there are none.
func (h history) times(asked stretch) (stretch, error) {
	var from, to sql.NullInt64
	err := h.tx.QueryRow("select min(ts), max(ts) from metric where "+h.where+
		" and ts between ? and ?", append(slices.Clip(h.args), asked.from, asked.to)...).Scan(&from, &to)
	if err == nil && !from.Valid {
		err = store.ErrNoRows
	}
	return stretch{from.Int64, to.Int64}, err
}

// points returns the first points as they lie, at most limit of them.
func (h history) points(limit int) (out []point, err error) {
	err = h.tx.Each("select step, ts, value, is_nan from metric where "+h.where+
		" order by step, ts, value, is_nan limit ?", append(slices.Clip(h.args), limit),
		func(row []driver.Value) error {
			out = append(out, pointOf(row))
			return nil
		})
	return out, err
}

// each calls fn with all points, in any order.
func (h history) each(fn func(point)) error {
	return h.tx.Each("select step, ts, value, is_nan from metric where "+h.where, h.args,
		func(row []driver.Value) error {
			fn(pointOf(row))
			return nil
		})
}

func pointOf(row []driver.Value) point {
	return point{step: row[0].(int64), ts: row[1].(int64), value: row[2].(float64),
		nan: row[3].(int64)}
}

// looks is in how many places stepsOf looks whether times follow steps.
const looks = 500

// stepsOf returns whether the times of the history rise with its steps, as far as looks
// tell, and then the steps of the asked times.
func (h history) stepsOf(asked stretch) (ordered bool, steps stretch, err error) {
	first, last, err := h.ends("step")
	if err != nil {
		return false, steps, err
	}
	steps = stretch{first, last}
	width := widthOf(steps, 0, looks)
	before := int64(math.MinInt64)
	for q := first / width; q <= last/width; q++ {
		p, ok, err := h.from(max(first, q*width))
		if err != nil || ok && p.ts < before {
			return false, steps, err
		}
		if ok {
			before = p.ts
		}
	}
	if steps.from, err = h.firstStep(stretch{first, last}, asked.from); err != nil {
		return false, steps, err
	}
	if asked.to < math.MaxInt64 {
		after, err := h.firstStep(stretch{first, last}, asked.to+1)
		if err != nil {
			return false, steps, err
		}
		steps.to = after - 1
	}
	return true, steps, nil
}

// from returns the first point at or after a step.
func (h history) from(step int64) (p point, ok bool, err error) {
	err = h.tx.Each("select step, ts, value, is_nan from metric where "+h.where+
		" and step >= ? order by step, ts, value, is_nan limit 1", append(slices.Clip(h.args), step),
		func(row []driver.Value) error {
			p, ok = pointOf(row), true
			return nil
		})
	return p, ok, err
}

// firstStep is the least step of the range from which on the times are ts or later, one
// after the range when there is none. The times rise with the steps.
func (h history) firstStep(r stretch, ts int64) (int64, error) {
	if r.to == math.MaxInt64 {
		r.to--
	}
	low, high := r.from, r.to+1
	for low < high {
		mid := low + int64((uint64(high)-uint64(low))/2)
		p, ok, err := h.from(mid)
		if err != nil {
			return 0, err
		}
		if !ok || p.ts >= ts {
			high = mid
		} else {
			low = p.step + 1
		}
	}
	return low, nil
}

// buckets cuts the history from first to last where a column passes a multiple of width.
// Those on both sides of zero are one. Each is a range of the points as they lie.
func (h history) buckets(column string, first, last, width int64) ([]Bucket, error) {
	out := []Bucket{}
	for i, n := uint64(0), (stretch{first, last}).passes(width); i <= n; i++ {
		q := first/width + int64(i)
		r := stretch{first, last}
		if i > 0 {
			r.from = q * width
			if q <= 0 {
				r.from = (q-1)*width + 1
			}
		}
		if i < n {
			r.to = q * width
			if q >= 0 {
				r.to = (q+1)*width - 1
			}
		}
		b, err := h.between(column, r).bucket()
		if err != nil {
			return nil, err
		}
		if b.Points > 0 {
			out = append(out, b)
		}
	}
	return out, nil
}

// bucket sums the points up. What is no number costs a second look at a bucket that has
// some: most have none, and large charts wait for this.
func (h history) bucket() (b Bucket, err error) {
	var sum float64
	read := func(h history) error {
		return h.tx.Each("select min(value), max(value), total(value), count(*), total(is_nan) "+
			"from metric where "+h.where, h.args, func(row []driver.Value) error {
			b.Min, b.Max, sum = floatOf(row[0]), floatOf(row[1]), row[2].(float64)
			b.Points, b.NaNs = row[3].(int64), int64(row[4].(float64))
			return nil
		})
	}
	if err = read(h); err != nil || b.Points == 0 {
		return b, err
	}
	n, nans := b.Points, b.NaNs
	if nans > 0 || max(*b.Max, -*b.Min) >= math.MaxFloat64 {
		if b.Highs, b.Lows, err = h.infinities(); err != nil {
			return b, err
		}
		finite := h
		finite.where += " and is_nan = 0 and value > ? and value < ?"
		finite.args = append(slices.Clip(h.args), -math.MaxFloat64, math.MaxFloat64)
		if err = read(finite); err != nil {
			return b, err
		}
	}
	b.Mean = meanOf(sum, b.Points)
	b.Points, b.NaNs = n, nans
	return b, h.edges(&b)
}

// infinities counts the points that are stored as the largest numbers.
func (h history) infinities() (highs, lows int64, err error) {
	err = h.tx.QueryRow(`select coalesce(sum(case when value >= ? then 1 end), 0),
		coalesce(sum(case when value <= ? then 1 end), 0) from metric where `+h.where,
		append([]any{math.MaxFloat64, -math.MaxFloat64}, h.args...)...).Scan(&highs, &lows)
	return highs, lows, err
}

// edges fills what the first and the last of the points say.
func (h history) edges(b *Bucket) error {
	for _, direction := range []string{"", " desc"} {
		err := h.tx.Each("select step, ts, value, is_nan from metric where "+h.where+
			" order by step"+direction+", ts"+direction+", value"+direction+", is_nan"+direction+
			" limit 1", h.args, func(row []driver.Value) error {
			p := pointOf(row)
			if direction == "" {
				b.FromStep, b.FromMS = p.step, p.ts
			}
			b.ToStep, b.ToMS, b.Last = p.step, p.ts, p.number()
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func floatOf(v driver.Value) *float64 {
	if f, ok := v.(float64); ok {
		return &f
	}
	return nil
}
