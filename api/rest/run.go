package rest

import (
	"context"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/pipeline"
)

// RunInput names a pipeline run.
type RunInput struct {
	InProject
	Run string `path:"run"`
}

// StepInput names a step of a pipeline run.
type StepInput struct {
	RunInput
	Step string `path:"step"`
}

// LogPart is a stretch of what a step printed.
type LogPart struct {
	Text    string `json:"text" doc:"stdout and stderr in the order of printing; empty: nothing more yet"`
	Skipped int64  `json:"skipped" doc:"bytes before the text that were dropped: the step printed too much"`
	Next    int64  `json:"next" doc:"offset to continue from"`
}

func (a *API) runOperations() {
	register(a, op{id: "list-pipeline-runs", method: "GET", path: "/pipeline-runs",
		summary: "List pipeline runs, the newest first", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *ListInput) (
			fairlead.Page[*pipeline.Run], error) {
			return filled(a.Pipeline.List(ctx, p, in.Page, in.Limit))
		})
	register(a, op{id: "get-pipeline-run", method: "GET", path: "/pipeline-runs/{run}",
		summary: "One pipeline run with its tries; with wait, once it has ended", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *struct {
			RunInput
			Waiting
		}) (r *pipeline.Run, err error) {
			err = a.until(ctx, in.Waiting, func() (bool, error) {
				r, err = a.Pipeline.Get(ctx, p, in.Run)
				return err == nil && r.State.Final(), err
			})
			return r, err
		})
	register(a, op{id: "cancel-pipeline-run", method: "POST", path: "/pipeline-runs/{run}/cancel",
		summary: "Cancel a pipeline run", may: auth.Run},
		func(ctx context.Context, p fairlead.Project, in *RunInput) (struct{}, error) {
			return struct{}{}, a.Pipeline.Cancel(ctx, p, in.Run)
		})
	register(a, op{id: "list-steps", method: "GET", path: "/pipeline-runs/{run}/steps",
		summary: "The steps of a pipeline run", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *struct {
			RunInput
			Paging
		}) (out fairlead.Page[*pipeline.Step], err error) {
			all, err := a.Pipeline.Steps(ctx, p, in.Run)
			if err != nil {
				return out, err
			}
			return numbered(all, in.Paging, list(p, "steps", in.Run))
		})
	register(a, op{id: "why-step", method: "GET", path: "/pipeline-runs/{run}/steps/{step}/why",
		summary: "Why a step ran, or did not: what changed in its cache key", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *StepInput) (*pipeline.Why, error) {
			return a.Pipeline.Why(ctx, p, in.Run, in.Step)
		})
	register(a, op{id: "get-step-log", method: "GET", path: "/pipeline-runs/{run}/steps/{step}/log",
		summary: "What a step printed", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *struct {
			StepInput
			Offset int64 `query:"offset" minimum:"0" doc:"in bytes"`
		}) (out LogPart, err error) {
			part, err := a.Pipeline.Log(ctx, p, in.Run, in.Step, in.Offset)
			text := strings.ToValidUTF8(string(part.Data), "\uFFFD")
			return LogPart{Text: text, Skipped: part.Skipped, Next: part.Next}, err
		})
}
