package tracking

import (
	"context"
	"math"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking/filter"
)

// Metric is one point of a metric. ModelID, DatasetName and DatasetDigest are
// optional and say which logged model was measured on what.
type Metric struct {
	Key           string  `json:"key"`
	Value         float64 `json:"value"`
	TimestampMS   int64   `json:"timestamp_ms"`
	Step          int64   `json:"step"`
	ModelID       string  `json:"model_id,omitempty"`
	DatasetName   string  `json:"dataset_name,omitempty"`
	DatasetDigest string  `json:"dataset_digest,omitempty"`
	RunID         string  `json:"run_id,omitempty"` // in lists that span runs
}

// Batch is what one log-batch brings: at most 1000 metrics, 100 params and 100
// tags, 1000 together.
type Batch struct {
	Metrics []Metric
	Params  []Param
	Tags    []Tag

	single bool // one entity, sent by itself
	past   bool // of a run that is brought in from elsewhere, which may be deleted
}

// LogMetric stores one point; see LogBatch.
func (s *Service) LogMetric(ctx context.Context, p fairlead.Project, runID string,
	m Metric) error {
	return s.LogBatch(ctx, p, runID, Batch{Metrics: []Metric{m}, single: true})
}

// LogParam stores one param; see LogBatch.
func (s *Service) LogParam(ctx context.Context, p fairlead.Project, runID string, q Param) error {
	return s.LogBatch(ctx, p, runID, Batch{Params: []Param{q}, single: true})
}

// SetTag sets one tag of an active run.
func (s *Service) SetTag(ctx context.Context, p fairlead.Project, runID string, t Tag) error {
	return s.LogBatch(ctx, p, runID, Batch{Tags: []Tag{t}, single: true})
}

// LogBatch stores the batch in a transaction of its own: all of it or nothing.
// Batches with metrics go in the bulk lane. A param that has another value
// already is Invalid; sending a batch again changes nothing. Params longer than
// 6000 characters and tags longer than 8000 are cut.
func (s *Service) LogBatch(ctx context.Context, p fairlead.Project, runID string, b Batch) error {
	b, err := b.check()
	if err != nil {
		return err
	}
	lane := store.Client
	if len(b.Metrics) > 0 || b.past {
		lane = store.Bulk
	}
	var learned map[string]int64
	var committed func()
	err = s.db.Write(ctx, lane, func(tx *store.Tx) (err error) {
		ring := s.keyring(tx)
		committed, err = s.logBatch(ring, p, runID, &b)
		learned = ring.learned
		return err
	})
	s.thin.changed(runID) // also after an error, which may come after the commit
	if err != nil {
		return err
	}
	s.keys.add(learned)
	if committed != nil {
		committed()
	}
	return nil
}

// LogBatchTx is LogBatch inside the caller's transaction.
func (s *Service) LogBatchTx(tx *store.Tx, p fairlead.Project, runID string, b Batch) error {
	b, err := b.check()
	if err != nil {
		return err
	}
	s.thin.changing(tx, runID)
	_, err = s.logBatch(s.keyring(tx), p, runID, &b)
	return err
}

// logBatch returns what is to be called once the transaction is committed, or nil.
func (s *Service) logBatch(ring *keyring, p fairlead.Project, runID string, b *Batch) (
	committed func(), err error) {
	find := activeRun
	if b.past {
		find = runByID
	}
	r, err := find(ring.tx, p, runID)
	if err != nil {
		return nil, err
	}
	if len(b.Metrics) > 0 {
		if committed, err = s.index.behind(ring.tx, r.k); err != nil {
			return nil, err
		}
		if err := writeMetrics(ring, p, r, b.Metrics); err != nil {
			return nil, err
		}
	}
	if err := writeParams(ring, r, b.Params); err != nil {
		return nil, err
	}
	return committed, s.writeTags(ring, r, b.Tags)
}

// point is a metric as it is stored.
type point struct {
	key      int64
	step, ts int64
	value    float64
	nan      int64
}

