package release_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/release"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

func TestHistory_KeepsTheEvidenceOfEachStepAsItWasDecided(t *testing.T) {
	w := newWorld(t)
	w.mustStart(1, env(spec.Replace))
	w.advance(day0)
	id := w.mustStart(2, env(spec.Canary))
	for day := 1; day <= 4; day++ {
		w.advance(day0.AddDate(0, 0, day))
		w.evidence(id, 24*day, false)
	}
	ctx := fairlead.WithActor(context.Background(), fairlead.Actor{Kind: "user", Name: "ada"})
	w.do(func(tx *store.Tx) error { return w.release.Promote(ctx, tx, project, id, "good enough") })

	h, err := w.release.History(t.Context(), project, id)
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		what    string
		step    int
		percent float64
		labels  int64
		day     int
	}{{"started", 1, 10, 0, 0}, {"stepped", 2, 50, 48, 2}, {"stepped", 3, 100, 96, 4},
		{"finished", 3, 100, 96, 4}}
	if len(h.Turns) != len(want) {
		t.Fatalf("turns %+v", h.Turns)
	}
	for i, v := range want {
		got := h.Turns[i]
		if got.What != v.what || got.Step != v.step || got.Percent != v.percent ||
			got.Evidence.Labels != v.labels || !got.At.Equal(day0.AddDate(0, 0, v.day)) ||
			!got.Time.Equal(wall) || len(got.Evidence.Before) > 0 {
			t.Errorf("turn %d: %+v, want %+v", i, got, v)
		}
	}
	if last := h.Turns[3]; last.Actor != "user:ada" || last.Reason != "good enough" ||
		last.Evidence.Evidence == "" {
		t.Errorf("the end: %+v", last)
	}
	if len(h.Findings) != 4 || h.Findings[0].Labels != 24 || h.Findings[3].Labels != 96 ||
		h.Findings[3].Evidence != h.Turns[3].Evidence.Evidence {
		t.Errorf("findings %+v", h.Findings)
	}
	var body event.Rollout
	if e := w.lastEvent(event.RolloutFinishedType); e.Decode(&body) != nil ||
		body.Evidence != h.Turns[3].Evidence.Evidence {
		t.Errorf("the event names evidence %q", body.Evidence)
	}
	other := fairlead.Project{K: 2, Name: "other"}
	if _, err := w.release.History(t.Context(), other, id); !fairlead.Is(err, fairlead.NotFound) {
		t.Errorf("of another project: %v", err)
	}
}

func TestHistory_SaysWhenAHumanWasAsked(t *testing.T) {
	w := newWorld(t)
	w.mustStart(1, env(spec.Replace))
	w.advance(day0)
	id := w.mustStart(2, env(spec.Canary))
	w.advance(day0.AddDate(0, 0, 15))
	h, err := w.release.History(t.Context(), project, id)
	if err != nil {
		t.Fatal(err)
	}
	if last := h.Turns[len(h.Turns)-1]; last.What != "asked" || last.Step != 1 ||
		!strings.Contains(last.Reason, "0 of 48 labels") || !last.At.Equal(day0.AddDate(0, 0, 14)) {
		t.Errorf("turns %+v", h.Turns)
	}
	if !slices.Equal(h.Steps, []float64{10, 50, 100}) || h.Needed != 48 || h.Labels != 0 ||
		h.AtMostMS != (14*24*time.Hour).Milliseconds() || !h.Due.IsZero() {
		t.Errorf("what it waits for: %+v", h)
	}
}

