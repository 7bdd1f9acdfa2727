package gate_test

import (
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/gate"
	"github.com/fairlead-ml/fairlead/spec"
)

func facts(t *testing.T) gate.Facts {
	t.Helper()
	f, err := gate.NewFacts(map[string]any{
		"version.candidate": 7, "candidate.wape": 0.47, "candidate.mae": 31.5, "candidate.f1": 0.9,
		"candidate.f1.macro": 0.8, "candidate.f1@5": 0.7, "candidate.broken": math.NaN(),
		"candidate.fairness.carrier.AA.impact_ratio": 0.91,
		"candidate.fairness.carrier.UA.impact_ratio": 0.79,
		"packaging.engine":                           "onnx", "packaging.max_relative": 3e-6,
		"version.live": 6, "live.wape": 0.41,
		"holdout.dataset": "holdout", "holdout.version": 3, "holdout.rows": 168, "holdout.reads": 0,
		"project.name": "bikes", "project.risk": "limited",
		"now": time.Date(2011, 5, 3, 4, 0, 0, 0, time.UTC),
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func without(f gate.Facts, prefix string) gate.Facts {
	out := gate.Facts{}
	for name, v := range f {
		if !strings.HasPrefix(name, prefix) {
			out[name] = v
		}
	}
	return out
}

func decide(t *testing.T, f gate.Facts, gates ...spec.Gate) gate.Decision {
	t.Helper()
	p, err := gate.Compile(gates)
	if err != nil {
		t.Fatal(err)
	}
	return gate.Decide(p, f)
}

func TestParse_ShowsWhereACheckIsWrong(t *testing.T) {
	const head = "project: p\npipeline: {steps: {train: {run: x, out: [model]}, " +
		"evaluate: {run: x, in: [model, validation]}}}\ndata: {validation: {from: v.csv}}\ngates:\n"
	for _, c := range []struct{ gate, line, caret string }{
		{"  g: {check: candidate.mae < liv.mae}", "f:5:30: gates.g.check: there is no \"liv\"", "liv.mae"},
		{"  g: {check: 'candidate.mae < liv.mae'}", "f:5:31: ", "liv.mae"},
		{"  g:\n    check: |\n      candidate.mae < 1 &&\n        liv.mae > 0", "f:8:9: ", "liv.mae"},
		{"  g:\n    check: >\n      candidate.mae < 1 &&\n      liv.mae > 0", "f:6:12: ", ">"},
		{"  g:\n    check: candidate.mae < 1 &&\n      liv.mae > 0", "f:6:12: ", "candidate"},
	} {
		_, err := gate.Parse("f", []byte(head+c.gate+"\n"))
		if !fairlead.Is(err, fairlead.Invalid) || !strings.Contains(err.Error(), c.line) {
			t.Errorf("%s:\n%v", c.gate, err)
			continue
		}
		lines := strings.Split(err.Error(), "\n") // …, the place, the excerpt, the caret
		at := strings.Index(lines[4], "^")
		if !strings.HasPrefix(lines[3][at:], c.caret) {
			t.Errorf("%s:\n%v", c.gate, err)
		}
	}
}

func TestDecide_EvaluatesAnyCELOverTheFacts(t *testing.T) {
	ten := "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]"
	for want, checks := range map[string][]string{
		gate.Green: {
			"candidate.wape <= 0.5",
			"candidate.wape <= live.wape * 1.2",
			"version.candidate == version.live + 1",
			"version.candidate > 6.5",
			"candidate['f1@5'] >= 0.7",
			"candidate['f1.macro'] >= 0.8",
			"packaging.max_relative < 1e-5",
			"packaging.engine in ['onnx']",
			"holdout.rows >= 100 && holdout.reads < 3",
			"now > timestamp('2011-01-01T00:00:00Z')",
			"now.getDayOfWeek() == 2",
			"project.risk.startsWith('lim')",
			"math.abs(candidate.wape - live.wape) < 0.1",
			"math.greatest(candidate.wape, live.wape) == candidate.wape",
			"sets.contains(['onnx', 'python'], [packaging.engine])",
			"[3, 1, 2].sort()[0] == 1",
			"candidate.fairness.carrier.exists(c, candidate.fairness.carrier[c].impact_ratio < 0.8)",
			"!has(candidate.auc) || candidate.auc > 0.7",
			"!has(error.candidate)",
			"has(candidate.mae) && candidate.mae < 40.0",
			"candidate.mae > 1.0 ? true : packaging.engine",
		},
		gate.Red: {
			"candidate.wape <= live.wape",
			"candidate.fairness.carrier.all(c, candidate.fairness.carrier[c].impact_ratio >= 0.8)",
			"candidate.auc >= 0.7",                        // missing
			"candidate.wape < 1.0 || candidate.auc > 0.7", // missing, though the result is known
			"candidate.broken < 1.0",                      // NaN
			"!(candidate.broken > 1.0)",                   // NaN, though true
			"candidate.mae * 2 < 100",                     // double * int
			"candidate.wape",                              // not a boolean
			"candidate.fairness.carrier[packaging.engine].impact_ratio > 0.1",
			ten + ".all(a, " + ten + ".all(b, " + ten + ".all(c, " + ten + ".all(d, " + ten +
				".all(e, a + b + c + d + e >= 0)))))", // 100,000 steps
		},
	} {
		for _, check := range checks {
			d := decide(t, facts(t), spec.Gate{Name: "g", Check: check})
			if got := d.Checks[0]; got.State != want {
				t.Errorf("%s is %s (%s), want %s", check, got.State, got.Message, want)
			}
			if (d.Result == gate.Passed) != (want == gate.Green) {
				t.Errorf("%s: the result is %s", check, d.Result)
			}
		}
	}
}

func TestDecide_SaysWhatIsMissingAndByHowMuchACheckFailed(t *testing.T) {
	all := facts(t)
	first := without(without(all, "live."), "version.live")
	failed := without(all, "live.wape")
	failed["error.live"] = "evaluate ended with status 1"
	for _, c := range []struct {
		name  string
		facts gate.Facts
		check string
		want  []string
	}{
		{"metric", all, "candidate.auc >= 0.7",
			[]string{"candidate.auc is missing", "it printed broken, f1, f1.macro, f1@5"}},
		{"two", all, "candidate.auc >= live.auc",
			[]string{"candidate.auc is missing", "live.auc is missing"}},
		{"no live", first, "candidate.wape <= live.wape",
			[]string{"live.wape is missing", "`when: live`"}},
		{"live failed", failed, "candidate.wape <= live.wape",
			[]string{"evaluate failed for version 6: evaluate ended with status 1"}},
		{"parity", without(all, "packaging"), "packaging.max_relative < 1e-5",
			[]string{"packaging.max_relative is missing", "not known"}},
		{"gap", all, "candidate.mae < 40.0 && candidate.wape <= live.wape",
			[]string{"candidate.wape <= live.wape: got 0.47, needed <= 0.41, difference 0.06"}},
		{"text", all, "packaging.engine == 'python'",
			[]string{`packaging.engine == "python" is false`}},
		{"types", all, "candidate.mae * 2 < 100.0", []string{"write 2.0 and not 2"}},
		{"kind", all, "packaging.engine", []string{"neither true nor false but a string"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := decide(t, c.facts, spec.Gate{Name: "g", Check: c.check}).Checks[0]
			for _, want := range c.want {
				if got.State != gate.Red || !strings.Contains(got.Message, want) {
					t.Errorf("%s: %s %q, want %q", c.check, got.State, got.Message, want)
				}
			}
		})
	}
}

func TestDecide_SkipsGatesForALiveVersionOnAFirstRelease(t *testing.T) {
	gates := []spec.Gate{
		{Name: "better", Check: "candidate.wape <= live.wape", When: spec.WhenLive},
		{Name: "good", Check: "candidate.wape <= 0.6"},
	}
	first := without(without(facts(t), "live."), "version.live")
	d := decide(t, first, gates...)
	if d.Result != gate.Passed || d.Checks[0].State != gate.Skipped || d.Note != "" {
		t.Errorf("first release: %+v", d)
	}
	d = decide(t, facts(t), gates...)
	if d.Result != gate.Failed || !slices.Equal(d.Red(), []string{"better"}) || len(d.Checks) != 2 {
		t.Errorf("second release: %+v", d)
	}
	d = decide(t, first, gates[0])
	if d.Result != gate.Passed || !strings.Contains(d.Note, "without a check") {
		t.Errorf("all skipped: %+v", d)
	}
	if d = decide(t, first); d.Result != gate.Passed || !strings.Contains(d.Note, "no gates") {
		t.Errorf("no gates: %+v", d)
	}
}

func TestDecide_ShowsTheFactsThatACheckNames(t *testing.T) {
	d := decide(t, facts(t), spec.Gate{Name: "g",
		Check: "candidate.wape <= live.wape && candidate.fairness.carrier.all(c, c != 'XX')"})
	want := []string{"candidate.fairness.carrier.AA.impact_ratio",
		"candidate.fairness.carrier.UA.impact_ratio", "candidate.wape", "live.wape"}
	var got []string
	for name := range d.Checks[0].Values {
		got = append(got, name)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("values %v, want %v", got, want)
	}
	if gap := d.Checks[0].Gap; gap == nil || math.Abs(gap.Difference-0.06) > 1e-12 {
		t.Errorf("gap %+v", gap)
	}
}

func TestCompile_SaysWhereAndWhyACheckIsWrong(t *testing.T) {
	for _, c := range []struct {
		check        string
		line, column int
		want         string
	}{
		{"candidate.wape <=", 1, 18, "the check ends here"},
		{"candidat.wape <= 0.5", 1, 1, "facts begin with candidate, live, version, error, packaging, holdout, project, now"},
		{"candidate.wape <= 0.5 &&\n  holdout.rowz > 3", 2, 10,
			"holdout has dataset, version, rows, reads"},
		{"now > 3", 1, 5, "no matching overload"},
		{"1 + 2", 1, 1, "this one is a int"},
		{"frobnicate(candidate.wape)", 1, 11, "frobnicate"},
	} {
		_, err := gate.Compile([]spec.Gate{{Name: "fine", Check: "true"}, {Name: "g", Check: c.check}})
		if !fairlead.Is(err, fairlead.Invalid) {
			t.Fatalf("%s: %v, want invalid", c.check, err)
		}
		if !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "gate g, line") {
			t.Errorf("%s: %q, want %q", c.check, err, c.want)
		}
		found := err.(*fairlead.Error).Detail["problems"].([]gate.CompileError)[0]
		if found.Line != c.line || found.Column != c.column {
			t.Errorf("%s: at %d:%d, want %d:%d", c.check, found.Line, found.Column, c.line, c.column)
		}
	}
}

func TestCompile_ReportsEveryWrongGate(t *testing.T) {
	_, err := gate.Compile([]spec.Gate{{Name: "a", Check: "1 +"}, {Name: "b", Check: "x"}})
	for _, want := range []string{"gate a", "gate b"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v lacks %s", err, want)
		}
	}
}

func TestPolicy_ReadsBackFromItsText(t *testing.T) {
	gates := []spec.Gate{{Name: "g", Check: "candidate.wape <= live.wape", When: "live"}}
	p, err := gate.Compile(gates)
	if err != nil {
		t.Fatal(err)
	}
	again, err := gate.ReadPolicy(p.Text())
	if err != nil || again.Digest() != p.Digest() {
		t.Errorf("read back %q: %v", p.Text(), err)
	}
	if _, err := gate.ReadPolicy(`{"format":3}`); !fairlead.Is(err, fairlead.Unimplemented) {
		t.Errorf("a later format: %v", err)
	}
	if _, err := gate.ReadPolicy(`nonsense`); !fairlead.Is(err, fairlead.Invalid) {
		t.Errorf("nonsense: %v", err)
	}
}

func TestFacts_HaveOneCanonicalForm(t *testing.T) {
	f := facts(t)
	f["inf"], f["ninf"], f["yes"], f["big"] = math.Inf(1), math.Inf(-1), true, int64(math.MaxInt64)
	b, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	var back gate.Facts
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(back)
	if err != nil || string(again) != string(b) {
		t.Errorf("%s\n%s\n%v", b, again, err)
	}
	if !math.IsNaN(back["candidate.broken"].(float64)) {
		t.Errorf("read back %v", back)
	}
	if !reflect.DeepEqual(without(back, "candidate.broken"), without(f, "candidate.broken")) {
		t.Errorf("read back %v, want %v", back, f)
	}
	if _, err := gate.NewFacts(map[string]any{"a": []int{1}}); !fairlead.Is(err, fairlead.Invalid) {
		t.Errorf("a list as a fact: %v", err)
	}
}

func FuzzFacts_UnmarshalJSON(f *testing.F) {
	f.Add([]byte(`{"a":{"type":"double","value":1.5}}`))
	f.Add([]byte(`{"a":{"type":"timestamp","value":"2011-03-01T00:00:00Z"}}`))
	f.Add([]byte(`{"a":{"type":"double","value":"NaN"},"b":{"type":"int","value":1e3}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var first, second gate.Facts
		if json.Unmarshal(b, &first) != nil {
			return
		}
		text, err := json.Marshal(first)
		if err != nil {
			t.Fatalf("%s was read and cannot be written: %v", b, err)
		}
		if err := json.Unmarshal(text, &second); err != nil {
			t.Fatal(err)
		}
		if again, _ := json.Marshal(second); string(again) != string(text) {
			t.Errorf("%s became %s", text, again)
		}
	})
}

func FuzzCompile(f *testing.F) {
	for _, check := range []string{
		"candidate.wape <= live.wape", "has(candidate.x.y)", "candidate[''][0]",
		"[1].map(candidate, candidate)[0] == 1 && now < now", "{'a': candidate}.a.b == live"} {
		f.Add(check)
	}
	f.Fuzz(func(t *testing.T, check string) {
		p, err := gate.Compile([]spec.Gate{{Name: "g", Check: check}})
		if err != nil {
			if !fairlead.Is(err, fairlead.Invalid) {
				t.Errorf("%q: %v", check, err)
			}
			return
		}
		d := gate.Decide(p, facts(t))
		if again := gate.Decide(p, facts(t)); !equalJSON(t, d, again) {
			t.Errorf("%q: %+v, then %+v", check, d, again)
		}
	})
}

func equalJSON(t *testing.T, a, b any) bool {
	t.Helper()
	x, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	y, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(x) == string(y)
}
