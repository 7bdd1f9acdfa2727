package main

import (
	"encoding/json"
	"testing"
	"time"
)

func TestJudged_WantsTheLimitAndTheRatio(t *testing.T) {
	for _, c := range []struct {
		name   string
		f      figure
		ratio  float64
		wanted string
		met    bool
	}{
		{"within the limit", figure{Unit: "ms", Ours: 50}.limit(100), 0, "≤ 100 ms", true},
		{"over the limit", figure{Unit: "ms", Ours: 101}.limit(100), 0, "≤ 100 ms", false},
		{"fast enough", figure{Unit: "ms", Ours: 5}.times(10).beside("p", 60), 12, "≥ 10×", true},
		{"too slow", figure{Unit: "ms", Ours: 5}.times(10).beside("p", 45), 9, "≥ 10×", false},
		{"more is better", figure{Unit: "/s", Ours: 300, more: true}.times(2).beside("p", 100), 3, "≥ 2×",
			true},
		{"one of two missed", figure{Unit: "ms", Ours: 50}.limit(40).times(2).beside("p", 500), 10,
			"≤ 40 ms, ≥ 2×", false},
		{"no peer", figure{Unit: "ms", Ours: 50}.limit(40).times(2).beside("p", 0), 0, "≤ 40 ms", false},
	} {
		f := c.f.judged()
		if f.Ratio != c.ratio || f.Wanted != c.wanted || f.Met == nil || *f.Met != c.met {
			t.Errorf("%s: ratio %v, wanted %q, met %v", c.name, f.Ratio, f.Wanted, f.Met)
		}
	}
	if f := (figure{Unit: "MB", Ours: 1}).judged(); f.Met != nil {
		t.Error("a figure without a limit is met or missed")
	}
}

// A slow peer excuses no clock of the steps.
func TestSteps_EachClockHasBothLimits(t *testing.T) {
	var r report
	r.steps("run", []timing{{pipeline: 10 * time.Millisecond, api: 20 * time.Millisecond,
		command: 41 * time.Millisecond}}, 4000, 40, 25)
	for i, want := range []bool{true, true, false} {
		if f := r.Figures[i]; f.Wanted != "≤ 40 ms, ≥ 25×" || *f.Met != want {
			t.Errorf("%s: %g ms, wanted %q, met %v, want %v", f.Name, f.Ours, f.Wanted, *f.Met, want)
		}
	}
}

func TestQuantile_IsOneOfTheTimes(t *testing.T) {
	var times []time.Duration
	for i := 100; i > 0; i-- {
		times = append(times, time.Duration(i)*time.Millisecond)
	}
	for q, want := range map[float64]float64{0: 1, .5: 51, .99: 100, 1: 100} {
		if got := quantile(times, q); got != want {
			t.Errorf("quantile %v = %v, want %v", q, got, want)
		}
	}
	if quantile(nil, .5) != 0 {
		t.Error("no times have a quantile")
	}
}

// Points that were sent before would not be stored again, and make the writes look
// cheaper than they are.
func TestBatch_SendsNoPointTwice(t *testing.T) {
	type point struct {
		Key  string `json:"key"`
		Step int64  `json:"step"`
	}
	seen := map[point]bool{}
	b := newBatch("r")
	for n := range 3 {
		b.at(n)
		var in struct {
			RunID   string  `json:"run_id"`
			Metrics []point `json:"metrics"`
		}
		if err := json.Unmarshal(b.text, &in); err != nil {
			t.Fatal(err)
		}
		if in.RunID != "r" || len(in.Metrics) != batchRows {
			t.Fatalf("run %q, %d metrics", in.RunID, len(in.Metrics))
		}
		for _, m := range in.Metrics {
			if seen[m] {
				t.Fatalf("batch %d has %v again", n, m)
			}
			seen[m] = true
		}
	}
}

func TestGroupOf_SkipsTheCommand(t *testing.T) {
	if got := groupOf("12 (a (b) c) S 3 45 6"); got != 45 {
		t.Errorf("group %d, want 45", got)
	}
}

func TestField_IsInMegabytes(t *testing.T) {
	const text = "00400000-7ffe ---p 0 00:00 0 [rollup]\nRss:  2048 kB\nPss:  512 kB\n"
	if rss, pss := field(text, "Rss:"), field(text, "Pss:"); rss != 2 || pss != .5 {
		t.Errorf("rss %v, pss %v", rss, pss)
	}
}
