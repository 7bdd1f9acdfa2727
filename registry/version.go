package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

// States of a version.
const (
	Ready   = "ready"
	Retired = "retired"
)

// StageNone is the stage of a new version. Stages are MLflow's older way of saying
// what aliases say; they start nothing.
const StageNone = "None"

// Version is one immutable version of a model.
type Version struct {
	Model         string   `json:"model"`
	N             int64    `json:"n"` // from 1
	Source        string   `json:"source"`
	Storage       string   `json:"storage"` // artifact URI of the files; empty for a prompt
	RunID         string   `json:"run_id,omitempty"`
	LoggedModelID string   `json:"logged_model_id,omitempty"`
	RunLink       string   `json:"run_link,omitempty"`
	Description   string   `json:"description,omitempty"`
	User          string   `json:"user"`
	Stage         string   `json:"stage"`
	State         string   `json:"state"` // ready | retired
	Reason        string   `json:"reason,omitempty"`
	ProducedBy    Lineage  `json:"produced_by"`
	CreatedMS     int64    `json:"created_ms"`
	UpdatedMS     int64    `json:"updated_ms"`
	Tags          []Tag    `json:"tags"`
	Aliases       []string `json:"aliases"`

	modelK int64
}

// Retired reports whether the version can no longer be called.
func (v *Version) Retired() bool { return v.State == Retired }

// Lineage says what made a version. All of it is optional: a version that a
// person registers has none.
type Lineage struct {
	PipelineRun string         `json:"pipeline_run,omitempty"`
	Commit      string         `json:"commit,omitempty"`
	Datasets    []data.Ref     `json:"datasets,omitempty"`
	EnvLock     string         `json:"env_lock,omitempty"` // digest of the environment's lock
	SpecRev     int64          `json:"spec_rev,omitempty"`
	Params      map[string]any `json:"params,omitempty"` // step → its params
	Cause       string         `json:"cause,omitempty"`
}

// NewVersion describes a version to create. Source is an artifact URI, `runs:/…`,
// or `models:/…`; empty means the logged model's.
type NewVersion struct {
	Model         string
	Source        string
	RunID         string
	LoggedModelID string
	RunLink       string
	Description   string
	Tags          []Tag
	ProducedBy    Lineage

	past bool // its logged model tells of it, as all that is brought in
}

// CreateVersion adds the next version of an existing model. The source must be
// vouched for by a run or logged model of the same project; its files are sealed.
func (s *Service) CreateVersion(ctx context.Context, tx *store.Tx, p fairlead.Project,
	n NewVersion) (*Version, error) {
	if err := validateTags(n.Tags); err != nil {
		return nil, err
	}
	m, err := modelByName(tx, p, n.Model)
	if err != nil {
		return nil, err
	}
	storage, err := s.resolveSource(tx, p, &n)
	if err != nil {
		return nil, err
	}
	now := s.nowMS()
	v := &Version{Model: m.Name, Source: n.Source, Storage: storage, RunID: n.RunID,
		LoggedModelID: n.LoggedModelID, RunLink: n.RunLink, Description: n.Description,
		User: fairlead.ActorFrom(ctx).Name, Stage: StageNone, State: Ready,
		ProducedBy: n.ProducedBy, CreatedMS: now, UpdatedMS: now, Tags: n.Tags, modelK: m.k}
	if err := insertVersion(tx, v); err != nil {
		return nil, err
	}
	if err := s.protect(tx, p, v); err != nil {
		return nil, err
	}
	if !n.past {
		if err := s.tellLoggedModel(tx, p, v); err != nil {
			return nil, err
		}
	}
	if at, ok := tracking.ParseURI(storage); ok {
		err := s.tracking.Seal(tx, p, at, fmt.Sprintf("version %d of %q", v.N, v.Model))
		if err != nil {
			return nil, err
		}
	}
	id, err := s.emit(ctx, tx, p, Subject(v.Model, v.N), event.ModelVersionCreated{Model: v.Model,
		Version: v.N, Run: v.RunID, Source: v.Source, Tags: tagMap(n.Tags), Description: v.Description})
	if err != nil {
		return nil, err
	}
	for _, t := range n.Tags {
		if err := upsertVersionTag(tx, v, t); err != nil {
			return nil, err
		}
	}
	return v, s.noteAll(ctx, tx, v.key(), id, v.Description, n.Tags)
}

// versionsTag lists the versions that are made of a logged model, in a tag of it.
const versionsTag = "mlflow.modelVersions"

