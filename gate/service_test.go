package gate_test

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"testing/quick"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/gate"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/stream"
)

const file = `
project: bikes
risk: minimal
data:
  history: {from: data/history.csv, time: at, key: id, label: bikers}
holdout: {by: time, last: 7d}
pipeline:
  steps:
    train:    {run: python train.py, in: [history], out: [model]}
    evaluate: {run: python evaluate.py, in: [model, history]}
release:
  production: {strategy: replace}
`

// world is a gate over a real database, beside stages that are not here yet.
type world struct {
	t        *testing.T
	db       *store.DB
	led      *ledger.Ledger
	gates    *gate.Service
	jobs     *job.Service
	projects *spec.Projects
	project  fairlead.Project
	rev      int64
	wape     map[int64]float64 // what evaluate prints, by version
	metrics  func(version int64) map[string]float64
	broken   map[int64]error
	reads    int64
}

var at = time.Date(2011, 5, 3, 4, 0, 0, 0, time.UTC)

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, wape: map[int64]float64{}, broken: map[int64]error{}}
	w.metrics = func(n int64) map[string]float64 {
		return map[string]float64{"wape": w.wape[n], "version": -1}
	}
	log, clock := slog.New(slog.DiscardHandler), fairlead.NewFakeClock(at.AddDate(15, 0, 0))
	var err error
	w.db, err = store.Open(t.Context(), store.Options{Path: filepath.Join(t.TempDir(), "f.db")},
		ledger.Schema(), stream.Schema(), job.Schema(), spec.Tables(), gate.Schema())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.db.Close() })
	w.led = ledger.New(w.db, clock, log)
	streams := stream.New(w.db, clock, log)
	w.projects = spec.NewProjects(w.db, w.led, clock)
	w.apply([]spec.Gate{
		{Name: "better-than-live", Check: "candidate.wape <= live.wape", When: spec.WhenLive},
		{Name: "good-enough", Check: "candidate.wape <= 0.6 && holdout.reads == 0"},
	})
	if err := streams.Advance(t.Context(), w.project, "bikes@production", at); err != nil {
		t.Fatal(err)
	}
	w.jobs = job.New(w.db, w.led, clock, log, job.Options{Exclusive: true})
	w.gates = gate.New(w.db, w.led, w.jobs, clock, log, w.projects, gate.Sources{
		Evaluate: w.evaluate,
		Package: func(context.Context, fairlead.Project, string, int64) (gate.Package, error) {
			parity := 3e-6
			return gate.Package{Engine: "onnx", MaxRelative: &parity}, nil
		},
		Holdout: func(context.Context, fairlead.Project, gate.Holdout) (rows, reads int64, err error) {
			return 168, w.reads, nil
		},
		ReadHoldout: func(context.Context, *store.Tx, fairlead.Project, gate.Holdout, string, int64, string) error {
			w.reads++
			return nil
		},
		Now: streams.NowOrWall,
	})
	return w
}

func (w *world) evaluate(_ context.Context, _ fairlead.Project, e gate.EvaluateRequest) (map[string]float64, error) {
	if err := w.broken[e.Version]; err != nil {
		return nil, err
	}
	return w.metrics(e.Version), nil
}

// apply makes the gates those of the project's current file.
func (w *world) apply(gates []spec.Gate) {
	w.t.Helper()
	text := file
	for i, g := range gates {
		if i == 0 {
			text += "gates:\n"
		}
		text += fmt.Sprintf("  %s:\n    check: %q\n", g.Name, g.Check)
		if g.When != "" {
			text += "    when: " + g.When + "\n"
		}
	}
	rev, err := w.projects.Apply(w.t.Context(), []byte(text), "")
	if err != nil {
		w.t.Fatal(err)
	}
	w.project, w.rev = rev.Project, rev.N
}

func (w *world) write(fn func(tx *store.Tx) error) error {
	return w.db.Write(context.Background(), store.Control, fn)
}

func (w *world) request(version, baseline int64) gate.Request {
	return gate.Request{Case: "case_1", Model: "bikes", Version: version, Baseline: baseline,
		SpecRev: w.rev, Holdout: gate.Holdout{Dataset: "holdout", N: 1}}
}

func (w *world) run(version, baseline int64) (*gate.Record, error) {
	return w.gates.RunGate(w.t.Context(), w.project, w.request(version, baseline))
}

