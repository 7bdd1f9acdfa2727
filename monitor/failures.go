package monitor

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/serving"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/stream"
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

type failedDue struct {
	Rollout  string `json:"rollout"`
	Endpoint string `json:"endpoint"`
	FromMS   int64  `json:"from_ms"`
}

func (s *Service) setFailed(tx *store.Tx, p fairlead.Project, pr *pairing) error {
	payload, err := json.Marshal(failedDue{pr.rollout, pr.endpoint, pr.lookedTo.UnixMilli()})
	if err != nil {
		return err
	}
	return s.Stream.Set(tx, p, stream.Timer{Stream: pr.endpoint, Kind: failedTimer,
		Key: pr.rollout, Due: pr.lookedTo.Add(failureLook), Payload: payload})
}

func (s *Service) failedDue(_ context.Context, tx *store.Tx, p fairlead.Project,
	t stream.Timer) error {
	var d failedDue
	if err := json.Unmarshal(t.Payload, &d); err != nil {
		return fmt.Errorf("timer of a rollout's failures: %w", err)
	}
	_, _, err := s.Jobs.Enqueue(tx, job.Task{Project: p, Kind: failedJob,
		Key: fmt.Sprintf("%s/%d", d.Rollout, d.FromMS), Payload: d})
	return err
}

// countFailures adds one stretch of requests, and pushes evidence against a
// candidate that is broken.
func (s *Service) countFailures(ctx context.Context, r *job.Run) error {
	var d failedDue
	if err := r.Job.Decode(&d); err != nil {
		return err
	}
	p, from := r.Job.Project, fairlead.FromMS(d.FromMS)
	to := from.Add(failureLook)
	var requests, failed int
	err := s.DB.Read(ctx, func(tx *store.Tx) error {
		pr, err := readPairing(tx, p, d.Rollout)
		if err != nil || pr == nil {
			return err
		}
		scores, err := s.Serving.Predictions(tx, p, d.Endpoint, serving.Query{From: from, To: to,
			Versions: []int64{pr.live, pr.candidate}})
		requests, failed = countScores(scores, pr.live, pr.candidate)
		return err
	})
	if err != nil {
		return err
	}
	return r.Commit(ctx, store.Control, func(tx *store.Tx) error {
		pr, err := s.active(tx, p, d.Rollout)
		if err != nil || pr == nil || !pr.lookedTo.Equal(from) {
			return err
		}
		pr.requests, pr.failed, pr.lookedTo = pr.requests+requests, pr.failed+failed, to
		if err := savePairing(tx, p, pr); err != nil {
			return err
		}
		if pr.broken() {
			return s.putEvidence(ctx, tx, p, pr, from, to, true)
		}
		return s.setFailed(tx, p, pr)
	})
}

// countScores expects the scores in order of their requests.
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
