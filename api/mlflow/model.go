package mlflow

import (
	"slices"
	"strconv"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/store"
)

type wireModel struct {
	Name        string         `json:"name"`
	Created     int64          `json:"creation_timestamp"`
	Updated     int64          `json:"last_updated_timestamp"`
	Description string         `json:"description,omitempty"`
	Latest      []wireVersion  `json:"latest_versions,omitempty"`
	Tags        []registry.Tag `json:"tags,omitempty"`
	Aliases     []wireAlias    `json:"aliases,omitempty"`
}

type wireAlias struct {
	Alias   string `json:"alias"`
	Version string `json:"version"`
}

func model(m *registry.Model) wireModel {
	w := wireModel{Name: m.Name, Created: m.CreatedMS, Updated: m.UpdatedMS,
		Description: m.Description, Tags: m.Tags}
	for _, v := range m.Latest {
		w.Latest = append(w.Latest, modelVersion(v))
	}
	names := make([]string, 0, len(m.Aliases))
	for name := range m.Aliases {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		w.Aliases = append(w.Aliases, wireAlias{name, strconv.FormatInt(m.Aliases[name], 10)})
	}
	return w
}

// registryTags returns a list of {key, value} for the registry.
func (a *args) registryTags(name string) (out []registry.Tag) {
	for _, t := range a.tags(name) {
		out = append(out, registry.Tag(t))
	}
	return out
}

// replyModel runs a change and answers with the model as it is after it.
func (a *API) replyModel(c *call, name string, change func(tx *store.Tx) error) error {
	var m *registry.Model
	err := a.registry.Write(c.ctx(), func(tx *store.Tx) (err error) {
		if err := change(tx); err != nil {
			return err
		}
		m, err = a.registry.Model(tx, c.p, name)
		return err
	})
	if err != nil {
		return err
	}
	return c.reply(map[string]any{"registered_model": model(m)})
}

// change runs a change that has nothing to answer.
func (a *API) change(c *call, fn func(tx *store.Tx) error) error {
	return c.done(a.registry.Write(c.ctx(), fn))
}

func (a *API) createModel(c *call) error {
	name, text, tags := c.need("name"), c.str("description"), c.registryTags("tags")
	if c.err != nil {
		return c.err
	}
	return a.replyModel(c, name, func(tx *store.Tx) error {
		_, err := a.registry.CreateModel(c.ctx(), tx, c.p, name, text, tags)
		return err
	})
}

func (a *API) getModel(c *call) error {
	name := c.need("name")
	if c.err != nil {
		return c.err
	}
	var m *registry.Model
	err := a.registry.Read(c.ctx(), func(tx *store.Tx) (err error) {
		m, err = a.registry.Model(tx, c.p, name)
		return err
	})
	if err != nil {
		return err
	}
	return c.reply(map[string]any{"registered_model": model(m)})
}

func (c *call) registrySearch() registry.Search {
	return registry.Search{Filter: c.str("filter"), OrderBy: c.strs("order_by"),
		Limit: c.limit(), PageToken: c.str("page_token")}
}

func (a *API) searchModels(c *call) error {
	in := c.registrySearch()
	if c.err != nil {
		return c.err
	}
	page, err := a.registry.SearchModels(c.ctx(), c.p, in)
	if err != nil {
		return err
	}
	return c.reply(listOf("registered_models", page, model))
}

func (a *API) updateModel(c *call) error {
	name, text := c.need("name"), c.str("description")
	if c.err != nil {
		return c.err
	}
	return a.replyModel(c, name, func(tx *store.Tx) error {
		return a.registry.DescribeModel(c.ctx(), tx, c.p, name, text)
	})
}

func (a *API) renameModel(c *call) error {
	name, to := c.need("name"), c.need("new_name")
	if c.err != nil {
		return c.err
	}
	return a.replyModel(c, to, func(tx *store.Tx) error {
		return a.registry.RenameModel(c.ctx(), tx, c.p, name, to)
	})
}

func (a *API) deleteModel(c *call) error {
	name := c.need("name")
	if c.err != nil {
		return c.err
	}
	return a.change(c, func(tx *store.Tx) error {
		return a.registry.DeleteModel(c.ctx(), tx, c.p, name)
	})
}

func (a *API) setModelTag(c *call) error {
	name, t := c.need("name"), registry.Tag{Key: c.need("key"), Value: c.str("value")}
	if c.err != nil {
		return c.err
	}
	return a.change(c, func(tx *store.Tx) error {
		return a.registry.SetModelTag(c.ctx(), tx, c.p, name, t)
	})
}

func (a *API) deleteModelTag(c *call) error {
	name, key := c.need("name"), c.need("key")
	if c.err != nil {
		return c.err
	}
	return a.change(c, func(tx *store.Tx) error {
		return a.registry.DeleteModelTag(c.ctx(), tx, c.p, name, key)
	})
}

func (a *API) setAlias(c *call) error {
	name, alias, n := c.need("name"), c.need("alias"), c.version()
	if c.err != nil {
		return c.err
	}
	if alias == registry.CandidateAlias {
		if err := a.mayRunCode(c); err != nil {
			return err
		}
	}
	return a.change(c, func(tx *store.Tx) error {
		return a.registry.SetAlias(c.ctx(), tx, c.p, name, alias, n)
	})
}

// mayRunCode is Denied for who may not make a candidate: it is packaged, evaluated
// and released, which runs the model's code with the server's rights.
func (a *API) mayRunCode(c *call) error {
	err := a.tokens.Require(c.r, auth.Run)
	if !fairlead.Is(err, fairlead.Unauthenticated) {
		return err
	}
	return fairlead.Errorf(fairlead.Denied, "a version with the alias '%s' is packaged, evaluated "+
		"and released, which runs its code, so it needs the owner's token: "+
		"export MLFLOW_TRACKING_TOKEN=$(cat DATA/%s), where DATA is the server's data directory",
		registry.CandidateAlias, auth.OwnerFile).Because(err)
}

func (a *API) deleteAlias(c *call) error {
	name, alias := c.need("name"), c.need("alias")
	if c.err != nil {
		return c.err
	}
	return a.change(c, func(tx *store.Tx) error {
		return a.registry.DeleteAlias(c.ctx(), tx, c.p, name, alias)
	})
}

// getByAlias returns the version that an alias points at. An unknown alias is
// Invalid, as MLflow has it.
func (a *API) getByAlias(c *call) error {
	name, alias := c.need("name"), c.need("alias")
	if c.err != nil {
		return c.err
	}
	return a.replyVersion(c, func(tx *store.Tx) (*registry.Version, error) {
		n, err := a.registry.Alias(tx, c.p, name, alias)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return nil, fairlead.Errorf(fairlead.Invalid, "Registered model alias %s not found.", alias)
		}
		return a.registry.Version(tx, c.p, name, n)
	})
}

// getLatestVersions returns the newest version of each stage that is asked for.
func (a *API) getLatestVersions(c *call) error {
	name, stages := c.need("name"), c.strs("stages")
	if c.err != nil {
		return c.err
	}
	var latest fairlead.Page[*registry.Version]
	err := a.registry.Read(c.ctx(), func(tx *store.Tx) (err error) {
		latest.Items, err = a.registry.Latest(tx, c.p, name, stages)
		return err
	})
	if err != nil {
		return err
	}
	return c.reply(listOf("model_versions", latest, modelVersion))
}
