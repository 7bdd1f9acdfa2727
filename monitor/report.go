package monitor

import (
	"context"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/label"
	"github.com/fairlead-ml/fairlead/stat"
	"github.com/fairlead-ml/fairlead/store"
)

// Windows lists the judged windows of an endpoint that begin in [from, to), in
// order; the zero time is open, an empty kind means all.
func (s *Service) Windows(ctx context.Context, p fairlead.Project, endpoint string, kind Kind,
	from, to time.Time) (out []*Window, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		out, err = listWindows(tx, p, endpoint, kind, from, to)
		return err
	})
	return out, err
}

// Incidents lists incidents, the newest first; an empty endpoint means all.
func (s *Service) Incidents(ctx context.Context, p fairlead.Project, endpoint string) (
	out []*Incident, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		out, err = listIncidents(tx, p, endpoint)
		return err
	})
	return out, err
}

// Period is the realised metric of one stretch of stream time, [From, To).
type Period struct {
	From     time.Time         `json:"from"`
	To       time.Time         `json:"to"`
	Requests int               `json:"requests"`
	Labelled int               `json:"labelled"`
	Served   *float64          `json:"served"`   // over the answers that callers got; null where undefined
	Versions map[int64]float64 `json:"versions"` // over each version's scores of the labelled requests
	Rows     map[int64]int     `json:"version_rows"`
}

// The groupings of Realised.
const (
	ByDay   = "day"
	ByMonth = "month"
)

// Realised computes the metric on the joined ground truth of [from, to), grouped by
// day or month (UTC).
func (s *Service) Realised(ctx context.Context, p fairlead.Project, endpoint, metric, by string,
	from, to time.Time) ([]Period, error) {
	m, ok := stat.Lookup(metric)
	if !ok {
		return nil, fairlead.Errorf(fairlead.Invalid, "metric %q is not known; known are %v",
			metric, stat.Names())
	}
	if by != ByDay && by != ByMonth {
		return nil, fairlead.Errorf(fairlead.Invalid, "by is %q; it is day or month", by)
	}
	if !from.Before(to) || to.Sub(from) > 20*366*24*time.Hour {
		return nil, fairlead.Errorf(fairlead.Invalid,
			"from and to must be times in order, at most 20 years apart")
	}
	var out []Period
	for start := from; start.Before(to); {
		end := nextPeriod(start, by)
		if end.After(to) {
			end = to
		}
		var joined []label.Joined
		var coverage label.Coverage
		err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
			now, err := s.Stream.NowOrWall(tx, p, endpoint)
			if err != nil {
				return err
			}
			joined, coverage, err = s.Label.Joined(tx, p, endpoint, start, end, now)
			return err
		})
		if err != nil {
			return nil, err
		}
		period := Period{From: start, To: end, Requests: coverage.Requests, Labelled: coverage.Labelled}
		if err := period.compute(m, joined); err != nil {
			return nil, err
		}
		out = append(out, period)
		start = end
	}
	return out, nil
}

func nextPeriod(t time.Time, by string) time.Time {
	t = t.UTC()
	if by == ByMonth {
		return time.Date(t.Year(), t.Month()+1, 1, 0, 0, 0, 0, time.UTC)
	}
	return time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, time.UTC)
}

// pairs are the labels and predictions that one metric is computed from.
type pairs struct{ y, p []float64 }

// add takes what the version answered, if it did.
func (a *pairs) add(j label.Joined, version int64) {
	if s, ok := j.Scores[version]; ok && !s.Failed {
		a.y, a.p = append(a.y, j.Truth), append(a.p, s.Value)
	}
}

func (p *Period) compute(m stat.Metric, joined []label.Joined) error {
	var served pairs
	versions := map[int64]*pairs{}
	for _, j := range joined {
		served.add(j, j.ServedBy)
		for n := range j.Scores {
			if versions[n] == nil {
				versions[n] = &pairs{}
			}
			versions[n].add(j, n)
		}
	}
	p.Versions, p.Rows = map[int64]float64{}, map[int64]int{}
	value, ok, err := computed(m, &served)
	if err != nil {
		return err
	}
	if ok {
		p.Served = &value
	}
	for n, a := range versions {
		value, ok, err := computed(m, a)
		if err != nil {
			return err
		}
		if ok {
			p.Versions[n], p.Rows[n] = value, len(a.y)
		}
	}
	return nil
}

// computed reports false where the metric is undefined, as AUC is on one class.
func computed(m stat.Metric, a *pairs) (float64, bool, error) {
	v, err := m.Compute(a.y, a.p)
	if fairlead.Is(err, fairlead.Precondition) {
		return 0, false, nil
	}
	return v, err == nil, err
}
