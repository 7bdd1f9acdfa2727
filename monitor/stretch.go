package monitor

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/stat"
	"github.com/fairlead-ml/fairlead/store"
)

// mostRead is how many windows one answer looks at, however few it draws them as: more
// than a year of hourly ones.
const mostRead = 10_000

// mostCells is how many features of windows one answer looks at, which hold 24 MB: more than
// a year of hourly windows of 200 features.
const mostCells = 2_000_000

// The number of stretches that windows are drawn as.
const (
	defaultStretches = 400
	mostStretches    = 1_000
)

// Stretch is a piece of stream time, [From, To), as it is drawn: one window, or those next
// to each other of one version, when there are more than can be drawn. The worst window
// stands for all of them: a red one before a green one, and of these the one that is
// furthest beyond its limit.
type Stretch struct {
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Windows int       `json:"windows"`
	Reds    int       `json:"reds"`
	Worst   *Window   `json:"worst"`
}

// History selects the windows to draw: those of an endpoint that begin in [From, To), where
// the zero time is open, as at most Stretches pieces, 400 when that is 0. Where the version
// changes there may be one more.
type History struct {
	Endpoint  string
	From, To  time.Time
	Stretches int
}

func (h History) filter(k Kind) WindowFilter {
	return WindowFilter{Endpoint: h.Endpoint, Kind: k, From: h.From, To: h.To}
}

func (h History) most() int {
	if h.Stretches <= 0 {
		return defaultStretches
	}
	return min(h.Stretches, mostStretches)
}

// niceSteps are lengths of stretches that people can read.
var niceSteps = []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour,
	3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 2 * 24 * time.Hour,
	7 * 24 * time.Hour, 14 * 24 * time.Hour, 28 * 24 * time.Hour, 91 * 24 * time.Hour,
	364 * 24 * time.Hour}

// stepOf returns how long the stretches of these windows are, the oldest first; 0 when
// each window is one.
func stepOf[W any](windows []W, most int, of func(W) *Window) time.Duration {
	if len(windows) <= most {
		return 0
	}
	span := of(windows[len(windows)-1]).To.Sub(of(windows[0]).From)
	least := span / time.Duration(most)
	for _, step := range niceSteps {
		if step >= least {
			return step
		}
	}
	return least
}

// stretches draws windows, the oldest first. each is called for every window with the
// number of its stretch.
func stretches[W any](windows []W, step time.Duration, worse func(a, b *Window) bool,
	of func(W) *Window, each func(w W, i int)) []Stretch {
	out := []Stretch{}
	for _, row := range windows {
		w := of(row)
		if n := len(out); n == 0 || step == 0 || out[n-1].Worst.Version != w.Version ||
			!out[n-1].From.Truncate(step).Equal(w.From.Truncate(step)) {
			out = append(out, Stretch{From: w.From, Worst: w})
		}
		s := &out[len(out)-1]
		s.To = w.To
		s.Windows++
		if w.State == Red {
			s.Reds++
		}
		if worse(w, s.Worst) {
			s.Worst = w
		}
		each(row, len(out)-1)
	}
	return out
}

var severity = map[WindowState]int{Unknown: 0, Green: 1, Red: 2}

// worse returns the order of windows in a stretch, by state and then by excess.
func worse(excess func(*Window) float64) func(a, b *Window) bool {
	return func(a, b *Window) bool {
		return cmp.Or(cmp.Compare(severity[a.State], severity[b.State]),
			cmp.Compare(excess(a), excess(b))) > 0
	}
}

// DriftHistory is the drift of each feature in each stretch.
type DriftHistory struct {
	Stretches []Stretch `json:"stretches"` // in order of time; their windows have no features
	// StepMS is how long a stretch is; 0: each is one window.
	StepMS   int64          `json:"step_ms"`
	Windows  int            `json:"windows"`
	Features []FeatureTrack `json:"features"` // those that are red most often first
	// Next goes on with the windows before these.
	Next string `json:"next,omitempty"`
}

// FeatureTrack is one feature through all stretches; of a stretch of several windows, the
// one in which it exceeds its limit most. PSI and Limit are null where it was not judged.
type FeatureTrack struct {
	Name  string     `json:"name"`
	PSI   []*float64 `json:"psi"`
	Limit []*float64 `json:"limit"`
	Red   []bool     `json:"red"`
	Reds  int        `json:"reds"` // stretches that are red
}

