package mlflow

import (
	"github.com/fairlead-ml/fairlead/tracking"
)

func (a *API) createRun(c *call) error {
	n := tracking.NewRun{Experiment: c.str("experiment_id"), Name: c.str("run_name"),
		User: c.str("user_id"), Tags: c.tags("tags"), StartMS: c.int("start_time")}
	if c.err != nil {
		return c.err
	}
	r, err := a.tracking.StartRun(c.ctx(), c.p, n)
	if err != nil {
		return err
	}
	return c.replyJSON(append(appendNewRun([]byte(`{"run":`), r), '}'))
}

func (a *API) getRun(c *call) error {
	id := c.runID()
	if c.err != nil {
		return c.err
	}
	r, err := a.tracking.Run(c.ctx(), c.p, id)
	if err != nil {
		return err
	}
	return c.replyJSON(append(appendRun([]byte(`{"run":`), r), '}'))
}

func (a *API) updateRun(c *call) error {
	id := c.runID()
	var u tracking.Update
	if v := c.enum("status", "RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"); v != "" {
		u.Status = &v
	}
	if c.has("end_time") {
		v := c.int("end_time")
		u.EndMS = &v
	}
	if v := c.str("run_name"); v != "" {
		u.Name = &v
	}
	if c.err != nil {
		return c.err
	}
	r, err := a.tracking.UpdateRun(c.ctx(), c.p, id, u)
	if err != nil {
		return err
	}
	return c.replyJSON(append(appendInfo([]byte(`{"run_info":`), r), '}'))
}

func (a *API) deleteRun(c *call) error {
	id := c.runID()
	if c.err != nil {
		return c.err
	}
	return c.done(a.tracking.DeleteRun(c.ctx(), c.p, id))
}

func (a *API) restoreRun(c *call) error {
	id := c.runID()
	if c.err != nil {
		return c.err
	}
	return c.done(a.tracking.RestoreRun(c.ctx(), c.p, id))
}

func (a *API) searchRuns(c *call) error {
	in := c.search()
	in.View = c.view("run_view_type")
	if c.err != nil {
		return c.err
	}
	page, err := a.tracking.SearchRuns(c.ctx(), c.p, in)
	if err != nil {
		return err
	}
	return c.replyJSON(appendPage(nil, "runs", page.Items, page.Next,
		func(b []byte, r **tracking.Run) []byte { return appendRun(b, *r) }))
}

func (a *API) logParameter(c *call) error {
	id, p := c.runID(), tracking.Param{Key: c.need("key"), Value: c.str("value")}
	if c.err != nil {
		return c.err
	}
	return c.done(a.tracking.LogParam(c.ctx(), c.p, id, p))
}

func (a *API) setTag(c *call) error {
	id, t := c.runID(), tracking.Tag{Key: c.need("key"), Value: c.str("value")}
	if c.err != nil {
		return c.err
	}
	return c.done(a.tracking.SetTag(c.ctx(), c.p, id, t))
}

func (a *API) deleteTag(c *call) error {
	id, key := c.runID(), c.need("key")
	if c.err != nil {
		return c.err
	}
	return c.done(a.tracking.DeleteTag(c.ctx(), c.p, id, key))
}

func (a *API) logInputs(c *call) error {
	id := c.runID()
	var datasets []tracking.DatasetInput
	c.each("datasets", func(item *args) {
		d := item.object("dataset")
		datasets = append(datasets, tracking.DatasetInput{Tags: item.tags("tags"),
			Dataset: tracking.Dataset{Name: d.need("name"), Digest: d.need("digest"),
				SourceType: d.need("source_type"), Source: d.need("source"),
				Schema: d.str("schema"), Profile: d.str("profile")}})
		item.fail(d.err)
	})
	var models []string
	c.each("models", func(item *args) { models = append(models, item.need("model_id")) })
	if c.err != nil {
		return c.err
	}
	return c.done(a.tracking.LogInputs(c.ctx(), c.p, id, datasets, models))
}

func (a *API) logOutputs(c *call) error {
	id := c.runID()
	if !c.has("models") {
		c.need("models")
	}
	var models []tracking.ModelOutput
	c.each("models", func(item *args) {
		models = append(models, tracking.ModelOutput{ModelID: item.need("model_id"),
			Step: item.int("step")})
	})
	if c.err != nil {
		return c.err
	}
	return c.done(a.tracking.LogOutputs(c.ctx(), c.p, id, models))
}
