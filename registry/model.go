package registry

import (
	"context"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/store"
)

// Model is a registered model: a name under which versions are kept.
type Model struct {
	Name        string           `json:"name"`
	Description string           `json:"description,omitempty"`
	CreatedMS   int64            `json:"created_ms"`
	UpdatedMS   int64            `json:"updated_ms"`
	Tags        []Tag            `json:"tags"`
	Aliases     map[string]int64 `json:"aliases"`
	Latest      []*Version       `json:"latest"` // the newest version of each stage, without lineage

	k int64
}

// EnsureModel returns the model of that name, and creates it when there is none.
func (s *Service) EnsureModel(ctx context.Context, tx *store.Tx, p fairlead.Project,
	name string) (*Model, error) {
	m, err := modelByName(tx, p, name)
	if !fairlead.Is(err, fairlead.NotFound) {
		return m, err
	}
	return s.CreateModel(ctx, tx, p, name, "", nil)
}

// CreateModel adds a model. A taken name is Conflict, with detail "exists".
func (s *Service) CreateModel(ctx context.Context, tx *store.Tx, p fairlead.Project,
	name, description string, tags []Tag) (*Model, error) {
	if err := validateModelName(name); err != nil {
		return nil, err
	}
	if err := validateTags(tags); err != nil {
		return nil, err
	}
	now := s.nowMS()
	m := &Model{Name: name, Description: description, CreatedMS: now, UpdatedMS: now, Tags: tags}
	err := insertModel(tx, p, m)
	if store.IsUnique(err) {
		return nil, errTaken(name)
	}
	if err != nil {
		return nil, err
	}
	e := event.Model{Name: event.ModelCreatedType, Model: name, Tags: tagMap(tags)}
	if description != "" {
		e.Description = &description
	}
	id, err := s.emitModel(ctx, tx, p, e)
	if err != nil {
		return nil, err
	}
	for _, t := range tags {
		if err := upsertModelTag(tx, m.k, t); err != nil {
			return nil, err
		}
	}
	return m, s.noteAll(ctx, tx, versionKey{model: m.k}, id, description, tags)
}

// tagMap returns nil for no tags.
func tagMap(tags []Tag) map[string]string {
	if len(tags) == 0 {
		return nil
	}
	out := make(map[string]string, len(tags))
	for _, t := range tags {
		out[t.Key] = t.Value
	}
	return out
}

func errTaken(name string) error {
	return fairlead.Errorf(fairlead.Conflict,
		"Registered Model (name=%s) already exists.", name).With("exists", true)
}

func (s *Service) emitModel(ctx context.Context, tx *store.Tx, p fairlead.Project,
	e event.Model) (id string, err error) {
	return s.emit(ctx, tx, p, modelSubject(e.Model), e)
}

// Model returns the model with tags, aliases and latest versions.
func (s *Service) Model(tx *store.Tx, p fairlead.Project, name string) (*Model, error) {
	m, err := modelByName(tx, p, name)
	if err != nil {
		return nil, err
	}
	return m, loadModels(tx, []*Model{m})
}

// ModelTag returns the value of a model's tag, empty where there is no such tag.
func (s *Service) ModelTag(tx *store.Tx, p fairlead.Project, name, key string) (string, error) {
	return modelTag(tx, p, name, key)
}

// Latest returns the newest version of each of the stages, of all when none is
// given, by number.
func (s *Service) Latest(tx *store.Tx, p fairlead.Project, name string, stages []string) (
	[]*Version, error) {
	wanted := map[string]bool{}
	for _, stage := range stages {
		stage, err := canonicalStage(stage)
		if err != nil {
			return nil, err
		}
		wanted[stage] = true
	}
	m, err := s.Model(tx, p, name)
	if err != nil {
		return nil, err
	}
	var out []*Version
	for _, v := range m.Latest {
		if len(wanted) == 0 || wanted[v.Stage] {
			out = append(out, v)
		}
	}
	return out, nil
}

// CountVersions returns how many versions each of the models has, by name.
func (s *Service) CountVersions(tx *store.Tx, models []*Model) (map[string]int64, error) {
	out := map[string]int64{}
	return out, countVersions(tx, models, out)
}

// loadModels fills tags, aliases and latest versions.
func loadModels(tx *store.Tx, models []*Model) error {
	for _, load := range []func(*store.Tx, []*Model) error{loadModelTags, loadModelAliases,
		loadLatest} {
		if err := load(tx, models); err != nil {
			return err
		}
	}
	return nil
}

// DescribeModel changes the model's description.
func (s *Service) DescribeModel(ctx context.Context, tx *store.Tx, p fairlead.Project,
	name, description string) error {
	return s.changeModel(ctx, tx, p, name, event.Model{Description: &description},
		change{kind: ofDescription, value: &description}, func(m *Model) error {
			m.Description = description
			return updateModel(tx, m, s.nowMS())
		})
}

