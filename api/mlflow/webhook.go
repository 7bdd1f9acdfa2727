package mlflow

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/sink"
	"github.com/fairlead-ml/fairlead/store"
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
	answer, err := a.webhooks.Test(c.ctx(), c.p, id,
		func(h *sink.Webhook, now time.Time) *sink.Message {
			example := cmp.Or(name, h.Events[0])
			return webhookMessage(c.p, example, now, webhookExamples[example])
		})
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

// webhookBody is what a receiver gets.
type webhookBody struct {
	Entity    string `json:"entity"`
	Action    string `json:"action"`
	Timestamp string `json:"timestamp"` // when it happened, ISO 8601 in UTC
	Data      any    `json:"data"`
	Workspace string `json:"workspace"` // the project, as in X-MLFLOW-WORKSPACE
}

func webhookMessage(p fairlead.Project, name string, at time.Time, data any) *sink.Message {
	entity, action, _ := strings.Cut(name, ".")
	return &sink.Message{Event: name, Body: webhookBody{Entity: entity, Action: action,
		Timestamp: at.UTC().Format("2006-01-02T15:04:05.000000-07:00"), Data: data, Workspace: p.Name}}
}

// Tags by which MLflow's client keeps prompts as models and versions.
const (
	promptTag     = "mlflow.prompt.is_prompt"
	promptTextTag = "mlflow.prompt.text"
	promptTypeTag = "_mlflow_prompt_type"
)

// WebhookSource says what events of the ledger mean to receivers of MLflow's webhooks.
// What an event does not hold is read from the registry as it is when the delivery is
// made, right behind the event; of what is gone by then only the names are told.
func WebhookSource(reg *registry.Service) sink.Source {
	return sink.Source{
		Types: []string{event.ModelCreatedType, event.ModelUpdatedType, event.ModelVersionCreatedType,
			event.ModelVersionTaggedType, event.AliasMovedType},
		Message: func(tx *store.Tx, r *ledger.Record) (*sink.Message, error) {
			s := &webhookStory{tx: tx, reg: reg, p: r.ProjectRef()}
			name, data, err := s.tell(r)
			if err != nil || name == "" {
				return nil, err
			}
			return webhookMessage(s.p, name, fairlead.FromMS(r.TimeMS), data), nil
		},
	}
}

// webhookStory tells one event in MLflow's words.
type webhookStory struct {
	tx  *store.Tx
	reg *registry.Service
	p   fairlead.Project
}

// tell returns the event's name and data; no name where MLflow has none.
func (s *webhookStory) tell(r *ledger.Record) (string, map[string]any, error) {
	switch r.Type {
	case event.ModelCreatedType, event.ModelUpdatedType:
		var e event.Model
		if err := r.Decode(&e); err != nil {
			return "", nil, err
		}
		if r.Type == event.ModelCreatedType {
			return s.modelCreated(e)
		}
		return s.modelTagged(e)
	case event.ModelVersionCreatedType:
		var e event.ModelVersionCreated
		if err := r.Decode(&e); err != nil {
			return "", nil, err
		}
		return s.versionCreated(e)
	case event.ModelVersionTaggedType:
		var e event.ModelVersionTagged
		if err := r.Decode(&e); err != nil {
			return "", nil, err
		}
		return s.versionTagged(e)
	}
	var e event.AliasMoved
	if err := r.Decode(&e); err != nil {
		return "", nil, err
	}
	return s.aliasMoved(e)
}

// model returns a model and whether it is a prompt; an empty one when it is gone.
func (s *webhookStory) model(name string) (*registry.Model, bool, error) {
	m, err := s.reg.Model(s.tx, s.p, name)
	if fairlead.Is(err, fairlead.NotFound) {
		return &registry.Model{Name: name}, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	return m, strings.EqualFold(tagMap(m.Tags)[promptTag], "true"), nil
}

func tagMap(tags []registry.Tag) map[string]string {
	out := map[string]string{}
	for _, t := range tags {
		out[t.Key] = t.Value
	}
	return out
}

// shown are the tags of a prompt without those that only make it one.
func shown(tags map[string]string) map[string]string {
	for _, key := range []string{promptTag, promptTextTag, promptTypeTag} {
		delete(tags, key)
	}
	return tags
}

func (s *webhookStory) modelCreated(e event.Model) (string, map[string]any, error) {
	m, prompt, err := s.model(e.Model)
	if err != nil {
		return "", nil, err
	}
	data := map[string]any{"name": e.Model, "tags": tagMap(m.Tags), "description": m.Description}
	if prompt {
		data["tags"] = shown(tagMap(m.Tags))
		return "prompt.created", data, nil
	}
	return "registered_model.created", data, nil
}

// modelTagged tells of a prompt's tags; MLflow has no event for those of models.
func (s *webhookStory) modelTagged(e event.Model) (string, map[string]any, error) {
	if e.Tag == "" {
		return "", nil, nil
	}
	_, prompt, err := s.model(e.Model)
	if err != nil || !prompt {
		return "", nil, err
	}
	data := map[string]any{"name": e.Model, "key": e.Tag}
	if e.Value == nil {
		return "prompt_tag.deleted", data, nil
	}
	data["value"] = *e.Value
	return "prompt_tag.set", data, nil
}

func (s *webhookStory) versionCreated(e event.ModelVersionCreated) (string, map[string]any, error) {
	_, prompt, err := s.model(e.Model)
	if err != nil {
		return "", nil, err
	}
	v, err := s.reg.Version(s.tx, s.p, e.Model, e.Version)
	if fairlead.Is(err, fairlead.NotFound) {
		v, err = &registry.Version{}, nil
	}
	if err != nil {
		return "", nil, err
	}
	tags := tagMap(v.Tags)
	data := map[string]any{"name": e.Model, "version": strconv.FormatInt(e.Version, 10),
		"tags": tags, "description": orNull(v.Description)}
	if prompt {
		data["template"] = orNull(tags[promptTextTag])
		data["tags"] = shown(tags)
		return "prompt_version.created", data, nil
	}
	data["source"], data["run_id"] = e.Source, orNull(e.Run)
	return "model_version.created", data, nil
}

// orNull is null for an empty text, as in MLflow.
func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func (s *webhookStory) versionTagged(e event.ModelVersionTagged) (string, map[string]any, error) {
	_, prompt, err := s.model(e.Model)
	if err != nil {
		return "", nil, err
	}
	name := "model_version_tag."
	if prompt {
		name = "prompt_version_tag."
	}
	data := map[string]any{"name": e.Model, "version": strconv.FormatInt(e.Version, 10), "key": e.Key}
	if e.Value == nil {
		return name + "deleted", data, nil
	}
	data["value"] = *e.Value
	return name + "set", data, nil
}

// aliasMoved tells of aliases that anyone has moved, rollouts too.
func (s *webhookStory) aliasMoved(e event.AliasMoved) (string, map[string]any, error) {
	_, prompt, err := s.model(e.Model)
	if err != nil {
		return "", nil, err
	}
	name := "model_version_alias."
	if prompt {
		name = "prompt_alias."
	}
	data := map[string]any{"name": e.Model, "alias": e.Alias}
	if e.To == 0 {
		return name + "deleted", data, nil
	}
	data["version"] = strconv.FormatInt(e.To, 10)
	return name + "created", data, nil
}
