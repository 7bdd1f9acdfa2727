package tracking

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"unsafe"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking/filter"
)

// maxSearch is the most results of one page.
const maxSearch = 50_000

// Search describes a page of a list: a filter and order in the language of
// package filter, and how many results, continued by a page's token.
type Search struct {
	Experiments []string // ids; runs and logged models of these alone
	Everywhere  bool     // runs of all experiments of the project; Experiments is not read
	Filter      string
	OrderBy     []string
	View        View
	Limit       int
	PageToken   string

	// Select names the metrics, params and tags that the runs come with, such as
	// `metrics.auc`; empty means all of these, and inputs and outputs.
	Select []string
}

// runLanguage is what runs are searched by.
var runLanguage = &filter.Language{
	Kinds: []filter.Kind{filter.Metric, filter.Param, filter.Tag, filter.Attribute,
		filter.Dataset, filter.Model},
	Texts:   []string{"artifact_uri", "run_id", "run_name", "status", "user_id"},
	Numbers: []string{"end_time", "start_time"},
	Aliases: map[string]string{"created": "start_time", "Created": "start_time",
		"run name": "run_name", "Run name": "run_name", "Run Name": "run_name"},
}

var experimentLanguage = &filter.Language{
	Kinds:   []filter.Kind{filter.Tag, filter.Attribute},
	Texts:   []string{"name", "experiment_id"},
	Numbers: []string{"creation_time", "last_update_time"},
}

var loggedModelLanguage = &filter.Language{
	Kinds:   []filter.Kind{filter.Metric, filter.Param, filter.Tag, filter.Attribute},
	Texts:   []string{"name", "model_id", "model_type", "status", "source_run_id"},
	Numbers: []string{"creation_timestamp_ms", "last_updated_timestamp_ms"},
	Aliases: map[string]string{"creation_time": "creation_timestamp_ms",
		"creation_timestamp":     "creation_timestamp_ms",
		"last_updated_time":      "last_updated_timestamp_ms",
		"last_updated_timestamp": "last_updated_timestamp_ms"},
}

// query is a search on its way to SQL.
type query struct {
	where  []string
	args   []any
	joins  []string
	joined []any
	order  []term
}

// term is one expression that a list is ordered by.
type term struct {
	expr string
	desc bool
}

func (q *query) and(cond string, args ...any) {
	q.where = append(q.where, cond)
	q.args = append(q.args, args...)
}

// filter adds a filter; one writes each of its comparisons.
func (q *query) filter(e filter.Expr, one func(filter.Comparison) (string, []any)) {
	if cond, args := filter.SQL(e, one); cond != "" {
		q.and("("+cond+")", args...)
	}
}

// maxExperiments bounds the experiments that one search looks into.
const maxExperiments = 20_000

// page reads offset and limit, and returns what binds page tokens to the search.
func (s *Search) page(highest int) (bound string, offset, limit int, err error) {
	limit = s.Limit
	if limit < 0 || limit > highest {
		return "", 0, 0, ErrValue("max_results", s.Limit,
			fmt.Sprintf("It must be a positive integer and at most %d", highest))
	}
	if limit == 0 {
		limit = min(1000, highest)
	}
	if len(s.Experiments) > maxExperiments {
		return "", 0, 0, fairlead.Errorf(fairlead.Invalid,
			"a search looks into at most %d experiments, not %d", maxExperiments, len(s.Experiments))
	}
	b, err := json.Marshal([]any{s.Experiments, s.Everywhere, s.Filter, s.OrderBy, s.View})
	if err != nil {
		return "", 0, 0, err
	}
	err = fairlead.DecodeCursor(s.PageToken, string(b), &offset)
	return string(b), offset, limit, err
}

// pageOf cuts the extra result that shows whether there is a next page.
func pageOf[T any](items []T, bound string, offset, limit int) (page fairlead.Page[T]) {
	page.Items = items
	if len(items) > limit {
		page.Items = items[:limit]
		page.Next = fairlead.EncodeCursor(bound, offset+limit)
	}
	return page
}

// SearchRuns returns the runs of the given experiments that match, with their
// data; without an order, the newest first.
func (s *Service) SearchRuns(ctx context.Context, p fairlead.Project, in Search) (
	page fairlead.Page[*Run], err error) {
	bound, offset, limit, err := in.page(maxSearch)
	if err != nil {
		return page, err
	}
	q, err := compileRuns(in)
	if err != nil {
		return page, err
	}
	selected, err := filter.ParseKeys(in.Select, runLanguage)
	if err != nil {
		return page, err
	}
	err = s.db.ReadLong(ctx, func(tx *store.Tx) error {
		where, err := scopeOf(tx, p, in)
		if err != nil || where == nil {
			return err
		}
		runs, err := q.runs(tx, where, limit+1, offset)
		if err != nil {
			return err
		}
		page = pageOf(runs, bound, offset, limit)
		load := s.loadRuns
		if len(in.Select) > 0 {
			load = func(tx *store.Tx, runs []*Run) error { return s.loadSelected(tx, runs, selected) }
		}
		n, err := loadSome(tx, page.Items, load)
		if n < len(page.Items) {
			page = pageOf(page.Items, bound, offset, n)
		}
		return err
	})
	return page, err
}

