package rest

import (
	"context"
	"slices"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
)

// Me is who asks.
type Me struct {
	Name    string            `json:"name"`
	Kind    auth.Kind         `json:"kind" enum:"local,owner,password,session,token" doc:"by what"`
	Roles   []auth.Grant      `json:"roles"`
	Scope   []auth.Permission `json:"scope" doc:"that a token is narrowed to; empty for all"`
	Project string            `json:"project,omitempty" doc:"that a token is narrowed to"`
	Expires *time.Time        `json:"expires,omitempty" doc:"of a token or a session"`
}

// UserInput names an account.
type UserInput struct {
	User string `path:"user"`
}

// AddUser is an account that is to be made.
type AddUser struct {
	Body struct {
		Name     string `json:"name"`
		Password string `json:"password,omitempty" doc:"absent for an account with tokens alone"`
		Role     string `json:"role,omitempty" doc:"for all projects; of the first account: admin"`
	}
}

// PasswordInput is a new password.
type PasswordInput struct {
	UserInput
	Body struct {
		Password string `json:"password"`
	}
}

// OwnPasswordInput is a new password of who asks.
type OwnPasswordInput struct {
	Body struct {
		Password string `json:"password"`
	}
}

// RoleInput names a role of an account, for all projects.
type RoleInput struct {
	UserInput
	Role string `path:"role"`
}

// ProjectRoleInput names a role of an account in a project.
type ProjectRoleInput struct {
	InProject
	RoleInput
}

// TokensInput selects tokens.
type TokensInput struct {
	Paging
	All bool `query:"all" doc:"those of everybody; for admins"`
}

// NewTokenInput is a token that is to be made.
type NewTokenInput struct {
	Body struct {
		User    string   `json:"user,omitempty" doc:"whose; absent for one's own"`
		Name    string   `json:"name" doc:"what it is for"`
		Scope   []string `json:"scope,omitempty" doc:"permissions that it is narrowed to; absent for all"`
		Project string   `json:"project,omitempty" doc:"that it is narrowed to; absent for all"`
		Lasts   string   `json:"lasts,omitempty" doc:"such as 24h; absent for 2160h; at most 8784h"`
	}
}

// NewTokenAnswer is a token with its secret.
type NewTokenAnswer struct {
	auth.Credential
	Token string `json:"token" doc:"the secret, which is never shown again"`
}

