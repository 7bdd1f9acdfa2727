package rest

import (
	"context"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/gate"
	"github.com/fairlead-ml/fairlead/loop"
	"github.com/fairlead-ml/fairlead/store"
)

func (a *API) caseOperations() {
	register(a, op{id: "open-case", method: "POST", path: "/cases", status: 202,
		summary: "Run the project: data, pipeline, package, gate, release", may: auth.Run},
		func(ctx context.Context, p fairlead.Project, in *struct {
			InProject
			Once
		}) (*loop.Case, error) {
			return inTurn(ctx, a, p, in.Key, "open-case", nil, func() (*loop.Case, error) { return a.Loop.Run(ctx, p) })
		})
	register(a, op{id: "make-candidate", method: "PUT", path: "/models/{model}/candidate", status: 202,
		summary: "Make a version the candidate: package, gate and release it", may: auth.Run}, a.makeCandidate)
	register(a, op{id: "list-cases", method: "GET", path: "/cases", summary: "List cases, the newest first", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *struct {
			ListInput
			Model string `query:"model"`
		}) (fairlead.Page[*loop.Case], error) {
			return filled(a.Loop.Cases(ctx, p, in.Model, in.Page, in.Limit))
		})
	register(a, op{id: "get-case", method: "GET", path: "/cases/{case}",
		summary: "One case; with wait, once it is closed", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *struct {
			InProject
			Waiting
			Case string `path:"case"`
		}) (c *loop.Case, err error) {
			err = a.until(ctx, in.Waiting, func() (bool, error) {
				c, err = a.Loop.Case(ctx, p, in.Case)
				return err == nil && c.State == loop.Closed, err
			})
			return c, err
		})
	a.loopOperations()
	a.decisionOperations()
}

// CandidateInput says which version is to be the candidate.
type CandidateInput struct {
	ModelInput
	Once
	Body struct {
		Version int64 `json:"version" minimum:"1"`
	}
}

func (a *API) makeCandidate(ctx context.Context, p fairlead.Project, in *CandidateInput) (*loop.Case, error) {
	return inTurn(ctx, a, p, in.Key, "make-candidate", in, func() (*loop.Case, error) {
		return a.Loop.Candidate(ctx, p, in.Model, in.Body.Version)
	})
}

func (a *API) loopOperations() {
	register(a, op{id: "explain-loop", method: "GET", path: "/loop/{model}",
		summary: "What the loop does for a model, and why", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *ModelInput) (*loop.Explanation, error) {
			return a.Loop.Explain(ctx, p, in.Model)
		})
	register(a, op{id: "pause-loop", method: "PUT", path: "/loop/{model}/pause",
		summary: "Pause or resume the loop of a model", may: auth.Operate},
		func(ctx context.Context, p fairlead.Project, in *struct {
			ModelInput
			Body struct {
				Paused bool   `json:"paused"`
				Reason string `json:"reason,omitempty"`
			}
		}) (struct{}, error) {
			return struct{}{}, a.Loop.Pause(ctx, p, in.Model, in.Body.Paused, in.Body.Reason)
		})
}

func (a *API) decisionOperations() {
	register(a, op{id: "explain-decision", method: "GET", path: "/decisions/{decision}",
		summary: "A gate's decision, check by check", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *struct {
			InProject
			Decision string `path:"decision"`
			Replay   bool   `query:"replay" doc:"compute it again from what it was made from; 409 if it does not come out the same"`
		}) (*gate.Explanation, error) {
			return a.Gate.Explain(ctx, p, in.Decision, in.Replay)
		})
	register(a, op{id: "get-decision", method: "GET", path: "/models/{model}/versions/{version}/decision",
		summary: "The newest decision about a version", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *VersionInput) (*gate.Record, error) {
			return a.Gate.Latest(ctx, p, in.Model, in.Version)
		})
	register(a, op{id: "get-evidence", method: "GET", path: "/evidence/{evidence}",
		summary: "A snapshot of facts that a decision was made from", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *struct {
			InProject
			Evidence string `path:"evidence"`
		}) (*gate.Evidence, error) {
			return read(ctx, a, func(tx *store.Tx) (*gate.Evidence, error) { return a.Gate.Evidence(tx, p, in.Evidence) })
		})
}
