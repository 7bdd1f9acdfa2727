package stat

import (
	"encoding/json"
	"math"

	"github.com/fairlead-ml/fairlead"
)

// Sums accumulates what the decomposable metrics of one task need, so that the
// metric of a window follows exactly from the Sums of its parts. It is a plain
// value: copy it, add to it, merge it, store it as JSON.
type Sums struct {
	Task  Task   `json:"task"`
	Count uint64 `json:"count"`
	// Regression: sums of |p-y|, p-y and |y|.
	AbsError float64 `json:"abs_error,omitempty"`
	Error    float64 `json:"error,omitempty"`
	AbsLabel float64 `json:"abs_label,omitempty"`
	// SquaredError is the sum of (p-y)^2, of both tasks (Brier for binary).
	SquaredError float64 `json:"squared_error,omitempty"`
	// Binary: sum of the log loss in nats, and the rows decided wrong at 0.5.
	LogLoss float64 `json:"log_loss,omitempty"`
	Wrong   uint64  `json:"wrong,omitempty"`
}

// NewSums returns empty sums of a task.
func NewSums(task Task) Sums { return Sums{Task: task} }

// Add counts one row. A label or prediction that the task does not allow is
// Invalid and changes nothing.
func (s *Sums) Add(y, p float64) error {
	if s.Task == Binary {
		return s.addBinary(y, p)
	}
	e := p - y
	squared := s.SquaredError + e*e
	if !finite(squared) {
		return fairlead.Errorf(fairlead.Invalid,
			"label %v and prediction %v cannot be summed; both must be finite numbers", y, p)
	}
	s.Count++
	s.Error += e
	s.AbsError += math.Abs(e)
	s.AbsLabel += math.Abs(y)
	s.SquaredError = squared
	return nil
}

func (s *Sums) addBinary(y, p float64) error {
	if err := checkBinary(y, p); err != nil {
		return err
	}
	s.Count++
	s.SquaredError += squaredLoss(y, p)
	s.LogLoss += logLoss(y, p)
	s.Wrong += uint64(zeroOneLoss(y, p))
	return nil
}

// Merge adds the rows of other, which must be of the same task.
func (s *Sums) Merge(other Sums) error {
	if s.Task != other.Task {
		return fairlead.Errorf(fairlead.Invalid,
			"sums of a %s cannot be merged with sums of a %s task", s.Task, other.Task)
	}
	s.Count += other.Count
	s.AbsError += other.AbsError
	s.Error += other.Error
	s.AbsLabel += other.AbsLabel
	s.SquaredError += other.SquaredError
	s.LogLoss += other.LogLoss
	s.Wrong += other.Wrong
	return nil
}

// Metric returns a metric over all rows added: mae, mse, rmse, wape and bias of
// a regression; logloss, brier and accuracy of a binary task. Another name is
// Invalid; no rows, or a wape whose labels are all zero, is Precondition.
func (s Sums) Metric(name string) (float64, error) {
	value, ok := s.regression(name)
	if s.Task == Binary {
		value, ok = s.binary(name)
	}
	switch {
	case !ok:
		return 0, fairlead.Errorf(fairlead.Invalid,
			"sums of a %s task do not give the metric %q; compute it from the rows", s.Task, name)
	case s.Count == 0:
		return 0, undefined(name, "there are no rows with a label")
	case math.IsNaN(value) || math.IsInf(value, 0):
		return 0, undefined(name, "all labels are 0; use mae")
	}
	return value, nil
}

func (s Sums) regression(name string) (value float64, ok bool) {
	n := float64(s.Count)
	switch name {
	case "mae":
		return s.AbsError / n, true
	case "mse":
		return s.SquaredError / n, true
	case "rmse":
		return math.Sqrt(s.SquaredError / n), true
	case "bias":
		return s.Error / n, true
	case "wape":
		return s.AbsError / s.AbsLabel, true
	}
	return 0, false
}

func (s Sums) binary(name string) (value float64, ok bool) {
	n := float64(s.Count)
	switch name {
	case "logloss":
		return s.LogLoss / n, true
	case "brier":
		return s.SquaredError / n, true
	case "accuracy":
		return 1 - float64(s.Wrong)/n, true
	}
	return 0, false
}

// UnmarshalJSON reads what Marshal wrote and refuses an unknown task.
func (s *Sums) UnmarshalJSON(b []byte) error {
	type plain Sums
	var p plain
	if err := json.Unmarshal(b, &p); err != nil {
		return fairlead.Errorf(fairlead.Invalid, "read sums: %w", err)
	}
	if p.Task != Regression && p.Task != Binary {
		return fairlead.Errorf(fairlead.Invalid, "read sums: unknown task %q", p.Task)
	}
	*s = Sums(p)
	return nil
}
