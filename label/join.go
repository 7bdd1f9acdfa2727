package label

import (
	"slices"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/serving"
	"github.com/fairlead-ml/fairlead/store"
)

// Joined is a request with its ground truth and what the versions said.
type Joined struct {
	RequestID string
	AtMS      int64 // event time
	Truth     float64
	ServedBy  int64
	Scores    map[int64]Score // by version; one that was not asked has none
}

// Score is what a version said about a request. One that failed was asked, and gave
// nothing that counts as an answer.
type Score struct {
	Value  float64
	Failed bool
}

// Coverage says how much of what was asked is known.
type Coverage struct {
	Requests int
	Labelled int
	lags     []int64 // of each label, ms: observed_at - event time, stream time, at least 0
}

// Add adds the coverage of other requests.
func (c *Coverage) Add(o Coverage) {
	c.Requests += o.Requests
	c.Labelled += o.Labelled
	c.lags = append(c.lags, o.lags...)
}

// Lag is the median time from a request to its label, in stream time; 0 without labels.
func (c Coverage) Lag() time.Duration {
	if len(c.lags) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(c.lags))
	return time.Duration(sorted[len(sorted)/2]) * time.Millisecond
}

// Share is the part of the requests that have a label, 0 when there are none.
func (c Coverage) Share() float64 {
	if c.Requests == 0 {
		return 0
	}
	return float64(c.Labelled) / float64(c.Requests)
}

// Joined returns the requests with event times in [from, to) whose ground truth
// was known at asOf, in order of event time.
func (s *Service) Joined(tx *store.Tx, p fairlead.Project, endpoint string, from, to, asOf time.Time) ([]Joined, Coverage, error) {
	scores, err := s.serving.Predictions(tx, p, endpoint, serving.Query{From: from, To: to})
	if err != nil {
		return nil, Coverage{}, err
	}
	var all []Joined
	for _, sc := range scores {
		if n := len(all); n == 0 || all[n-1].RequestID != sc.RequestID {
			all = append(all, Joined{RequestID: sc.RequestID, AtMS: sc.AtMS, ServedBy: sc.Served, Scores: map[int64]Score{}})
		}
		all[len(all)-1].Scores[sc.Version] = Score{Value: sc.Value, Failed: sc.Failed}
	}
	return keepLabelled(tx, p, endpoint, all, asOf)
}

func keepLabelled(tx *store.Tx, p fairlead.Project, endpoint string, all []Joined, asOf time.Time) ([]Joined, Coverage, error) {
	names := make([]string, len(all))
	for i, j := range all {
		names[i] = j.RequestID
	}
	known, err := truths(tx, p, endpoint, names, asOf.UnixMilli())
	if err != nil {
		return nil, Coverage{}, err
	}
	c := Coverage{Requests: len(all), Labelled: len(known)}
	var out []Joined
	for _, j := range all {
		if t, ok := known[j.RequestID]; ok {
			j.Truth = t.value
			out = append(out, j)
			c.lags = append(c.lags, max(t.observedMS-j.AtMS, 0)) // 0: known before it was asked
		}
	}
	return out, c, nil
}
