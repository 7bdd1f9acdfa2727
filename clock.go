package fairlead

import (
	"sync"
	"time"
)

// Clock is wall time. Leases, tokens, retention and the ledger's `time` follow
// it. Everything that a replayed stream must reproduce (windows, holds, label
// delay, cooldown, sequential looks) follows stream time instead: the watermark
// of an endpoint, which package stream keeps.
type Clock interface {
	Now() time.Time
}

// WallClock is the machine's clock, in UTC.
type WallClock struct{}

// Now returns the current time in UTC.
func (WallClock) Now() time.Time { return time.Now().UTC() }

// FakeClock is a wall clock that tests move by hand. It is safe for concurrent use.
type FakeClock struct {
	mu  sync.Mutex
	now time.Time
}

// NewFakeClock returns a clock that stands at t.
func NewFakeClock(t time.Time) *FakeClock { return &FakeClock{now: t.UTC()} }

// Now returns the time the clock stands at.
func (c *FakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock forward by d.
func (c *FakeClock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// MS returns t as Unix milliseconds, the form of times at the edges; the zero
// time is 0.
func MS(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// FromMS is the inverse of MS.
func FromMS(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