func newPoint(key int64, m *Metric) point {
	if math.IsNaN(m.Value) {
		return point{key, m.Step, m.TimestampMS, 0, 1}
	}
	return point{key, m.Step, m.TimestampMS, m.Value, 0}
}

func (p point) after(q point) bool {
	if p.step != q.step {
		return p.step > q.step
	}
	if p.ts != q.ts {
		return p.ts > q.ts
	}
	return p.value >= q.value
}

// newest is the newest point of a key in a batch, with the range of its values.
type newest struct {
	point
	low, high *float64 // nil while there are only NaNs
}

// fold keeps for each key its newest point, so that the table of latest values is
// written once a key and batch and not once a point.
func fold(points []point) []newest {
	at := make(map[int64]int, 16)
	var out []newest
	for _, p := range points {
		i, ok := at[p.key]
		if !ok {
			i = len(out)
			at[p.key] = i
			out = append(out, newest{point: p})
		}
		n := &out[i]
		if p.after(n.point) {
			n.point = p
		}
		if p.nan == 0 {
			n.widen(p.value)
		}
	}
	return out
}

func (n *newest) widen(v float64) {
	if n.low == nil || v < *n.low {
		n.low = &v
	}
	if n.high == nil || v > *n.high {
		n.high = &v
	}
}

func writeMetrics(ring *keyring, p fairlead.Project, r *Run, metrics []Metric) error {
	points := make([]point, len(metrics))
	modelled := false
	for i := range metrics {
		key, err := ring.key(metrics[i].Key)
		if err != nil {
			return err
		}
		points[i] = newPoint(key, &metrics[i])
		modelled = modelled || metrics[i].ModelID != ""
	}
	if err := insertHistory(ring.tx, r.k, points); err != nil {
		return err
	}
	folded := fold(points)
	if err := upsertLatest(ring.tx, r.k, folded); err != nil {
		return err
	}
	for _, n := range folded {
		if err := ring.seen.see(ring.tx, r.expK, filter.Metric, n.key); err != nil {
			return err
		}
	}
	if !modelled {
		return nil
	}
	return writeModelMetrics(ring.tx, p, r.k, metrics, points)
}

// LatestMetrics returns the newest value of each metric of the run.
func (s *Service) LatestMetrics(tx *store.Tx, p fairlead.Project, runID string) (
	map[string]float64, error) {
	r, err := runByID(tx, p, runID)
	if err != nil {
		return nil, err
	}
	if err := s.loadMetrics(tx, []*Run{r}); err != nil {
		return nil, err
	}
	out := make(map[string]float64, len(r.Metrics))
	for _, m := range r.Metrics {
		out[m.Key] = m.Value
	}
	return out, nil
}

// HistoryPage is the most points that one page of a history has.
const HistoryPage = 25_000

// MetricHistory returns the points of one metric by (step, timestamp, value), at
// most limit of them, and never more than HistoryPage (0 means that). A metric that the
// run does not have is an empty history.
func (s *Service) MetricHistory(ctx context.Context, p fairlead.Project, runID, key string,
	limit int, pageToken string) (page fairlead.Page[Metric], err error) {
	if limit <= 0 || limit > HistoryPage {
		limit = HistoryPage
	}
	bound := runID + "\x00" + key
	after := historyCursor{Step: math.MinInt64}
	if err := fairlead.DecodeCursor(pageToken, bound, &after); err != nil {
		return page, err
	}
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		r, err := runByID(tx, p, runID)
		if err != nil {
			return err
		}
		page.Items, err = readHistory(tx, r.k, key, after, limit+1)
		return err
	})
	if err == nil && len(page.Items) > limit {
		page.Items = page.Items[:limit]
		page.Next = fairlead.EncodeCursor(bound, cursorOf(page.Items[limit-1]))
	}
	return page, err
}

// historyCursor is the place after a point in its history.
type historyCursor struct {
	Step  int64   `json:"s"`
	TS    int64   `json:"t"`
	Value float64 `json:"v"`
	NaN   int64   `json:"n"`
}

func cursorOf(m Metric) historyCursor {
	p := newPoint(0, &m)
	return historyCursor{p.step, p.ts, p.value, p.nan}
}