// tellLoggedModel writes a new version into the tag of the logged model that it is made
// of, if that is not deleted by now. What is no list there is left as it is.
func (s *Service) tellLoggedModel(tx *store.Tx, p fairlead.Project, v *Version) error {
	if v.LoggedModelID == "" {
		return nil
	}
	m, err := s.tracking.LoggedModelTx(tx, p, v.LoggedModelID)
	if fairlead.Is(err, fairlead.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	name, err := json.Marshal(v.Model)
	if err != nil {
		return err
	}
	list := fmt.Sprintf(`[{"name": %s, "version": %d}]`, name, v.N)
	for _, t := range m.Tags {
		if t.Key != versionsTag {
			continue
		}
		before, ok := strings.CutSuffix(strings.TrimSpace(t.Value), "}]")
		if !ok || !json.Valid([]byte(t.Value)) {
			return nil
		}
		list = before + "}, " + list[1:]
	}
	if len(list) > maxVersionsTag {
		return nil
	}
	return s.tracking.TagLoggedModel(tx, m, tracking.Tag{Key: versionsTag, Value: list})
}

// maxVersionsTag bounds the tag, in bytes, as tags of clients are.
const maxVersionsTag = 8000

// Version returns a version with tags and aliases, also a retired one.
func (s *Service) Version(tx *store.Tx, p fairlead.Project, model string, n int64) (*Version,
	error) {
	v, err := versionOf(tx, p, model, n)
	if err != nil {
		return nil, err
	}
	return v, loadVersions(tx, []*Version{v})
}

// Versions returns the versions of a model with numbers above after, by number, as many as
// limit says at most.
func (s *Service) Versions(tx *store.Tx, p fairlead.Project, model string, after int64,
	limit int) ([]*Version, error) {
	m, err := modelByName(tx, p, model)
	if err != nil {
		return nil, err
	}
	out, err := versionsAfter(tx, m.k, after, limit)
	if err != nil {
		return nil, err
	}
	return out, loadVersions(tx, out)
}

// LastParams returns the params, by step, of the newest version that a pipeline
// made: what a retraining repeats. It is nil when there is none.
func (s *Service) LastParams(tx *store.Tx, p fairlead.Project, model string) (
	map[string]map[string]any, error) {
	m, err := modelByName(tx, p, model)
	if err != nil {
		return nil, err
	}
	v, err := lastPipelineVersion(tx, m.k)
	if err != nil || v == nil {
		return nil, err
	}
	out := make(map[string]map[string]any, len(v.ProducedBy.Params))
	for step, params := range v.ProducedBy.Params {
		if byName, ok := params.(map[string]any); ok {
			out[step] = byName
		}
	}
	return out, nil
}

// usable is versionOf for changes; Gone for a retired version.
func usable(tx *store.Tx, p fairlead.Project, model string, n int64) (*Version, error) {
	v, err := versionOf(tx, p, model, n)
	if err == nil && v.State == Retired {
		return nil, fairlead.Errorf(fairlead.Gone, "version %d of %q is retired (%s); "+
			"choose another version", n, model, v.Reason)
	}
	return v, err
}

// DescribeVersion changes the version's description.
func (s *Service) DescribeVersion(ctx context.Context, tx *store.Tx, p fairlead.Project,
	model string, n int64, description string) error {
	v, err := versionOf(tx, p, model, n)
	if err != nil {
		return err
	}
	v.Description = description
	return s.saveVersion(ctx, tx, p, v, event.Model{Description: &description},
		change{kind: ofDescription, value: &description})
}

// SetStage moves the version to one of MLflow's stages. With archive, which Staging and
// Production alone can have, the other versions of that stage become Archived.
func (s *Service) SetStage(ctx context.Context, tx *store.Tx, p fairlead.Project,
	model string, n int64, stage string, archive bool) error {
	to, err := canonicalStage(stage)
	if err != nil {
		return err
	}
	if archive && !slices.Contains(activeStages, to) {
		return fairlead.Errorf(fairlead.Invalid, "Model version transition cannot archive existing "+
			"model versions because '%s' is not an Active stage. Valid stages are ['%s']", stage,
			strings.Join(activeStages, "', '"))
	}
	v, err := usable(tx, p, model, n)
	if err != nil {
		return err
	}
	if archive {
		others, err := versionsAtStage(tx, v, to)
		if err != nil {
			return err
		}
		for _, other := range others {
			if err := s.moveStage(ctx, tx, p, other, stageArchived); err != nil {
				return err
			}
		}
	}
	if err := s.moveStage(ctx, tx, p, v, to); err != nil {
		return err
	}
	return touchModel(tx, v.modelK, v.UpdatedMS)
}

func (s *Service) moveStage(ctx context.Context, tx *store.Tx, p fairlead.Project, v *Version,
	to string) error {
	v.Stage = to
	return s.saveVersion(ctx, tx, p, v, event.Model{Stage: &to}, change{kind: ofStage, value: &to})
}

// saveVersion stores a changed version, with the event and history of the change.
func (s *Service) saveVersion(ctx context.Context, tx *store.Tx, p fairlead.Project, v *Version,
	e event.Model, c change) error {
	if err := updateVersion(tx, v, s.nowMS()); err != nil {
		return err
	}
	e.Name, e.Model, e.Version = event.ModelUpdatedType, v.Model, v.N
	id, err := s.emit(ctx, tx, p, Subject(v.Model, v.N), e)
	if err != nil {
		return err
	}
	return s.note(ctx, tx, v.key(), id, c)
}

// SetVersionTag sets a tag. What it was before stays known; see VersionAsOf.
func (s *Service) SetVersionTag(ctx context.Context, tx *store.Tx, p fairlead.Project,
	model string, n int64, t Tag) error {
	if err := validateTags([]Tag{t}); err != nil {
		return err
	}
	v, err := versionOf(tx, p, model, n)
	if err != nil {
		return err
	}
	if err := upsertVersionTag(tx, v, t); err != nil {
		return err
	}
	return s.emitTag(ctx, tx, p, v, t.Key, &t.Value)
}

// DeleteVersionTag removes a tag; one that is not there is fine.
func (s *Service) DeleteVersionTag(ctx context.Context, tx *store.Tx, p fairlead.Project,
	model string, n int64, key string) error {
	v, err := versionOf(tx, p, model, n)
	if err != nil {
		return err
	}
	if err := deleteVersionTag(tx, v, key); err != nil {
		return err
	}
	return s.emitTag(ctx, tx, p, v, key, nil)
}

func (s *Service) emitTag(ctx context.Context, tx *store.Tx, p fairlead.Project, v *Version,
	key string, value *string) error {
	id, err := s.emit(ctx, tx, p, Subject(v.Model, v.N),
		event.ModelVersionTagged{Model: v.Model, Version: v.N, Key: key, Value: value})
	if err != nil {
		return err
	}
	return s.note(ctx, tx, v.key(), id, change{kind: ofTag, key: key, value: value})
}

// Retire ends a version's use: it keeps its record and can no longer be called.
// Precondition when it is live or held; retiring twice is fine.
func (s *Service) Retire(ctx context.Context, tx *store.Tx, p fairlead.Project, model string,
	n int64, reason string) error {
	v, err := versionOf(tx, p, model, n)
	if err != nil || v.State == Retired {
		return err
	}
	if err := requireFree(tx, &Model{Name: model, k: v.modelK}, n); err != nil {
		return err
	}
	v.State, v.Reason = Retired, reason
	if err := updateVersion(tx, v, s.nowMS()); err != nil {
		return err
	}
	_, err = s.emit(ctx, tx, p, Subject(model, n),
		event.ModelVersionRetired{Model: model, Version: n, Reason: reason})
	return err
}

// DeleteVersion removes a version, its package and its aliases; Precondition when
// it is live or held. Its number is not given again.
func (s *Service) DeleteVersion(ctx context.Context, tx *store.Tx, p fairlead.Project,
	model string, n int64) error {
	v, err := versionOf(tx, p, model, n)
	if err != nil {
		return err
	}
	if err := requireFree(tx, &Model{Name: model, k: v.modelK}, n); err != nil {
		return err
	}
	if err := s.dropAliases(ctx, tx, p, v); err != nil {
		return err
	}
	if err := s.blobs.UnlinkAll(tx, p, PackageOwner(model, n)); err != nil {
		return err
	}
	now := s.nowMS()
	if err := keepVersion(tx, v, now); err != nil {
		return err
	}
	if err := deleteVersion(tx, v, now); err != nil {
		return err
	}
	if err := s.unprotect(tx, p, v); err != nil {
		return err
	}
	if err := s.unseal(tx, p, v.Storage); err != nil {
		return err
	}
	_, err = s.emit(ctx, tx, p, Subject(model, n),
		event.ModelVersionDeleted{Model: model, Version: n})
	return err
}

// unseal lifts the seal of files that no version is made of any more.
func (s *Service) unseal(tx *store.Tx, p fairlead.Project, storage string) error {
	at, ok := tracking.ParseURI(storage)
	if !ok {
		return nil
	}
	used, err := placeUsed(tx, p, at)
	if err != nil || used {
		return err
	}
	return s.tracking.Unseal(tx, p, at)
}

// PackageOwner owns the files of a version's package.
func PackageOwner(model string, n int64) blob.Owner {
	return blob.Owner{Kind: "package", ID: fmt.Sprintf("%s/%d", model, n)}
}
