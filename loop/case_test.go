package loop_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/loop"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/release"
	"github.com/fairlead-ml/fairlead/serving"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

var good = stub{Bias: 0, Offline: 1}

func TestRun_GoesTheWholeWay(t *testing.T) {
	w := newWorld(t, replace)
	c := w.run(good)
	if c.Outcome != loop.Promoted || c.Version != 1 || w.live() != 1 || w.heldByCase(1) {
		t.Fatalf("case %+v", c)
	}
	states, reason := w.steps(c.ID)
	want := []string{"collecting", "training", "packaging", "gating", "releasing", "releasing",
		"closed"}
	if !slices.Equal(states, want) || reason != "released to every environment" {
		t.Errorf("states %v: %s", states, reason)
	}
	if c.Inputs["history"].N != 2 || c.Inputs["recent"].N != 1 || c.Holdout.N != 1 || !c.Search ||
		c.Commit != w.commit { // history is what the holdout left of it
		t.Errorf("case %+v", c)
	}
	w.wantLine("case " + c.ID + " by user, with version 1: promoted, released to every environment")
}

// Without a holdout there is nothing that the gate could compare on, but all else goes
// its way. With one, nothing but the gate gets to see it.
func TestRun_PackagesOnWhatIsNotHeldBack(t *testing.T) {
	w := newWorld(t, replace)
	w.run(good)
	if want := "[history/2 recent/1]"; w.recorded != want {
		t.Errorf("packaged on %s, want %s", w.recorded, want)
	}
	text, _, _ := strings.Cut(head, "gates:")
	text = strings.Replace(text, "holdout: {by: time, last: 7d}\n", "", 1)
	w.applyCommit(map[string]string{"data/history.csv": history(), spec.FileName: text + replace})
	c := w.run(good)
	if c.Outcome != loop.Promoted || w.recorded != "[history/1 recent/1]" {
		t.Errorf("case %+v, packaged on %s", c, w.recorded)
	}
}

// The files that no step may see are those that are read as data.
func TestRun_ReadsDataInAnyDirectory(t *testing.T) {
	w := newWorld(t, replace)
	first, second, _ := strings.Cut(history(), day(-14).Format("20060102T15"))
	columns, _, _ := strings.Cut(first, "\n")
	w.applyCommit(map[string]string{"data/history.csv": first,
		"data/late/in/february.csv": columns + "\n" + day(-14).Format("20060102T15") + second,
		"data/README.md":            "not data",
		spec.FileName:               strings.Replace(head, "data/*.csv", "data/**/*.csv", 1) + replace})
	if c := w.run(good); c.Outcome != loop.Promoted {
		t.Fatalf("case %+v", c)
	}
	v, err := w.data.Get(t.Context(), w.p, data.Ref{Dataset: "history", N: 1})
	w.must(err)
	if v.Rows != 28*24 {
		t.Errorf("the dataset has %d rows", v.Rows)
	}
}

// A failure may have passed, as that of a disk that was full.
func TestCase_BuildsAReferenceAgainThatFailed(t *testing.T) {
	w := newWorld(t, replace)
	w.unpacked = true
	c := w.run(good)
	if c.Outcome != loop.Failed || !strings.Contains(c.Reason, "the reference cannot be built") {
		t.Fatalf("case %+v", c)
	}
	files, err := w.files(t.Context(), good)
	w.must(err)
	w.do(func(_ context.Context, tx *store.Tx) error { return w.linkPackage(tx, 1, files) })
	w.candidate(1)
	w.settle()
	w.wantStory("user 1 failed, candidate 1 promoted")
}

// The event of a candidate may be read when its model has gone.
func TestCandidate_OfAModelThatIsDeletedAtOnce(t *testing.T) {
	w := newWorld(t, replace)
	w.colleague(good, false)
	w.do(func(ctx context.Context, tx *store.Tx) error {
		return errors.Join(w.models.SetAlias(ctx, tx, w.p, model, loop.CandidateAlias, 1),
			w.models.DeleteModel(ctx, tx, w.p, model))
	})
	w.settle()
	w.wantStory("")
}

// A pipeline may have other ends than a model.
func TestRun_WithoutAModelHasNothingToRelease(t *testing.T) {
	w := newWorld(t, replace)
	w.modelless = true
	c := w.run(good)
	if c.Outcome != loop.Unchanged || !strings.Contains(c.Reason, "nothing to release") {
		t.Errorf("case %+v", c)
	}
}

