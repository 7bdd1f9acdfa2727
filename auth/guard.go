package auth

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead-ml/fairlead"
)

// stepMay is what a step's token allows.
var stepMay = map[Permission]bool{Public: true, Read: true, Track: true, Predict: true}

// Guard wraps a route: it identifies the caller, checks the permission, bounds
// the body and its time, and puts the actor into the context. The project is in the context
// already.
func (t *Tokens) Guard(route Route) (http.Handler, error) {
	if err := route.check(); err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, err := t.allow(r, route.Permission, route.Server)
		if err != nil {
			challenge(w, err)
			Hurry(w, r)
			route.Fail(w, r, err)
			return
		}
		ctx := context.WithValue(r.Context(), callerKey{}, caller)
		r = r.WithContext(fairlead.WithActor(ctx, caller.Actor))
		if err := checkLength(r, route); err != nil {
			Hurry(w, r)
			route.Fail(w, r, err)
			return
		}
		b := t.bodies.bound(w, r, route)
		defer b.leave()
		if err := route.Handle(w, r); err != nil {
			b.hurry()
			route.Fail(w, r, err)
		}
	}), nil
}

// Require checks a further permission inside a handler, for what depends on the
// request's content.
func (t *Tokens) Require(r *http.Request, need Permission) error {
	_, err := t.Again(r, need)
	return err
}

// Again returns who makes a request of a project, for one that lasts so long that they may
// have lost the permission since it began.
func (t *Tokens) Again(r *http.Request, need Permission) (*Caller, error) {
	return t.allow(r, need, false)
}

// challenge names the scheme that would be accepted (RFC 9110, 11.6.1), or how long
// to wait. The scheme is Bearer alone, so that no browser asks its user for a password.
func challenge(w http.ResponseWriter, err error) {
	var e *fairlead.Error
	switch {
	case fairlead.Is(err, fairlead.Unauthenticated):
		w.Header().Set("WWW-Authenticate", `Bearer realm="fairlead"`)
	case fairlead.Is(err, fairlead.Throttled) && errors.As(err, &e):
		w.Header().Set("Retry-After", fmt.Sprint(e.Detail[retryAfter]))
	}
}

// allow returns who asks, or why they may not.
func (t *Tokens) allow(r *http.Request, need Permission, server bool) (*Caller, error) {
	if err := checkSite(r); err != nil {
		return nil, err
	}
	c, err := t.caller(r)
	if err != nil {
		return nil, err
	}
	p, _ := fairlead.ProjectIn(r.Context())
	where := p
	if server {
		where = fairlead.Project{}
	}
	switch {
	case c.May(where, need):
		return c, nil
	case c.Kind == ByNothing || c.Kind == ByPlace:
		return nil, t.refuseAnonymous(r)
	}
	return nil, c.refuse(p, need, server)
}

// caller returns who asks. One without credentials is trusted on this machine alone,
// and only while there are no accounts.
func (t *Tokens) caller(r *http.Request) (*Caller, error) {
	name, secret := credentials(r)
	switch {
	case secret == "":
		if c, err := t.inSession(r); c != nil || err != nil {
			return c, err
		}
		return t.anonymous(r), nil
	case t.isOwner(secret):
		return callerOwner, nil
	case strings.HasPrefix(secret, stepPrefix):
		return t.step(r.Context(), secret)
	case !t.hasAccounts():
		return nil, errUnknown
	case strings.HasPrefix(secret, tokenPrefix) || name == "":
		return t.accounts.withSecret(r.Context(), ByToken, secret)
	}
	return t.accounts.withPassword(r.Context(), name, secret, RemoteAddr(r))
}

// inSession returns who has signed in with the browser that asks; nil when nobody has,
// or the session has ended.
func (t *Tokens) inSession(r *http.Request) (*Caller, error) {
	secret := SessionOf(r)
	if strings.HasPrefix(secret, browserPrefix) {
		return t.ownersBrowser(secret), nil
	}
	if secret == "" || !t.hasAccounts() {
		return nil, nil
	}
	c, err := t.accounts.withSecret(r.Context(), BySession, secret)
	if fairlead.Is(err, fairlead.Unauthenticated) {
		return nil, nil
	}
	return c, err
}

