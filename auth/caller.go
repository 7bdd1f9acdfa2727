package auth

import (
	"context"
	"slices"
	"time"

	"github.com/fairlead-ml/fairlead"
)

// Kind is how a caller showed who it is.
type Kind string

// The kinds of callers.
const (
	ByNothing  Kind = "none"     // no credentials, from elsewhere
	ByPlace    Kind = "local"    // no credentials, on this machine, where there are no accounts
	ByOwner    Kind = "owner"    // the token of the data directory
	ByStep     Kind = "step"     // the token of a running step
	ByPassword Kind = "password" // an account
	BySession  Kind = "session"  // an account that has signed in with a browser
	ByToken    Kind = "token"    // an account's token
)

// Caller is who makes a request, and what they may do. It is shared by requests, and
// never changed.
type Caller struct {
	Actor   fairlead.Actor
	Kind    Kind
	Roles   []Grant      // of an account
	Scope   []Permission // that a token is narrowed to; nil for all
	Project string       // that a token is narrowed to, or that a step runs in
	Expires time.Time    // of a token or a session

	projectK int64  // of Project; 0 for all
	stored   string // PHC string of the password that was right
}

// May reports whether the caller may do something in a project, or for the whole
// server in the zero one.
func (c *Caller) May(p fairlead.Project, need Permission) bool {
	switch {
	case c.Kind == ByOwner || need == Public:
		return true
	case c.Kind == ByPlace:
		return open[need]
	case c.Kind == ByStep:
		return p.K != 0 && p.K == c.projectK && stepMay[need]
	case c.Kind == ByNothing:
		return false
	case need == Self:
		return true
	case c.Scope != nil && !slices.Contains(c.Scope, need), c.projectK != 0 && c.projectK != p.K:
		return false
	}
	return slices.ContainsFunc(c.Roles, func(g Grant) bool {
		return (g.projectK == 0 || g.projectK == p.K) && g.Role.May(need)
	})
}

// refuse says why the caller may not do it.
func (c *Caller) refuse(p fairlead.Project, need Permission, server bool) error {
	where := "in project " + p.Name
	if server {
		where = "for the whole server"
	}
	switch {
	case need == Own:
		return fairlead.Errorf(fairlead.Denied, "this reads or writes files of the server's machine "+
			"(it needs the permission %q, which no role has): use the token in the data directory's "+
			"file %q, or run the command there", need, OwnerFile)
	case c.Kind == ByStep && (server || p.K != c.projectK):
		return fairlead.Errorf(fairlead.Denied,
			"this token is a step's and works in the step's own project only; leave the project out of "+
				"the address, or use the owner's token")
	case c.Kind == ByStep:
		return fairlead.Errorf(fairlead.Denied,
			"a step may not do this (it needs the permission %q); do it outside of the pipeline, "+
				"with the owner's token", need)
	case c.Kind == ByToken && (c.Scope != nil || c.projectK != 0):
		return fairlead.Errorf(fairlead.Denied,
			"this token of %s may not do this %s (it needs the permission "+
				"%q); it may be narrowed, or its user lacks a role", c.Actor.Name, where, need)
	}
	return fairlead.Errorf(fairlead.Denied, "%s may not do this %s (it needs the permission %q); "+
		"who administers it can grant a role that has it, with `fairlead role grant`",
		c.Actor.Name, where, need)
}

type callerKey struct{}

// CallerFrom returns who makes the request of a context; nobody without one.
func CallerFrom(ctx context.Context) *Caller {
	if c, ok := ctx.Value(callerKey{}).(*Caller); ok {
		return c
	}
	return &Caller{Actor: fairlead.Actor{Kind: "user", Name: "anonymous"}, Kind: ByNothing}
}
