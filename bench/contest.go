package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// The names of the contenders.
const (
	ours            = "fairlead"
	peerMLflow      = "mlflow"
	peerFastTrackML = "fasttrackml"
	sqliteLimit     = "sqlite alone"
)

// contender is one server of a contest.
type contender struct {
	*process
	*caller
	name       string
	file       string       // its SQLite database
	experiment string       // where its runs are
	failed     atomic.Int64 // requests that it has not answered well
}

// contest is some servers that do the same, by turns.
type contest struct {
	*bench
	what       string // the measurement
	contenders []*contender
	limit      *limit // nil where nothing is compared with it
}

// newContest starts the program and its peers, each on an empty directory.
func (b *bench) newContest(ctx context.Context, what string) (*contest, error) {
	if !b.peers {
		return b.newContestOf(ctx, what, ours)
	}
	c, err := b.newContestOf(ctx, what, ours, peerMLflow, peerFastTrackML)
	if err == nil {
		time.Sleep(settle)
	}
	return c, err
}

// settle is for how long MLflow goes on starting processes after its first answer: they
// would take the processors from whatever is measured first.
const settle = 10 * time.Second

func (b *bench) newContestOf(ctx context.Context, what string, names ...string) (*contest, error) {
	c := &contest{bench: b, what: what}
	for _, e := range []struct {
		name, file string
		serve      func(context.Context, string) (*process, error)
	}{{ours, "fairlead.db", b.serve}, {peerMLflow, "mlflow.db", b.serveMLflow},
		{peerFastTrackML, "fml.db", b.serveFastTrackML}, {echo, "", b.serveEcho}} {
		if !slices.Contains(names, e.name) {
			continue
		}
		dir := filepath.Join(b.dir, what, e.name)
		p, err := e.serve(ctx, dir)
		if err != nil {
			c.stop()
			return nil, err
		}
		s := &contender{process: p, caller: newCaller(p.url), name: e.name,
			file: filepath.Join(dir, e.file)}
		c.contenders = append(c.contenders, s)
		if s.experiment, err = s.newExperiment(ctx); err != nil {
			c.stop()
			return nil, fmt.Errorf("%s: %w", e.name, err)
		}
	}
	return c, nil
}

// ours is the program itself.
func (c *contest) ours() *contender { return c.contenders[0] }

// stop ends the servers, and warns of what they have failed.
func (c *contest) stop() {
	for _, s := range c.contenders {
		if n := s.failed.Load(); n > 0 {
			c.report.Warnings = append(c.report.Warnings,
				fmt.Sprintf("%s: %s failed %d requests, which do not count", c.what, s.name, n))
		}
		s.process.stop()
	}
	if c.limit != nil {
		c.limit.close()
	}
}

// call is one request of a client; it is made by one goroutine at a time.
type call func(w *wire) error

// cell is one line of the table: what each of some clients does again and again.
type cell struct {
	name    string
	clients int
	rows    int // what a call brings: rows a second are reported; 0: the time of a call
	// wanted is how many times better than each contender the program should be (0: no
	// matter); others are not measured. Of the limit, it is the share to be reached.
	wanted map[string]float64
	keys   int     // of the rows, for the limit
	p99    float64 // what the slowest hundredth of the calls may take, in ms; 0: not said
	client func(ctx context.Context, s *contender, i int) (call, error)
}

// entrant takes part in a cell.
type entrant struct {
	name  string
	take  func(ctx context.Context, d time.Duration) (samples, error)
	turns []samples
}

const turnsOfCell = 2

// measure lets the contenders take turns in each cell, and reports them.
func (c *contest) measure(ctx context.Context, cells ...cell) error {
	for _, cell := range cells {
		entrants, err := c.run(ctx, cell)
		if err != nil {
			return fmt.Errorf("%s: %w", cell.name, err)
		}
		c.report.cell(c.what, cell, entrants)
	}
	return nil
}

