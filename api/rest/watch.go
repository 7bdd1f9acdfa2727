package rest

import (
	"context"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/loop"
	"github.com/fairlead-ml/fairlead/monitor"
	"github.com/fairlead-ml/fairlead/release"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/stream"
)

// Monitoring is how one endpoint stands.
type Monitoring struct {
	Endpoint    string       `json:"endpoint"`
	Environment string       `json:"environment"`
	Model       string       `json:"model"`
	Live        int64        `json:"live" doc:"the version that answers; 0: none"`
	Clock       stream.State `json:"clock"`
	monitor.Status
}

// Incident is one incident, and what the loop did about it.
type Incident struct {
	*monitor.Incident
	*loop.Response
}

// HistoryInput says which windows to draw, and as how many pieces.
type HistoryInput struct {
	EndpointInput
	RangeInput
	Page      string `query:"page" doc:"the next of the page before; only with the same filter"`
	Stretches int    `query:"stretches" default:"400" minimum:"1" maximum:"1000" doc:"at most so many; where the version changes there may be one more"`
}

func (a *API) watchOperations() {
	register(a, op{id: "list-monitoring", method: "GET", path: "/monitoring",
		summary: "How each endpoint stands: its newest windows and open incidents", may: auth.Read}, a.monitoring)
	register(a, op{id: "get-monitoring", method: "GET", path: "/endpoints/{endpoint}/monitoring",
		summary: "How an endpoint stands: its newest windows and open incidents", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *EndpointInput) (out Monitoring, err error) {
			name, err := a.fullName(ctx, p, in.Endpoint)
			if err != nil {
				return out, err
			}
			return read(ctx, a, func(tx *store.Tx) (out Monitoring, err error) {
				as, err := a.Release.Assignment(tx, p, name)
				if err != nil {
					return out, err
				}
				return a.stands(tx, p, as)
			})
		})
	register(a, op{id: "get-drift-history", method: "GET", path: "/endpoints/{endpoint}/drift",
		summary: "The drift of each feature over the newest windows; of more than fit, the worst of each stretch",
		may:     auth.Read},
		func(ctx context.Context, p fairlead.Project, in *HistoryInput) (out monitor.DriftHistory, err error) {
			h, err := a.history(ctx, p, in)
			if err != nil {
				return out, err
			}
			return a.Monitor.Drifts(ctx, p, h, in.Page)
		})
	register(a, op{id: "get-performance-history", method: "GET", path: "/endpoints/{endpoint}/performance",
		summary: "The realised metric of each version over the newest windows, and the share of labels",
		may:     auth.Read},
		func(ctx context.Context, p fairlead.Project, in *HistoryInput) (out monitor.PerformanceHistory, err error) {
			h, err := a.history(ctx, p, in)
			if err != nil {
				return out, err
			}
			return a.Monitor.Performances(ctx, p, h, in.Page)
		})
	register(a, op{id: "get-distribution", method: "GET", path: "/endpoints/{endpoint}/distribution",
		summary: "A feature in one window beside the reference; of several windows, the worst",
		may:     auth.Read}, a.distribution)
	a.storyOperations()
}

func (a *API) storyOperations() {
	register(a, op{id: "list-case-events", method: "GET", path: "/cases/{case}/events",
		summary: "What happened in a case, step by step", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *struct {
			InProject
			Case string `path:"case"`
		}) (out fairlead.Page[Event], err error) {
			if _, err := a.Loop.Case(ctx, p, in.Case); err != nil {
				return out, err
			}
			records, err := a.Ledger.About(ctx, p, in.Case, event.CaseOpenedType,
				event.CaseAdvancedType, event.CaseClosedType, event.PipelineRunStartedType,
				event.PipelineRunFinishedType, event.GateDecidedType, event.RolloutStartedType,
				event.RolloutSteppedType, event.RolloutAskedType, event.RolloutFinishedType)
			return fairlead.Page[Event]{Items: told(records)}, err
		})
	register(a, op{id: "list-incident-events", method: "GET", path: "/incidents/{incident}/events",
		summary: "What became of an incident, and of the cases that it led to", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *IncidentInput) (
			out fairlead.Page[Event], err error) {
			if _, err := a.incident(ctx, p, in); err != nil {
				return out, err
			}
			records, err := a.Ledger.About(ctx, p, in.Incident, event.IncidentOpenedType,
				event.IncidentResolvedType, event.CaseOpenedType, event.CaseAdvancedType,
				event.CaseClosedType)
			return fairlead.Page[Event]{Items: told(records)}, err
		})
}

