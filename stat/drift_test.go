package stat_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/stat"
)

// The reference value is numpy 2.4.6's on the counts of the
// first test: r = [0,0,0,100,200,300,250,150], c = [30,0,10,50,90,180,240,200],
// in the order missing, below, above, bins.
//
//	s = r+c > 0; a = (r[s]+.5)/(r.sum()+s.sum()/2); b = the same of c
//	((b-a)*np.log(b/a)).sum()
func TestPSI_AgreesWithNumpy(t *testing.T) {
	edges := []float64{0, 1, 2, 4, 8, 16}
	r := &stat.Histogram{Edges: edges, Counts: []uint64{100, 200, 300, 250, 150}}
	c := &stat.Histogram{
		Edges: edges, Counts: []uint64{50, 90, 180, 240, 200}, Missing: 30, Above: 10}
	for current, want := range map[*stat.Histogram]float64{c: 0.3519386496124134, r: 0} {
		if got, err := r.PSI(current); err != nil || math.Abs(got-want) > 1e-12 {
			t.Errorf("psi = %v, %v; want %v", got, err, want)
		}
	}
}

// With many rows the smoothing vanishes:
// ((q-p)*np.log(q/p)).sum() for p = [1,2,3]/6, q = [1.5,1.5,3]/6.
func TestPSI_OfManyRowsIsThePlainFormula(t *testing.T) {
	const want = 0.057762265046662105
	r := &stat.Histogram{Edges: []float64{0, 1, 2, 3}, Counts: []uint64{1e8, 2e8, 3e8}}
	c := &stat.Histogram{Edges: []float64{0, 1, 2, 3}, Counts: []uint64{1.5e8, 1.5e8, 3e8}}
	if got, err := r.PSI(c); err != nil || math.Abs(got-want) > 1e-7 {
		t.Errorf("psi = %v, %v; want %v", got, err, want)
	}
	back, _ := c.PSI(r)
	if there, _ := r.PSI(c); math.Abs(back-there) > 1e-15 {
		t.Errorf("psi is %v there and %v back", there, back)
	}
}

func TestPSI_SeesWhatTheReferenceNeverHad(t *testing.T) {
	edges := []float64{5, 5}
	r := &stat.Histogram{Edges: edges, Counts: []uint64{1000}}
	for name, current := range map[string]*stat.Histogram{
		"missing": {Edges: edges, Counts: []uint64{50}, Missing: 50},
		"above":   {Edges: edges, Counts: []uint64{0}, Above: 100},
		"below":   {Edges: edges, Counts: []uint64{50}, Below: 50},
	} {
		if got, err := r.PSI(current); err != nil || got < 1 || math.IsInf(got, 0) {
			t.Errorf("%s: psi = %v, %v; want a large number", name, got, err)
		}
	}
}

func TestPSI_OfCategories(t *testing.T) {
	r, c := categories(t, "a", "b"), categories(t, "a", "b")
	r.Counts, c.Counts, c.Other, c.Missing = []uint64{60, 40}, []uint64{30, 40}, 20, 10
	h := &stat.Histogram{Edges: []float64{0, 1, 2}, Counts: []uint64{60, 40}}
	same := &stat.Histogram{
		Edges: []float64{0, 1, 2}, Counts: []uint64{30, 40}, Above: 20, Missing: 10}
	wantPSI, _ := h.PSI(same)
	psi, err := r.PSI(c)
	if err != nil || math.Abs(psi-wantPSI) > 1e-12 {
		t.Errorf("psi %v, %v; want %v, as of a histogram with these counts", psi, err, wantPSI)
	}
}

func TestPSI_RefusesWhatCannotBeCompared(t *testing.T) {
	r := &stat.Histogram{Edges: []float64{0, 1}, Counts: []uint64{5}}
	empty := &stat.Histogram{Edges: []float64{0, 1}, Counts: []uint64{0}}
	if v, err := r.PSI(empty); !fairlead.Is(err, fairlead.Precondition) {
		t.Errorf("with an empty window: %v, %v; want precondition", v, err)
	}
	other := &stat.Histogram{Edges: []float64{0, 2}, Counts: []uint64{5}}
	if v, err := r.PSI(other); !fairlead.Is(err, fairlead.Invalid) {
		t.Errorf("with other edges: %v, %v; want invalid", v, err)
	}
	names := categories(t, "a")
	if v, err := names.PSI(names); !fairlead.Is(err, fairlead.Precondition) {
		t.Errorf("without rows: %v, %v; want precondition", v, err)
	}
	if v, err := names.PSI(categories(t, "b")); !fairlead.Is(err, fairlead.Invalid) {
		t.Errorf("with other names: %v, %v; want invalid", v, err)
	}
}

