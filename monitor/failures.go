package monitor

import (
	"context"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/serving"
	"github.com/fairlead-ml/fairlead/store"
)

// failureLook is how often a rollout's requests are counted, in stream time: no
// label is needed to see that a version cannot answer.
const failureLook = 6 * time.Hour

// failures are the requests of a rollout that the live version answered, and of
// them those that the candidate could not.
type failures struct {
	requests int
	failed   int
	lookedTo time.Time
}

// broken reports whether the candidate fails on most of what the live version
// answers. That is no question of statistics: it is rolled back at once.
func (f failures) broken() bool { return f.requests >= minRows && 2*f.failed > f.requests }

// countFailures adds the requests since the last look, and pushes evidence against a
// candidate that is broken.
func (s *Service) countFailures(ctx context.Context, r *job.Run) error {
	var l look
	if err := r.Job.Decode(&l); err != nil {
		return err
	}
	p, to := r.Job.Project, fairlead.FromMS(l.AsOfMS)
	var from time.Time
	var requests, failed int
	err := s.DB.Read(ctx, func(tx *store.Tx) error {
		pr, err := s.active(tx, p, l.Rollout)
		if err != nil || pr == nil {
			return err
		}
		from = pr.lookedTo
		scores, err := s.Serving.Predictions(tx, p, pr.endpoint, serving.Query{From: from, To: to,
			Versions: []int64{pr.live, pr.candidate}})
		requests, failed = countScores(scores, pr.live, pr.candidate)
		return err
	})
	if err != nil {
		return err
	}
	return r.Commit(ctx, store.Control, func(tx *store.Tx) error {
		pr, err := s.active(tx, p, l.Rollout)
		if err != nil || pr == nil || !pr.lookedTo.Equal(from) || !from.Before(to) {
			return err
		}
		pr.requests, pr.failed, pr.lookedTo = pr.requests+requests, pr.failed+failed, to
		if err := savePairing(tx, p, pr); err != nil || !pr.broken() {
			return err
		}
		_, err = s.Gate.PutEvidence(ctx, tx, p, pr.evidence(from, to, true))
		return err
	})
}

// countScores counts the requests that both versions were asked and live answered.
func countScores(scores []serving.Prediction, live, candidate int64) (requests, failed int) {
	answered := map[string]bool{}
	for _, sc := range scores {
		if sc.Version == live && !sc.Failed {
			answered[sc.RequestID] = true
		}
	}
	for _, sc := range scores {
		if sc.Version == candidate && answered[sc.RequestID] {
			if requests++; sc.Failed {
				failed++
			}
		}
	}
	return requests, failed
}
