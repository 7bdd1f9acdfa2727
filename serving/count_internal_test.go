package serving

import (
	"log/slog"
	"testing"
	"time"
)

// oneRequest is what a request that three versions score counts by both clocks.
func oneRequest() func(*counter) {
	scores := []score{{version: 1, took: 90 * time.Microsecond},
		{version: 2, took: 3 * time.Millisecond}, {version: 3, took: 40 * time.Microsecond}}
	m := moment{1_800_000_000_000, 1_300_000_000_000}
	return func(c *counter) { c.answered(m, 1, 2, 120*time.Microsecond, scores) }
}

func TestCounter_ARequestTakesNoMemory(t *testing.T) {
	c := newTraffic(nil, slog.New(slog.DiscardHandler)).of(routeKey{1, "flights@production"})
	count := oneRequest()
	count(c)
	if n := testing.AllocsPerRun(1000, func() { count(c) }); n != 0 {
		t.Errorf("a request takes memory %g times", n)
	}
	cells := c.traffic.take()
	of := series{1, "flights@production", eventClock}
	live := cells[bucketKey{of, 1_299_999_960_000, 1}]
	if len(cells) != 6 || live == nil || live.Requests != 1002 || live.Rows != 2004 ||
		live.Scored != 1002 {
		t.Errorf("%d cells, by event time %+v", len(cells), live)
	}
	c.traffic.giveBack(cells)
	count(c)
	if again := c.traffic.take()[bucketKey{of, 1_299_999_960_000, 1}]; again.Requests != 1003 {
		t.Errorf("given back: %+v", again)
	}
}

// What counting costs a request, when all come to one endpoint.
func BenchmarkCount(b *testing.B) {
	count := oneRequest()
	c := newTraffic(nil, slog.New(slog.DiscardHandler)).of(routeKey{1, "flights@production"})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			count(c)
		}
	})
}
