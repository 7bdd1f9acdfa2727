package rest

import (
	"context"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/tracking"
)

// CollectInput says what garbage is to be collected.
type CollectInput struct {
	InProject
	Body CollectRequest
}

// CollectRequest is the body of CollectInput.
type CollectRequest struct {
	OlderThan string `json:"older_than" doc:"in the trash, by wall time, such as 30d or 0s"`
	DryRun    bool   `json:"dry_run,omitempty" doc:"only say what would be done"`
}

func (a *API) trashOperations() {
	register(a, op{id: "collect-garbage", method: "POST", path: "/gc",
		summary: "Remove for good what was deleted, and files that nothing refers to", may: auth.Administer},
		func(ctx context.Context, p fairlead.Project, in *CollectInput) (*tracking.Collection, error) {
			age, err := spec.ParseDuration(in.Body.OlderThan)
			if err != nil {
				return nil, fairlead.Errorf(fairlead.Invalid, "older_than: %w", err)
			}
			return a.Tracking.Collect(ctx, p, age.Duration, in.Body.DryRun)
		})
}
