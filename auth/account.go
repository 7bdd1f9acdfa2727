package auth

import (
	"context"
	"log/slog"
	"net/netip"
	"regexp"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

// Accounts keeps who may sign in, their roles, tokens and sessions. What it changes
// holds for the next request.
type Accounts struct {
	db    *store.DB
	led   *ledger.Ledger
	clock fairlead.Clock
	exist atomic.Bool
	slow  *throttle
	known *cache
	first firstRun
	log   *slog.Logger

	left    bool          // accounts after the batch that is written; the writer's alone
	keepOne atomic.Bool   // the last account stays
	hashing chan struct{} // a slot for each password that is hashed at a time
	signIns *prometheus.CounterVec
}

// maxHashing bounds the passwords that are hashed at a time, which take 19 MiB each.
const maxHashing = 2

// NewAccounts returns the accounts of db, whose schema includes Schema() and the
// ledger's.
func NewAccounts(ctx context.Context, db *store.DB, led *ledger.Ledger,
	clock fairlead.Clock, log *slog.Logger) (*Accounts, error) {
	a := &Accounts{db: db, led: led, clock: clock, slow: newThrottle(clock), known: newCache(),
		log: log, hashing: make(chan struct{}, maxHashing), signIns: newSignIns()}
	a.first.clock = clock
	err := db.Read(ctx, func(tx *store.Tx) error {
		any, err := anyAccount(tx)
		a.exist.Store(any)
		return err
	})
	return a, err
}

// KeepOne refuses the removal of the last account from now on: the server listens for
// other machines, and would be open to them.
func (a *Accounts) KeepOne() { a.keepOne.Store(true) }

// Exist reports whether there is an account: without one the rules are those of one
// machine.
func (a *Accounts) Exist() bool { return a.exist.Load() }

// Account is somebody, or something, that may sign in.
type Account struct {
	Name     string    `json:"name"`
	Created  time.Time `json:"created"`
	Password bool      `json:"password" doc:"it has one; else it has tokens alone"`
	Roles    []Grant   `json:"roles"`
	k        int64
}

// Grant is a role of an account.
type Grant struct {
	User     string `json:"user"`
	Role     Role   `json:"role"`
	Project  string `json:"project,omitempty" doc:"absent for all projects, and the server itself"`
	projectK int64
}

// maxName bounds the name of an account, in bytes.
const maxName = 64

// accountName holds no colon, which ends the user's name in Basic (RFC 7617).
var accountName = regexp.MustCompile(`^[a-z0-9][a-z0-9._@+-]{0,63}$`)

// reserved are the names of callers that are no accounts.
var reserved = []string{"owner", "local", "anonymous"}

// NewAccount is an account that is to be made.
type NewAccount struct {
	Name     string
	Password string // empty for none: it has tokens alone
	Role     Role   // for all projects; empty for none
}

// Add makes an account; Conflict when the name is taken. The first one is an
// administrator, or nobody could sign in and make others.
func (a *Accounts) Add(ctx context.Context, n NewAccount) (*Account, error) {
	return a.add(ctx, n, false)
}

func (a *Accounts) add(ctx context.Context, n NewAccount, only bool) (*Account, error) {
	if !accountName.MatchString(n.Name) || slices.Contains(reserved, n.Name) {
		return nil, fairlead.Errorf(fairlead.Invalid,
			"the user's name %q: a name has lower-case letters, digits "+
				"and . _ @ + -, at most %d, and is not owner, local or anonymous", n.Name, maxName)
	}
	hash := ""
	if n.Password != "" {
		if err := checkPassword(n.Name, n.Password); err != nil {
			return nil, err
		}
		if err := a.hashed(ctx, func() { hash = hashPassword(n.Password) }); err != nil {
			return nil, err
		}
	}
	out := &Account{Name: n.Name, Created: a.clock.Now(), Password: hash != "", Roles: []Grant{}}
	return out, a.write(ctx, func(tx *store.Tx) error {
		any, err := anyAccount(tx)
		switch {
		case err != nil:
			return err
		case any && only:
			return errFirstTaken
		case !any && n.Role != Admin:
			return fairlead.Errorf(fairlead.Precondition,
				"the first account is an administrator's; give it the role: --role %s", Admin)
		}
		if out.k, err = insertAccount(tx, out, hash); err != nil {
			return err
		}
		err = a.note(ctx, tx, fairlead.Project{}, event.AccessChanged{Change: "user.added", User: n.Name})
		if err != nil || n.Role == "" {
			return err
		}
		out.Roles = []Grant{{User: n.Name, Role: n.Role}}
		return a.grant(ctx, tx, fairlead.Project{}, out, n.Role)
	})
}

// Remove ends an account with its roles, tokens and sessions.
func (a *Accounts) Remove(ctx context.Context, name string) error {
	return a.change(ctx, name, func(tx *store.Tx, acc *Account) error {
		if err := deleteAccount(tx, acc.k); err != nil {
			return err
		}
		any, err := anyAccount(tx)
		switch {
		case err != nil:
			return err
		case !any && a.keepOne.Load():
			return fairlead.Errorf(fairlead.Precondition, "%s is the last account, without which other "+
				"machines could not be told apart; let the server listen on 127.0.0.1 first", name)
		}
		return a.note(ctx, tx, fairlead.Project{}, event.AccessChanged{Change: "user.removed",
			User: name})
	})
}

// SetPassword gives an account another password and ends its sessions; its tokens stay.
func (a *Accounts) SetPassword(ctx context.Context, name, password string) error {
	if err := checkPassword(name, password); err != nil {
		return err
	}
	var hash string
	if err := a.hashed(ctx, func() { hash = hashPassword(password) }); err != nil {
		return err
	}
	return a.change(ctx, name, func(tx *store.Tx, acc *Account) error {
		if err := updatePassword(tx, acc.k, hash); err != nil {
			return err
		}
		return a.note(ctx, tx, fairlead.Project{}, event.AccessChanged{Change: "password.changed",
			User: name})
	})
}

// List returns the accounts by name, with their roles.
func (a *Accounts) List(ctx context.Context) (out []*Account, err error) {
	err = a.db.Read(ctx, func(tx *store.Tx) error {
		out, err = listAccounts(tx)
		return err
	})
	return out, err
}

// Grant gives an account a role in a project, or in all of them and for the server
// itself when the project is zero. One that it has already changes nothing.
func (a *Accounts) Grant(ctx context.Context, p fairlead.Project, name string, role Role) error {
	return a.change(ctx, name, func(tx *store.Tx, acc *Account) error {
		return a.grant(ctx, tx, p, acc, role)
	})
}

func (a *Accounts) grant(ctx context.Context, tx *store.Tx, p fairlead.Project, acc *Account,
	role Role) error {
	if _, err := ParseRole(string(role)); err != nil {
		return err
	}
	if changed, err := insertGrant(tx, acc.k, p, role); err != nil || !changed {
		return err
	}
	return a.note(ctx, tx, p, event.AccessChanged{Change: "role.granted", User: acc.Name,
		Role: string(role)})
}

// Revoke takes a role away; NotFound when the account does not have it there.
func (a *Accounts) Revoke(ctx context.Context, p fairlead.Project, name string, role Role) error {
	return a.change(ctx, name, func(tx *store.Tx, acc *Account) error {
		changed, err := deleteGrant(tx, acc.k, p, role)
		if err != nil {
			return err
		}
		if !changed {
			return fairlead.Errorf(fairlead.NotFound, "%s does not have the role %s there; "+
				"see `fairlead role list`", name, role)
		}
		return a.note(ctx, tx, p, event.AccessChanged{Change: "role.revoked", User: name,
			Role: string(role)})
	})
}

// Grants returns the roles that hold in a project, those for all projects included;
// of the zero project the latter alone.
func (a *Accounts) Grants(ctx context.Context, p fairlead.Project) (out []Grant, err error) {
	all, err := a.List(ctx)
	out = []Grant{}
	for _, acc := range all {
		for _, g := range acc.Roles {
			if g.projectK == 0 || g.projectK == p.K {
				out = append(out, g)
			}
		}
	}
	return out, err
}

// change runs fn on the account of that name.
func (a *Accounts) change(ctx context.Context, name string, fn func(tx *store.Tx,
	acc *Account) error) error {
	return a.write(ctx, func(tx *store.Tx) error {
		acc, _, err := accountByName(tx, name)
		if err != nil {
			return err
		}
		return fn(tx, acc)
	})
}

// write makes a change that the next request sees.
func (a *Accounts) write(ctx context.Context, fn func(tx *store.Tx) error) error {
	return a.db.Write(ctx, store.Control, func(tx *store.Tx) error {
		tx.AtEnd("auth", func(tx *store.Tx) (err error) {
			a.left, err = anyAccount(tx)
			return err
		})
		tx.AfterCommit("auth", a.changed)
		return fn(tx)
	})
}

// changed forgets what was known about callers. It runs in the writer, so it waits for
// nothing.
func (a *Accounts) changed() {
	a.exist.Store(a.left)
	a.known.clear()
}

// note appends the event of a change; what is about no project is told in the
// project default.
func (a *Accounts) note(ctx context.Context, tx *store.Tx, p fairlead.Project,
	e event.AccessChanged) error {
	e.Everywhere = p.K == 0
	if e.Everywhere {
		p = spec.Default
	}
	_, err := a.led.Append(ctx, tx, p, "user/"+e.User, time.Time{}, e)
	return err
}

// hashed runs what hashes a password, when its turn comes.
func (a *Accounts) hashed(ctx context.Context, fn func()) error {
	select {
	case a.hashing <- struct{}{}:
		defer func() { <-a.hashing }()
		fn()
		return nil
	case <-ctx.Done():
		return fairlead.Errorf(fairlead.Unavailable,
			"whoever asked did not wait for the answer").Because(ctx.Err())
	}
}

// withPassword returns the caller with that name and password, who asks from an
// address. A client that sends them with each request is hashed once in a while.
func (a *Accounts) withPassword(ctx context.Context, name, password string,
	from netip.Addr) (*Caller, error) {
	key := a.known.key(string(ByPassword) + "\x00" + name + "\x00" + password)
	if c := a.known.get(key, a.clock.Now()); c != nil {
		return c, nil
	}
	var out *Caller
	var err error
	turn := a.hashed(ctx, func() { out, err = a.tryPassword(ctx, key, name, password, from) })
	if turn != nil {
		return nil, turn
	}
	return out, err
}

func (a *Accounts) tryPassword(ctx context.Context, key [32]byte, name, password string,
	from netip.Addr) (
	*Caller, error) {
	now := a.clock.Now()
	if c := a.known.get(key, now); c != nil {
		return c, nil // of a request beside this one
	}
	if err := a.slow.check(name, from); err != nil {
		a.signIns.WithLabelValues(signInSlowed).Inc()
		return nil, err
	}
	seen := a.known.generation()
	acc, stored, err := a.account(ctx, name)
	if err != nil && !fairlead.Is(err, fairlead.NotFound) {
		return nil, err
	}
	if len(password) > maxPassword || !verifyPassword(stored, password) {
		a.slow.failed(name, from)
		a.logFailure(ctx, name, from)
		a.signIns.WithLabelValues(signInRefused).Inc()
		return nil, errPassword
	}
	a.slow.passed(name)
	a.signIns.WithLabelValues(signInPassed).Inc()
	c := &Caller{Actor: fairlead.Actor{Kind: "user", Name: name}, Kind: ByPassword, Roles: acc.Roles,
		stored: stored}
	a.known.put(key, c, seen, now)
	return c, nil
}

// logFailure tells the operator of a wrong password. What cannot be an account's name is
// left out: it may be a password in the wrong field.
func (a *Accounts) logFailure(ctx context.Context, name string, from netip.Addr) {
	if !accountName.MatchString(name) {
		name = ""
	}
	a.log.WarnContext(ctx, "sign-in failed", "user", name, "address", from.String())
}

// account returns an account and the PHC string of its password.
func (a *Accounts) account(ctx context.Context, name string) (acc *Account, stored string,
	err error) {
	err = a.db.Read(ctx, func(tx *store.Tx) error {
		acc, stored, err = accountByName(tx, name)
		return err
	})
	return acc, stored, err
}

var errPassword = fairlead.Errorf(fairlead.Unauthenticated,
	"the user or the password is wrong; an administrator can set a new one with "+
		"`fairlead user password`")
