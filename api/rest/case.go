package rest

import (
	"context"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/gate"
	"github.com/fairlead-ml/fairlead/loop"
)

func (a *API) caseOperations() {
	type caseInput struct {
		InProject
		Waiting
		Case string `path:"case"`
	}
	register(a, op{"open-case", "POST", "/cases",
		"Run the project: data, pipeline, package, gate, release", auth.Operate, 1 << 10},
		func(ctx context.Context, _ *InProject) (*loop.Case, error) {
			p, err := existing(ctx)
			if err != nil {
				return nil, err
			}
			return a.Loop.Run(ctx, p)
		})
	register(a, op{"list-cases", "GET", "/cases", "List cases, the newest first", auth.Read, 0},
		func(ctx context.Context, in *struct {
			InProject
			Model string `query:"model"`
			Page  string `query:"page"`
			Limit int    `query:"limit"`
		}) (out fairlead.Page[*loop.Case], err error) {
			p, err := existing(ctx)
			if err != nil {
				return out, err
			}
			return a.Loop.Cases(ctx, p, in.Model, in.Page, in.Limit)
		})
	register(a, op{"get-case", "GET", "/cases/{case}", "One case; with wait, once it is closed", auth.Read, 0},
		func(ctx context.Context, in *caseInput) (c *loop.Case, err error) {
			p, err := existing(ctx)
			if err != nil {
				return nil, err
			}
			err = a.until(ctx, in.Waiting, func() (bool, error) {
				c, err = a.Loop.Case(ctx, p, in.Case)
				return err == nil && c.State == loop.Closed, err
			})
			return c, err
		})
	type ModelInput struct {
		InProject
		Model string `path:"model"`
	}
	register(a, op{"make-candidate", "PUT", "/models/{model}/candidate",
		"Make a version the candidate: package, gate and release it", auth.Operate, 1 << 10},
		func(ctx context.Context, in *struct {
			ModelInput
			Body struct {
				Version int64 `json:"version" minimum:"1"`
			}
		}) (*loop.Case, error) {
			p, err := existing(ctx)
			if err != nil {
				return nil, err
			}
			return a.Loop.Candidate(ctx, p, in.Model, in.Body.Version)
		})
	register(a, op{"explain-loop", "GET", "/loop/{model}", "What the loop does for a model, and why", auth.Read, 0},
		func(ctx context.Context, in *ModelInput) (*loop.Explanation, error) {
			p, err := existing(ctx)
			if err != nil {
				return nil, err
			}
			return a.Loop.Explain(ctx, p, in.Model)
		})
	register(a, op{"pause-loop", "PUT", "/loop/{model}/pause", "Pause or resume the loop of a model", auth.Operate, 4 << 10},
		func(ctx context.Context, in *struct {
			ModelInput
			Body struct {
				Paused bool   `json:"paused"`
				Reason string `json:"reason,omitempty"`
			}
		}) (struct{}, error) {
			p, err := existing(ctx)
			if err != nil {
				return struct{}{}, err
			}
			return struct{}{}, a.Loop.Pause(ctx, p, in.Model, in.Body.Paused, in.Body.Reason)
		})
	register(a, op{"explain-decision", "GET", "/decisions/{decision}", "A gate's decision, check by check", auth.Read, 0},
		func(ctx context.Context, in *struct {
			InProject
			Decision string `path:"decision"`
		}) (*gate.Explanation, error) {
			p, err := existing(ctx)
			if err != nil {
				return nil, err
			}
			return a.Gate.Explain(ctx, p, in.Decision)
		})
	register(a, op{"get-decision", "GET", "/models/{model}/versions/{version}/decision",
		"The newest decision about a version", auth.Read, 0},
		func(ctx context.Context, in *struct {
			ModelInput
			Version int64 `path:"version"`
		}) (*gate.Record, error) {
			p, err := existing(ctx)
			if err != nil {
				return nil, err
			}
			return a.Gate.Latest(ctx, p, in.Model, in.Version)
		})
}
