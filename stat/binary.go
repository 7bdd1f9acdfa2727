package stat

import (
	"sort"

	"github.com/fairlead-ml/fairlead"
)

// threshold turns a probability into a decision: at or above it means 1.
const threshold = 0.5

// checkBinary refuses labels other than 0 and 1 and predictions that are no
// probability.
func checkBinary(y, p float64) error {
	if y != 0 && y != 1 {
		return fairlead.Errorf(fairlead.Invalid,
			"the label %v is not binary; it must be 0 or 1", y)
	}
	if !(p >= 0 && p <= 1) {
		return fairlead.Errorf(fairlead.Invalid,
			"the prediction %v is not a probability; it must be between 0 and 1", p)
	}
	return nil
}

// auc is the probability that a random 1 is scored above a random 0, by ranks
// with ties at their middle rank (Hanley and McNeil 1982). Predictions may be
// any score.
func auc(y, p []float64) (float64, error) {
	if err := checkPairs(y, p); err != nil {
		return 0, err
	}
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
		if y[i] != 0 && y[i] != 1 {
			return 0, checkBinary(y[i], 0)
		}
	}
	sort.Slice(order, func(a, b int) bool { return p[order[a]] < p[order[b]] })
	var rankSum, ones float64
	for from := 0; from < len(order); {
		to, tiedOnes := from, 0.0
		for ; to < len(order) && p[order[to]] == p[order[from]]; to++ {
			tiedOnes += y[order[to]]
		}
		rankSum += tiedOnes * float64(from+1+to) / 2
		ones += tiedOnes
		from = to
	}
	zeros := float64(len(y)) - ones
	if ones == 0 || zeros == 0 {
		return 0, undefined("auc", "all labels are of one class")
	}
	return (rankSum - ones*(ones+1)/2) / (ones * zeros), nil
}

// confusion counts decisions at the threshold; true negatives are the rest.
type confusion struct{ truePositive, falsePositive, falseNegative float64 }

func confuse(y, p []float64) (confusion, error) {
	var c confusion
	if err := checkPairs(y, p); err != nil {
		return c, err
	}
	for i := range y {
		if err := checkBinary(y[i], p[i]); err != nil {
			return c, err
		}
		switch predicted := p[i] >= threshold; {
		case predicted && y[i] == 1:
			c.truePositive++
		case predicted:
			c.falsePositive++
		case y[i] == 1:
			c.falseNegative++
		}
	}
	return c, nil
}

func precision(y, p []float64) (float64, error) {
	c, err := confuse(y, p)
	if err != nil {
		return 0, err
	}
	if c.truePositive+c.falsePositive == 0 {
		return 0, undefined("precision", "no row is predicted 1")
	}
	return c.truePositive / (c.truePositive + c.falsePositive), nil
}

func recall(y, p []float64) (float64, error) {
	c, err := confuse(y, p)
	if err != nil {
		return 0, err
	}
	if c.truePositive+c.falseNegative == 0 {
		return 0, undefined("recall", "no label is 1")
	}
	return c.truePositive / (c.truePositive + c.falseNegative), nil
}

// f1 is 2TP / (2TP + FP + FN), which is 0, not undefined, when nothing is
// predicted 1 and some label is.
func f1(y, p []float64) (float64, error) {
	c, err := confuse(y, p)
	if err != nil {
		return 0, err
	}
	denominator := 2*c.truePositive + c.falsePositive + c.falseNegative
	if denominator == 0 {
		return 0, undefined("f1", "no label and no prediction is 1")
	}
	return 2 * c.truePositive / denominator, nil
}
