package rest

import (
	"context"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/tracking"
	"github.com/fairlead-ml/fairlead/tracking/filter"
)

// FoundRuns are the runs that a filter finds; docs/search.md is its language.
type FoundRuns struct {
	InProject
	Filter      string   `query:"filter" maxLength:"40000" doc:"such as metrics.auc > 0.7"`
	Experiments []string `query:"experiment,explode" maxItems:"1000" doc:"ids; default: all"`
	State       string   `query:"state" enum:"active,deleted,all" default:"active"`
}

func (in *FoundRuns) search() tracking.Search {
	return tracking.Search{Experiments: in.Experiments, Everywhere: len(in.Experiments) == 0,
		Filter: in.Filter, View: views[in.State]}
}

// views are the states of runs and experiments that are asked for.
var views = map[string]tracking.View{"active": tracking.ActiveOnly,
	"deleted": tracking.DeletedOnly, "all": tracking.All}

// RunTableInput asks for a window of a table of runs.
type RunTableInput struct {
	FoundRuns
	Order    []string `query:"order,explode" maxItems:"20" doc:"such as metrics.auc DESC"`
	Select   []string `query:"select,explode" maxItems:"300" doc:"metrics, params, tags; default: none"`
	Nested   bool     `query:"nested" doc:"put runs below their parents, where those are found too"`
	Under    string   `query:"under" doc:"the id of a run: the rows below it; only when nested"`
	Snapshot string   `query:"snapshot" doc:"of an earlier answer: the same runs in the same order"`
	Offset   int      `query:"offset" minimum:"0" doc:"the first row, from 0"`
	Limit    int      `query:"limit" default:"100" minimum:"1" maximum:"1000"`
}

// RunTable is a window of a table of runs.
type RunTable struct {
	Snapshot string        `json:"snapshot" doc:"names the runs and their order; another when that is gone"`
	Offset   int           `json:"offset"`
	Total    int           `json:"total" doc:"rows on this level"`
	Runs     int           `json:"runs" doc:"on all levels"`
	Newer    int64         `json:"newer" doc:"runs that the filter finds and that came since, up to 1000"`
	Rows     []RunTableRow `json:"rows"`
	// Experiments are those of the rows, by their ids.
	Experiments map[string]RowExperiment `json:"experiments" doc:"those of the rows; none where one was asked for"`
}

// RowExperiment is the experiment that a row is of.
type RowExperiment struct {
	Name      string `json:"name"`
	DeletedMS int64  `json:"deleted_ms,omitempty" doc:"since when it is in the trash"`
}

// RunTableRow is a run in a table.
type RunTableRow struct {
	RunHead
	DeletedMS int64                         `json:"deleted_ms,omitempty"`
	Parent    string                        `json:"parent,omitempty" doc:"the id of the run that it is below"`
	Children  int                           `json:"children" doc:"rows below it"`
	Metrics   map[string]MetricCell         `json:"metrics"`
	Below     map[string]tracking.Aggregate `json:"below,omitempty" doc:"metrics of the runs below it"`
	Params    map[string]string             `json:"params" doc:"cut at 300 characters, and so are tags"`
	Tags      map[string]string             `json:"tags"`
}

// MetricCell is what a metric has come to.
type MetricCell struct {
	Last *float64 `json:"last" doc:"the value of the highest step; null for NaN"`
	Step int64    `json:"step"`
	Min  *float64 `json:"min"`
	Max  *float64 `json:"max"`
	Best *float64 `json:"best,omitempty" doc:"min or max, where the name says which"`
}

// GroupsInput asks for groups of runs.
type GroupsInput struct {
	FoundRuns
	By     []string `query:"by,explode" required:"true" minItems:"1" maxItems:"3" doc:"keys"`
	Select []string `query:"select,explode" maxItems:"20" doc:"metrics to sum up"`
	Offset int      `query:"offset" minimum:"0"`
	Limit  int      `query:"limit" default:"100" minimum:"1" maximum:"1000"`
}

