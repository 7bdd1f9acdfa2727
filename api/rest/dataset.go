package rest

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/loop"
)

// maxUses bounds each list of a version's lineage.
const maxUses = 200

// DatasetLineage is what a version was made of, and what was made with it.
type DatasetLineage struct {
	Parents  []DatasetNode `json:"parents"`
	Children []DatasetNode `json:"children" doc:"the newest 200, the newest first"`
	Uses     []DatasetUse  `json:"uses" doc:"the newest 200, the newest first"`
}

// DatasetNode is a version in the lineage of another.
type DatasetNode struct {
	Dataset   string    `json:"dataset"`
	N         int64     `json:"n"`
	Source    string    `json:"source"`
	Rows      int64     `json:"rows"`
	CreatedAt time.Time `json:"created_at"`
}

// DatasetUse is a case, or a pipeline run without one, that a version was data of.
type DatasetUse struct {
	N        int64     `json:"n" doc:"the version of the dataset"`
	As       string    `json:"as" doc:"the input's name, or holdout"`
	Model    string    `json:"model"`
	Case     string    `json:"case,omitempty"`
	Run      string    `json:"run,omitempty" doc:"the pipeline run"`
	State    string    `json:"state" doc:"the case's outcome, or where it stands; of a run without one, its state"`
	Version  int64     `json:"version,omitempty" doc:"of the model, that came of it"`
	Decision string    `json:"decision,omitempty" doc:"the gate's"`
	At       time.Time `json:"at" doc:"stream time of a case's opening, wall time of a run without one"`
}

func (a *API) datasetLineageOperations() {
	register(a, op{id: "get-dataset-lineage", method: "GET",
		path:    "/datasets/{dataset}/versions/{version}/lineage",
		summary: "What a version was made of, and the cases, runs and versions that used it",
		may:     auth.Read},
		func(ctx context.Context, p fairlead.Project, in *DatasetInput) (*DatasetLineage, error) {
			ref, err := a.ref(ctx, p, in)
			if err != nil {
				return nil, err
			}
			v, err := a.Data.Get(ctx, p, ref)
			if err != nil {
				return nil, err
			}
			return a.datasetLineage(ctx, p, v)
		})
	register(a, op{id: "list-dataset-uses", method: "GET", path: "/datasets/{dataset}/uses",
		summary: "The newest 200 cases and pipeline runs that used a version of the dataset",
		may:     auth.Read},
		func(ctx context.Context, p fairlead.Project, in *struct {
			InProject
			Dataset string `path:"dataset"`
		}) (out fairlead.Page[DatasetUse], err error) {
			if _, err := a.Data.Latest(ctx, p, in.Dataset); err != nil {
				return out, err
			}
			out.Items, err = a.usesOf(ctx, p, data.Ref{Dataset: in.Dataset})
			return filled(out, err)
		})
}

func (a *API) datasetLineage(ctx context.Context, p fairlead.Project, v *data.Version) (*DatasetLineage,
	error) {
	out := &DatasetLineage{Parents: []DatasetNode{}, Children: []DatasetNode{}, Uses: []DatasetUse{}}
	for _, ref := range v.Parents {
		parent, err := a.Data.Get(ctx, p, ref)
		if err != nil {
			return nil, err
		}
		out.Parents = append(out.Parents, nodeOf(parent))
	}
	children, err := a.Data.Children(ctx, p, v.Ref(), maxUses)
	if err != nil {
		return nil, err
	}
	for _, child := range children {
		out.Children = append(out.Children, nodeOf(child))
	}
	out.Uses, err = a.usesOf(ctx, p, v.Ref())
	return out, err
}

// usesOf returns the uses of a version, or of all of a dataset for N = 0.
func (a *API) usesOf(ctx context.Context, p fairlead.Project, ref data.Ref) ([]DatasetUse, error) {
	out := []DatasetUse{}
	cases, err := a.Loop.CasesWith(ctx, p, ref, maxUses)
	if err != nil {
		return nil, err
	}
	for _, c := range cases {
		u := DatasetUse{Model: c.Model, Case: c.ID, Run: c.PipelineRun, State: c.Outcome,
			Version: c.Version, Decision: c.Decision, At: c.OpenedAt}
		if u.State == "" {
			u.State = string(c.State)
		}
		out = append(out, u.as(c.Inputs, c.Holdout, ref)...)
	}
	runs, err := a.Pipeline.RunsWith(ctx, p, ref, maxUses)
	if err != nil {
		return nil, err
	}
	for _, r := range runs {
		if slices.ContainsFunc(cases, func(c *loop.Case) bool { return c.ID == r.Case }) {
			continue
		}
		u := DatasetUse{Model: r.Model, Case: r.Case, Run: r.ID, State: string(r.State),
			Version: r.Version, At: r.Created}
		out = append(out, u.as(r.Inputs, r.Holdout, ref)...)
	}
	return out, nil
}

func nodeOf(v *data.Version) DatasetNode {
	return DatasetNode{Dataset: v.Dataset, N: v.N, Source: v.Source, Rows: v.Rows, CreatedAt: v.CreatedAt}
}

// as is the use once for each role in which the versions that are meant were used.
func (u DatasetUse) as(inputs map[string]data.Ref, holdout, ref data.Ref) (out []DatasetUse) {
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		if in := inputs[name]; ref.Covers(in) {
			u.As, u.N = name, in.N
			out = append(out, u)
		}
	}
	if ref.Covers(holdout) {
		u.As, u.N = "holdout", holdout.N
		out = append(out, u)
	}
	return out
}
