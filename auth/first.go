package auth

import (
	"context"
	"crypto/subtle"
	"sync"
	"time"

	"github.com/fairlead-ml/fairlead"
)

// firstTime is how long the link of a first run works, in wall time.
const firstTime = time.Hour

// firstRun is the link with which the first administrator makes their account. It
// works while there is no account, in this process alone.
type firstRun struct {
	clock   fairlead.Clock
	mu      sync.Mutex
	key     string
	expires time.Time
}

var (
	errFirstTaken = fairlead.Errorf(fairlead.Conflict,
		"there is an account already; sign in, or ask an administrator for one")
	errFirstKey = fairlead.Errorf(fairlead.Denied,
		"the link is not the one that the server has printed, "+
			"or an hour has passed; start the server again, or use `fairlead user add`")
)

// FirstKey returns the secret of a new link, which ends the one before; empty when
// there is an account.
func (a *Accounts) FirstKey() string {
	if a.Exist() {
		return ""
	}
	f := &a.first
	f.mu.Lock()
	defer f.mu.Unlock()
	f.key, f.expires = newToken(firstPrefix), f.clock.Now().Add(firstTime)
	return f.key
}

// AddFirst makes the first administrator's account, for who has the link's secret.
func (a *Accounts) AddFirst(ctx context.Context, key, name, password string) error {
	f := &a.first
	f.mu.Lock()
	ok := f.key != "" && f.clock.Now().Before(f.expires) &&
		subtle.ConstantTimeCompare([]byte(f.key), []byte(key)) == 1
	f.mu.Unlock()
	switch {
	case a.Exist():
		return errFirstTaken
	case !ok:
		return errFirstKey
	case password == "":
		return checkPassword(name, password)
	}
	ctx = fairlead.WithActor(ctx, fairlead.Actor{Kind: "user", Name: name})
	_, err := a.add(ctx, NewAccount{Name: name, Password: password, Role: Admin}, true)
	if err == nil {
		f.mu.Lock()
		f.key = ""
		f.mu.Unlock()
	}
	return err
}
