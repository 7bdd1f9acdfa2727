package stat

import (
	"cmp"
	"sort"
)

// auc is the probability that a random 1 is scored above a random 0, by ranks
// with ties at their middle rank (Hanley and McNeil 1982). Predictions may be
// any score.
func auc(y, p []float64) (float64, error) {
	if err := cmp.Or(checkPairs(y, p), checkBinary(y)); err != nil {
		return 0, err
	}
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	sort.Slice(order, func(a, b int) bool { return p[order[a]] < p[order[b]] })
	var rankSum, positives float64
	for from := 0; from < len(order); {
		to, tiedOnes := from, 0.0
		for ; to < len(order) && p[order[to]] == p[order[from]]; to++ {
			tiedOnes += y[order[to]]
		}
		rankSum += tiedOnes * float64(from+1+to) / 2
		positives += tiedOnes
		from = to
	}
	zeros := float64(len(y)) - positives
	if positives == 0 || zeros == 0 {
		return 0, undefined("auc", "all labels are of one class")
	}
	return (rankSum - positives*(positives+1)/2) / (positives * zeros), nil
}

// ones counts class 1 of a binary task.
func ones(y, p []float64) (count, error) {
	if err := cmp.Or(checkPairs(y, p), checkBinary(y)); err != nil {
		return count{}, err
	}
	for _, v := range p {
		if !isProbability(v) {
			return count{}, noAnswer(Binary, v)
		}
	}
	counts, err := countClasses(y, p)
	return counts[1], err
}

// precision is 0, not undefined, when nothing is predicted 1 and some label is.
func precision(y, p []float64) (float64, error) {
	c, err := ones(y, p)
	if err != nil {
		return 0, err
	}
	if c.predicted+c.labelled == 0 {
		return 0, undefined("precision", "no label and no prediction is 1")
	}
	return c.precision(), nil
}

func recall(y, p []float64) (float64, error) {
	c, err := ones(y, p)
	if err != nil {
		return 0, err
	}
	if c.labelled == 0 {
		return 0, undefined("recall", "no label is 1")
	}
	return c.recall(), nil
}

// f1 is 2TP / (2TP + FP + FN), which is 0, not undefined, when nothing is
// predicted 1 and some label is.
func f1(y, p []float64) (float64, error) {
	c, err := ones(y, p)
	if err != nil {
		return 0, err
	}
	if c.predicted+c.labelled == 0 {
		return 0, undefined("f1", "no label and no prediction is 1")
	}
	return c.f1(), nil
}
