package stat_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/stat"
)

func TestQuantile_AgreesWithNumpy(t *testing.T) {
	// numpy.quantile([1, 2, 4, 8, 16], [0, .1, .5, .9, 1])
	for q, want := range map[float64]float64{0: 1, .1: 1.4, .5: 4, .9: 12.8, 1: 16} {
		if got := stat.Quantile([]float64{1, 2, 4, 8, 16}, q); math.Abs(got-want) > 1e-12 {
			t.Errorf("quantile %v = %v, want %v", q, got, want)
		}
	}
	if got := stat.Quantile(nil, 0.5); !math.IsNaN(got) {
		t.Errorf("the median of nothing is %v", got)
	}
}

func TestEdges_SplitBetweenDistinctValues(t *testing.T) {
	nan := math.NaN()
	next := math.Nextafter(1, 2)
	flag := append(slices.Repeat([]float64{0}, 97), 1, 1, 1)
	rain := append(slices.Repeat([]float64{0}, 90), 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
	for _, c := range []struct {
		name   string
		values []float64
		bins   int
		want   []float64
	}{
		{"equal shares", []float64{8, 1, 2, 3, 4, 5, 6, 7}, 4, []float64{1, 2.5, 4.5, 6.5, 8}},
		{"few values", []float64{3, 1, 2, 1}, 10, []float64{1, 1.5, 2.5, 3}},
		{"rare flag", flag, 10, []float64{0, 0.5, 1}},
		{"mostly zero", rain, 10, []float64{0, 0.5, 10}},
		{"constant", []float64{5, 5}, 10, []float64{5, 5}},
		{"neighbours", []float64{1, next}, 10, []float64{1, next, next}},
		{"not numbers", []float64{nan, 1, math.Inf(1), 2, math.Inf(-1)}, 2, []float64{1, 1.5, 2}},
		{"nothing", []float64{nan}, 10, nil},
		{"no bins", []float64{1, 2}, 0, nil},
	} {
		if got := stat.Edges(c.values, c.bins); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestEdges_HoldEquallyManyOfAContinuousColumn(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	values := make([]float64, 6400)
	for i := range values {
		values[i] = rng.ExpFloat64()
	}
	h := histogram(t, stat.Edges(values, 64), values)
	for i, n := range h.Counts {
		if n != 100 {
			t.Errorf("bin %d of %d holds %d of 6400 values", i, len(h.Counts), n)
		}
	}
}

func TestHistogram_CountsEachValueOnce(t *testing.T) {
	values := []float64{0, 0.9, 1, 2.5, 4, 4, -0.1, -1e308, 4.1, math.Inf(1), math.NaN()}
	h := histogram(t, []float64{0, 1, 2, 4}, values)
	want := &stat.Histogram{
		Edges:  []float64{0, 1, 2, 4},
		Counts: []uint64{2, 1, 3}, Missing: 1, Below: 2, Above: 2,
	}
	if !reflect.DeepEqual(h, want) || h.Total() != uint64(len(values)) {
		t.Errorf("%+v, want %+v", h, want)
	}
}

func TestHistogram_CountsWithoutARange(t *testing.T) {
	empty := histogram(t, nil, []float64{math.NaN(), 1})
	if empty.Missing != 1 || empty.Above != 1 {
		t.Errorf("without edges: %+v", empty)
	}
	constant := histogram(t, []float64{5, 5}, []float64{4, 5, 5, 6})
	if constant.Below != 1 || constant.Counts[0] != 2 || constant.Above != 1 {
		t.Errorf("on [5, 5]: %+v", constant)
	}
}

func TestHistogram_RefusesEdgesThatDoNotFit(t *testing.T) {
	for _, edges := range [][]float64{
		{1}, {2, 1}, {1, 1, 2}, {0, math.NaN()}, {0, math.Inf(1)},
	} {
		if _, err := stat.NewHistogram(edges); !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("edges %v: %v, want invalid", edges, err)
		}
	}
}

func TestHistogram_RefusesToReadWhatDoesNotFit(t *testing.T) {
	h := histogram(t, []float64{0, 1}, []float64{0.5})
	for _, text := range []string{
		`{"edges":[0,1],"counts":[]}`, `{"edges":[],"counts":[1]}`,
		`{"edges":[1],"counts":[]}`, `{"edges":[2,1],"counts":[1]}`,
		`{"edges":[0,1],"counts":[-1]}`, `{"edges":[0,null,1],"counts":"x"}`,
	} {
		if err := json.Unmarshal([]byte(text), h); !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("read %s: %v, want invalid", text, err)
		}
	}
	if h.Counts[0] != 1 {
		t.Errorf("a refused text changed the histogram: %+v", h)
	}
}

func TestHistogram_AddDoesNotAllocate(t *testing.T) {
	h := histogram(t, []float64{0, 1, 2}, nil)
	if n := testing.AllocsPerRun(100, func() { h.Add(1.5) }); n != 0 {
		t.Errorf("%v allocations a value", n)
	}
}

func FuzzHistogram_UnmarshalJSON(f *testing.F) {
	f.Add([]byte(`{"edges":[0,1,2],"counts":[3,4],"missing":1,"below":2,"above":3}`), 1.5)
	f.Add([]byte(`{"edges":[],"counts":[]}`), 0.0)
	f.Add([]byte(`{"edges":[0,1],"counts":[]}`), 0.5)
	f.Add([]byte(`{"edges":[5,5],"counts":[1]}`), 5.0)
	f.Fuzz(func(t *testing.T, text []byte, v float64) {
		var h stat.Histogram
		if json.Unmarshal(text, &h) != nil {
			return
		}
		before := h.Total()
		h.Add(v)
		if h.Total() != before+1 {
			t.Errorf("%s: %v was counted %d times", text, v, h.Total()-before)
		}
	})
}

func TestTopCategories_AreTheMostFrequent(t *testing.T) {
	values := []string{"b", "a", "c", "a", "c", "d"}
	for k, want := range map[int][]string{
		0: {}, 2: {"a", "c"}, 3: {"a", "c", "b"}, 9: {"a", "c", "b", "d"}, -1: {},
	} {
		if got := stat.TopCategories(values, k); !slices.Equal(got, want) {
			t.Errorf("top %d = %q, want %q", k, got, want)
		}
	}
}

func TestCategories_CountEachValueOnce(t *testing.T) {
	c := categories(t, "AA", "UA")
	for _, v := range []string{"AA", "UA", "", "DL", "UA"} {
		c.Add(v)
		c.AddMissing()
	}
	read := throughJSON(t, c)
	read.Add("AA")
	if !slices.Equal(read.Counts, []uint64{2, 2}) || read.Other != 2 || read.Missing != 5 ||
		read.Total() != 11 {
		t.Errorf("counted %+v", read)
	}
}

func TestCategories_RefuseNamesThatDoNotFit(t *testing.T) {
	if _, err := stat.NewCategories([]string{"a", "a"}); !fairlead.Is(err, fairlead.Invalid) {
		t.Errorf("a name twice: %v", err)
	}
	var c stat.Categories
	for _, text := range []string{
		`{"names":["a"],"counts":[]}`, `{"names":["a","a"],"counts":[1,2]}`,
		`{"names":["a"],"counts":[-1]}`,
	} {
		if err := json.Unmarshal([]byte(text), &c); err == nil {
			t.Errorf("read %s as %+v", text, c)
		}
	}
}

func histogram(t testing.TB, edges, values []float64) *stat.Histogram {
	t.Helper()
	h, err := stat.NewHistogram(edges)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range values {
		h.Add(v)
	}
	return h
}

func categories(t testing.TB, names ...string) *stat.Categories {
	t.Helper()
	c, err := stat.NewCategories(names)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func BenchmarkHistogram_Add(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 1))
	values := make([]float64, 1<<16)
	for i := range values {
		values[i] = rng.NormFloat64()
	}
	h := histogram(b, stat.Edges(values, 64), nil)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		h.Add(values[i&(1<<16-1)])
	}
}

