package stat

import "math"

// Loss returns what one row adds to the named metric: non-negative, smaller is
// better, so that sums of it over a block compare two versions. Metrics that are
// no sum over rows (auc, f1, r2 ...) have none, and neither has the signed bias.
// The returned function does not check its arguments: an argument that is not a
// number gives NaN.
func Loss(name string) (func(y, p float64) float64, bool) {
	switch name {
	case "mae", "wape":
		return absoluteLoss, true
	case "mse", "rmse", "brier":
		return squaredLoss, true
	case "logloss":
		return logLoss, true
	case "accuracy":
		return zeroOneLoss, true
	}
	return nil, false
}

func absoluteLoss(y, p float64) float64 { return math.Abs(p - y) }

func squaredLoss(y, p float64) float64 { return (p - y) * (p - y) }

// clip is the float64 machine epsilon: it bounds the log loss of a confident
// wrong row to 36.04 nats, as scikit-learn does.
const clip = 0x1p-52

func logLoss(y, p float64) float64 {
	if y == 1 {
		return -math.Log(math.Max(p, clip))
	}
	return -math.Log1p(-math.Min(p, 1-clip))
}

func zeroOneLoss(y, p float64) float64 {
	if (p >= threshold) == (y == 1) {
		return 0
	}
	return 1
}
