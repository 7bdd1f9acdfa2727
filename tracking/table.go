package tracking

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking/filter"
)

// Table asks for a window of a table of runs. Of the search, Select names the columns (none:
// no metrics, params and tags), Limit is the most rows, and PageToken is not read.
type Table struct {
	Search
	Nested   bool   // runs that have a parent among those found are below it
	Under    string // the id of a run: the rows below it, and not those of the first level
	Snapshot string // of an earlier answer: the same runs in the same order
	Offset   int
}

// TablePage is a window of a table of runs.
type TablePage struct {
	Snapshot string // names the runs and their order; another than was asked for when that is gone
	Offset   int
	Rows     []*TableRow
	Total    int   // rows on this level
	Runs     int   // on all levels
	Newer    int64 // runs of these experiments that came since, at most maxNewer
	// Experiments are those of the rows, without tags; none for a search of one experiment.
	Experiments []*Experiment
}

// TableRow is a run in a table, with what is selected. Texts are cut at maxCell characters.
type TableRow struct {
	*Run      // without Metrics
	Summaries []MetricSummary
	Children  int                  // rows below it
	Below     map[string]Aggregate // of the metrics of all runs below it; see maxBelow
}

// Bounds of a window.
const (
	maxTableRows = 1000
	maxCell      = 300
	maxNewer     = 1000
	// maxBelow is about how many values below the rows of a window are summed up: rows with
	// more below them than is left of it have no sums. That many take some 50 ms.
	maxBelow = 50_000
)

// TableRuns returns a window of a table of runs. The first window makes a list of all that
// the search finds, which later ones of the same search name by its snapshot.
func (s *Service) TableRuns(ctx context.Context, p fairlead.Project, in Table) (
	page *TablePage, err error) {
	if in.Limit < 1 || in.Limit > maxTableRows || in.Offset < 0 {
		return nil, ErrValue("limit", in.Limit, fmt.Sprintf("It is from 1 to %d", maxTableRows))
	}
	selected, err := filter.ParseKeys(in.Select, runLanguage)
	if err != nil {
		return nil, err
	}
	search, err := compileListing(p, in)
	if err != nil {
		return nil, err
	}
	err = s.db.ReadLong(ctx, func(tx *store.Tx) error {
		where, err := scopeOf(tx, p, in.Search)
		if err != nil {
			return err
		}
		page = &TablePage{Offset: in.Offset}
		if where == nil {
			return nil
		}
		l := s.lists.get(in.Snapshot, search.bound)
		if l == nil {
			if l, err = s.list(tx, where, search); err != nil {
				return err
			}
			s.lists.add(l)
		}
		return s.window(tx, p, page, l, in, where, search, selected)
	})
	return page, err
}

// window fills the page from the listing.
func (s *Service) window(tx *store.Tx, p fairlead.Project, page *TablePage, l *listing, in Table,
	where *scope, search *listSearch, selected []filter.Key) (err error) {
	rows := l.rows
	if in.Under != "" {
		r, err := runByID(tx, p, in.Under)
		if err != nil {
			return err
		}
		rows = l.children[r.k]
	}
	page.Snapshot, page.Total, page.Runs = l.id, len(rows), l.runs
	if page.Newer, err = search.newer(tx, where, l.newest); err != nil {
		return err
	}
	rows = rows[min(in.Offset, len(rows)):min(in.Offset+in.Limit, len(rows))]
	if page.Rows, err = s.tableRows(tx, rows, selected); err != nil {
		return err
	}
	for _, r := range page.Rows {
		r.Children = len(l.children[r.k])
	}
	if in.Everywhere || len(in.Experiments) > 1 {
		if page.Experiments, err = experimentsOf(tx, page.Rows); err != nil {
			return err
		}
	}
	return s.sumBelow(tx, l, page.Rows, selected)
}

// sumBelow sums up the selected metrics of the runs below each row, as far as maxBelow goes.
func (s *Service) sumBelow(tx *store.Tx, l *listing, rows []*TableRow, selected []filter.Key) error {
	var names []any
	for _, k := range selected {
		if k.Kind == filter.Metric {
			names = append(names, k.Key)
		}
	}
	if len(names) == 0 {
		return nil
	}
	var all []int64
	of := map[int64]*TableRow{}
	for _, r := range rows {
		below := l.below(r.k, maxBelow/len(names)-len(all))
		for _, k := range below {
			of[k] = r
		}
		all = append(all, below...)
	}
	err := s.newestOf(tx, all, names, func(run int64, metric string, v float64) {
		r := of[run]
		if r.Below == nil {
			r.Below = map[string]Aggregate{}
		}
		r.Below[metric] = r.Below[metric].with(v)
	})
	for _, r := range rows {
		judge(r.Below)
	}
	return err
}

