package release_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

// versions are registered in every world; all but the last are packaged.
const (
	versions   = 12
	unpackaged = versions
)

// register makes the versions of the model.
func (w *world) register(tx *store.Tx) error {
	ctx := context.Background()
	if _, err := w.models.EnsureModel(ctx, tx, project, "bikes"); err != nil {
		return err
	}
	run, err := w.tracking.CreateRun(ctx, tx, project, tracking.NewRun{})
	if err != nil {
		return err
	}
	for n := int64(1); n <= versions; n++ {
		v, err := w.models.CreateVersion(ctx, tx, project, registry.NewVersion{
			Model: "bikes", Source: fmt.Sprintf("s3://models/%d", n), RunID: run.ID})
		if err != nil || v.N != n {
			return fmt.Errorf("version %d: %w", n, err)
		}
		if n == unpackaged {
			continue
		}
		err = w.models.SetCondition(ctx, tx, project, "bikes", n,
			registry.Condition{Type: registry.ConditionPackaged, Status: registry.True})
		if err != nil {
			return err
		}
	}
	return nil
}

// inRegistry writes what releases change there in one line:
// "live=2 held=1:standby,2:live retired=3".
func (w *world) inRegistry() string {
	w.t.Helper()
	var live int64
	var held, retired []string
	w.read(func(tx *store.Tx) (err error) {
		if live, err = w.models.Alias(tx, project, "bikes", registry.LiveAlias); err != nil {
			return err
		}
		all, err := w.models.Versions(tx, project, "bikes", 0, 100)
		if err != nil {
			return err
		}
		for _, v := range all {
			if v.State == registry.Retired {
				retired = append(retired, fmt.Sprint(v.N))
			}
			holders, err := w.models.Holds(tx, project, "bikes", v.N)
			if err != nil {
				return err
			}
			for _, h := range holders {
				held = append(held, fmt.Sprintf("%d:%s", v.N, h.Kind))
			}
		}
		return nil
	})
	out := fmt.Sprintf("live=%d held=%s", live, strings.Join(held, ","))
	if len(retired) > 0 {
		out += " retired=" + strings.Join(retired, ",")
	}
	return out
}

func (w *world) wantRegistry(want string) {
	w.t.Helper()
	if got := w.inRegistry(); got != want {
		w.t.Errorf("registry %s, want %s", got, want)
	}
}