func (t *Tokens) hasAccounts() bool { return t.accounts != nil && t.accounts.Exist() }

func (t *Tokens) anonymous(r *http.Request) *Caller {
	if !t.hasAccounts() && notLocal(r) == "" {
		return callerLocal
	}
	return callerNobody
}

// The callers that have no account.
var (
	callerOwner  = &Caller{Actor: fairlead.Actor{Kind: "user", Name: "owner"}, Kind: ByOwner}
	callerLocal  = &Caller{Actor: fairlead.Actor{Kind: "user", Name: "local"}, Kind: ByPlace}
	callerNobody = &Caller{Actor: fairlead.Actor{Kind: "user", Name: "anonymous"}, Kind: ByNothing}
)

// refuseAnonymous says how to show who one is.
func (t *Tokens) refuseAnonymous(r *http.Request) error {
	if t.hasAccounts() {
		return errSignIn
	}
	if foreign := notLocal(r); foreign != "" {
		return fairlead.Errorf(fairlead.Unauthenticated,
			"%s, so it needs the token in the data directory's file %q, as `Authorization: Bearer …`",
			foreign, OwnerFile)
	}
	return fairlead.Errorf(fairlead.Unauthenticated,
		"this needs the token in the data directory's file %q, as `Authorization: Bearer …`; "+
			"the fairlead command sends it by itself", OwnerFile)
}

var errSignIn = fairlead.Errorf(fairlead.Unauthenticated,
	"this server has accounts, so it asks who you are: "+
		"send a token (`Authorization: Bearer …`, MLFLOW_TRACKING_TOKEN), or a user and password "+
		"(Basic, MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD); "+
		"the fairlead command reads FAIRLEAD_TOKEN")

// credentials returns the request's user and secret: `Authorization: Bearer`, without
// a user, or Basic, which MLflow's client prefers when both are set. A token may be
// the password of any user. Schemes that are not ours, such as the signature of AWS
// clients, are as if they were not there.
func credentials(r *http.Request) (user, secret string) {
	scheme, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") {
		return "", strings.TrimSpace(rest)
	}
	user, password, _ := r.BasicAuth()
	return user, password
}

// sessionCookie holds the secret of a browser's session. Its name ends in the server's
// port, which browsers do not tell cookies apart by: servers of one host keep theirs.
// Behind TLS nobody but this host can set it (RFC 6265bis, 4.1.3.2).
func sessionCookie(r *http.Request) *http.Cookie {
	c := &http.Cookie{Name: "fairlead_session", Path: "/", HttpOnly: true,
		SameSite: http.SameSiteStrictMode,
		Secure:   r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https"}
	if _, port, err := net.SplitHostPort(r.Host); err == nil {
		if n, err := strconv.ParseUint(port, 10, 16); err == nil {
			c.Name += fmt.Sprint("_", n)
		}
	}
	if c.Secure {
		c.Name = "__Host-" + c.Name
	}
	return c
}

// SessionOf returns the secret of the session that a browser sends; empty for none.
func SessionOf(r *http.Request) string {
	if len(r.Header["Cookie"]) == 0 {
		return ""
	}
	c, err := r.Cookie(sessionCookie(r).Name)
	if err != nil {
		return ""
	}
	return c.Value
}

// SessionCookie carries a session's secret to a browser, which sends it with requests
// of this site's own pages alone and shows it to no script.
func SessionCookie(r *http.Request, secret string, expires time.Time) *http.Cookie {
	c := sessionCookie(r)
	c.Value, c.Expires = secret, expires
	return c
}

// EndedCookie makes a browser forget its session.
func EndedCookie(r *http.Request) *http.Cookie {
	c := sessionCookie(r)
	c.MaxAge = -1
	return c
}

// RemoteAddr is where a request comes from, for the pace of guesses; the zero address
// when that is unknown.
func RemoteAddr(r *http.Request) netip.Addr {
	a, _ := netip.ParseAddrPort(r.RemoteAddr)
	return a.Addr()
}
