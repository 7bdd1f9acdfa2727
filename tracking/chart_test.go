package tracking_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
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

// A width that somebody asks for makes no more work than the buckets do, at whichever end of
// the numbers the steps are.
func TestCharts_TakeNoWidthThatIsTooNarrow(t *testing.T) {
	b := open(t)
	r := b.run(tracking.NewRun{})
	const many = 9000 // more than are read as they are
	b.points(r.ID, "wide", many, func(i int) (int64, float64) {
		return []int64{math.MinInt64, math.MaxInt64, int64(i)}[min(i, 2)], 1
	})
	b.points(r.ID, "end", many, func(i int) (int64, float64) { return math.MaxInt64 - int64(i%3), 1 })
	for _, key := range []string{"wide", "end"} {
		all, err := b.svc.Charts(t.Context(), project, tracking.ChartAsk{By: tracking.ByStep, Buckets: 10,
			Series: []tracking.SeriesAsk{{Run: r.ID, Key: key, Width: 1}}})
		b.must(err)
		if n := len(all[0].Buckets); all[0].Points != many || n > 12 {
			t.Errorf("%s: %d points in %d buckets of %d", key, all[0].Points, n, all[0].Width)
		}
	}
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

// logged is a point as a test logged it.
type logged struct {
	step, ms int64
	value    float64
}

func TestCharts_AgreeWithThePointsHoweverTheyAreRead(t *testing.T) {
	b := open(t)
	r := b.run(tracking.NewRun{})
	rnd := rand.New(rand.NewPCG(1, 2))
	histories := map[string][]logged{}
	for key, at := range map[string]func(i int) (step, ms int64){
		"few":       func(i int) (int64, int64) { return int64(i - 100), int64(i) * 10 },
		"long":      func(i int) (int64, int64) { return int64(i-9000) * 3, 1e12 + int64(i)*7 },
		"unordered": func(i int) (int64, int64) { return int64(i), 1e12 + int64(i*7919%18_000) },
		"timed":     func(i int) (int64, int64) { return 5, int64(i) },
	} {
		n := 18_000
		if key == "few" {
			n = 200
		}
		for i := range n {
			value := rnd.NormFloat64()
			switch rnd.IntN(300) {
			case 0:
				value = math.NaN()
			case 1:
				value = math.Inf(1)
			case 2:
				value = math.Inf(-1)
			}
			step, ms := at(i)
			histories[key] = append(histories[key], logged{step, ms, value})
		}
		for chunk := range slices.Chunk(histories[key], 1000) {
			var batch tracking.Batch
			for _, p := range chunk {
				batch.Metrics = append(batch.Metrics, tracking.Metric{Key: key, Step: p.step, TimestampMS: p.ms,
					Value: p.value})
			}
			b.log(r.ID, batch)
		}
	}
	for key, points := range histories {
		for _, by := range []string{tracking.ByStep, tracking.ByTime} {
			for _, share := range [][2]float64{{0, 1}, {0.25, 0.75}, {0.5, 0.501}} {
				ask := tracking.SeriesAsk{Run: r.ID, Key: key}
				along := func(p logged) int64 {
					if by == tracking.ByTime || key == "timed" {
						return p.ms
					}
					return p.step
				}
				sorted := slices.SortedFunc(slices.Values(points), func(a, b logged) int {
					return cmp.Compare(along(a), along(b))
				})
				from := along(sorted[int(share[0]*float64(len(sorted)-1))])
				to := along(sorted[int(share[1]*float64(len(sorted)-1))])
				if share[0] > 0 {
					ask.From, ask.To = &from, &to
				}
				got, err := b.svc.Charts(t.Context(), project, tracking.ChartAsk{By: by, Buckets: 50,
					Series: []tracking.SeriesAsk{ask}})
				b.must(err)
				part := slices.DeleteFunc(sorted, func(p logged) bool { return along(p) < from || along(p) > to })
				if problem := disagrees(got[0], part, along); problem != "" {
					t.Errorf("%s by %s, %v: %s", key, by, share, problem)
				}
			}
		}
	}
}

// disagrees says what in the series does not follow from its points; empty for nothing.
func disagrees(c tracking.Series, points []logged, along func(logged) int64) string {
	if c.Points != int64(len(points)) || len(c.Buckets) > 102 || len(c.Buckets) < min(10, len(points)/2) {
		return fmt.Sprintf("%d of %d points in %d buckets", c.Points, len(points), len(c.Buckets))
	}
	for i, x := range c.Buckets {
		mine := points[:x.Points]
		points = points[x.Points:]
		want := tracking.Bucket{Points: x.Points, FromStep: mine[0].step, ToStep: mine[0].step,
			FromMS: mine[0].ms, ToMS: mine[len(mine)-1].ms}
		sum := 0.0
		for _, p := range mine {
			want.FromStep, want.ToStep = min(want.FromStep, p.step), max(want.ToStep, p.step)
			switch v := p.value; {
			case math.IsNaN(v):
				want.NaNs++
			case math.IsInf(v, 1):
				want.Highs++
			case math.IsInf(v, -1):
				want.Lows++
			default:
				sum += v
				if want.Min == nil || v < *want.Min {
					want.Min = &v
				}
				if want.Max == nil || v > *want.Max {
					want.Max = &v
				}
			}
		}
		if n := x.Points - want.NaNs - want.Highs - want.Lows; n > 0 {
			mean := sum / float64(n)
			want.Mean = &mean
		}
		if last := mine[len(mine)-1].value; !math.IsNaN(last) && !math.IsInf(last, 0) {
			want.Last = &last
		}
		if x.Mean != nil && want.Mean != nil && math.Abs(*x.Mean-*want.Mean) < 1e-12 {
			x.Mean = want.Mean // sums depend on the order
		}
		if !reflect.DeepEqual(x, want) {
			return fmt.Sprintf("bucket %d is %s, want %s", i, asJSON(x), asJSON(want))
		}
	}
	return ""
}

func asJSON(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

func TestCharts_SayWhatIsNew(t *testing.T) {
	b := open(t)
	r := b.run(tracking.NewRun{})
	b.points(r.ID, "loss", 20_000, func(i int) (int64, float64) { return int64(i), 1 })
	ask := tracking.ChartAsk{By: tracking.ByStep, Buckets: 100,
		Series: []tracking.SeriesAsk{{Run: r.ID, Key: "loss"}, {Run: r.ID, Key: "none"}}}
	first, err := b.svc.Charts(t.Context(), project, ask)
	b.must(err)
	if len(first) != 2 || first[1].Points != 0 || first[1].Buckets == nil {
		t.Errorf("a metric that is not there: %+v", first[1:])
	}
	old := first[0]
	last := old.Buckets[len(old.Buckets)-1]
	ask.Series = []tracking.SeriesAsk{{Run: r.ID, Key: "loss", From: &last.FromStep, Width: old.Width,
		Seen: old.Seen}}
	again, err := b.svc.Charts(t.Context(), project, ask)
	b.must(err)
	if !again[0].Unchanged || again[0].Seen != old.Seen || len(again[0].Buckets) != 0 {
		t.Errorf("nothing new: %+v", again[0])
	}
	b.log(r.ID, tracking.Batch{Metrics: []tracking.Metric{{Key: "loss", Value: 7, Step: 20_000}}})
	next, err := b.svc.Charts(t.Context(), project, ask)
	b.must(err)
	tail := next[0]
	if tail.Unchanged || tail.Seen == old.Seen || tail.Width != old.Width || len(tail.Buckets) > 2 {
		t.Fatalf("the tail: %+v", tail)
	}
	if tail.Buckets[0].FromStep != last.FromStep || *tail.Buckets[len(tail.Buckets)-1].Last != 7 {
		t.Errorf("the tail does not go on at %d: %s", last.FromStep, asJSON(tail.Buckets))
	}
}

func TestCharts_RefuseWhatIsTooMuch(t *testing.T) {
	b := open(t)
	r := b.run(tracking.NewRun{})
	one, two := int64(1), int64(2)
	series := func(n int) []tracking.SeriesAsk {
		return slices.Repeat([]tracking.SeriesAsk{{Run: r.ID, Key: "a"}}, n)
	}
	for what, c := range map[string]struct {
		ask  tracking.ChartAsk
		code fairlead.Code
	}{
		"axis":    {tracking.ChartAsk{By: "epoch", Buckets: 1}, fairlead.Invalid},
		"buckets": {tracking.ChartAsk{By: "step", Buckets: 2001}, fairlead.Invalid},
		"none":    {tracking.ChartAsk{By: "step"}, fairlead.Invalid},
		"series":  {tracking.ChartAsk{By: "step", Buckets: 1, Series: series(501)}, fairlead.Invalid},
		"whole":   {tracking.ChartAsk{By: "step", Buckets: 2000, Series: series(51)}, fairlead.Invalid},
		"width": {tracking.ChartAsk{By: "step", Buckets: 1,
			Series: []tracking.SeriesAsk{{Run: r.ID, Key: "a", Width: -1}}}, fairlead.Invalid},
		"range": {tracking.ChartAsk{By: "step", Buckets: 1,
			Series: []tracking.SeriesAsk{{Run: r.ID, Key: "a", From: &two, To: &one}}}, fairlead.Invalid},
		"run": {tracking.ChartAsk{By: "step", Buckets: 1,
			Series: []tracking.SeriesAsk{{Run: "nobody's", Key: "a"}}}, fairlead.NotFound},
	} {
		if _, err := b.svc.Charts(t.Context(), project, c.ask); fairlead.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want %s", what, err, c.code)
		}
	}
}

// What was thinned once is kept, and never longer than it is true.
func TestCharts_ShowWhatCameLate(t *testing.T) {
	b := open(t)
	r := b.run(tracking.NewRun{})
	const n = 10_000
	b.points(r.ID, "loss", n, func(i int) (int64, float64) { return int64(2 * i), float64(i % 10) })
	ask := tracking.ChartAsk{By: tracking.ByStep, Buckets: 100,
		Series: []tracking.SeriesAsk{{Run: r.ID, Key: "loss"}}}
	points := func() int64 {
		all, err := b.svc.Charts(t.Context(), project, ask)
		b.must(err)
		return all[0].Points
	}
	for late := range int64(3) {
		for range 2 {
			if got := points(); got != n+late {
				t.Errorf("%d points of %d", got, n+late)
			}
		}
		metric := tracking.Metric{Key: "loss", Step: 2*late + 1, Value: 5, TimestampMS: 1}
		if late == 1 { // in a transaction of somebody else
			b.must(b.db.Write(t.Context(), store.Bulk, func(tx *store.Tx) error {
				return b.svc.LogBatchTx(tx, project, r.ID, tracking.Batch{Metrics: []tracking.Metric{metric}})
			}))
			continue
		}
		b.log(r.ID, tracking.Batch{Metrics: []tracking.Metric{metric}})
	}
	all, err := b.svc.Charts(t.Context(), project, ask)
	b.must(err)
	ask.Series[0].Seen = all[0].Seen
	if all, err = b.svc.Charts(t.Context(), project, ask); err != nil || !all[0].Unchanged ||
		len(all[0].Buckets) > 0 {
		t.Errorf("%+v, %v: what has been seen is sent again", all, err)
	}
}
