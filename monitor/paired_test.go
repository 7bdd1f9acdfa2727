package monitor_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/monitor"
	"github.com/fairlead-ml/fairlead/release"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

// candidate is a world in which version 2 runs against version 1, which is live.
func candidate(t *testing.T, s stub, strategy, monitoring string) (w *world, rollout string) {
	t.Helper()
	w = live(t, monitoring)
	w.register(s, w.history("history", 28, usual))
	w.advance(day0)
	return w, w.put(2, strategy)
}

// offBy is what happens when version 1 is off by one, and version 2 by its bias less
// than that.
func offBy(at time.Time) hour {
	h := usual(at)
	h.bikers--
	return h
}

func TestPaired_CountsADaysLossesOnceTheirLabelsAreDue(t *testing.T) {
	w, id := candidate(t, stub{Bias: -0.5}, spec.Canary, watchBoth)
	w.ask(day0, day(1), offBy)
	if got := w.evidence(id); len(got) != 0 {
		t.Fatalf("evidence before its labels: %v", got)
	}
	w.ask(day(1), day(3), offBy)
	got := w.evidence(id)
	if len(got) != 2 {
		t.Fatalf("%d pieces of evidence", len(got))
	}
	f := got[1]
	if f["labels"] != int64(48) || f["blocks"] != int64(2) || f["loss_candidate"] != 24.0 ||
		f["loss_live"] != 48.0 || f["rejected"] != false || f["metric"] != "error" && f["metric"] != "mae" {
		t.Errorf("facts %v", f)
	}
}

func TestComparison_SaysWhenTheNextLookIs(t *testing.T) {
	w, id := candidate(t, stub{Bias: -0.5}, spec.Canary, watchBoth)
	w.ask(day0, day(3), offBy)
	var c *monitor.Comparison
	w.read(func(tx *store.Tx) (err error) {
		c, err = w.monitor.Comparison(tx, w.p, id)
		return err
	})
	delay := time.Duration(c.LabelDelayMS) * time.Millisecond
	if c.Alpha != 0.05 || c.Threshold != 20 || c.Fewest != 5 || !c.Decides || delay <= 0 ||
		!c.NextFrom.Equal(day(2)) || !c.NextLook.Equal(day(3).Add(delay)) ||
		!c.NextFailures.Equal(day(3).Add(6*time.Hour)) || c.Requests != 72 || c.Failed != 0 {
		t.Errorf("%+v", c)
	}
	w.read(func(tx *store.Tx) (err error) {
		if c, err = w.monitor.Comparison(tx, w.p, "rol_none"); c != nil {
			t.Errorf("of no rollout: %+v", c)
		}
		return err
	})
}

// Promotion and rollback are release's; what it gets must lead there.
func TestPaired_LeadsToTheEndOfTheRollout(t *testing.T) {
	for name, c := range map[string]struct {
		bias    float64
		outcome string
		by      int // day
	}{
		"a better version": {-0.5, release.Promoted, 6},
		"a worse version":  {20, release.RolledBack, 8},
	} {
		t.Run(name, func(t *testing.T) {
			w, id := candidate(t, stub{Bias: c.bias}, spec.Canary, watchBoth)
			w.ask(day0, day(c.by), offBy)
			if r := w.rollout(id); r.Outcome != c.outcome {
				t.Errorf("rollout %+v", r)
			}
			if st, err := w.streams.Describe(t.Context(), w.p, endpoint); err != nil || st.Timers != 2 {
				t.Errorf("timers %+v of a rollout that is over, %v", st, err) // two kinds of windows
			}
		})
	}
}

// A canary that is right about three classes is promoted, and the wrong one rolled back.
func TestPaired_ComparesMoreThanTwoClasses(t *testing.T) {
	for outcome, bias := range map[string][2]float64{ // of live and of the candidate
		release.Promoted: {1, 0}, release.RolledBack: {0, 1},
	} {
		t.Run(outcome, func(t *testing.T) {
			w := newWorld(t, watchBoth)
			w.abort = "accuracy"
			w.apply(watchBoth)
			for _, b := range bias {
				w.register(stub{Classes: 3, Bias: b}, w.history("history", 28, usual))
			}
			w.put(1, spec.Replace)
			w.advance(day0)
			id := w.put(2, spec.Canary)
			w.ask(day0, day(7), ofThree)
			if r := w.rollout(id); r.Outcome != outcome {
				t.Errorf("rollout %+v", r)
			}
		})
	}
}

// Labels that the metric cannot judge are no evidence, and the rollout says why.
func TestPaired_SaysWhyThereIsNoEvidence(t *testing.T) {
	w := newWorld(t, watchBoth)
	w.abort = "logloss"
	w.apply(watchBoth)
	for range 2 {
		w.register(stub{Classes: 3}, w.history("history", 28, usual))
	}
	w.put(1, spec.Replace)
	w.advance(day0)
	id := w.put(2, spec.Canary)
	w.ask(day0, day(3), ofThree)
	r := w.rollout(id)
	if !r.Active() || r.Evidence.Labels != 0 || r.Evidence.Blocks != 0 ||
		!strings.HasPrefix(r.Evidence.Note, "the label 2 is not 0 or 1") {
		t.Errorf("rollout %+v", r)
	}
}

// No label is needed to see that a version cannot answer.
func TestPaired_RollsBackAVersionThatCannotAnswer(t *testing.T) {
	w, id := candidate(t, stub{Fail: true}, spec.Shadow, watchBoth)
	w.send(day0, day(1), false, func(at time.Time) (*engine.Frame, float64) {
		return usual(at).frame(at), 0
	})
	r := w.rollout(id)
	if r.Outcome != release.RolledBack || !r.Ended.Equal(day(1)) {
		t.Errorf("rollout %+v", r)
	}
	if f := w.evidence(id)[0]; f["requests"] != int64(24) || f["failed"] != int64(24) {
		t.Errorf("facts %v", f)
	}
}

