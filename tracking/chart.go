package tracking

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
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

// best is the better end of the range.
func (m *MetricSummary) best() *float64 { return better(m.Key, m.Min, m.Max) }

// better is the better one of two values of metrics that end in a name such as auc, also as
// validation.auc. It is nil when nothing says which end that is.
func better(key string, least, most *float64) *float64 {
	known, ok := stat.Lookup(key[strings.LastIndexAny(key, "./")+1:])
	switch {
	case !ok || known.Signed(): // best at zero
		return nil
	case known.HigherIsBetter:
		return most
	}
	return least
}

// Chart is a metric's history, thinned.
type Chart struct {
	Key     string   `json:"key"`
	By      string   `json:"by" doc:"step, or time of a metric whose points all have the same step"`
	Points  int64    `json:"points" doc:"of the whole history"`
	Buckets []Bucket `json:"buckets"`
}

// Bucket is a stretch of a history. Its extremes are exact: thinning hides no spike. They
// and the mean are those of its numbers: NaN and the infinities are counted apart.
type Bucket struct {
	FromStep int64    `json:"from_step"`
	ToStep   int64    `json:"to_step"`
	FromMS   int64    `json:"from_ms" doc:"of its first point"`
	ToMS     int64    `json:"to_ms" doc:"of its last point"`
	Min      *float64 `json:"min" doc:"null when none of its points is a number"`
	Max      *float64 `json:"max"`
	Mean     *float64 `json:"mean"`
	Last     *float64 `json:"last" doc:"of its last point; null when that is no number"`
	Points   int64    `json:"points"`
	NaNs     int64    `json:"nans"`
	Highs    int64    `json:"highs" doc:"points of plus infinity"`
	Lows     int64    `json:"lows" doc:"points of minus infinity"`
}

// What a chart's points lie along.
const (
	ByStep = "step"
	ByTime = "time"
)

// ChartAsk is what a chart shows: histories along steps or times.
type ChartAsk struct {
	By      string // ByStep or ByTime
	Buckets int    // of each series, about: 1 to MaxBuckets
	Series  []SeriesAsk
}

// SeriesAsk names one history, or the part of it that a chart lacks.
type SeriesAsk struct {
	Run, Key string
	From, To *int64 // steps, or Unix ms; nil for the whole
	Width    int64  // of the buckets, as a Series before stated it, so that new ones fit the old; or 0
	Seen     string // of the Series before; when nothing has come since, none of it is read
}

// Series is a history for a chart.
type Series struct {
	Run       string
	Key       string
	By        string // ByTime also of a history that was asked by step and has only one
	Width     int64  // steps or ms of a bucket; 0 when each bucket is one point
	Points    int64  // of the part that was asked for
	Seen      string // changes when newer points come; a point of an older step may not change it
	Unchanged bool   // nothing was read
	Buckets   []Bucket
}

// The most buckets of a series, series of a chart, and buckets of a whole chart that can
// be asked for.
const (
	MaxBuckets      = 2000
	MaxSeries       = 500
	MaxChartBuckets = 100_000
)

// Chart returns the history of a metric in buckets of equal length, about so many
// (1 to MaxBuckets) and two more at most, without the empty ones. A metric that the run
// does not have has none.
func (s *Service) Chart(ctx context.Context, p fairlead.Project, runID, key string, buckets int) (
	*Chart, error) {
	all, err := s.Charts(ctx, p, ChartAsk{By: ByStep, Buckets: buckets,
		Series: []SeriesAsk{{Run: runID, Key: key}}})
	if err != nil {
		return nil, err
	}
	c := all[0]
	return &Chart{Key: key, By: c.By, Points: c.Points, Buckets: c.Buckets}, nil
}

