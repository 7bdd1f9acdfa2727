package tracking_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/tracking"
)

func (b *bench) points(run, key string, n int, at func(i int) (step int64, value float64)) {
	b.Helper()
	for first := 0; first < n; first += 1000 {
		var batch tracking.Batch
		for i := first; i < min(first+1000, n); i++ {
			step, value := at(i)
			batch.Metrics = append(batch.Metrics, tracking.Metric{Key: key, Value: value, Step: step,
				TimestampMS: 1_700_000_000_000 + int64(i)})
		}
		b.log(run, batch)
	}
}

func TestChart_KeepsTheExtremes(t *testing.T) {
	b := open(t)
	r := b.run(tracking.NewRun{})
	const n = 20_000
	b.points(r.ID, "loss", n, func(i int) (int64, float64) {
		switch i {
		case 7777:
			return int64(i) - n/2, 1000
		case 12_345:
			return int64(i) - n/2, -1000
		case 3:
			return int64(i) - n/2, math.NaN()
		}
		return int64(i) - n/2, float64(i % 10)
	})
	for _, buckets := range []int{1, 7, 500, tracking.MaxBuckets} {
		c, err := b.svc.Chart(t.Context(), project, r.ID, "loss", buckets)
		b.must(err)
		if c.By != "step" || c.Points != n || len(c.Buckets) > buckets+2 || len(c.Buckets) < buckets*9/10 {
			t.Errorf("%d buckets: by %s, %d points in %d", buckets, c.By, c.Points, len(c.Buckets))
		}
		low, high, nans, next := math.Inf(1), math.Inf(-1), int64(0), int64(-n/2)
		for _, x := range c.Buckets {
			if x.FromStep != next || x.ToStep-x.FromStep+1 != x.Points {
				t.Fatalf("bucket %+v does not go on at %d", x, next)
			}
			next, nans = x.ToStep+1, nans+x.NaNs
			low, high = min(low, *x.Min), max(high, *x.Max)
			if spike := x.FromStep <= 7777-n/2 && x.ToStep >= 7777-n/2; spike != (*x.Max == 1000) {
				t.Errorf("bucket %+v: is the spike in it? %v", x, spike)
			}
		}
		if low != -1000 || high != 1000 || nans != 1 {
			t.Errorf("%d buckets: from %v to %v, %d NaN", buckets, low, high, nans)
		}
	}
}

func TestChart_TakesWhateverStepsThereAre(t *testing.T) {
	b := open(t)
	r := b.run(tracking.NewRun{})
	b.points(r.ID, "timed", 100, func(i int) (int64, float64) { return 0, float64(i) })
	b.points(r.ID, "wide", 3, func(i int) (int64, float64) {
		return []int64{math.MinInt64, 0, math.MaxInt64}[i], float64(i)
	})
	b.points(r.ID, "nan", 1, func(int) (int64, float64) { return 1, math.NaN() })
	chart := func(key string, buckets int) *tracking.Chart {
		c, err := b.svc.Chart(t.Context(), project, r.ID, key, buckets)
		b.must(err)
		return c
	}
	if c := chart("timed", 10); c.By != "time" || len(c.Buckets) < 10 || len(c.Buckets) > 12 {
		t.Errorf("without steps: %+v", c)
	}
	if c := chart("wide", 2000); c.Points != 3 || len(c.Buckets) != 3 {
		t.Errorf("the widest steps: %+v", c)
	}
	for _, buckets := range []int{1, 2, 3} { // of steps further apart than a number can say
		if c := chart("wide", buckets); c.Points != 3 || len(c.Buckets) > buckets+2 {
			t.Errorf("the widest steps in %d: %+v", buckets, c)
		}
	}
	if c := chart("nan", 5); c.Points != 1 || c.Buckets[0].Min != nil || c.Buckets[0].NaNs != 1 {
		t.Errorf("one NaN: %+v", c)
	}
	if c := chart("absent", 5); c.Points != 0 || len(c.Buckets) != 0 {
		t.Errorf("no such metric: %+v", c)
	}
	if c := chart("acc", 5); c.Points != 0 {
		t.Errorf("no such key: %+v", c)
	}
	for _, n := range []int{0, tracking.MaxBuckets + 1} {
		_, err := b.svc.Chart(t.Context(), project, r.ID, "wide", n)
		b.refused(err, fairlead.Invalid, "from 1 to 2000")
	}
	_, err := b.svc.Chart(t.Context(), other, r.ID, "wide", 5)
	b.refused(err, fairlead.NotFound, "not found")
}

func TestMetrics_SummarisesEachKey(t *testing.T) {
	b := open(t)
	r := b.run(tracking.NewRun{})
	for key, values := range map[string][]float64{"validation.auc": {0.5, 0.9, 0.7},
		"wape": {0.5, 0.2, 0.3}, "train/bias": {-1, 1, 0}, "loss": {3, math.NaN()}, "nan": {math.NaN()}} {
		b.points(r.ID, key, len(values), func(i int) (int64, float64) { return int64(i), values[i] })
	}
	got := map[string]string{}
	token := ""
	for {
		page, err := b.svc.Metrics(t.Context(), project, r.ID, 2, token)
		b.must(err)
		for _, m := range page.Items {
			got[m.Key] = fmt.Sprint(show(m.Last), m.Step, show(m.Min), show(m.Max), show(m.Best))
		}
		if token = page.Next; token == "" {
			break
		}
	}
	for key, want := range map[string]string{"validation.auc": "0.7 2 0.5 0.9 0.9",
		"wape": "0.3 2 0.2 0.5 0.2", "train/bias": "0 2 -1 1 -", "loss": "- 1 3 3 -", "nan": "- 0 - - -"} {
		if strings.Join(strings.Fields(got[key]), " ") != want {
			t.Errorf("%s: %s, want %s", key, got[key], want)
		}
	}
}

func show(v *float64) string {
	if v == nil {
		return " - "
	}
	return fmt.Sprintf(" %v ", *v)
}

func TestSearchRuns_SelectsColumnsAndCounts(t *testing.T) {
	b := fixture(t)
	in := tracking.Search{Everywhere: true, Filter: "metrics.acc >= 0.2",
		Select: []string{"metrics.acc", "tags.`n o`", "run_name"}}
	page, err := b.svc.SearchRuns(t.Context(), project, in)
	b.must(err)
	if len(page.Items) != 3 {
		t.Fatalf("%d runs", len(page.Items))
	}
	for _, r := range page.Items {
		if len(r.Metrics) != 1 || r.Metrics[0].Key != "acc" || len(r.Tags) != 1 || len(r.Params) != 0 ||
			len(r.Datasets) != 0 {
			t.Errorf("selected: %+v", r)
		}
	}
	if n, err := b.svc.CountRuns(t.Context(), project, in); n != 3 || err != nil {
		t.Errorf("count %d, error %v", n, err)
	}
	if n, err := b.svc.CountRuns(t.Context(), other, in); n != 0 || err != nil {
		t.Errorf("of another project: count %d, error %v", n, err)
	}
	if page, err := b.svc.SearchRuns(t.Context(), other, in); len(page.Items) != 0 || err != nil {
		t.Errorf("of another project: %d runs, error %v", len(page.Items), err)
	}
	in.Select = []string{"metrics.acc DESC"}
	_, err = b.svc.SearchRuns(t.Context(), project, in)
	b.refused(err, fairlead.Invalid, "Expected a name")
}
