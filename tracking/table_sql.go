package tracking

import (
	"database/sql/driver"
	"errors"
	"math"
	"slices"
	"strings"

	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking/filter"
)

func newestRun(tx *store.Tx) (k int64, err error) {
	err = tx.QueryRow("select coalesce(max(k), 0) from run").Scan(&k)
	return k, err
}

// from is what the search reads from: the runs alone where it can, which are many.
func (q *listSearch) from(runs string) string {
	if q.needs {
		return runs + " join experiment e on e.k = r.exp_k"
	}
	return runs
}

// keys returns the keys of the runs in their order, and fills in the parents of those that
// have one.
func (q *listSearch) keys(tx *store.Tx, in *scope, above map[int64]int64) (out []int64, err error) {
	head := "select r.k"
	if q.nested {
		head += `, case when r.parent is not null then
			(select q.k from run q where q.id = r.parent) end as parent_k`
	}
	where := append([]string{in.cond}, q.where...)
	text := head + " from " + q.from("run r") + " " + strings.Join(q.joins, " ") +
		" where " + strings.Join(where, " and ") + " order by " + orderSQL(q.order)
	args := slices.Concat(q.joined, in.args, q.args)
	if err := checkArgs(args); err != nil {
		return nil, err
	}
	err = tx.Each(text, args, func(row []driver.Value) error {
		k := row[0].(int64)
		out = append(out, k)
		if q.nested && row[1] != nil {
			above[k] = row[1].(int64)
		}
		return nil
	})
	return out, err
}

// newer counts the runs that the search would find too, among those that came after a key.
func (q *listSearch) newer(tx *store.Tx, in *scope, newest int64) (n int64, err error) {
	where := append([]string{in.cond}, q.where...)
	args := slices.Concat([]any{newest, maxNewer}, in.args, q.args)
	if err := checkArgs(args); err != nil {
		return 0, err
	}
	err = tx.QueryRow("select count(*) from "+
		q.from("(select * from run where k > ? order by k limit ?) r")+
		" where "+strings.Join(where, " and "), args...).Scan(&n)
	return n, err
}

// runsByKey returns the runs in the order of the keys, without those that are not there.
func runsByKey(tx *store.Tx, keys []int64) ([]*Run, error) {
	at := make(map[int64]*Run, len(keys))
	for part := range slices.Chunk(keys, inChunk) {
		text, args := inList("select "+runColumns+` from run r join experiment e on e.k = r.exp_k
			where r.k in (%s) and r.state <> 'purging'`, part)
		found, err := scanAll(tx, text, args, scanRun)
		if err != nil {
			return nil, err
		}
		for _, r := range found {
			at[r.k] = r
		}
	}
	out := make([]*Run, 0, len(keys))
	for _, k := range keys {
		if r := at[k]; r != nil {
			out = append(out, r)
		}
	}
	return out, nil
}

