package serving

import (
	"sync"
	"time"

	"github.com/fairlead-ml/fairlead"
)

// counter counts what the versions of one endpoint do, in memory by the minute. A request
// takes its lock once, and no memory unless it is the first of its minute or has a
// duration that is new to it.
type counter struct {
	traffic *traffic
	of      routeKey

	mu    sync.Mutex
	cells map[cellKey]*cell
}

// cellKey names a cell of an endpoint; see bucketKey.
type cellKey struct {
	clock   clock
	at      int64
	version int64
}

// moment is when a request was by each clock, in Unix milliseconds; 0: it brought no event
// time, and is not counted by that.
type moment [eventClock + 1]int64

// moment is when the request was.
func (e *entry) moment() moment {
	m := moment{wallClock: e.receivedMS}
	if e.explicit {
		m[eventClock] = e.atMS
	}
	return m
}

// count adds a request that reached a version to the endpoint's traffic. What failed is
// that version's failure; what the caller did wrong says nothing about the others.
func (s *Service) count(q *scoring, res *Response, err error, took time.Duration) {
	c, m := q.endpoint.counter, q.entry.moment()
	if err != nil {
		c.failed(m, q.first.key.version, q.entry.id, err)
		return
	}
	scores := q.entry.scores
	if res.Duplicate { // its first answer is counted by event time already, with its scores
		m[eventClock], scores = 0, nil
	}
	c.answered(m, res.Version, int64(q.frame.Rows), took, scores)
	c.keepFailures(m, q.entry.id, scores)
}

// answered counts a request that the version answered, and what versions said about it.
func (c *counter) answered(m moment, version, rows int64, took time.Duration, scores []score) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for by, ms := range m {
		if ms == 0 {
			continue
		}
		if cell := c.at(clock(by), ms, version); cell != nil {
			cell.Requests++
			cell.Rows += rows
			cell.answer.add(took)
		}
		c.score(clock(by), ms, scores)
	}
}

// scored counts what versions said about a request after its answer.
func (c *counter) scored(m moment, id string, scores []score) {
	c.mu.Lock()
	for by, ms := range m {
		if ms != 0 {
			c.score(clock(by), ms, scores)
		}
	}
	c.mu.Unlock()
	c.keepFailures(m, id, scores)
}

func (c *counter) score(by clock, ms int64, scores []score) {
	for i := range scores {
		cell := c.at(by, ms, scores[i].version)
		if cell == nil {
			continue
		}
		cell.Scored++
		switch {
		case scores[i].err != nil:
			cell.Failed++
		case scores[i].took > 0:
			cell.own.add(scores[i].took)
		}
	}
}

// failed counts a request that was not answered, as the caller's fault or as the version's.
func (c *counter) failed(m moment, version int64, id string, err error) {
	what := whose(err)
	c.mu.Lock()
	for by, ms := range m {
		if ms == 0 {
			continue
		}
		cell := c.at(clock(by), ms, version)
		switch {
		case cell == nil:
		case what == Refused:
			cell.Refused++
		default:
			cell.Errors++
		}
	}
	c.mu.Unlock()
	c.keepFailure(m, version, what, err, id)
}

// keepFailures keeps why versions could not score a request.
func (c *counter) keepFailures(m moment, id string, scores []score) {
	for i := range scores {
		if err := scores[i].err; err != nil {
			c.keepFailure(m, scores[i].version, Failed, err, id)
		}
	}
}

func (c *counter) keepFailure(m moment, version int64, what string, err error, id string) {
	c.traffic.failures.add(c.of, version, what, err, id, m[wallClock])
	c.traffic.wake()
}

// whose tells the caller's fault from the endpoint's.
func whose(err error) string {
	switch fairlead.CodeOf(err) {
	case fairlead.Invalid, fairlead.Denied, fairlead.Unauthenticated, fairlead.NotFound,
		fairlead.Conflict, fairlead.Precondition, fairlead.Gone:
		return Refused
	}
	return Errored
}

// at returns the cell of a version at a time; nil where too much waits to be written.
func (c *counter) at(by clock, ms, version int64) *cell {
	key := cellKey{by, floor(ms, widths[0].ms()), version}
	found := c.cells[key]
	if found == nil && c.traffic.kept.Load() < maxCells {
		c.traffic.kept.Add(1)
		found = &cell{}
		c.cells[key] = found
		c.traffic.wake()
	}
	return found
}

// take moves what is counted to out, and begins anew.
func (c *counter) take(out map[bucketKey]*cell) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.traffic.kept.Add(-int64(len(c.cells)))
	for key, counted := range c.cells {
		out[bucketKey{series{c.of.projectK, c.of.name, key.clock}, key.at, key.version}] = counted
	}
	clear(c.cells)
}

// giveBack adds what could not be written to what is counted.
func (c *counter) giveBack(key bucketKey, old *cell) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if found := c.at(key.clock, key.at, key.version); found != nil {
		found.merge(old)
	}
}
