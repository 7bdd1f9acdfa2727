package rest

import (
	"context"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/release"
	"github.com/fairlead-ml/fairlead/store"
)

// RolloutInput names a rollout.
type RolloutInput struct {
	InProject
	Rollout string `path:"rollout"`
}

// Reason is why a human decides; it is part of the record.
type Reason struct {
	Reason     string `json:"reason" minLength:"1" maxLength:"1000"`
	Generation int64  `json:"generation,omitempty" minimum:"1" doc:"of the endpoint's assignment that the decision was made on; 409 when it has changed since"`
}

// DecideInput is a human's decision about a rollout.
type DecideInput struct {
	RolloutInput
	Once
	Body Reason
}

// RollbackInput is a human's decision about an endpoint.
type RollbackInput struct {
	EndpointInput
	Once
	Body Reason
}

// ShadowInput names a version that is to score requests and answer none.
type ShadowInput struct {
	EndpointInput
	Version int64 `path:"version" minimum:"1"`
}

func (a *API) rolloutOperations() {
	register(a, op{id: "list-rollouts", method: "GET", path: "/endpoints/{endpoint}/rollouts",
		summary: "List an endpoint's rollouts, the newest first", may: auth.Read}, a.listRollouts)
	register(a, op{id: "list-project-rollouts", method: "GET", path: "/rollouts",
		summary: "List the rollouts of all endpoints, the newest first", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *ListInput) (
			fairlead.Page[*release.Rollout], error) {
			return a.rollouts(ctx, p, "", in.Paging)
		})
	register(a, op{id: "explain-rollout", method: "GET", path: "/rollouts/{rollout}",
		summary: "A rollout, and what it waits for", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *RolloutInput) (*release.Explanation, error) {
			return a.Release.Explain(ctx, p, in.Rollout)
		})
	a.historyOperations()
	a.decide(op{id: "promote-rollout", method: "POST", path: "/rollouts/{rollout}/promote",
		summary: "Promote a rollout by hand", may: auth.Operate}, a.Release.Promote)
	a.decide(op{id: "roll-back-rollout", method: "POST", path: "/rollouts/{rollout}/rollback",
		summary: "Roll a rollout back", may: auth.Operate}, a.Release.Rollback)
	register(a, op{id: "roll-back-endpoint", method: "POST", path: "/endpoints/{endpoint}/rollback",
		summary: "Return to the newest version on standby", may: auth.Operate},
		func(ctx context.Context, p fairlead.Project, in *RollbackInput) (out struct{}, err error) {
			name, err := a.fullName(ctx, p, in.Endpoint)
			if err != nil {
				return out, err
			}
			return atomically(ctx, a, p, in.Key, "roll-back-endpoint", in, func(tx *store.Tx) (out struct{}, err error) {
				if err := a.unchanged(tx, p, name, in.Body); err != nil {
					return out, err
				}
				return out, a.Release.RollbackEndpoint(ctx, tx, p, name, in.Body.Reason)
			})
		})
	a.shadow(op{id: "start-shadow", method: "PUT", path: "/endpoints/{endpoint}/shadows/{version}",
		summary: "Let a version score every request and answer none", may: auth.Operate}, a.Release.StartShadow)
	a.shadow(op{id: "stop-shadow", method: "DELETE", path: "/endpoints/{endpoint}/shadows/{version}",
		summary: "End a shadow", may: auth.Operate}, a.Release.StopShadow)
}

// maxRollouts is what an endpoint's list goes back to.
const maxRollouts = 1000

func (a *API) listRollouts(ctx context.Context, p fairlead.Project, in *struct {
	EndpointInput
	Paging
}) (out fairlead.Page[*release.Rollout], err error) {
	name, err := a.fullName(ctx, p, in.Endpoint)
	if err != nil {
		return out, err
	}
	return a.rollouts(ctx, p, name, in.Paging)
}

// rollouts lists those of an endpoint, of all for an empty name.
func (a *API) rollouts(ctx context.Context, p fairlead.Project, name string, page Paging) (
	out fairlead.Page[*release.Rollout], err error) {
	all, err := read(ctx, a, func(tx *store.Tx) ([]*release.Rollout, error) {
		return a.Release.Rollouts(tx, p, name, maxRollouts)
	})
	if err != nil {
		return out, err
	}
	return cut(all, page, list(p, "rollouts", name), func(r *release.Rollout) string { return r.ID })
}

// decide adds an operation by which a human decides about a rollout.
func (a *API) decide(o op, change func(context.Context, *store.Tx, fairlead.Project, string, string) error) {
	register(a, o, func(ctx context.Context, p fairlead.Project, in *DecideInput) (struct{}, error) {
		return atomically(ctx, a, p, in.Key, o.id, in, func(tx *store.Tx) (out struct{}, err error) {
			if in.Body.Generation != 0 {
				r, err := a.Release.Rollout(tx, p, in.Rollout)
				if err != nil {
					return out, err
				}
				if err := a.unchanged(tx, p, r.Endpoint, in.Body); err != nil {
					return out, err
				}
			}
			return out, change(ctx, tx, p, in.Rollout, in.Body.Reason)
		})
	})
}

// unchanged refuses a decision on an endpoint that has changed since the caller saw it.
func (a *API) unchanged(tx *store.Tx, p fairlead.Project, endpoint string, why Reason) error {
	if why.Generation == 0 {
		return nil
	}
	return a.Release.RequireGeneration(tx, p, endpoint, why.Generation)
}

// shadow adds an operation that starts or ends a shadow; both may be repeated.
func (a *API) shadow(o op, change func(context.Context, *store.Tx, fairlead.Project, string, int64, string) error) {
	register(a, o, func(ctx context.Context, p fairlead.Project, in *ShadowInput) (out struct{}, err error) {
		name, err := a.fullName(ctx, p, in.Endpoint)
		if err != nil {
			return out, err
		}
		return out, a.DB.Write(ctx, store.Control, func(tx *store.Tx) error {
			return change(ctx, tx, p, name, in.Version, "asked for")
		})
	})
}
