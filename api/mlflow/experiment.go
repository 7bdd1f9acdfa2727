package mlflow

import (
	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/tracking"
)

func (a *API) createExperiment(c *call) error {
	name, tags, location := c.need("name"), c.tags("tags"), c.str("artifact_location")
	if c.err != nil {
		return c.err
	}
	if location != "" {
		return fairlead.Errorf(fairlead.Invalid, "Invalid value for parameter 'artifact_location': "+
			"this server keeps the artifacts itself; leave it out")
	}
	e, err := a.tracking.CreateExperiment(c.ctx(), c.p, name, tags)
	if err != nil {
		return err
	}
	return c.reply(map[string]string{"experiment_id": e.ID})
}

func (a *API) getExperiment(c *call) error {
	id := c.need("experiment_id")
	if c.err != nil {
		return c.err
	}
	e, err := a.tracking.Experiment(c.ctx(), c.p, id)
	if err != nil {
		return err
	}
	return c.reply(map[string]any{"experiment": c.experiment(e)})
}

func (a *API) getExperimentByName(c *call) error {
	name := c.need("experiment_name")
	if c.err != nil {
		return c.err
	}
	e, err := a.tracking.ExperimentByName(c.ctx(), c.p, name)
	if err != nil {
		return err
	}
	return c.reply(map[string]any{"experiment": c.experiment(e)})
}

func (a *API) searchExperiments(c *call) error {
	in := c.search()
	in.View = c.view("view_type")
	if c.err != nil {
		return c.err
	}
	page, err := a.tracking.SearchExperiments(c.ctx(), c.p, in)
	if err != nil {
		return err
	}
	return c.reply(listOf("experiments", page, c.experiment))
}

func (a *API) updateExperiment(c *call) error {
	id, name := c.need("experiment_id"), c.need("new_name")
	if c.err != nil {
		return c.err
	}
	return c.done(a.tracking.RenameExperiment(c.ctx(), c.p, id, name))
}

func (a *API) deleteExperiment(c *call) error {
	id := c.need("experiment_id")
	if c.err != nil {
		return c.err
	}
	return c.done(a.tracking.DeleteExperiment(c.ctx(), c.p, id))
}

func (a *API) restoreExperiment(c *call) error {
	id := c.need("experiment_id")
	if c.err != nil {
		return c.err
	}
	return c.done(a.tracking.RestoreExperiment(c.ctx(), c.p, id))
}

func (a *API) setExperimentTag(c *call) error {
	id, t := c.need("experiment_id"), tracking.Tag{Key: c.need("key"), Value: c.str("value")}
	if c.err != nil {
		return c.err
	}
	return c.done(a.tracking.SetExperimentTag(c.ctx(), c.p, id, t))
}

func (a *API) deleteExperimentTag(c *call) error {
	id, key := c.need("experiment_id"), c.need("key")
	if c.err != nil {
		return c.err
	}
	return c.done(a.tracking.DeleteExperimentTag(c.ctx(), c.p, id, key))
}
