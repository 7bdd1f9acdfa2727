package monitor

import (
	"maps"
	"slices"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/stat"
	"github.com/fairlead-ml/fairlead/store"
)

// worth returns what the project's goal says that predictions are worth, nil when it says
// nothing.
func (s *Service) worth(tx *store.Tx, p fairlead.Project) (*spec.Value, error) {
	rev, err := s.Projects.Current(tx, p)
	if err != nil || rev.Spec.Goal == nil {
		return nil, err
	}
	return rev.Spec.Goal.Value, nil
}

// figuresOf computes the metric of each version, in the order of their numbers.
func figuresOf(m stat.Metric, versions map[int64]*pairs, worth *spec.Value) (out []Figure,
	err error) {
	for _, n := range slices.Sorted(maps.Keys(versions)) {
		asked := versions[n]
		f, err := figureOf(m, asked)
		if err != nil {
			return nil, err
		}
		figure := Figure{Version: n, Value: f.value, Rows: f.rows, Unanswered: f.unanswered}
		if worth != nil {
			if figure.Worth, err = asked.worth(m, worth); err != nil {
				return nil, err
			}
		}
		out = append(out, figure)
	}
	return out, nil
}

// worth is what the answers are worth together; nil where they are not about two classes.
func (a *pairs) worth(m stat.Metric, v *spec.Value) (*float64, error) {
	got, err := a.answered(m)
	if err != nil || m.Task == stat.Regression {
		return nil, ignoreUndefined(err)
	}
	o, err := stat.OutcomesOf(got.y, got.p)
	if err != nil {
		return nil, ignoreUndefined(err)
	}
	sum := v.TruePositive*float64(o.TruePositive) + v.FalsePositive*float64(o.FalsePositive) +
		v.TrueNegative*float64(o.TrueNegative) + v.FalseNegative*float64(o.FalseNegative)
	return &sum, nil
}

func ignoreUndefined(err error) error {
	if fairlead.Is(err, fairlead.Invalid) || fairlead.Is(err, fairlead.Precondition) {
		return nil
	}
	return err
}
