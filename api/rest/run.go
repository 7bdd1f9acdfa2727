package rest

import (
	"context"
	"slices"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/pipeline"
	"github.com/fairlead-ml/fairlead/store"
)

// RunInput names a pipeline run.
type RunInput struct {
	InProject
	Run string `path:"run"`
}

// RunsOfPipelineInput asks for pipeline runs.
type RunsOfPipelineInput struct {
	ListInput
	State string `query:"state" enum:"queued,running,succeeded,failed,cancelled" doc:"default: all"`
}

// GetRunInput asks for a pipeline run.
type GetRunInput struct {
	RunInput
	Waiting
	Tries bool `query:"tries" default:"true" doc:"false leaves the tries of a search out; list-tries has them by pages"`
}

func (a *API) runOperations() {
	register(a, op{id: "list-pipeline-runs", method: "GET", path: "/pipeline-runs",
		summary: "List pipeline runs, the newest first", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *RunsOfPipelineInput) (
			fairlead.Page[*pipeline.Run], error) {
			return filled(a.Pipeline.List(ctx, p, pipeline.RunList{State: pipeline.State(in.State),
				Page: in.Page, Limit: in.Limit}))
		})
	register(a, op{id: "get-pipeline-run", method: "GET", path: "/pipeline-runs/{run}",
		summary: "One pipeline run with its tries; with wait, once it has ended", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *GetRunInput) (r *pipeline.Run, err error) {
			err = a.until(ctx, in.Waiting, func() (bool, error) {
				r, err = a.Pipeline.Get(ctx, p, in.Run)
				return err == nil && r.State.Final(), err
			})
			if err == nil && !in.Tries {
				r.Tries = slices.DeleteFunc(r.Tries, func(t pipeline.Try) bool { return t.N > 0 })
			}
			return r, err
		})
	register(a, op{id: "cancel-pipeline-run", method: "POST", path: "/pipeline-runs/{run}/cancel",
		summary: "Cancel a pipeline run", may: auth.Run},
		func(ctx context.Context, p fairlead.Project, in *RunInput) (struct{}, error) {
			return struct{}{}, a.Pipeline.Cancel(ctx, p, in.Run)
		})
	register(a, op{id: "rerun-pipeline", method: "POST", path: "/pipeline-runs/{run}/rerun", status: 202,
		summary: "Do a pipeline run that has ended again from a step on", may: auth.Run}, a.rerun)
	register(a, op{id: "get-pipeline-graph", method: "GET", path: "/pipeline-runs/{run}/graph",
		summary: "The steps of a pipeline run and what passes between them, begun or not", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *RunInput) (*pipeline.Graph, error) {
			return a.Pipeline.Graph(ctx, p, in.Run)
		})
	register(a, op{id: "list-tries", method: "GET", path: "/pipeline-runs/{run}/tries",
		summary: "The tries of a search, with their metrics", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *struct {
			RunInput
			Paging
			Order string `query:"order" enum:"number,best" default:"number" doc:"best: those without a value come last"`
		}) (fairlead.Page[*pipeline.Result], error) {
			return filled(a.Pipeline.Tries(ctx, p, in.Run, pipeline.TryList{Best: in.Order == "best",
				Page: in.Page, Limit: in.Limit}))
		})
	a.stepOperations()
}

// RerunInput says from which step on a run is done again.
type RerunInput struct {
	RunInput
	Once
	Body struct {
		From string `json:"from" minLength:"1" maxLength:"300" doc:"train, or train@3 for try 3 alone, or train@refit"`
	}
}

func (a *API) rerun(ctx context.Context, p fairlead.Project, in *RerunInput) (*pipeline.Run, error) {
	return atomically(ctx, a, p, in.Key, "rerun-pipeline", in, func(tx *store.Tx) (*pipeline.Run, error) {
		return a.Pipeline.Rerun(ctx, tx, p, in.Run, in.Body.From)
	})
}
