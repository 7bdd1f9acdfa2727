package tracking

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/stat"
	"github.com/fairlead-ml/fairlead/store"
)

// MetricSummary is what a run's metric has come to. Values are nil where there is no
// number: Last when the newest value is NaN, and the others when there are only NaNs.
type MetricSummary struct {
	Key    string   `json:"key"`
	Last   *float64 `json:"last" doc:"the value of the highest step; null for NaN"`
	Step   int64    `json:"step"`
	TimeMS int64    `json:"time_ms"`
	Min    *float64 `json:"min"`
	Max    *float64 `json:"max"`
	Best   *float64 `json:"best,omitempty" doc:"min or max, where the name says which"`
}

// Metrics returns the summaries of a run's metrics by key, at most limit of them (from
// 1).
func (s *Service) Metrics(ctx context.Context, p fairlead.Project, runID string, limit int,
	pageToken string) (page fairlead.Page[*MetricSummary], err error) {
	bound, after := "metrics\x00"+runID, ""
	if err := fairlead.DecodeCursor(pageToken, bound, &after); err != nil {
		return page, err
	}
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		r, err := runByID(tx, p, runID)
		if err != nil {
			return err
		}
		page.Items, err = readSummaries(tx, r.k, after, limit+1)
		return err
	})
	if len(page.Items) > limit {
		page.Items = page.Items[:limit]
		page.Next = fairlead.EncodeCursor(bound, page.Items[limit-1].Key)
	}
	for _, m := range page.Items {
		m.Best = m.best()
	}
	return page, err
}

// best is the better end of the range: of metrics that end in a name such as auc, also
// as validation.auc. It is nil when nothing says which end that is.
func (m *MetricSummary) best() *float64 {
	known, ok := stat.Lookup(m.Key[strings.LastIndexAny(m.Key, "./")+1:])
	switch {
	case !ok || known.Signed(): // best at zero
		return nil
	case known.HigherIsBetter:
		return m.Max
	}
	return m.Min
}

// Chart is a metric's history, thinned.
type Chart struct {
	Key     string   `json:"key"`
	By      string   `json:"by" doc:"step, or time of a metric whose points all have the same step"`
	Points  int64    `json:"points" doc:"of the whole history"`
	Buckets []Bucket `json:"buckets"`
}

// Bucket is a stretch of a history. Its extremes are exact: thinning hides no spike.
type Bucket struct {
	FromStep int64    `json:"from_step"`
	ToStep   int64    `json:"to_step"`
	FromMS   int64    `json:"from_ms"`
	ToMS     int64    `json:"to_ms"`
	Min      *float64 `json:"min" doc:"null when all of its points are NaN"`
	Max      *float64 `json:"max"`
	Points   int64    `json:"points"`
	NaNs     int64    `json:"nans"`
}

// MaxBuckets is the most buckets of a chart that can be asked for.
const MaxBuckets = 2000

// Chart returns the history of a metric in buckets of equal length, about so many
// (1 to MaxBuckets) and two more at most, without the empty ones. A metric that the run
// does not have has none.
func (s *Service) Chart(ctx context.Context, p fairlead.Project, runID, key string, buckets int) (
	*Chart, error) {
	if buckets < 1 || buckets > MaxBuckets {
		return nil, ErrValue("buckets", buckets, fmt.Sprintf("It is from 1 to %d", MaxBuckets))
	}
	out := &Chart{Key: key, By: "step", Buckets: []Bucket{}}
	err := s.db.ReadLong(ctx, func(tx *store.Tx) error {
		r, err := runByID(tx, p, runID)
		if err != nil {
			return err
		}
		k, err := lookUpKey(tx, key)
		if err != nil {
			return err
		}
		h := historyOf(tx, r.k, k)
		column := "step"
		first, last, err := h.ends(column)
		if err == nil && first == last { // then they lie in the order of time
			out.By, column = "time", "ts"
			h = h.ofStep(first)
			first, last, err = h.ends(column)
		}
		if err != nil {
			return err
		}
		// Of the quotients, as the difference may be larger than a number can be.
		width := last/int64(buckets) - first/int64(buckets) + 1
		if width <= 0 { // half of all numbers or more, which only one or two buckets take
			width = math.MaxInt64
		}
		out.Buckets, err = h.buckets(column, first, last, width)
		return err
	})
	if errors.Is(err, store.ErrNoRows) {
		return out, nil
	}
	for _, b := range out.Buckets {
		out.Points += b.Points
	}
	return out, err
}
