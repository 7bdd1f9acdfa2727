package registry_test

import (
	"context"
	"testing"

	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

// kept purges all that is deleted, and returns why the only thing that stays does.
func (b *bench) kept() string {
	b.Helper()
	got, err := b.tr.Collect(b.Context(), project, 0, false)
	b.must(err)
	switch len(got.Purged.Kept) {
	case 0:
		return ""
	case 1:
		return got.Purged.Kept[0].Reason
	}
	b.Fatalf("kept %+v", got.Purged.Kept)
	return ""
}

func TestVersion_KeepsItsRunFromThePurgeAndSaysWhatFor(t *testing.T) {
	b, ctx := open(t), t.Context()
	r, err := b.tr.StartRun(ctx, project, tracking.NewRun{})
	b.must(err)
	for range 2 {
		_, err = b.version(registry.NewVersion{Model: "bikes", Source: r.ArtifactURI() + "/model",
			RunID: r.ID})
		b.must(err)
	}
	b.must(b.tr.DeleteRun(ctx, project, r.ID))
	made := func(n string) string { return "version " + n + ` of "bikes" is made from it` }
	for _, step := range []struct {
		change func(ctx context.Context, tx *store.Tx) error
		want   string
	}{
		{nil, made("1") + "; " + made("2")},
		{func(ctx context.Context, tx *store.Tx) error {
			return b.reg.SetLive(ctx, tx, project, "bikes", 1)
		}, made("1") + ", is live; " + made("2")},
		{func(ctx context.Context, tx *store.Tx) error {
			if err := b.reg.Hold(tx, project, "bikes", 1, registry.Holder{Kind: "endpoint",
				ID: "bikes@production", Reason: "standby"}); err != nil {
				return err
			}
			return b.reg.SetLive(ctx, tx, project, "bikes", 2)
		}, made("1") + ", is held by endpoint bikes@production (standby); " + made("2") + ", is live"},
		{func(ctx context.Context, tx *store.Tx) error {
			if err := b.reg.Unhold(tx, project, "bikes", 1, "endpoint", "bikes@production"); err != nil {
				return err
			}
			return b.reg.DeleteVersion(ctx, tx, project, "bikes", 1)
		}, made("2") + ", is live"},
		{func(ctx context.Context, tx *store.Tx) error {
			if err := b.reg.SetLive(ctx, tx, project, "bikes", 0); err != nil {
				return err
			}
			return b.reg.RenameModel(ctx, tx, project, "bikes", "rides")
		}, `version 2 of "rides" is made from it`},
		{func(ctx context.Context, tx *store.Tx) error {
			return b.reg.DeleteModel(ctx, tx, project, "rides")
		}, ""},
	} {
		if step.change != nil {
			b.must(b.write(step.change))
		}
		if got := b.kept(); got != step.want {
			t.Errorf("kept because %q, want %q", got, step.want)
		}
	}
	if _, err := b.tr.Run(ctx, project, r.ID); err == nil {
		t.Error("the run is still there when nothing is made from it")
	}
}