// Drifts returns the newest windows of the selection; a page goes on with older ones.
func (s *Service) Drifts(ctx context.Context, p fairlead.Project, h History, page string) (
	DriftHistory, error) {
	return s.drifts(ctx, p, h, page, mostCells)
}

func (s *Service) drifts(ctx context.Context, p fairlead.Project, h History, page string, left int) (
	out DriftHistory, err error) {
	filter, before, err := h.page(p, Drift, page)
	if err != nil {
		return out, err
	}
	var rows []driftRow
	more := false
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		return eachDrift(tx, p, h.filter(Drift), before, mostRead+1, func(r driftRow) bool {
			left -= len(r.drifts)
			if more = len(rows) == mostRead || left < 0 && len(rows) > 0; !more {
				rows = append(rows, r)
			}
			return !more
		})
	})
	if err != nil {
		return out, err
	}
	out.Next = older(rows, more, filter, driftRow.window)
	out.draw(rows, h.most())
	return out, nil
}

// page returns where a page begins, and the filter that its cursor is bound to.
func (h History) page(p fairlead.Project, k Kind, page string) (filter string, before windowCursor,
	err error) {
	filter, before = fmt.Sprintf("%s %d %+v", k, p.K, h), windowCursor{FromMS: maxMS}
	return filter, before, fairlead.DecodeCursor(page, filter, &before)
}

// older puts windows, the newest first, into the order of time, and returns the page of those
// before them.
func older[W any](rows []W, more bool, filter string, of func(W) *Window) (next string) {
	if more {
		last := of(rows[len(rows)-1])
		next = fairlead.EncodeCursor(filter, windowCursor{last.From.UnixMilli(), last.k})
	}
	slices.Reverse(rows)
	return next
}

// draw lays out the rows, the oldest first.
func (d *DriftHistory) draw(rows []driftRow, most int) {
	step := stepOf(rows, most, driftRow.window)
	d.StepMS, d.Windows = step.Milliseconds(), len(rows)
	tracks := map[string]int{} // place in cells
	var cells [][]cell
	var same []string // the names that places are of
	var places []int
	d.Features = []FeatureTrack{}
	order := worse(func(w *Window) float64 { return w.Value / w.Limit })
	d.Stretches = stretches(rows, step, order, driftRow.window, func(r driftRow, i int) {
		if len(r.names) != len(same) || len(same) > 0 && &r.names[0] != &same[0] {
			same, places = r.names, places[:0]
			for _, name := range same {
				at, ok := tracks[name]
				if !ok {
					at = len(cells)
					tracks[name], cells = at, append(cells, nil)
				}
				places = append(places, at)
			}
		}
		for n, at := range places {
			for len(cells[at]) <= i {
				cells[at] = append(cells[at], cell{})
			}
			cells[at][i].take(r.drifts[n])
		}
	})
	for name, at := range tracks {
		d.Features = append(d.Features, trackOf(name, cells[at], len(d.Stretches)))
	}
	slices.SortFunc(d.Features, func(a, b FeatureTrack) int {
		return cmp.Or(cmp.Compare(b.Reds, a.Reds), cmp.Compare(b.highest(), a.highest()),
			cmp.Compare(a.Name, b.Name))
	})
}

// cell is one feature in one stretch.
type cell struct {
	drifted
	judged bool
	red    bool
}

// take keeps the worse of what is there and d.
func (c *cell) take(d drifted) {
	c.red = c.red || d.Red == 1
	if !c.judged || d.PSI*c.Limit > c.PSI*d.Limit {
		c.drifted, c.judged = d, true
	}
}

func trackOf(name string, cells []cell, n int) FeatureTrack {
	t := FeatureTrack{Name: name, PSI: make([]*float64, n), Limit: make([]*float64, n),
		Red: make([]bool, n)}
	for i, c := range cells {
		if !c.judged {
			continue
		}
		psi, limit := rounded(c.PSI), rounded(c.Limit)
		t.PSI[i], t.Limit[i], t.Red[i] = &psi, &limit, c.red
		t.Reds += btoi(c.red)
	}
	return t
}

// rounded has four digits, which is more than a colour or a person can tell.
func rounded(v float32) float64 {
	if v == 0 {
		return 0
	}
	digits := math.Pow(10, 3-math.Floor(math.Log10(math.Abs(float64(v)))))
	return math.Round(float64(v)*digits) / digits
}

