package release

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/stat"
)

var day0 = time.Date(2011, 3, 1, 0, 0, 0, 0, time.UTC)

func canaryPlan(labels int, worseBy, alpha float64) spec.Environment {
	return spec.Environment{Name: "production", Strategy: spec.Canary, Steps: []float64{10, 50, 100},
		Hold:  spec.Hold{Labels: labels, AtMost: spec.Duration{Duration: 14 * 24 * time.Hour}},
		Abort: &spec.Abort{Metric: "wape", WorseBy: worseBy, Alpha: alpha}, Keep: 1}
}

func plan(strategy string, keep int) spec.Environment {
	e := canaryPlan(48, 0.1, 0.05)
	e.Strategy, e.Keep = strategy, keep
	return e
}

func begin(to int64, e spec.Environment) start {
	return start{Rollout{ID: fmt.Sprintf("rol_%d", to), Endpoint: "m@production", To: to, Plan: e}}
}

// trace writes an endpoint and what a transition caused in one line.
func trace(e endpoint, effects []effect, err error) string {
	if err != nil {
		return string(fairlead.CodeOf(err))
	}
	var b strings.Builder
	for _, v := range e.variants() {
		fmt.Fprintf(&b, "%s=%d", v.Role, v.Version)
		if v.Percent > 0 {
			fmt.Fprintf(&b, "(%g)", v.Percent)
		}
		b.WriteString(" ")
	}
	for _, f := range effects {
		switch f := f.(type) {
		case tell:
			name := strings.TrimPrefix(f.event, "rollout.")
			if name == "finished" {
				name = e.rollout.Outcome
			}
			fmt.Fprintf(&b, "%s ", name)
		case assign:
			b.WriteString("assign ")
		case retire:
			fmt.Fprintf(&b, "retire=%d ", f.version)
		}
	}
	return strings.TrimSpace(b.String())
}

type move struct {
	in   input
	want string
}

func (m move) name() string { return fmt.Sprintf("%T", m.in) }

