package loop_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/loop"
	"github.com/fairlead-ml/fairlead/monitor"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/release"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

// decayed is a world whose live version 1 is off by 30 since day0: the first window
// is red, and an incident asks for a retraining on day 2.
func decayed(t *testing.T, parts ...string) *world {
	t.Helper()
	w := newWorld(t, parts...)
	w.run(good)
	w.next = stub{Bias: 30, Offline: 0.5}
	w.advance(day0)
	return w
}

func TestIncident_StartsARetrainingOnWhatProductionSaw(t *testing.T) {
	w := decayed(t, replace, watch)
	w.ask(day0, day(2), 30)
	w.wantStory("user 1 promoted, incident 2 promoted")
	c := w.explain().Recent[0]
	states, _ := w.steps(c.ID)
	if c.Incident == "" || c.Search || !c.OpenedAt.Equal(day(2)) || w.live() != 2 ||
		strings.Join(states, " ") != "collecting training packaging gating releasing releasing closed" {
		t.Errorf("case %+v, %v", c, states)
	}
	v, err := w.data.Get(t.Context(), w.p, c.Inputs["recent"])
	if err != nil || v.Rows != 0 { // the week of the holdout has all that production saw
		t.Errorf("recent %+v, %v", v, err)
	}
	w.ask(day(2), day(9), 30)
	w.wantStory("user 1 promoted, incident 2 promoted") // the incident is over with its version
}

// What holds an automatic retraining back, until when, and what it says meanwhile.
func TestIncident_IsHeldBack(t *testing.T) {
	watching := func(more string) string { return watch + "  " + more + "\n" }
	for name, c := range map[string]struct {
		watch   string
		act     func(w *world) // before the incident
		held    string         // what Explain says afterwards
		release func(w *world) // what ends it
		to      int            // day until which the world goes on after that
		story   string
	}{
		"by the cooldown": {watch, func(w *world) {
			w.ask(day0, day(1), 30)
			w.colleague(stub{Offline: 3}, true) // stopped on day 1: cooldown until day 6
			w.settle()
		}, "the cooldown lasts until 2011-03-07 00:00 UTC", nil, 7,
			"user 1 promoted, candidate 2 stopped, incident 3 promoted"},
		"by a pause": {watch, func(w *world) { w.pause(true, "audit") },
			"the loop is paused: audit", func(w *world) { w.pause(false, "") }, 3,
			"user 1 promoted, incident 2 promoted"},
		"by its budget": {watching("retrain: {at_most: 1}"), func(w *world) {
			w.next.Offline = 3 // the first one is stopped
			w.ask(day0, day(6), 30)
		}, "the budget of 1 retrainings is used up; raise monitor.retrain.at_most", func(w *world) {
			w.next.Offline = 0.5
			w.apply(replace, watching("retrain: {at_most: 3}"))
		}, 9, "user 1 promoted, incident 2 stopped, incident 3 promoted"},
		"by failures in a row": {watching("retrain: {failures: 2}"), func(w *world) {
			w.trainFails = "out of memory"
			w.ask(day0, day(8), 30)
		}, "2 retrainings in a row brought no new live version; look at them, " +
			"then `fairlead loop resume`", func(w *world) {
			w.trainFails = ""
			w.pause(false, "more memory")
		}, 13, "user 1 promoted, incident 0 failed, incident 0 failed, incident 2 promoted"},
		"by a case that is active": {watch, func(w *world) {
			w.slow = map[loop.State]chan struct{}{loop.Training: make(chan struct{})}
			w.must(errOf(w.loop.Run(w.t.Context(), w.p)))
		}, "is active", nil, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := decayed(t, replace, c.watch)
			c.act(w)
			if w.slow != nil {
				w.whileActive()
				return
			}
			now := w.explain().At
			w.ask(now, day(max(2, now.Day()+1)), 30)
			w.wantLine("An incident would start no retraining: " + c.held)
			w.wantLine("Open incident in_")
			if c.release != nil {
				c.release(w)
			}
			now = w.explain().At
			w.ask(now, day(max(c.to, now.Day())), 30)
			w.wantStory(c.story)
			w.wantLine("An incident would start no retraining: the cooldown") // after the case
		})
	}
}

