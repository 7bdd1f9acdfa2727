package stat_test

import (
	"math"
	"slices"
	"testing"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/stat"
)

var (
	labels      = []float64{3, -0.5, 2, 7, 4.25}
	predictions = []float64{2.5, 0, 2, 8, 5.5}

	classes       = []float64{0, 0, 1, 1, 0, 1, 1, 0, 1, 0, 1}
	probabilities = []float64{.1, .4, .55, .8, .6, .9, .2, .5, .7, .4, .95}
)

// The reference values are scikit-learn 1.9.1's on the rows above, wape and bias
// numpy's, by
//
//	python -c "import sklearn.metrics as m; print(m.roc_auc_score(y, p), ...)"
var references = map[string]float64{
	"mae": 0.65, "mse": 0.6125, "rmse": 0.7826237921249264,
	"mape": 0.32072829131652664, "wape": 0.19402985074626866, "bias": 0.45,
	"r2":  0.9002442996742671,
	"auc": 0.8333333333333333, "logloss": 0.5163815358283588,
	"brier": 0.175, "accuracy": 0.7272727272727273,
	"precision": 0.7142857142857143, "recall": 0.8333333333333334, "f1": 0.7692307692307693,
}

func TestCompute_AgreesWithScikitLearn(t *testing.T) {
	for _, name := range stat.Names() {
		m, ok := stat.Lookup(name)
		if !ok {
			t.Fatalf("%s is listed and not found", name)
		}
		want, ok := references[name]
		if !ok {
			t.Errorf("%s has no reference value", name)
		}
		y, p := labels, predictions
		if m.Task == stat.Binary {
			y, p = classes, probabilities
		}
		got, err := m.Compute(y, p)
		if err != nil || math.Abs(got-want) > 1e-12 {
			t.Errorf("%s = %v, %v; want %v", name, got, err, want)
		}
		if m.Doc == "" || m.Unit == "" || m.Name != name {
			t.Errorf("%s is not described: %+v", name, m)
		}
	}
}

func TestLookup_DoesNotKnowOtherNames(t *testing.T) {
	if m, ok := stat.Lookup("accurracy"); ok {
		t.Errorf("found %+v", m)
	}
}

func TestCompute_RefusesWhatItCannotJudge(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		name   string
		metric []string
		y, p   []float64
		code   fairlead.Code
	}{
		{"lengths", stat.Names(), []float64{1}, []float64{1, 0}, fairlead.Invalid},
		{"no rows", stat.Names(), nil, nil, fairlead.Precondition},
		{"NaN label", stat.Names(), []float64{1, nan}, []float64{1, 0}, fairlead.Invalid},
		{"NaN prediction", stat.Names(), []float64{1, 0}, []float64{nan, 0}, fairlead.Invalid},
		{"infinity", stat.Names(), []float64{1, 0}, []float64{inf, 0}, fairlead.Invalid},
		{"overflow", []string{"mae", "mse", "wape"},
			[]float64{1e300}, []float64{-1e300}, fairlead.Invalid},
		{"not binary", []string{"auc", "logloss", "brier", "accuracy", "precision", "f1"},
			[]float64{0, 2}, []float64{0, 1}, fairlead.Invalid},
		{"no probability", []string{"logloss", "brier", "accuracy", "recall"},
			[]float64{0, 1}, []float64{0, 1.5}, fairlead.Invalid},
		{"zero labels", []string{"wape", "mape", "r2"},
			[]float64{0, 0}, []float64{1, 2}, fairlead.Precondition},
		{"one zero label", []string{"mape"}, []float64{0, 4}, []float64{1, 2}, fairlead.Precondition},
		{"one class", []string{"auc"}, []float64{1, 1}, []float64{.1, .2}, fairlead.Precondition},
		{"nothing predicted", []string{"precision"},
			[]float64{1, 0}, []float64{.1, .2}, fairlead.Precondition},
		{"no ones", []string{"recall"}, []float64{0, 0}, []float64{.1, .9}, fairlead.Precondition},
		{"no ones at all", []string{"f1"}, []float64{0, 0}, []float64{.1, .2}, fairlead.Precondition},
	} {
		for _, name := range c.metric {
			m, _ := stat.Lookup(name)
			if v, err := m.Compute(c.y, c.p); fairlead.CodeOf(err) != c.code {
				t.Errorf("%s of %s = %v, %v; want %s", name, c.name, v, err, c.code)
			}
		}
	}
}

func TestAUC_CountsTiesHalfAndIgnoresScale(t *testing.T) {
	auc, _ := stat.Lookup("auc")
	for _, c := range []struct {
		y, p []float64
		want float64
	}{
		{[]float64{0, 1, 0, 1}, []float64{5, 5, 5, 5}, 0.5},
		{[]float64{0, 1, 0, 1}, []float64{-3, 20, -4, 10}, 1},
		{[]float64{0, 1, 0, 1}, []float64{1, 1, 0, 2}, 0.875},
	} {
		if got, err := auc.Compute(c.y, c.p); err != nil || got != c.want {
			t.Errorf("auc(%v, %v) = %v, %v; want %v", c.y, c.p, got, err, c.want)
		}
	}
}

func TestLoss_SumsToTheMetric(t *testing.T) {
	mean := func(loss func(y, p float64) float64, y, p []float64) float64 {
		sum := 0.0
		for i := range y {
			sum += loss(y[i], p[i])
		}
		return sum / float64(len(y))
	}
	decomposable := []string{
		"mae", "wape", "mse", "rmse", "logloss", "brier", "accuracy"}
	meanLabel := (3 + 0.5 + 2 + 7 + 4.25) / 5
	for _, name := range stat.Names() {
		loss, ok := stat.Loss(name)
		if ok != slices.Contains(decomposable, name) {
			t.Errorf("%s has a loss: %v", name, ok)
		}
		if !ok {
			continue
		}
		y, p := labels, predictions
		if m, _ := stat.Lookup(name); m.Task == stat.Binary {
			y, p = classes, probabilities
		}
		got := mean(loss, y, p)
		switch name {
		case "wape":
			got /= meanLabel
		case "rmse":
			got = math.Sqrt(got)
		case "accuracy":
			got = 1 - got
		}
		if math.Abs(got-references[name]) > 1e-12 {
			t.Errorf("the losses give %s = %v, want %v", name, got, references[name])
		}
	}
}

func TestLogLoss_IsFiniteForAConfidentMistake(t *testing.T) {
	loss, _ := stat.Loss("logloss")
	want := 36.04365338911715 // -ln(2^-52)
	for _, got := range []float64{loss(1, 0), loss(0, 1)} {
		if math.Abs(got-want) > 1e-12 {
			t.Errorf("loss = %v, want %v", got, want)
		}
	}
}
