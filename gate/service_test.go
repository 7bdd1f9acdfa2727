package gate_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/quick"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/gate"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

func TestRunGate_StoresEvidenceAndDecisionInStreamTime(t *testing.T) {
	w := newWorld(t)
	w.wape = map[int64]float64{1: 0.41, 2: 0.47}
	r, err := w.run(2, 1)
	if err != nil {
		t.Fatal(err)
	}
	if r.Result != gate.Failed || len(r.Red()) != 1 || !r.At.Equal(at) {
		t.Errorf("record %+v", r)
	}
	if got := w.reads(); !slices.Equal(got, []int64{1, 2}) {
		t.Errorf("the holdout was read for %v", got)
	}
	stored, err := w.gates.Latest(t.Context(), w.project, "bikes", 2)
	if err != nil || !equalJSON(t, stored.Decision, r.Decision) {
		t.Errorf("stored %+v, %v", stored, err)
	}
	var body event.GateDecided
	events := w.events(event.GateDecidedType)
	if len(events) != 1 || events[0].Decode(&body) != nil || !events[0].At().Equal(at) {
		t.Fatalf("events %+v", events)
	}
	if body.Decision != r.ID || body.Failed[0] != "better-than-live" || body.Case != "case_1" {
		t.Errorf("event %+v", body)
	}
}

func TestRunGate_HoldsAnEvaluationThatFailsAgainstTheVersion(t *testing.T) {
	w := newWorld(t)
	w.broken[2] = fairlead.Errorf(fairlead.Precondition,
		"evaluate ended with status 1: no column registered")
	r, err := w.run(2, 0)
	if err != nil {
		t.Fatal(err)
	}
	if r.Result != gate.Failed || !strings.Contains(r.Checks[1].Message, "no column registered") {
		t.Errorf("record %+v", r.Decision)
	}
}

func TestRunGate_ReadsTheHoldoutOnlyForWhatChecksMeasure(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		check string
		want  []int64
	}{
		{"packaging.engine == 'onnx' && version.live == 1", nil},
		{"candidate.wape < 1.0", []int64{2}},
		{"candidate.wape < 1.0", []int64{2, 2}},
	} {
		w.apply([]spec.Gate{{Name: "g", Check: c.check}})
		r, err := w.run(2, 1)
		if err != nil || r.Result != gate.Passed || !slices.Equal(w.reads(), c.want) {
			t.Errorf("%s: %+v, %v, reads %v, want %v", c.check, r, err, w.reads(), c.want)
		}
	}
	w.apply([]spec.Gate{{Name: "g", Check: "candidate.wape < 1.0"}})
	w.holdout = data.Ref{}
	r, err := w.run(2, 1)
	if err != nil || !strings.Contains(r.Checks[0].Message, "add `holdout:`") {
		t.Errorf("without a holdout: %+v, %v", r, err)
	}
}

func TestRunGate_IsTriedAgainWhenEvaluationDidNotComeAbout(t *testing.T) {
	w := newWorld(t)
	w.broken[2] = fmt.Errorf("the disk is gone")
	if _, err := w.run(2, 0); err == nil {
		t.Error("no error")
	}
	for _, kind := range []string{event.GateDecidedType, event.EvidenceRecordedType} {
		if n := len(w.events(kind)); n != 0 {
			t.Errorf("%d %s of a run that failed", n, kind)
		}
	}
	if got := w.reads(); !slices.Equal(got, []int64{2}) {
		t.Errorf("a run that failed after its read left the reads %v", got)
	}
}

func TestRunGate_CountsOnlyWhatWasRead(t *testing.T) {
	w := newWorld(t)
	w.apply([]spec.Gate{{Name: "g", Check: "candidate.wape < 1.0 && holdout.reads == 1"}})
	for n, want := range []string{gate.Failed, gate.Passed} {
		r, err := w.run(2, 0)
		if err != nil || r.Result != want || !slices.Equal(w.reads(), []int64{2}) {
			t.Errorf("run %d: %+v, %v, reads %v", n+1, r, err, w.reads())
		}
		w.known = map[int64]bool{2: true} // answered from the cache from now on
	}
}

