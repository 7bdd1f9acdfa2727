package pipeline

import (
	"fmt"
	"strconv"
)

// outcome is what is known of one try.
type outcome struct {
	started bool
	ended   bool
	failed  bool
	cut     bool    // ended because the time budget was over; no failure, and no winner
	value   float64 // of the measure; counts when measured
	has     bool
}

// verdict says what the tries known so far decide.
type verdict struct {
	needed  int  // tries after this one can no longer matter
	decided bool // no try that matters is open
	winner  int  // from 1; 0 when decided without one
	reason  string
}

// judge decides in the order of the tries, never in the order in which they
// ended, so that the same values give the same winner whatever ran faster: the
// first try that reaches the threshold ends the search, once all before it have
// ended. Otherwise the best one wins, the earlier of two equal ones. late says
// that the time budget is over: tries that have not started are left out. (That
// alone depends on how fast things are.)
func judge(m measure, tries []outcome, late bool) verdict {
	v := verdict{needed: len(tries)}
	if late {
		v.needed = max(1, startedTries(tries))
	}
	reached := 0
	for i, t := range tries[:v.needed] {
		if t.good() && m.reached(t) {
			v.needed, reached = i+1, i+1
			break
		}
	}
	for _, t := range tries[:v.needed] {
		if !t.ended {
			return v
		}
	}
	v.decided = true
	if v.winner = reached; reached == 0 {
		v.winner = m.best(tries[:v.needed])
	}
	v.reason = m.reason(tries, v, reached > 0)
	return v
}

// good reports whether a try may win.
func (t outcome) good() bool { return t.ended && !t.failed && !t.cut }

func startedTries(tries []outcome) int {
	n := 0
	for i, t := range tries {
		if t.started {
			n = i + 1
		}
	}
	return n
}

func (m measure) reached(t outcome) bool {
	switch {
	case m.until == nil || !t.has:
		return false
	case m.until.AtMost != nil:
		return t.value <= *m.until.AtMost
	}
	return m.until.AtLeast != nil && t.value >= *m.until.AtLeast
}

// best returns the number of the best try, 0 if all failed. A try with a value
// goes before one without.
func (m measure) best(tries []outcome) int {
	best := 0
	for i, t := range tries {
		if !t.good() {
			continue
		}
		if best == 0 || m.better(t, tries[best-1]) {
			best = i + 1
		}
	}
	return best
}

func (m measure) better(a, b outcome) bool {
	switch {
	case !a.has || !b.has:
		return a.has && !b.has
	case m.lower:
		return a.value < b.value
	}
	return a.value > b.value
}

// reason says in a sentence why the tries ended as they did.
func (m measure) reason(tries []outcome, v verdict, reached bool) string {
	if v.winner == 0 {
		return fmt.Sprintf("no try succeeded (%s)", count(v.needed, "try", "tries"))
	}
	best := tries[v.winner-1]
	if reached {
		return fmt.Sprintf("threshold reached: %s %s at try %d of %d",
			m, m.bound(best.value), v.winner, len(tries))
	}
	text := "one try, no search"
	failed, done := 0, v.needed
	for _, t := range tries[:v.needed] {
		if t.failed {
			failed++
		}
		if t.cut {
			done--
		}
	}
	switch {
	case done < len(tries):
		text = fmt.Sprintf("time budget of %s ended after %d of %d tries",
			m.until.Within, done, len(tries))
	case m.until != nil:
		text = "budget ended after " + count(len(tries), "try", "tries")
	case len(tries) > 1:
		text = fmt.Sprintf("all %d tries done", len(tries))
	}
	if best.has {
		text += fmt.Sprintf("; best %s %s", m, number(best.value))
		if len(tries) > 1 {
			text += fmt.Sprintf(" at try %d", v.winner)
		}
	}
	if failed > 0 {
		text += fmt.Sprintf("; %d failed", failed)
	}
	return text
}

// bound shows a value beside the threshold that it reached.
func (m measure) bound(value float64) string {
	if m.until.AtMost != nil {
		return number(value) + " <= " + number(*m.until.AtMost)
	}
	return number(value) + " >= " + number(*m.until.AtLeast)
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
