package auth

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/fairlead-ml/fairlead"
)

// stepMay is what a step's token allows.
var stepMay = map[Permission]bool{Public: true, Read: true, Track: true, Predict: true}

// Guard wraps a route: it identifies the caller, checks the permission, bounds
// the body, and puts the actor into the context. The project is in the context
// already.
func (t *Tokens) Guard(route Route) (http.Handler, error) {
	if err := route.check(); err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		actor, err := t.allow(r, route.Permission)
		if err != nil {
			route.Fail(w, r, err)
			return
		}
		if route.BodyLimit >= 0 {
			r.Body = http.MaxBytesReader(w, r.Body, route.BodyLimit)
		}
		r = r.WithContext(fairlead.WithActor(r.Context(), actor))
		if err := route.Handle(w, r); err != nil {
			route.Fail(w, r, err)
		}
	}), nil
}

// Require checks a further permission inside a handler, for what depends on the
// request's content.
func (t *Tokens) Require(r *http.Request, need Permission) error {
	_, err := t.allow(r, need)
	return err
}

func (t *Tokens) allow(r *http.Request, need Permission) (fairlead.Actor, error) {
	local := isLocal(r)
	if err := checkOrigin(r); err != nil {
		return fairlead.Actor{}, err
	}
	token := bearer(r)
	if token == "" {
		if local && open[need] || need == Public {
			return fairlead.Actor{Kind: "user", Name: "local"}, nil
		}
		return fairlead.Actor{}, fairlead.Errorf(fairlead.Unauthenticated,
			"this needs the token in the data directory's file %q, as `Authorization: Bearer …`; "+
				"the fairlead command sends it by itself", OwnerFile)
	}
	id, err := t.identify(r.Context(), token)
	if err != nil {
		return fairlead.Actor{}, err
	}
	if id.owner {
		return id.actor, nil
	}
	if p, ok := fairlead.ProjectIn(r.Context()); ok && p.K != id.projectK && need != Public {
		return id.actor, fairlead.Errorf(fairlead.Denied, "this token works in its own project only")
	}
	if !stepMay[need] {
		return id.actor, fairlead.Errorf(fairlead.Denied, "a step may not do this (it needs the permission %q)", need)
	}
	return id.actor, nil
}

// bearer returns the request's token: `Authorization: Bearer`, or the password of
// Basic, which MLflow's client prefers when both are set.
func bearer(r *http.Request) string {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return strings.TrimSpace(token)
	}
	_, password, _ := r.BasicAuth()
	return password
}

// isLocal reports whether the request comes from this machine and was not passed
// on by a proxy.
func isLocal(r *http.Request) bool {
	addr, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !addr.Addr().Unmap().IsLoopback() || !LoopbackHost(r.Host) {
		return false
	}
	for name := range r.Header {
		if name == "Forwarded" || strings.HasPrefix(name, "X-Forwarded-") {
			return false
		}
	}
	return true
}

// LoopbackHost reports whether a host, with or without a port, names this machine:
// another name that resolves to 127.0.0.1 is a rebinding attack.
func LoopbackHost(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

// checkOrigin refuses a page of another site that a browser sends.
func checkOrigin(r *http.Request) error {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return nil
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host != r.Host {
		return fairlead.Errorf(fairlead.Denied, "requests from other sites (%s) are not accepted", origin)
	}
	return nil
}
