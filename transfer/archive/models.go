package archive

import (
	"context"
	"errors"
	"fmt"

	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/store"
)

// bringModels makes the models that are not here yet. Those that are, with all their
// versions, stay as they are.
func (im *importing) bringModels(ctx context.Context) error {
	im.models = map[int64]*registry.ModelRecord{}
	w := &work{im: im}
	err := eachLine(im.root, im.file(modelsFile), func(m *registry.ModelRecord) error {
		im.count(func(c *Counts) { c.Models++ })
		if _, twice := im.models[m.ID]; twice {
			return damaged(modelsFile, "there are two models %d", m.ID)
		}
		im.models[m.ID] = nil
		coming, here, same := false, false, false
		err := im.DB.Read(ctx, func(tx *store.Tx) (err error) {
			if here, err = im.Registry.Here(tx, im.p, m); err != nil || !here {
				return err
			}
			if coming, err = isArriving(tx, im.p, "model", keyOf(m)); err != nil || coming {
				return err
			}
			same, err = im.Registry.SameModel(tx, im.p, m)
			return err
		})
		if err != nil {
			return err
		}
		if here && !coming {
			im.skip(same, "model %q", m.Name)
			return nil
		}
		im.models[m.ID] = m
		return w.add(ctx, len(m.Names)+len(m.Tags)+len(m.Changes), func(tx *store.Tx) error {
			if err := im.Registry.BringModel(ctx, tx, im.p, m); err != nil {
				return fmt.Errorf("model %q: %w", m.Name, err)
			}
			return markArriving(tx, im.p, "model", keyOf(m))
		})
	})
	return errors.Join(err, w.flush(ctx))
}

// keyOf names a model among what is coming in.
func keyOf(m *registry.ModelRecord) string {
	return fmt.Sprintf("%d %s", m.Names[0].FromMS, m.Names[0].Name)
}

func (im *importing) bringVersions(ctx context.Context) error {
	w := &work{im: im}
	err := eachLine(im.root, im.file(versionsFile), func(v *registry.VersionRecord) error {
		im.count(func(c *Counts) { c.Versions++ })
		m, known := im.models[v.Model]
		if !known {
			return damaged(versionsFile, "it names a model %d, which is not in the export", v.Model)
		}
		if m == nil {
			return nil // is here already
		}
		v.Source, v.Storage = im.moved(v.Source), im.moved(v.Storage)
		return w.add(ctx, len(v.Tags)+2*len(v.Changes)+3, func(tx *store.Tx) error {
			if err := im.Registry.BringVersion(ctx, tx, im.p, m, v); err != nil {
				return fmt.Errorf("version %d of model %q: %w", v.N, m.Name, err)
			}
			return nil
		})
	})
	return errors.Join(err, w.flush(ctx))
}

func (im *importing) settleModels(ctx context.Context) error {
	w := &work{im: im}
	for _, m := range im.models {
		if m == nil {
			continue
		}
		for _, a := range m.Aliases {
			if a.Alias == registry.LiveAlias && a.Version != 0 {
				im.leave("the alias live of model %q: nothing serves version %d here; its history came in",
					m.Name, a.Version)
			}
		}
		err := w.add(ctx, len(m.AliasMoves)+len(m.Aliases), func(tx *store.Tx) error {
			if err := im.Registry.SettleModel(ctx, tx, im.p, m, im.numbers); err != nil {
				return fmt.Errorf("model %q: %w", m.Name, err)
			}
			return arrived(tx, im.p, "model", keyOf(m))
		})
		if err != nil {
			return err
		}
	}
	for i := range im.numbers {
		if n := im.numbers[i]; n.Model == 0 {
			err := w.add(ctx, 1, func(tx *store.Tx) error { return im.Registry.BringNumber(tx, im.p, n) })
			if err != nil {
				return err
			}
		}
	}
	return w.flush(ctx)
}
