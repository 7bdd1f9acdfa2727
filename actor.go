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
