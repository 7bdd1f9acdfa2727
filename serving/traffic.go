package serving

import (
	"context"
	"log/slog"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// The clocks that traffic is counted by.
const (
	ByWall  = "wall"  // when a request arrived
	ByEvent = "event" // the event time that it brought; requests without one are not counted
)

// clock is how the table has one of them.
type clock int64

const (
	wallClock clock = iota
	eventClock
)

// width is a length of buckets, of which as many are kept as it says, counted back from
// the newest of the endpoint.
type width struct {
	length time.Duration
	kept   int64
}

// widths are what traffic is kept in, the finest first: two days of minutes, ninety of
// hours, ten years of days.
var widths = []width{{time.Minute, 2880}, {time.Hour, 2160}, {24 * time.Hour, 3650}}

func (w width) ms() int64 { return w.length.Milliseconds() }

// reach is how far back the width goes.
func (w width) reach() time.Duration { return w.length * time.Duration(w.kept) }

// Counts are what a version did in some time.
type Counts struct {
	Requests int64 `json:"requests"` // that it answered
	Rows     int64 `json:"rows"`     // of them
	Errors   int64 `json:"errors"`   // requests that failed at it, through no fault of the caller
	Refused  int64 `json:"refused"`  // requests that broke the signature or a bound
	Scored   int64 `json:"scored"`   // requests that it was asked to score, also without answering
	Failed   int64 `json:"failed"`   // of them, those that it could not
}

func (c *Counts) add(o Counts) {
	c.Requests, c.Rows, c.Errors = c.Requests+o.Requests, c.Rows+o.Rows, c.Errors+o.Errors
	c.Refused, c.Scored, c.Failed = c.Refused+o.Refused, c.Scored+o.Scored, c.Failed+o.Failed
}

// cell is what is counted of a version in a bucket.
type cell struct {
	Counts
	answer latency // from the decoded request to its answer
	own    latency // of the version's own call
}

func (c *cell) merge(o *cell) {
	c.add(o.Counts)
	c.answer.merge(o.answer)
	c.own.merge(o.own)
}

// bucketKey names a cell. at is the bucket's beginning in Unix milliseconds; version 0 is
// none: the request failed before one was chosen.
type bucketKey struct {
	series
	at      int64
	version int64
}

// series are the buckets of an endpoint by a clock.
type series struct {
	projectK int64
	endpoint string
	clock    clock
}

const (
	countEvery = 250 * time.Millisecond // wall time between two writes
	maxCells   = 20_000                 // that wait to be written; beyond, nothing new is counted
)

// traffic counts what each version of each endpoint does, in memory by the minute, and
// adds that to the tables behind. It holds up no request. A crash loses at most what the
// last write has not got: the request log is the record, this is the picture.
type traffic struct {
	db       *store.DB
	log      *slog.Logger
	failures failures
	kept     atomic.Int64 // cells of all counters
	kick     chan struct{}

	mu       sync.Mutex
	counters map[routeKey]*counter

	failing bool // the newest write; by run alone
	quit    chan struct{}
	done    chan struct{}
}

func newTraffic(db *store.DB, log *slog.Logger) *traffic {
	return &traffic{db: db, log: log, kick: make(chan struct{}, 1),
		counters: map[routeKey]*counter{}, failures: failures{said: map[failureKey]*Failure{}},
		quit: make(chan struct{}), done: make(chan struct{})}
}

// of returns what counts the requests of an endpoint, in all its generations.
func (t *traffic) of(key routeKey) *counter {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.counters[key]
	if c == nil {
		c = &counter{traffic: t, of: key, cells: map[cellKey]*cell{}}
		t.counters[key] = c
	}
	return c
}

func (t *traffic) wake() {
	select {
	case t.kick <- struct{}{}:
	default:
	}
}

func floor(ms, width int64) int64 { return ms - ms%width }

// take returns what is counted, and begins anew.
func (t *traffic) take() map[bucketKey]*cell {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := map[bucketKey]*cell{}
	for _, c := range t.counters {
		c.take(out)
	}
	return out
}

// giveBack adds what could not be written to what is counted.
func (t *traffic) giveBack(cells map[bucketKey]*cell) {
	for key, c := range cells {
		t.of(routeKey{key.projectK, key.endpoint}).giveBack(key, c)
	}
}

func (t *traffic) start() { go t.run() }

func (t *traffic) run() {
	defer close(t.done)
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		select {
		case <-t.kick:
		case <-t.quit:
			t.write()
			t.writeFailures()
			return
		}
		pause.Reset(countEvery)
		select {
		case <-pause.C:
		case <-t.quit:
		}
		t.write()
		t.writeFailures()
	}
}

// stop writes what is counted, unless ctx ends before.
func (t *traffic) stop(ctx context.Context) error {
	close(t.quit)
	select {
	case <-t.done:
		return nil
	case <-ctx.Done():
		return fairlead.Errorf(fairlead.Unavailable, "traffic is not written in time").Because(ctx.Err())
	}
}

// writeAtOnce is how many cells a write takes, which others wait for.
const writeAtOnce = 200

