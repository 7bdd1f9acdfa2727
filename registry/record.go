package registry

import (
	"encoding/json"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// The records are all that is kept of models, as package archive writes and reads them.
// Their JSON is the format of an export: a field that is added needs a new format there.

// ModelRecord is a model, also one that was deleted: its past stays known.
type ModelRecord struct {
	ID          int64             `json:"id"` // within the export: models are numbered by age, from 1
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	CreatedMS   int64             `json:"created_ms,omitempty"` // 0 for a deleted one
	UpdatedMS   int64             `json:"updated_ms,omitempty"`
	Deleted     bool              `json:"deleted,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
	Names       []NameRecord      `json:"names"` // that it has had, the oldest first
	Aliases     []AliasRecord     `json:"aliases,omitempty"`
	AliasMoves  []AliasMove       `json:"alias_moves,omitempty"` // by alias and revision
	Changes     []ChangeRecord    `json:"changes,omitempty"`     // of its tags and description

	k int64
}

// NameRecord says when a model had a name.
type NameRecord struct {
	Name   string `json:"name"`
	FromMS int64  `json:"from_ms"`
	ToMS   int64  `json:"to_ms,omitempty"` // 0: still
}

// AliasRecord is where an alias points, 0 for nowhere any more, and how often it moved.
type AliasRecord struct {
	Alias   string `json:"alias"`
	Version int64  `json:"version"`
	Rev     int64  `json:"rev"`
}

// NumberRecord is the highest number that a version under a name has had.
type NumberRecord struct {
	Name  string `json:"name"`
	Last  int64  `json:"last"`
	Model int64  `json:"model,omitempty"` // whose; 0 when that was deleted
}

// VersionRecord is a version, also one that was deleted: that has Was instead of all that
// follows it here.
type VersionRecord struct {
	Model     int64           `json:"model"` // id of its record
	N         int64           `json:"version"`
	CreatedMS int64           `json:"created_ms"`
	RetiredMS int64           `json:"retired_ms,omitempty"`
	DeletedMS int64           `json:"deleted_ms,omitempty"`
	Changes   []ChangeRecord  `json:"changes,omitempty"` // of its tags, description and stage
	Was       json.RawMessage `json:"was,omitempty"`

	Source        string            `json:"source,omitempty"`
	Storage       string            `json:"storage,omitempty"`
	RunID         string            `json:"run_id,omitempty"`
	LoggedModelID string            `json:"logged_model_id,omitempty"`
	RunLink       string            `json:"run_link,omitempty"`
	Description   string            `json:"description,omitempty"`
	User          string            `json:"user,omitempty"`
	Stage         string            `json:"stage,omitempty"`
	State         string            `json:"state,omitempty"` // ready | retired
	Reason        string            `json:"reason,omitempty"`
	ProducedBy    json.RawMessage   `json:"produced_by,omitempty"`
	UpdatedMS     int64             `json:"updated_ms,omitempty"`
	Tags          map[string]string `json:"tags,omitempty"`
}

// ChangeRecord is one change of what a model or version says about itself, by kind, key and
// revision; a tag without a value was removed.
type ChangeRecord struct {
	Kind  string  `json:"kind"` // tag | description | stage
	Key   string  `json:"key,omitempty"`
	Rev   int64   `json:"rev"`
	Value *string `json:"value"`
	Event string  `json:"event"` // id in the ledger
	Actor string  `json:"actor"`
	AtMS  int64   `json:"at_ms"`
}

// Records calls fn with each model of the project, the oldest first, also with those that
// were deleted.
func (s *Service) Records(tx *store.Tx, p fairlead.Project, fn func(*ModelRecord) error) error {
	keys, err := modelKeys(tx, p)
	if err != nil {
		return err
	}
	for i, k := range keys {
		m, err := modelRecord(tx, k)
		if err != nil {
			return err
		}
		m.ID = int64(i + 1)
		if err := fn(m); err != nil {
			return err
		}
	}
	return nil
}

// VersionRecords calls fn with each version of a model by number, also with those that
// were deleted.
func (s *Service) VersionRecords(tx *store.Tx, m *ModelRecord,
	fn func(*VersionRecord) error) error {
	for after := int64(0); ; {
		all, err := versionRecords(tx, m.k, after)
		if err != nil || len(all) == 0 {
			return err
		}
		for _, v := range all {
			v.Model, after = m.ID, v.N
			if err := fn(v); err != nil {
				return err
			}
		}
	}
}

// NumberRecords returns the highest numbers of all names, by name. The models are those
// of Records.
func (s *Service) NumberRecords(tx *store.Tx, p fairlead.Project) ([]NumberRecord, error) {
	keys, err := modelKeys(tx, p)
	if err != nil {
		return nil, err
	}
	ids := make(map[int64]int64, len(keys))
	for i, k := range keys {
		ids[k] = int64(i + 1)
	}
	all, err := numberRecords(tx, p)
	for i := range all {
		all[i].Model = ids[all[i].Model]
	}
	return all, err
}
