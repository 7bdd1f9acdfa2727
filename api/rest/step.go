package rest

import (
	"context"
	"strings"

	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/pipeline"
)

// LogPart is a stretch of what a step printed.
type LogPart struct {
	Text    string `json:"text"`    // stdout and stderr in the order of printing; empty: nothing more yet
	Skipped int64  `json:"skipped"` // bytes before Text that were dropped, because the step printed too much
	Next    int64  `json:"next"`    // offset to continue from
}

func (a *API) stepOperations() {
	type StepInput struct {
		InProject
		Run  string `path:"run"`
		Step string `path:"step"`
	}
	register(a, op{"why-step", "GET", "/pipeline-runs/{run}/steps/{step}/why",
		"Why a step ran, or did not: what changed in its cache key", auth.Read, 0},
		func(ctx context.Context, in *StepInput) (*pipeline.Why, error) {
			p, err := existing(ctx)
			if err != nil {
				return nil, err
			}
			return a.Pipeline.Why(ctx, p, in.Run, in.Step)
		})
	register(a, op{"get-step-log", "GET", "/pipeline-runs/{run}/steps/{step}/log", "What a step printed", auth.Read, 0},
		func(ctx context.Context, in *struct {
			StepInput
			Offset int64 `query:"offset" doc:"in bytes"`
		}) (out LogPart, err error) {
			p, err := existing(ctx)
			if err != nil {
				return out, err
			}
			part, err := a.Pipeline.Log(ctx, p, in.Run, in.Step, in.Offset)
			return LogPart{Text: strings.ToValidUTF8(string(part.Data), "\uFFFD"), Skipped: part.Skipped, Next: part.Next}, err
		})
}