func errOf(_ *loop.Case, err error) error { return err }

func (w *world) pause(paused bool, reason string) {
	w.t.Helper()
	w.must(w.loop.Pause(w.t.Context(), w.p, model, paused, reason))
	w.settle()
}

// whileActive lets a person's case be at work when the incident opens: it waits for
// no second one, and once that case has replaced the version, it is over.
func (w *world) whileActive() {
	w.t.Helper()
	done := make(chan struct{})
	go func() { // the stream does not settle before the case has
		defer close(done)
		w.ask(day0, day(2), 30)
	}()
	close(w.slow[loop.Training])
	<-done
	w.ask(day(2), day(9), 30)
	w.wantStory("user 1 promoted, user 2 promoted")
}

// A retraining that the gate stops is tried again after the cooldown, as long as the
// incident is open; one that has resolved by itself asks for nothing.
func TestIncident_IsAnsweredAgainWhileItIsOpen(t *testing.T) {
	for name, c := range map[string]struct {
		after float64 // shift of the truth from day 3 on
		story string
	}{
		"it stays":              {30, "user 1 promoted, incident 2 stopped, incident 3 stopped"},
		"it resolves by itself": {0, "user 1 promoted, incident 2 stopped"},
	} {
		t.Run(name, func(t *testing.T) {
			w := decayed(t, replace, watch)
			w.next.Offline = 3
			w.ask(day0, day(3), 30)
			w.ask(day(3), day(9), c.after)
			w.wantStory(c.story)
		})
	}
}

// Retrainings that change nothing end by themselves, also where the file says nothing
// of a cooldown: each waits for another window, and there are only so many in a row.
func TestIncident_IsNotAnsweredForEver(t *testing.T) {
	for name, c := range map[string]struct {
		retrained func(w *world)
		story     string
	}{
		"the gate stops them": {func(w *world) { w.next.Offline = 3 },
			"user 1 promoted, incident 2 stopped, incident 3 stopped, incident 4 stopped"},
		"they make the live version again": {func(w *world) { w.again = 1 },
			"user 1 promoted, incident 1 unchanged, incident 1 unchanged, incident 1 unchanged"},
	} {
		t.Run(name, func(t *testing.T) {
			w := decayed(t, replace, strings.Replace(watch, "  cooldown: 5d\n", "", 1))
			c.retrained(w)
			w.ask(day0, day(8), 30)
			w.wantStory(c.story)
			for i, k := range w.explain().Recent[:3] {
				if want := day(4 - i); !k.OpenedAt.Equal(want) { // a window later each
					t.Errorf("case %s opened at %v, want %v", k.ID, k.OpenedAt, want)
				}
			}
			w.wantLine("3 retrainings in a row brought no new live version")
		})
	}
}

func TestIncident_DoesWhatTheFileSays(t *testing.T) {
	for action, want := range map[string]string{
		spec.Alert: "is shown; fairlead.yaml asks for nothing more",
		// There is one version, so nothing to go back to.
		spec.Rollback: "asks for a rollback: there is no standby version to go back to; " +
			"release another version instead",
	} {
		t.Run(action, func(t *testing.T) {
			w := decayed(t, replace, strings.Replace(watch, "retrain", action, 1))
			w.ask(day0, day(2), 30)
			w.wantStory("user 1 promoted")
			w.wantLine(want)
			w.wantAnswers("day 2: " + want)
		})
	}
}