func TestNext_MovesOnEvidenceAlone(t *testing.T) {
	good := func(labels int64) observed {
		return observed{Paired{Labels: labels, Blocks: labels / 24, Wealth: 0.5,
			LossCandidate: float64(labels), LossLive: float64(labels),
			LossTolerated: float64(labels)}}
	}
	poor := func(labels int64) observed {
		p := good(labels)
		p.LossCandidate *= 1.2
		return p
	}
	bad := func(labels int64) observed {
		p := poor(labels)
		p.Rejected, p.Wealth = true, 25
		return p
	}
	replace2, canary2 := plan(spec.Replace, 1), plan(spec.Canary, 1)
	for name, moves := range map[string][]move{
		"first release of a canary replaces": {
			{begin(1, canary2), "live=1(100) started assign promoted"},
			{begin(1, canary2), "precondition"},
		},
		"replace keeps one standby and retires what falls out": {
			{begin(1, replace2), "live=1(100) started assign promoted"},
			{begin(2, replace2), "live=2(100) standby=1 started assign promoted"},
			{begin(3, replace2), "live=3(100) standby=2 started assign promoted retire=1"},
			{begin(2, replace2), "live=2(100) standby=3 started assign promoted"},
			{begin(4, plan(spec.Replace, 0)), "live=4(100) started assign promoted retire=2 retire=3"},
		},
		"canary goes by steps and is promoted": {
			{begin(1, replace2), "live=1(100) started assign promoted"},
			{begin(2, canary2), "live=1(90) canary=2(10) started assign"},
			{good(47), "live=1(90) canary=2(10)"},
			{good(48), "live=1(50) canary=2(50) stepped assign"},
			{good(95), "live=1(50) canary=2(50)"},
			{good(200), "live=1 canary=2(100) stepped assign"},
			{good(100), "live=1 canary=2(100)"},
			{good(247), "live=1 canary=2(100)"},
			{good(248), "live=2(100) standby=1 assign promoted"},
			{good(300), "live=2(100) standby=1"},
			{overdue{3}, "live=2(100) standby=1"},
		},
		"rejection rolls back at any step": {
			{begin(1, replace2), "live=1(100) started assign promoted"},
			{begin(2, canary2), "live=1(90) canary=2(10) started assign"},
			{good(48), "live=1(50) canary=2(50) stepped assign"},
			{bad(60), "live=1(100) assign rolledback"},
			{begin(3, canary2), "live=1(90) canary=3(10) started assign"},
		},
		"without evidence it stays, asks once, and goes on with evidence": {
			{begin(1, replace2), "live=1(100) started assign promoted"},
			{begin(2, canary2), "live=1(90) canary=2(10) started assign"},
			{overdue{1}, "live=1(90) canary=2(10) asked"},
			{overdue{1}, "live=1(90) canary=2(10)"},
			{good(20), "live=1(90) canary=2(10)"},
			{good(48), "live=1(50) canary=2(50) stepped assign"},
			{overdue{1}, "live=1(50) canary=2(50)"},
			{overdue{2}, "live=1(50) canary=2(50) asked"},
			{promote{"I say so"}, "live=2(100) standby=1 assign promoted"},
			{promote{"again"}, "precondition"},
		},
		"a loss above what is tolerated widens no step and is never promoted": {
			{begin(1, replace2), "live=1(100) started assign promoted"},
			{begin(2, canary2), "live=1(90) canary=2(10) started assign"},
			{poor(48), "live=1(90) canary=2(10)"},
			{poor(96), "live=1(90) canary=2(10)"},
			{good(144), "live=1(50) canary=2(50) stepped assign"},
			{good(192), "live=1 canary=2(100) stepped assign"},
			{poor(500), "live=1 canary=2(100)"},
			{overdue{3}, "live=1 canary=2(100) asked"},
			{poor(600), "live=1 canary=2(100)"},
			{good(700), "live=2(100) standby=1 assign promoted"},
		},
		"rollback is always possible": {
			{restore{"now"}, "precondition"},
			{begin(1, replace2), "live=1(100) started assign promoted"},
			{restore{"now"}, "precondition"},
			{rollback{"now"}, "precondition"},
			{begin(2, replace2), "live=2(100) standby=1 started assign promoted"},
			{begin(3, canary2), "live=2(90) canary=3(10) standby=1 started assign"},
			{begin(4, canary2), "conflict"},
			{rollback{"now"}, "live=2(100) standby=1 assign rolledback"},
			{begin(4, canary2), "live=2(90) canary=4(10) standby=1 started assign"},
			{restore{"now"}, "live=1(100) assign aborted"},
			{restore{"now"}, "precondition"},
		},
		"a standby that is lost is no target of a rollback": {
			{begin(1, plan(spec.Replace, 2)), "live=1(100) started assign promoted"},
			{begin(2, plan(spec.Replace, 2)), "live=2(100) standby=1 started assign promoted"},
			{begin(3, plan(spec.Replace, 2)), "live=3(100) standby=2 standby=1 started assign promoted"},
			{lose{2, "it does not load"}, "live=3(100) standby=1 assign"},
			{lose{2, "it does not load"}, "live=3(100) standby=1"},
			{restore{"now"}, "live=1(100) assign"},
		},
		"shadows stand beside everything": {
			{begin(1, replace2), "live=1(100) started assign promoted"},
			{shadow{1, "frozen"}, "live=1(100) shadow=1 assign"},
			{shadow{1, "frozen"}, "live=1(100) shadow=1"},
			{begin(2, canary2), "live=1(90) canary=2(10) shadow=1 started assign"},
			{good(48), "live=1(50) canary=2(50) shadow=1 stepped assign"},
			{good(96), "live=1 canary=2(100) shadow=1 stepped assign"},
			{good(144), "live=2(100) shadow=1 standby=1 assign promoted"},
			{begin(3, replace2), "live=3(100) shadow=1 standby=2 started assign promoted retire=1"},
			{unshadow{2, "no"}, "precondition"},
			{unshadow{1, "enough"}, "live=3(100) standby=2 assign retire=1"},
		},
		"a shadow rollout compares and asks": {
			{begin(1, replace2), "live=1(100) started assign promoted"},
			{begin(2, plan(spec.Shadow, 1)), "live=1(100) shadow=2 started assign"},
			{shadow{2, "also"}, "conflict"},
			{shadow{5, "also"}, "live=1(100) shadow=2 shadow=5 assign"},
			{good(48), "live=1(100) shadow=2 shadow=5 asked"},
			{good(480), "live=1(100) shadow=2 shadow=5"},
			{bad(500), "live=1(100) shadow=5 assign rolledback"},
		},
		"a shadow rollout takes no standing shadow away": {
			{begin(1, replace2), "live=1(100) started assign promoted"},
			{shadow{2, "a look"}, "live=1(100) shadow=2 assign"},
			{begin(2, plan(spec.Shadow, 1)), "conflict"},
			{begin(2, canary2), "live=1(90) canary=2(10) shadow=2 started assign"},
			{rollback{"now"}, "live=1(100) shadow=2 assign rolledback"},
			{unshadow{2, "enough"}, "live=1(100) assign retire=2"},
			{begin(2, plan(spec.Shadow, 1)), "live=1(100) shadow=2 started assign"},
		},
		"what does not exist is refused": {
			{begin(1, plan("bluegreen", 1)), "live=1(100) started assign promoted"},
			{begin(2, plan("bluegreen", 1)), "invalid"},
			{begin(2, spec.Environment{Strategy: spec.Canary}), "invalid"},
			{overdue{1}, "live=1(100)"},
			{good(100), "live=1(100)"},
			{begun{}, "live=1(100)"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var e endpoint
			for i, m := range moves {
				before := trace(e, nil, nil)
				after, effects, err := next(e, m.in, day0.Add(time.Duration(i)*time.Hour))
				if got := trace(after, effects, err); got != m.want {
					t.Fatalf("move %d %s:\n got %s\nwant %s", i, m.name(), got, m.want)
				}
				if now := trace(e, nil, nil); now != before {
					t.Fatalf("move %d %s changed its argument from %s to %s", i, m.name(), before, now)
				}
				if err == nil {
					e = stored(after)
				}
			}
		})
	}
}

