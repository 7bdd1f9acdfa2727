package stat

// Outcomes counts what became of binary predictions, cut at 0.5.
type Outcomes struct{ TruePositive, FalsePositive, TrueNegative, FalseNegative int }

// OutcomesOf counts labels y, 0 or 1, and probabilities p, both [rows]. Others are
// Invalid, and no rows Precondition.
func OutcomesOf(y, p []float64) (o Outcomes, err error) {
	c, err := ones(y, p)
	if err != nil {
		return o, err
	}
	o.TruePositive = int(c.right)
	o.FalsePositive = int(c.predicted - c.right)
	o.FalseNegative = int(c.labelled - c.right)
	o.TrueNegative = len(y) - o.TruePositive - o.FalsePositive - o.FalseNegative
	return o, nil
}