// Charts returns the series in the order in which they are asked for. Few points are
// returned as they are; of more, each bucket is a stretch of Width. NotFound when a run is
// not there; a metric that its run does not have is an empty series.
func (s *Service) Charts(ctx context.Context, p fairlead.Project, ask ChartAsk) ([]Series, error) {
	if err := ask.check(); err != nil {
		return nil, err
	}
	out := make([]Series, len(ask.Series))
	states := make([]uint64, len(out))
	for i, in := range ask.Series {
		states[i] = s.thin.state(in.Run)
	}
	err := s.db.ReadLong(ctx, func(tx *store.Tx) error {
		runs, keys := map[string]int64{}, map[string]int64{}
		for i, in := range ask.Series {
			runK, ok := runs[in.Run]
			if !ok {
				r, err := runByID(tx, p, in.Run)
				if err != nil {
					return err
				}
				runK, runs[in.Run] = r.k, r.k
			}
			key := thinnedKey{in.Run, in.Key, ask.By, in.stretch(), in.Width, ask.Buckets}
			if out[i], ok = s.thin.get(key, states[i]); ok {
				if out[i].Seen == in.Seen {
					out[i].Unchanged, out[i].Points, out[i].Buckets = true, 0, nil
				}
				continue
			}
			keyK, ok := keys[in.Key]
			if !ok {
				k, err := lookUpKey(tx, in.Key)
				if err != nil && !errors.Is(err, store.ErrNoRows) {
					return err
				}
				keyK, keys[in.Key] = k, k
			}
			out[i] = Series{Run: in.Run, Key: in.Key, By: ask.By, Buckets: []Bucket{}}
			if err := out[i].read(historyOf(tx, runK, keyK), in, ask.Buckets); err != nil {
				return err
			}
			s.thin.put(key, states[i], out[i])
		}
		return nil
	})
	return out, err
}

func (a *ChartAsk) check() error {
	if a.By != ByStep && a.By != ByTime {
		return ErrValue("by", a.By, "It is step or time")
	}
	if a.Buckets < 1 || a.Buckets > MaxBuckets {
		return ErrValue("buckets", a.Buckets, fmt.Sprintf("It is from 1 to %d", MaxBuckets))
	}
	if n := len(a.Series); n > MaxSeries || n*a.Buckets > MaxChartBuckets {
		return fairlead.Errorf(fairlead.Invalid, "A chart has at most %d series and %d buckets. "+
			"Got %d series of %d buckets.", MaxSeries, MaxChartBuckets, n, a.Buckets)
	}
	for _, in := range a.Series {
		if in.Width < 0 {
			return ErrValue("width", in.Width, "It is 0 or more")
		}
		if in.From != nil && in.To != nil && *in.From > *in.To {
			return fairlead.Errorf(fairlead.Invalid, "A range of %q begins at %d and ends before, at %d.",
				in.Key, *in.From, *in.To)
		}
	}
	return nil
}

// stretch is a range of steps or times, both ends included.
type stretch struct{ from, to int64 }

func (in *SeriesAsk) stretch() stretch {
	r := stretch{math.MinInt64, math.MaxInt64}
	if in.From != nil {
		r.from = *in.From
	}
	if in.To != nil {
		r.to = *in.To
	}
	return r
}

// read fills the series from its history.
func (c *Series) read(h history, in SeriesAsk, buckets int) (err error) {
	if c.Seen, err = h.seen(); err != nil || c.Seen == "" {
		return err // no points
	}
	if c.Seen == in.Seen {
		c.Unchanged = true
		return nil
	}
	first, last, err := h.ends("step")
	if err != nil {
		return err
	}
	if first == last { // then they lie in the order of time
		c.By, h = ByTime, h.ofStep(first)
	}
	if err := c.fill(h, in, buckets); err != nil {
		return err
	}
	for _, b := range c.Buckets {
		c.Points += b.Points
	}
	return nil
}

// few is the number of points up to which a history is read as it is: that costs less
// than to ask the database for each bucket.
const few = 8192

func (c *Series) fill(h history, in SeriesAsk, buckets int) error {
	asked := in.stretch()
	part := h
	if c.By == ByStep {
		part = h.between("step", asked)
	}
	points, err := part.points(few + 1)
	if err != nil {
		return err
	}
	if len(points) <= few {
		if c.By == ByTime {
			points = asked.ofTime(points)
		}
		c.Width, c.Buckets = gather(points, c.By, in.Width, buckets)
		return nil
	}
	switch {
	case c.By == ByStep:
		return c.cut(h, "step", asked, in.Width, buckets)
	case h.step != nil:
		return c.cut(h, "ts", asked, in.Width, buckets)
	}
	ordered, steps, err := h.stepsOf(asked)
	if err != nil {
		return err
	}
	if ordered { // then stretches of steps are stretches of time
		if err := c.cut(h, "step", steps, 0, buckets); err != nil || len(c.Buckets) > buckets/2 {
			return err
		}
	}
	c.Buckets = []Bucket{}
	return c.stream(h, asked, in.Width, buckets)
}