func BenchmarkCategories_Add(b *testing.B) {
	names := []string{"AA", "UA", "DL", "B6", "EV", "MQ", "US", "WN"}
	c := categories(b, names...)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		c.Add(names[i&7])
	}
}

// throughJSON returns v written and read back.
func throughJSON[T any](t *testing.T, v T) T {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var read T
	if err := json.Unmarshal(b, &read); err != nil {
		t.Fatalf("read %s: %v", b, err)
	}
	return read
}

func TestHistogram_MiddleIsAValueAboutTheMedian(t *testing.T) {
	for name, tt := range map[string]struct {
		values []float64
		want   float64
	}{
		"a rare flag":      {[]float64{0, 0, 0, 1}, 0},
		"a frequent flag":  {[]float64{0, 1, 1, 1}, 1},
		"whole numbers":    {[]float64{1, 2, 2, 3, 3, 3, 4, 5}, 3},
		"one value":        {[]float64{7, 7, 7}, 7},
		"nothing at all":   {nil, math.NaN()},
		"nothing but gaps": {[]float64{math.NaN(), math.NaN()}, math.NaN()},
	} {
		h, err := stat.NewHistogram(stat.Edges(tt.values, 10))
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range tt.values {
			h.Add(v)
		}
		if got := h.Middle(); got != tt.want && !(math.IsNaN(got) && math.IsNaN(tt.want)) {
			t.Errorf("%s: %g, want %g", name, got, tt.want)
		}
	}
}
