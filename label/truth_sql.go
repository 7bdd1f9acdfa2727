package label

import (
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// truthRow is one thing that was observed about a request.
type truthRow struct {
	requestID  string
	value      float64
	columns    string // JSON object or null
	observedMS int64
	receivedMS int64
	source     string
}

// says reports whether two rows say the same, whenever it was observed.
func (t truthRow) says(o truthRow) bool { return t.value == o.value && t.columns == o.columns }

// over reports whether t counts and o does not, of two that were observed at the
// same time: an order that does not depend on which came first.
func (t truthRow) over(o truthRow) bool {
	if t.value != o.value {
		return t.value > o.value
	}
	return t.columns > o.columns
}

const (
	inList    = 500 // ids of one query
	rowsMany  = 100 // rows of one insert
	truthCols = "(project_k, endpoint, request_id, value, columns, observed_ms, received_ms, source)"
)

// insertTruths stores new rows.
func insertTruths(tx *store.Tx, p fairlead.Project, endpoint string, rows []truthRow) error {
	for len(rows) > 0 {
		part := rows[:min(rowsMany, len(rows))]
		rows = rows[len(part):]
		args := make([]any, 0, 8*len(part))
		for _, t := range part {
			args = append(args, p.K, endpoint, t.requestID, t.value, t.columns, t.observedMS, t.receivedMS, t.source)
		}
		_, err := tx.Exec("insert into truth "+truthCols+" values "+
			strings.Repeat("(?, ?, ?, ?, ?, ?, ?, ?), ", len(part)-1)+"(?, ?, ?, ?, ?, ?, ?, ?)", args...)
		if err != nil {
			return err
		}
	}
	return nil
}

// updateTruth replaces what was observed at the same time.
func updateTruth(tx *store.Tx, p fairlead.Project, endpoint string, t truthRow) error {
	_, err := tx.Exec(`update truth set value = ?, columns = ?, received_ms = ?, source = ?
		where project_k = ? and endpoint = ? and request_id = ? and observed_ms = ?`,
		t.value, t.columns, t.receivedMS, t.source, p.K, endpoint, t.requestID, t.observedMS)
	return err
}

// eachTruth calls fn with all that was observed about the ids until asOfMS, the
// rows of an id in the order of their observation.
func eachTruth(tx *store.Tx, p fairlead.Project, endpoint string, ids []string, asOfMS int64, fn func(truthRow)) error {
	for len(ids) > 0 {
		part := ids[:min(inList, len(ids))]
		ids = ids[len(part):]
		args := make([]any, 0, len(part)+3)
		args = append(args, p.K, endpoint, asOfMS)
		for _, id := range part {
			args = append(args, id)
		}
		rows, err := tx.Query(`select request_id, value, columns, observed_ms from truth
			where project_k = ? and endpoint = ? and observed_ms <= ?
			and request_id in (`+store.Placeholders(len(part))+") order by request_id, observed_ms", args...)
		if err != nil {
			return err
		}
		for rows.Next() {
			var t truthRow
			if err := rows.Scan(&t.requestID, &t.value, &t.columns, &t.observedMS); err != nil {
				rows.Close()
				return err
			}
			fn(t)
		}
		if err := rows.Close(); err != nil {
			return err
		}
		if err := rows.Err(); err != nil {
			return err
		}
	}
	return nil
}

// truths returns what was known about each of the ids at asOf: the newest
// observation until then.
func truths(tx *store.Tx, p fairlead.Project, endpoint string, ids []string, asOfMS int64) (map[string]truthRow, error) {
	out := make(map[string]truthRow, len(ids))
	return out, eachTruth(tx, p, endpoint, ids, asOfMS, func(t truthRow) { out[t.requestID] = t })
}
