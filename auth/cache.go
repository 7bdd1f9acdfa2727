package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"sync"
	"time"
)

// keepKnown is how long a caller is known after its last request without being looked
// up again, in wall time, and maxKnown how many are. Any change of access forgets them
// all.
const (
	keepKnown = 10 * time.Minute
	maxKnown  = 10_000
)

// cache remembers callers by a keyed digest of what they sent, so that a client
// that signs each of its requests costs no look-up, and no hashing of its password.
type cache struct {
	salt [32]byte
	mu   sync.Mutex
	at   map[[32]byte]seenCaller
	gen  int
}

type seenCaller struct {
	caller *Caller
	until  time.Time
}

func newCache() *cache {
	c := &cache{at: map[[32]byte]seenCaller{}}
	rand.Read(c.salt[:])
	return c
}

func (c *cache) key(secret string) [32]byte {
	mac := hmac.New(sha256.New, c.salt[:])
	mac.Write([]byte(secret))
	return [32]byte(mac.Sum(nil))
}

func (c *cache) get(key [32]byte, now time.Time) *Caller {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.at[key]
	if !ok || !now.Before(s.until) {
		return nil
	}
	c.at[key] = seenCaller{s.caller, keptUntil(s.caller, now)}
	return s.caller
}

// keptUntil is when a caller that asks now is forgotten.
func keptUntil(c *Caller, now time.Time) time.Time {
	until := now.Add(keepKnown)
	if !c.Expires.IsZero() && c.Expires.Before(until) {
		return c.Expires
	}
	return until
}

// generation names a state of access; what was read in an older one is not put.
func (c *cache) generation() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.gen
}

func (c *cache) put(key [32]byte, caller *Caller, generation int, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if generation != c.gen {
		return
	}
	if len(c.at) >= maxKnown {
		clear(c.at)
	}
	c.at[key] = seenCaller{caller, keptUntil(caller, now)}
}

// drop forgets one caller.
func (c *cache) drop(key [32]byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gen++
	delete(c.at, key)
}

func (c *cache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gen++
	clear(c.at)
}
