package pipeline

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/fairlead-ml/fairlead/spec"
)

// TestJudge_OrderOfEndsDoesNotMatter lets the same tries end in many orders: the
// verdict is the same as when all are known, and never changes once it is there.
func TestJudge_OrderOfEndsDoesNotMatter(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	limit := 0.3
	for range 2000 {
		m := measure{known: true, input: "v", name: "m", lower: true,
			until: &spec.Until{AtMost: &limit}}
		all := make([]outcome, 1+r.IntN(6))
		for i := range all {
			all[i] = outcome{started: true, ended: true, failed: r.IntN(5) == 0,
				value: float64(r.IntN(10)) / 10, has: r.IntN(8) > 0}
		}
		want := judge(m, all, false)
		known := make([]outcome, len(all))
		needed := len(all)
		for _, i := range r.Perm(len(all)) {
			known[i] = all[i]
			got := judge(m, known, false)
			if got.needed > needed {
				t.Fatalf("%v: tries up to %d matter again, after %d", known, got.needed, needed)
			}
			needed = got.needed
			if got.decided && got != want {
				t.Fatalf("%v: %+v, want %+v", known, got, want)
			}
		}
		if got := judge(m, known, false); got != want || !got.decided {
			t.Fatalf("%v: %+v, want %+v", known, got, want)
		}
	}
}

func TestLast_TakesTheHighestStep(t *testing.T) {
	points := slices.Concat(parseMark("::metric a=1 b=2 step=5"), parseMark("::metric a=3 step=4"),
		parseMark("::metric b=4 step=5"), parseMark("::warn a=9"), parseMark("::metric  c=nan d=x e"))
	got := last(points)
	if got["a"] != 1 || got["b"] != 4 || got["c"] == got["c"] || len(got) != 3 {
		t.Errorf("%v", got)
	}
}

func FuzzParseMark(f *testing.F) {
	f.Add("::metric wape=0.31 step=2")
	f.Add("::metric =1 a== step=x")
	f.Fuzz(func(t *testing.T, line string) {
		for _, p := range parseMark(line) {
			var back Point
			b, err := p.MarshalJSON()
			if err != nil || back.UnmarshalJSON(b) != nil {
				t.Fatalf("%q: %+v cannot be stored: %v", line, p, err)
			}
			if p.Name == "" || p.Name == "step" || back.Step != p.Step ||
				back.Value != p.Value && p.Value == p.Value {
				t.Fatalf("%q: %+v, read back as %+v", line, p, back)
			}
		}
	})
}
