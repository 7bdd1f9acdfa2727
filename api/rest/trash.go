package rest

import (
	"context"
	"time"

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
	OlderThan string `json:"older_than,omitempty" doc:"such as 30d, by wall time; default: as set"`
	DryRun    bool   `json:"dry_run,omitempty" doc:"only say what would be done"`
	Shrink    bool   `json:"shrink,omitempty" doc:"shrink the database; all writes wait"`
}

// Settings are what is set of a project, and what that comes to on this server.
type Settings struct {
	spec.Settings
	KeptMS int64 `json:"kept_ms,omitempty" readOnly:"true" doc:"how long what is deleted can be restored; absent: for ever"`
}

func (a *API) trashOperations() {
	register(a, op{id: "collect-garbage", method: "POST", path: "/gc",
		summary: "Remove for good what was deleted, and files that nothing refers to",
		may:     auth.Administer},
		func(ctx context.Context, p fairlead.Project, in *CollectInput) (*tracking.Collection, error) {
			age, err := a.age(ctx, p, in.Body.OlderThan)
			if err != nil {
				return nil, err
			}
			if in.Body.Shrink && !auth.CallerFrom(ctx).May(fairlead.Project{}, auth.Administer) {
				return nil, fairlead.Errorf(fairlead.Denied,
					"to shrink the database holds all projects up; that takes an administrator of all")
			}
			c, err := a.Tracking.Collect(ctx, p, age, in.Body.DryRun)
			if err != nil || !in.Body.Shrink || in.Body.DryRun {
				return c, err
			}
			return c, a.Tracking.Shrink(ctx, p, c)
		})
	register(a, op{id: "get-settings", method: "GET", path: "/settings",
		summary: "What is set of the project beside its file", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, _ *InProject) (Settings, error) {
			return a.settings(ctx, p)
		})
	register(a, op{id: "put-settings", method: "PUT", path: "/settings",
		summary: "Set how long what is deleted in the project can be restored", may: auth.Administer},
		func(ctx context.Context, p fairlead.Project, in *struct {
			InProject
			Body Settings
		}) (out Settings, err error) {
			if err := a.Projects.Set(ctx, p, in.Body.Settings); err != nil {
				return out, err
			}
			return a.settings(ctx, p)
		})
}

func (a *API) settings(ctx context.Context, p fairlead.Project) (out Settings, err error) {
	if out.Settings, err = a.Projects.Settings(ctx, p); err != nil {
		return out, err
	}
	keep, err := a.Projects.Keep(ctx, p, a.KeepDeleted)
	if keep >= 0 {
		out.KeptMS = keep.Milliseconds()
	}
	return out, err
}

// age is how long something must have been in the trash to be collected.
func (a *API) age(ctx context.Context, p fairlead.Project, olderThan string) (time.Duration,
	error) {
	if olderThan != "" {
		d, err := spec.ParseDuration(olderThan)
		if err != nil {
			return 0, fairlead.Errorf(fairlead.Invalid, "older_than: %w", err)
		}
		return d.Duration, nil
	}
	keep, err := a.Projects.Keep(ctx, p, a.KeepDeleted)
	if err == nil && keep < 0 {
		err = fairlead.Errorf(fairlead.Precondition,
			"what is deleted in project %s is kept for ever; say how old what is to go must be "+
				"(--older-than)", p.Name)
	}
	return keep, err
}