func TestPSICritical_IsExceededByChanceAsOftenAsItSays(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	const bins, n, m, windows = 10, 1416, 72, 4000
	edges := make([]float64, bins+1)
	for i := range edges {
		edges[i] = float64(i) / bins
	}
	above := 0
	limit := stat.PSICritical(bins, n, m, 0.05)
	for range windows {
		r, c := histogram(t, edges, nil), histogram(t, edges, nil)
		for range n {
			r.Add(rng.Float64())
		}
		for range m {
			c.Add(rng.Float64())
		}
		psi, err := r.PSI(c)
		if err != nil {
			t.Fatal(err)
		}
		if psi > limit {
			above++
		}
	}
	t.Logf("%.1f %% above the critical value at 5 %%", 100*float64(above)/windows)
	if rate := float64(above) / windows; rate < 0.03 || rate > 0.07 {
		t.Errorf("%v of the windows exceed the critical value at 0.05", rate)
	}
}

// chi2.ppf(.95, 9) * (1/1400 + 1/72) and chi2.ppf(.99, 4) * (1/1000 + 1/500) of scipy.stats
func TestPSICritical_AgreesWithScipy(t *testing.T) {
	for _, c := range []struct {
		bins int
		n, m uint64
		a    float64
		want float64
	}{
		{10, 1400, 72, 0.05, 0.24707078406747318},
		{5, 1000, 500, 0.01, 0.039830112407962866},
		{1, 1000, 500, 0.01, 0},
	} {
		if got := stat.PSICritical(c.bins, c.n, c.m, c.a); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestCells_AddUpToThePSI(t *testing.T) {
	r, _ := stat.NewHistogram([]float64{0, 1, 2})
	c, _ := stat.NewHistogram([]float64{0, 1, 2})
	for _, v := range []float64{0.5, 0.5, 1.5, math.NaN(), -1} {
		r.Add(v)
	}
	for _, v := range []float64{0.5, 1.5, 1.5, 3, 4} {
		c.Add(v)
	}
	cells, err := r.Cells(c)
	if err != nil {
		t.Fatal(err)
	}
	psi, _ := r.PSI(c)
	var kinds []string
	for _, x := range cells {
		psi -= x.PSI
		kinds = append(kinds, fmt.Sprintf("%s %d %d", x.Kind, x.Reference, x.Current))
	}
	want := "below 1 0, range 2 1, range 1 2, above 0 2, missing 1 0"
	if got := strings.Join(kinds, ", "); got != want || math.Abs(psi) > 1e-12 {
		t.Errorf("cells %s, want %s; they miss %v of the psi", got, want, psi)
	}
	names := categories(t, "a", "b")
	names.Add("a")
	other, _ := stat.NewCategories(names.Names)
	other.Add("a")
	other.Add("c")
	other.AddMissing()
	cells, err = names.Cells(other)
	if err != nil || len(cells) != 4 || cells[0].Name != "a" || cells[2].Kind != "other" ||
		cells[2].Current != 1 || cells[3].Kind != "missing" || cells[3].Current != 1 {
		t.Errorf("cells %+v, %v", cells, err)
	}
	if _, err := names.Cells(categories(t, "z")); !fairlead.Is(err, fairlead.Invalid) {
		t.Errorf("other names: %v", err)
	}
}

func TestOutcomes_CountEachKind(t *testing.T) {
	got, err := stat.OutcomesOf([]float64{1, 1, 1, 0, 0, 0, 0}, []float64{0.9, 0.5, 0.1, 0.8, 0.2, 0.1, 0})
	tp, fn := 2, 1
	if got.TruePositive+got.FalseNegative != 3 || got.TruePositive != tp || got.FalseNegative != fn ||
		got.FalsePositive != 1 || got.TrueNegative != 3 || err != nil {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := stat.OutcomesOf([]float64{2}, []float64{0.5}); !fairlead.Is(err, fairlead.Invalid) {
		t.Errorf("a third class: %v", err)
	}
}