// tableRows loads runs by their keys, without those that were purged meanwhile.
func (s *Service) tableRows(tx *store.Tx, keys []int64, selected []filter.Key) ([]*TableRow,
	error) {
	runs, err := runsByKey(tx, keys)
	if err != nil {
		return nil, err
	}
	names := map[filter.Kind][]any{}
	for _, k := range selected {
		names[k.Kind] = append(names[k.Kind], k.Key)
	}
	summaries := make([][]MetricSummary, len(runs))
	if len(names[filter.Metric]) > 0 {
		if summaries, err = s.loadSummaries(tx, runs, names[filter.Metric]); err != nil {
			return nil, err
		}
	}
	if len(names[filter.Param]) > 0 {
		if err := s.loadParams(tx, runs, names[filter.Param]...); err != nil {
			return nil, err
		}
	}
	if len(names[filter.Tag]) > 0 {
		if err := s.loadTags(tx, runs, names[filter.Tag]...); err != nil {
			return nil, err
		}
	}
	out := make([]*TableRow, len(runs))
	for i, r := range runs {
		for j := range r.Params {
			r.Params[j].Value = cutCell(r.Params[j].Value)
		}
		for j := range r.Tags {
			r.Tags[j].Value = cutCell(r.Tags[j].Value)
		}
		for j := range summaries[i] {
			summaries[i][j].Best = summaries[i][j].best()
		}
		out[i] = &TableRow{Run: r, Summaries: summaries[i]}
	}
	return out, nil
}

// cutCell shortens what a cell shows.
func cutCell(text string) string {
	n := 0
	for i := range text {
		if n++; n > maxCell {
			return text[:i] + "…"
		}
	}
	return text
}

// listSearch is a search for all runs, for a listing.
type listSearch struct {
	runQuery
	bound  string
	nested bool
	needs  bool // the experiment's row
	// by is what the runs are ordered by, when that is one metric, param or tag and nothing
	// else, and the order above is the usual one: metrics are read from the index by value,
	// and texts that are numbers are sorted as numbers.
	by *filter.Order
}

func compileListing(p fairlead.Project, in Table) (*listSearch, error) {
	if len(in.Experiments) > maxExperiments {
		return nil, fairlead.Errorf(fairlead.Invalid,
			"a search looks into at most %d experiments, not %d", maxExperiments, len(in.Experiments))
	}
	b, err := json.Marshal([]any{p.K, in.Experiments, in.Everywhere, in.Filter, in.OrderBy, in.View,
		in.Nested})
	if err != nil {
		return nil, err
	}
	orders, err := filter.ParseOrders(in.OrderBy, runLanguage)
	if err != nil {
		return nil, err
	}
	search := in.Search
	out := &listSearch{bound: string(b), nested: in.Nested}
	if len(orders) == 1 && orders[0].Kind != filter.Attribute {
		out.by, search.OrderBy = &orders[0], nil
	}
	q, err := compileRuns(search)
	if err != nil {
		return nil, err
	}
	out.runQuery = *q
	if in.View == DeletedOnly && len(orders) == 0 {
		out.order = slices.Insert(out.order, 0, term{"r.deleted_ms", true})
	}
	where, err := filter.Parse(in.Filter, runLanguage)
	if err != nil {
		return nil, err
	}
	isURI := func(kind filter.Kind, key string) bool {
		return kind == filter.Attribute && key == "artifact_uri"
	}
	out.needs = slices.ContainsFunc(orders, func(o filter.Order) bool { return isURI(o.Kind, o.Key) }) ||
		slices.ContainsFunc(filter.Comparisons(where), func(c filter.Comparison) bool {
			return isURI(c.Kind, c.Key)
		})
	return out, nil
}

// list finds all runs of a search.
func (s *Service) list(tx *store.Tx, in *scope, q *listSearch) (*listing, error) {
	l := &listing{bound: q.bound}
	var err error
	if l.newest, err = newestRun(tx); err != nil {
		return nil, err
	}
	above := map[int64]int64{}
	if l.rows, err = q.keys(tx, in, above); err != nil {
		return nil, err
	}
	l.runs = len(l.rows)
	valued := 0
	if q.by != nil {
		if valued, err = s.sortBy(tx, in, l.rows, *q.by); err != nil {
			return nil, err
		}
	}
	if q.nested {
		l.nest(above, valued)
	}
	return l, nil
}

// sortBy sorts runs, which are in the usual order, by the newest value of a metric, or by a
// param or tag: numbers first, then NaN or other texts, and last the runs without any. It
// returns how many have one.
func (s *Service) sortBy(tx *store.Tx, in *scope, runs []int64, o filter.Order) (valued int,
	err error) {
	const isNumber, isOther, isAbsent = 0, 1, 2
	type value struct {
		at     int
		rank   int
		number float64
		text   string
	}
	all := make([]value, len(runs))
	for i := range all {
		all[i] = value{at: i, rank: isAbsent}
	}
	was := placesOf(slices.Clone(runs))
	if o.Kind == filter.Metric {
		err = s.newestValues(tx, in, o.Key, was, func(at int, v float64) {
			if all[at].rank = isOther; !math.IsNaN(v) {
				all[at].rank, all[at].number = isNumber, v
			}
		})
	} else {
		err = texts(tx, in, o.Kind, o.Key, was, func(at int, text string) {
			all[at].rank, all[at].text = isOther, text
			if v, err := strconv.ParseFloat(text, 64); err == nil && !math.IsNaN(v) {
				all[at].rank, all[at].number = isNumber, v
			}
		})
	}
	if err != nil {
		return 0, err
	}
	slices.SortFunc(all, func(a, b value) int {
		if a.rank != b.rank {
			return a.rank - b.rank
		}
		c := cmp.Compare(a.number, b.number)
		if c == 0 {
			c = cmp.Compare(a.text, b.text)
		}
		if o.Desc {
			c = -c
		}
		if c == 0 {
			c = a.at - b.at
		}
		return c
	})
	for i := range all {
		runs[i] = was.runs[all[i].at]
		if all[i].rank != isAbsent {
			valued++
		}
	}
	return valued, nil
}