// wantAnswers checks what the loop did about the first incident, by the beginning of each.
func (w *world) wantAnswers(want ...string) (cases []*loop.Case) {
	w.t.Helper()
	incidents, err := w.monitor.Incidents(w.t.Context(), w.p, monitor.IncidentFilter{}, "", 0)
	w.must(err)
	first := incidents.Items[len(incidents.Items)-1]
	var got []string
	w.read(func(tx *store.Tx) error {
		all, err := w.loop.Responses(tx, w.p, incidents.Items)
		for _, a := range all[first.ID].Answers {
			got = append(got, fmt.Sprintf("day %g: %s", a.At.Sub(day0).Hours()/24, a.Note))
		}
		cases = all[first.ID].Cases
		return err
	})
	if !slices.EqualFunc(got, want, strings.HasPrefix) {
		w.t.Errorf("answers %q, want %q", got, want)
	}
	return cases
}

// What the loop did about an incident, and why it waited, is kept with it.
func TestIncident_KeepsWhatWasDoneAboutIt(t *testing.T) {
	w := decayed(t, replace, watch)
	w.pause(true, "audit")
	w.ask(day0, day(4), 30)
	w.pause(false, "")
	w.ask(day(4), day(5), 30)
	cases := w.wantAnswers("day 2: no retraining, the loop is paused: audit", "day 4: retraining")
	if len(cases) != 1 || cases[0].Cause != loop.ByIncident {
		t.Errorf("cases %+v", cases)
	}
}

func TestIncident_RollsBackToTheStandby(t *testing.T) {
	w := decayed(t, replace, strings.Replace(watch, "retrain", spec.Rollback, 1))
	w.run(stub{Offline: 1})
	w.ask(day0, day(2), 30)
	if w.live() != 1 {
		t.Errorf("version %d is live", w.live())
	}
	w.wantLine(": rolled back")
}

// Whatever state a case has just reached when the server dies, the story ends the
// same.
func TestCase_SurvivesARestartInAnyState(t *testing.T) {
	w := decayed(t, canary, watch)
	w.next = good
	c, err := w.loop.Run(t.Context(), w.p)
	w.must(err)
	var reached []string
	for at := loop.State(""); ; {
		if now := w.get(c.ID).State; now != at {
			at = now
			reached = append(reached, string(at))
			w.restart()
		}
		if at == loop.Releasing {
			break
		}
		select {
		case <-w.db.Changed():
		case <-time.After(2 * time.Millisecond): // it may have changed before the restart
		}
	}
	w.serve()
	w.ask(day0, day(4), 30)
	w.restart()
	w.serve()
	w.ask(day(4), day(7), 30)
	w.wantStory("user 1 promoted, user 2 promoted")
	if states, _ := w.steps(c.ID); len(states) != 8 { // with its second step and promotion
		t.Errorf("states %v, restarted in %v", states, reached)
	}
}

// The same requests and commits give the same dataset versions, so a collection that
// is done twice, after a crash, changes nothing.
func TestCollect_AgainGivesTheSameVersions(t *testing.T) {
	w := decayed(t, replace)
	w.ask(day0, day(10), 1)
	first, second := w.run(stub{Offline: 5}), w.run(stub{Offline: 5})
	if fmt.Sprint(first.Inputs, first.Holdout) != fmt.Sprint(second.Inputs, second.Holdout) ||
		first.Inputs["recent"].N != 3 { // empty, whole, and what the holdout left
		t.Errorf("%v and %v", first, second)
	}
}

func TestPause_RefusesAModelThatTheFileIsNotAbout(t *testing.T) {
	w := newWorld(t, replace)
	if err := w.loop.Pause(t.Context(), w.p, "bike", true, ""); err == nil ||
		!strings.Contains(err.Error(), `fairlead.yaml is about "bikes"`) {
		t.Errorf("got %v", err)
	}
	if _, err := w.loop.Explain(t.Context(), w.p, "bike"); err == nil {
		t.Error("a model that is not there is explained")
	}
}

// The same stream gives the same windows, incidents, cases and releases, whatever
// the wall clock and the order of goroutines do.
func TestLoop_RepeatsItself(t *testing.T) {
	var told [2]string
	t.Run("twice", func(t *testing.T) {
		for i := range told {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				w := decayed(t, canary, watch+"  drift: {threshold: 0.2, window: 1d}\n")
				w.ask(day0, day(4), 30)
				w.colleague(stub{Bias: 60, Offline: 0.1}, true)
				w.settle()
				w.ask(day(4), day(12), 30)
				told[i] = w.chronicle()
			})
		}
	})
	if told[0] != told[1] || !strings.Contains(told[0], "incident 2 promoted") {
		t.Errorf("once\n%s\nand then\n%s", told[0], told[1])
	}
}

