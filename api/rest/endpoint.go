package rest

import (
	"context"
	"strings"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/label"
	"github.com/fairlead-ml/fairlead/monitor"
	"github.com/fairlead-ml/fairlead/release"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/stream"
)

// Endpoint is what an endpoint should serve, and where its clock stands.
type Endpoint struct {
	*release.Assignment
	Clock stream.State `json:"clock"`
}

type EndpointInput struct {
	InProject
	Endpoint string `path:"endpoint" doc:"model@environment, or the model's bare name for the last environment"`
}

// endpoint returns the project and the endpoint's full name.
func (a *API) endpoint(ctx context.Context, name string) (fairlead.Project, string, error) {
	p, err := existing(ctx)
	if err != nil {
		return p, "", err
	}
	full, err := a.fullName(ctx, p, name)
	return p, full, err
}

// fullName completes a model's bare name with the project's last environment. The
// endpoint need not exist yet.
func (a *API) fullName(ctx context.Context, p fairlead.Project, name string) (string, error) {
	if strings.Contains(name, "@") {
		return name, nil
	}
	rev, err := a.Projects.CurrentRevision(ctx, p)
	if err != nil {
		return "", err
	}
	env, ok := rev.Spec.LastEnvironment()
	if !ok {
		return "", fairlead.Errorf(fairlead.Precondition, "%s names no environment under `release`", spec.FileName)
	}
	return release.EndpointName(name, env.Name), nil
}

func (a *API) endpointOperations() {
	register(a, op{"list-endpoints", "GET", "/endpoints", "List the endpoints", auth.Read, 0},
		func(ctx context.Context, _ *InProject) (out fairlead.Page[*release.Assignment], err error) {
			p, err := existing(ctx)
			if err != nil {
				return out, err
			}
			err = a.DB.Read(ctx, func(tx *store.Tx) error {
				out.Items, err = a.Release.Assignments(tx, p)
				return err
			})
			return out, err
		})
	register(a, op{"get-endpoint", "GET", "/endpoints/{endpoint}", "What an endpoint serves", auth.Read, 0},
		func(ctx context.Context, in *EndpointInput) (out Endpoint, err error) {
			p, name, err := a.endpoint(ctx, in.Endpoint)
			if err != nil {
				return out, err
			}
			err = a.DB.Read(ctx, func(tx *store.Tx) error {
				out.Assignment, err = a.Release.Assignment(tx, p, name)
				return err
			})
			if err != nil {
				return out, err
			}
			out.Clock, err = a.Stream.Describe(ctx, p, name)
			return out, err
		})
	a.clockOperations()
	a.rolloutOperations()
	a.labelOperations()
	a.monitorOperations()
}

func (a *API) clockOperations() {
	register(a, op{"advance-clock", "PUT", "/endpoints/{endpoint}/clock",
		"Drive the endpoint's stream time, and wait until all that it causes has settled", auth.EventTime, 1 << 10},
		func(ctx context.Context, in *struct {
			InProject
			Endpoint string `path:"endpoint" doc:"the full name; the endpoint need not exist yet"`
			Body     struct {
				To time.Time `json:"to" doc:"stream time"`
			}
		}) (stream.State, error) {
			p, err := existing(ctx)
			if err != nil {
				return stream.State{}, err
			}
			name, err := a.fullName(ctx, p, in.Endpoint)
			if err != nil {
				return stream.State{}, err
			}
			if err := a.Stream.Advance(ctx, p, name, in.Body.To.UTC()); err != nil {
				return stream.State{}, err
			}
			return a.Stream.Describe(ctx, p, name)
		})
	register(a, op{"release-clock", "DELETE", "/endpoints/{endpoint}/clock",
		"Let the endpoint's stream time follow its requests again", auth.EventTime, 0},
		func(ctx context.Context, in *EndpointInput) (struct{}, error) {
			p, name, err := a.endpoint(ctx, in.Endpoint)
			if err != nil {
				return struct{}{}, err
			}
			return struct{}{}, a.Stream.Release(ctx, p, name)
		})
}

type ReasonBody struct {
	Reason string `json:"reason" minLength:"1"`
}