// write adds what is counted to the tables, some cells at a time. What cannot be written
// waits for the next time.
func (t *traffic) write() {
	cells := t.take()
	keys := make([]bucketKey, 0, len(cells))
	for key := range cells {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, bucketKey.compare)
	for len(keys) > 0 {
		now := keys[:min(len(keys), writeAtOnce)]
		err := t.db.Write(context.Background(), store.Bulk, func(tx *store.Tx) error {
			return t.add(tx, now, cells)
		})
		if t.note(err); err != nil {
			t.giveBack(cells)
			time.AfterFunc(countEvery, t.wake)
			return
		}
		for _, key := range now {
			delete(cells, key)
		}
		keys = keys[len(now):]
	}
}

// note says what became of a write when that changes.
func (t *traffic) note(err error) {
	if failing := err != nil; failing != t.failing {
		t.failing = failing
		if failing {
			t.log.Warn("traffic cannot be written; it is tried again", "err", err)
		}
	}
}

// TrafficQuery selects what Traffic returns.
type TrafficQuery struct {
	Clock    string    // wall | event; empty: event where the endpoint has any by it, else wall
	From, To time.Time // From inclusive, To exclusive; zero: Last before To, and now or the newest
	Last     time.Duration
	Points   int // at most about so many steps, fewer for few requests; 300 when not positive
}

// Traffic is how an endpoint's versions answered in a stretch of time.
type Traffic struct {
	Endpoint string           `json:"endpoint"`
	Clock    string           `json:"clock"` // wall | event: what the times below are
	From     time.Time        `json:"from"`
	To       time.Time        `json:"to"`
	StepMS   int64            `json:"step_ms"`
	Oldest   time.Time        `json:"oldest,omitzero"` // of all that is kept by this clock
	Newest   time.Time        `json:"newest,omitzero"` // the end of its newest bucket
	Total    Answers          `json:"total"`
	Versions []VersionTraffic `json:"versions"` // with traffic in the time, by number; 0: failed before one was chosen
}

// Steps is how many steps the time has: as many elements as each list of a version.
func (t *Traffic) Steps() int {
	ms := t.To.Sub(t.From).Milliseconds()
	return int((ms + t.StepMS - 1) / t.StepMS)
}

// Answers are counts and how long they took, in seconds; null where nothing was measured.
type Answers struct {
	Counts
	P50    *float64 `json:"p50_s"` // from the decoded request to its answer
	P99    *float64 `json:"p99_s"`
	OwnP50 *float64 `json:"own_p50_s"` // of the version's own call
	OwnP99 *float64 `json:"own_p99_s"`
}

// VersionTraffic is one version's, in the whole time and for each step: element i of a list
// is the step that begins at From + i × StepMS.
type VersionTraffic struct {
	Version  int64      `json:"version"`
	Total    Answers    `json:"total"`
	Requests []int64    `json:"requests"`
	Errors   []int64    `json:"errors"`
	Refused  []int64    `json:"refused"`
	Scored   []int64    `json:"scored"`
	Failed   []int64    `json:"failed"`
	P50      []*float64 `json:"p50_s"`
	P99      []*float64 `json:"p99_s"`
	OwnP50   []*float64 `json:"own_p50_s"`
	OwnP99   []*float64 `json:"own_p99_s"`
}

// The bounds of what Traffic returns.
const (
	usualPoints = 300
	fewPoints   = 24 // steps are not widened further for want of a request in each
	maxPoints   = 2_000
	usualLast   = 24 * time.Hour
)

// Traffic returns how the endpoint's versions answered. It is as quick for a log of
// millions of requests as for an empty one, and at most a second behind.
func (s *Service) Traffic(tx *store.Tx, p fairlead.Project, endpoint string, q TrafficQuery) (
	*Traffic, error) {
	out := &Traffic{Endpoint: endpoint}
	by, span, err := clockOf(tx, p, endpoint, q.Clock)
	if err != nil {
		return nil, err
	}
	out.Clock = ByWall
	if by == eventClock {
		out.Clock = ByEvent
	}
	out.Oldest, out.Newest = fairlead.FromMS(span.oldest), fairlead.FromMS(span.newest)
	if err := s.stretch(out, q, by); err != nil {
		return nil, err
	}
	from, to := out.From, out.To
	for n := points(q.Points); ; n /= 2 {
		out.From, out.To = from, to
		found, err := s.sum(tx, series{p.K, endpoint, by}, out, n, q.To.IsZero())
		if err != nil {
			return nil, err
		}
		if 10*found.requests() >= 9*int64(found.n) || n <= fewPoints {
			found.fill(out)
			return out, nil
		}
	}
}

