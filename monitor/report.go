package monitor

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/label"
	"github.com/fairlead-ml/fairlead/stat"
	"github.com/fairlead-ml/fairlead/store"
)

// mostItems bounds a page; a limit of 0 asks for it.
const mostItems = 1_000

func bounded(limit int) int {
	if limit <= 0 {
		return mostItems
	}
	return min(limit, mostItems)
}

// WindowFilter selects the judged windows of an endpoint that begin in [From, To); the
// zero time is open, an empty kind means all.
type WindowFilter struct {
	Endpoint string
	Kind     Kind
	From, To time.Time
}

// Windows returns a page of windows in the order of their beginnings, at most limit of
// them.
func (s *Service) Windows(ctx context.Context, p fairlead.Project, f WindowFilter, page string,
	limit int) (out fairlead.Page[*Window], err error) {
	limit = bounded(limit)
	filter := fmt.Sprintf("windows %d %+v", p.K, f)
	after := windowCursor{FromMS: math.MinInt64}
	if err := fairlead.DecodeCursor(page, filter, &after); err != nil {
		return out, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		out.Items, err = listWindows(tx, p, f, after, limit+1)
		return err
	})
	if len(out.Items) > limit {
		out.Items = out.Items[:limit]
		last := out.Items[limit-1]
		out.Next = fairlead.EncodeCursor(filter, windowCursor{last.From.UnixMilli(), last.k})
	}
	return out, err
}

// Newest returns the newest judged window of a kind, nil when there is none.
func (s *Service) Newest(tx *store.Tx, p fairlead.Project, endpoint string, kind Kind) (*Window,
	error) {
	return newestWindow(tx, p, endpoint, kind)
}

// IncidentFilter selects incidents: those that were open at some time of [From, To), in
// stream time. Empty fields mean all; State is open or resolved.
type IncidentFilter struct {
	Endpoint, Kind, State string
	From, To              time.Time
}

// Incidents returns a page of incidents, the newest first, at most limit of them.
func (s *Service) Incidents(ctx context.Context, p fairlead.Project, f IncidentFilter, page string,
	limit int) (out fairlead.Page[*Incident], err error) {
	limit = bounded(limit)
	filter := fmt.Sprintf("incidents %d %+v", p.K, f)
	before := int64(math.MaxInt64)
	if err := fairlead.DecodeCursor(page, filter, &before); err != nil {
		return out, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		if out.Items, err = listIncidents(tx, p, f, before, limit+1); err != nil {
			return err
		}
		return s.setActions(tx, p, out.Items...)
	})
	if len(out.Items) > limit {
		out.Items = out.Items[:limit]
		out.Next = fairlead.EncodeCursor(filter, out.Items[limit-1].k)
	}
	return out, err
}

// Period is the realised metric of one stretch of stream time, [From, To).
type Period struct {
	From     time.Time         `json:"from"`
	To       time.Time         `json:"to"`
	Requests int               `json:"requests"`
	Labelled int               `json:"labelled"`
	LagMS    int64             `json:"lag_ms"`   // median time from a request to its label
	Served   *float64          `json:"served"`   // over the answers that callers got; null where undefined
	Versions map[int64]float64 `json:"versions"` // over each version's scores of the labelled requests
	Rows     map[int64]int     `json:"version_rows"`
	// Unanswered are the labelled requests that a version was asked, and gave no answer
	// that the metric can judge: no figure counts them.
	Unanswered map[int64]int `json:"version_unanswered,omitempty"`
	Reason     string        `json:"reason,omitempty"` // why Served is null
	// Reasons says why a version that was asked has no figure.
	Reasons map[int64]string `json:"version_reasons,omitempty"`
}

// The groupings of Realised.
const (
	ByDay   = "day"
	ByMonth = "month"
)

// RealisedQuery says which metric of an endpoint, over which stretch of stream time,
// [From, To), and grouped how: ByDay or ByMonth (UTC).
type RealisedQuery struct {
	Endpoint string
	Metric   string
	By       string
	From, To time.Time
}

func (q RealisedQuery) check() (stat.Metric, error) {
	m, ok := stat.Lookup(q.Metric)
	if !ok {
		return m, fairlead.Errorf(fairlead.Invalid, "metric %q is not known; known are %v",
			q.Metric, stat.Names())
	}
	if q.By != ByDay && q.By != ByMonth {
		return m, fairlead.Errorf(fairlead.Invalid, "by is %q; it is day or month", q.By)
	}
	if !q.From.Before(q.To) || q.To.Sub(q.From) > 20*366*24*time.Hour {
		return m, fairlead.Errorf(fairlead.Invalid,
			"from and to must be times in order, at most 20 years apart")
	}
	return m, nil
}

