package stat

import (
	"maps"
	"math"
	"slices"

	"github.com/fairlead-ml/fairlead"
)

// Classes are whole numbers. Where all labels are 0 or 1, a prediction may also be the
// probability of 1.

// threshold turns a probability into a decision: at or above it means 1.
const threshold = 0.5

func decide(probability float64) float64 {
	if probability >= threshold {
		return 1
	}
	return 0
}

// rounding is how far a probability may be outside of [0, 1], as those that a model adds
// up in float32 are.
const rounding = 1e-6

func isProbability(p float64) bool { return p >= -rounding && p <= 1+rounding }

func rounded(probability float64) float64 { return min(max(probability, 0), 1) }

func isWhole(v float64) bool { return v == math.Trunc(v) && !math.IsInf(v, 0) }

func isBinary(y float64) bool { return y == 0 || y == 1 }

func allBinary(labels []float64) bool {
	return !slices.ContainsFunc(labels, func(y float64) bool { return !isBinary(y) })
}

// checkBinary refuses labels other than 0 and 1.
func checkBinary(labels []float64) error {
	for _, y := range labels {
		if !isBinary(y) {
			return fairlead.Errorf(fairlead.Invalid, "the label %v is not 0 or 1; "+
				"for more classes use accuracy, balanced_accuracy or a metric that ends with _macro", y)
		}
	}
	return nil
}

// checkWhole refuses labels that are no class.
func checkWhole(labels []float64) error {
	for _, y := range labels {
		if !isWhole(y) {
			return fairlead.Errorf(fairlead.Invalid,
				"the label %v is no class; a class is a whole number", y)
		}
	}
	return nil
}

// decisions returns the classes that were predicted for the labels y.
func decisions(y, p []float64) ([]float64, error) {
	if err := checkPairs(y, p); err != nil {
		return nil, err
	}
	binary := allBinary(y)
	if !binary {
		if err := checkWhole(y); err != nil {
			return nil, err
		}
	}
	out := make([]float64, len(p))
	for i, v := range p {
		switch {
		case binary && isProbability(v):
			out[i] = decide(v)
		case isWhole(v):
			out[i] = v
		default:
			return nil, noAnswer(Classes, v)
		}
	}
	return out, nil
}

// count is what the metrics of one class follow from.
type count struct{ right, predicted, labelled float64 }

func (c count) precision() float64 { return ratio(c.right, c.predicted) }

func (c count) recall() float64 { return ratio(c.right, c.labelled) }

func (c count) f1() float64 { return ratio(2*c.right, c.predicted+c.labelled) }

// ratio is 0 for a class that nothing was counted of, as scikit-learn has it.
func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// countClasses counts each class that is a label or was predicted.
func countClasses(y, p []float64) (map[float64]count, error) {
	decided, err := decisions(y, p)
	if err != nil {
		return nil, err
	}
	counts := map[float64]count{}
	for i := range y {
		c := counts[y[i]]
		c.labelled++
		if y[i] == decided[i] {
			c.right++
		}
		counts[y[i]] = c
		c = counts[decided[i]]
		c.predicted++
		counts[decided[i]] = c
	}
	return counts, nil
}

// macro returns the mean of a class's figure over all classes, each counting alike
// however rare it is.
func macro(of func(count) float64) func(y, p []float64) (float64, error) {
	return func(y, p []float64) (float64, error) {
		counts, err := countClasses(y, p)
		if err != nil {
			return 0, err
		}
		return meanOver(counts, of), nil
	}
}

// balancedAccuracy is the mean recall of the classes that are labels.
func balancedAccuracy(y, p []float64) (float64, error) {
	counts, err := countClasses(y, p)
	if err != nil {
		return 0, err
	}
	maps.DeleteFunc(counts, func(_ float64, c count) bool { return c.labelled == 0 })
	return meanOver(counts, count.recall), nil
}

// meanOver adds in the order of the classes, so that the same rows give the same bits.
func meanOver(counts map[float64]count, of func(count) float64) float64 {
	sum := 0.0
	for _, class := range slices.Sorted(maps.Keys(counts)) {
		sum += of(counts[class])
	}
	return sum / float64(len(counts))
}
