package auth

import (
	"net/http"
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
		actor, err := t.allow(r, route.Permission, route.Server)
		if err != nil {
			challenge(w, err)
			route.Fail(w, r, err)
			return
		}
		if route.BodyLimit != Unlimited {
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
	_, err := t.allow(r, need, false)
	return err
}

// challenge names the scheme that would be accepted (RFC 9110, 11.6.1). It is
// Bearer alone, so that no browser asks its user for a password.
func challenge(w http.ResponseWriter, err error) {
	if fairlead.Is(err, fairlead.Unauthenticated) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="fairlead"`)
	}
}

// allow returns who asks, or why they may not.
func (t *Tokens) allow(r *http.Request, need Permission, server bool) (fairlead.Actor, error) {
	if err := checkSite(r); err != nil {
		return fairlead.Actor{}, err
	}
	token := secret(r)
	if token == "" {
		return anonymous(r, need)
	}
	id, err := t.identify(r.Context(), token)
	if err != nil || id.owner || need == Public {
		return id.actor, err
	}
	p, ok := fairlead.ProjectIn(r.Context())
	switch {
	case server || !ok || p.K != id.projectK:
		return id.actor, fairlead.Errorf(fairlead.Denied,
			"this token is a step's and works in the step's own project only; leave the project out of "+
				"the address, or use the owner's token")
	case !stepMay[need]:
		return id.actor, fairlead.Errorf(fairlead.Denied,
			"a step may not do this (it needs the permission %q); do it outside of the pipeline, "+
				"with the owner's token", need)
	}
	return id.actor, nil
}

// anonymous decides about a request without a token: on this machine it may do
// what is open, from elsewhere only what is public.
func anonymous(r *http.Request, need Permission) (fairlead.Actor, error) {
	foreign := notLocal(r)
	switch {
	case foreign == "" && open[need]:
		return fairlead.Actor{Kind: "user", Name: "local"}, nil
	case need == Public:
		return fairlead.Actor{Kind: "user", Name: "anonymous"}, nil
	case foreign != "":
		return fairlead.Actor{}, fairlead.Errorf(fairlead.Unauthenticated,
			"%s, so it needs the token in the data directory's file %q, as `Authorization: Bearer …`",
			foreign, OwnerFile)
	}
	return fairlead.Actor{}, fairlead.Errorf(fairlead.Unauthenticated,
		"this needs the token in the data directory's file %q, as `Authorization: Bearer …`; "+
			"the fairlead command sends it by itself", OwnerFile)
}

// secret returns the request's token: `Authorization: Bearer`, or the password of
// Basic, which MLflow's client prefers when both are set. Schemes that are not
// ours, such as the signature of AWS clients, are as if they were not there.
func secret(r *http.Request) string {
	scheme, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(rest)
	}
	_, password, _ := r.BasicAuth()
	return password
}