// Realised computes the metric on the joined ground truth, period by period, and returns
// a page of at most limit periods.
func (s *Service) Realised(ctx context.Context, p fairlead.Project, q RealisedQuery, page string,
	limit int) (out fairlead.Page[Period], err error) {
	m, err := q.check()
	if err != nil {
		return out, err
	}
	filter := fmt.Sprintf("realised %d %+v", p.K, q)
	start := q.From
	if err := fairlead.DecodeCursor(page, filter, &start); err != nil {
		return out, err
	}
	var now time.Time
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		now, err = s.Stream.NowOrWall(tx, p, q.Endpoint)
		return err
	})
	if err != nil {
		return out, err
	}
	for start.Before(q.To) {
		if len(out.Items) == bounded(limit) {
			out.Next = fairlead.EncodeCursor(filter, start)
			break
		}
		end := nextPeriod(start, q.By)
		if end.After(q.To) {
			end = q.To
		}
		period, err := s.period(ctx, p, q.Endpoint, m, start, end, now)
		if err != nil {
			return out, err
		}
		out.Items = append(out.Items, period)
		start = end
	}
	return out, nil
}

// period computes the metric over [from, to) on the labels that were known at asOf, from a
// snapshot for each day: a reader's time is bounded, and a period is not.
func (s *Service) period(ctx context.Context, p fairlead.Project, endpoint string, m stat.Metric,
	from, to, asOf time.Time) (Period, error) {
	var coverage label.Coverage
	served, versions := &pairs{}, map[int64]*pairs{}
	for start := from; start.Before(to); {
		end := nextPeriod(start, ByDay)
		if end.After(to) {
			end = to
		}
		err := s.DB.Read(ctx, func(tx *store.Tx) error {
			joined, c, err := s.Label.Joined(tx, p, endpoint, start, end, asOf)
			if err != nil {
				return err
			}
			coverage.Add(c)
			for _, j := range joined {
				served.add(j, j.ServedBy)
				for n := range j.Scores {
					if versions[n] == nil {
						versions[n] = &pairs{}
					}
					versions[n].add(j, n)
				}
			}
			return nil
		})
		if err != nil {
			return Period{}, err
		}
		start = end
	}
	out := Period{From: from, To: to, Requests: coverage.Requests, Labelled: coverage.Labelled,
		LagMS: coverage.Lag().Milliseconds()}
	return out, out.compute(m, served, versions)
}

func nextPeriod(t time.Time, by string) time.Time {
	t = t.UTC()
	if by == ByMonth {
		return time.Date(t.Year(), t.Month()+1, 1, 0, 0, 0, 0, time.UTC)
	}
	return time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, time.UTC)
}

// pairs are the labels and predictions of the requests that a version was asked; a
// prediction is NaN where it gave none.
type pairs struct{ y, p []float64 }

// add takes what the version answered, if it was asked.
func (a *pairs) add(j label.Joined, version int64) {
	s, ok := j.Scores[version]
	if !ok {
		return
	}
	if s.Failed {
		s.Value = math.NaN()
	}
	a.y, a.p = append(a.y, j.Truth), append(a.p, s.Value)
}

// answered returns the rows whose predictions the metric can judge; Invalid when it cannot
// judge the labels.
func (a *pairs) answered(m stat.Metric) (out pairs, err error) {
	judges, err := m.Answers(a.y)
	if err != nil {
		return out, err
	}
	for i, p := range a.p {
		if judges(p) {
			out.y, out.p = append(out.y, a.y[i]), append(out.p, p)
		}
	}
	return out, nil
}

// compute fills in the figures. Those that a metric does not have say why.
func (p *Period) compute(m stat.Metric, served *pairs, versions map[int64]*pairs) error {
	f, err := figureOf(m, served)
	if err != nil {
		return err
	}
	p.Served, p.Reason = f.value, f.reason
	p.Versions, p.Rows = map[int64]float64{}, map[int64]int{}
	p.Unanswered, p.Reasons = map[int64]int{}, map[int64]string{}
	for n, asked := range versions {
		f, err := figureOf(m, asked)
		if err != nil {
			return err
		}
		if f.value != nil {
			p.Versions[n], p.Rows[n] = *f.value, f.rows
		} else {
			p.Reasons[n] = f.reason
		}
		if f.unanswered > 0 {
			p.Unanswered[n] = f.unanswered
		}
	}
	return nil
}

// figure is a metric over the rows that it can judge.
type figure struct {
	value            *float64 // nil where it has none, as AUC on one class
	reason           string   // why
	rows, unanswered int
}

// figureOf leaves out the rows whose answers the metric cannot judge, and counts them.
func figureOf(m stat.Metric, asked *pairs) (f figure, err error) {
	var v float64
	got, err := asked.answered(m)
	if err == nil {
		f.rows, f.unanswered = len(got.y), len(asked.y)-len(got.y)
		v, err = m.Compute(got.y, got.p)
	}
	switch fairlead.CodeOf(err) {
	case "":
		f.value = &v
	case fairlead.Precondition, fairlead.Invalid:
		f.reason = fairlead.MessageOf(err)
	default:
		return f, err
	}
	if f.rows == 0 && f.unanswered > 0 {
		f.reason = fmt.Sprintf("none of the %d labelled requests has an answer that %s can judge",
			f.unanswered, m.Name)
	}
	return f, nil
}