// A case that says promoted has a version that answers.
func TestRun_EndsOnceTheVersionIsServed(t *testing.T) {
	w := newWorld(t, replace)
	w.next = good
	c, err := w.loop.Run(t.Context(), w.p)
	w.must(err)
	for changed := w.db.Changed(); w.get(c.ID).State != loop.Closed; changed = w.db.Changed() {
		<-changed
	}
	_, err = w.serving.Infer(t.Context(), w.p, endpoint, serving.Request{ID: "1", EventTime: day0,
		Frame: engine.NewFrame(engine.Floats64("temp", 1))})
	w.must(err)
	if a := w.assignment(); a.ObservedGeneration != a.Generation {
		t.Errorf("assignment %+v", a)
	}
}

func TestCase_WhoseVersionCannotBeServed(t *testing.T) {
	absent := fmt.Errorf("ONNX Runtime is not installed: %w", engine.ErrAbsent)
	refused := fairlead.Errorf(fairlead.Invalid, "a tensor is missing")
	for name, c := range map[string]struct {
		first  bool // nothing was live before
		why    error
		story  string
		reason string
	}{
		"it does not load": {true, refused, "user 1 failed",
			"bikes@production should serve version 1, and cannot: version 1 does not load: a tensor"},
		"the engine is absent": {true, absent, "user 1 failed", "cannot be loaded here: "},
		"there is one to go back to": {false, refused, "user 1 promoted, user 2 rolledback",
			"version 2 does not load: a tensor is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, replace)
			if !c.first {
				w.run(good)
			}
			w.unserved = c.why
			got := w.run(good)
			w.wantStory(c.story)
			if !strings.Contains(got.Reason, c.reason) {
				t.Errorf("reason %q", got.Reason)
			}
			w.unserved = nil
			w.run(stub{Bias: 1, Offline: 0.5}) // the loop goes on
			w.wantStory(c.story + fmt.Sprintf(", user %d promoted", got.Version+1))
		})
	}
}

func TestCase_EndsWellBesideAShadowThatCannotBeServed(t *testing.T) {
	w := newWorld(t, replace)
	w.run(good)
	shadow := w.run(stub{Offline: 500, Absent: true}).Version
	w.do(func(ctx context.Context, tx *store.Tx) error {
		return w.release.StartShadow(ctx, tx, w.p, endpoint, shadow, "a look")
	})
	w.run(stub{Bias: 1, Offline: 0.5})
	w.wantStory("user 1 promoted, user 2 stopped, user 3 promoted")
	if a := w.assignment(); a.FailedVersion != shadow || a.Failure == "" {
		t.Errorf("the shadow is not named: %+v", a)
	}
}

// What ends a case early, and why.
func TestCase_ClosesWithTheReason(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(w *world)
		story   string
		reason  string
	}{
		"the pipeline fails": {func(w *world) {
			w.trainFails = "step train failed: exit status 1"
			w.run(good)
		}, "user 0 failed", "failed: step train failed: exit status 1"},
		"it cannot be packaged": {func(w *world) {
			w.packFails = "it cannot be packaged: no signature"
			w.run(good)
		}, "user 1 failed", "version 1: it cannot be packaged: no signature"},
		"the gate stops it": {func(w *world) { w.run(stub{Offline: 500}) },
			"user 1 stopped", "the gate stopped it: good-enough"},
		"another rollout is under way": {func(w *world) {
			w.run(good)
			w.rollOutByHand(w.colleague(good, false))
			w.run(good)
		}, "user 1 promoted, user 3 failed",
			"is active on bikes@production; wait for it, or decide: `fairlead rollout rol_"},
		"a file of its data is missing": {func(w *world) {
			w.applyCommit(map[string]string{spec.FileName: head + replace})
			w.run(good)
		}, "user 0 failed", `data history: no file of commit`},
		"a candidate of a colleague": {func(w *world) { w.colleague(good, true) },
			"candidate 1 promoted", "released to every environment"},
		"a bad candidate of a colleague": {func(w *world) { w.run(good); w.colleague(stub{Offline: 2}, true) },
			"user 1 promoted, candidate 2 stopped", "the gate stopped it: better-than-live"},
		"the live version again": {func(w *world) {
			w.run(good)
			w.colleague(good, true)
			w.settle()
			w.alias(1)
			w.settle()
			w.alias(2)
		}, "user 1 promoted, candidate 2 promoted, candidate 1 promoted, candidate 2 promoted",
			"released to every environment"},
		"a candidate that is live": {func(w *world) { w.colleague(good, true); w.settle(); w.candidate(1) },
			"candidate 1 promoted, candidate 1 unchanged", "version 1 is live already"},
		"the pipeline makes the live version again": {func(w *world) {
			w.run(good)
			w.again = 1
			w.run(good)
		}, "user 1 promoted, user 1 unchanged", "the pipeline made version 1 again, and that is live"},
		"the pipeline makes an older version again": {func(w *world) {
			w.run(good)
			w.run(stub{Offline: 2})
			w.again = 2
			w.run(good)
		}, "user 1 promoted, user 2 stopped, user 2 stopped", "the gate stopped it: better-than-live"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, replace)
			c.prepare(w)
			w.settle()
			w.wantStory(c.story)
			last := w.explain().Recent[0]
			if !strings.Contains(last.Reason, c.reason) || last.Version != 0 && w.heldByCase(last.Version) {
				t.Errorf("case %+v, want %s", last, c.reason)
			}
			if _, said := w.steps(last.ID); said != last.Reason {
				t.Errorf("the event says %q", said)
			}
			w.wantLine(c.reason)
			w.wantLine("No case is active.")
		})
	}
}

