package stat_test

import (
	"encoding/json"
	"math"
	"os"
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
	"balanced_accuracy": 0.7166666666666667, "precision_macro": 0.732142857142857,
	"recall_macro": 0.7166666666666667, "f1_macro": 0.7179487179487181,
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
		if m.Task != stat.Regression {
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

// testdata/classes.json is written by testdata/classes.py.
func TestCompute_AgreesWithScikitLearnOnClasses(t *testing.T) {
	text, err := os.ReadFile("testdata/classes.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []struct {
			Name                string
			Labels, Predictions []float64
			Metrics             map[string]float64
		}
	}
	if err := json.Unmarshal(text, &file); err != nil || len(file.Cases) == 0 {
		t.Fatalf("%d cases, %v", len(file.Cases), err)
	}
	for _, c := range file.Cases {
		for name, want := range c.Metrics {
			m, _ := stat.Lookup(name)
			if got, err := m.Compute(c.Labels, c.Predictions); err != nil || math.Abs(got-want) > 1e-12 {
				t.Errorf("%s of %s = %v, %v; want %v", name, c.Name, got, err, want)
			}
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
		{"labels too large", []string{"wape", "r2"},
			[]float64{1e308, -1e308}, []float64{-1e308, 1e308}, fairlead.Precondition},
		{"not binary", []string{"auc", "logloss", "brier", "precision", "recall", "f1"},
			[]float64{0, 2}, []float64{0, 1}, fairlead.Invalid},
		{"no class", []string{"accuracy", "balanced_accuracy", "f1_macro"},
			[]float64{0, 1.5}, []float64{0, 1}, fairlead.Invalid},
		{"probabilities of three", []string{"accuracy", "balanced_accuracy", "f1_macro"},
			[]float64{0, 1, 2}, []float64{0.1, 0.2, 0.7}, fairlead.Invalid},
		{"no probability", []string{"logloss", "brier", "accuracy", "recall"},
			[]float64{0, 1}, []float64{0, 1.5}, fairlead.Invalid},
		{"zero labels", []string{"wape", "mape", "r2"},
			[]float64{0, 0}, []float64{1, 2}, fairlead.Precondition},
		{"one zero label", []string{"mape"}, []float64{0, 4}, []float64{1, 2}, fairlead.Precondition},
		{"one class", []string{"auc"}, []float64{1, 1}, []float64{.1, .2}, fairlead.Precondition},
		{"no ones", []string{"recall"}, []float64{0, 0}, []float64{.1, .9}, fairlead.Precondition},
		{"no ones at all", []string{"f1", "precision"}, []float64{0, 0}, []float64{.1, .2}, fairlead.Precondition},
	} {
		for _, name := range c.metric {
			m, _ := stat.Lookup(name)
			if v, err := m.Compute(c.y, c.p); fairlead.CodeOf(err) != c.code {
				t.Errorf("%s of %s = %v, %v; want %s", name, c.name, v, err, c.code)
			}
		}
	}
}

// The worst answers have a figure too, or nothing would tell of them.
func TestCompute_HasAFigureForTheWorst(t *testing.T) {
	y, far := []float64{1, 2}, []float64{1e308, -1e308}
	for _, c := range []struct {
		metric string
		y, p   []float64
		want   float64
	}{
		{"mae", []float64{1, 1e308}, []float64{1, -1e308}, math.MaxFloat64},
		{"mse", y, far, math.MaxFloat64}, {"rmse", y, far, math.Sqrt(math.MaxFloat64)},
		{"wape", y, []float64{1.7e308, -1.7e308}, math.MaxFloat64},
		{"mape", []float64{0.1, 0.1}, far, math.MaxFloat64}, {"r2", y, far, -math.MaxFloat64},
		{"precision", []float64{1, 0}, []float64{.1, .2}, 0}, // it predicts no 1 any more
		{"recall", []float64{1, 0}, []float64{.1, .2}, 0}, {"f1", []float64{1, 0}, []float64{.1, .2}, 0},
	} {
		m, _ := stat.Lookup(c.metric)
		if got, err := m.Compute(c.y, c.p); err != nil || got != c.want {
			t.Errorf("%s = %v, %v; want %v", c.metric, got, err, c.want)
		}
	}
}

// A probability that was rounded is one.
func TestCompute_TakesARoundedProbability(t *testing.T) {
	y, exact := []float64{0, 1, 1, 0}, []float64{0, 1, 0.2, 0.7}
	rounded := []float64{-1e-7, 1 + 1e-7, 0.2, 0.7}
	for _, name := range []string{"logloss", "brier", "accuracy", "precision", "recall", "f1_macro"} {
		m, _ := stat.Lookup(name)
		want, err := m.Compute(y, exact)
		got, err2 := m.Compute(y, rounded)
		if err != nil || err2 != nil || got != want {
			t.Errorf("%s = %v, %v; want %v, %v", name, got, err2, want, err)
		}
	}
}

// Answers tells what Compute would refuse, row by row.
func TestAnswers_AreThosePredictionsThatCanBeJudged(t *testing.T) {
	two, three := []float64{0, 1}, []float64{0, 1, 2}
	for _, c := range []struct {
		metric string
		labels []float64
		p      float64
		want   bool
	}{
		{"mae", three, -1e9, true}, {"mae", three, math.Inf(1), false}, {"mae", three, math.NaN(), false},
		{"auc", two, 7.5, true}, {"logloss", two, 0.5, true}, {"logloss", two, 1.5, false},
		{"logloss", two, 1 + 1e-7, true}, {"f1", two, -0.1, false},
		{"accuracy", two, 0.3, true}, {"accuracy", two, 2, true}, {"accuracy", two, 1.5, false},
		{"accuracy", three, 2, true}, {"accuracy", three, 0.3, false},
		{"f1_macro", three, math.Inf(1), false},
	} {
		m, _ := stat.Lookup(c.metric)
		if judges, err := m.Answers(c.labels); err != nil || judges(c.p) != c.want {
			t.Errorf("%+v: %v, %v", c, judges(c.p), err)
		}
		p := make([]float64, len(c.labels))
		p[0] = c.p
		if _, err := m.Compute(c.labels, p); fairlead.Is(err, fairlead.Invalid) == c.want {
			t.Errorf("%+v: %v", c, err)
		}
	}
	for _, name := range []string{"auc", "logloss"} {
		m, _ := stat.Lookup(name)
		if _, err := m.Answers(three); !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("%s of three classes: %v", name, err)
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
	meanLabel := (3 + 0.5 + 2 + 7 + 4.25) / 5
	for _, name := range stat.LossNames() {
		y, p := labels, predictions
		if m, _ := stat.Lookup(name); m.Task != stat.Regression {
			y, p = classes, probabilities
		}
		row := rowLoss(t, name, y)
		got := 0.0
		for i := range y {
			got += row(y[i], p[i]) / float64(len(y))
		}
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
	for _, name := range []string{"auc", "f1", "r2", "bias", "mape", "f1_macro", "error", ""} {
		if _, ok := stat.LossOf(name); ok {
			t.Errorf("%s has a loss", name)
		}
	}
}

func rowLoss(t *testing.T, metric string, labels []float64) func(y, p float64) float64 {
	t.Helper()
	loss, ok := stat.LossOf(metric)
	if !ok {
		t.Fatalf("%s has no loss", metric)
	}
	row, err := loss.Rows(labels)
	if err != nil {
		t.Fatal(err)
	}
	return row
}

// What a prediction means depends on the labels: 0.3 is a decision for 0 where they are
// 0 and 1, and no answer where there are three.
func TestLoss_ReadsAPredictionAsTheLabelsAre(t *testing.T) {
	nan := math.NaN()
	two, three := []float64{0, 1}, []float64{0, 1, 2}
	for _, c := range []struct {
		metric string
		labels []float64
		y, p   float64
		want   float64
	}{
		{"accuracy", two, 1, 0.7, 0}, {"accuracy", two, 1, 0.3, 1}, {"accuracy", two, 0, 0.3, 0},
		{"accuracy", two, 1, 2, 1}, {"accuracy", two, 1, 1.5, nan}, {"accuracy", two, 1, nan, nan},
		{"accuracy", three, 2, 2, 0}, {"accuracy", three, 1, 2, 1}, {"accuracy", three, 2, 0, 1},
		{"accuracy", three, 0, 0.3, nan}, {"accuracy", three, 2, math.Inf(1), nan},
		{"logloss", two, 1, 1.5, nan}, {"logloss", two, 0, -0.1, nan}, {"brier", two, 0, 2, nan},
		{"mae", three, 2, 0.5, 1.5},
	} {
		got := rowLoss(t, c.metric, c.labels)(c.y, c.p)
		if got != c.want && !(math.IsNaN(got) && math.IsNaN(c.want)) {
			t.Errorf("%+v: %v", c, got)
		}
	}
	for metric, bad := range map[string][]float64{
		"accuracy": {0, 1.5}, "logloss": three, "brier": three,
	} {
		loss, _ := stat.LossOf(metric)
		if _, err := loss.Rows(bad); !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("%s of labels %v: %v", metric, bad, err)
		}
	}
}

// Where the metric is worse by exactly what is tolerated, the loss is the tolerated one.
func TestLoss_ToleratesWhatTheMetricSays(t *testing.T) {
	for _, c := range []struct {
		metric           string
		live             float64
		n                int
		worseBy, allowed float64
	}{
		{"mae", 10, 5, 0.1, 11},
		{"mse", 10, 5, 0.1, 11},
		{"rmse", 100, 4, 0.1, 121},       // 5 is 5.5
		{"accuracy", 10, 100, 0.1, 19},   // 90 % is 81 %
		{"accuracy", 0, 100, 0.1, 10},    // 100 % is 90 %
		{"accuracy", 100, 100, 0.1, 100}, // nothing is right, and nothing can be worse
		{"accuracy", 50, 100, 2, 100},
	} {
		loss, _ := stat.LossOf(c.metric)
		if got := loss.Tolerated(c.live, c.n, c.worseBy); math.Abs(got-c.allowed) > 1e-9 {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

func TestLogLoss_IsFiniteForAConfidentMistake(t *testing.T) {
	loss := rowLoss(t, "logloss", classes)
	want := 36.04365338911715 // -ln(2^-52)
	for _, got := range []float64{loss(1, 0), loss(0, 1)} {
		if math.Abs(got-want) > 1e-12 {
			t.Errorf("loss = %v, want %v", got, want)
		}
	}
}
