package transfer

import (
	"cmp"
	"context"
	"net/url"
	"strconv"
	"strings"

	"github.com/fairlead-ml/fairlead/registry"
)

// isPrompt is what a search must say that is for prompts, which are models too.
const isPrompt = "tags.`mlflow.prompt.is_prompt` = 'true'"

// registered asks for models, and then for prompts.
func (c *remote) registered(ctx context.Context, each func(*registered) error) error {
	seen := map[string]bool{} // other servers find prompts among models
	for _, kind := range []string{"", isPrompt} {
		if err := c.registeredOf(ctx, kind, func(m *registered) error {
			if seen[m.Name] {
				return nil
			}
			seen[m.Name] = true
			return each(m)
		}); err != nil {
			return err
		}
	}
	return nil
}

func (c *remote) registeredOf(ctx context.Context, kind string,
	each func(*registered) error) error {
	query := url.Values{"max_results": {strconv.Itoa(runsPage)}, "filter": {kind},
		"order_by": {"name ASC"}}
	return pages(func(token string) (string, error) {
		var page struct {
			Models []struct {
				Name, Description string
				Created           integer `json:"creation_timestamp"`
				Updated           integer `json:"last_updated_timestamp"`
				Tags              []registry.Tag
				Aliases           []struct {
					Alias   string
					Version integer
				}
			} `json:"registered_models"`
			Next string `json:"next_page_token"`
		}
		query.Set("page_token", token)
		err := c.call(ctx, api+"registered-models/search", given(query), nil, &page)
		if err != nil {
			return "", err
		}
		for _, f := range page.Models {
			m := &registered{Model: registry.Model{Name: f.Name, Description: f.Description,
				CreatedMS: int64(f.Created), UpdatedMS: int64(f.Updated), Tags: f.Tags,
				Aliases: map[string]int64{}}}
			for _, a := range f.Aliases {
				m.Aliases[a.Alias] = int64(a.Version)
			}
			if m.Versions, err = c.versions(ctx, f.Name, kind); err != nil {
				return "", err
			}
			if err := each(m); err != nil {
				return "", err
			}
		}
		return page.Next, nil
	})
}

// given is a query without what is empty.
func given(q url.Values) url.Values {
	out := url.Values{}
	for k, v := range q {
		if len(v) > 0 && v[0] != "" {
			out[k] = v
		}
	}
	return out
}

func (c *remote) versions(ctx context.Context, model, kind string) (all []version, err error) {
	quote := "'"
	if strings.Contains(model, quote) {
		quote = `"`
	}
	filter := "name = " + quote + model + quote
	if kind != "" {
		filter += " AND " + kind
	}
	query := url.Values{"max_results": {strconv.Itoa(listPage)}, "filter": {filter},
		"order_by": {"version_number ASC"}}
	err = pages(func(token string) (string, error) {
		var page struct {
			Versions []struct {
				N           integer `json:"version"`
				Source      string  `json:"source"`
				RunID       string  `json:"run_id"`
				RunLink     string  `json:"run_link"`
				ModelID     string  `json:"model_id"`
				Description string  `json:"description"`
				User        string  `json:"user_id"`
				Stage       string  `json:"current_stage"`
				Created     integer `json:"creation_timestamp"`
				Updated     integer `json:"last_updated_timestamp"`
				Tags        []registry.Tag
			} `json:"model_versions"`
			Next string `json:"next_page_token"`
		}
		query.Set("page_token", token)
		err := c.call(ctx, api+"model-versions/search", given(query), nil, &page)
		for _, f := range page.Versions {
			all = append(all, version{Model: model, N: int64(f.N), Source: f.Source, RunID: f.RunID,
				RunLink: f.RunLink, LoggedModelID: f.ModelID, Description: f.Description, User: f.User,
				Stage: cmp.Or(f.Stage, registry.StageNone), CreatedMS: int64(f.Created),
				UpdatedMS: int64(f.Updated), Tags: f.Tags})
		}
		return page.Next, err
	})
	return all, err
}