// experimentsOf returns the experiments that the rows are of, each once, by number.
func experimentsOf(tx *store.Tx, rows []*TableRow) (out []*Experiment, err error) {
	var keys []int64
	for _, r := range rows {
		keys = append(keys, r.expK)
	}
	slices.Sort(keys)
	for part := range slices.Chunk(slices.Compact(keys), inChunk) {
		text, args := inList("select "+experimentColumns+
			" from experiment e where e.k in (%s) order by e.n", part)
		found, err := scanAll(tx, text, args, scanExperiment)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

// loadSummaries returns what the named metrics of the runs have come to.
func (s *Service) loadSummaries(tx *store.Tx, runs []*Run, names []any) ([][]MetricSummary, error) {
	return loadKeyed(s, tx, runs, "latest", "value, is_nan, ts, step, low, high", names,
		func(row []driver.Value) MetricSummary {
			m := MetricSummary{TimeMS: row[2].(int64), Step: row[3].(int64), Min: floatOf(row[4]),
				Max: floatOf(row[5])}
			if row[1].(int64) == 0 {
				m.Last = floatOf(row[0])
			}
			return m
		}, func(m *MetricSummary) *string { return &m.Key })
}

// newestOf calls fn with the newest values of the named metrics of the runs that are numbers.
func (s *Service) newestOf(tx *store.Tx, runs []int64, names []any,
	fn func(run int64, metric string, v float64)) error {
	if len(runs) == 0 {
		return nil
	}
	known := map[int64]string{}
	err := tx.Each("select k, name from key_name where name in ("+store.Placeholders(len(names))+")",
		names, func(row []driver.Value) error {
			known[row[0].(int64)] = row[1].(string)
			return nil
		})
	if err != nil {
		return err
	}
	return eachOf(tx, runs, func(k int64) int64 { return k }, `select run_k, key_k, value from latest
		where run_k in (%s) and is_nan = 0 and key_k in (select k from key_name where name in (`+
		store.Placeholders(len(names))+"))", names, func(at int, row []driver.Value) error {
		if v := floatOf(row[1]); v != nil {
			fn(runs[at], known[row[0].(int64)], *v)
		}
		return nil
	})
}

// texts calls fn with the values of a param or tag of the runs that have it.
func texts(tx *store.Tx, in *scope, kind filter.Kind, key string, wanted *places,
	fn func(at int, text string)) error {
	return tx.Each("select r.k, x.value from run r join "+pairTables[kind]+
		" x on x.run_k = r.k and x.key_k = "+keyOf+" where "+in.cond,
		append([]any{key}, in.args...), func(row []driver.Value) error {
			if at, ok := wanted.of(row[0].(int64)); ok {
				fn(at, row[1].(string))
			}
			return nil
		})
}

// newestValues calls fn with the newest value of a metric of each wanted run that has the
// metric, which may be NaN. It reads the index by value, and apart from it only the runs
// that the index has no number of.
func (s *Service) newestValues(tx *store.Tx, in *scope, key string, wanted *places,
	fn func(at int, v float64)) error {
	keyK, err := lookUpKey(tx, key)
	if errors.Is(err, store.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	behind, err := ints(tx, "select run_k from metric_pending")
	if err != nil {
		return err
	}
	pending := make(map[int64]bool, len(behind))
	for _, k := range behind {
		pending[k] = true
	}
	known := make([]bool, len(wanted.runs))
	err = tx.Each("select i.run_k, i.value from metric_index i where "+
		strings.Replace(in.cond, "r.exp_k", "i.exp_k", 1)+" and i.key_k = ?",
		append(slices.Clip(in.args), keyK), func(row []driver.Value) error {
			k := row[0].(int64)
			if at, ok := wanted.of(k); ok && (len(pending) == 0 || !pending[k]) {
				known[at] = true
				fn(at, numberOf(row[1]))
			}
			return nil
		})
	if err != nil {
		return err
	}
	var left []int64
	for at, k := range wanted.runs {
		if !known[at] {
			left = append(left, k)
		}
	}
	slices.Sort(left)
	for part := range slices.Chunk(left, inChunk) {
		text, args := inList("select run_k, value, is_nan from latest where run_k in (%s) and key_k = ?",
			part)
		err := tx.Each(text, append(args, keyK), func(row []driver.Value) error {
			at, _ := wanted.of(row[0].(int64))
			if row[2].(int64) != 0 {
				row[1] = nil
			}
			fn(at, numberOf(row[1]))
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// numberOf is a column of numbers, NaN where it has none.
func numberOf(v driver.Value) float64 {
	if f, ok := v.(float64); ok {
		return f
	}
	return math.NaN()
}

// places are where runs stand in a list. They are looked up by the keys of the runs, which
// mostly lie close together: many of a table are looked up at once.
type places struct {
	runs []int64
	from int64
	near []int32         // place + 1, by the distance from the first key
	far  map[int64]int32 // instead, when they lie far apart
}

func placesOf(runs []int64) *places {
	p := &places{runs: runs}
	if len(runs) == 0 {
		return p
	}
	p.from = slices.Min(runs)
	if span := slices.Max(runs) - p.from + 1; span <= int64(len(runs))*64 {
		p.near = make([]int32, span)
	} else {
		p.far = make(map[int64]int32, len(runs))
	}
	for at, k := range runs {
		if p.far != nil {
			p.far[k] = int32(at + 1)
		} else {
			p.near[k-p.from] = int32(at + 1)
		}
	}
	return p
}

// of returns the place of a run, and whether it is in the list.
func (p *places) of(k int64) (at int, ok bool) {
	if p.far != nil {
		at = int(p.far[k])
	} else if i := k - p.from; i >= 0 && i < int64(len(p.near)) {
		at = int(p.near[i])
	}
	return at - 1, at > 0
}
