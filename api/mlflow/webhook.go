package mlflow

import (
	"net/http"
	"slices"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/sink"
)

// The entities and actions of webhook events, in the order of MLflow's enums.
var (
	webhookEntities = []string{"REGISTERED_MODEL", "MODEL_VERSION", "MODEL_VERSION_TAG",
		"MODEL_VERSION_ALIAS", "PROMPT", "PROMPT_VERSION", "PROMPT_TAG", "PROMPT_VERSION_TAG",
		"PROMPT_ALIAS", "BUDGET_POLICY"}
	webhookActions = []string{"CREATED", "UPDATED", "DELETED", "SET", "EXCEEDED"}
)

// webhookExamples holds each event that MLflow knows, with the data of its test.
var webhookExamples = map[string]map[string]any{
	"registered_model.created": {"name": "example_model", "tags": exampleTags,
		"description": "An example registered model"},
	"model_version.created": {"name": "example_model", "version": "1", "source": "models:/123",
		"run_id": "abcd1234abcd5678", "tags": exampleTags, "description": "An example model version"},
	"model_version_tag.set": {"name": "example_model", "version": "1", "key": "example_key",
		"value": "example_value"},
	"model_version_tag.deleted": {"name": "example_model", "version": "1", "key": "example_key"},
	"model_version_alias.created": {"name": "example_model", "alias": "example_alias",
		"version": "1"},
	"model_version_alias.deleted": {"name": "example_model", "alias": "example_alias"},
	"prompt.created": {"name": "example_prompt", "tags": exampleTags,
		"description": "An example prompt"},
	"prompt_version.created": {"name": "example_prompt", "version": "1",
		"template": "Hello {{name}}!", "tags": exampleTags,
		"description": "An example prompt version"},
	"prompt_tag.set":     {"name": "example_prompt", "key": "example_key", "value": "example_value"},
	"prompt_tag.deleted": {"name": "example_prompt", "key": "example_key"},
	"prompt_version_tag.set": {"name": "example_prompt", "version": "1", "key": "example_key",
		"value": "example_value"},
	"prompt_version_tag.deleted": {"name": "example_prompt", "version": "1", "key": "example_key"},
	"prompt_alias.created":       {"name": "example_prompt", "alias": "example_alias", "version": "1"},
	"prompt_alias.deleted":       {"name": "example_prompt", "alias": "example_alias"},
	"budget_policy.exceeded": {"budget_policy_id": "bp-abc123", "budget_unit": "USD",
		"budget_amount": 100.0, "current_spend": 105.5, "duration_unit": "MONTHS", "duration_value": 1,
		"target_scope": "ENDPOINT", "workspace": "default", "target_value": "ep-abc123",
		"window_start": 1704067200000},
}

var exampleTags = map[string]string{"example_key": "example_value"}

type wireWebhookEvent struct {
	Entity string `json:"entity"`
	Action string `json:"action"`
}

type wireWebhook struct {
	ID          string             `json:"webhook_id"`
	Name        string             `json:"name"`
	Description string             `json:"description,omitempty"`
	URL         string             `json:"url"`
	Events      []wireWebhookEvent `json:"events"`
	Status      string             `json:"status"`
	Created     int64              `json:"creation_timestamp"`
	Updated     int64              `json:"last_updated_timestamp"`
}

func webhook(h *sink.Webhook) wireWebhook {
	w := wireWebhook{ID: h.ID, Name: h.Name, Description: h.Description, URL: h.URL,
		Status: "DISABLED", Created: fairlead.MS(h.Created), Updated: fairlead.MS(h.Updated)}
	if h.Active {
		w.Status = "ACTIVE"
	}
	for _, e := range h.Events {
		entity, action, _ := strings.Cut(strings.ToUpper(e), ".")
		w.Events = append(w.Events, wireWebhookEvent{entity, action})
	}
	return w
}

