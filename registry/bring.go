package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

// What is brought in of records keeps its numbers, times and histories. It can be done
// again, and adds only what is missing. Nothing starts because of it.

// Here reports whether the model of a record is here, also one that was deleted: the one
// that began with its first name at that time.
func (s *Service) Here(tx *store.Tx, p fairlead.Project, r *ModelRecord) (bool, error) {
	if err := r.check(); err != nil {
		return false, err
	}
	_, err := broughtModel(tx, p, r)
	if errors.Is(err, store.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// SameModel reports whether the model of a record is here as the record says, but for its
// versions.
func (s *Service) SameModel(tx *store.Tx, p fairlead.Project, r *ModelRecord) (bool, error) {
	k, err := broughtModel(tx, p, r)
	if err != nil {
		return false, err
	}
	have, err := modelRecord(tx, k)
	if err != nil {
		return false, err
	}
	have.ID = r.ID
	x, err := json.Marshal(have)
	if err != nil {
		return false, err
	}
	y, err := json.Marshal(r)
	return bytes.Equal(x, y), err
}

func (r *ModelRecord) check() error {
	if len(r.Names) == 0 {
		return fairlead.Errorf(fairlead.Invalid, "the model %.100q has had no name", r.Name)
	}
	for _, n := range append([]NameRecord{{Name: r.Name}}, r.Names...) {
		if err := validateModelName(n.Name); err != nil {
			return err
		}
	}
	for _, a := range r.Aliases {
		if a.Alias != LiveAlias && a.Version != 0 {
			if err := validateAlias(a.Alias); err != nil {
				return err
			}
		}
	}
	return validateTags(tagsOf(r.Tags))
}

// tagsOf lists tags by key.
func tagsOf(all map[string]string) (out []Tag) {
	for _, k := range slices.Sorted(maps.Keys(all)) {
		out = append(out, Tag{k, all[k]})
	}
	return out
}

// CheckModel is Conflict when the model of a record, which is not here, cannot be brought
// in: another one has its name, or has given numbers under it. Last is the highest number
// of each name in the records: what was cut off may have brought that already.
func (s *Service) CheckModel(tx *store.Tx, p fairlead.Project, r *ModelRecord,
	last map[string]int64) error {
	if !r.Deleted {
		_, err := modelByName(tx, p, r.Name)
		if err == nil {
			return fairlead.Errorf(fairlead.Conflict, "the model %q is another one here; rename one of them",
				r.Name)
		}
		if !fairlead.Is(err, fairlead.NotFound) {
			return err
		}
	}
	for _, n := range r.Names {
		given, err := lastNumber(tx, p, n.Name)
		if err != nil {
			return err
		}
		if given != 0 && given != last[n.Name] {
			return fairlead.Errorf(fairlead.Conflict, "another model here was named %q and has had "+
				"versions, and a version's number is never given twice", n.Name)
		}
	}
	return nil
}

// BringModel adds the model of a record, without its versions and aliases.
func (s *Service) BringModel(ctx context.Context, tx *store.Tx, p fairlead.Project,
	r *ModelRecord) error {
	_, err := broughtModel(tx, p, r)
	if !errors.Is(err, store.ErrNoRows) {
		return err
	}
	if err := insertModelRecord(tx, p, r); err != nil || r.Deleted {
		return err
	}
	_, err = s.emitModel(ctx, tx, p, event.Model{Name: event.ModelCreatedType, Model: r.Name})
	return err
}

// BringVersion adds a version of a model that was brought in. What it is made of must be
// here already, and vouch for it: Invalid otherwise.
func (s *Service) BringVersion(ctx context.Context, tx *store.Tx, p fairlead.Project,
	m *ModelRecord, r *VersionRecord) error {
	if err := r.Check(); err != nil {
		return err
	}
	k, err := broughtModel(tx, p, m)
	if err != nil {
		return err
	}
	if r.DeletedMS != 0 {
		return insertVersionPast(tx, k, r)
	}
	added, err := insertVersionRecord(tx, k, r)
	if err != nil || !added {
		return err
	}
	v, err := versionOf(tx, p, m.Name, r.N)
	if err != nil {
		return err
	}
	if err := s.protect(tx, p, v); err != nil {
		return err
	}
	if at, ok := tracking.ParseURI(v.Storage); ok {
		err := s.tracking.Seal(tx, p, at, fmt.Sprintf("version %d of %q", v.N, v.Model))
		if err != nil {
			return err
		}
	}
	_, err = s.emit(ctx, tx, p, Subject(v.Model, v.N), event.ModelVersionCreated{Model: v.Model,
		Version: v.N, Run: v.RunID, Source: v.Source, Tags: r.Tags})
	return err
}

// Check is Invalid for what is no version, or is made of what its run and logged model do
// not vouch for.
func (r *VersionRecord) Check() error {
	if r.N < 1 {
		return fairlead.Errorf(fairlead.Invalid, "a version has the number %d", r.N)
	}
	if r.DeletedMS != 0 {
		var was Version
		if err := json.Unmarshal(r.Was, &was); err != nil {
			return fairlead.Errorf(fairlead.Invalid, "was: %w", err)
		}
		return nil
	}
	if stage, err := canonicalStage(r.Stage); err != nil || stage != r.Stage {
		return fairlead.Errorf(fairlead.Invalid, "a version has the stage %.100q", r.Stage).Because(err)
	}
	if r.State != Ready && r.State != Retired || (r.State == Retired) != (r.RetiredMS != 0) {
		return fairlead.Errorf(fairlead.Invalid, "a version has the state %.100q", r.State)
	}
	if len(r.ProducedBy) > 0 {
		var lineage Lineage
		if err := json.Unmarshal(r.ProducedBy, &lineage); err != nil {
			return fairlead.Errorf(fairlead.Invalid, "produced_by: %w", err)
		}
	}
	if err := validateTags(tagsOf(r.Tags)); err != nil {
		return err
	}
	return r.checkSource()
}

// checkSource refuses files of the server, and places that the version's run and logged
// model do not have.
func (r *VersionRecord) checkSource() error {
	at, ours := tracking.ParseURI(r.Storage)
	if ours && (at.Owner.Kind == "run" && at.Owner.ID == r.RunID ||
		at.Owner.Kind == "logged_model" && at.Owner.ID == r.LoggedModelID) {
		return nil
	}
	if r.Storage == "" && isPrompt(tagsOf(r.Tags)) {
		return nil
	}
	scheme, rest, _ := strings.Cut(r.Storage, ":")
	if ours || !slices.Contains(storeSchemes, scheme) || hasDotDot(rest) || hasHidden(rest) {
		return badSource(r.Storage, "neither its run nor its logged model vouches for it")
	}
	return nil
}

// SettleModel gives a model whose versions are here its aliases and their history, and the
// numbers of its names. The alias `live` ends: nothing serves the version here.
func (s *Service) SettleModel(ctx context.Context, tx *store.Tx, p fairlead.Project,
	r *ModelRecord, numbers []NumberRecord) error {
	k, err := broughtModel(tx, p, r)
	if err != nil {
		return err
	}
	for _, m := range r.AliasMoves {
		if err := bringAliasMove(tx, k, m); err != nil {
			return err
		}
	}
	for _, n := range numbers {
		if n.Model == r.ID {
			if err := bringNumber(tx, p, n, k); err != nil {
				return err
			}
		}
	}
	if r.Deleted {
		return nil
	}
	for _, a := range r.Aliases {
		if err := writeAlias(tx, k, a.Alias, a.Version, a.Rev); err != nil {
			return err
		}
	}
	if err := s.moveAlias(ctx, tx, p, &Model{Name: r.Name, k: k}, LiveAlias, 0); err != nil {
		return err
	}
	return dateModel(tx, k, r)
}

// BringNumber notes the highest number of a name whose model was deleted.
func (s *Service) BringNumber(tx *store.Tx, p fairlead.Project, n NumberRecord) error {
	if err := validateModelName(n.Name); err != nil {
		return err
	}
	return bringNumber(tx, p, n, 0)
}