// stored drops what the rows do not bring back: a finished rollout.
func stored(e endpoint) endpoint {
	if !e.active() {
		e.rollout = nil
	}
	return e
}

func TestNext_SaysInWordsWhy(t *testing.T) {
	e, _, err := next(endpoint{live: 1}, begin(2, canaryPlan(48, 0.1, 0.05)), day0)
	if err != nil {
		t.Fatal(err)
	}
	rejected, _, _ := next(e, observed{Paired{Labels: 120, Blocks: 5, Wealth: 23.4, Rejected: true,
		LossCandidate: 900, LossLive: 300}}, day0)
	failing, _, _ := next(e, observed{Paired{Labels: 120, Blocks: 5, Wealth: 23.4, Rejected: true,
		LossCandidate: 900, LossLive: 300, Requests: 130, Failed: 40}}, day0)
	broken, _, _ := next(e, observed{Paired{Rejected: true, Requests: 24, Failed: 24}}, day0)
	asked, _, _ := next(e, overdue{1}, day0)
	first, _, _ := next(endpoint{}, begin(1, canaryPlan(48, 0.1, 0.05)), day0)
	for got, want := range map[string]string{
		rejected.rollout.Reason: "version 2 is worse than version 1: wealth 23.4 after 5 blocks, " +
			"loss 900 against 300 on 120 labels (wape, worse by more than 10%, alpha 0.05)",
		failing.rollout.Reason: "version 2 is worse than version 1: wealth 23.4 after 5 blocks, " +
			"loss 900 against 300 on 120 labels (wape, worse by more than 10%, alpha 0.05); " +
			"version 2 could not answer 40 of 130 requests that version 1 answered",
		broken.rollout.Reason: "version 2 could not answer 24 of 24 requests that version 1 answered",
		asked.rollout.Reason: "0 of 48 labels after 14d at 10%; decide: " +
			"`fairlead rollout rol_2 --promote` or `--rollback`, with --reason",
		first.rollout.Note: "first release: there is no live version for a canary to compare with",
	} {
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// pair simulates the hourly errors of two equal versions: a shock that both feel
// and one of its own for each, AR(1) with heavy tails, times a daily volume.
type pair struct {
	rng    *rand.Rand
	hour   int
	shared float64
	own    [2]float64
}

func (p *pair) shock() float64 {
	var squares float64
	for range 3 {
		v := p.rng.NormFloat64()
		squares += v * v
	}
	return p.rng.NormFloat64() / math.Sqrt(squares/3)
}

// day returns the sums of losses of 24 hours.
func (p *pair) day() (losses [2]float64) {
	for range 24 {
		p.hour++
		volume := 100 * (1.1 + math.Sin(float64(p.hour)*math.Pi/12))
		p.shared = 0.95*p.shared + p.shock()
		for v := range p.own {
			p.own[v] = 0.8*p.own[v] + p.shock()
			losses[v] += volume * math.Abs(0.5*p.shared+p.own[v])
		}
	}
	return losses
}

// simulate drives one rollout day by day to its end, or for 90 days, and returns
// the outcome, "" for none, and the days. It takes the losses of blocks as given: package
// monitor proves that its pairing of requests keeps alpha too.
func simulate(t *testing.T, seed uint64, ratio float64, env spec.Environment) (
	outcome string, days int) {
	t.Helper()
	e, _, err := next(endpoint{live: 1}, begin(2, env), day0)
	if err != nil {
		t.Fatal(err)
	}
	test, err := stat.NewSequential(env.Abort.Alpha)
	if err != nil {
		t.Fatal(err)
	}
	p, sum, now := pair{rng: rand.New(rand.NewPCG(seed, 3))}, Paired{}, day0
	step := func(in input) {
		if e, _, err = next(e, in, now); err != nil {
			t.Fatal(err)
		}
	}
	for days = 1; days <= 90 && e.active(); days++ {
		now = now.AddDate(0, 0, 1)
		if due := e.rollout.due(); !due.IsZero() && !due.After(now) {
			step(overdue{e.rollout.Step})
		}
		losses := p.day()
		losses[0] *= ratio
		tolerated := losses[1] * (1 + env.Abort.WorseBy)
		if err := test.Add(losses[0], tolerated); err != nil {
			t.Fatal(err)
		}
		sum.Labels, sum.Blocks = sum.Labels+24, sum.Blocks+1
		sum.LossCandidate, sum.LossLive = sum.LossCandidate+losses[0], sum.LossLive+losses[1]
		sum.LossTolerated += tolerated
		sum.Wealth, sum.Rejected = test.Wealth(), test.Rejected()
		step(observed{sum})
	}
	return e.rollout.Outcome, days - 1
}

func TestNext_RollsBackAtMostAlphaOfEqualVersions(t *testing.T) {
	const rollouts = 1000
	for _, c := range []struct{ worseBy, alpha float64 }{{0, 0.05}, {0.1, 0.05}, {0, 0.1}} {
		ends := map[string]int{}
		for seed := range uint64(rollouts) {
			outcome, _ := simulate(t, seed, 1, canaryPlan(7*24, c.worseBy, c.alpha))
			ends[outcome]++
		}
		t.Logf("%d A/A rollouts, worse_by %g, alpha %g: %d promoted, %d rolled back, %d without an end",
			rollouts, c.worseBy, c.alpha, ends[Promoted], ends[RolledBack], ends[""])
		if limit := int(c.alpha * rollouts); ends[RolledBack] > limit {
			t.Errorf("%+v: %d of %d equal versions rolled back, at most %d allowed",
				c, ends[RolledBack], rollouts, limit)
		}
		if ends[Promoted] < rollouts/3 {
			t.Errorf("%+v: only %d of %d equal versions were promoted", c, ends[Promoted], rollouts)
		}
	}
}

// A test that has not looked often enough to reject anything says nothing for a version.
func TestNext_PromotesNothingBeforeTheTestCouldHaveRejectedIt(t *testing.T) {
	e, _, err := next(endpoint{live: 1}, begin(2, canaryPlan(48, 0.1, 0.05)), day0)
	if err != nil {
		t.Fatal(err)
	}
	for block := range int64(6) {
		e, _, err = next(e, observed{Paired{Labels: 1000 * (block + 1), Blocks: block + 1,
			LossCandidate: 1, LossLive: 1, LossTolerated: 1}}, day0)
		if err != nil {
			t.Fatal(err)
		}
		if promoted := !e.active(); promoted != (block+1 >= 5) {
			t.Errorf("after %d blocks: promoted %v", block+1, promoted)
		}
	}
}

// A heavy tail can make a bad version look good for some days, so a few slip
// through; the monitor finds those later.
func TestNext_RollsBackAMuchWorseVersionBeforeItIsLive(t *testing.T) {
	const rollouts = 200
	var days []int
	promoted := 0
	for seed := range uint64(rollouts) {
		outcome, n := simulate(t, seed, 2.5, canaryPlan(48, 0.1, 0.05))
		if outcome == Promoted {
			promoted++
		}
		days = append(days, n)
	}
	slices.Sort(days)
	t.Logf("2.5 times as bad: %d of %d promoted, ended after %d days at the median, %d at the most",
		promoted, rollouts, days[rollouts/2], days[rollouts-1])
	if promoted > rollouts/100 || days[rollouts/2] > 7 {
		t.Errorf("%d promoted, %d days at the median", promoted, days[rollouts/2])
	}
}

func TestNext_AsksWithTheReasonWhyThereIsNoEvidence(t *testing.T) {
	e, _, err := next(endpoint{live: 1}, begin(2, canaryPlan(48, 0.1, 0.05)), day0)
	if err != nil {
		t.Fatal(err)
	}
	for _, in := range []input{observed{Paired{Note: "the label 2 is not 0 or 1"}}, overdue{1}} {
		if e, _, err = next(e, in, day0); err != nil {
			t.Fatal(err)
		}
	}
	if r := e.rollout; r.State != Waiting || !strings.Contains(r.Reason, ": the label 2 is not 0 or 1;") {
		t.Errorf("%s: %s", r.State, r.Reason)
	}
}
