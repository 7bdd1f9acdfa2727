package fairlead

import "context"

// Actor is who causes a change: a person, a token, a step, or the program itself.
type Actor struct {
	Kind string // user | token | step | system
	Name string
}

// System is the program acting on its own, for example the loop.
func System(name string) Actor { return Actor{Kind: "system", Name: name} }

// String returns "kind:name", the form that the ledger stores.
func (a Actor) String() string { return a.Kind + ":" + a.Name }

type actorKey struct{}

// WithActor returns a context whose changes are a's.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

// ActorFrom returns the context's actor, or the anonymous system actor.
func ActorFrom(ctx context.Context) Actor {
	if a, ok := ctx.Value(actorKey{}).(Actor); ok {
		return a
	}
	return System("fairlead")
}

// Project is the tenant that a call works in: K is the internal key that tables
// carry, Name the public name that paths and events carry.
type Project struct {
	K    int64
	Name string
}

type projectKey struct{}

// WithProject returns a context whose calls work in p: the edge resolves the
// prefix of a path once, and handlers read it from here.
func WithProject(ctx context.Context, p Project) context.Context {
	return context.WithValue(ctx, projectKey{}, p)
}

// ProjectFrom returns the context's project. A context without one is a defect
// of the edge, so that no handler falls back to another tenant.
func ProjectFrom(ctx context.Context) Project {
	p, ok := ProjectIn(ctx)
	if !ok {
		panic("fairlead: the context has no project")
	}
	return p
}

// ProjectIn returns the context's project, if it has one.
func ProjectIn(ctx context.Context) (Project, bool) {
	p, ok := ctx.Value(projectKey{}).(Project)
	return p, ok
}
