package monitor

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

func savePairing(tx *store.Tx, p fairlead.Project, pr *pairing) error {
	test, err := json.Marshal(pr.test)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`insert into paired (rollout, project_k, endpoint, live, candidate, metric,
		delay_ms, next_from_ms, test, decides, labels, loss_live, loss_candidate, looked_to_ms,
		requests, failed, worse_by, loss_tolerated)
		values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		on conflict (rollout) do update set next_from_ms = excluded.next_from_ms,
		test = excluded.test, labels = excluded.labels, loss_live = excluded.loss_live,
		loss_candidate = excluded.loss_candidate, looked_to_ms = excluded.looked_to_ms,
		requests = excluded.requests, failed = excluded.failed,
		loss_tolerated = excluded.loss_tolerated`,
		pr.rollout, p.K, pr.endpoint, pr.live, pr.candidate, pr.metric, pr.delay.Milliseconds(),
		fairlead.MS(pr.nextFrom), string(test), pr.decides, pr.labels, pr.lossLive,
		pr.lossCandidate, fairlead.MS(pr.lookedTo), pr.requests, pr.failed, pr.worseBy,
		pr.lossTolerated)
	return err
}

// readPairing returns nil for a rollout that is not paired.
func readPairing(tx *store.Tx, p fairlead.Project, rollout string) (*pairing, error) {
	pr := &pairing{rollout: rollout}
	var delay, next, looked int64
	var test string
	err := tx.QueryRow(`select endpoint, live, candidate, metric, delay_ms, next_from_ms, test,
		decides, labels, loss_live, loss_candidate, looked_to_ms, requests, failed, worse_by,
		loss_tolerated from paired
		where project_k = ? and rollout = ?`, p.K, rollout).Scan(&pr.endpoint, &pr.live,
		&pr.candidate, &pr.metric, &delay, &next, &test, &pr.decides, &pr.labels, &pr.lossLive,
		&pr.lossCandidate, &looked, &pr.requests, &pr.failed, &pr.worseBy,
		&pr.lossTolerated)
	if errors.Is(err, store.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("pairing of rollout %s: %w", rollout, err)
	}
	pr.delay = time.Duration(delay) * time.Millisecond
	pr.nextFrom, pr.lookedTo = fairlead.FromMS(next), fairlead.FromMS(looked)
	return pr, json.Unmarshal([]byte(test), &pr.test)
}
