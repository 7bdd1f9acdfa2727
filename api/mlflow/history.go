package mlflow

import (
	"encoding/json"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/tracking"
)

// Limits of the histories of many runs, which MLflow's pages draw.
const (
	maxHistoryRuns    = 100
	maxHistoryPoints  = 25_000
	maxPointsOfSample = 2_500
)

// getHistoryBulk returns the points of one metric of many runs.
func (a *API) getHistoryBulk(c *call) error {
	ids, key := c.strs("run_id"), c.str("metric_key")
	limit := maxHistoryPoints
	if c.has("max_results") {
		limit = min(c.limit(), limit)
	}
	switch {
	case c.err != nil:
		return c.err
	case len(ids) == 0:
		return fairlead.Errorf(fairlead.Invalid,
			"GetMetricHistoryBulk request must specify at least one run_id.")
	case len(ids) > maxHistoryRuns:
		return fairlead.Errorf(fairlead.Invalid, "GetMetricHistoryBulk request cannot specify more "+
			"than %d run_ids. Received %d run_ids.", maxHistoryRuns, len(ids))
	case !c.has("metric_key"):
		return fairlead.Errorf(fairlead.Invalid,
			"GetMetricHistoryBulk request must specify a metric_key.")
	}
	points, err := a.tracking.Histories(c.ctx(), c.p, ids, key, limit)
	if err != nil {
		return err
	}
	return c.reply(map[string]any{"metrics": wireMetrics(points)})
}

// getHistoryBulkInterval returns a sample of the points of each of many runs.
func (a *API) getHistoryBulkInterval(c *call) error {
	ids, key := c.needStrs("run_ids"), c.need("metric_key")
	steps, limit := tracking.AllSteps, int64(maxPointsOfSample)
	if c.has("max_results") {
		limit = c.int("max_results")
	}
	if c.has("start_step") && c.has("end_step") {
		steps = tracking.Steps{First: c.int("start_step"), Last: c.int("end_step")}
	}
	switch {
	case len(ids) > maxHistoryRuns:
		c.fail(fairlead.Errorf(fairlead.Invalid, "GetMetricHistoryBulkInterval request must specify at "+
			"most %d run_ids. Received %d run_ids."+seeDocs, maxHistoryRuns, len(ids)))
	case limit < 1 || limit > maxPointsOfSample:
		c.fail(fairlead.Errorf(fairlead.Invalid, "max_results must be between 1 and %d."+seeDocs,
			maxPointsOfSample))
	case c.has("start_step") != c.has("end_step"):
		c.fail(fairlead.Errorf(fairlead.Invalid,
			"If either start step or end step are specified, both must be specified."))
	case steps.First > steps.Last:
		c.fail(fairlead.Errorf(fairlead.Invalid, "end_step must be greater than start_step. "+
			"Found start_step=%d and end_step=%d.", steps.First, steps.Last))
	}
	if c.err != nil {
		return c.err
	}
	points, err := a.tracking.SampleHistories(c.ctx(), c.p, ids, key, steps, int(limit))
	if err != nil {
		return err
	}
	return c.replyJSON(appendPage(nil, "metrics", points, "", appendMetric))
}

// maxDatasetExperiments is how many experiments searchDatasets looks into.
const maxDatasetExperiments = 20

// searchDatasets returns which datasets the runs of some experiments read.
func (a *API) searchDatasets(c *call) error {
	ids := c.strs("experiment_ids")
	switch {
	case c.err != nil:
		return c.err
	case len(ids) == 0:
		return fairlead.Errorf(fairlead.Invalid,
			"SearchDatasets request must specify at least one experiment_id.")
	case len(ids) > maxDatasetExperiments:
		return fairlead.Errorf(fairlead.Invalid, "SearchDatasets request cannot specify more than %d "+
			"experiment_ids. Received %d experiment_ids.", maxDatasetExperiments, len(ids))
	}
	uses, err := a.tracking.DatasetUses(c.ctx(), c.p, ids)
	if err != nil {
		return err
	}
	return c.reply(listOf("dataset_summaries", fairlead.Page[tracking.DatasetUse]{Items: uses},
		func(u tracking.DatasetUse) tracking.DatasetUse { return u }))
}

// noteFields are what the description of a model must have, and noteOptional what is
// kept of it besides.
var (
	noteFields   = []string{"artifact_path", "flavors", "run_id", "utc_time_created"}
	noteOptional = []string{"model_uuid"}
)

// logModel notes a model as clients before mlflow 3 do.
func (a *API) logModel(c *call) error {
	id, text := c.runID(), c.need("model_json")
	if c.err != nil {
		return c.err
	}
	var model map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &model) != nil {
		return fairlead.Errorf(fairlead.Invalid,
			"Malformed model info. \n %s \n is not a valid JSON.", text)
	}
	note := map[string]json.RawMessage{}
	for _, name := range noteFields {
		if _, ok := model[name]; !ok {
			return fairlead.Errorf(fairlead.Invalid,
				"Model json is missing mandatory fields: {'%s'}", name)
		}
		note[name] = model[name]
	}
	for _, name := range noteOptional {
		if v, ok := model[name]; ok {
			note[name] = v
		}
	}
	var flavors map[string]any
	if json.Unmarshal(model["flavors"], &flavors) == nil {
		for _, flavor := range flavors {
			if f, ok := flavor.(map[string]any); ok {
				delete(f, "config") // it may hold credentials
			}
		}
		note["flavors"], _ = json.Marshal(flavors)
	}
	b, err := json.Marshal(note)
	if err != nil {
		return err
	}
	return c.done(a.tracking.LogModelNote(c.ctx(), c.p, id, b))
}
