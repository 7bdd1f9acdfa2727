package stat

import (
	"fmt"
	"math"
	"slices"

	"github.com/fairlead-ml/fairlead"
)

// Task is the kind of prediction that a metric judges.
type Task string

// The tasks. Binary labels are 0 or 1, and binary predictions are the
// probability of 1.
const (
	Regression Task = "regression"
	Binary     Task = "binary"
)

// Metric is one figure over labels and predictions.
type Metric struct {
	Name string
	// HigherIsBetter is false for errors. The bias is best at zero, so compare
	// its absolute values.
	HigherIsBetter bool
	Task           Task
	// Unit is label (the label's own unit), label^2, ratio, share or nat.
	Unit string
	// Doc says in one sentence what the metric is.
	Doc string
	// Compute takes labels y and predictions p, both [rows], in the same order.
	Compute func(y, p []float64) (float64, error)
}

// The order is that of the documentation: regression, then binary.
var metrics = []Metric{
	{"mae", false, Regression, "label", "mean absolute error",
		fromSums("mae", Regression)},
	{"mse", false, Regression, "label^2", "mean squared error",
		fromSums("mse", Regression)},
	{"rmse", false, Regression, "label", "root of the mean squared error",
		fromSums("rmse", Regression)},
	{"mape", false, Regression, "ratio", "mean of |error| / |label|", meanAbsolutePercentage},
	{"wape", false, Regression, "ratio", "sum of |error| / sum of |label|",
		fromSums("wape", Regression)},
	{"bias", false, Regression, "label", "mean of prediction - label; best at zero",
		fromSums("bias", Regression)},
	{"r2", true, Regression, "share", "share of the label's variance explained", rSquared},
	{"auc", true, Binary, "share", "area under the ROC curve; ties count half", auc},
	{"logloss", false, Binary, "nat", "mean negative log-likelihood of the label",
		fromSums("logloss", Binary)},
	{"brier", false, Binary, "share", "mean squared error of the probability",
		fromSums("brier", Binary)},
	{"accuracy", true, Binary, "share", "share of rows decided right at 0.5",
		fromSums("accuracy", Binary)},
	{"precision", true, Binary, "share", "share of predicted ones that are ones, at 0.5", precision},
	{"recall", true, Binary, "share", "share of ones that are predicted, at 0.5", recall},
	{"f1", true, Binary, "share", "harmonic mean of precision and recall, at 0.5", f1},
}

// Lookup returns the metric with the name, and whether there is one.
func Lookup(name string) (Metric, bool) {
	i := slices.IndexFunc(metrics, func(m Metric) bool { return m.Name == name })
	if i < 0 {
		return Metric{}, false
	}
	return metrics[i], true
}

// Names returns the names of all metrics: regression first, then binary.
func Names() []string {
	names := make([]string, len(metrics))
	for i, m := range metrics {
		names[i] = m.Name
	}
	return names
}

// fromSums computes a metric in one pass through Sums, so that a metric of rows
// and the same metric of merged windows cannot differ in definition.
func fromSums(name string, task Task) func(y, p []float64) (float64, error) {
	return func(y, p []float64) (float64, error) {
		if err := checkPairs(y, p); err != nil {
			return 0, err
		}
		s := NewSums(task)
		for i := range y {
			if err := s.Add(y[i], p[i]); err != nil {
				return 0, fmt.Errorf("row %d: %w", i, err)
			}
		}
		return s.Metric(name)
	}
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
