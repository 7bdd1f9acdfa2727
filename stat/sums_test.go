package stat_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/stat"
)

func TestSums_PartsGiveTheMetricOfTheWhole(t *testing.T) {
	for _, c := range []struct {
		task    stat.Task
		y, p    []float64
		metrics []string
	}{
		{stat.Regression, labels, predictions, []string{"mae", "mse", "rmse", "wape", "bias"}},
		{stat.Binary, classes, probabilities, []string{"logloss", "brier", "accuracy"}},
	} {
		whole := stat.NewSums(c.task)
		for i := range c.y {
			part := stat.NewSums(c.task)
			if err := part.Add(c.y[i], c.p[i]); err != nil {
				t.Fatal(err)
			}
			if err := whole.Merge(throughJSON(t, part)); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range c.metrics {
			m, _ := stat.Lookup(name)
			want, _ := m.Compute(c.y, c.p)
			got, err := whole.Metric(name)
			if err != nil || math.Abs(got-want) > 1e-14 {
				t.Errorf("%s = %v, %v; want %v", name, got, err, want)
			}
		}
	}
}

func TestSums_ReadBackTheSameValues(t *testing.T) {
	s := stat.NewSums(stat.Regression)
	for i := range labels {
		if err := s.Add(labels[i]/3, predictions[i]/7); err != nil {
			t.Fatal(err)
		}
	}
	if got := throughJSON(t, s); got != s {
		t.Errorf("read %+v, wrote %+v", got, s)
	}
}

func TestSums_RefuseAndStayAsTheyAre(t *testing.T) {
	regression, binary := stat.NewSums(stat.Regression), stat.NewSums(stat.Binary)
	for _, err := range []error{
		regression.Add(math.NaN(), 1),
		regression.Add(1, math.Inf(-1)),
		regression.Add(math.Inf(1), math.Inf(1)),
		binary.Add(0.5, 0.5),
		binary.Add(1, math.NaN()),
		binary.Add(math.NaN(), 1),
		regression.Merge(binary),
	} {
		if fairlead.CodeOf(err) != fairlead.Invalid {
			t.Errorf("err = %v, want invalid", err)
		}
	}
	if regression != stat.NewSums(stat.Regression) || binary != stat.NewSums(stat.Binary) {
		t.Errorf("a refused row was counted: %+v %+v", regression, binary)
	}
}

func TestSums_MetricSaysWhyItIsUndefined(t *testing.T) {
	zeros := stat.NewSums(stat.Regression)
	if err := zeros.Add(0, 1); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		sums   stat.Sums
		metric string
		code   fairlead.Code
	}{
		{stat.NewSums(stat.Regression), "mae", fairlead.Precondition},
		{stat.NewSums(stat.Binary), "accuracy", fairlead.Precondition},
		{zeros, "wape", fairlead.Precondition},
		{zeros, "r2", fairlead.Invalid},
		{zeros, "accuracy", fairlead.Invalid},
		{zeros, "nonsense", fairlead.Invalid},
		{stat.NewSums(stat.Binary), "auc", fairlead.Invalid},
		{stat.NewSums(stat.Binary), "mae", fairlead.Invalid},
	} {
		if v, err := c.sums.Metric(c.metric); fairlead.CodeOf(err) != c.code {
			t.Errorf("%s = %v, %v; want %s", c.metric, v, err, c.code)
		}
	}
}

func TestSums_RefuseToReadAnUnknownTask(t *testing.T) {
	var s stat.Sums
	for _, text := range []string{`{}`, `{"task":"ranking"}`, `{"task":"binary","count":-1}`, `[`} {
		if err := json.Unmarshal([]byte(text), &s); err == nil {
			t.Errorf("read %s as %+v", text, s)
		}
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

func BenchmarkSums_Add(b *testing.B) {
	for _, task := range []stat.Task{stat.Regression, stat.Binary} {
		b.Run(string(task), func(b *testing.B) {
			s := stat.NewSums(task)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if err := s.Add(float64(i&1), 0.25); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