// chronicle writes what happened, without ids.
func (w *world) chronicle() string {
	w.t.Helper()
	ctx := w.t.Context()
	out := w.story() + "\n"
	windows, err := w.monitor.Windows(ctx, w.p, monitor.WindowFilter{Endpoint: endpoint}, "", 0)
	w.must(err)
	for _, x := range windows.Items {
		out += fmt.Sprintln(x.From, x.Kind, x.Version, x.State, x.Value, x.Limit, x.Rows, x.Coverage)
	}
	incidents, err := w.monitor.Incidents(ctx, w.p, monitor.IncidentFilter{Endpoint: endpoint}, "", 0)
	w.must(err)
	for _, i := range incidents.Items {
		out += fmt.Sprintln(i.OpenedAt, i.ResolvedAt, i.Kind, i.Version, i.Value, i.Reason, i.Resolution)
	}
	w.read(func(tx *store.Tx) error {
		rollouts, err := w.release.Rollouts(tx, w.p, endpoint, 0)
		for _, r := range rollouts {
			out += fmt.Sprintln(r.From, r.To, r.Outcome, r.Reason, r.Ended)
		}
		return err
	})
	return out
}

// What follows is what the file says now, also for an incident that was opened before.
func TestIncident_FollowsAFileThatChanges(t *testing.T) {
	alert := strings.Replace(watch, "retrain", spec.Alert, 1)
	for name, c := range map[string]struct {
		before, after string
		story, line   string
	}{
		"from alert to retrain": {alert, watch, "user 1 promoted, incident 2 promoted",
			": retraining"},
		"from retrain to alert": {watch, alert, "user 1 promoted", ", then alert: "},
	} {
		t.Run(name, func(t *testing.T) {
			w := decayed(t, replace, c.before)
			w.pause(true, "audit")
			w.ask(day0, day(3), 30)
			w.wantStory("user 1 promoted")
			w.apply(replace, c.after)
			w.pause(false, "")
			w.ask(day(3), day(4), 30)
			w.wantStory(c.story)
			w.wantLine(c.line)
		})
	}
}

// An event may be read late: what it asked for may not hold any more.
func TestIncident_ThatIsOverIsNotAnswered(t *testing.T) {
	for _, action := range []string{spec.Retrain, spec.Rollback} {
		t.Run(action, func(t *testing.T) {
			alert := strings.Replace(watch, "retrain", spec.Alert, 1)
			w := decayed(t, replace, alert)
			w.run(stub{Bias: 10, Offline: 1})
			w.ask(day0, day(2), 30)
			in := w.explain().Incidents[0]
			w.apply(replace, strings.Replace(watch, "retrain", action, 1))
			late := in.Event()
			late.Name, late.Action = event.IncidentOpenedType, action
			good := w.colleague(good, false)
			w.do(func(ctx context.Context, tx *store.Tx) error {
				packaged := registry.Condition{Type: registry.ConditionPackaged, Status: registry.True}
				err := w.models.SetCondition(ctx, tx, w.p, model, good, packaged)
				if err != nil {
					return err
				}
				_, err = w.release.Start(ctx, tx, w.p, release.Start{Model: model, Version: good,
					Environment: spec.Environment{Name: "production", Strategy: spec.Replace}})
				if err != nil {
					return err
				}
				_, err = w.led.Append(ctx, tx, w.p, "endpoint/"+endpoint, in.OpenedAt, late)
				return err
			})
			w.settle()
			w.wantStory("user 1 promoted, user 2 promoted")
			if w.live() != good {
				t.Errorf("version %d is live", w.live())
			}
			w.wantLine("asks for nothing any more: version ")
		})
	}
}
