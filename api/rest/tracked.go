package rest

import (
	"context"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/tracking"
)

// TrackedRun is a tracked run with what it read and made. Its metrics are a list of their
// own.
type TrackedRun struct {
	RunHead
	ExperimentName      string                 `json:"experiment_name"`
	DeletedMS           int64                  `json:"deleted_ms,omitempty" doc:"since when it is in the trash"`
	ExperimentDeletedMS int64                  `json:"experiment_deleted_ms,omitempty" doc:"since when its experiment is"`
	ArtifactURI         string                 `json:"artifact_uri"`
	Params              map[string]string      `json:"params"`
	Tags                map[string]string      `json:"tags"`
	Parent              *RunName               `json:"parent,omitempty" doc:"the run that it is nested in"`
	Datasets            []RunDataset           `json:"datasets" doc:"that it read"`
	ModelInputs         []tracking.LinkedModel `json:"model_inputs" doc:"logged models that it read"`
	ModelOutputs        []tracking.LinkedModel `json:"model_outputs" doc:"logged models that it made"`
	Versions            []RunVersion           `json:"versions" doc:"that were registered of it, the newest first; 100 at most"`
}

// RunName names a run.
type RunName struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// RunDataset is a dataset as a run described it.
type RunDataset struct {
	Name       string            `json:"name"`
	Digest     string            `json:"digest"`
	SourceType string            `json:"source_type"`
	Source     string            `json:"source"`
	Schema     string            `json:"schema,omitempty" doc:"as the client wrote it; absent when it is longer than 64 KiB"`
	Profile    string            `json:"profile,omitempty" doc:"so too"`
	Tags       map[string]string `json:"tags" doc:"mlflow.data.context says what it was for"`
}

// RunVersion is a model version that was made of a run.
type RunVersion struct {
	Model     string   `json:"model"`
	N         int64    `json:"n"`
	State     string   `json:"state"`
	Aliases   []string `json:"aliases"`
	CreatedMS int64    `json:"created_ms"`
}

// longNote is from which length on a note of a run is left out of its description.
const longNote = 64 << 10

func (a *API) trackedOperations() {
	register(a, op{id: "get-run", method: "GET", path: "/runs/{run}",
		summary: "A tracked run with what it read and made", may: auth.Read}, a.trackedRun)
}

func (a *API) trackedRun(ctx context.Context, p fairlead.Project, in *TrackedRunInput) (
	*TrackedRun, error) {
	d, err := a.Tracking.Describe(ctx, p, in.Run)
	if err != nil {
		return nil, err
	}
	out := newTrackedRun(d)
	versions, err := a.Registry.SearchVersions(ctx, p, registry.Search{Limit: 100,
		Filter:  "run_id = " + quoted(d.Run.ID),
		OrderBy: []string{"creation_timestamp DESC"}})
	for _, v := range versions.Items {
		out.Versions = append(out.Versions, RunVersion{Model: v.Model, N: v.N, State: v.State,
			Aliases: append([]string{}, v.Aliases...), CreatedMS: v.CreatedMS})
	}
	return out, err
}

func newTrackedRun(d *tracking.Description) *TrackedRun {
	r := newRun(d.Run)
	out := &TrackedRun{RunHead: r.RunHead, ExperimentName: d.Experiment.Name,
		DeletedMS: d.Run.DeletedMS, ExperimentDeletedMS: d.Experiment.DeletedMS,
		ArtifactURI: r.ArtifactURI, Params: r.Params, Tags: r.Tags, Datasets: []RunDataset{},
		ModelInputs: append([]tracking.LinkedModel{}, d.Inputs...), Versions: []RunVersion{},
		ModelOutputs: append([]tracking.LinkedModel{}, d.Outputs...)}
	if d.Parent != nil {
		out.Parent = &RunName{d.Parent.ID, d.Parent.Name}
	}
	for _, in := range d.Run.Datasets {
		x := RunDataset{Name: in.Dataset.Name, Digest: in.Dataset.Digest,
			SourceType: in.Dataset.SourceType, Source: short(in.Dataset.Source),
			Schema: short(in.Dataset.Schema), Profile: short(in.Dataset.Profile), Tags: map[string]string{}}
		for _, t := range in.Tags {
			x.Tags[t.Key] = t.Value
		}
		out.Datasets = append(out.Datasets, x)
	}
	return out
}

func short(note string) string {
	if len(note) > longNote {
		return ""
	}
	return note
}
