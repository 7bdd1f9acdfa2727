package tracking

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking/filter"
)

// Grouping asks for the runs that a search finds, grouped by what they have in common. Of
// the search, Select names the metrics that are summed up in each group, and OrderBy and
// PageToken are not read.
type Grouping struct {
	Search
	By     []string // 1 to 3 params, tags or attributes
	Offset int
}

// GroupPage is some of the groups, those with the most runs first.
type GroupPage struct {
	Groups []*Group
	Total  int // groups
	Runs   int
}

// Group is runs that have the same values.
type Group struct {
	Values   []*string            `json:"values" doc:"in the order of by; null where the runs have none"`
	Runs     int                  `json:"runs"`
	Running  int                  `json:"running"`
	NewestMS int64                `json:"newest_ms" doc:"when its newest run began"`
	Metrics  map[string]Aggregate `json:"metrics" doc:"of the newest values that are numbers"`

	key string
	sum Aggregate // of the metric that is being read
}

// Aggregate sums up the newest values of a metric.
type Aggregate struct {
	Runs int      `json:"runs" doc:"that have a number"`
	Min  float64  `json:"min"`
	Max  float64  `json:"max"`
	Mean float64  `json:"mean"`
	Best *float64 `json:"best,omitempty" doc:"min or max, where the name says which"`
}

// with returns the aggregate of one value more.
func (a Aggregate) with(v float64) Aggregate {
	if a.Runs++; a.Runs == 1 {
		a.Min, a.Max = v, v
	}
	a.Min, a.Max = min(a.Min, v), max(a.Max, v)
	a.Mean += v/float64(a.Runs) - a.Mean/float64(a.Runs) // the largest numbers too
	return a
}

// judge sets the best values of what is summed up.
func judge(sums map[string]Aggregate) {
	for metric, a := range sums {
		a.Best = better(metric, &a.Min, &a.Max)
		sums[metric] = a
	}
}

// Bounds of a grouping.
const (
	maxBy           = 3
	maxGroups       = 20_000
	maxGroupMetrics = 20
	maxGroupRows    = 1000
)

// GroupRuns groups runs.
func (s *Service) GroupRuns(ctx context.Context, p fairlead.Project, in Grouping) (
	page *GroupPage, err error) {
	if in.Limit < 1 || in.Limit > maxGroupRows || in.Offset < 0 {
		return nil, ErrValue("limit", in.Limit, fmt.Sprintf("It is from 1 to %d", maxGroupRows))
	}
	g, err := s.compileGrouping(p, in)
	if err != nil {
		return nil, err
	}
	page = &GroupPage{Groups: []*Group{}}
	err = s.db.ReadLong(ctx, func(tx *store.Tx) error {
		where, err := scopeOf(tx, p, in.Search)
		if err != nil || where == nil {
			return err
		}
		all, runs, of, err := g.read(tx, where)
		if err != nil {
			return err
		}
		if len(g.metrics) > 0 {
			at := placesOf(runs)
			for _, m := range g.metrics {
				if err := s.aggregate(tx, where, m, at, all, of); err != nil {
					return err
				}
			}
		}
		page.Total, page.Runs = len(all), len(runs)
		slices.SortFunc(all, func(a, b *Group) int {
			return cmp.Or(cmp.Compare(b.Runs, a.Runs), cmp.Compare(a.key, b.key))
		})
		page.Groups = all[min(in.Offset, len(all)):min(in.Offset+in.Limit, len(all))]
		for _, it := range page.Groups {
			judge(it.Metrics)
		}
		return nil
	})
	return page, err
}

// grouping is a Grouping on its way to SQL.
type grouping struct {
	listSearch
	columns []string // what is grouped by
	metrics []string
}

func (s *Service) compileGrouping(p fairlead.Project, in Grouping) (*grouping, error) {
	if len(in.By) < 1 || len(in.By) > maxBy {
		return nil, fairlead.Errorf(fairlead.Invalid, "runs are grouped by 1 to %d keys, not %d", maxBy,
			len(in.By))
	}
	by, err := filter.ParseKeys(in.By, runLanguage)
	if err != nil {
		return nil, err
	}
	selected, err := filter.ParseKeys(in.Select, runLanguage)
	if err != nil {
		return nil, err
	}
	search := in.Search
	search.OrderBy = nil
	list, err := compileListing(p, Table{Search: search})
	if err != nil {
		return nil, err
	}
	out := &grouping{listSearch: *list}
	for _, k := range selected {
		if k.Kind != filter.Metric {
			return nil, ErrValue("select", k.String(), "Groups sum up metrics")
		}
		out.metrics = append(out.metrics, k.Key)
	}
	if len(out.metrics) > maxGroupMetrics {
		return nil, fairlead.Errorf(fairlead.Invalid, "groups sum up at most %d metrics", maxGroupMetrics)
	}
	for i, k := range by {
		if err := out.by(i, k); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// aggregate sums up a metric in the groups, of which each run is of one.
func (s *Service) aggregate(tx *store.Tx, in *scope, metric string, runs *places,
	all []*Group, of []*Group) error {
	err := s.newestValues(tx, in, metric, runs, func(at int, v float64) {
		if !math.IsNaN(v) {
			of[at].sum = of[at].sum.with(v)
		}
	})
	for _, g := range all {
		if g.sum.Runs > 0 {
			g.Metrics[metric], g.sum = g.sum, Aggregate{}
		}
	}
	return err
}