func (a *API) history(ctx context.Context, p fairlead.Project, in *HistoryInput) (h monitor.History,
	err error) {
	h = monitor.History{From: in.From, To: in.To, Stretches: in.Stretches}
	h.Endpoint, err = a.fullName(ctx, p, in.Endpoint)
	return h, err
}

// monitoring lists the endpoints by name; there is one for each environment of a model.
func (a *API) monitoring(ctx context.Context, p fairlead.Project, in *ListInput) (
	fairlead.Page[Monitoring], error) {
	return read(ctx, a, func(tx *store.Tx) (out fairlead.Page[Monitoring], err error) {
		all, err := a.Release.Assignments(tx, p)
		if err != nil {
			return out, err
		}
		page, err := cut(all, in.Paging, list(p, "monitoring"), func(as *release.Assignment) string { return as.Endpoint })
		if err != nil {
			return out, err
		}
		out.Next, out.Items = page.Next, []Monitoring{}
		for _, as := range page.Items {
			m, err := a.stands(tx, p, as)
			if err != nil {
				return out, err
			}
			out.Items = append(out.Items, m)
		}
		return out, nil
	})
}

func (a *API) stands(tx *store.Tx, p fairlead.Project, as *release.Assignment) (out Monitoring,
	err error) {
	out = Monitoring{Endpoint: as.Endpoint, Environment: as.Environment, Model: as.Model,
		Live: as.Version(release.RoleLive)}
	if out.Clock, err = a.Stream.DescribeIn(tx, p, as.Endpoint); err != nil {
		return out, err
	}
	out.Status, err = a.Monitor.Status(tx, p, as.Endpoint)
	return out, err
}

// DistributionInput names a feature, and the windows to look at.
type DistributionInput struct {
	EndpointInput
	Feature string    `query:"feature" required:"true"`
	Version int64     `query:"version" minimum:"0" doc:"of windows of this version alone; 0: of any"`
	From    time.Time `query:"from" required:"true" doc:"stream time, RFC 3339; windows that begin there or later"`
	To      time.Time `query:"to" required:"true" doc:"stream time, RFC 3339; windows that begin before"`
}

func (a *API) distribution(ctx context.Context, p fairlead.Project, in *DistributionInput) (
	*monitor.Distribution, error) {
	name, err := a.fullName(ctx, p, in.Endpoint)
	if err != nil {
		return nil, err
	}
	return a.Monitor.Distribution(ctx, p, monitor.DistributionQuery{Endpoint: name,
		Feature: in.Feature, Version: in.Version, From: in.From, To: in.To})
}

// IncidentInput names an incident.
type IncidentInput struct {
	InProject
	Incident string `path:"incident"`
}

func (a *API) incident(ctx context.Context, p fairlead.Project, in *IncidentInput) (Incident, error) {
	return read(ctx, a, func(tx *store.Tx) (Incident, error) {
		i, err := a.Monitor.Incident(tx, p, in.Incident)
		if err != nil {
			return Incident{}, err
		}
		all, err := a.responded(tx, p, []*monitor.Incident{i})
		if err != nil {
			return Incident{}, err
		}
		return all[0], nil
	})
}

// IncidentsInput selects incidents.
type IncidentsInput struct {
	ListInput
	RangeInput
	Endpoint string `query:"endpoint" doc:"full name; empty for all"`
	Kind     string `query:"kind" enum:"drift,decay"`
	State    string `query:"state" enum:"open,resolved"`
}

func (a *API) incidents(ctx context.Context, p fairlead.Project, in *IncidentsInput) (
	out fairlead.Page[Incident], err error) {
	f := monitor.IncidentFilter{Endpoint: in.Endpoint, Kind: in.Kind, State: in.State,
		From: in.From, To: in.To}
	page, err := a.Monitor.Incidents(ctx, p, f, in.Page, in.Limit)
	if err != nil {
		return out, err
	}
	out.Next = page.Next
	out.Items, err = read(ctx, a, func(tx *store.Tx) ([]Incident, error) {
		return a.responded(tx, p, page.Items)
	})
	return out, err
}

// responded adds what the loop did about the incidents.
func (a *API) responded(tx *store.Tx, p fairlead.Project, incidents []*monitor.Incident) (
	[]Incident, error) {
	did, err := a.Loop.Responses(tx, p, incidents)
	out := []Incident{}
	for _, i := range incidents {
		out = append(out, Incident{i, did[i.ID]})
	}
	return out, err
}
