package pipeline

import (
	"context"
	"sync"
)

// places are what the server has for the steps of all runs.
type places struct {
	mu    sync.Mutex
	free  int           // below 0 when more steps were adopted than there are places
	freed chan struct{} // closed when one is given back
}

func newPlaces(n int) *places { return &places{free: n, freed: make(chan struct{})} }

// place is that of one step, when it has one.
type place struct {
	of   *places
	held bool
}

// seize takes a place, free or not, for a step that may be running.
func (p *place) seize() {
	p.of.mu.Lock()
	defer p.of.mu.Unlock()
	p.of.free--
	p.held = true
}

// take waits for a free place. One that is held is given back before: what starts again
// waits like any other.
func (p *place) take(ctx context.Context) error {
	p.give()
	for {
		freed, ok := p.try()
		if ok {
			return nil
		}
		select {
		case <-freed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (p *place) try() (freed <-chan struct{}, ok bool) {
	p.of.mu.Lock()
	defer p.of.mu.Unlock()
	if p.of.free <= 0 {
		return p.of.freed, false
	}
	p.of.free--
	p.held = true
	return nil, true
}

func (p *place) give() {
	if !p.held {
		return
	}
	p.of.mu.Lock()
	defer p.of.mu.Unlock()
	p.of.free++
	p.held = false
	close(p.of.freed)
	p.of.freed = make(chan struct{})
}
