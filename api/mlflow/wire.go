package mlflow

import (
	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/tracking"
)

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
	Metrics wireMetrics      `json:"metrics,omitempty"`
}

func loggedModel(m *tracking.LoggedModel) wireLoggedModel {
	w := wireLoggedModel{
		Info: wireLoggedInfo{ID: m.ID, ExperimentID: m.ExperimentID, Name: m.Name,
			Created: m.CreatedMS, Updated: m.UpdatedMS, ArtifactURI: m.ArtifactURI(), Type: m.Type,
			RunID: m.RunID, Tags: m.Tags},
		Data: wireLoggedData{m.Params, m.Metrics},
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
