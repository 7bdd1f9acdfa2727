package stat_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/stat"
)

// The reference values are scipy 1.17.1's and numpy 2.4.6's on the counts of the
// first test: r = [0,0,0,100,200,300,250,150], c = [30,0,10,50,90,180,240,200],
// in the order missing, below, above, bins.
//
//	scipy.spatial.distance.jensenshannon(r/r.sum(), c/c.sum(), base=2)
//	s = r+c > 0; a = (r[s]+.5)/(r.sum()+s.sum()/2); b = the same of c
//	((b-a)*np.log(b/a)).sum()
//	max |F-G| at the edges, F and G the cumulative shares without missing
//	scipy.integrate.quad of |np.interp(x, edges, F) - np.interp(x, edges, G)|
func TestDrift_AgreesWithScipy(t *testing.T) {
	edges := []float64{0, 1, 2, 4, 8, 16}
	r := &stat.Histogram{Edges: edges, Counts: []uint64{100, 200, 300, 250, 150}}
	c := &stat.Histogram{
		Edges: edges, Counts: []uint64{50, 90, 180, 240, 200}, Missing: 30, Above: 10}
	crossing := &stat.Histogram{Edges: edges, Counts: []uint64{400, 0, 0, 100, 500}}
	for _, v := range []struct {
		name    string
		measure func(*stat.Histogram) (float64, error)
		current *stat.Histogram
		want    float64
	}{
		{"psi", r.PSI, c, 0.3519386496124134},
		{"jensen-shannon", r.JensenShannon, c, 0.2274594097744663},
		{"ks", r.KS, c, 0.18441558441558437},
		{"wasserstein", r.Wasserstein, c, 1.5538961038961034},
		{"crossing wasserstein", r.Wasserstein, crossing, 3.0166666666666666},
		{"psi of itself", r.PSI, r, 0},
		{"jensen-shannon of itself", r.JensenShannon, r, 0},
		{"ks of itself", r.KS, r, 0},
		{"wasserstein of itself", r.Wasserstein, r, 0},
	} {
		if got, err := v.measure(v.current); err != nil || math.Abs(got-v.want) > 1e-12 {
			t.Errorf("%s = %v, %v; want %v", v.name, got, err, v.want)
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
	wantJS, _ := h.JensenShannon(same)
	psi, errPSI := r.PSI(c)
	js, errJS := r.JensenShannon(c)
	if errPSI != nil || errJS != nil || math.Abs(psi-wantPSI) > 1e-12 || math.Abs(js-wantJS) > 1e-12 {
		t.Errorf("psi %v %v, js %v %v; want %v and %v, as of a histogram with these counts",
			psi, errPSI, js, errJS, wantPSI, wantJS)
	}
}

func TestDrift_RefusesWhatCannotBeCompared(t *testing.T) {
	r := &stat.Histogram{Edges: []float64{0, 1}, Counts: []uint64{5}}
	for _, measure := range []func(*stat.Histogram) (float64, error){
		r.PSI, r.JensenShannon, r.KS, r.Wasserstein,
	} {
		empty := &stat.Histogram{Edges: []float64{0, 1}, Counts: []uint64{0}}
		if v, err := measure(empty); !fairlead.Is(err, fairlead.Precondition) {
			t.Errorf("with an empty window: %v, %v; want precondition", v, err)
		}
		other := &stat.Histogram{Edges: []float64{0, 2}, Counts: []uint64{5}}
		if v, err := measure(other); !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("with other edges: %v, %v; want invalid", v, err)
		}
	}
	missing := &stat.Histogram{Edges: []float64{0, 1}, Counts: []uint64{0}, Missing: 9}
	if v, err := r.KS(missing); !fairlead.Is(err, fairlead.Precondition) {
		t.Errorf("ks of missing values alone: %v, %v; want precondition", v, err)
	}
	names := categories(t, "a")
	for _, measure := range []func(*stat.Categories) (float64, error){
		names.PSI, names.JensenShannon,
	} {
		if v, err := measure(names); !fairlead.Is(err, fairlead.Precondition) {
			t.Errorf("without rows: %v, %v; want precondition", v, err)
		}
		if v, err := measure(categories(t, "b")); !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("with other names: %v, %v; want invalid", v, err)
		}
	}
}

// The exact values are scipy.stats.ks_2samp and wasserstein_distance on the same
// 2,000 values a side.
func TestDrift_OfHistogramsIsNearTheExactOne(t *testing.T) {
	const exactKS, exactWasserstein = 0.128, 1.0643565839186377
	reference, current := make([]float64, 2000), make([]float64, 2000)
	for i := range reference {
		u := math.Mod(float64(i)*0.6180339887498949, 1)
		v := math.Mod(float64(i)*0.7548776662466927, 1)
		reference[i], current[i] = u*u*10, math.Pow(v, 1.5)*11
	}
	edges := stat.Edges(reference, 64)
	r, c := histogram(t, edges, reference), histogram(t, edges, current)
	ks, err := r.KS(c)
	if err != nil || ks > exactKS+1e-12 || ks < exactKS-1.0/64 {
		t.Errorf("ks = %v, %v; want at most a bin below %v", ks, err, exactKS)
	}
	w, err := r.Wasserstein(c)
	if err != nil || w > exactWasserstein || w < 0.93*exactWasserstein {
		t.Errorf("wasserstein = %v, %v; want a little below %v", w, err, exactWasserstein)
	}
}

func TestPSIBaseline_IsWhatNoDriftGives(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	const bins, n, m, windows = 10, 1416, 72, 4000
	edges := make([]float64, bins+1)
	for i := range edges {
		edges[i] = float64(i) / bins
	}
	sum, above := 0.0, 0
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
		sum += psi
		if psi > limit {
			above++
		}
	}
	mean, want := sum/windows, stat.PSIBaseline(bins, n, m)
	t.Logf("mean psi %.4f, baseline %.4f; %.1f %% above the critical value at 5 %%",
		mean, want, 100*float64(above)/windows)
	if math.Abs(mean/want-1) > 0.1 {
		t.Errorf("mean psi without drift is %v, the baseline %v", mean, want)
	}
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
	if got := stat.PSIBaseline(1, 10, 10); got != 0 {
		t.Errorf("the baseline of one bin is %v", got)
	}
}
