package stat

import (
	"math"
	"slices"

	"github.com/fairlead-ml/fairlead"
)

// Task is the kind of prediction that a metric judges.
type Task string

// The tasks. Binary labels are 0 or 1, and binary predictions are the probability of
// 1. Classes are whole numbers, the predicted ones too; those of labels that are all 0
// or 1 may be probabilities.
const (
	Regression Task = "regression"
	Binary     Task = "binary"
	Classes    Task = "classes"
)

// Metric is one figure over labels and predictions.
type Metric struct {
	Name string
	// HigherIsBetter is false for errors.
	HigherIsBetter bool
	Task           Task
	// Unit is label (the label's own unit), label^2, ratio, share or nat.
	Unit string
	// Doc says in one sentence what the metric is.
	Doc string
	// Compute takes labels y and predictions p, both [rows], in the same order.
	Compute func(y, p []float64) (float64, error)
}

// The order is that of the documentation: regression, binary, classes.
var metrics = []Metric{
	{"mae", false, Regression, "label", "mean absolute error", meanLoss("mae")},
	{"mse", false, Regression, "label^2", "mean squared error", meanLoss("mse")},
	{"rmse", false, Regression, "label", "root of the mean squared error", rootMeanSquared},
	{"mape", false, Regression, "ratio", "mean of |error| / |label|", meanAbsolutePercentage},
	{"wape", false, Regression, "ratio", "sum of |error| / sum of |label|",
		weightedAbsolutePercentage},
	{"bias", false, Regression, "label", "mean of prediction - label; best at zero", bias},
	{"r2", true, Regression, "share", "share of the label's variance explained", rSquared},
	{"auc", true, Binary, "share", "area under the ROC curve; ties count half", auc},
	{"logloss", false, Binary, "nat", "mean negative log-likelihood of the label",
		meanLoss("logloss")},
	{"brier", false, Binary, "share", "mean squared error of the probability", meanLoss("brier")},
	{"precision", true, Binary, "share", "share of predicted ones that are ones, at 0.5", precision},
	{"recall", true, Binary, "share", "share of ones that are predicted, at 0.5", recall},
	{"f1", true, Binary, "share", "harmonic mean of precision and recall, at 0.5", f1},
	{"accuracy", true, Classes, "share", "share of rows whose class is predicted", accuracy},
	{"balanced_accuracy", true, Classes, "share", "mean recall of the classes that are labels",
		balancedAccuracy},
	{"precision_macro", true, Classes, "share", "mean precision of the classes", macro(count.precision)},
	{"recall_macro", true, Classes, "share", "mean recall of the classes", macro(count.recall)},
	{"f1_macro", true, Classes, "share", "mean f1 of the classes", macro(count.f1)},
}

// Signed reports whether the metric is best at zero and has values on both sides: then
// its distance from zero is what can be worse.
func (m Metric) Signed() bool { return m.Name == "bias" }

// Answers returns the function that reports whether a prediction is an answer that the
// metric can judge, for rows with these labels. Labels that it cannot judge are Invalid.
func (m Metric) Answers(labels []float64) (func(p float64) bool, error) {
	switch {
	case m.Task == Classes && allBinary(labels):
		return func(p float64) bool { return isProbability(p) || isWhole(p) }, nil
	case m.Task == Classes:
		return isWhole, checkWhole(labels)
	case m.Name == "auc": // any score
		return finite, checkBinary(labels)
	case m.Task == Binary:
		return isProbability, checkBinary(labels)
	}
	return finite, nil
}

// Lookup returns the metric with the name, and whether there is one.
func Lookup(name string) (Metric, bool) {
	i := slices.IndexFunc(metrics, func(m Metric) bool { return m.Name == name })
	if i < 0 {
		return Metric{}, false
	}
	return metrics[i], true
}

// Names returns the names of all metrics: of regression, binary tasks and classes.
func Names() []string {
	names := make([]string, len(metrics))
	for i, m := range metrics {
		names[i] = m.Name
	}
	return names
}

// meanLoss computes a metric that is the mean of its loss.
func meanLoss(name string) func(y, p []float64) (float64, error) {
	return func(y, p []float64) (float64, error) {
		l, _ := LossOf(name)
		sum, err := l.sumOf(y, p)
		if err != nil {
			return 0, err
		}
		return bounded(name, sum/float64(len(y)))
	}
}

func accuracy(y, p []float64) (float64, error) {
	wrong, err := meanLoss("accuracy")(y, p)
	return 1 - wrong, err
}

// bounded keeps a figure finite whose sums over finite rows are not: answers that are so
// far off are as bad as a number can say.
func bounded(name string, v float64) (float64, error) {
	if math.IsNaN(v) {
		return 0, undefined(name, "the labels and errors are too large to add up")
	}
	return min(max(v, -math.MaxFloat64), math.MaxFloat64), nil
}

// checkPairs refuses what no metric can be computed on.
func checkPairs(y, p []float64) error {
	if len(y) != len(p) {
		return fairlead.Errorf(fairlead.Invalid,
			"there are %d labels and %d predictions; a metric needs one of each a row",
			len(y), len(p))
	}
	if len(y) == 0 {
		return fairlead.Errorf(fairlead.Precondition, "there are no rows to compute a metric on")
	}
	for i := range y {
		if !finite(y[i]) || !finite(p[i]) {
			return fairlead.Errorf(fairlead.Invalid,
				"row %d has label %v and prediction %v; both must be finite numbers, "+
					"so leave rows without a label out", i, y[i], p[i])
		}
	}
	return nil
}

func undefined(metric, why string) error {
	return fairlead.Errorf(fairlead.Precondition, "%s is undefined here: %s", metric, why)
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
