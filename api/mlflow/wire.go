package mlflow

import (
	"math"
	"strconv"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/tracking"
)

// number is a double in protobuf's JSON form, in which NaN is a text.
type number float64

// MarshalJSON implements json.Marshaler.
func (n number) MarshalJSON() ([]byte, error) { return appendNumber(nil, float64(n)), nil }

func appendNumber(b []byte, v float64) []byte {
	switch {
	case math.IsNaN(v):
		return append(b, `"NaN"`...)
	case math.IsInf(v, 1):
		return append(b, `"Infinity"`...)
	case math.IsInf(v, -1):
		return append(b, `"-Infinity"`...)
	}
	return strconv.AppendFloat(b, v, 'g', -1, 64)
}

type wireMetric struct {
	Key           string `json:"key"`
	Value         number `json:"value"`
	Timestamp     int64  `json:"timestamp"`
	Step          int64  `json:"step"`
	RunID         string `json:"run_id,omitempty"`
	ModelID       string `json:"model_id,omitempty"`
	DatasetName   string `json:"dataset_name,omitempty"`
	DatasetDigest string `json:"dataset_digest,omitempty"`
}

func metrics(in []tracking.Metric) []wireMetric {
	out := make([]wireMetric, len(in))
	for i, m := range in {
		out[i] = wireMetric{m.Key, number(m.Value), m.TimestampMS, m.Step, m.RunID, m.ModelID,
			m.DatasetName, m.DatasetDigest}
	}
	return out
}

type wireExperiment struct {
	ID       string         `json:"experiment_id"`
	Name     string         `json:"name"`
	Location string         `json:"artifact_location"`
	Stage    string         `json:"lifecycle_stage"`
	Created  int64          `json:"creation_time"`
	Updated  int64          `json:"last_update_time"`
	Tags     []tracking.Tag `json:"tags,omitempty"`

	Workspace string `json:"workspace"` // the project, as in X-MLFLOW-WORKSPACE
}

// experiment returns the form of the project's experiments.
func (c *call) experiment(e *tracking.Experiment) wireExperiment {
	return wireExperiment{e.ID, e.Name, e.ArtifactURI(), e.State, e.CreatedMS, e.UpdatedMS, e.Tags,
		c.p.Name}
}

type wireRunInfo struct {
	RunID        string `json:"run_id"`
	RunUUID      string `json:"run_uuid"`
	RunName      string `json:"run_name"`
	ExperimentID string `json:"experiment_id"`
	UserID       string `json:"user_id"`
	Status       string `json:"status"`
	Start        int64  `json:"start_time"`
	End          int64  `json:"end_time,omitempty"`
	ArtifactURI  string `json:"artifact_uri"`
	Stage        string `json:"lifecycle_stage"`
}

type wireRun struct {
	Info    wireRunInfo     `json:"info"`
	Data    wireRunData     `json:"data"`
	Inputs  wireRunInputs   `json:"inputs"`
	Outputs *wireRunOutputs `json:"outputs,omitempty"` // nil of a new run
}

type wireRunData struct {
	Metrics []wireMetric     `json:"metrics,omitempty"`
	Params  []tracking.Param `json:"params,omitempty"`
	Tags    []tracking.Tag   `json:"tags,omitempty"`
}

type wireRunInputs struct {
	Datasets []tracking.DatasetInput `json:"dataset_inputs,omitempty"`
	Models   []wireModelInput        `json:"model_inputs,omitempty"`
}

type wireModelInput struct {
	ModelID string `json:"model_id"`
}

type wireRunOutputs struct {
	Models []tracking.ModelOutput `json:"model_outputs,omitempty"`
}

func runInfo(r *tracking.Run) wireRunInfo {
	return wireRunInfo{r.ID, r.ID, r.Name, r.ExperimentID, r.User, r.Status, r.StartMS, r.EndMS,
		r.ArtifactURI(), r.State}
}

func run(r *tracking.Run) wireRun {
	w := wireRun{Info: runInfo(r), Data: wireRunData{metrics(r.Metrics), r.Params, r.Tags}}
	w.Inputs.Datasets = r.Datasets
	for _, id := range r.ModelInputs {
		w.Inputs.Models = append(w.Inputs.Models, wireModelInput{id})
	}
	w.Outputs = &wireRunOutputs{r.ModelOutputs}
	return w
}

// loggedStatuses are MLflow's names of a logged model's statuses, in the order of
// its enum.
var loggedStatuses = []struct{ wire, status string }{
	{"LOGGED_MODEL_PENDING", tracking.ModelPending},
	{"LOGGED_MODEL_READY", tracking.ModelReady},
	{"LOGGED_MODEL_UPLOAD_FAILED", tracking.ModelFailed},
}

type wireLoggedModel struct {
	Info wireLoggedInfo `json:"info"`
	Data wireLoggedData `json:"data"`
}

type wireLoggedInfo struct {
	ID           string         `json:"model_id"`
	ExperimentID string         `json:"experiment_id"`
	Name         string         `json:"name"`
	Created      int64          `json:"creation_timestamp_ms"`
	Updated      int64          `json:"last_updated_timestamp_ms"`
	ArtifactURI  string         `json:"artifact_uri"`
	Status       string         `json:"status"`
	Type         string         `json:"model_type"`
	RunID        string         `json:"source_run_id"`
	Tags         []tracking.Tag `json:"tags,omitempty"`
}

type wireLoggedData struct {
	Params  []tracking.Param `json:"params,omitempty"`
	Metrics []wireMetric     `json:"metrics,omitempty"`
}

func loggedModel(m *tracking.LoggedModel) wireLoggedModel {
	w := wireLoggedModel{
		Info: wireLoggedInfo{ID: m.ID, ExperimentID: m.ExperimentID, Name: m.Name,
			Created: m.CreatedMS, Updated: m.UpdatedMS, ArtifactURI: m.ArtifactURI(), Type: m.Type,
			RunID: m.RunID, Tags: m.Tags},
		Data: wireLoggedData{m.Params, metrics(m.Metrics)},
	}
	for _, s := range loggedStatuses {
		if s.status == m.Status {
			w.Info.Status = s.wire
		}
	}
	return w
}

// listOf is one page of a list in MLflow's form, which leaves empty lists out.
func listOf[T, W any](name string, page fairlead.Page[T], wire func(T) W) map[string]any {
	items := make([]W, len(page.Items))
	for i, item := range page.Items {
		items[i] = wire(item)
	}
	out := map[string]any{}
	if len(items) > 0 {
		out[name] = items
	}
	if page.Next != "" {
		out["next_page_token"] = page.Next
	}
	return out
}
