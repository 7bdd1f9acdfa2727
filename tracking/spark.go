package tracking

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// Sparkline is a run's metric as a few points, in the order of steps, or of time where all
// points have the same step: the first, the last, and some between them. A point that lies
// in no sample is not seen; Chart hides none.
type Sparkline struct {
	Run    string     `json:"run"`
	Key    string     `json:"key"`
	Values []*float64 `json:"values" doc:"null for NaN"`
}

// Bounds of sparklines.
const (
	sparkPoints  = 30
	maxSparkRuns = 200
	maxSparkKeys = 10
)

// Sparklines returns the sparklines of runs, those that have the metrics.
func (s *Service) Sparklines(ctx context.Context, p fairlead.Project, runs, keys []string) (
	out []Sparkline, err error) {
	if len(runs) > maxSparkRuns || len(keys) > maxSparkKeys {
		return nil, fairlead.Errorf(fairlead.Invalid, "%d runs and %d metrics are asked for; at most "+
			"%d and %d are read", len(runs), len(keys), maxSparkRuns, maxSparkKeys)
	}
	out = []Sparkline{}
	err = s.db.ReadLong(ctx, func(tx *store.Tx) error {
		for _, id := range runs {
			r, err := runByID(tx, p, id)
			if fairlead.Is(err, fairlead.NotFound) { // purged meanwhile
				continue
			}
			if err != nil {
				return err
			}
			for _, key := range keys {
				k, err := lookUpKey(tx, key)
				if errors.Is(err, store.ErrNoRows) {
					continue
				}
				if err != nil {
					return err
				}
				values, err := sparkline(historyOf(tx, r.k, k))
				if err != nil {
					return fmt.Errorf("sparkline: %w", err)
				}
				if len(values) > 0 {
					out = append(out, Sparkline{id, key, values})
				}
			}
		}
		return nil
	})
	return out, err
}

// sparkline reads a short history whole, and of a long one the points after places of equal
// distance.
func sparkline(h history) ([]*float64, error) {
	few, err := h.first(2*sparkPoints + 1)
	if err != nil || len(few) <= 2*sparkPoints {
		return thin(few), err
	}
	column := "step"
	first, last, err := h.ends(column)
	if err == nil && first == last {
		column = "ts"
		h = h.ofStep(first)
		first, last, err = h.ends(column)
	}
	if err != nil {
		return nil, err
	}
	places := make([]any, 0, sparkPoints-1)
	width := float64(last)/(sparkPoints-1) - float64(first)/(sparkPoints-1) // no overflow
	for i := range sparkPoints - 1 {
		at := math.Min(float64(first)+float64(i)*width, math.MaxInt64/2)
		places = append(places, int64(math.Max(at, math.MinInt64/2)))
	}
	places[0] = first
	return h.sample(column, places)
}

// thin leaves out every second point of more than sparkPoints, but not the last one.
func thin(all []*float64) []*float64 {
	if len(all) <= sparkPoints {
		return all
	}
	var out []*float64
	for i := 0; i < len(all)-1; i += 2 {
		out = append(out, all[i])
	}
	return append(out, all[len(all)-1])
}