func TestPaired_ComparesAShadowToo(t *testing.T) {
	w, id := candidate(t, stub{Bias: -0.5}, spec.Shadow, watchBoth)
	w.ask(day0, day(4), offBy)
	if r := w.rollout(id); r.State != release.Waiting || r.Evidence.Labels < 48 {
		t.Errorf("rollout %+v", r)
	}
}

// A rollout goes by the settings that it began with: a file that changes on the way
// neither ends its evidence nor loses labels.
func TestPaired_KeepsTheSettingsThatItBeganWith(t *testing.T) {
	w, id := candidate(t, stub{Bias: -0.5}, spec.Shadow, watchBoth)
	w.ask(day0, day(1), offBy)
	w.apply("") // no monitor, and with it no label delay
	w.ask(day(1), day(4), offBy)
	got := w.evidence(id)
	if len(got) != 3 || got[2]["labels"] != int64(72) {
		t.Errorf("evidence %v", got)
	}
}

func TestPaired_BeginsWithTheStream(t *testing.T) {
	w := live(t, watchBoth)
	w.register(stub{Bias: -0.5}, w.history("history", 28, usual))
	id := w.put(2, spec.Canary) // before the first request
	w.advance(day0)
	w.ask(day0, day(3), offBy)
	if got := w.evidence(id); len(got) != 2 || got[1]["labels"] != int64(48) {
		t.Errorf("evidence %v", got)
	}
}

// Labels that come later than the file says are waited for, not lost.
func TestPaired_WaitsForLateLabels(t *testing.T) {
	soon := strings.Replace(watchBoth, ", label_delay: 24h", "", 1)
	w, id := candidate(t, stub{Bias: -0.5}, spec.Shadow, soon)
	w.ask(day0, day(4), offBy) // labels come a day later all the same
	got := w.evidence(id)
	if len(got) != 3 || got[2]["labels"] != int64(72) {
		t.Errorf("evidence %v", got)
	}
}

func TestPaired_GoesOnAfterARestart(t *testing.T) {
	w, id := candidate(t, stub{Bias: -0.5}, spec.Shadow, watchBoth)
	for n := range 4 {
		w.ask(day(n), day(n+1), offBy)
		w.restart()
	}
	w.settle()
	got := w.evidence(id)
	if len(got) != 3 || got[2]["labels"] != int64(72) || got[2]["blocks"] != int64(3) {
		t.Errorf("evidence %v", got)
	}
}

// Under load a version may be spared, and a request has no score of it then. That is no
// failure and no loss: an A/A canary of which half the requests are missing stays equal.
func TestPaired_CountsOnlyWhatBothVersionsWereAsked(t *testing.T) {
	w, id := candidate(t, stub{}, spec.Canary, watchBoth)
	w.do(func(_ context.Context, tx *store.Tx) error {
		_, err := tx.Exec(`create trigger spared after insert on prediction
			when new.model_n = 2 and new.request_k % 3 > 0
			begin delete from prediction where request_k = new.request_k and model_n = 2; end`)
		return err
	})
	w.ask(day0, day(5), offBy)
	if r := w.rollout(id); r.Outcome == release.RolledBack {
		t.Fatalf("rollout %+v", r)
	}
	got := w.evidence(id)
	if len(got) != 4 {
		t.Fatalf("%d pieces of evidence", len(got))
	}
	f := got[3]
	if f["labels"] != int64(32) || f["loss_candidate"] != 32.0 || f["loss_live"] != 32.0 ||
		f["failed"] != int64(0) {
		t.Errorf("facts %v", f)
	}
}

// A job that fails loses nothing: the next one takes up what it has not done.
func TestPaired_MakesUpForALookThatFailed(t *testing.T) {
	w, id := candidate(t, stub{Bias: -0.5}, spec.Shadow, watchBoth)
	w.ask(day0, day(1), offBy)
	w.breaks("paired", true)
	w.ask(day(1), day(3), offBy)
	if got := w.evidence(id); len(got) != 0 {
		t.Fatalf("%d pieces of evidence by jobs that failed", len(got))
	}
	w.breaks("paired", false)
	w.ask(day(3), day(4), offBy)
	got := w.evidence(id)
	if len(got) != 3 || got[2]["labels"] != int64(72) || got[2]["blocks"] != int64(3) {
		t.Errorf("evidence %v", got)
	}
}

func TestPaired_SeesAVersionThatCannotAnswerAfterALookThatFailed(t *testing.T) {
	w, id := candidate(t, stub{Fail: true}, spec.Shadow, watchBoth)
	w.breaks("paired", true)
	w.ask(day0, day(1), usual)
	w.breaks("paired", false)
	w.ask(day(1), day(2), usual)
	if r := w.rollout(id); r.Outcome != release.RolledBack || !r.Ended.Equal(day(1).Add(6*time.Hour)) {
		t.Errorf("rollout %+v", r)
	}
}

// breaks lets every change of a row in one of the monitor's tables fail, or work again.
func (w *world) breaks(table string, broken bool) {
	w.t.Helper()
	w.do(func(_ context.Context, tx *store.Tx) error {
		if !broken {
			_, err := tx.Exec("drop trigger broken")
			return err
		}
		_, err := tx.Exec("create trigger broken before update on " + table +
			" begin select raise(abort, 'a fault of the test'); end")
		return err
	})
}
