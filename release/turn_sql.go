package release

import (
	"encoding/json"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// insertTurn adds the rollout's next turn.
func insertTurn(tx *store.Tx, rollout string, t Turn) error {
	evidence, err := json.Marshal(t.Evidence)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`insert into rollout_turn (rollout, n, what, step, percent, reason, actor,
		evidence, at_ms, time_ms)
		select ?, coalesce(max(n), 0) + 1, ?, ?, ?, ?, ?, ?, ?, ? from rollout_turn where rollout = ?`,
		rollout, t.What, t.Step, t.Percent, t.Reason, t.Actor, string(evidence), fairlead.MS(t.At),
		fairlead.MS(t.Time), rollout)
	return err
}

// readTurns returns the turns of a rollout in order: as many as it has steps, and a few.
func readTurns(tx *store.Tx, rollout string) ([]Turn, error) {
	rows, err := tx.Query(`select what, step, percent, reason, actor, evidence, at_ms, time_ms
		from rollout_turn where rollout = ? order by n`, rollout)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []Turn{}
	for rows.Next() {
		var t Turn
		var evidence string
		var at, wall int64
		err := rows.Scan(&t.What, &t.Step, &t.Percent, &t.Reason, &t.Actor, &evidence, &at, &wall)
		if err != nil {
			return nil, err
		}
		t.At, t.Time = fairlead.FromMS(at), fairlead.FromMS(wall)
		if err := json.Unmarshal([]byte(evidence), &t.Evidence); err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, rows.Err()
}
