package registry

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// The kinds of what models and versions say about themselves.
const (
	ofTag         = "tag"
	ofDescription = "description"
	ofStage       = "stage"
)

// change is a new value of a tag, by its key, of the description or of the stage; nil for
// a tag that was removed.
type change struct {
	kind, key string
	value     *string
}

// note adds a change to the history of a version, or of the model itself.
func (s *Service) note(ctx context.Context, tx *store.Tx, of versionKey, eventID string,
	c change) error {
	return insertChange(tx, of, eventID, fairlead.ActorFrom(ctx).String(), s.nowMS(), c)
}

// noteAll begins the history with what a version or model was made with.
func (s *Service) noteAll(ctx context.Context, tx *store.Tx, of versionKey, eventID,
	description string, tags []Tag) error {
	if description != "" {
		err := s.note(ctx, tx, of, eventID, change{kind: ofDescription, value: &description})
		if err != nil {
			return err
		}
	}
	for _, t := range tags {
		err := s.note(ctx, tx, of, eventID, change{kind: ofTag, key: t.Key, value: &t.Value})
		if err != nil {
			return err
		}
	}
	return nil
}

// said is what a version or a model said about itself at a point of time.
type said struct {
	tags        []Tag
	description string
	stage       string
}

func (s *said) hear(c *change) {
	switch {
	case c.value == nil:
	case c.kind == ofTag:
		s.tags = append(s.tags, Tag{c.key, *c.value})
	case c.kind == ofDescription:
		s.description = *c.value
	case c.kind == ofStage:
		s.stage = *c.value
	}
}

// ModelAsOf returns the model that had the name at a point of wall time, with its
// description, tags, aliases and newest version of then; NotFound when there was none.
func (s *Service) ModelAsOf(tx *store.Tx, p fairlead.Project, name string, at time.Time) (*Model,
	error) {
	past, err := readPast(tx, p, name, at)
	if err != nil {
		return nil, err
	}
	words, err := saidAt(tx, past.k, past.ms, 0, 0)
	if err != nil {
		return nil, err
	}
	m := &Model{Name: name, CreatedMS: past.createdMS, Aliases: past.aliases}
	if w := words[0]; w != nil {
		m.Tags, m.Description = w.tags, w.description
	}
	n, err := highestAt(tx, past.k, past.ms)
	if err != nil || n == 0 {
		return m, err
	}
	m.Latest, err = past.versions(tx, n-1, 1)
	return m, err
}

// VersionsAsOf returns the versions that there were with numbers above after, by number,
// as many as limit says at most, with the descriptions, stages, tags, aliases and states of
// then.
func (s *Service) VersionsAsOf(tx *store.Tx, p fairlead.Project, name string, at time.Time,
	after int64, limit int) ([]*Version, error) {
	past, err := readPast(tx, p, name, at)
	if err != nil {
		return nil, err
	}
	return past.versions(tx, after, limit)
}

// VersionAsOf returns one of VersionsAsOf.
func (s *Service) VersionAsOf(tx *store.Tx, p fairlead.Project, name string, n int64,
	at time.Time) (*Version, error) {
	versions, err := s.VersionsAsOf(tx, p, name, at, n-1, 1)
	if err != nil {
		return nil, err
	}
	if len(versions) == 0 || versions[0].N != n {
		return nil, fairlead.Errorf(fairlead.NotFound, "there was no version %d of %q at %s", n, name,
			at.UTC().Format(time.RFC3339))
	}
	return versions[0], nil
}

// past is a model at a point of wall time.
type past struct {
	name      string
	k, ms     int64
	createdMS int64
	aliases   map[string]int64
}

func readPast(tx *store.Tx, p fairlead.Project, name string, at time.Time) (*past, error) {
	out := &past{name: name, ms: fairlead.MS(at)}
	var err error
	if out.k, out.createdMS, err = modelAt(tx, p, name, out.ms); err != nil {
		return nil, found(err, "there was no model %q at %s", name, at.UTC().Format(time.RFC3339))
	}
	out.aliases, err = aliasesAt(tx, out.k, out.ms)
	return out, err
}

// versions returns some of the versions that there were, complete.
func (p *past) versions(tx *store.Tx, after int64, limit int) ([]*Version, error) {
	versions, err := versionsAt(tx, p.k, p.ms, after, limit)
	if err != nil || len(versions) == 0 {
		return nil, err
	}
	first, last := span(versions)
	words, err := saidAt(tx, p.k, p.ms, first, last)
	if err != nil {
		return nil, err
	}
	for _, v := range versions {
		v.Model, v.UpdatedMS = p.name, 0
		v.Tags, v.Aliases, v.Description, v.Stage = nil, nil, "", StageNone
		if w := words[v.N]; w != nil {
			v.Tags, v.Description = w.tags, w.description
			v.Stage = cmp.Or(w.stage, StageNone)
		}
		for alias, n := range p.aliases {
			if n == v.N {
				v.Aliases = append(v.Aliases, alias)
			}
		}
		slices.Sort(v.Aliases)
	}
	return versions, nil
}