func (a *API) rolloutOperations() {
	register(a, op{"list-rollouts", "GET", "/endpoints/{endpoint}/rollouts", "List rollouts, the newest first", auth.Read, 0},
		func(ctx context.Context, in *EndpointInput) (out fairlead.Page[*release.Rollout], err error) {
			p, name, err := a.endpoint(ctx, in.Endpoint)
			if err != nil {
				return out, err
			}
			err = a.DB.Read(ctx, func(tx *store.Tx) error {
				out.Items, err = a.Release.Rollouts(tx, p, name, 1000)
				return err
			})
			return out, err
		})
	type RolloutInput struct {
		InProject
		Rollout string `path:"rollout"`
	}
	register(a, op{"explain-rollout", "GET", "/rollouts/{rollout}", "A rollout, and what it waits for", auth.Read, 0},
		func(ctx context.Context, in *RolloutInput) (*release.Explanation, error) {
			p, err := existing(ctx)
			if err != nil {
				return nil, err
			}
			return a.Release.Explain(ctx, p, in.Rollout)
		})
	type decide struct {
		RolloutInput
		Body ReasonBody
	}
	change := func(fn func(context.Context, *store.Tx, fairlead.Project, string, string) error) func(context.Context, *decide) (struct{}, error) {
		return func(ctx context.Context, in *decide) (struct{}, error) {
			p, err := existing(ctx)
			if err != nil {
				return struct{}{}, err
			}
			return struct{}{}, a.DB.Write(ctx, store.Control, func(tx *store.Tx) error {
				return fn(ctx, tx, p, in.Rollout, in.Body.Reason)
			})
		}
	}
	register(a, op{"promote-rollout", "POST", "/rollouts/{rollout}/promote", "Promote a rollout by hand", auth.Operate, 4 << 10}, change(a.Release.Promote))
	register(a, op{"roll-back-rollout", "POST", "/rollouts/{rollout}/rollback", "Roll a rollout back", auth.Operate, 4 << 10}, change(a.Release.Rollback))
	register(a, op{"roll-back-endpoint", "POST", "/endpoints/{endpoint}/rollback",
		"Return to the newest version on standby", auth.Operate, 4 << 10},
		func(ctx context.Context, in *struct {
			EndpointInput
			Body ReasonBody
		}) (struct{}, error) {
			p, name, err := a.endpoint(ctx, in.Endpoint)
			if err != nil {
				return struct{}{}, err
			}
			return struct{}{}, a.DB.Write(ctx, store.Control, func(tx *store.Tx) error {
				return a.Release.RollbackEndpoint(ctx, tx, p, name, in.Body.Reason)
			})
		})
	type shadowInput struct {
		EndpointInput
		Version int64 `path:"version"`
	}
	shadow := func(fn func(context.Context, *store.Tx, fairlead.Project, string, int64, string) error) func(context.Context, *shadowInput) (struct{}, error) {
		return func(ctx context.Context, in *shadowInput) (struct{}, error) {
			p, name, err := a.endpoint(ctx, in.Endpoint)
			if err != nil {
				return struct{}{}, err
			}
			return struct{}{}, a.DB.Write(ctx, store.Control, func(tx *store.Tx) error {
				return fn(ctx, tx, p, name, in.Version, "asked for")
			})
		}
	}
	register(a, op{"start-shadow", "PUT", "/endpoints/{endpoint}/shadows/{version}",
		"Let a version score every request and answer none", auth.Operate, 1 << 10}, shadow(a.Release.StartShadow))
	register(a, op{"stop-shadow", "DELETE", "/endpoints/{endpoint}/shadows/{version}", "End a shadow", auth.Operate, 0}, shadow(a.Release.StopShadow))
}

func (a *API) labelOperations() {
	register(a, op{"send-labels", "POST", "/endpoints/{endpoint}/labels",
		"Send ground truth, joined to predictions by request id", auth.Label, 64 << 20},
		func(ctx context.Context, in *struct {
			EndpointInput
			Body struct {
				Labels []label.Truth `json:"labels"`
				Source string        `json:"source,omitempty"`
			}
		}) (*label.Receipt, error) {
			p, name, err := a.endpoint(ctx, in.Endpoint)
			if err != nil {
				return nil, err
			}
			err = a.DB.Read(ctx, func(tx *store.Tx) error {
				_, err := a.Release.Assignment(tx, p, name)
				return err
			})
			if err != nil {
				return nil, err
			}
			return a.Label.Receive(ctx, p, name, in.Body.Labels, in.Body.Source)
		})
}

type RangeInput struct {
	From time.Time `query:"from" doc:"stream time, RFC 3339"`
	To   time.Time `query:"to" doc:"stream time, RFC 3339"`
}

func (a *API) monitorOperations() {
	register(a, op{"list-windows", "GET", "/endpoints/{endpoint}/windows", "The judged windows", auth.Read, 0},
		func(ctx context.Context, in *struct {
			EndpointInput
			RangeInput
			Kind string `query:"kind" enum:"drift,performance"`
		}) (out fairlead.Page[*monitor.Window], err error) {
			p, name, err := a.endpoint(ctx, in.Endpoint)
			if err != nil {
				return out, err
			}
			out.Items, err = a.Monitor.Windows(ctx, p, name, monitor.Kind(in.Kind), in.From, in.To)
			return out, err
		})
	register(a, op{"get-realised", "GET", "/endpoints/{endpoint}/realised",
		"A metric on the joined ground truth, by day or month, of what was served and of each version", auth.Read, 0},
		func(ctx context.Context, in *struct {
			EndpointInput
			RangeInput
			Metric string `query:"metric" required:"true"`
			By     string `query:"by" default:"month" enum:"day,month"`
		}) (out fairlead.Page[monitor.Period], err error) {
			p, name, err := a.endpoint(ctx, in.Endpoint)
			if err != nil {
				return out, err
			}
			out.Items, err = a.Monitor.Realised(ctx, p, name, in.Metric, in.By, in.From, in.To)
			return out, err
		})
	register(a, op{"list-incidents", "GET", "/incidents", "List incidents, the newest first", auth.Read, 0},
		func(ctx context.Context, in *struct {
			InProject
			Endpoint string `query:"endpoint" doc:"full name; empty for all"`
		}) (out fairlead.Page[*monitor.Incident], err error) {
			p, err := existing(ctx)
			if err != nil {
				return out, err
			}
			out.Items, err = a.Monitor.Incidents(ctx, p, in.Endpoint)
			return out, err
		})
}