func (t *FeatureTrack) highest() (most float64) {
	for i, v := range t.PSI {
		if v != nil && *t.Limit[i] > 0 {
			most = max(most, *v / *t.Limit[i])
		}
	}
	return most
}

// PerformanceHistory is the realised metric in each stretch.
type PerformanceHistory struct {
	// Metric is what the file watches now; a window's own may be another, from before.
	Metric         string    `json:"metric,omitempty"`
	Unit           string    `json:"unit,omitempty" doc:"label (the label's own unit), label^2, ratio, share or nat"`
	HigherIsBetter bool      `json:"higher_is_better"`
	Currency       string    `json:"currency,omitempty" doc:"of the worth of each version's answers"`
	Stretches      []Stretch `json:"stretches"` // in order of time
	StepMS         int64     `json:"step_ms"`   // 0: each stretch is one window
	Windows        int       `json:"windows"`
	Pending        *Pending  `json:"pending,omitempty"`
	Next           string    `json:"next,omitempty"` // goes on with the windows before these
}

// Pending is what has come since the newest judged window. Its labels are counted up to
// 20,000 requests.
type Pending struct {
	From     time.Time `json:"from"`
	To       time.Time `json:"to"` // now, in stream time
	Requests int       `json:"requests"`
	Labelled *int      `json:"labelled"`  // null: too many to count
	JudgedAt time.Time `json:"judged_at"` // when the first window of it is judged
}

// mostPending is how many requests labels are looked up of to answer one request.
const mostPending = 20_000

// Performances returns the newest windows of the selection; a page goes on with older ones.
func (s *Service) Performances(ctx context.Context, p fairlead.Project, h History, page string) (
	out PerformanceHistory, err error) {
	filter, before, err := h.page(p, Performance, page)
	if err != nil {
		return out, err
	}
	var rows []*Window
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		rows, err = listNewest(tx, p, h.filter(Performance), before, mostRead+1)
		if err != nil {
			return err
		}
		if page == "" && h.To.IsZero() {
			if out.Pending, err = s.pending(tx, p, h.Endpoint); err != nil {
				return err
			}
		}
		return s.describe(tx, p, &out)
	})
	if err != nil {
		return out, err
	}
	self := func(w *Window) *Window { return w }
	more := len(rows) > mostRead
	rows = rows[:min(len(rows), mostRead)]
	out.Next = older(rows, more, filter, self)
	step := stepOf(rows, h.most(), self)
	out.StepMS, out.Windows = step.Milliseconds(), len(rows)
	order := worse(func(w *Window) float64 {
		m, _ := stat.Lookup(w.Metric)
		if m.HigherIsBetter {
			return w.Limit - w.Value
		}
		return w.Value - w.Limit
	})
	out.Stretches = stretches(rows, step, order, self, func(*Window, int) {})
	return out, nil
}

// describe says what the project's file watches.
func (s *Service) describe(tx *store.Tx, p fairlead.Project, out *PerformanceHistory) error {
	mon, err := s.settings(tx, p)
	if err != nil || mon == nil || mon.Performance == nil {
		return err
	}
	m, _ := stat.Lookup(mon.Performance.Metric)
	out.Metric, out.Unit, out.HigherIsBetter = mon.Performance.Metric, m.Unit, m.HigherIsBetter
	value, err := s.worth(tx, p)
	if value != nil {
		out.Currency = value.Currency
	}
	return err
}

// pending returns nil when the endpoint's performance is not watched.
func (s *Service) pending(tx *store.Tx, p fairlead.Project, endpoint string) (*Pending, error) {
	c, err := s.cadence(tx, p, endpoint, Performance)
	if err != nil || c == nil {
		return nil, err
	}
	newest, err := newestWindow(tx, p, endpoint, Performance)
	if err != nil {
		return nil, err
	}
	next := c.after(newest)
	now, err := s.Stream.Now(tx, p, endpoint)
	if err != nil || !next.From.Before(now) {
		return nil, err
	}
	out := &Pending{From: next.From, To: now, JudgedAt: next.JudgedAt}
	n, err := s.Serving.CountRequests(tx, p, endpoint, next.From, now)
	if out.Requests = n; err != nil || n > mostPending {
		return out, err
	}
	_, coverage, err := s.Label.Joined(tx, p, endpoint, next.From, now, now)
	out.Labelled = &coverage.Labelled
	return out, err
}
