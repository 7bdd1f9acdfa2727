package transfer

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/store"
)

// registered brings in a model, its versions by number, and then its aliases.
func (im *importing) registered(ctx context.Context, m registered) error {
	key := im.key("model", "", m.Name)
	target, _, err := im.known(ctx, key)
	if err != nil {
		return err
	}
	if target == "" {
		err := im.db.Write(ctx, store.Bulk, func(tx *store.Tx) error {
			_, err := im.registry.CreateModel(ctx, tx, im.p, m.Name, m.Description, m.Tags)
			if err != nil {
				return err
			}
			return record(tx, key, "", m.Name)
		})
		if err != nil {
			return err
		}
	}
	slices.SortFunc(m.Versions, func(a, b version) int { return int(a.N - b.N) })
	changed := target == ""
	for i := range m.Versions {
		fresh, err := im.version(ctx, &m, &m.Versions[i])
		if err != nil {
			return fmt.Errorf("version %d: %w", m.Versions[i].N, err)
		}
		changed = changed || fresh
	}
	if !changed {
		return nil
	}
	return im.db.Write(ctx, store.Bulk, func(tx *store.Tx) error {
		for _, alias := range slices.Sorted(maps.Keys(m.Aliases)) {
			if err := im.alias(ctx, tx, m.Name, alias, m.Aliases[alias]); err != nil {
				return err
			}
		}
		return im.registry.DateModel(tx, im.p, m.Name, m.CreatedMS, m.UpdatedMS)
	})
}

// alias moves an alias, but for those that start something here.
func (im *importing) alias(ctx context.Context, tx *store.Tx, model, alias string, n int64) error {
	if alias == registry.LiveAlias || alias == registry.CandidateAlias {
		im.leave("the alias %s of model %q: it has a meaning of its own here", alias, model)
		return nil
	}
	_, err := im.registry.Version(tx, im.p, model, n)
	if fairlead.Is(err, fairlead.NotFound) {
		im.leave("the alias %s of model %q: there is no version %d", alias, model, n)
		return nil
	}
	if err != nil {
		return err
	}
	return im.registry.SetAlias(ctx, tx, im.p, model, alias, n)
}

// version brings in a version, and reports whether it had not come in before.
func (im *importing) version(ctx context.Context, m *registered, v *version) (fresh bool,
	err error) {
	key := im.key("version", "", m.Name+"/"+strconv.FormatInt(v.N, 10))
	target, _, err := im.known(ctx, key)
	if err != nil {
		return false, err
	}
	if target != "" {
		im.note(func(r *Report) { r.Versions, r.Skipped = r.Versions+1, r.Skipped+1 })
		return false, nil
	}
	err = im.db.Write(ctx, store.Bulk, func(tx *store.Tx) error {
		err := im.registry.ImportVersion(ctx, tx, im.p, registry.NewVersion{Model: m.Name,
			Source: im.sourceHere(v), RunID: v.RunID, LoggedModelID: v.LoggedModelID, RunLink: v.RunLink,
			Description: v.Description, Tags: v.Tags},
			registry.Past{N: v.N, User: v.User, Stage: v.Stage, CreatedMS: v.CreatedMS,
				UpdatedMS: v.UpdatedMS})
		if err != nil {
			return err
		}
		return record(tx, key, "", m.Name)
	})
	if fairlead.Is(err, fairlead.Invalid) || fairlead.Is(err, fairlead.NotFound) {
		im.leave("version %d of model %q: %s", v.N, m.Name, fairlead.MessageOf(err))
		return false, nil
	}
	if err == nil {
		im.note(func(r *Report) { r.Versions++ })
	}
	return err == nil, err
}

// sourceHere is a version's source; what was below a run's or a logged model's files is
// named by them.
func (im *importing) sourceHere(v *version) string {
	for _, source := range []string{v.Source, v.Storage} {
		if strings.HasPrefix(source, "runs:/") || strings.HasPrefix(source, "models:/") {
			return source
		}
		for root, here := range im.places {
			if source == root {
				return here
			}
			if rest, ok := strings.CutPrefix(source, root+"/"); ok && strings.HasPrefix(here, "runs:") {
				return here + "/" + rest
			}
		}
	}
	return v.Source
}
