// Package stat holds the formulas that the stages judge models by: metrics,
// losses, histograms on reference quantiles, drift
// measures, and a sequential test that may be looked at after every block.
//
// It owns no state: it never reads a database, a clock or a file, starts no
// goroutine and draws no random number, so the same input always gives the same
// result. The accumulators (Histogram, Categories, Sequential) belong to
// their caller, are not safe for concurrent use, and have a JSON form that
// reads back to the same values.
//
// A figure that a formula cannot give is an error, never NaN: Invalid when the
// input can never be right (lengths differ, a value is not a number), and
// Precondition when this data leaves the figure undefined (AUC of one class).
//
// Start reading in metric.go for the names that `fairlead.yaml` may use, then
// drift.go and sequential.go.
package stat