// A case whose event cannot be handled ends, and the next one begins.
func TestCase_DoesNotWaitForAnEventThatWasSkipped(t *testing.T) {
	for name, c := range map[string]struct {
		at   loop.State    // in which the case is when the event is skipped
		lost event.Payload // that changes nothing when it is handled
	}{
		"of its version": {loop.Packaging, event.ModelVersionCondition{Model: model, Version: 1,
			Condition: registry.ConditionPackaged, Status: string(registry.Unknown)}},
		"of its endpoint": {loop.Releasing, event.Assignment{Name: event.AssignmentAppliedType,
			Endpoint: endpoint, Generation: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, replace)
			w.slow = map[loop.State]chan struct{}{c.at: make(chan struct{})}
			w.next = good
			first, err := w.loop.Run(t.Context(), w.p)
			w.must(err)
			_, err = w.loop.Run(t.Context(), w.p)
			w.must(err)
			for changed := w.db.Changed(); !w.waitsIn(first.ID, c.at); changed = w.db.Changed() {
				<-changed
			}
			w.skip("sink", c.lost) // of which the case knows nothing
			w.skip("loop", c.lost)
			for changed := w.db.Changed(); w.get(first.ID).State != loop.Closed; changed = w.db.Changed() {
				<-changed
			}
			close(w.slow[c.at])
			w.settle()
			w.wantStory("user 1 failed, user 2 promoted")
			want := "loop could not handle event"
			if got := w.get(first.ID).Reason; !strings.HasPrefix(got, want) ||
				!strings.HasSuffix(got, "("+c.lost.Type()+"): broken") {
				t.Errorf("reason %q", got)
			}
		})
	}
	t.Run("of its pipeline", func(t *testing.T) {
		w := newWorld(t, replace)
		w.again = 99 // a version that is not there
		first := w.run(good)
		w.again = 0
		w.run(good)
		w.wantStory("user 0 failed, user 1 promoted")
		if !strings.Contains(first.Reason, "(pipelinerun.finished): ") {
			t.Errorf("reason %q", first.Reason)
		}
	})
}

// waitsIn reports whether a case is in a state, and in Releasing has its rollout behind it.
func (w *world) waitsIn(id string, at loop.State) bool {
	w.t.Helper()
	c := w.get(id)
	return c.State == at && (at != loop.Releasing || strings.Contains(c.Reason, "is promoted"))
}

// skip tells of an event that a subscriber gave up.
func (w *world) skip(by string, lost event.Payload) {
	w.t.Helper()
	tell := func(e event.Payload) {
		w.do(func(ctx context.Context, tx *store.Tx) error {
			_, err := w.led.Append(ctx, tx, w.p, "model/"+model, day0, e)
			return err
		})
	}
	tell(lost)
	found, err := w.led.List(w.t.Context(), ledger.Filter{Types: []string{lost.Type()}, Newest: true,
		Limit: 1})
	w.must(err)
	tell(event.DeliverySkipped{Subscriber: by, Seq: found[0].Seq, Event: lost.Type(),
		Code: string(fairlead.Internal), Reason: "broken"})
}

