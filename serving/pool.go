package serving

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"syscall"
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
	guard     guard
}

const (
	maxLoads   = 4           // packages that are loaded at the same time
	longestTry = time.Minute // between two tries, in wall time
)

// pool keeps the packages that endpoints want. Loading happens in the background:
// a rollback to a version that is loaded never waits for another one that is not.
type pool struct {
	load     func(ctx context.Context, key packageKey) (*loaded, error)
	ended    func() // is called after each load, and when one may be tried again
	retry    time.Duration
	patience time.Duration // with what may pass, in wall time
	log      *slog.Logger

	mu      sync.Mutex
	slots   map[packageKey]*slot
	running int
	wait    crew // loads, closes, and calls that nobody waits for any more
}

// slot is one wanted package.
type slot struct {
	loaded  *loaded
	err     error              // of the newest try, or what the loaded model says of its health
	failing time.Time          // since when err may pass and has not; wall time
	refused bool               // err is a verdict
	tries   int                // in a row that failed
	cancel  context.CancelFunc // of the try that runs; nil when none does
	stale   bool               // that try is no longer wanted; its slot is free when it has ended
	after   time.Time          // no try before; wall time
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
		switch {
		case wanted[key]:
		case sl.cancel != nil:
			sl.stale = true
			sl.cancel()
		default:
			delete(p.slots, key)
			p.drop(sl.loaded)
		}
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
	err = scarce(err)
	if sl.stale {
		delete(p.slots, key)
		p.drop(l)
		return
	}
	sl.loaded = l
	if p.note(sl, err); err == nil {
		sl.tries = 0
		return
	}
	sl.tries++
	pause := min(p.retry<<min(sl.tries-1, 10), longestTry)
	sl.after = time.Now().Add(pause)
	time.AfterFunc(pause, p.ended)
	p.log.Error("model does not load", "model", key.model, "version", key.version, "try", sl.tries, "err", err)
}

// note keeps what the newest try or look has found. What is the package's own fault
// is a verdict at once, and what may pass once it has lasted for too long; that this
// machine lacks something never is one.
func (p *pool) note(sl *slot, err error) {
	sl.err = err
	switch {
	case err == nil || lacks(err):
		sl.failing, sl.refused = time.Time{}, false
	case ownFault(err):
		sl.refused = true
	case sl.failing.IsZero():
		sl.failing = time.Now()
	}
	sl.refused = sl.refused || !sl.failing.IsZero() && time.Since(sl.failing) >= p.patience
}

// examine asks the loaded models for their health, and reports whether a verdict
// has changed.
func (p *pool) examine() (changed bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, sl := range p.slots {
		if sl.loaded == nil {
			continue
		}
		before := sl.refused
		p.note(sl, sl.loaded.health())
		changed = changed || sl.refused != before
	}
	return changed
}

// health is nil, or why the model's calls fail now and will go on to.
func (l *loaded) health() error {
	if c, ok := l.predictor.(engine.Checker); ok {
		return c.Health()
	}
	return nil
}

// state is how far a wanted package is: it is loaded, or it is not, for no reason yet
// or for err. One that is refused is not to be waited for. It is tried again all the
// same, so that it comes back once it can.
type state struct {
	loaded  *loaded
	err     error
	refused bool
}

func (p *pool) state(key packageKey) state {
	p.mu.Lock()
	defer p.mu.Unlock()
	sl := p.slots[key]
	if sl == nil || sl.stale {
		return state{}
	}
	return state{sl.loaded, sl.err, sl.refused}
}

// ownFault reports whether an error is the package's own: to try again does not
// help.
func ownFault(err error) bool {
	switch fairlead.CodeOf(err) {
	case fairlead.Internal, fairlead.Unavailable, fairlead.Exhausted:
		return false
	}
	return true
}

// scarce says of an error that comes of what the machine has run out of that it does.
func scarce(err error) error {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fairlead.Errorf(fairlead.Exhausted,
			"the disk of the data directory is full").Because(err)
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return fairlead.Errorf(fairlead.Exhausted, "too many files are open").Because(err)
	}
	return err
}

// lacks reports whether an error is about what this machine has not, or not enough of.
func lacks(err error) bool {
	return errors.Is(err, engine.ErrAbsent) || fairlead.Is(err, fairlead.Exhausted)
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
