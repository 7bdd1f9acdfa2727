package rest

import (
	"context"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/monitor"
	"github.com/fairlead-ml/fairlead/release"
	"github.com/fairlead-ml/fairlead/store"
)

// RolloutHistory is how a rollout went, on which evidence, and when it is looked at next.
type RolloutHistory struct {
	*release.History
	Comparison *monitor.Comparison `json:"comparison,omitempty" doc:"none for a replacement"`
}

// historyOperations tell how a rollout went and what can be decided about an endpoint.
func (a *API) historyOperations() {
	register(a, op{id: "get-rollout-history", method: "GET", path: "/rollouts/{rollout}/history",
		summary: "A rollout step by step: the evidence at each as it was, and the next look",
		may:     auth.Read},
		func(ctx context.Context, p fairlead.Project, in *RolloutInput) (out RolloutHistory, err error) {
			if out.History, err = a.Release.History(ctx, p, in.Rollout); err != nil {
				return out, err
			}
			out.Comparison, err = read(ctx, a, func(tx *store.Tx) (*monitor.Comparison, error) {
				return a.Monitor.Comparison(tx, p, in.Rollout)
			})
			return out, err
		})
	register(a, op{id: "get-endpoint-options", method: "GET", path: "/endpoints/{endpoint}/options",
		summary: "What can be decided about an endpoint now, and all that would follow",
		may:     auth.Read},
		func(ctx context.Context, p fairlead.Project, in *EndpointInput) (*release.Options, error) {
			name, err := a.fullName(ctx, p, in.Endpoint)
			if err != nil {
				return nil, err
			}
			return a.Release.Options(ctx, p, name)
		})
}