// maxPageBytes is about the most memory that the data of one page of runs takes: a run
// may have 10,000 metrics. A page that would have more ends early.
const maxPageBytes = 32 << 20

// loadSome loads the first runs, few at a time, until they have maxPageBytes, and
// returns how many they are.
func loadSome(tx *store.Tx, runs []*Run, load func(*store.Tx, []*Run) error) (n int, err error) {
	room, next := maxPageBytes, 32
	for n < len(runs) && room > 0 {
		part := runs[n:min(n+next, len(runs))]
		if err := load(tx, part); err != nil {
			return n, err
		}
		largest := 1
		for _, r := range part {
			size := r.size()
			room -= size
			largest = max(largest, size)
		}
		n += len(part)
		next = max(1, min(inChunk, room/largest))
	}
	return n, nil
}

// size is about the memory of the run's data in bytes.
func (r *Run) size() int {
	n := len(r.Metrics) * int(unsafe.Sizeof(Metric{}))
	for _, p := range r.Params {
		n += int(unsafe.Sizeof(p)) + len(p.Value)
	}
	for _, t := range r.Tags {
		n += int(unsafe.Sizeof(t)) + len(t.Value)
	}
	for _, d := range r.Datasets {
		n += len(d.Dataset.Source) + len(d.Dataset.Schema) + len(d.Dataset.Profile)
	}
	return n
}

// CountRuns returns how many runs a search finds on all its pages.
func (s *Service) CountRuns(ctx context.Context, p fairlead.Project, in Search) (n int64, err error) {
	if _, _, _, err := in.page(maxSearch); err != nil {
		return 0, err
	}
	q, err := compileRuns(in)
	if err != nil {
		return 0, err
	}
	err = s.db.ReadLong(ctx, func(tx *store.Tx) error {
		where, err := scopeOf(tx, p, in)
		if err != nil || where == nil {
			return err
		}
		n, err = q.countRuns(tx, where)
		return err
	})
	return n, err
}

// runQuery is a search for runs.
type runQuery struct {
	query
	walk *walk // nil when the order does not begin with a metric
}

// walk is how a search goes along the index of a metric by value. It finds the runs
// whose newest value is a number; others follow them in any order.
type walk struct {
	query
	key  string
	desc bool
	all  bool // the filter is false of runs without such a value
}

func compileRuns(in Search) (*runQuery, error) {
	where, err := filter.Parse(in.Filter, runLanguage)
	if err != nil {
		return nil, err
	}
	orders, err := filter.ParseOrders(in.OrderBy, runLanguage)
	if err != nil {
		return nil, err
	}
	q := &runQuery{}
	q.and(in.View.condition("r.state"))
	q.filter(where, runCondition)
	for i, o := range orders {
		q.orderRuns(i, o)
	}
	if !ordersBy(orders, "start_time") {
		q.order = append(q.order, term{"r.start_ms", true})
	}
	q.order = append(q.order, term{"r.id", false})
	if len(orders) > 0 && orders[0].Kind == filter.Metric {
		q.walk = compileWalk(in, where, orders)
		q.walk.order = append([]term{{"0", false}, {"i.value", orders[0].Desc}}, q.order[2:]...)
	}
	return q, nil
}

// compileWalk turns the comparisons with the metric of the first order into ranges of
// the index; all else is as in the query.
func compileWalk(in Search, where filter.Expr, orders []filter.Order) *walk {
	w := &walk{key: orders[0].Key, desc: orders[0].Desc}
	w.and(in.View.condition("r.state"))
	for _, part := range filter.Conjuncts(where) {
		if c, ok := part.(filter.Comparison); ok && c.Kind == filter.Metric && c.Key == w.key {
			switch c.Op {
			case filter.Equal, filter.Less, filter.LessEqual, filter.Greater, filter.GreaterEqual, filter.In:
				cond, args := c.Match("i.value")
				w.and(cond, args...)
				w.all = true
				continue
			}
		}
		w.filter(part, runCondition)
	}
	for i, o := range orders[1:] {
		w.orderRuns(i+1, o)
	}
	return w
}

