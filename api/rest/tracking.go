package rest

import (
	"context"
	"math"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/tracking"
)

// RunsInput is a search for tracked runs; docs/search.md is its language.
type RunsInput struct {
	FoundRuns
	Paging
	Order  []string `query:"order,explode" maxItems:"20" doc:"such as metrics.auc DESC"`
	Select []string `query:"select,explode" maxItems:"1000" doc:"metrics, params, tags; default: all"`
	Count  bool     `query:"count" doc:"say only how many there are"`
}

// RunHead is what is told of a tracked run wherever one is.
type RunHead struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Experiment string `json:"experiment" doc:"its id"`
	User       string `json:"user"`
	Status     string `json:"status"`
	State      string `json:"state" doc:"active or deleted"`
	StartMS    int64  `json:"start_ms"`
	EndMS      int64  `json:"end_ms,omitempty"`
}

func headOf(r *tracking.Run) RunHead {
	return RunHead{r.ID, r.Name, r.ExperimentID, r.User, r.Status, r.State, r.StartMS, r.EndMS}
}

// Run is a tracked run.
type Run struct {
	RunHead
	ArtifactURI string              `json:"artifact_uri"`
	Metrics     map[string]*float64 `json:"metrics" doc:"the newest values; null for NaN"`
	Params      map[string]string   `json:"params"`
	Tags        map[string]string   `json:"tags"`
}

// Runs is a page of runs, or their count.
type Runs struct {
	Items []Run  `json:"items"`
	Next  string `json:"next,omitempty"`
	Count *int64 `json:"count,omitempty" doc:"of all pages; with count=true alone"`
}

// TrackedRunInput names a tracked run.
type TrackedRunInput struct {
	InProject
	Run string `path:"run"`
}

// ChartInput asks for the history of a metric of a run.
type ChartInput struct {
	TrackedRunInput
	Key     string `query:"key" required:"true"`
	Buckets int    `query:"buckets" default:"500" minimum:"1" maximum:"2000"`
}

func (a *API) trackingOperations() {
	register(a, op{id: "search-runs", method: "GET", path: "/runs",
		summary: "Search the runs of all experiments", may: auth.Read}, a.searchRuns)
	register(a, op{id: "list-run-metrics", method: "GET", path: "/runs/{run}/metrics",
		summary: "The metrics of a run by key: last, min, max and best", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *struct {
			TrackedRunInput
			Paging
		}) (fairlead.Page[*tracking.MetricSummary], error) {
			return filled(a.Tracking.Metrics(ctx, p, in.Run, in.Limit, in.Page))
		})
	register(a, op{id: "chart-run-metric", method: "GET", path: "/runs/{run}/chart",
		summary: "The history of a metric, thinned to buckets with exact extremes", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *ChartInput) (*tracking.Chart, error) {
			return a.Tracking.Chart(ctx, p, in.Run, in.Key, in.Buckets)
		})
}

func (a *API) searchRuns(ctx context.Context, p fairlead.Project, in *RunsInput) (*Runs, error) {
	search := in.search()
	search.OrderBy, search.Select = in.Order, in.Select
	search.Limit, search.PageToken = in.Limit, in.Page
	out := &Runs{Items: []Run{}}
	if in.Count {
		n, err := a.Tracking.CountRuns(ctx, p, search)
		out.Count = &n
		return out, err
	}
	page, err := a.Tracking.SearchRuns(ctx, p, search)
	for _, r := range page.Items {
		out.Items = append(out.Items, newRun(r))
	}
	out.Next = page.Next
	return out, err
}

func newRun(r *tracking.Run) Run {
	out := Run{RunHead: headOf(r), ArtifactURI: r.ArtifactURI(), Metrics: map[string]*float64{},
		Params: map[string]string{}, Tags: map[string]string{}}
	for i := range r.Metrics {
		m := &r.Metrics[i]
		out.Metrics[m.Key] = &m.Value
		if math.IsNaN(m.Value) {
			out.Metrics[m.Key] = nil
		}
	}
	for _, q := range r.Params {
		out.Params[q.Key] = q.Value
	}
	for _, t := range r.Tags {
		out.Tags[t.Key] = t.Value
	}
	return out
}
