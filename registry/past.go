package registry

import (
	"slices"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// ModelAsOf returns the model that had the name at a point of wall time, with its
// aliases and its newest version of then; NotFound when there was none. Descriptions,
// stages and the tags of models have no history, and are left out.
func (s *Service) ModelAsOf(tx *store.Tx, p fairlead.Project, name string, at time.Time) (*Model,
	error) {
	past, err := readPast(tx, p, name, at)
	if err != nil {
		return nil, err
	}
	m := &Model{Name: name, CreatedMS: past.createdMS, Aliases: past.aliases}
	if n := len(past.versions); n > 0 {
		m.Latest = past.versions[n-1:]
	}
	return m, nil
}

// VersionsAsOf returns the versions that there were, by number, with the tags, aliases
// and states of then.
func (s *Service) VersionsAsOf(tx *store.Tx, p fairlead.Project, name string, at time.Time) (
	[]*Version, error) {
	past, err := readPast(tx, p, name, at)
	if err != nil {
		return nil, err
	}
	return past.versions, nil
}

// VersionAsOf returns one of VersionsAsOf.
func (s *Service) VersionAsOf(tx *store.Tx, p fairlead.Project, name string, n int64,
	at time.Time) (*Version, error) {
	versions, err := s.VersionsAsOf(tx, p, name, at)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(versions, func(v *Version) bool { return v.N == n })
	if i < 0 {
		return nil, fairlead.Errorf(fairlead.NotFound, "there was no version %d of %q at %s", n, name,
			at.UTC().Format(time.RFC3339))
	}
	return versions[i], nil
}

// past is a model at a point of time.
type past struct {
	createdMS int64
	aliases   map[string]int64
	versions  []*Version
}

func readPast(tx *store.Tx, p fairlead.Project, name string, at time.Time) (*past, error) {
	ms := fairlead.MS(at)
	k, createdMS, err := modelAt(tx, p, name, ms)
	if err != nil {
		return nil, found(err, "there was no model %q at %s", name, at.UTC().Format(time.RFC3339))
	}
	out := &past{createdMS: createdMS}
	if out.aliases, err = aliasesAt(tx, k, ms); err != nil {
		return nil, err
	}
	if out.versions, err = versionsAt(tx, k, ms); err != nil {
		return nil, err
	}
	tags, err := tagsAt(tx, k, ms)
	if err != nil {
		return nil, err
	}
	for _, v := range out.versions {
		v.Model, v.Tags, v.Aliases = name, tags[v.N], nil
		v.Description, v.Stage, v.UpdatedMS = "", "", 0
		for alias, n := range out.aliases {
			if n == v.N {
				v.Aliases = append(v.Aliases, alias)
			}
		}
		slices.Sort(v.Aliases)
	}
	return out, nil
}