// Groups is some groups of runs.
type Groups struct {
	Groups []*tracking.Group `json:"groups" doc:"those with the most runs first"`
	Total  int               `json:"total" doc:"groups"`
	Runs   int               `json:"runs" doc:"in all groups"`
}

// ColumnsInput searches the keys that runs have.
type ColumnsInput struct {
	InProject
	Experiments []string `query:"experiment,explode" maxItems:"1000" doc:"ids; default: all"`
	Kind        string   `query:"kind" enum:"metric,parameter,tag" doc:"default: all"`
	Contains    string   `query:"contains" maxLength:"250" doc:"words that the key contains, in either case"`
	Common      bool     `query:"common" doc:"those that the newest runs have, the most common first"`
	Page        string   `query:"page" doc:"the next of the page before; only with the same search"`
	Limit       int      `query:"limit" default:"100" minimum:"1" maximum:"1000"`
}

// Columns is a page of keys.
type Columns struct {
	Items []Column `json:"items"`
	Total int      `json:"total" doc:"on all pages"`
	Next  string   `json:"next,omitempty"`
}

// Column is a metric, param or tag that runs have.
type Column struct {
	Kind string `json:"kind" enum:"metric,parameter,tag"`
	Key  string `json:"key"`
	Name string `json:"name" doc:"as it stands in a filter"`
}

// SparklinesInput names runs and metrics.
type SparklinesInput struct {
	InProject
	Runs []string `query:"run,explode" required:"true" minItems:"1" maxItems:"200" doc:"ids"`
	Keys []string `query:"key,explode" required:"true" minItems:"1" maxItems:"10" doc:"metrics"`
}

// Sparklines are those of the runs that have the metrics.
type Sparklines struct {
	Items []tracking.Sparkline `json:"items"`
}

// CompleteInput is a filter in which somebody types.
type CompleteInput struct {
	FoundRuns
	At int `query:"at" minimum:"0" doc:"between which characters, from 0"`
}

// Completion is how a filter may go on.
type Completion struct {
	Want    string                  `json:"want" enum:",key,comparator,value,join" doc:"empty: nothing can be said"`
	From    int                     `json:"from" doc:"the characters that a suggestion replaces, from 0"`
	To      int                     `json:"to"`
	Options []tracking.Suggestion   `json:"options"`
	Problem *tracking.FilterProblem `json:"problem,omitempty" doc:"none when it can be searched with"`
}

// RunsBody names runs.
type RunsBody struct {
	Runs []string `json:"runs" minItems:"1" maxItems:"1000" doc:"ids"`
}

// RunsInBody names runs of a project.
type RunsInBody struct {
	InProject
	Body RunsBody
}

// TagRunsBody says what tags runs get and lose.
type TagRunsBody struct {
	RunsBody
	Set    map[string]string `json:"set,omitempty"`
	Remove []string          `json:"remove,omitempty" maxItems:"100" doc:"keys; runs need not have them"`
}

// bulkBody is the limit of a body that names many runs, in bytes.
const bulkBody = 256 << 10

