package mlflow

import (
	"maps"
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
		Types: map[string][]string{
			event.ModelCreatedType:        {"registered_model.created", "prompt.created"},
			event.ModelUpdatedType:        {"prompt_tag.set", "prompt_tag.deleted"},
			event.ModelVersionCreatedType: {"model_version.created", "prompt_version.created"},
			event.ModelVersionTaggedType: {"model_version_tag.set", "model_version_tag.deleted",
				"prompt_version_tag.set", "prompt_version_tag.deleted"},
			event.AliasMovedType: {"model_version_alias.created", "model_version_alias.deleted",
				"prompt_alias.created", "prompt_alias.deleted"},
		},
		Events: slices.Sorted(maps.Keys(webhookExamples)),
		Example: func(p fairlead.Project, name string, now time.Time) *sink.Message {
			data, ok := webhookExamples[name]
			if !ok {
				return nil
			}
			return webhookMessage(p, name, now, data)
		},
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

// isPrompt reports whether a model is a prompt; one that is gone is not.
func (s *webhookStory) isPrompt(name string) (bool, error) {
	value, err := s.reg.ModelTag(s.tx, s.p, name, promptTag)
	if fairlead.Is(err, fairlead.NotFound) {
		return false, nil
	}
	return strings.EqualFold(value, "true"), err
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
	m, err := s.reg.Model(s.tx, s.p, e.Model)
	if fairlead.Is(err, fairlead.NotFound) {
		m, err = &registry.Model{}, nil
	}
	if err != nil {
		return "", nil, err
	}
	tags := tagMap(m.Tags)
	data := map[string]any{"name": e.Model, "tags": tags, "description": m.Description}
	if strings.EqualFold(tags[promptTag], "true") {
		data["tags"] = shown(tags)
		return "prompt.created", data, nil
	}
	return "registered_model.created", data, nil
}

// modelTagged tells of a prompt's tags; MLflow has no event for those of models.
func (s *webhookStory) modelTagged(e event.Model) (string, map[string]any, error) {
	if e.Tag == "" {
		return "", nil, nil
	}
	prompt, err := s.isPrompt(e.Model)
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
	prompt, err := s.isPrompt(e.Model)
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
	prompt, err := s.isPrompt(e.Model)
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
	prompt, err := s.isPrompt(e.Model)
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
