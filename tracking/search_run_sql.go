package tracking

import (
	"errors"
	"fmt"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking/filter"
)

// scope is the experiments that a search looks into.
type scope struct {
	cond string // on r.exp_k
	args []any
	keys []any // nil when there are too many to walk each by itself
}

// maxWalks is the most experiments whose indexes one search walks side by side.
const maxWalks = 20

// scopeOf returns nil when there are no such experiments.
func scopeOf(tx *store.Tx, p fairlead.Project, in Search) (*scope, error) {
	if !in.Everywhere {
		keys, err := experimentKeys(tx, p, in.Experiments)
		if err != nil || len(keys) == 0 {
			return nil, err
		}
		sc := &scope{cond: "r.exp_k in (" + store.Placeholders(len(keys)) + ")", args: keys}
		if len(keys) <= maxWalks {
			sc.keys = keys
		}
		return sc, nil
	}
	found, err := scanAll(tx, "select k from experiment where project_k = ? order by k limit ?",
		[]any{p.K, maxWalks + 1}, func(row scanner) (*int64, error) {
			var k int64
			return &k, row.Scan(&k)
		})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	sc := &scope{cond: "r.exp_k in (select k from experiment where project_k = ?)", args: []any{p.K}}
	if len(found) <= maxWalks {
		for _, k := range found {
			sc.keys = append(sc.keys, *k)
		}
	}
	return sc, nil
}

const (
	fromRuns = "run r join experiment e on e.k = r.exp_k"
	// fromPending begins with the few runs that the index is behind of.
	fromPending = "metric_pending p cross join run r join experiment e on e.k = r.exp_k"
	fromIndex   = "metric_index i cross join run r join experiment e on e.k = r.exp_k"
)

// runs returns the runs without their data. Along the index it finds the first ones
// without a look at all others; when those do not fill the page it looks at all.
func (q *runQuery) runs(tx *store.Tx, in *scope, limit, offset int) ([]*Run, error) {
	if q.walk != nil && len(in.keys) > 0 && (len(in.keys)+1)*(len(q.args)+len(q.joined)+8) < maxArgs {
		found, err := q.walked(tx, in, limit, offset)
		if err != nil || q.walk.all || len(found) == limit {
			return found, err
		}
	}
	text, args := q.sql("select "+runColumns, fromRuns, in.cond, in.args, limit, offset)
	if err := checkArgs(args); err != nil {
		return nil, err
	}
	return scanAll(tx, text, args, scanRun)
}

func (q *runQuery) countRuns(tx *store.Tx, in *scope) (n int64, err error) {
	where := strings.Join(append([]string{in.cond}, q.where...), " and ")
	args := append(append([]any{}, in.args...), q.args...)
	if err := checkArgs(args); err != nil {
		return 0, err
	}
	err = tx.QueryRow("select count(*) from "+fromRuns+" where "+where, args...).Scan(&n)
	return n, err
}

// walked returns what a search finds among the runs whose newest value of the walk's
// metric is a number: from the index of each experiment, and from the runs that the
// index is behind of, which are not looked up in it.
func (q *runQuery) walked(tx *store.Tx, in *scope, limit, offset int) ([]*Run, error) {
	w := q.walk
	key, err := lookUpKey(tx, w.key)
	if errors.Is(err, store.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	cols := func(terms []term) string {
		out := "r.k as run_k"
		for i, t := range terms {
			out += fmt.Sprintf(", %s as c%d", t.expr, i)
		}
		return out
	}
	first := limit + offset
	text, args := q.sql("select "+cols(q.order), fromPending,
		"r.k = p.run_k and "+in.cond+" and o0.is_nan = 0", in.args, first, 0)
	parts := []string{"select * from (" + text + ")"}
	indexed := *w
	indexed.order = w.order[1:] // a constant orders nothing
	for _, exp := range in.keys {
		text, more := indexed.sql("select "+cols(w.order), fromIndex, `r.k = i.run_k and i.exp_k = ?
			and i.key_k = ? and not exists (select 1 from metric_pending x where x.run_k = i.run_k)`,
			[]any{exp, key}, first, 0)
		parts, args = append(parts, "select * from ("+text+")"), append(args, more...)
	}
	merged := make([]term, len(q.order))
	for i, t := range q.order {
		merged[i] = term{fmt.Sprintf("u.c%d", i), t.desc}
	}
	text = "select " + runColumns + " from (" + strings.Join(parts, " union all ") + `) u
		join run r on r.k = u.run_k join experiment e on e.k = r.exp_k
		order by ` + orderSQL(merged) + " limit ? offset ?"
	return scanAll(tx, text, append(args, limit, offset), scanRun)
}

// loadSelected fills what is selected.
func (s *Service) loadSelected(tx *store.Tx, runs []*Run, selected []filter.Key) error {
	names := map[filter.Kind][]any{}
	for _, k := range selected {
		names[k.Kind] = append(names[k.Kind], k.Key)
	}
	for kind, load := range map[filter.Kind]func(*store.Tx, []*Run, ...any) error{
		filter.Metric: s.loadMetrics, filter.Param: s.loadParams, filter.Tag: s.loadTags} {
		if len(names[kind]) == 0 {
			continue
		}
		if err := load(tx, runs, names[kind]...); err != nil {
			return err
		}
	}
	return nil
}
