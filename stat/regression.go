package stat

import "math"

// meanAbsolutePercentage is undefined with a zero label: replacing the zero by an
// epsilon, as some libraries do, gives a number that means nothing.
func meanAbsolutePercentage(y, p []float64) (float64, error) {
	if err := checkPairs(y, p); err != nil {
		return 0, err
	}
	sum := 0.0
	for i := range y {
		if y[i] == 0 {
			return 0, undefined("mape", "a label is 0; use wape")
		}
		sum += math.Abs((p[i] - y[i]) / y[i])
	}
	return bounded("mape", sum/float64(len(y)))
}

// rSquared is 1 - SS_res / SS_tot, which is negative for a model worse than the
// labels' mean.
func rSquared(y, p []float64) (float64, error) {
	if err := checkPairs(y, p); err != nil {
		return 0, err
	}
	mean := 0.0
	for _, v := range y {
		mean += v / float64(len(y))
	}
	var residual, total float64
	for i := range y {
		residual += (y[i] - p[i]) * (y[i] - p[i])
		total += (y[i] - mean) * (y[i] - mean)
	}
	if total == 0 {
		return 0, undefined("r2", "all labels are equal")
	}
	return bounded("r2", 1-residual/total)
}

func rootMeanSquared(y, p []float64) (float64, error) {
	mean, err := meanLoss("mse")(y, p)
	return math.Sqrt(mean), err
}

func weightedAbsolutePercentage(y, p []float64) (float64, error) {
	l, _ := LossOf("wape")
	sum, err := l.sumOf(y, p)
	if err != nil {
		return 0, err
	}
	total := 0.0
	for _, v := range y {
		total += math.Abs(v)
	}
	if total == 0 {
		return 0, undefined("wape", "all labels are 0; use mae")
	}
	return bounded("wape", sum/total)
}

func bias(y, p []float64) (float64, error) {
	if err := checkPairs(y, p); err != nil {
		return 0, err
	}
	sum := 0.0
	for i := range y {
		sum += p[i] - y[i]
	}
	return bounded("bias", sum/float64(len(y)))
}
