package monitor

import (
	"database/sql"
	"encoding/json"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// windowDetail is what of a window is stored as JSON.
type windowDetail struct {
	Features []FeatureDrift `json:"features,omitempty"`
	Reason   string         `json:"reason,omitempty"`
}

func insertWindow(tx *store.Tx, p fairlead.Project, w *Window) error {
	detail, err := json.Marshal(windowDetail{w.Features, w.Reason})
	if err != nil {
		return err
	}
	_, err = tx.Exec(`insert into win (project_k, endpoint, model, version, kind, from_ms, to_ms,
		state, value, limit_value, row_count, coverage, detail) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		p.K, w.Endpoint, w.Model, w.Version, string(w.Kind), w.From.UnixMilli(),
		w.To.UnixMilli(), string(w.State), w.Value, w.Limit, w.Rows, w.Coverage, string(detail))
	return err
}

// countRed looks at the newest m judged windows of w's version that began at since
// or later, w included.
func countRed(tx *store.Tx, p fairlead.Project, w *Window, since time.Time, m int) (reds,
	judged int, err error) {
	rows, err := tx.Query(`select state from win where project_k = ? and endpoint = ? and version = ? and kind = ?
		and from_ms >= ? and state <> 'unknown' order by from_ms desc limit ?`,
		p.K, w.Endpoint, w.Version, string(w.Kind), fairlead.MS(since), m)
	if err != nil {
		return 0, 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var state string
		if err := rows.Scan(&state); err != nil {
			return 0, 0, err
		}
		if judged++; state == string(Red) {
			reds++
		}
	}
	return reds, judged, rows.Err()
}

func listWindows(tx *store.Tx, p fairlead.Project, endpoint string, kind Kind,
	from, to time.Time) ([]*Window, error) {
	q := `select endpoint, model, version, kind, from_ms, to_ms, state, value, limit_value,
		row_count, coverage, detail from win where project_k = ? and endpoint = ?`
	args := []any{p.K, endpoint}
	if kind != "" {
		q, args = q+" and kind = ?", append(args, string(kind))
	}
	if !from.IsZero() {
		q, args = q+" and from_ms >= ?", append(args, from.UnixMilli())
	}
	if !to.IsZero() {
		q, args = q+" and from_ms < ?", append(args, to.UnixMilli())
	}
	rows, err := tx.Query(q+" order by from_ms, k", args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []*Window
	for rows.Next() {
		w, err := scanWindow(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, w)
	}
	return out, rows.Err()
}

func scanWindow(rows *sql.Rows) (*Window, error) {
	var w Window
	var from, to int64
	var detail string
	err := rows.Scan(&w.Endpoint, &w.Model, &w.Version, &w.Kind, &from, &to, &w.State,
		&w.Value, &w.Limit, &w.Rows, &w.Coverage, &detail)
	if err != nil {
		return nil, err
	}
	var d windowDetail
	if err := json.Unmarshal([]byte(detail), &d); err != nil {
		return nil, err
	}
	w.From, w.To = fairlead.FromMS(from), fairlead.FromMS(to)
	w.Features, w.Reason = d.Features, d.Reason
	return &w, nil
}
