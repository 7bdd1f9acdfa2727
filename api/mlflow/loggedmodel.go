package mlflow

import (
	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/tracking"
)

func (c *call) modelID() string { return c.r.PathValue("model_id") }

func (c *call) replyLogged(m *tracking.LoggedModel, err error) error {
	if err != nil {
		return err
	}
	return c.reply(map[string]any{"model": loggedModel(m)})
}

func (a *API) createLoggedModel(c *call) error {
	n := tracking.NewLoggedModel{Experiment: c.need("experiment_id"), Name: c.str("name"),
		Type: c.str("model_type"), RunID: c.str("source_run_id"), Params: c.params("params"),
		Tags: c.tags("tags")}
	if c.err != nil {
		return c.err
	}
	return c.replyLogged(a.tracking.AddLoggedModel(c.ctx(), c.p, n))
}

func (a *API) getLoggedModel(c *call) error {
	return c.replyLogged(a.tracking.LoggedModel(c.ctx(), c.p, c.modelID()))
}

func (a *API) finalizeLoggedModel(c *call) error {
	names := make([]string, len(loggedStatuses))
	for i, s := range loggedStatuses {
		names[i] = s.wire
	}
	wire := c.enum("status", names...)
	if !c.has("status") {
		c.need("status")
	}
	if c.err != nil {
		return c.err
	}
	status := wire
	for _, s := range loggedStatuses {
		if s.wire == wire {
			status = s.status
		}
	}
	return c.replyLogged(a.tracking.FinishLoggedModel(c.ctx(), c.p, c.modelID(), status))
}

func (a *API) deleteLoggedModel(c *call) error {
	return c.done(a.tracking.DeleteLoggedModel(c.ctx(), c.p, c.modelID()))
}

func (a *API) setLoggedModelTags(c *call) error {
	tags := c.tags("tags")
	if c.err != nil {
		return c.err
	}
	_, err := a.tracking.SetLoggedModelTags(c.ctx(), c.p, c.modelID(), tags)
	return c.done(err)
}

func (a *API) deleteLoggedModelTag(c *call) error {
	return c.done(a.tracking.DeleteLoggedModelTag(c.ctx(), c.p, c.modelID(),
		c.r.PathValue("tag_key")))
}

func (a *API) logLoggedModelParams(c *call) error {
	params := c.params("params")
	if c.err != nil {
		return c.err
	}
	return c.done(a.tracking.LogLoggedModelParams(c.ctx(), c.p, c.modelID(), params))
}

func (a *API) searchLoggedModels(c *call) error {
	in := tracking.Search{Experiments: c.strs("experiment_ids"), Filter: c.str("filter"),
		Limit: c.limit(), PageToken: c.str("page_token")}
	if in.Limit == 0 {
		in.Limit = 50
	}
	var datasets []tracking.DatasetFilter
	c.each("datasets", func(d *args) {
		datasets = append(datasets,
			tracking.DatasetFilter{Name: d.need("dataset_name"), Digest: d.str("dataset_digest")})
	})
	var orders []tracking.ModelOrder
	c.each("order_by", func(o *args) {
		order := tracking.ModelOrder{Field: o.need("field_name"), Desc: !o.bool("ascending", true),
			Dataset: tracking.DatasetFilter{Name: o.str("dataset_name"),
				Digest: o.str("dataset_digest")}}
		if order.Dataset.Digest != "" && order.Dataset.Name == "" {
			o.fail(fairlead.Errorf(fairlead.Invalid,
				"`dataset_digest` can only be specified if `dataset_name` is also specified."))
		}
		orders = append(orders, order)
	})
	if len(in.Experiments) == 0 {
		c.need("experiment_ids")
	}
	if c.err != nil {
		return c.err
	}
	page, err := a.tracking.SearchLoggedModels(c.ctx(), c.p, in, datasets, orders)
	if err != nil {
		return err
	}
	return c.reply(listOf("models", page, loggedModel))
}