// sum adds up what there is in the time of out, in about n steps, and settles where the
// first begins. By event time, whose end is the newest request, the last step is whole
// unless its end was asked for.
func (s *Service) sum(tx *store.Tx, of series, out *Traffic, n int, openEnd bool) (*sums, error) {
	w, step := resolution(out.To.Sub(out.From), n, out.Newest.Sub(out.From))
	out.From, out.StepMS = fairlead.FromMS(floor(out.From.UnixMilli(), step)), step
	if openEnd && of.clock == eventClock {
		out.To = fairlead.FromMS(floor(out.To.UnixMilli()-1, step) + step)
	}
	found := &sums{from: out.From.UnixMilli(), step: step, n: out.Steps(),
		versions: map[int64]map[int]*sum{}}
	return found, addUp(tx, of, w, out.From, out.To, found)
}

func points(n int) int {
	if n <= 0 {
		n = usualPoints
	}
	return min(n, maxPoints)
}

// stretch settles from when to when. By event time the newest bucket is the end, since
// the stream may be far from now.
func (s *Service) stretch(out *Traffic, q TrafficQuery, by clock) error {
	out.From, out.To = q.From.UTC(), q.To.UTC()
	if out.To.IsZero() {
		minute := widths[0].ms() // that has begun belongs to it
		out.To = fairlead.FromMS(floor(s.Clock.Now().UnixMilli(), minute) + minute)
		if by == eventClock && !out.Newest.IsZero() {
			out.To = out.Newest
		}
	}
	if out.From.IsZero() {
		last := q.Last
		if last <= 0 {
			last = usualLast
		}
		out.From = out.To.Add(-last)
	}
	if out.From.UnixMilli() < 0 {
		out.From = time.UnixMilli(0).UTC()
	}
	if out.To.Before(out.From) {
		return fairlead.Errorf(fairlead.Invalid, "`to` is before `from`; swap them")
	}
	return nil
}

// steps are the lengths that several buckets are shown as, in multiples of minutes, hours
// and days that people count in.
var steps = map[time.Duration][]int64{
	time.Minute:    {1, 2, 5, 10, 15, 30},
	time.Hour:      {1, 2, 3, 6, 12},
	24 * time.Hour: {1, 2, 7, 14, 28, 91, 364},
}

// resolution returns the finest width that reaches back far enough, and a step in
// milliseconds that makes about n of the length.
func resolution(length time.Duration, n int, back time.Duration) (width, int64) {
	for i, w := range widths {
		last := i == len(widths)-1
		if back > w.reach() && !last {
			continue
		}
		for _, k := range steps[w.length] {
			if step := w.length * time.Duration(k); length <= step*time.Duration(n) {
				return w, step.Milliseconds()
			}
		}
		if last {
			whole := int64(math.Ceil(float64(length) / float64(w.length) / float64(n)))
			return w, w.ms() * whole
		}
	}
	panic("serving: there is a last width")
}

// sums are what was counted by version, for each step.
type sums struct {
	from, step int64
	n          int
	total      sum
	versions   map[int64]map[int]*sum
}

// sum is what was counted in several buckets.
type sum struct {
	Counts
	answer, own tally
}

func (s *sum) merge(o *sum) {
	s.Counts.add(o.Counts)
	s.answer.add(&o.answer)
	s.own.add(&o.own)
}

// at is the sum of the step and version that a bucket belongs to.
func (s *sums) at(ms, version int64) *sum {
	steps := s.versions[version]
	if steps == nil {
		steps = map[int]*sum{}
		s.versions[version] = steps
	}
	i := int((ms - s.from) / s.step)
	if steps[i] == nil {
		steps[i] = &sum{}
	}
	return steps[i]
}

func (s *sums) fill(out *Traffic) {
	out.Versions = make([]VersionTraffic, 0, len(s.versions))
	for n, steps := range s.versions {
		vt := VersionTraffic{Version: n, Requests: make([]int64, s.n),
			Errors: make([]int64, s.n), Refused: make([]int64, s.n), Scored: make([]int64, s.n),
			Failed: make([]int64, s.n), P50: make([]*float64, s.n), P99: make([]*float64, s.n),
			OwnP50: make([]*float64, s.n), OwnP99: make([]*float64, s.n)}
		var total sum
		for i, c := range steps {
			a := c.answers()
			vt.Requests[i], vt.Errors[i], vt.Refused[i] = a.Requests, a.Errors, a.Refused
			vt.Scored[i], vt.Failed[i] = a.Scored, a.Failed
			vt.P50[i], vt.P99[i], vt.OwnP50[i], vt.OwnP99[i] = a.P50, a.P99, a.OwnP50, a.OwnP99
			total.merge(c)
		}
		vt.Total = total.answers()
		s.total.merge(&total)
		out.Versions = append(out.Versions, vt)
	}
	out.Total = s.total.answers()
	slices.SortFunc(out.Versions, func(a, b VersionTraffic) int { return int(a.Version - b.Version) })
}

// requests counts those of all versions and steps.
func (s *sums) requests() (n int64) {
	for _, steps := range s.versions {
		for _, c := range steps {
			n += c.Requests
		}
	}
	return n
}

func (s *sum) answers() Answers {
	answer, own := s.answer.quantiles(0.5, 0.99), s.own.quantiles(0.5, 0.99)
	return Answers{Counts: s.Counts, P50: answer[0], P99: answer[1], OwnP50: own[0], OwnP99: own[1]}
}
