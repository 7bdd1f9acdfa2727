package gate

import (
	"fmt"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// CandidateMetrics returns the metrics that a decision saw of the candidate, by
// the names that evaluate printed. It is empty for a gate that was not run.
func (s *Service) CandidateMetrics(tx *store.Tx, p fairlead.Project, decision string) (
	map[string]float64, error) {
	out := map[string]float64{}
	if decision == "" {
		return out, nil
	}
	r, err := readDecision(tx, p, decision)
	if err != nil {
		return nil, fmt.Errorf("metrics of decision %s: %w", decision, err)
	}
	e, err := s.Evidence(tx, p, r.Evidence)
	if err != nil {
		return nil, err
	}
	for name := range e.Facts {
		metric, ok := strings.CutPrefix(name, candidateRoot+".")
		if v, number := e.Facts.Float(name); ok && number {
			out[metric] = v
		}
	}
	return out, nil
}