// Session is a browser that has signed in.
type Session struct {
	ID      string    `json:"id"`
	User    string    `json:"user"`
	From    string    `json:"from" doc:"address from which it signed in"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
}

// Done is the answer of a change that has nothing more to say.
type Done struct {
	Done bool `json:"done"`
}

func done(err error) (Done, error) { return Done{err == nil}, err }

// accessOperations are about who may do what.
func (a *API) accessOperations() {
	registerServer(a, op{id: "get-me", method: "GET", path: "/me",
		summary: "Who one is, and may do what",
		may:     auth.Self}, func(ctx context.Context, _ *struct{}) (Me, error) {
		c := auth.CallerFrom(ctx)
		me := Me{Name: c.Actor.Name, Kind: c.Kind, Roles: append([]auth.Grant{}, c.Roles...),
			Scope: append([]auth.Permission{}, c.Scope...), Project: c.Project}
		if !c.Expires.IsZero() {
			me.Expires = &c.Expires
		}
		return me, nil
	})
	register(a, op{id: "list-permissions", method: "GET", path: "/permissions",
		summary: "What one may do in the project", may: auth.Read}, permissions)
	registerServer(a, op{id: "set-own-password", method: "PUT", path: "/me/password",
		summary: "Change one's own password, with the present one sent as Basic", may: auth.Self},
		func(ctx context.Context, in *OwnPasswordInput) (Done, error) {
			c := auth.CallerFrom(ctx)
			if c.Kind != auth.ByPassword {
				return Done{}, fairlead.Errorf(fairlead.Denied,
					"one's own password is changed with the present one, sent as Basic")
			}
			return done(a.Accounts.SetPassword(ctx, c.Actor.Name, in.Body.Password))
		})
	a.sessionOperations()
	a.userOperations()
	a.roleOperations()
	a.tokenOperations()
}

func (a *API) sessionOperations() {
	registerServer(a, op{id: "list-sessions", method: "GET", path: "/me/sessions",
		summary: "List one's sessions in browsers, the newest first", may: auth.Self},
		func(ctx context.Context, in *Paging) (out fairlead.Page[Session], err error) {
			user, err := whose(ctx, false)
			if err != nil {
				return out, err
			}
			all, err := a.Accounts.ListSessions(ctx, user)
			if err != nil {
				return out, err
			}
			sessions := make([]Session, len(all))
			for i, c := range all {
				sessions[i] = Session{ID: c.ID, User: c.User, From: c.Name, Created: c.Created,
					Expires: c.Expires}
			}
			return cut(sessions, *in, "sessions of "+user, func(s Session) string { return s.ID })
		})
	registerServer(a, op{id: "end-session", method: "DELETE", path: "/me/sessions/{session}",
		summary: "End a session", may: auth.Self}, func(ctx context.Context, in *struct {
		Session string `path:"session"`
	}) (Done, error) {
		user, err := whose(ctx, false)
		if err != nil {
			return Done{}, err
		}
		if err := mayManage(ctx); err != nil {
			return Done{}, err
		}
		return done(a.Accounts.EndSession(ctx, user, in.Session))
	})
}

func (a *API) userOperations() {
	registerServer(a, op{id: "list-users", method: "GET", path: "/users",
		summary: "List the accounts by name",
		may:     auth.Administer}, func(ctx context.Context, in *Paging) (
		fairlead.Page[*auth.Account], error) {
		all, err := a.Accounts.List(ctx)
		if err != nil {
			return fairlead.Page[*auth.Account]{}, err
		}
		return cut(all, *in, "users", func(acc *auth.Account) string { return acc.Name })
	})
	registerServer(a, op{id: "add-user", method: "POST", path: "/users", summary: "Make an account",
		may: auth.Administer}, func(ctx context.Context, in *AddUser) (*auth.Account, error) {
		b := in.Body
		if b.Password != "" || b.Role != "" {
			if err := mayManage(ctx); err != nil {
				return nil, err
			}
		}
		return a.Accounts.Add(ctx, auth.NewAccount{Name: b.Name, Password: b.Password,
			Role: auth.Role(b.Role)})
	})
	registerServer(a, op{id: "remove-user", method: "DELETE", path: "/users/{user}",
		summary: "Remove an account with its roles, tokens and sessions", may: auth.Administer},
		func(ctx context.Context, in *UserInput) (Done, error) {
			return done(a.Accounts.Remove(ctx,
				in.User))
		})
	registerServer(a, op{id: "set-password", method: "PUT", path: "/users/{user}/password",
		summary: "Give an account another password, which ends its sessions", may: auth.Administer},
		func(ctx context.Context, in *PasswordInput) (Done, error) {
			if err := mayManage(ctx); err != nil {
				return Done{}, err
			}
			return done(a.Accounts.SetPassword(ctx, in.User, in.Body.Password))
		})
}

func (a *API) roleOperations() {
	everywhere := fairlead.Project{}
	registerServer(a, op{id: "list-roles", method: "GET", path: "/roles",
		summary: "List who has which role in all projects, and for the server itself",
		may:     auth.Administer},
		func(ctx context.Context, in *Paging) (fairlead.Page[auth.Grant], error) {
			return a.grants(ctx, everywhere, *in)
		})
	registerServer(a, op{id: "grant-role", method: "PUT", path: "/roles/{role}/users/{user}",
		summary: "Give an account a role in all projects, and for the server itself",
		may:     auth.Administer},
		func(ctx context.Context, in *RoleInput) (Done, error) {
			return done(a.grantRole(ctx, everywhere, *in))
		})
	registerServer(a, op{id: "revoke-role", method: "DELETE", path: "/roles/{role}/users/{user}",
		summary: "Take a role for all projects away", may: auth.Administer},
		func(ctx context.Context, in *RoleInput) (Done, error) {
			return done(a.Accounts.Revoke(ctx, everywhere, in.User, auth.Role(in.Role)))
		})
	register(a, op{id: "list-project-roles", method: "GET", path: "/roles",
		summary: "List who has which role in the project; those for all projects count too",
		may:     auth.Administer},
		func(ctx context.Context, p fairlead.Project, in *ListInput) (fairlead.Page[auth.Grant], error) {
			return a.grants(ctx, p, in.Paging)
		})
	register(a, op{id: "grant-project-role", method: "PUT", path: "/roles/{role}/users/{user}",
		summary: "Give an account a role in the project", may: auth.Administer},
		func(ctx context.Context, p fairlead.Project, in *ProjectRoleInput) (Done, error) {
			return done(a.grantRole(ctx, p, in.RoleInput))
		})
	register(a, op{id: "revoke-project-role", method: "DELETE", path: "/roles/{role}/users/{user}",
		summary: "Take a role in the project away", may: auth.Administer},
		func(ctx context.Context, p fairlead.Project, in *ProjectRoleInput) (Done, error) {
			return done(a.Accounts.Revoke(ctx, p, in.User, auth.Role(in.Role)))
		})
}

// grantRole gives a role, but not one that can do more than who gives it: a token that
// is narrowed would get around that, and around its end.
func (a *API) grantRole(ctx context.Context, p fairlead.Project, in RoleInput) error {
	role, err := auth.ParseRole(in.Role)
	if err != nil {
		return err
	}
	if role == auth.Admin {
		if err := mayManage(ctx); err != nil {
			return err
		}
	}
	c := auth.CallerFrom(ctx)
	for _, need := range auth.Permissions {
		if role.May(need) && !c.May(p, need) {
			return fairlead.Errorf(fairlead.Denied, "the role %s has the permission %q, which this token "+
				"of %s has not; sign in with a password for that", role, need, c.Actor.Name)
		}
	}
	return a.Accounts.Grant(ctx, p, in.User, role)
}

func (a *API) grants(ctx context.Context, p fairlead.Project,
	in Paging) (out fairlead.Page[auth.Grant], err error) {
	all, err := a.Accounts.Grants(ctx, p)
	if err != nil {
		return out, err
	}
	return cut(all, in, list(p, "roles"), func(g auth.Grant) string {
		return g.User + " " + string(g.Role) + " " + g.Project
	})
}

func (a *API) tokenOperations() {
	registerServer(a, op{id: "list-tokens", method: "GET", path: "/tokens",
		summary: "List one's tokens, the newest first, without their secrets", may: auth.Self},
		func(ctx context.Context, in *TokensInput) (out fairlead.Page[*auth.Credential], err error) {
			user, err := whose(ctx, in.All)
			if err != nil {
				return out, err
			}
			all, err := a.Accounts.ListTokens(ctx, user)
			if err != nil {
				return out, err
			}
			return cut(all, in.Paging, "tokens of "+user, func(c *auth.Credential) string { return c.ID })
		})
	registerServer(a, op{id: "create-token", method: "POST", path: "/tokens",
		summary: "Make a token, which lasts for a time and may be narrowed", may: auth.Self},
		a.createToken)
	registerServer(a, op{id: "revoke-token", method: "DELETE", path: "/tokens/{token}",
		summary: "End a token",
		may:     auth.Self}, func(ctx context.Context, in *struct {
		Token string `path:"token"`
	}) (Done, error) {
		user, err := whose(ctx, auth.CallerFrom(ctx).May(fairlead.Project{}, auth.Administer))
		if err != nil {
			return Done{}, err
		}
		if err := mayManage(ctx); err != nil {
			return Done{}, err
		}
		return done(a.Accounts.RevokeToken(ctx, user, in.Token))
	})
}

// whose is the account whose tokens are meant: the caller's own, or empty for
// everybody's.
func whose(ctx context.Context, all bool) (string, error) {
	c := auth.CallerFrom(ctx)
	switch {
	case c.Kind == auth.ByOwner || all && c.May(fairlead.Project{}, auth.Administer):
		return "", nil
	case all:
		return "", fairlead.Errorf(fairlead.Denied, "everybody's tokens are for administrators")
	case c.Kind == auth.ByPlace:
		return "", fairlead.Errorf(fairlead.Denied,
			"only an account has tokens; make one with `fairlead user add`")
	}
	return c.Actor.Name, nil
}

// mayManage refuses tokens: one that could make others, a password or an administrator
// would outlive its end, and what it is narrowed to.
func mayManage(ctx context.Context) error {
	kinds := []auth.Kind{auth.ByOwner, auth.ByPassword, auth.BySession}
	if slices.Contains(kinds, auth.CallerFrom(ctx).Kind) {
		return nil
	}
	return fairlead.Errorf(fairlead.Denied,
		"a token cannot make or end tokens and sessions, nor set passwords or make administrators; "+
			"sign in with a password for that")
}

func (a *API) createToken(ctx context.Context, in *NewTokenInput) (out NewTokenAnswer, err error) {
	c, b := auth.CallerFrom(ctx), in.Body
	if err := mayManage(ctx); err != nil {
		return out, err
	}
	n := auth.NewToken{User: b.User, Name: b.Name, Scope: b.Scope}
	switch own := c.Kind != auth.ByOwner && (n.User == "" || n.User == c.Actor.Name); {
	case own:
		n.User = c.Actor.Name
	case n.User == "":
		return out, fairlead.Errorf(fairlead.Invalid,
			"say whose token it is; the owner of the data directory "+
				"has one already, in its file %q", auth.OwnerFile)
	case !c.May(fairlead.Project{}, auth.Administer):
		return out, fairlead.Errorf(fairlead.Denied,
			"a token of somebody else is made by an administrator")
	}
	if b.Lasts != "" {
		if n.Lasts, err = time.ParseDuration(b.Lasts); err != nil {
			return out, fairlead.Errorf(fairlead.Invalid, "lasts is %q; write it as 24h", b.Lasts)
		}
	}
	if b.Project != "" {
		if n.Project, err = a.visible(ctx, b.Project); err != nil {
			return out, err
		}
	}
	made, secret, err := a.Accounts.IssueToken(ctx, n)
	if err != nil {
		return out, err
	}
	return NewTokenAnswer{*made, secret}, nil
}

// visible returns the project of that name; one that the caller may not see is as if it
// were not there.
func (a *API) visible(ctx context.Context, name string) (fairlead.Project, error) {
	p, err := a.Projects.Get(ctx, name)
	hidden := err == nil && !auth.CallerFrom(ctx).May(p, auth.Read)
	if hidden || fairlead.Is(err, fairlead.NotFound) {
		return p, errNoProject(name)
	}
	return p, err
}

// Permissions are what one may do in a project.
type Permissions struct {
	Items     []auth.Permission `json:"items" enum:"read,track,predict,label,eventtime,run,operate,admin"`
	Otherwise string            `json:"otherwise" doc:"what to do for those that are not among them"`
}

// permissions returns what the caller may do in a project, so that a page need not offer
// what would be refused.
func permissions(ctx context.Context, p fairlead.Project, _ *InProject) (Permissions, error) {
	c := auth.CallerFrom(ctx)
	out := Permissions{Items: []auth.Permission{}, Otherwise: "Somebody who administers the server can " +
		"give you a role that may do this: fairlead role grant"}
	if c.Kind == auth.ByPlace {
		out.Otherwise = "This needs a browser that the owner of the server has let in: run `fairlead ui` " +
			"on the server's machine, and open the link that it prints"
	}
	for _, may := range auth.Permissions {
		if c.May(p, may) {
			out.Items = append(out.Items, may)
		}
	}
	return out, nil
}