// run lets the contenders take their turns in a cell.
func (c *contest) run(ctx context.Context, cell cell) ([]*entrant, error) {
	progress("measuring %s: %s", c.what, cell.name)
	entrants, err := c.enter(ctx, cell)
	if err != nil {
		return nil, err
	}
	for turn := range turnsOfCell + 1 {
		for _, e := range entrants {
			d := c.duration / 20
			if turn == 0 {
				d /= 4 // to warm up
			}
			s, err := e.take(ctx, d)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", e.name, err)
			}
			if turn > 0 {
				e.turns = append(e.turns, s)
			}
		}
	}
	return entrants, nil
}

// enter prepares all that have a part in the cell.
func (c *contest) enter(ctx context.Context, cell cell) (out []*entrant, err error) {
	for _, s := range c.contenders {
		if _, in := cell.wanted[s.name]; !in && s.name != ours {
			continue
		}
		calls := make([]call, cell.clients)
		for i := range calls {
			if calls[i], err = cell.client(ctx, s, i); err != nil {
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}
		}
		out = append(out, &entrant{name: s.name,
			take: func(ctx context.Context, d time.Duration) (samples, error) {
				return s.take(ctx, calls, d)
			}})
	}
	if cell.wanted[sqliteLimit] > 0 {
		out = append(out, &entrant{name: sqliteLimit, take: c.limit.load(cell.rows, cell.keys)})
	}
	return out, nil
}

// take lets the clients make their calls for d, and at least one each. A request
// that a peer fails is counted and left out; one that the program fails is an error.
func (s *contender) take(ctx context.Context, calls []call, d time.Duration) (samples, error) {
	each := make([]samples, len(calls))
	errs := make([]error, len(calls))
	began := time.Now()
	var wg sync.WaitGroup
	for i, call := range calls {
		wg.Go(func() {
			w := newWire(ctx, s.url)
			defer w.close()
			for done := false; !done; done = time.Since(began) >= d {
				start := time.Now()
				err := call(w)
				var refused *refusal
				switch {
				case err == nil:
					each[i].times = append(each[i].times, time.Since(start))
				case errors.As(err, &refused) && s.name != ours:
					s.failed.Add(1)
				default:
					errs[i] = err
					return
				}
			}
		})
	}
	wg.Wait()
	all := samples{took: time.Since(began)}
	for i := range each {
		all.times = append(all.times, each[i].times...)
	}
	return all, errors.Join(errs...)
}

// cell adds what came of it: a line for each comparison. The program counts with all
// its turns, as the limit does; a peer counts with its best one.
func (r *report) cell(what string, c cell, entrants []*entrant) {
	base := figure{Measurement: what, Name: c.name, Unit: "ms", Ours: c.of(entrants[0].all())}
	if c.rows > 0 {
		base.Unit, base.more = "/s", true
	}
	if len(entrants) == 1 {
		r.add(base)
	}
	for _, e := range entrants[1:] {
		theirs := c.of(e.all())
		if e.name != sqliteLimit {
			theirs = c.best(e.turns)
		}
		r.add(base.times(c.wanted[e.name]).beside(e.name, theirs))
	}
	if c.p99 > 0 {
		r.add(figure{Measurement: what, Name: c.name + ", p99", Unit: "ms",
			Ours: quantile(entrants[0].all().times, .99)}.limit(c.p99))
	}
}

// all are the turns together.
func (e *entrant) all() (s samples) {
	for _, turn := range e.turns {
		s.add(turn)
	}
	return s
}

// of is the figure: rows a second, or the median in ms.
func (c *cell) of(s samples) float64 {
	if c.rows > 0 {
		return s.rate() * float64(c.rows)
	}
	return median(s.times)
}

// best is the best figure of the turns.
func (c *cell) best(turns []samples) float64 {
	var figures []float64
	for _, turn := range turns {
		figures = append(figures, c.of(turn))
	}
	if c.rows > 0 {
		return slices.Max(figures)
	}
	return slices.Min(figures)
}