// RenameModel gives the model another name. Precondition when a version is live,
// held or packaged, because endpoints and packages carry the name, and when a model
// that was deleted had versions under the new one.
func (s *Service) RenameModel(ctx context.Context, tx *store.Tx, p fairlead.Project,
	name, to string) error {
	if err := validateModelName(to); err != nil {
		return err
	}
	m, err := modelByName(tx, p, name)
	if err != nil {
		return err
	}
	if err := requireFree(tx, m, 0); err != nil {
		return err
	}
	packaged, err := anyPackaged(tx, m.k)
	if err != nil {
		return err
	}
	if packaged {
		return fairlead.Errorf(fairlead.Precondition,
			"the model %q has packaged versions, which carry its name; register under %q instead",
			name, to)
	}
	m.Name = to
	err = updateModel(tx, m, s.nowMS())
	if store.IsUnique(err) {
		return errTaken(to)
	}
	if err != nil {
		return err
	}
	if err := endName(tx, m.k, m.UpdatedMS); err != nil {
		return err
	}
	if err := beginName(tx, p, m, m.UpdatedMS); err != nil {
		return err
	}
	free, err := takeNumbers(tx, p, m, name)
	if err != nil {
		return err
	}
	if !free {
		return fairlead.Errorf(fairlead.Precondition, "a model that was named %q has had the same "+
			"numbers, and a version's number is never given twice; choose another name", to)
	}
	if err := s.protectAll(tx, p, m); err != nil {
		return err
	}
	_, err = s.emitModel(ctx, tx, p,
		event.Model{Name: event.ModelUpdatedType, Model: to, Renamed: name})
	return err
}

// protectAll says the model's new name where its versions hold what they are made of.
func (s *Service) protectAll(tx *store.Tx, p fairlead.Project, m *Model) error {
	versions, err := versionsOf(tx, m.k)
	if err != nil {
		return err
	}
	for _, v := range versions {
		if err := s.protect(tx, p, v); err != nil {
			return err
		}
	}
	return nil
}

// DeleteModel removes the model with all versions; Precondition when one of them
// is live or held. A new model of that name goes on where its numbers ended.
func (s *Service) DeleteModel(ctx context.Context, tx *store.Tx, p fairlead.Project,
	name string) error {
	m, err := modelByName(tx, p, name)
	if err != nil {
		return err
	}
	if err := requireFree(tx, m, 0); err != nil {
		return err
	}
	versions, err := versionsOf(tx, m.k)
	if err != nil {
		return err
	}
	id, err := s.emitModel(ctx, tx, p, event.Model{Name: event.ModelDeletedType, Model: name})
	if err != nil {
		return err
	}
	if err := s.endAliases(ctx, tx, m, id); err != nil {
		return err
	}
	now := s.nowMS()
	for _, v := range versions {
		if err := keepVersion(tx, v, now); err != nil {
			return err
		}
	}
	if err := deleteModel(tx, m.k); err != nil {
		return err
	}
	if err := endName(tx, m.k, now); err != nil {
		return err
	}
	for _, v := range versions {
		if err := s.blobs.UnlinkAll(tx, p, PackageOwner(name, v.N)); err != nil {
			return err
		}
		if err := s.unprotect(tx, p, v); err != nil {
			return err
		}
		if err := s.unseal(tx, p, v.Storage); err != nil {
			return err
		}
	}
	return nil
}

// SetModelTag sets a tag of the model.
func (s *Service) SetModelTag(ctx context.Context, tx *store.Tx, p fairlead.Project,
	name string, t Tag) error {
	if err := validateTags([]Tag{t}); err != nil {
		return err
	}
	return s.changeModel(ctx, tx, p, name, event.Model{Tag: t.Key, Value: &t.Value},
		change{kind: ofTag, key: t.Key, value: &t.Value},
		func(m *Model) error { return upsertModelTag(tx, m.k, t) })
}

// DeleteModelTag removes a tag of the model; one that is not there is fine.
func (s *Service) DeleteModelTag(ctx context.Context, tx *store.Tx, p fairlead.Project,
	name, key string) error {
	return s.changeModel(ctx, tx, p, name, event.Model{Tag: key},
		change{kind: ofTag, key: key},
		func(m *Model) error { return deleteModelTag(tx, m.k, key) })
}

// changeModel makes a change of a model, with its event and history.
func (s *Service) changeModel(ctx context.Context, tx *store.Tx, p fairlead.Project, name string,
	e event.Model, c change, do func(*Model) error) error {
	m, err := modelByName(tx, p, name)
	if err != nil {
		return err
	}
	if err := do(m); err != nil {
		return err
	}
	e.Name, e.Model = event.ModelUpdatedType, name
	id, err := s.emitModel(ctx, tx, p, e)
	if err != nil {
		return err
	}
	return s.note(ctx, tx, versionKey{model: m.k}, id, c)
}
