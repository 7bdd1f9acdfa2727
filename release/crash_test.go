package release_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/release"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

var errCrash = errors.New("the process dies before the commit")

// randomOp returns one operation of a schedule; it may be one that is refused.
func randomOp(rng *rand.Rand, day int) func(w *world, crash bool) {
	version := 1 + rng.Int64N(versions)
	strategies := []string{spec.Replace, spec.Replace, spec.Canary, spec.Canary, spec.Shadow}
	strategy := strategies[rng.IntN(len(strategies))]
	byHand := rng.IntN(2) == 0
	change := func(fn func(w *world, tx *store.Tx) error) func(*world, bool) {
		return func(w *world, crash bool) {
			w.attempt(crash, func(tx *store.Tx) error { return fn(w, tx) })
		}
	}
	ctx := context.Background()
	switch rng.IntN(12) {
	case 0, 1, 2:
		return change(func(w *world, tx *store.Tx) error {
			_, err := w.release.Start(ctx, tx, project, release.Start{
				Environment: env(strategy), Model: "bikes", Version: version})
			return err
		})
	case 3, 4, 5, 6:
		labels, rejected := 24*day, rng.IntN(12) == 0
		return func(w *world, crash bool) {
			if crash { // it dies between the evidence and its effect
				w.led.Stop()
			}
			w.pushActive(labels, rejected)
		}
	case 7:
		return change(func(w *world, tx *store.Tx) error {
			return w.release.RollbackEndpoint(ctx, tx, project, endpoint, "incident")
		})
	case 8:
		return change(func(w *world, tx *store.Tx) error {
			r, err := w.release.ActiveRollout(tx, project, endpoint)
			if err != nil || r == nil {
				return err
			}
			if byHand {
				return w.release.Promote(ctx, tx, project, r.ID, "by hand")
			}
			return w.release.Rollback(ctx, tx, project, r.ID, "by hand")
		})
	case 9:
		return change(func(w *world, tx *store.Tx) error {
			return w.release.StartShadow(ctx, tx, project, endpoint, version, "a look")
		})
	case 10:
		return change(func(w *world, tx *store.Tx) error {
			return w.release.StopShadow(ctx, tx, project, endpoint, version, "enough")
		})
	}
	return change(func(w *world, tx *store.Tx) error {
		a, err := w.release.Assignment(tx, project, endpoint)
		if err != nil {
			return err
		}
		return w.release.Observe(ctx, tx, project, endpoint, a.Generation)
	})
}

// attempt runs a change, after one that dies at its end when crash is set.
func (w *world) attempt(crash bool, fn func(tx *store.Tx) error) {
	w.t.Helper()
	if crash {
		err := w.write(func(tx *store.Tx) error { return errors.Join(fn(tx), errCrash) })
		if !errors.Is(err, errCrash) {
			w.t.Fatal("a crash was committed")
		}
		w.close()
		w.open()
	}
	if err := w.write(fn); err != nil && fairlead.CodeOf(err) == fairlead.Internal {
		w.t.Fatal(err)
	}
}

func (w *world) pushActive(labels int, rejected bool) {
	w.t.Helper()
	var active *release.Rollout
	w.read(func(tx *store.Tx) (err error) {
		active, err = w.release.ActiveRollout(tx, project, endpoint)
		return err
	})
	if active == nil {
		return
	}
	w.push(active.ID, map[string]any{"labels": labels, "blocks": labels / 24, "wealth": 1.0,
		"rejected": rejected, "loss_candidate": 1.0, "loss_live": 1.0,
		"loss_tolerated": 1.0})
}

// play runs a schedule of one operation a day; with crashes the process dies
// around each of them.
func play(t *testing.T, seed uint64, crashes bool) string {
	t.Helper()
	w := newWorld(t)
	rng := rand.New(rand.NewPCG(seed, 9))
	for day := range 40 {
		randomOp(rng, day)(w, crashes)
		if crashes {
			w.close()
			w.open()
		}
		w.settle()
		w.advance(day0.AddDate(0, 0, day))
	}
	return w.everything()
}

// everything writes what a schedule has left, without its ids.
func (w *world) everything() string {
	w.t.Helper()
	var b strings.Builder
	b.WriteString(w.inRegistry() + "\n")
	w.read(func(tx *store.Tx) error {
		all, err := w.release.Assignments(tx, project)
		if err != nil {
			return err
		}
		for _, a := range all {
			fmt.Fprintf(&b, "%s gen %d observed %d %v\n",
				a.Endpoint, a.Generation, a.ObservedGeneration, a.Variants)
		}
		rollouts, err := w.release.Rollouts(tx, project, "", 0)
		for _, r := range rollouts {
			r.ID, r.Evidence.Evidence = "", ""
			text, err := json.Marshal(r)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, "%s\n", text)
		}
		return err
	})
	st, err := w.streams.Describe(w.t.Context(), project, endpoint)
	if err != nil {
		w.t.Fatal(err)
	}
	fmt.Fprintf(&b, "%+v\n", st)
	for _, e := range w.events() {
		if e.Type != event.EvidenceRecordedType {
			fmt.Fprintf(&b, "%s %s\n", e.At().Format("0102"), e.Type)
		}
	}
	return b.String()
}

func TestMachine_EndsAlikeWithACrashAroundEachStep(t *testing.T) {
	all := ""
	for seed := range uint64(4) {
		straight, crashed := play(t, seed, false), play(t, seed, true)
		if straight != crashed {
			t.Errorf("seed %d:\n%s\nwith crashes:\n%s", seed, straight, crashed)
		}
		all += straight
	}
	for _, kind := range []string{event.RolloutAskedType, event.RolloutSteppedType, release.Aborted,
		release.RolledBack, release.Promoted, "retired="} {
		if !strings.Contains(all, kind) {
			t.Errorf("the schedules are too tame: no %s", kind)
		}
	}
}
