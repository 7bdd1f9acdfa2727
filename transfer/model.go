package transfer

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/store"
)

// registered brings in a model, its versions by number, and then its aliases.
func (im *importing) registered(ctx context.Context, m *registered) error {
	key := im.key("model", m.Name)
	was, err := im.known(ctx, key)
	if err != nil {
		return err
	}
	im.note(func(r *Report) { r.Models++ })
	if was.target == "" {
		if err := im.newModel(ctx, key, m); err != nil {
			return err
		}
	} else if here, err := im.hasModel(ctx, m.Name); err != nil {
		return err
	} else if !here {
		im.leave("model %q came in before, and was deleted or renamed here since", m.Name)
		return nil
	}
	slices.SortFunc(m.Versions, func(a, b version) int { return int(a.N - b.N) })
	var fresh []int64
	for i := range m.Versions {
		is, err := im.version(ctx, m, &m.Versions[i])
		if err != nil {
			return fmt.Errorf("version %d: %w", m.Versions[i].N, err)
		}
		if is {
			fresh = append(fresh, m.Versions[i].N)
		}
	}
	now := came{target: m.Name, digest: digestOf([]any{m.Aliases, m.UpdatedMS, m.LastN}), whole: true}
	if len(fresh) == 0 && was.whole && was.digest == now.digest {
		return nil
	}
	moved := 0
	err = im.db.Write(ctx, store.Bulk, func(tx *store.Tx) error {
		for _, n := range fresh { // they are counted
			if _, err := im.registry.Version(tx, im.p, m.Name, n); err != nil {
				return fmt.Errorf("version %d, which has come in: %w", n, err)
			}
		}
		if moved, err = im.aliases(ctx, tx, m); err != nil {
			return err
		}
		err := im.registry.FinishModel(tx, im.p, m.Name, m.LastN, m.CreatedMS, m.UpdatedMS)
		if err != nil {
			return err
		}
		return record(tx, key, now)
	})
	if err == nil {
		im.note(func(r *Report) { r.Aliases += moved })
	}
	return err
}

func (im *importing) newModel(ctx context.Context, key key, m *registered) error {
	return im.db.Write(ctx, store.Bulk, func(tx *store.Tx) error {
		_, err := im.registry.CreateModel(ctx, tx, im.p, m.Name, m.Description, m.Tags)
		if fairlead.Is(err, fairlead.Conflict) {
			return fairlead.Errorf(fairlead.Conflict, "there is a model of that name here that did not come "+
				"from there; rename one of the two, and import again").Because(err)
		}
		if err != nil {
			return err
		}
		return record(tx, key, came{target: m.Name})
	})
}

func (im *importing) hasModel(ctx context.Context, name string) (here bool, err error) {
	err = im.db.Read(ctx, func(tx *store.Tx) error {
		_, err := im.registry.Model(tx, im.p, name)
		return err
	})
	if fairlead.Is(err, fairlead.NotFound) {
		return false, nil
	}
	return err == nil, err
}

