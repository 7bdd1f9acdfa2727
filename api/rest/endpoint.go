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

// Endpoint is what an endpoint should serve, where its clock stands, and how it did of
// late.
type Endpoint struct {
	*release.Assignment
	Clock       stream.State    `json:"clock"`
	Drift       *monitor.Window `json:"drift,omitempty" doc:"the newest window"`
	Performance *monitor.Window `json:"performance,omitempty" doc:"the newest window"`
}

// EndpointInput names an endpoint, which need not exist yet.
type EndpointInput struct {
	InProject
	Endpoint string `path:"endpoint" doc:"model@environment, or the model's bare name for the last environment"`
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
		return "", fairlead.Errorf(fairlead.Precondition, "%s names no environment under `release`",
			spec.FileName)
	}
	return release.EndpointName(name, env.Name), nil
}

// served adds to what was reported of an assignment what keeps it from being served now.
func (a *API) served(p fairlead.Project, as *release.Assignment) {
	if err := a.Serving.Failing(p, as.Endpoint); err != nil {
		as.Failure = fairlead.MessageOf(err)
	}
}

func (a *API) endpointOperations() {
	register(a, op{id: "list-endpoints", method: "GET", path: "/endpoints",
		summary: "List the endpoints by name", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *ListInput) (
			out fairlead.Page[*release.Assignment], err error) {
			all, err := read(ctx, a, func(tx *store.Tx) ([]*release.Assignment, error) {
				return a.Release.Assignments(tx, p)
			})
			if err != nil {
				return out, err
			}
			for _, as := range all {
				a.served(p, as)
			}
			return cut(all, in.Paging, list(p, "endpoints"),
				func(e *release.Assignment) string { return e.Endpoint })
		})
	register(a, op{id: "get-endpoint", method: "GET", path: "/endpoints/{endpoint}",
		summary: "What an endpoint serves, where its stream time stands, and its newest windows",
		may:     auth.Read},
		func(ctx context.Context, p fairlead.Project, in *EndpointInput) (out Endpoint, err error) {
			name, err := a.fullName(ctx, p, in.Endpoint)
			if err != nil {
				return out, err
			}
			err = a.DB.Read(ctx, func(tx *store.Tx) error {
				if out.Assignment, err = a.Release.Assignment(tx, p, name); err != nil {
					return err
				}
				if out.Drift, err = a.Monitor.Newest(tx, p, name, monitor.Drift); err != nil {
					return err
				}
				out.Performance, err = a.Monitor.Newest(tx, p, name, monitor.Performance)
				return err
			})
			if err != nil {
				return out, err
			}
			a.served(p, out.Assignment)
			out.Clock, err = a.Stream.Describe(ctx, p, name)
			return out, err
		})
	register(a, op{id: "send-labels", method: "POST", path: "/endpoints/{endpoint}/labels",
		summary: "Send ground truth, joined to predictions by request id",
		may:     auth.Label, limit: 16 << 20},
		func(ctx context.Context, p fairlead.Project, in *struct {
			EndpointInput
			Body struct {
				Labels []label.Truth `json:"labels"`
				Source string        `json:"source,omitempty"`
			}
		}) (*label.Receipt, error) {
			name, err := a.fullName(ctx, p, in.Endpoint)
			if err != nil {
				return nil, err
			}
			// A misspelt name would keep labels that nothing can join.
			err = a.DB.Read(ctx, func(tx *store.Tx) error {
				_, err := a.Release.Assignment(tx, p, name)
				return err
			})
			if err != nil {
				return nil, err
			}
			return a.Label.Receive(ctx, p, name, in.Body.Labels, in.Body.Source)
		})
	a.clockOperations()
}

// ClockInput says where to drive an endpoint's stream time.
type ClockInput struct {
	EndpointInput
	Body struct {
		To time.Time `json:"to" doc:"stream time"`
	}
}

func (a *API) clockOperations() {
	register(a, op{id: "advance-clock", method: "PUT", path: "/endpoints/{endpoint}/clock",
		summary: "Drive the endpoint's stream time, and wait until all that it causes has settled",
		may:     auth.EventTime},
		func(ctx context.Context, p fairlead.Project, in *ClockInput) (out stream.State, err error) {
			name, err := a.fullName(ctx, p, in.Endpoint)
			if err != nil {
				return out, err
			}
			ctx, cancel := a.interruptible(ctx)
			defer cancel()
			if err := a.Stream.Advance(ctx, p, name, in.Body.To.UTC()); err != nil {
				return out, stoppedOr(ctx, err)
			}
			return a.Stream.Describe(ctx, p, name)
		})
	register(a, op{id: "release-clock", method: "DELETE", path: "/endpoints/{endpoint}/clock",
		summary: "Let the endpoint's stream time follow its requests again", may: auth.EventTime},
		func(ctx context.Context, p fairlead.Project, in *EndpointInput) (struct{}, error) {
			name, err := a.fullName(ctx, p, in.Endpoint)
			if err != nil {
				return struct{}{}, err
			}
			return struct{}{}, a.Stream.Release(ctx, p, name)
		})
}
