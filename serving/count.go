package serving

import (
	"time"

	"github.com/fairlead-ml/fairlead"
)

// count adds a request that reached a version to the endpoint's traffic. What failed is
// that version's failure; what the caller did wrong says nothing about the others.
func (s *Service) count(q *scoring, res *Response, err error, took time.Duration) {
	m := q.entry.moment()
	switch {
	case err == nil && res.Duplicate: // its first answer is counted by event time already
		m.eventMS = 0
		fallthrough
	case err == nil:
		s.traffic.count(q.endpoint, m, res.Version, func(c *cell) {
			c.Requests++
			c.Rows += int64(q.frame.Rows)
			c.answer.add(took)
		})
		if !res.Duplicate {
			s.traffic.scored(q.endpoint, m, q.entry.scores)
		}
	default:
		s.traffic.count(q.endpoint, m, q.first.key.version, failure(err))
	}
}

// countUnrouted adds a request that failed before a version was chosen. Its event time, if
// it brought one, may be what is wrong with it.
func (s *Service) countUnrouted(e *endpoint, err error) {
	s.traffic.count(e, moment{wallMS: s.Clock.Now().UnixMilli()}, 0, failure(err))
}

// failure counts an error as the caller's fault or as the endpoint's.
func failure(err error) func(*cell) {
	switch fairlead.CodeOf(err) {
	case fairlead.Invalid, fairlead.Denied, fairlead.Unauthenticated, fairlead.NotFound,
		fairlead.Conflict, fairlead.Precondition, fairlead.Gone:
		return func(c *cell) { c.Refused++ }
	}
	return func(c *cell) { c.Errors++ }
}

// scored adds what versions said about a request that was answered.
func (t *traffic) scored(e *endpoint, m moment, scores []score) {
	for _, sc := range scores {
		t.count(e, m, sc.version, func(c *cell) {
			c.Scored++
			switch {
			case sc.err != nil:
				c.Failed++
			case sc.took > 0:
				c.own.add(sc.took)
			}
		})
	}
}

// moment is when the request was.
func (e *entry) moment() moment {
	m := moment{wallMS: e.receivedMS}
	if e.explicit {
		m.eventMS = e.atMS
	}
	return m
}
