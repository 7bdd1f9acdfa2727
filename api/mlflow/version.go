package mlflow

import (
	"strconv"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/store"
)

type wireVersion struct {
	Name        string         `json:"name"`
	Version     string         `json:"version"`
	Created     int64          `json:"creation_timestamp"`
	Updated     int64          `json:"last_updated_timestamp"`
	User        string         `json:"user_id,omitempty"`
	Stage       string         `json:"current_stage"`
	Description string         `json:"description"`
	Source      string         `json:"source"`
	RunID       string         `json:"run_id"`
	Status      string         `json:"status"`
	Message     string         `json:"status_message,omitempty"`
	Tags        []registry.Tag `json:"tags,omitempty"`
	RunLink     string         `json:"run_link"`
	Aliases     []string       `json:"aliases,omitempty"`
	ModelID     string         `json:"model_id,omitempty"`
}

func modelVersion(v *registry.Version) wireVersion {
	w := wireVersion{Name: v.Model, Version: strconv.FormatInt(v.N, 10), Created: v.CreatedMS,
		Updated: v.UpdatedMS, User: v.User, Stage: v.Stage, Description: v.Description,
		Source: v.Source, RunID: v.RunID, Status: "READY", Tags: v.Tags, RunLink: v.RunLink,
		Aliases: v.Aliases, ModelID: v.LoggedModelID}
	if v.Retired() {
		w.Message = "retired: " + v.Reason
	}
	return w
}

// version reads a version's number, which clients send as text.
func (c *call) version() int64 {
	v := ""
	if raw, ok := c.raw("version"); ok {
		v = text(raw)
	}
	if v == "" {
		return c.needInt("version")
	}
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		c.fail(fairlead.Errorf(fairlead.Invalid, "Parameter 'version' must be an integer, got '%s'.", v))
	}
	return n
}

// replyVersion answers with a version that is read.
func (a *API) replyVersion(c *call, get func(tx *store.Tx) (*registry.Version, error)) error {
	var v *registry.Version
	err := a.registry.Read(c.ctx(), func(tx *store.Tx) (err error) {
		v, err = get(tx)
		return err
	})
	if err != nil {
		return err
	}
	return c.reply(map[string]any{"model_version": modelVersion(v)})
}

// changeVersion runs a change and answers with the version as it is after it.
func (a *API) changeVersion(c *call, name string, n int64, change func(tx *store.Tx) error) error {
	var v *registry.Version
	err := a.registry.Write(c.ctx(), func(tx *store.Tx) (err error) {
		if err := change(tx); err != nil {
			return err
		}
		v, err = a.registry.Version(tx, c.p, name, n)
		return err
	})
	if err != nil {
		return err
	}
	return c.reply(map[string]any{"model_version": modelVersion(v)})
}

func (a *API) createVersion(c *call) error {
	n := registry.NewVersion{Model: c.need("name"), Source: c.need("source"),
		RunID: c.str("run_id"), LoggedModelID: c.str("model_id"), RunLink: c.str("run_link"),
		Description: c.str("description"), Tags: c.registryTags("tags")}
	if c.err != nil {
		return c.err
	}
	var v *registry.Version
	err := a.registry.Write(c.ctx(), func(tx *store.Tx) (err error) {
		v, err = a.registry.CreateVersion(c.ctx(), tx, c.p, n)
		return err
	})
	if err != nil {
		return err
	}
	return c.reply(map[string]any{"model_version": modelVersion(v)})
}

func (a *API) getVersion(c *call) error {
	name, n := c.need("name"), c.version()
	if c.err != nil {
		return c.err
	}
	return a.replyVersion(c, func(tx *store.Tx) (*registry.Version, error) {
		return a.registry.Version(tx, c.p, name, n)
	})
}

func (a *API) searchVersions(c *call) error {
	in := c.registrySearch()
	if c.err != nil {
		return c.err
	}
	page, err := a.registry.SearchVersions(c.ctx(), c.p, in)
	if err != nil {
		return err
	}
	return c.reply(listOf("model_versions", page, modelVersion))
}

func (a *API) updateVersion(c *call) error {
	name, n, text := c.need("name"), c.version(), c.str("description")
	if c.err != nil {
		return c.err
	}
	return a.changeVersion(c, name, n, func(tx *store.Tx) error {
		return a.registry.DescribeVersion(c.ctx(), tx, c.p, name, n, text)
	})
}

func (a *API) deleteVersion(c *call) error {
	name, n := c.need("name"), c.version()
	if c.err != nil {
		return c.err
	}
	return a.change(c, func(tx *store.Tx) error {
		return a.registry.DeleteVersion(c.ctx(), tx, c.p, name, n)
	})
}

func (a *API) setVersionTag(c *call) error {
	name, n := c.need("name"), c.version()
	t := registry.Tag{Key: c.need("key"), Value: c.str("value")}
	if c.err != nil {
		return c.err
	}
	return a.change(c, func(tx *store.Tx) error {
		return a.registry.SetVersionTag(c.ctx(), tx, c.p, name, n, t)
	})
}

func (a *API) deleteVersionTag(c *call) error {
	name, n, key := c.need("name"), c.version(), c.need("key")
	if c.err != nil {
		return c.err
	}
	return a.change(c, func(tx *store.Tx) error {
		return a.registry.DeleteVersionTag(c.ctx(), tx, c.p, name, n, key)
	})
}

// getDownloadURI says where the files are; for a prompt, its source.
func (a *API) getDownloadURI(c *call) error {
	name, n := c.need("name"), c.version()
	if c.err != nil {
		return c.err
	}
	var v *registry.Version
	err := a.registry.Read(c.ctx(), func(tx *store.Tx) (err error) {
		v, err = a.registry.Version(tx, c.p, name, n)
		return err
	})
	if err != nil {
		return err
	}
	uri := v.Storage
	if uri == "" {
		uri = v.Source
	}
	return c.reply(map[string]string{"artifact_uri": uri})
}

func (a *API) transitionStage(c *call) error {
	name, n, stage := c.need("name"), c.version(), c.need("stage")
	archive := c.bool("archive_existing_versions", false)
	if c.err != nil {
		return c.err
	}
	return a.changeVersion(c, name, n, func(tx *store.Tx) error {
		return a.registry.SetStage(c.ctx(), tx, c.p, name, n, stage, archive)
	})
}