func (a *API) tableOperations() {
	register(a, op{id: "table-runs", method: "GET", path: "/run-table",
		summary: "A window of a table of runs, with the columns that are asked for", may: auth.Read},
		a.tableRuns)
	register(a, op{id: "group-runs", method: "GET", path: "/run-groups",
		summary: "Runs grouped by params, tags or attributes, with metrics summed up", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *GroupsInput) (out Groups, err error) {
			search := in.search()
			search.Select, search.Limit = in.Select, in.Limit
			page, err := a.Tracking.GroupRuns(ctx, p, tracking.Grouping{Search: search, By: in.By,
				Offset: in.Offset})
			if err != nil {
				return out, err
			}
			return Groups{page.Groups, page.Total, page.Runs}, nil
		})
	register(a, op{id: "list-run-columns", method: "GET", path: "/run-columns",
		summary: "The metrics, params and tags that runs have", may: auth.Read}, a.columns)
	register(a, op{id: "list-run-sparklines", method: "GET", path: "/run-sparklines",
		summary: "Metrics of many runs as a few points each", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *SparklinesInput) (out Sparklines, err error) {
			out.Items, err = a.Tracking.Sparklines(ctx, p, in.Runs, in.Keys)
			return out, err
		})
	register(a, op{id: "complete-run-filter", method: "GET", path: "/run-filter",
		summary: "How a filter of runs may go on, and what is wrong with it", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *CompleteInput) (out Completion, err error) {
			c, err := a.Tracking.CompleteFilter(ctx, p, in.search(), in.At)
			if err != nil {
				return out, err
			}
			return Completion{string(c.Want), c.From, c.To, c.Options, c.Problem}, nil
		})
	register(a, op{id: "delete-runs", method: "POST", path: "/runs/delete",
		summary: "Move runs to the trash", may: auth.Track, limit: bulkBody},
		func(ctx context.Context, p fairlead.Project, in *RunsInBody) (*tracking.Bulk, error) {
			return a.Tracking.DeleteRuns(ctx, p, in.Body.Runs)
		})
	register(a, op{id: "restore-runs", method: "POST", path: "/runs/restore",
		summary: "Take runs out of the trash", may: auth.Track, limit: bulkBody},
		func(ctx context.Context, p fairlead.Project, in *RunsInBody) (*tracking.Bulk, error) {
			return a.Tracking.RestoreRuns(ctx, p, in.Body.Runs)
		})
	register(a, op{id: "tag-runs", method: "POST", path: "/runs/tag",
		summary: "Set and remove tags of runs", may: auth.Track, limit: bulkBody},
		func(ctx context.Context, p fairlead.Project, in *struct {
			InProject
			Body TagRunsBody
		}) (*tracking.Bulk, error) {
			return a.Tracking.TagRuns(ctx, p, in.Body.Runs, tagList(in.Body.Set), in.Body.Remove)
		})
}

func (a *API) tableRuns(ctx context.Context, p fairlead.Project, in *RunTableInput) (*RunTable, error) {
	search := in.search()
	search.OrderBy, search.Select, search.Limit = in.Order, in.Select, in.Limit
	page, err := a.Tracking.TableRuns(ctx, p, tracking.Table{Search: search, Nested: in.Nested,
		Under: in.Under, Snapshot: in.Snapshot, Offset: in.Offset})
	if err != nil {
		return nil, err
	}
	out := &RunTable{Snapshot: page.Snapshot, Offset: page.Offset, Total: page.Total, Runs: page.Runs,
		Newer: page.Newer, Rows: make([]RunTableRow, len(page.Rows)),
		Experiments: map[string]RowExperiment{}}
	for i, r := range page.Rows {
		out.Rows[i] = newTableRow(r)
	}
	for _, e := range page.Experiments {
		out.Experiments[e.ID] = RowExperiment{e.Name, e.DeletedMS}
	}
	return out, nil
}

func newTableRow(r *tracking.TableRow) RunTableRow {
	out := RunTableRow{RunHead: headOf(r.Run), DeletedMS: r.DeletedMS, Parent: r.Parent,
		Children: r.Children, Below: r.Below, Metrics: map[string]MetricCell{},
		Params: map[string]string{}, Tags: map[string]string{}}
	for i := range r.Summaries {
		m := &r.Summaries[i]
		out.Metrics[m.Key] = MetricCell{m.Last, m.Step, m.Min, m.Max, m.Best}
	}
	for _, q := range r.Params {
		out.Params[q.Key] = q.Value
	}
	for _, t := range r.Tags {
		out.Tags[t.Key] = t.Value
	}
	return out
}

func (a *API) columns(ctx context.Context, p fairlead.Project, in *ColumnsInput) (out Columns,
	err error) {
	page, err := a.Tracking.Columns(ctx, p, tracking.Columns{Experiments: in.Experiments,
		Everywhere: len(in.Experiments) == 0, Kind: filter.Kind(in.Kind), Contains: in.Contains,
		Common: in.Common, Limit: in.Limit, PageToken: in.Page})
	out = Columns{Items: make([]Column, len(page.Items)), Total: page.Total, Next: page.Next}
	for i, c := range page.Items {
		out.Items[i] = Column{string(c.Kind), c.Key, c.Name()}
	}
	return out, err
}