func TestRunGate_CountsAnEvaluationThatWasBegunAgainOnce(t *testing.T) {
	w := newWorld(t)
	w.apply([]spec.Gate{{Name: "g", Check: "candidate.wape < 1.0 && holdout.reads == 3"}})
	for _, read := range []data.HoldoutRead{
		{Version: 1, Purpose: data.ReadByGate, Reader: "gt_1"},
		{Version: 1, Purpose: data.ReadByGate, Reader: "gt_1"}, // its first attempt was killed
		{Version: 2, Purpose: data.ReadByGate, Reader: "gt_1"},
		{Version: 1, Purpose: data.ReadByGate, Reader: "gt_2"},
		{Version: 1, Purpose: data.ReadByReference, Reader: "job_1"},
	} {
		read.Model = "bikes"
		w.must(w.data.RecordHoldoutRead(t.Context(), w.project, w.holdout, read))
	}
	if r, err := w.run(2, 0); err != nil || r.Result != gate.Passed {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestRequest_IsDecidedOnceByAJob(t *testing.T) {
	w := newWorld(t)
	w.wape = map[int64]float64{1: 0.41, 2: 0.4}
	w.job(w.request(2, 1), w.request(2, 1))
	if left, err := os.ReadDir(filepath.Join(w.dir, "gates")); err != nil || len(left) != 0 {
		t.Errorf("left behind %v, %v", left, err)
	}
	if got := w.decided(); got.Result != gate.Passed || got.Decision == "" || len(w.reads()) != 2 {
		t.Errorf("event %+v, reads %v", got, w.reads())
	}
}

func TestRequest_TellsWhenTheGateCannotBeRun(t *testing.T) {
	w := newWorld(t)
	w.broken[2] = job.Permanent(fairlead.Errorf(fairlead.Exhausted, "no room for the holdout"))
	w.job(w.request(2, 0))
	got := w.decided()
	if got.Result != gate.Undecided || got.Decision != "" || !strings.Contains(got.Reason, "no room") {
		t.Errorf("event %+v", got)
	}
}

func TestExplain_SaysNeededGotAndDifference(t *testing.T) {
	w := newWorld(t)
	w.wape = map[int64]float64{1: 0.41, 2: 0.47}
	r, err := w.run(2, 1)
	if err != nil {
		t.Fatal(err)
	}
	e, err := w.gates.Explain(t.Context(), w.project, r.ID, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"bikes version 2 failed the gate, compared with version 1",
		"red      better-than-live: candidate.wape <= live.wape",
		"got 0.47, needed <= 0.41, difference 0.06", "green    good-enough", "live.wape = 0.41"} {
		if !strings.Contains(e.Text, want) {
			t.Errorf("explanation lacks %q:\n%s", want, e.Text)
		}
	}
	other := fairlead.Project{K: w.project.K + 1, Name: "other"}
	if _, err := w.gates.Explain(t.Context(), other, r.ID, false); !fairlead.Is(err, fairlead.NotFound) {
		t.Errorf("a foreign decision: %v", err)
	}
}

// Random gates over random metrics, some of them missing, NaN or of a version that
// cannot be evaluated, go the whole way and are computed again.
func TestReplay_GivesTheStoredDecision(t *testing.T) {
	w := newWorld(t)
	results := map[string]int{}
	same := func(seed uint64) bool {
		rng := rand.New(rand.NewPCG(seed, 1))
		w.apply(randomGates(rng))
		w.metrics = func(int64) map[string]float64 { return randomMetrics(rng) }
		w.broken = map[int64]error{1: randomFailure(rng), 2: randomFailure(rng)}
		r, err := w.run(2, rng.Int64N(2))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range r.Checks {
			results[c.State]++
		}
		err = w.gates.Replay(t.Context(), w.project, r.ID)
		if err != nil {
			t.Log(err)
		}
		return err == nil
	}
	if err := quick.Check(same, &quick.Config{MaxCount: 150}); err != nil {
		t.Error(err)
	}
	if results[gate.Green] < 20 || results[gate.Red] < 20 || results[gate.Skipped] < 20 {
		t.Errorf("the random gates are too much alike: %v", results)
	}
}

var names = []string{"wape", "auc", "f1", "f1.macro", "by.day.mon", "by.day.sun", "version"}

func randomMetrics(rng *rand.Rand) map[string]float64 {
	out := map[string]float64{}
	for _, name := range names {
		if rng.IntN(5) > 0 {
			odd := []float64{0, 0.5, 1e300, math.NaN(), math.Inf(1), math.Inf(-1)}
			out[name] = append(odd, rng.NormFloat64())[min(rng.IntN(15), 6)]
		}
	}
	return out
}

func randomFailure(rng *rand.Rand) error {
	if rng.IntN(8) > 0 {
		return nil
	}
	return fairlead.Errorf(fairlead.Precondition, "evaluate ended with status %d", rng.IntN(3))
}

func randomGates(rng *rand.Rand) (out []spec.Gate) {
	for i := range rng.IntN(5) {
		g := spec.Gate{Name: fmt.Sprintf("g%d", i), Check: randomCheck(rng, 3)}
		if rng.IntN(3) == 0 {
			g.When = spec.WhenLive
		}
		out = append(out, g)
	}
	return out
}

func randomCheck(rng *rand.Rand, depth int) string {
	if depth == 0 || rng.IntN(3) == 0 {
		op := []string{"<", "<=", ">", ">=", "==", "!="}[rng.IntN(6)]
		return randomNumber(rng) + " " + op + " " + randomNumber(rng)
	}
	a, b := randomCheck(rng, depth-1), randomCheck(rng, depth-1)
	switch rng.IntN(6) {
	case 0:
		return "(" + a + ") || (" + b + ")"
	case 1:
		return "!(" + a + ")"
	case 2:
		return "!has(candidate.auc) || (" + b + ")"
	case 3:
		return "candidate.by.day.all(d, candidate.by.day[d] < 1.0)"
	default:
		return "(" + a + ") && (" + b + ")"
	}
}

func randomNumber(rng *rand.Rand) string {
	root := []string{"candidate", "live"}[min(rng.IntN(4), 1)]
	switch rng.IntN(6) {
	case 0:
		return "0.5"
	case 1:
		return "holdout.rows"
	case 2:
		return "candidate.by.day.map(d, candidate.by.day[d])[0]"
	default:
		return root + "." + names[rng.IntN(len(names))]
	}
}

func TestReplay_FindsTampering(t *testing.T) {
	for name, sql := range map[string]string{
		"evidence": `update evidence set facts = replace(facts, '0.47', '0.40')`,
		"result":   `update decision set body = replace(body, 'passed', 'failed')`,
		"policy":   `update decision set policy = replace(policy, '0.6', '0.9')`,
	} {
		w := newWorld(t)
		w.wape = map[int64]float64{2: 0.47}
		r, err := w.run(2, 0)
		if err != nil {
			t.Fatal(err)
		}
		err = w.write(func(tx *store.Tx) error { _, err := tx.Exec(sql); return err })
		if err != nil {
			t.Fatal(err)
		}
		err = w.gates.Replay(t.Context(), w.project, r.ID)
		if !fairlead.Is(err, fairlead.Conflict) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s changed: %v", name, err)
		}
		if _, err := w.gates.Explain(t.Context(), w.project, r.ID, true); err == nil {
			t.Errorf("%s changed, and the decision was explained as the same", name)
		}
	}
}

func TestTable_HasEveryFactThatAGateGathers(t *testing.T) {
	w := newWorld(t)
	w.wape = map[int64]float64{1: 0.41, 2: 0.47}
	r, err := w.run(2, 1)
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, d := range gate.Table() {
		documented[d.Name] = true
	}
	f := w.evidence(r.Evidence).Facts
	gathered := map[string]bool{}
	for name := range f {
		name = strings.Replace(name, ".wape", ".<metric>", 1)
		gathered[name] = true
		if !documented[name] {
			t.Errorf("the table lacks %s", name)
		}
	}
	for name := range documented {
		if !gathered[name] && !strings.HasPrefix(name, "error.") {
			t.Errorf("%s is documented and not gathered", name)
		}
	}
}

func TestRunGate_TakesAnyNameForAMetric(t *testing.T) {
	w := newWorld(t)
	printed := map[string]float64{"error": 0.1, "version": 3, "parity": 0.9, "package": 0.8,
		"package.engine": 0.7}
	w.metrics = func(int64) map[string]float64 { return printed }
	w.apply([]spec.Gate{{Name: "g", Check: `candidate.error < 0.2 && candidate.version == 3 &&
		candidate.parity > 0.5 && candidate["package"] > 0.5 && candidate["package.engine"] > 0.5 &&
		version.candidate == 2 && packaging.engine == "onnx" && !has(error.candidate)`}})
	r, err := w.run(2, 0)
	if err != nil || r.Result != gate.Passed {
		t.Fatalf("%+v, %v", r, err)
	}
	w.must(w.db.Read(t.Context(), func(tx *store.Tx) error {
		got, err := w.gates.CandidateMetrics(tx, w.project, r.ID)
		for name, v := range printed {
			if got[name] != v {
				t.Errorf("%s is %v", name, got[name])
			}
		}
		return err
	}))
}

func TestCandidateMetrics_AreThoseThatTheDecisionSaw(t *testing.T) {
	w := newWorld(t)
	w.wape = map[int64]float64{1: 0.41, 2: 0.4}
	r, err := w.run(2, 1)
	w.must(err)
	w.must(w.db.Read(t.Context(), func(tx *store.Tx) error {
		got, err := w.gates.CandidateMetrics(tx, w.project, r.ID)
		if len(got) != 1 || got["wape"] != 0.4 {
			t.Errorf("metrics %v", got)
		}
		return err
	}))
}
