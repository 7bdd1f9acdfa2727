package auth

import (
	"net/netip"
	"sync"
	"time"

	"github.com/fairlead-ml/fairlead"
)

// pace is how guesses are slowed: so many failures are free, and each further one
// doubles the wait from a second up to a limit.
type pace struct {
	free    int
	longest time.Duration
}

// Addresses have a looser pace, because many people may share one behind a proxy.
var (
	accountPace = pace{free: 5, longest: 5 * time.Minute}
	addressPace = pace{free: 20, longest: time.Minute}
)

// forget is how long after the last failure a count starts anew, in wall time.
const forget = time.Hour

// maxCounted bounds the names and addresses that are counted; beyond it those whose
// last failure is the longest ago are forgotten.
const maxCounted = 10_000

// retryAfter is the detail of a Throttled error: the seconds to wait.
const retryAfter = "retry_after_s"

// failures counts those of one name or address in a row.
type failures struct {
	n    int
	last time.Time
}

// throttle slows the guessing of passwords. It counts in memory: who can restart the
// server needs no password.
type throttle struct {
	clock fairlead.Clock
	mu    sync.Mutex
	at    map[string]failures
}

func newThrottle(clock fairlead.Clock) *throttle {
	return &throttle{clock: clock, at: map[string]failures{}}
}

// check returns Throttled when a name or an address has to wait. It does not say
// whether the account exists.
func (t *throttle) check(name string, from netip.Addr) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	wait := max(t.wait(nameKey(name), accountPace), t.wait(addressKey(from), addressPace))
	if wait <= 0 {
		return nil
	}
	seconds := int(wait.Seconds()) + 1
	return fairlead.Errorf(fairlead.Throttled,
		"too many sign-ins have failed; try again in %d s, or use a token", seconds).
		With(retryAfter, seconds)
}

func (t *throttle) wait(key string, p pace) time.Duration {
	f := t.at[key]
	if f.n < p.free {
		return 0
	}
	delay := min(time.Second<<min(f.n-p.free, 20), p.longest)
	return f.last.Add(delay).Sub(t.clock.Now())
}

// failed counts a wrong password.
func (t *throttle) failed(name string, from netip.Addr) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.clock.Now()
	for _, key := range []string{nameKey(name), addressKey(from)} {
		f := t.at[key]
		if now.Sub(f.last) > forget {
			f.n = 0
		}
		t.at[key] = failures{f.n + 1, now}
	}
	for len(t.at) > maxCounted {
		t.dropOldest()
	}
}

func (t *throttle) dropOldest() {
	oldest, at := "", time.Time{}
	for key, f := range t.at {
		if oldest == "" || f.last.Before(at) {
			oldest, at = key, f.last
		}
	}
	delete(t.at, oldest)
}

// passed forgets the failures of a name. Those of the address stay: an account of
// one's own must not buy guesses at others.
func (t *throttle) passed(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.at, nameKey(name))
}

func nameKey(name string) string {
	if len(name) > maxName {
		name = name[:maxName] // no account has a longer one
	}
	return "user " + name
}

// addressKey counts an IPv6 network of 64 bits, which one customer has, as one.
func addressKey(from netip.Addr) string {
	from = from.Unmap()
	if from.Is6() {
		if p, err := from.WithZone("").Prefix(64); err == nil {
			return "address " + p.String()
		}
	}
	return "address " + from.String()
}
