package auth

import (
	"context"
	"crypto/hmac"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
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
func (t *Tokens) Enter(ctx context.Context, link string) (secret string, expires time.Time, err error) {
	now := t.clock.Now()
	until, ok := t.holds(linkPrefix, link, now)
	if !ok {
		return "", expires, errLink
	}
	first, err := t.endPass(ctx, link, until)
	if err != nil {
		return "", expires, err
	}
	if !first {
		return "", expires, errLink
	}
	expires = now.Add(browserTime)
	return pass(browserPrefix, expires, t.Prove), expires, nil
}

// SignOut ends a browser's session, an account's or the owner's. What is no session, or has
// ended, is fine.
func (t *Tokens) SignOut(ctx context.Context, secret string) error {
	if until, ok := t.holds(browserPrefix, secret, t.clock.Now()); ok {
		_, err := t.endPass(ctx, secret, until)
		return err
	}
	if t.accounts == nil {
		return nil
	}
	return t.accounts.SignOut(ctx, secret)
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

// holds reports until when a pass of that kind holds; false when it does not, or was ended.
func (t *Tokens) holds(prefix, secret string, now time.Time) (expires time.Time, ok bool) {
	rest, ok := strings.CutPrefix(secret, prefix)
	end := strings.LastIndexByte(secret, '_')
	if !ok || end < 0 || !hmac.Equal([]byte(t.Prove(secret[:end])), []byte(secret[end+1:])) {
		return expires, false
	}
	ms, _, _ := strings.Cut(rest, "_")
	n, err := strconv.ParseInt(ms, 10, 64)
	expires = fairlead.FromMS(n)
	return expires, err == nil && now.Before(expires) && !t.ended.has(hash(secret))
}

// passes are those that hold no more, by their digests, until they would end by
// themselves: links that have let somebody in, and sessions that were signed out.
type passes struct {
	mu    sync.RWMutex
	until map[string]time.Time
}

func (p *passes) has(digest string) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	_, ok := p.until[digest]
	return ok
}

// add reports whether the pass has held until now.
func (p *passes) add(digest string, until, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.until[digest]; ok {
		return false
	}
	maps.DeleteFunc(p.until, func(_ string, end time.Time) bool { return !now.Before(end) })
	p.until[digest] = until
	return true
}

func (p *passes) drop(digest string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.until, digest)
}

// endPass ends a pass for good, and reports whether it has held until now. It is written
// down with the reserve: the owner gets in also when the disk is full.
func (t *Tokens) endPass(ctx context.Context, secret string, until time.Time) (first bool, err error) {
	digest, now := hash(secret), t.clock.Now()
	if !t.ended.add(digest, until, now) {
		return false, nil
	}
	err = t.db.Write(ctx, store.Control, func(tx *store.Tx) error {
		if _, err := tx.Exec("delete from ended_pass where expires_ms <= ?", now.UnixMilli()); err != nil {
			return err
		}
		_, err := tx.Exec("insert into ended_pass (hash, expires_ms) values (?, ?)", digest, until.UnixMilli())
		return err
	})
	if err != nil {
		t.ended.drop(digest)
		return false, fmt.Errorf("end a pass: %w", err)
	}
	return true, nil
}

// readEnded reads the passes that were ended before.
func (t *Tokens) readEnded(ctx context.Context) error {
	return t.db.Read(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query("select hash, expires_ms from ended_pass")
		if err != nil {
			return err
		}
		defer rows.Close()
		t.ended.until = map[string]time.Time{}
		for rows.Next() {
			var digest string
			var ms int64
			if err := rows.Scan(&digest, &ms); err != nil {
				return err
			}
			t.ended.until[digest] = fairlead.FromMS(ms)
		}
		return rows.Err()
	})
}