func ordersBy(orders []filter.Order, attribute string) bool {
	return slices.ContainsFunc(orders, func(o filter.Order) bool {
		return o.Kind == filter.Attribute && o.Key == attribute
	})
}

// SearchExperiments returns the experiments that match; without an order, the
// newest first.
func (s *Service) SearchExperiments(ctx context.Context, p fairlead.Project, in Search) (
	page fairlead.Page[*Experiment], err error) {
	bound, offset, limit, err := in.page(maxSearch)
	if err != nil {
		return page, err
	}
	q, err := compileExperiments(in)
	if err != nil {
		return page, err
	}
	if _, err := s.createDefault(ctx, p); err != nil {
		return page, err
	}
	err = s.db.ReadLong(ctx, func(tx *store.Tx) error {
		found, err := queryExperiments(tx, p, q, limit+1, offset)
		if err != nil {
			return err
		}
		page = pageOf(found, bound, offset, limit)
		return loadExperimentTags(tx, page.Items)
	})
	return page, err
}

func compileExperiments(in Search) (*query, error) {
	where, err := filter.Parse(in.Filter, experimentLanguage)
	if err != nil {
		return nil, err
	}
	q := &query{}
	q.and(in.View.condition("e.state"))
	q.filter(where, experimentCondition)
	orders, err := filter.ParseOrders(in.OrderBy, experimentLanguage)
	if err != nil {
		return nil, err
	}
	for _, o := range orders {
		if o.Kind != filter.Attribute {
			return nil, fairlead.Errorf(fairlead.Invalid, "Invalid order_by entity: %s", o.Kind)
		}
		q.order = append(q.order, term{experimentColumn[o.Key], o.Desc})
	}
	if len(orders) == 0 {
		q.order = append(q.order, term{"e.created_ms", true})
	}
	if !ordersBy(orders, "experiment_id") {
		q.order = append(q.order, term{"e.n", len(orders) > 0})
	}
	return q, nil
}

// DatasetFilter selects metrics that were measured on a dataset; an empty Digest
// means any.
type DatasetFilter struct {
	Name   string
	Digest string
}

// ModelOrder is one term of an order of logged models: an attribute, or
// `metrics.<name>`, on one dataset when it is given.
type ModelOrder struct {
	Field   string
	Desc    bool
	Dataset DatasetFilter
}

// maxTerms bounds the datasets and the order of a search for logged models.
const maxTerms = 20

// maxModelSearch is the most logged models of one page.
const maxModelSearch = 1000

// SearchLoggedModels returns the active logged models of the given experiments
// that match, with their data; without an order, the newest first.
func (s *Service) SearchLoggedModels(ctx context.Context, p fairlead.Project, in Search,
	datasets []DatasetFilter, orders []ModelOrder) (page fairlead.Page[*LoggedModel], err error) {
	in.OrderBy = []string{fmt.Sprint(orders, datasets)} // binds the page tokens to them
	bound, offset, limit, err := in.page(maxModelSearch)
	if err != nil {
		return page, err
	}
	q, err := compileModels(in, datasets, orders)
	if err != nil {
		return page, err
	}
	err = s.db.ReadLong(ctx, func(tx *store.Tx) error {
		keys, err := experimentKeys(tx, p, in.Experiments)
		if err != nil || len(keys) == 0 {
			return err
		}
		found, err := queryModels(tx, q, keys, limit+1, offset)
		if err != nil {
			return err
		}
		page = pageOf(found, bound, offset, limit)
		return loadLoggedModels(tx, page.Items)
	})
	return page, err
}

func compileModels(in Search, datasets []DatasetFilter, orders []ModelOrder) (*query, error) {
	where, err := filter.Parse(in.Filter, loggedModelLanguage)
	if err != nil {
		return nil, err
	}
	if len(datasets) > maxTerms || len(orders) > maxTerms {
		return nil, fairlead.Errorf(fairlead.Invalid,
			"a search has at most %d datasets and %d terms in its order", maxTerms, maxTerms)
	}
	q := &query{}
	q.and("m.state = 'active'")
	q.filter(where, func(c filter.Comparison) (string, []any) { return modelCondition(c, datasets) })
	onMetric := func(c filter.Comparison) bool { return c.Kind == filter.Metric }
	if len(datasets) > 0 && !slices.ContainsFunc(filter.Comparisons(where), onMetric) {
		on, args := onDatasets(datasets)
		q.and("exists (select 1 from logged_model_metric x where x.model_k = m.k"+on+")", args...)
	}
	for i, o := range orders {
		if err := q.orderModels(i, o); err != nil {
			return nil, err
		}
	}
	q.order = append(q.order, term{"m.created_ms", true}, term{"m.id", false})
	return q, nil
}
