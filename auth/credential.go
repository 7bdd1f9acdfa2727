package auth

import (
	"cmp"
	"context"
	"net/netip"
	"strings"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/store"
)

// How long tokens and sessions last, in wall time.
const (
	defaultToken = 90 * 24 * time.Hour
	maxToken     = 366 * 24 * time.Hour
	sessionTime  = 12 * time.Hour
)

// How many of them an account has at most. A session beyond that ends the oldest.
const (
	maxTokens   = 100
	maxSessions = 50
)

// Credential is a token of an account, or a session, without its secret.
type Credential struct {
	ID      string    `json:"id"`
	User    string    `json:"user"`
	Name    string    `json:"name" doc:"what it is for"`
	Scope   []string  `json:"scope" doc:"permissions that it is narrowed to; empty for all"`
	Project string    `json:"project,omitempty" doc:"that it is narrowed to; absent for all"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`

	projectK int64
}

// NewToken is a token that is to be made.
type NewToken struct {
	User    string
	Name    string
	Scope   []string         // permissions; none for all that the user may do
	Project fairlead.Project // zero for all
	Lasts   time.Duration    // 0 for 90 days; at most 366
}

// IssueToken makes a token of an account and returns it with its secret, which is
// kept as a digest alone: nobody can show it again.
func (a *Accounts) IssueToken(ctx context.Context, n NewToken) (*Credential, string, error) {
	if n.Lasts == 0 {
		n.Lasts = defaultToken
	}
	if n.Lasts < time.Minute || n.Lasts > maxToken {
		return nil, "", fairlead.Errorf(fairlead.Invalid, "a token lasts a minute to 366 days")
	}
	if n.Name == "" || len(n.Name) > maxName || strings.ContainsFunc(n.Name,
		func(r rune) bool { return r < ' ' }) {
		return nil, "", fairlead.Errorf(fairlead.Invalid,
			"say in at most %d characters what the token is for", maxName)
	}
	if _, err := parseScope(n.Scope); err != nil {
		return nil, "", err
	}
	now := a.clock.Now()
	c := &Credential{ID: fairlead.NewID("tok", now), User: n.User, Name: n.Name,
		Scope:   append([]string{}, n.Scope...),
		Project: n.Project.Name, Created: now, Expires: now.Add(n.Lasts), projectK: n.Project.K}
	secret := newToken(userPrefix)
	return c, secret, a.db.Write(ctx, store.Client, func(tx *store.Tx) error {
		acc, _, err := accountByName(tx, n.User)
		if err != nil {
			return err
		}
		if err := insertCredential(tx, acc.k, c, ByToken, secret); err != nil {
			return err
		}
		if count, err := countCredentials(tx, acc.k, ByToken); err != nil || count > maxTokens {
			return cmp.Or(err, error(fairlead.Errorf(fairlead.Precondition,
				"%s has %d tokens already; end some with `fairlead token revoke`", acc.Name, maxTokens)))
		}
		return a.note(ctx, tx, n.Project, event.AccessChanged{Change: "token.created", User: n.User,
			Token: c.ID})
	})
}

// ListTokens returns the tokens of an account, or of all when the name is empty, that
// have not expired; the newest first.
func (a *Accounts) ListTokens(ctx context.Context, user string) (out []*Credential, err error) {
	err = a.db.Read(ctx, func(tx *store.Tx) error {
		out, err = listCredentials(tx, ByToken, user, a.clock.Now())
		return err
	})
	return out, err
}

// RevokeToken ends a token of an account, or of any when the name is empty.
func (a *Accounts) RevokeToken(ctx context.Context, user, id string) error {
	return a.write(ctx, func(tx *store.Tx) error {
		c, err := deleteCredential(tx, ByToken, user, id)
		if err != nil {
			return err
		}
		p := fairlead.Project{K: c.projectK, Name: c.Project}
		return a.note(ctx, tx, p, event.AccessChanged{Change: "token.revoked", User: c.User, Token: id})
	})
}

// SignIn begins a session of the account with that password, and returns its secret.
func (a *Accounts) SignIn(ctx context.Context, name, password string, from netip.Addr) (string,
	time.Time, error) {
	caller, err := a.withPassword(ctx, name, password, from)
	if err != nil {
		return "", time.Time{}, err
	}
	now := a.clock.Now()
	c := &Credential{ID: fairlead.NewID("ses", now), User: name, Name: from.String(), Created: now,
		Expires: now.Add(sessionTime)}
	secret := newToken(sessionPrefix)
	return secret, c.Expires, a.db.Write(ctx, store.Client, func(tx *store.Tx) error {
		acc, stored, err := accountByName(tx, name)
		switch {
		case err != nil:
			return err
		case stored != caller.stored: // it was changed meanwhile, which ends all sessions
			return errPassword
		}
		if err := insertCredential(tx, acc.k, c, BySession, secret); err != nil {
			return err
		}
		ended, err := endOldSessions(tx, acc.k, maxSessions)
		if ended {
			tx.AfterCommit("auth/sessions", a.known.clear)
		}
		return err
	})
}

// SignOut ends a session. One that nobody has changes nothing, and costs no write.
func (a *Accounts) SignOut(ctx context.Context, secret string) error {
	if _, err := a.withSecret(ctx, BySession, secret); fairlead.Is(err, fairlead.Unauthenticated) {
		return nil
	}
	key := a.known.key(string(BySession) + "\x00" + secret)
	return a.db.Write(ctx, store.Client, func(tx *store.Tx) error {
		tx.AfterCommit("auth/"+hash(secret), func() { a.known.drop(key) })
		return deleteSession(tx, secret)
	})
}

// ListSessions returns the sessions of an account that have not ended, the newest first;
// Name is the address from which it signed in.
func (a *Accounts) ListSessions(ctx context.Context, user string) (out []*Credential, err error) {
	err = a.db.Read(ctx, func(tx *store.Tx) error {
		out, err = listCredentials(tx, BySession, user, a.clock.Now())
		return err
	})
	return out, err
}

// EndSession ends a session of an account by its id.
func (a *Accounts) EndSession(ctx context.Context, user, id string) error {
	return a.write(ctx, func(tx *store.Tx) error {
		_, err := deleteCredential(tx, BySession, user, id)
		return err
	})
}

// withSecret returns the caller whose token it is, or whose session.
func (a *Accounts) withSecret(ctx context.Context, kind Kind, secret string) (*Caller, error) {
	key, now := a.known.key(string(kind)+"\x00"+secret), a.clock.Now()
	if c := a.known.get(key, now); c != nil {
		return c, nil
	}
	seen := a.known.generation()
	var c *Caller
	err := a.db.Read(ctx, func(tx *store.Tx) (err error) {
		c, err = callerBySecret(tx, kind, secret, now)
		return err
	})
	if err != nil {
		return nil, err
	}
	a.known.put(key, c, seen, now)
	return c, nil
}
