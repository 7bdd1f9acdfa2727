package auth

import (
	"crypto/hmac"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fairlead-ml/fairlead"
)

// How long the owner's link works, and how long a browser that it let in stays in; both
// in wall time.
const (
	linkTime    = 2 * time.Minute
	browserTime = 7 * 24 * time.Hour
)

const (
	linkPrefix    = tokenPrefix + "link_"
	browserPrefix = tokenPrefix + "browser_"
)

var errLink = fairlead.Errorf(fairlead.Denied, "the link has been used, or two minutes have passed; "+
	"`fairlead ui` prints another")

// Link returns the secret of a link that lets one browser in as the owner, whose token it
// is made of. The server need not be asked: it can prove the secret as it proves itself.
func Link(token string, now time.Time) string {
	return pass(linkPrefix, now.Add(linkTime), func(claim string) string { return Proof(token, claim) })
}

// Enter takes a link's secret, once, and returns that of a browser's session, which
// ends when the owner's token is another one; Denied for what is no such secret.
func (t *Tokens) Enter(link string) (secret string, expires time.Time, err error) {
	now := t.clock.Now()
	until, ok := t.holds(linkPrefix, link, now)
	if !ok || !t.links.use(link, until, now) {
		return "", expires, errLink
	}
	expires = now.Add(browserTime)
	return pass(browserPrefix, expires, t.Prove), expires, nil
}

// ownersBrowser returns the owner when a session's secret is one of a browser that a
// link has let in; else nil.
func (t *Tokens) ownersBrowser(secret string) *Caller {
	expires, ok := t.holds(browserPrefix, secret, t.clock.Now())
	if !ok {
		return nil
	}
	c := *callerOwner
	c.Expires = expires
	return &c
}

// pass makes a secret that says until when it holds, and proves it.
func pass(prefix string, expires time.Time, prove func(claim string) string) string {
	claim := fmt.Sprint(prefix, expires.UnixMilli(), "_", fairlead.NewHexID())
	return claim + "_" + prove(claim)
}

// holds reports until when a pass of that kind holds; false when it does not.
func (t *Tokens) holds(prefix, secret string, now time.Time) (expires time.Time, ok bool) {
	rest, ok := strings.CutPrefix(secret, prefix)
	end := strings.LastIndexByte(secret, '_')
	if !ok || end < 0 || !hmac.Equal([]byte(t.Prove(secret[:end])), []byte(secret[end+1:])) {
		return expires, false
	}
	ms, _, _ := strings.Cut(rest, "_")
	n, err := strconv.ParseInt(ms, 10, 64)
	expires = fairlead.FromMS(n)
	return expires, err == nil && now.Before(expires)
}

// used are the links that have let somebody in, until they would end by themselves.
type used struct {
	mu    sync.Mutex
	until map[string]time.Time
}

// use reports whether a link is used for the first time.
func (u *used) use(link string, until, now time.Time) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	for l, end := range u.until {
		if !now.Before(end) {
			delete(u.until, l)
		}
	}
	if _, again := u.until[link]; again {
		return false
	}
	if u.until == nil {
		u.until = map[string]time.Time{}
	}
	u.until[link] = until
	return true
}
