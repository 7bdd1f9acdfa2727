package rest

import (
	"context"
	"encoding/json"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/store"
)

// Job is a piece of durable work. Its times are wall time.
type Job struct {
	ID          string          `json:"id"`
	Kind        string          `json:"kind"`
	Key         string          `json:"key,omitempty" doc:"what it is about"`
	State       job.State       `json:"state" enum:"queued,running,done,failed,cancelled"`
	Progress    string          `json:"progress,omitempty" doc:"what it was last seen doing"`
	Error       string          `json:"error,omitempty" doc:"of the last attempt that failed"`
	Result      json.RawMessage `json:"result,omitempty"`
	Attempt     int             `json:"attempt" doc:"runs that failed by themselves, and the present one"`
	MaxAttempts int             `json:"max_attempts"`
	Losses      int             `json:"losses" doc:"runs that ended because a server or a machine died"`
	CauseEvent  string          `json:"cause_event,omitempty"`
	RunAt       time.Time       `json:"run_at" doc:"not before"`
	CreatedAt   time.Time       `json:"created_at"`
	StartedAt   time.Time       `json:"started_at,omitzero"`
	CancelledAt time.Time       `json:"cancelled_at,omitzero" doc:"when somebody asked"`
	FinishedAt  time.Time       `json:"finished_at,omitzero"`
}

func newJob(j *job.Job) *Job {
	return &Job{
		ID: j.ID, Kind: j.Kind, Key: j.Key, State: j.State, Progress: j.Progress, Error: j.Error,
		Result: j.Result, Attempt: j.Attempt, MaxAttempts: j.MaxAttempts, Losses: j.Losses,
		CauseEvent: j.CauseEvent, RunAt: j.RunAt, CreatedAt: j.Created, StartedAt: j.Started,
		CancelledAt: j.CancelledAt, FinishedAt: j.Finished,
	}
}

// JobInput names a job.
type JobInput struct {
	InProject
	Job string `path:"job"`
}

func (a *API) jobOperations() {
	register(a, op{id: "list-jobs", method: "GET", path: "/jobs",
		summary: "List jobs, the newest first", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *struct {
			ListInput
			Kind  string `query:"kind"`
			State string `query:"state" enum:"queued,running,done,failed,cancelled"`
		}) (out fairlead.Page[*Job], err error) {
			f := job.Filter{Kind: in.Kind, State: job.State(in.State)}
			page, err := a.Jobs.List(ctx, p.K, f, in.Page, in.Limit)
			if err != nil {
				return out, err
			}
			out.Next, out.Items = page.Next, make([]*Job, len(page.Items))
			for i, j := range page.Items {
				out.Items[i] = newJob(j)
			}
			return out, nil
		})
	register(a, op{id: "get-job", method: "GET", path: "/jobs/{job}",
		summary: "One job; with wait, once it is finished", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *struct {
			JobInput
			Waiting
		}) (out *Job, err error) {
			err = a.until(ctx, in.Waiting, func() (bool, error) {
				j, err := a.Jobs.Get(ctx, p.K, in.Job)
				if err != nil {
					return false, err
				}
				out = newJob(j)
				return j.State.Final(), nil
			})
			return out, err
		})
	register(a, op{id: "cancel-job", method: "POST", path: "/jobs/{job}/cancel",
		summary: "Cancel a job; one that is finished is left alone", may: auth.Run, status: 202},
		func(ctx context.Context, p fairlead.Project, in *JobInput) (*Job, error) {
			err := a.DB.Write(ctx, store.Control, func(tx *store.Tx) error {
				return a.Jobs.Cancel(ctx, tx, p.K, in.Job)
			})
			if err != nil {
				return nil, err
			}
			j, err := a.Jobs.Get(ctx, p.K, in.Job)
			if err != nil {
				return nil, err
			}
			return newJob(j), nil
		})
}
