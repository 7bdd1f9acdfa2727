package serving

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
)

// refs counts who uses something; what has fallen to zero stays there.
type refs struct{ n atomic.Int64 }

// acquire adds a user; false when the last one has gone already.
func (r *refs) acquire() bool {
	for {
		n := r.n.Load()
		if n == 0 {
			return false
		}
		if r.n.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// release removes a user, and reports whether it was the last one.
func (r *refs) release() bool { return r.n.Add(-1) == 0 }

type packageKey struct {
	projectK int64
	model    string
	version  int64
}

// loaded is a version that can predict. It is closed when neither the pool nor any
// table of routes that a request may still read holds it.
type loaded struct {
	refs
	key       packageKey
	predictor engine.Predictor
	manifest  *engine.Manifest
}

const (
	maxLoads   = 4           // packages that are loaded at the same time
	maxTries   = 3           // of a load that fails for a reason that may pass
	longestTry = time.Minute // between two tries, in wall time
)

// pool keeps the packages that endpoints want. Loading happens in the background:
// a rollback to a version that is loaded never waits for another one that is not.
type pool struct {
	load  func(ctx context.Context, key packageKey) (*loaded, error)
	ended func() // is called after each load, and when one may be tried again
	retry time.Duration
	log   *slog.Logger

	mu      sync.Mutex
	slots   map[packageKey]*slot
	running int
	wait    sync.WaitGroup // loads and closes
}

// slot is one wanted package.
type slot struct {
	loaded *loaded
	err    error // of the newest try
	tries  int
	cancel context.CancelFunc // of the try that runs; nil when none does
	after  time.Time          // no try before; wall time
}

// want makes keys, the most urgent first, the packages that the pool keeps: it
// begins to load what is missing, and lets go of the rest.
func (p *pool) want(ctx context.Context, keys []packageKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	wanted := make(map[packageKey]bool, len(keys))
	for _, key := range keys {
		wanted[key] = true
	}
	for key, sl := range p.slots {
		if wanted[key] {
			continue
		}
		delete(p.slots, key)
		if sl.cancel != nil {
			sl.cancel()
		}
		p.drop(sl.loaded)
	}
	for _, key := range keys {
		if p.slots[key] == nil {
			p.slots[key] = &slot{}
		}
		p.begin(ctx, key, p.slots[key])
	}
}

// begin starts a try, unless there is nothing to do or no place; then a later call
// does. The caller holds mu.
func (p *pool) begin(ctx context.Context, key packageKey, sl *slot) {
	if sl.loaded != nil || sl.cancel != nil || p.running >= maxLoads || time.Now().Before(sl.after) {
		return
	}
	run, cancel := context.WithCancel(ctx)
	sl.cancel = cancel
	p.running++
	p.wait.Go(func() {
		defer p.ended()
		defer cancel()
		l, err := p.load(run, key)
		p.end(key, sl, l, err)
	})
}

func (p *pool) end(key packageKey, sl *slot, l *loaded, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running--
	sl.cancel = nil
	if p.slots[key] != sl { // no longer wanted
		p.drop(l)
		return
	}
	sl.loaded, sl.err = l, err
	if err == nil {
		return
	}
	sl.tries++
	pause := min(p.retry<<min(sl.tries-1, 10), longestTry)
	sl.after = time.Now().Add(pause)
	time.AfterFunc(pause, p.ended)
	p.log.Error("model does not load", "model", key.model, "version", key.version, "try", sl.tries, "err", err)
}

// state returns the package, or why there is none; neither while that is open: it
// is being loaded, or failed for a reason that may pass. What is refused is tried
// again all the same, so that it comes back once its environment does.
func (p *pool) state(key packageKey) (*loaded, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	sl := p.slots[key]
	if sl == nil || sl.loaded == nil && !final(sl.err) && sl.tries < maxTries {
		return nil, nil
	}
	return sl.loaded, sl.err
}

// final reports whether an error is the package's own fault.
func final(err error) bool {
	switch fairlead.CodeOf(err) {
	case "", fairlead.Internal, fairlead.Unavailable, fairlead.Exhausted:
		return false
	}
	return true
}

// drop releases a package, and closes it in the background when nothing uses it.
func (p *pool) drop(l *loaded) {
	if l == nil || !l.release() {
		return
	}
	p.wait.Go(func() {
		if err := l.predictor.Close(); err != nil {
			p.log.Warn("model did not close cleanly", "model", l.key.model, "version", l.key.version, "err", err)
		}
	})
}