// What Options tells must be what then happens: each option is taken in a world of its own.
func TestOptions_TellWhatThenHappens(t *testing.T) {
	worlds := map[string]func(w *world) string{
		"a canary with a standby": func(w *world) string {
			w.mustStart(1, env(spec.Replace))
			w.mustStart(2, env(spec.Replace))
			return w.mustStart(3, env(spec.Canary))
		},
		"a canary without one": func(w *world) string {
			w.mustStart(1, env(spec.Replace))
			return w.mustStart(2, env(spec.Canary))
		},
		"a shadow beside a standing one": func(w *world) string {
			w.mustStart(1, env(spec.Replace))
			w.mustStart(2, env(spec.Replace))
			w.do(func(tx *store.Tx) error {
				return w.release.StartShadow(context.Background(), tx, project, endpoint, 1, "to compare")
			})
			return w.mustStart(4, env(spec.Shadow))
		},
		"no rollout": func(w *world) string {
			w.mustStart(1, env(spec.Replace))
			w.mustStart(2, env(spec.Replace))
			return ""
		},
	}
	take := map[string]func(w *world, tx *store.Tx, id string) error{
		release.ActionPromote: func(w *world, tx *store.Tx, id string) error {
			return w.release.Promote(context.Background(), tx, project, id, "why")
		},
		release.ActionRollback: func(w *world, tx *store.Tx, id string) error {
			return w.release.Rollback(context.Background(), tx, project, id, "why")
		},
		release.ActionRestore: func(w *world, tx *store.Tx, _ string) error {
			return w.release.RollbackEndpoint(context.Background(), tx, project, endpoint, "why")
		},
	}
	for name, prepare := range worlds {
		for action, do := range take {
			t.Run(name+"/"+action, func(t *testing.T) {
				w := newWorld(t)
				id := prepare(w)
				all, err := w.release.Options(t.Context(), project, endpoint)
				if err != nil {
					t.Fatal(err)
				}
				if a := w.assignment(); all.Generation != a.Generation || !slices.Equal(all.Now, a.Variants) {
					t.Errorf("options of %+v, and it serves %+v", all, a)
				}
				i := slices.IndexFunc(all.Options, func(o release.Option) bool { return o.Action == action })
				o := all.Options[i]
				err = w.write(func(tx *store.Tx) error { return do(w, tx, id) })
				if (o.Refused != "") != (err != nil) {
					t.Fatalf("refused %q, and it ends with %v", o.Refused, err)
				}
				if err != nil {
					return
				}
				if got := w.assignment().Variants; !slices.Equal(got, o.After) {
					t.Errorf("serves %+v, foretold %+v", got, o.After)
				}
				if o.Rollout != id {
					t.Errorf("ends rollout %q, want %q", o.Rollout, id)
				}
				retired, live := w.registryNow()
				if !slices.Equal(retired, o.Retires) {
					t.Errorf("retired %v, foretold %v", retired, o.Retires)
				}
				if o.Alias != 0 && o.Alias != live {
					t.Errorf("live is %d, foretold %d", live, o.Alias)
				}
				if len(o.Effects) == 0 {
					t.Error("it says nothing of what follows")
				}
			})
		}
	}
}

// registryNow returns the versions that are retired, and the one that `live` points at.
func (w *world) registryNow() (retired []int64, live int64) {
	w.t.Helper()
	w.read(func(tx *store.Tx) error {
		for n := int64(1); n <= 5; n++ {
			v, err := w.models.Version(tx, project, "bikes", n)
			if err != nil {
				return err
			}
			if v.State == registry.Retired {
				retired = append(retired, n)
			}
			if slices.Contains(v.Aliases, registry.LiveAlias) {
				live = n
			}
		}
		return nil
	})
	return retired, live
}

func TestOptions_SayWhyNothingCanBeDone(t *testing.T) {
	w := newWorld(t)
	if _, err := w.release.Options(t.Context(), project, endpoint); !fairlead.Is(err, fairlead.NotFound) {
		t.Errorf("of no endpoint: %v", err)
	}
	w.mustStart(1, env(spec.Replace))
	all, err := w.release.Options(t.Context(), project, endpoint)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range all.Options {
		if o.Refused == "" || o.After != nil {
			t.Errorf("%+v", o)
		}
	}
	if !strings.Contains(all.Options[2].Refused, "no standby version") {
		t.Errorf("restore: %q", all.Options[2].Refused)
	}
}

func TestRequireGeneration_RefusesADecisionOnAnEndpointThatHasChanged(t *testing.T) {
	w := newWorld(t)
	w.mustStart(1, env(spec.Replace))
	seen := w.assignment().Generation
	require := func(n int64) error {
		return w.write(func(tx *store.Tx) error {
			return w.release.RequireGeneration(tx, project, endpoint, n)
		})
	}
	if err := require(seen); err != nil {
		t.Errorf("the newest: %v", err)
	}
	w.mustStart(2, env(spec.Replace))
	if err := require(seen); !fairlead.Is(err, fairlead.Conflict) ||
		!strings.Contains(err.Error(), "version 2 was promoted") {
		t.Errorf("an older one: %v", err)
	}
}