// aliases moves those that were moved there since they came, unless they were moved here
// too, and returns how many.
func (im *importing) aliases(ctx context.Context, tx *store.Tx, m *registered) (moved int,
	err error) {
	before, err := below(tx, im.key("alias", m.Name+"/"))
	if err != nil {
		return 0, err
	}
	names := slices.Collect(maps.Keys(m.Aliases))
	for id := range before {
		if name := strings.TrimPrefix(id, m.Name+"/"); m.Aliases[name] == 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, alias := range names {
		key := im.key("alias", m.Name+"/"+alias)
		was, _ := strconv.ParseInt(before[key.id], 10, 64) // we wrote it; 0 when it has not come
		ok, err := im.alias(ctx, tx, m, alias, was)
		if err != nil {
			return 0, err
		}
		if ok {
			moved++
		}
	}
	return moved, nil
}

// alias moves one alias, which the import before has set to a version, or to none (0), and
// reports whether it did. Those that start something here stay.
func (im *importing) alias(ctx context.Context, tx *store.Tx, m *registered, alias string,
	was int64) (moved bool, err error) {
	key, n := im.key("alias", m.Name+"/"+alias), m.Aliases[alias]
	if alias == registry.LiveAlias || alias == registry.CandidateAlias {
		im.leave("the alias %s of model %q: it has a meaning of its own here", alias, m.Name)
		return false, nil
	}
	if n == was {
		return false, nil
	}
	here, _, err := im.registry.AliasRevision(tx, im.p, m.Name, alias)
	if err != nil {
		return false, err
	}
	if here != was && here != n {
		im.leave("the alias %s of model %q: it was moved here to %s, and there to %s", alias, m.Name,
			numbered(here), numbered(n))
		return false, nil
	}
	if n == 0 {
		if err := im.registry.DeleteAlias(ctx, tx, im.p, m.Name, alias); err != nil {
			return false, err
		}
		return here != 0, forget(tx, key)
	}
	err = im.registry.SetAlias(ctx, tx, im.p, m.Name, alias, n)
	if code := fairlead.CodeOf(err); err != nil && (code == fairlead.NotFound ||
		code == fairlead.Gone || code == fairlead.Invalid) {
		im.leave("the alias %s of model %q: %s", alias, m.Name, fairlead.MessageOf(err))
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return here != n, record(tx, key, came{target: strconv.FormatInt(n, 10), whole: true})
}

func numbered(n int64) string {
	if n == 0 {
		return "no version"
	}
	return fmt.Sprintf("version %d", n)
}

// version brings in a version, and reports whether it had not come in before. One that
// cannot come is tried again each time, as long as its number is free.
func (im *importing) version(ctx context.Context, m *registered, v *version) (fresh bool,
	err error) {
	key := im.key("version", m.Name+"/"+strconv.FormatInt(v.N, 10))
	was, err := im.known(ctx, key)
	if err != nil {
		return false, err
	}
	if was.whole {
		im.note(func(r *Report) { r.Versions, r.Skipped = r.Versions+1, r.Skipped+1 })
		return false, nil
	}
	err = im.db.Write(ctx, store.Bulk, func(tx *store.Tx) error {
		err := im.registry.ImportVersion(ctx, tx, im.p, registry.NewVersion{Model: m.Name,
			Source: sourceHere(v), RunID: v.RunID, LoggedModelID: v.LoggedModelID, RunLink: v.RunLink,
			Description: v.Description, Tags: v.Tags},
			registry.Past{N: v.N, User: v.User, Stage: v.Stage, CreatedMS: v.CreatedMS,
				UpdatedMS: v.UpdatedMS})
		if err != nil {
			return err
		}
		return record(tx, key, came{target: m.Name, whole: true})
	})
	switch fairlead.CodeOf(err) {
	case fairlead.Invalid, fairlead.NotFound, fairlead.Conflict, fairlead.Gone:
		reason := fairlead.MessageOf(err)
		if was.target != "" && fairlead.Is(err, fairlead.Conflict) {
			reason = was.digest // what it was left out for, before later ones took its number
		}
		im.leave("version %d of model %q: %s", v.N, m.Name, reason)
		m.LastN = 0 // the number stays free for it
		return false, im.db.Write(ctx, store.Bulk, func(tx *store.Tx) error {
			return record(tx, key, came{target: m.Name, digest: reason})
		})
	}
	if err == nil {
		im.note(func(r *Report) { r.Versions++ })
	}
	return err == nil, err
}

// MLflow keeps the files of a run and of a logged model below its id, wherever the store is.
var (
	logged  = regexp.MustCompile(`^models:/m-[0-9a-f]{32}(/|$)`)
	ofModel = regexp.MustCompile(`/models/(m-[0-9a-f]{32})/artifacts/?$`)
	ofRun   = regexp.MustCompile(`/([0-9a-f]{32})/artifacts(/.*)?$`)
)

// sourceHere is a version's source; what is below a run's or a logged model's files is
// named by them. So is a copy of a version, which comes in before that, or without it.
func sourceHere(v *version) string {
	for _, source := range []string{v.Source, v.Storage} {
		if strings.HasPrefix(source, "runs:/") || logged.MatchString(source) {
			return source
		}
		if m := ofModel.FindStringSubmatch(source); m != nil {
			return "models:/" + m[1]
		}
		if m := ofRun.FindStringSubmatch(source); m != nil {
			return "runs:/" + m[1] + m[2]
		}
	}
	return v.Source
}
