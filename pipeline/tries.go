package pipeline

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// maxTryMetrics bounds the metrics of one try that a list of tries has.
const maxTryMetrics = 100

// Result is a try and what came of it.
type Result struct {
	Try
	// The newest value of each metric in its run in tracking, of 100 names at most in
	// their order; what is no number has null.
	Metrics  map[string]*float64 `json:"metrics"`
	Steps    int                 `json:"steps" doc:"that have begun"`
	Cached   int                 `json:"cached" doc:"of them, those that the cache answered"`
	Started  time.Time           `json:"started_at,omitzero"`
	Finished time.Time           `json:"finished_at,omitzero" doc:"of its last step"`
}

// TryList says which tries of a run are listed, and how.
type TryList struct {
	Best  bool // the best one first, and those without a value last; else in order
	Page  string
	Limit int // 0 is 100; at most 1000 are returned
}

// Tries returns a page of the tries of a run that have begun. While the run goes on, a
// page of the best ones may have what an earlier page had.
func (s *Service) Tries(ctx context.Context, p fairlead.Project, id string, in TryList) (
	page fairlead.Page[*Result], err error) {
	filter, after, limit := "tries of "+id, 0, atOnce(in.Limit)
	if in.Best {
		filter = "best " + filter
	}
	if err := fairlead.DecodeCursor(in.Page, filter, &after); err != nil {
		return page, err
	}
	r, pl, err := s.planOf(ctx, p, id)
	if err != nil {
		return page, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		tries, err := listTries(tx, r.k)
		if err != nil {
			return err
		}
		tries = slices.DeleteFunc(tries, func(t Try) bool { return t.N < 1 })
		if in.Best {
			slices.SortStableFunc(tries, pl.goal.compare)
		}
		tries = tries[min(max(after, 0), len(tries)):]
		if len(tries) > limit {
			tries = tries[:limit]
			page.Next = fairlead.EncodeCursor(filter, after+limit)
		}
		page.Items, err = s.results(tx, p, r.k, tries)
		return err
	})
	return page, err
}

// compare orders the better of two tries first, and those that cannot win last.
func (m measure) compare(a, b Try) int {
	x, y := outcomeOf(a), outcomeOf(b)
	switch {
	case x.good() != y.good():
		return -sign(x.good())
	case m.better(x, y):
		return -1
	case m.better(y, x):
		return 1
	}
	return 0
}

// finite returns a value that JSON has a number for, nil for another one.
func finite(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

func sign(yes bool) int {
	if yes {
		return 1
	}
	return -1
}

func (s *Service) results(tx *store.Tx, p fairlead.Project, runK int64, tries []Try) (
	[]*Result, error) {
	spans, err := trySpans(tx, runK)
	if err != nil {
		return nil, err
	}
	out := make([]*Result, len(tries))
	for i, t := range tries {
		r := &Result{Try: t, Metrics: map[string]*float64{}}
		if span := spans[t.N]; span != nil {
			r.Steps, r.Cached, r.Started = span.steps, span.cached, span.started
			if t.State.Final() {
				r.Finished = span.finished
			}
		}
		latest, err := s.Tracking.LatestMetrics(tx, p, t.Run)
		if err != nil && !fairlead.Is(err, fairlead.NotFound) { // the run was deleted
			return nil, err
		}
		for _, name := range sortedKeys(latest)[:min(len(latest), maxTryMetrics)] {
			r.Metrics[name] = finite(latest[name])
		}
		out[i] = r
	}
	return out, nil
}
