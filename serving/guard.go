package serving

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/fairlead-ml/fairlead"
)

// The bounds of the versions that score a request beside the one that is live.
const (
	callsMax = 64               // of one version at one time; as many again in the background
	lateMax  = 3                // calls in a row without an answer, before it is left out
	leaveOut = 30 * time.Second // for how long, in wall time; then one call tries it again

	// leftAfter is how long a caller has waited who leaves because of the version. Those
	// who leave sooner say nothing about it.
	leftAfter = time.Second
)

// guard keeps a version that hangs from holding up those that wait for it.
type guard struct {
	mu    sync.Mutex
	calls [2]int    // that run, also those that nobody waits for any more; [1]: in the background
	late  int       // calls in a row without an answer in time
	until time.Time // left out before
}

// enter begins a call, which leave ends. errBusy: too many run, and the version is not
// asked. errLate: it is left out since it hangs, which counts as its failure: else a
// canary that hangs would hardly be seen to fail.
func (g *guard) enter(background bool, now time.Time) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.late < lateMax:
	case now.Before(g.until):
		return errLate
	default:
		g.until = now.Add(leaveOut) // this call tries it
	}
	calls := g.of(background)
	if *calls >= callsMax {
		return errBusy
	}
	*calls++
	return nil
}

func (g *guard) leave(background bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	*g.of(background)--
}

func (g *guard) of(background bool) *int {
	if background {
		return &g.calls[1]
	}
	return &g.calls[0]
}

// note tells whether a call had its answer in time, or was left without one.
func (g *guard) note(late bool, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !late {
		g.late = 0
		return
	}
	if g.late++; g.late == lateMax {
		g.until = now.Add(leaveOut)
	}
}

var (
	errBusy = fairlead.Errorf(fairlead.Unavailable,
		"the version cannot keep up with the requests, and was not asked")
	errLate = fairlead.Errorf(fairlead.Unavailable,
		"left out: the version has not answered %d requests in a row in time", lateMax)
)

// crew are the goroutines that Stop waits for.
type crew struct {
	mu   sync.Mutex
	n    int
	none chan struct{} // closed when n falls to 0; nil while nobody waits
}

// Go runs fn in a goroutine. Unlike a sync.WaitGroup's it may be called while another
// goroutine waits.
func (c *crew) Go(fn func()) {
	c.add(1)
	go func() {
		defer c.add(-1)
		fn()
	}()
}

func (c *crew) add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n += n; c.n == 0 && c.none != nil {
		close(c.none)
		c.none = nil
	}
}

// wait returns when none is left, or with an error when ctx ends before.
func (c *crew) wait(ctx context.Context, what string) error {
	c.mu.Lock()
	if c.n == 0 {
		c.mu.Unlock()
		return nil
	}
	if c.none == nil {
		c.none = make(chan struct{})
	}
	none := c.none
	c.mu.Unlock()
	select {
	case <-none:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", what, ctx.Err())
	}
}
