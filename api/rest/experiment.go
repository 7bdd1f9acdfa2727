package rest

import (
	"context"
	"maps"
	"slices"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/tracking"
)

// ExperimentInput names an experiment.
type ExperimentInput struct {
	InProject
	Experiment string `path:"experiment" doc:"its id"`
}

// ExperimentsInput searches experiments; docs/search.md is the language.
type ExperimentsInput struct {
	InProject
	Paging
	Filter string   `query:"filter" maxLength:"40000" doc:"such as name CONTAINS 'wine'"`
	Order  []string `query:"order,explode" maxItems:"20" doc:"such as name ASC; default: the newest first"`
	State  string   `query:"state" enum:"active,deleted,all" default:"active"`
}

// Experiment is a group of runs.
type Experiment struct {
	ID        string            `json:"id"`
	Name      string            `json:"name"`
	State     string            `json:"state" doc:"active or deleted"`
	CreatedMS int64             `json:"created_ms"`
	UpdatedMS int64             `json:"updated_ms"`
	DeletedMS int64             `json:"deleted_ms,omitempty"`
	Tags      map[string]string `json:"tags"`
	Activity  tracking.Activity `json:"activity"`
}

// ExperimentBody is what an experiment is made with, or becomes.
type ExperimentBody struct {
	Name string            `json:"name" minLength:"1" maxLength:"500"`
	Tags map[string]string `json:"tags,omitempty" doc:"of a new one"`
}

func (a *API) experimentOperations() {
	register(a, op{id: "list-experiments", method: "GET", path: "/experiments",
		summary: "Search experiments, with what goes on in them", may: auth.Read}, a.experiments)
	register(a, op{id: "create-experiment", method: "POST", path: "/experiments",
		summary: "Make an experiment", may: auth.Track, limit: 64 << 10},
		func(ctx context.Context, p fairlead.Project, in *struct {
			InProject
			Body ExperimentBody
		}) (out Experiment, err error) {
			e, err := a.Tracking.CreateExperiment(ctx, p, in.Body.Name, tagList(in.Body.Tags))
			if err != nil {
				return out, err
			}
			return newExperiment(e, &tracking.Activity{}), nil
		})
	register(a, op{id: "get-experiment", method: "GET", path: "/experiments/{experiment}",
		summary: "An experiment, with what goes on in it", may: auth.Read},
		func(ctx context.Context, p fairlead.Project, in *ExperimentInput) (Experiment, error) {
			return a.experiment(ctx, p, in.Experiment)
		})
	register(a, op{id: "rename-experiment", method: "PUT", path: "/experiments/{experiment}/name",
		summary: "Give an experiment another name", may: auth.Track},
		func(ctx context.Context, p fairlead.Project, in *struct {
			ExperimentInput
			Body struct {
				Name string `json:"name" minLength:"1" maxLength:"500"`
			}
		}) (out Experiment, err error) {
			if err := a.Tracking.RenameExperiment(ctx, p, in.Experiment, in.Body.Name); err != nil {
				return out, err
			}
			return a.experiment(ctx, p, in.Experiment)
		})
	register(a, op{id: "delete-experiment", method: "POST", path: "/experiments/{experiment}/delete",
		summary: "Move an experiment and its runs to the trash", may: auth.Track},
		func(ctx context.Context, p fairlead.Project, in *ExperimentInput) (struct{}, error) {
			return struct{}{}, a.Tracking.DeleteExperiment(ctx, p, in.Experiment)
		})
	register(a, op{id: "restore-experiment", method: "POST", path: "/experiments/{experiment}/restore",
		summary: "Take an experiment out of the trash, with the runs that went with it", may: auth.Track},
		func(ctx context.Context, p fairlead.Project, in *ExperimentInput) (struct{}, error) {
			return struct{}{}, a.Tracking.RestoreExperiment(ctx, p, in.Experiment)
		})
}

func (a *API) experiments(ctx context.Context, p fairlead.Project, in *ExperimentsInput) (
	out fairlead.Page[Experiment], err error) {
	page, err := a.Tracking.SearchExperiments(ctx, p, tracking.Search{Filter: in.Filter,
		OrderBy: in.Order, View: views[in.State], Limit: in.Limit, PageToken: in.Page})
	if err != nil {
		return out, err
	}
	activities, err := a.Tracking.Activities(ctx, p, page.Items)
	if err != nil {
		return out, err
	}
	out = fairlead.Page[Experiment]{Items: []Experiment{}, Next: page.Next}
	for _, e := range page.Items {
		out.Items = append(out.Items, newExperiment(e, activities[e.ID]))
	}
	return out, nil
}

func (a *API) experiment(ctx context.Context, p fairlead.Project, id string) (out Experiment,
	err error) {
	e, err := a.Tracking.Experiment(ctx, p, id)
	if err != nil {
		return out, err
	}
	activities, err := a.Tracking.Activities(ctx, p, []*tracking.Experiment{e})
	if err != nil {
		return out, err
	}
	return newExperiment(e, activities[e.ID]), nil
}

func newExperiment(e *tracking.Experiment, activity *tracking.Activity) Experiment {
	out := Experiment{ID: e.ID, Name: e.Name, State: e.State, CreatedMS: e.CreatedMS,
		UpdatedMS: e.UpdatedMS, DeletedMS: e.DeletedMS, Tags: map[string]string{}, Activity: *activity}
	for _, t := range e.Tags {
		out.Tags[t.Key] = t.Value
	}
	return out
}

// tagList lists tags by key.
func tagList(all map[string]string) (out []tracking.Tag) {
	for _, k := range slices.Sorted(maps.Keys(all)) {
		out = append(out, tracking.Tag{Key: k, Value: all[k]})
	}
	return out
}
