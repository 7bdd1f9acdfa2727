package rest

import (
	"context"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/monitor"
	"github.com/fairlead-ml/fairlead/store"
)

// RangeInput is a stretch of stream time; zero values leave an end open.
type RangeInput struct {
	From time.Time `query:"from" doc:"stream time, RFC 3339"`
	To   time.Time `query:"to" doc:"stream time, RFC 3339"`
}

// WindowsInput selects windows.
type WindowsInput struct {
	EndpointInput
	RangeInput
	Paging
	Kind string `query:"kind" enum:"drift,performance"`
}

// RealisedInput selects what to compute over which stretches.
type RealisedInput struct {
	EndpointInput
	RangeInput
	Paging
	Metric string `query:"metric" required:"true"`
	By     string `query:"by" default:"month" enum:"day,month"`
}

func (a *API) monitorOperations() {
	register(a, op{id: "list-windows", method: "GET", path: "/endpoints/{endpoint}/windows",
		summary: "The judged windows of an endpoint", may: auth.Read}, a.windows)
	register(a, op{id: "get-realised", method: "GET", path: "/endpoints/{endpoint}/realised",
		summary: "A metric on the joined ground truth, by day or month, of what was served and of each version",
		may:     auth.Read}, a.realised)
	register(a, op{id: "list-incidents", method: "GET", path: "/incidents",
		summary: "List incidents, the newest first", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *struct {
			ListInput
			Endpoint string `query:"endpoint" doc:"full name; empty for all"`
		}) (out fairlead.Page[*monitor.Incident], err error) {
			all, err := a.Monitor.Incidents(ctx, p, in.Endpoint)
			if err != nil {
				return out, err
			}
			return cut(all, in.Paging, list(p, "incidents", in.Endpoint),
				func(i *monitor.Incident) string { return i.ID })
		})
	register(a, op{id: "get-incident", method: "GET", path: "/incidents/{incident}",
		summary: "One incident", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *struct {
			InProject
			Incident string `path:"incident"`
		}) (*monitor.Incident, error) {
			return read(ctx, a, func(tx *store.Tx) (*monitor.Incident, error) { return a.Monitor.Incident(tx, p, in.Incident) })
		})
}

func (a *API) windows(ctx context.Context, p fairlead.Project, in *WindowsInput) (
	out fairlead.Page[*monitor.Window], err error) {
	name, err := a.fullName(ctx, p, in.Endpoint)
	if err != nil {
		return out, err
	}
	all, err := a.Monitor.Windows(ctx, p, name, monitor.Kind(in.Kind), in.From, in.To)
	if err != nil {
		return out, err
	}
	return cut(all, in.Paging, list(p, "windows", name, in.Kind, in.From, in.To), func(w *monitor.Window) string {
		return string(w.Kind) + " " + number(w.Version) + " " + number(fairlead.MS(w.From))
	})
}

func (a *API) realised(ctx context.Context, p fairlead.Project, in *RealisedInput) (
	out fairlead.Page[monitor.Period], err error) {
	name, err := a.fullName(ctx, p, in.Endpoint)
	if err != nil {
		return out, err
	}
	all, err := a.Monitor.Realised(ctx, p, name, in.Metric, in.By, in.From, in.To)
	if err != nil {
		return out, err
	}
	return cut(all, in.Paging, list(p, "realised", name, in.Metric, in.By, in.From, in.To),
		func(m monitor.Period) string { return number(fairlead.MS(m.From)) })
}