// webhookEvent reads {entity, action}, such as model_version.created.
func (a *args) webhookEvent() string {
	entity := strings.ToLower(a.enum("entity", webhookEntities...))
	action := strings.ToLower(a.enum("action", webhookActions...))
	name := entity + "." + action
	if _, ok := webhookExamples[name]; !ok && a.err == nil {
		var valid []string
		for known := range webhookExamples {
			if e, action, _ := strings.Cut(known, "."); e == entity {
				valid = append(valid, "'"+action+"'")
			}
		}
		slices.Sort(valid)
		a.fail(fairlead.Errorf(fairlead.Invalid, "Invalid action '%s' for entity '%s'. "+
			"Valid actions are: [%s]", action, entity, strings.Join(valid, ", ")))
	}
	return name
}

// webhookChange reads what create and update share; what is empty is not changed, but
// description and secret.
func (c *call) webhookChange() (out sink.Change) {
	given := func(name string, empty bool) *string {
		v := c.str(name)
		if !c.has(name) || v == "" && !empty {
			return nil
		}
		return &v
	}
	out = sink.Change{Name: given("name", false), URL: given("url", false),
		Description: given("description", true), Secret: given("secret", true)}
	c.each("events", func(item *args) { out.Events = append(out.Events, item.webhookEvent()) })
	if c.has("status") {
		active := c.enum("status", "ACTIVE", "DISABLED") == "ACTIVE"
		out.Active = &active
	}
	return out
}

func (a *API) createWebhook(c *call) error {
	c.need("name")
	c.need("url")
	if !c.has("events") {
		c.need("events")
	}
	in := c.webhookChange()
	if c.err == nil && len(in.Events) == 0 {
		c.fail(fairlead.Errorf(fairlead.Invalid,
			"Webhook events must be a non-empty list of WebhookEvent objects: []."))
	}
	if c.err != nil {
		return c.err
	}
	return c.replyWebhook(a.webhooks.Create(c.ctx(), c.p, in))
}

func (c *call) replyWebhook(h *sink.Webhook, err error) error {
	if err != nil {
		return err
	}
	return c.reply(map[string]wireWebhook{"webhook": webhook(h)})
}

func (a *API) listWebhooks(c *call) error {
	limit, token := c.limit(), c.str("page_token")
	if limit > 1000 {
		c.fail(fairlead.Errorf(fairlead.Invalid, "max_results must be between 1 and 1000."))
	}
	if c.err != nil {
		return c.err
	}
	page, err := a.webhooks.List(c.ctx(), c.p, token, limit)
	if err != nil {
		return err
	}
	return c.reply(listOf("webhooks", page, webhook))
}

func (a *API) getWebhook(c *call) error {
	return c.replyWebhook(a.webhooks.Get(c.ctx(), c.p, c.r.PathValue("webhook_id")))
}

func (a *API) updateWebhook(c *call) error {
	in := c.webhookChange()
	if c.err != nil {
		return c.err
	}
	return c.replyWebhook(a.webhooks.Update(c.ctx(), c.p, c.r.PathValue("webhook_id"), in))
}

func (a *API) deleteWebhook(c *call) error {
	return c.done(a.webhooks.Delete(c.ctx(), c.p, c.r.PathValue("webhook_id")))
}

// testWebhook sends an example of the event, of the webhook's first one when none is
// named.
func (a *API) testWebhook(c *call) error {
	id, name := c.r.PathValue("webhook_id"), ""
	if c.has("event") {
		item := c.object("event")
		if name = item.webhookEvent(); item.err != nil {
			c.fail(item.err)
		}
	}
	if c.err != nil {
		return c.err
	}
	answer, err := a.webhooks.Test(c.ctx(), c.p, id, name)
	if err != nil {
		return err
	}
	result := map[string]any{"success": answer.OK()}
	if answer.Status != 0 {
		result["response_status"], result["response_body"] = answer.Status, answer.Body
	}
	if !answer.OK() && answer.Status < http.StatusBadRequest { // a status says enough
		result["error_message"] = "Failed to test webhook: " + answer.Error
	}
	return c.reply(map[string]any{"result": result})
}
