package stat

import (
	"math"
	"slices"

	"github.com/fairlead-ml/fairlead"
)

// Loss is what the rows add to a metric: non-negative, smaller is better, so that sums
// of it over the same rows compare two versions. Metrics that are no sum over rows (auc,
// f1, r2 ...) have none, and neither has the signed bias.
type Loss struct {
	Metric string
	row    func(y, p float64) float64
	task   Task
}

var losses = []Loss{
	{"mae", absoluteLoss, Regression},
	{"wape", absoluteLoss, Regression},
	{"mse", squaredLoss, Regression},
	{"rmse", squaredLoss, Regression},
	{"logloss", logLoss, Binary},
	{"brier", brierLoss, Binary},
	{"accuracy", zeroOneLoss, Classes},
}

// LossOf returns the loss of the named metric, and whether it has one.
func LossOf(metric string) (Loss, bool) {
	i := slices.IndexFunc(losses, func(l Loss) bool { return l.Metric == metric })
	if i < 0 {
		return Loss{}, false
	}
	return losses[i], true
}

// LossNames returns the names of the metrics that have a loss.
func LossNames() []string {
	names := make([]string, len(losses))
	for i, l := range losses {
		names[i] = l.Metric
	}
	return names
}

// Rows returns the function that gives the loss of a row with label y and prediction
// p, for rows with these labels: whether a prediction may be a probability depends on
// all of them. The function is NaN for a prediction that is no answer to such labels.
// Labels that the metric cannot judge are Invalid.
func (l Loss) Rows(labels []float64) (func(y, p float64) float64, error) {
	if l.task == Classes && !allBinary(labels) {
		return sameLoss, checkWhole(labels)
	}
	if l.task != Binary {
		return l.row, nil
	}
	return l.row, checkBinary(labels)
}

// Tolerated returns the largest sum of losses over n rows with which a version's
// metric is not worse by more than the share worseBy (0.1 means 10 %) than that of a
// version whose sum is other. For an error that is (1 + worseBy) times the other one's:
// squared for rmse, since its losses are. An accuracy may fall by the share worseBy of
// itself.
func (l Loss) Tolerated(other float64, n int, worseBy float64) float64 {
	switch l.Metric {
	case "rmse":
		return other * (1 + worseBy) * (1 + worseBy)
	case "accuracy":
		return min(other+worseBy*(float64(n)-other), float64(n))
	}
	return other * (1 + worseBy)
}

func absoluteLoss(y, p float64) float64 { return math.Abs(p - y) }

func squaredLoss(y, p float64) float64 { return (p - y) * (p - y) }

func brierLoss(y, p float64) float64 {
	if !isProbability(p) {
		return math.NaN()
	}
	return squaredLoss(y, rounded(p))
}

// clip is the float64 machine epsilon: it bounds the log loss of a confident
// wrong row to 36.04 nats, as scikit-learn does.
const clip = 0x1p-52

func logLoss(y, p float64) float64 {
	switch {
	case !isProbability(p):
		return math.NaN()
	case y == 1:
		return -math.Log(math.Max(rounded(p), clip))
	}
	return -math.Log1p(-math.Min(rounded(p), 1-clip))
}

// zeroOneLoss is for labels 0 and 1. A prediction that is a class counts as it is: 2
// is wrong, also where the label is 1.
func zeroOneLoss(y, p float64) float64 {
	if isProbability(p) {
		p = decide(p)
	}
	return sameLoss(y, p)
}

// sameLoss is for classes.
func sameLoss(y, p float64) float64 {
	switch {
	case !isWhole(p):
		return math.NaN()
	case y == p:
		return 0
	}
	return 1
}

// sumOf adds up a loss over rows. Labels that the metric cannot judge, and predictions
// that are no answer to them, are Invalid.
func (l Loss) sumOf(y, p []float64) (float64, error) {
	if err := checkPairs(y, p); err != nil {
		return 0, err
	}
	row, err := l.Rows(y)
	if err != nil {
		return 0, err
	}
	sum := 0.0
	for i := range y {
		loss := row(y[i], p[i])
		if math.IsNaN(loss) {
			return 0, noAnswer(l.task, p[i])
		}
		sum += loss
	}
	return sum, nil
}

// noAnswer says why a prediction is none.
func noAnswer(task Task, p float64) error {
	if task == Binary {
		return fairlead.Errorf(fairlead.Invalid,
			"the prediction %v is no probability; it must be between 0 and 1", p)
	}
	return fairlead.Errorf(fairlead.Invalid,
		"the prediction %v is no class; it must be a whole number, "+
			"or a probability where the labels are 0 and 1", p)
}
