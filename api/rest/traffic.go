package rest

import (
	"context"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/release"
	"github.com/fairlead-ml/fairlead/serving"
	"github.com/fairlead-ml/fairlead/store"
)

// ServedEndpoint is how the versions of an endpoint do, and how they answered.
type ServedEndpoint struct {
	*serving.Traffic
	Variants []serving.VariantState `json:"variants"`
	Failures []serving.Failure      `json:"failures,omitempty" doc:"of one endpoint: what went wrong, the newest first, at any time"`
}

// TrafficRange selects a stretch of time and how finely it is shown.
type TrafficRange struct {
	Clock  string `query:"clock" enum:"wall,event" doc:"when requests arrived, or the event time that they brought; without it event where there is any"`
	Last   string `query:"last" default:"24h" doc:"how far back, such as 90m; by event time from the newest request"`
	Points int    `query:"points" default:"300" minimum:"1" maximum:"2000" doc:"at most about so many steps"`
}

func (r TrafficRange) query() (q serving.TrafficQuery, err error) {
	q.Clock, q.Points = r.Clock, r.Points
	if q.Last, err = time.ParseDuration(r.Last); err != nil || q.Last <= 0 {
		return q, fairlead.Errorf(fairlead.Invalid,
			"last is %q; it must be a positive duration such as 90m or 24h", r.Last)
	}
	return q, nil
}

// TrafficInput selects the traffic of one endpoint.
type TrafficInput struct {
	EndpointInput
	TrafficRange
	From time.Time `query:"from" doc:"RFC 3339, by the clock that is asked for; last counts without it"`
	To   time.Time `query:"to" doc:"RFC 3339; now without it, or the newest request by event time"`
}

func (a *API) trafficOperations() {
	register(a, op{id: "list-traffic", method: "GET", path: "/traffic",
		summary: "How the versions of each endpoint do, and how they answered of late", may: auth.Read},
		a.listTraffic)
	register(a, op{id: "get-traffic", method: "GET", path: "/endpoints/{endpoint}/traffic",
		summary: "Requests, errors and latency of an endpoint by version, over time", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *TrafficInput) (out ServedEndpoint, err error) {
			name, err := a.fullName(ctx, p, in.Endpoint)
			if err != nil {
				return out, err
			}
			q, err := in.query()
			if err != nil {
				return out, err
			}
			q.From, q.To = in.From, in.To
			return read(ctx, a, func(tx *store.Tx) (ServedEndpoint, error) {
				as, err := a.Release.Assignment(tx, p, name)
				if err != nil {
					return out, err
				}
				if out, err = a.servedBy(tx, p, as, q); err != nil {
					return out, err
				}
				out.Failures, err = a.Serving.Failures(tx, p, name)
				return out, err
			})
		})
	register(a, op{id: "get-form", method: "GET", path: "/endpoints/{endpoint}/form",
		summary: "What an endpoint's live version takes and gives, with values that it has seen", may: auth.Read},
		a.form)
}

func (a *API) servedBy(tx *store.Tx, p fairlead.Project, as *release.Assignment, q serving.TrafficQuery) (
	out ServedEndpoint, err error) {
	out.Variants = a.Serving.States(p, as)
	out.Traffic, err = a.Serving.Traffic(tx, p, as.Endpoint, q)
	return out, err
}

func (a *API) listTraffic(ctx context.Context, p fairlead.Project, in *struct {
	ListInput
	TrafficRange
}) (out fairlead.Page[ServedEndpoint], err error) {
	q, err := in.query()
	if err != nil {
		return out, err
	}
	err = a.DB.Read(ctx, func(tx *store.Tx) error {
		all, err := a.Release.Assignments(tx, p)
		if err != nil {
			return err
		}
		page, err := cut(all, in.Paging, list(p, "traffic"), func(as *release.Assignment) string { return as.Endpoint })
		if err != nil {
			return err
		}
		out.Next, out.Items = page.Next, []ServedEndpoint{}
		for _, as := range page.Items {
			served, err := a.servedBy(tx, p, as, q)
			if err != nil {
				return err
			}
			out.Items = append(out.Items, served)
		}
		return nil
	})
	return out, err
}