// rollOutByHand starts a canary that no case has asked for.
func (w *world) rollOutByHand(n int64) {
	w.t.Helper()
	w.do(func(ctx context.Context, tx *store.Tx) error {
		packaged := registry.Condition{Type: registry.ConditionPackaged, Status: registry.True}
		if err := w.models.SetCondition(ctx, tx, w.p, model, n, packaged); err != nil {
			return err
		}
		_, err := w.release.Start(ctx, tx, w.p, release.Start{Model: model, Version: n,
			Environment: spec.Environment{Name: "production", Strategy: spec.Canary, Steps: []float64{100}}})
		return err
	})
}

func (w *world) candidate(n int64) *loop.Case {
	w.t.Helper()
	c, err := w.loop.Candidate(w.t.Context(), w.p, model, n)
	w.must(err)
	return c
}

// A model has one active case. Of the candidates that wait, the newest counts.
func TestCandidates_WaitAndAreSuperseded(t *testing.T) {
	w := newWorld(t, replace)
	w.run(good)
	w.slow = map[loop.State]chan struct{}{loop.Training: make(chan struct{})}
	w.next = good
	first, err := w.loop.Run(t.Context(), w.p)
	w.must(err)
	for range 3 { // versions 2, 3 and 4, the last two at the same moment
		w.colleague(good, false)
	}
	w.candidate(2)
	waiting := w.candidate(3)
	if again := w.candidate(3); again.ID != waiting.ID {
		t.Errorf("a candidate that waits got another case")
	}
	w.wantLine("Waiting: case " + waiting.ID + ", with version 3: version 3 was made the candidate; " +
		"it waits for case " + first.ID)
	if !w.heldByCase(3) || w.heldByCase(2) {
		t.Error("what waits is not held, or what was superseded is")
	}
	w.do(func(ctx context.Context, tx *store.Tx) error { // the alias has moved on when the first is seen
		return errors.Join(w.models.SetAlias(ctx, tx, w.p, model, loop.CandidateAlias, 2),
			w.models.SetAlias(ctx, tx, w.p, model, loop.CandidateAlias, 4))
	})
	close(w.slow[loop.Training])
	w.settle()
	w.wantStory("user 1 promoted, user 5 promoted, candidate 2 superseded, candidate 3 superseded, " +
		"candidate 4 promoted")
}

func TestCase_PassesItsEnvironmentsInTurn(t *testing.T) {
	w := newWorld(t, both)
	c := w.run(good)
	w.advance(day0)
	if c.Outcome != loop.Promoted {
		t.Fatalf("first release %+v", c)
	}
	c = w.run(stub{Bias: 20, Offline: 1})
	if c.State != loop.Releasing || c.Reason != "to production, by canary" {
		t.Fatalf("case %+v", c)
	}
	w.wantLine("canary of version 2 to production at 100%, 0 labels so far")
	w.ask(day0, day(4), 20)
	w.wantStory("user 1 promoted, user 2 promoted")
	// Back on staging only: what is live there already is not released there again.
	w.alias(1)
	w.settle()
	w.ask(day(4), day(9), 20)
	w.wantStory("user 1 promoted, user 2 promoted, candidate 1 rolledback")
	w.alias(2)
	w.settle()
	w.alias(1)
	w.settle()
	w.wantStory("user 1 promoted, user 2 promoted, candidate 1 rolledback, candidate 2 unchanged, " +
		"candidate 1 releasing")
	if c := w.explain().Active; c == nil || c.Reason != "to production, by canary" {
		t.Errorf("active %+v", c)
	}
}

func TestCanary_IsRolledBackByLiveEvidence(t *testing.T) {
	w := newWorld(t, canary)
	w.run(good)
	w.advance(day0)
	n := w.colleague(stub{Bias: 20, Offline: 0.1}, true) // shines offline
	w.settle()
	w.ask(day0, day(7), 1)
	w.wantStory("user 1 promoted, candidate 2 rolledback")
	if w.live() != 1 || w.heldByCase(n) {
		t.Error("the version that was rolled back is live or held")
	}
	w.wantLine("rolledback, version 2 is worse than version 1")
}

func TestCase_WhoseReleaseNeedsAHumanSaysSo(t *testing.T) {
	w := newWorld(t, canary)
	w.run(good)
	w.advance(day0)
	c := w.run(good)
	w.advance(day(6)) // nobody asks, so there is no evidence
	c = w.get(c.ID)
	if c.State != loop.Releasing || !strings.HasPrefix(c.Reason, "it asks a human: 0 of 24 labels") {
		t.Fatalf("case %+v", c)
	}
	w.wantLine("It waits for a human: `fairlead rollout " + c.Rollout + "`")
	if _, said := w.steps(c.ID); said != c.Reason {
		t.Errorf("the event says %q", said)
	}
}