// job runs gates as jobs until every one asked for is finished.
func (w *world) job(requests ...gate.Request) {
	w.t.Helper()
	for _, r := range requests {
		err := w.write(func(tx *store.Tx) error { return w.gates.Request(context.Background(), tx, w.project, r) })
		if err != nil {
			w.t.Fatal(err)
		}
	}
	if err := w.jobs.Start(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	defer w.jobs.Stop(context.Background())
	page, err := w.jobs.List(w.t.Context(), w.project.K, job.Filter{}, "", 0)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, j := range page.Items {
		if _, err := w.jobs.Await(w.t.Context(), w.project.K, j.ID); err != nil {
			w.t.Fatal(err)
		}
	}
}

// decided returns the only gate.decided.
func (w *world) decided() (body event.GateDecided) {
	w.t.Helper()
	events := w.events(event.GateDecidedType)
	if len(events) != 1 {
		w.t.Fatalf("%d decisions", len(events))
	}
	if err := events[0].Decode(&body); err != nil {
		w.t.Fatal(err)
	}
	return body
}

func (w *world) events(kind string) []*ledger.Record {
	w.t.Helper()
	out, err := w.led.List(w.t.Context(), ledger.Filter{Types: []string{kind}})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func TestRunGate_StoresEvidenceAndDecisionInStreamTime(t *testing.T) {
	w := newWorld(t)
	w.wape = map[int64]float64{1: 0.41, 2: 0.47}
	r, err := w.run(2, 1)
	if err != nil {
		t.Fatal(err)
	}
	if r.Result != gate.Failed || len(r.Red()) != 1 || w.reads != 2 || !r.At.Equal(at) {
		t.Errorf("record %+v, %d reads", r, w.reads)
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
	w.broken[2] = fairlead.Errorf(fairlead.Precondition, "evaluate ended with status 1: no column registered")
	r, err := w.run(2, 0)
	if err != nil {
		t.Fatal(err)
	}
	if r.Result != gate.Failed || !strings.Contains(r.Checks[1].Message, "no column registered") {
		t.Errorf("record %+v", r.Decision)
	}
}

func TestRunGate_IsTriedAgainWhenEvaluationDidNotComeAbout(t *testing.T) {
	w := newWorld(t)
	w.broken[2] = fmt.Errorf("the disk is gone")
	if _, err := w.run(2, 0); err == nil {
		t.Error("no error")
	}
	if n := len(w.events(event.GateDecidedType)) + len(w.events(event.EvidenceRecordedType)); n != 0 || w.reads != 0 {
		t.Errorf("%d events and %d reads of a run that failed", n, w.reads)
	}
}

func TestRequest_IsDecidedOnceByAJob(t *testing.T) {
	w := newWorld(t)
	w.wape = map[int64]float64{1: 0.41, 2: 0.4}
	w.job(w.request(2, 1), w.request(2, 1))
	if got := w.decided(); got.Result != gate.Passed || got.Decision == "" || w.reads != 2 {
		t.Errorf("event %+v, %d reads", got, w.reads)
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
	e, err := w.gates.Explain(t.Context(), w.project, r.ID)
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
	if _, err := w.gates.Explain(t.Context(), other, r.ID); !fairlead.Is(err, fairlead.NotFound) {
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
		stored, again, err := w.gates.Replay(t.Context(), w.project, r.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range again.Checks {
			results[c.State]++
		}
		return equalJSON(t, stored.Decision, again) && equalJSON(t, again, r.Decision)
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
			out[name] = []float64{0, 0.5, rng.NormFloat64(), 1e300 * rng.NormFloat64(), math.NaN(), math.Inf(1)}[min(rng.IntN(12), 5)]
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
		if _, _, err := w.gates.Replay(t.Context(), w.project, r.ID); !fairlead.Is(err, fairlead.Conflict) {
			t.Errorf("%s changed: %v", name, err)
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
	if f["candidate.version"] != int64(2) {
		t.Errorf("a metric took the place of candidate.version: %v", f["candidate.version"])
	}
	gathered := map[string]bool{}
	for name := range f {
		name = strings.Replace(name, ".wape", ".<metric>", 1)
		gathered[name] = true
		if !documented[name] {
			t.Errorf("the table lacks %s", name)
		}
	}
	for name := range documented {
		if !gathered[name] && !strings.HasSuffix(name, ".error") {
			t.Errorf("%s is documented and not gathered", name)
		}
	}
}

func (w *world) evidence(id string) (e *gate.Evidence) {
	w.t.Helper()
	err := w.db.Read(w.t.Context(), func(tx *store.Tx) (err error) {
		e, err = w.gates.Evidence(tx, w.project, id)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}
