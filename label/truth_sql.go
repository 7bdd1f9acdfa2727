package label

import (
	"errors"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

type truthRow struct {
	value      float64
	columns    string // JSON object or null
	observedMS int64
	receivedMS int64
	source     string
}

func readTruth(tx *store.Tx, p fairlead.Project, endpoint, id string) (*truthRow, error) {
	var t truthRow
	err := tx.QueryRow(`select value, observed_ms from truth
		where project_k = ? and endpoint = ? and request_id = ?`, p.K, endpoint, id).Scan(&t.value, &t.observedMS)
	if errors.Is(err, store.ErrNoRows) {
		return nil, nil
	}
	return &t, err
}

func writeTruth(tx *store.Tx, p fairlead.Project, endpoint, id string, t truthRow) error {
	_, err := tx.Exec(`insert into truth (project_k, endpoint, request_id, value, columns, observed_ms, received_ms, source)
		values (?, ?, ?, ?, ?, ?, ?, ?) on conflict (project_k, endpoint, request_id)
		do update set value = excluded.value, columns = excluded.columns, observed_ms = excluded.observed_ms,
			received_ms = excluded.received_ms, source = excluded.source`,
		p.K, endpoint, id, t.value, t.columns, t.observedMS, t.receivedMS, t.source)
	return err
}

// truths returns the stored truth of the ids that was known at asOf.
func truths(tx *store.Tx, p fairlead.Project, endpoint string, ids []string, asOfMS int64) (map[string]truthRow, error) {
	out := make(map[string]truthRow, len(ids))
	for len(ids) > 0 {
		part := ids[:min(500, len(ids))]
		ids = ids[len(part):]
		args := []any{p.K, endpoint, asOfMS}
		for _, id := range part {
			args = append(args, id)
		}
		rows, err := tx.Query(`select request_id, value, columns, observed_ms from truth
			where project_k = ? and endpoint = ? and observed_ms <= ?
			and request_id in (`+store.Placeholders(len(part))+")", args...)
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			var id string
			var t truthRow
			if err := rows.Scan(&id, &t.value, &t.columns, &t.observedMS); err != nil {
				rows.Close()
				return nil, err
			}
			out[id] = t
		}
		if err := rows.Close(); err != nil {
			return nil, err
		}
	}
	return out, nil
}
