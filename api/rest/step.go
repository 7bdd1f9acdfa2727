package rest

import (
	"context"
	"strings"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/pipeline"
)

// StepInput names a step of a pipeline run.
type StepInput struct {
	RunInput
	Step string `path:"step" doc:"train, or train@3 for the one of try 3, or train@refit"`
}

// LogInput asks for what a step printed.
type LogInput struct {
	StepInput
	Waiting
	Offset  int64 `query:"offset" minimum:"0" doc:"in bytes"`
	Attempt int   `query:"attempt" minimum:"0" doc:"from 1; 0, the default, is the newest"`
}

// LogPart is a stretch of what a step printed.
type LogPart struct {
	Text     string `json:"text" doc:"stdout and stderr in the order of printing; empty: nothing more yet"`
	Skipped  int64  `json:"skipped" doc:"bytes before the text that were dropped: the step printed too much"`
	Next     int64  `json:"next" doc:"offset to continue from"`
	End      int64  `json:"end" doc:"bytes that were printed so far"`
	Attempt  int    `json:"attempt" doc:"that printed it"`
	Attempts int    `json:"attempts" doc:"that the step has begun"`
	Done     bool   `json:"done" doc:"nothing will follow"`
}

// logTick is how often a request that waits for a step to print looks.
const logTick = 100 * time.Millisecond

func (a *API) stepOperations() {
	register(a, op{id: "list-steps", method: "GET", path: "/pipeline-runs/{run}/steps",
		summary: "The steps of a pipeline run that have begun", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *struct {
			RunInput
			Paging
			Brief bool `query:"brief" doc:"without the metrics that they printed and what they made"`
		}) (fairlead.Page[*pipeline.Step], error) {
			return filled(a.Pipeline.Steps(ctx, p, in.Run, pipeline.StepList{Page: in.Page,
				Limit: in.Limit, Brief: in.Brief}))
		})
	register(a, op{id: "why-steps", method: "GET", path: "/pipeline-runs/{run}/why",
		summary: "Why the steps of a run ran, or did not, in the order of list-steps", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *struct {
			RunInput
			Paging
		}) (fairlead.Page[*pipeline.Why], error) {
			return filled(a.Pipeline.Whys(ctx, p, in.Run, in.Page, in.Limit))
		})
	register(a, op{id: "get-step", method: "GET", path: "/pipeline-runs/{run}/steps/{step}",
		summary: "One step with its command, params, inputs, outputs and metrics", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *StepInput) (*pipeline.Detail, error) {
			return a.Pipeline.Step(ctx, p, in.Run, in.Step)
		})
	register(a, op{id: "why-step", method: "GET", path: "/pipeline-runs/{run}/steps/{step}/why",
		summary: "Why a step ran, or did not: what changed in its cache key", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *StepInput) (*pipeline.Why, error) {
			return a.Pipeline.Why(ctx, p, in.Run, in.Step)
		})
	register(a, op{id: "get-step-log", method: "GET", path: "/pipeline-runs/{run}/steps/{step}/log",
		summary: "What a step printed; with wait, once there is more", may: auth.Read}, a.stepLog)
}

func (a *API) stepLog(ctx context.Context, p fairlead.Project, in *LogInput) (out LogPart, err error) {
	tick := time.NewTicker(logTick)
	defer tick.Stop()
	err = a.untilOr(ctx, in.Waiting, tick.C, func() (bool, error) {
		part, err := a.Pipeline.Log(ctx, p, in.Run, in.Step,
			pipeline.LogRead{Offset: in.Offset, Attempt: in.Attempt})
		if err != nil {
			return false, err
		}
		out = LogPart{Text: strings.ToValidUTF8(string(part.Data), "\uFFFD"), Skipped: part.Skipped,
			Next: part.Next, End: part.End, Attempt: part.Attempt, Attempts: part.Attempts, Done: part.Done}
		return len(part.Data) > 0 || part.Done, nil
	})
	return out, err
}
