package rest

import (
	"context"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/monitor"
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
		summary: "List incidents and what the loop did about them, the newest first", may: auth.Read}, a.incidents)
	register(a, op{id: "get-incident", method: "GET", path: "/incidents/{incident}",
		summary: "One incident and what the loop did about it", may: auth.Read}, a.incident)
	a.watchOperations()
}

func (a *API) windows(ctx context.Context, p fairlead.Project, in *WindowsInput) (
	out fairlead.Page[*monitor.Window], err error) {
	name, err := a.fullName(ctx, p, in.Endpoint)
	if err != nil {
		return out, err
	}
	f := monitor.WindowFilter{Endpoint: name, Kind: monitor.Kind(in.Kind), From: in.From, To: in.To}
	return filled(a.Monitor.Windows(ctx, p, f, in.Page, in.Limit))
}

func (a *API) realised(ctx context.Context, p fairlead.Project, in *RealisedInput) (
	out fairlead.Page[monitor.Period], err error) {
	name, err := a.fullName(ctx, p, in.Endpoint)
	if err != nil {
		return out, err
	}
	q := monitor.RealisedQuery{Endpoint: name, Metric: in.Metric, By: in.By, From: in.From, To: in.To}
	return filled(a.Monitor.Realised(ctx, p, q, in.Page, in.Limit))
}