// cut puts the points of a range of a column, in whose order they lie, into buckets.
func (c *Series) cut(h history, column string, r stretch, width int64, buckets int) error {
	first, last, err := h.between(column, r).ends(column)
	if errors.Is(err, store.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	c.Width = widthOf(stretch{first, last}, width, buckets)
	c.Buckets, err = h.buckets(column, first, last, c.Width)
	return err
}

// passes is how many multiples of width lie between the ends, which may be further apart than
// a signed number can say.
func (r stretch) passes(width int64) uint64 {
	return uint64(r.to/width) - uint64(r.from/width)
}

// widthOf is the length of buckets over the range: the given one where it makes no more
// than twice the buckets.
func widthOf(r stretch, given int64, buckets int) int64 {
	if given > 0 && r.passes(given) < uint64(2*buckets) {
		return given
	}
	// Of the quotients, as the difference may be larger than a number can be.
	width := r.to/int64(buckets) - r.from/int64(buckets) + 1
	if width <= 0 { // half of all numbers or more, which only one or two buckets take
		width = math.MaxInt64
	}
	return width
}

// stream gathers a history whose times do not follow its steps: it goes through all of
// it, which is the slow way.
func (c *Series) stream(h history, asked stretch, width int64, buckets int) error {
	r, err := h.times(asked)
	if errors.Is(err, store.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	c.Width = widthOf(r, width, buckets)
	at := map[int64]*gathered{}
	err = h.each(func(p point) {
		if p.ts < r.from || p.ts > r.to {
			return
		}
		g, ok := at[p.ts/c.Width]
		if !ok {
			g = &gathered{}
			at[p.ts/c.Width] = g
		}
		g.add(p, ByTime)
	})
	for _, q := range slices.Sorted(maps.Keys(at)) {
		c.Buckets = append(c.Buckets, at[q].bucket())
	}
	return err
}

// ofTime returns the points within the range, in the order of time.
func (r stretch) ofTime(points []point) []point {
	points = slices.DeleteFunc(points, func(p point) bool { return p.ts < r.from || p.ts > r.to })
	slices.SortStableFunc(points, func(a, b point) int { return cmp.Compare(a.ts, b.ts) })
	return points
}

// gather puts points, which lie in order, into buckets; without a width, and when there are
// no more points than buckets, each into one of its own.
func gather(points []point, by string, width int64, buckets int) (int64, []Bucket) {
	out := []Bucket{}
	if len(points) == 0 {
		return width, out
	}
	if width == 0 && len(points) <= buckets {
		for _, p := range points {
			var g gathered
			g.add(p, by)
			out = append(out, g.bucket())
		}
		return 0, out
	}
	width = widthOf(stretch{points[0].along(by), points[len(points)-1].along(by)}, width, buckets)
	var g gathered
	for i, p := range points {
		if i > 0 && p.along(by)/width != points[i-1].along(by)/width {
			out = append(out, g.bucket())
			g = gathered{}
		}
		g.add(p, by)
	}
	return width, append(out, g.bucket())
}

// gathered is a bucket that is being filled.
type gathered struct {
	Bucket
	first, last point
	sum         float64
}

func (g *gathered) add(p point, by string) {
	if g.Points == 0 || p.along(by) < g.first.along(by) {
		g.first = p
	}
	if g.Points == 0 || p.along(by) >= g.last.along(by) {
		g.last = p
	}
	if g.Points == 0 || p.step < g.FromStep {
		g.FromStep = p.step
	}
	if g.Points == 0 || p.step > g.ToStep {
		g.ToStep = p.step
	}
	g.Points++
	switch {
	case p.nan != 0:
		g.NaNs++
	case p.value >= math.MaxFloat64:
		g.Highs++
	case p.value <= -math.MaxFloat64:
		g.Lows++
	default:
		g.sum += p.value
		if g.Min == nil || p.value < *g.Min {
			g.Min = &p.value
		}
		if g.Max == nil || p.value > *g.Max {
			g.Max = &p.value
		}
	}
}

func (g *gathered) bucket() Bucket {
	g.FromMS, g.ToMS = g.first.ts, g.last.ts
	g.Last = g.last.number()
	g.Mean = meanOf(g.sum, g.Points-g.NaNs-g.Highs-g.Lows)
	return g.Bucket
}

// along is where the point lies on the axis.
func (p point) along(by string) int64 {
	if by == ByTime {
		return p.ts
	}
	return p.step
}

// number is the point's value; nil when it is none, or infinite.
func (p point) number() *float64 {
	if p.nan != 0 || math.Abs(p.value) >= math.MaxFloat64 {
		return nil
	}
	return &p.value
}

// meanOf is nil of no numbers, and of those whose sum is too large for one.
func meanOf(sum float64, n int64) *float64 {
	if n == 0 || math.IsInf(sum, 0) {
		return nil
	}
	mean := sum / float64(n)
	return &mean
}
