package monitor

import (
	"database/sql"
	"encoding/json"
	"errors"
	"math"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// windowDetail is what of a window is stored as JSON.
type windowDetail struct {
	Features   []FeatureDrift `json:"features,omitempty"`
	LagMS      int64          `json:"lag_ms,omitempty"`
	Reason     string         `json:"reason,omitempty"`
	Unanswered int            `json:"unanswered,omitempty"`
	Metric     string         `json:"metric,omitempty"`
	Requests   int            `json:"requests,omitempty"`
	Labelled   int            `json:"labelled,omitempty"`
	Figures    []Figure       `json:"figures,omitempty"`
}

func insertWindow(tx *store.Tx, p fairlead.Project, w *Window) error {
	detail, err := json.Marshal(windowDetail{w.Features, w.LagMS, w.Reason, w.Unanswered,
		w.Metric, w.Requests, w.Labelled, w.Figures})
	if err != nil {
		return err
	}
	err = tx.QueryRow(`insert into win (project_k, endpoint, model, version, kind, from_ms, to_ms,
		state, value, limit_value, row_count, coverage, detail) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		returning k`, p.K, w.Endpoint, w.Model, w.Version, string(w.Kind), w.From.UnixMilli(),
		w.To.UnixMilli(), string(w.State), w.Value, w.Limit, w.Rows, w.Coverage,
		string(detail)).Scan(&w.k)
	if err != nil {
		return err
	}
	return insertBins(tx, p, w.k, w)
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

const windowColumns = `select k, endpoint, model, version, kind, from_ms, to_ms, state, value,
	limit_value, row_count, coverage, detail from win where project_k = ? and endpoint = ?`

// windowCursor is a place in the order of windows.
type windowCursor struct {
	FromMS int64 `json:"from_ms"`
	K      int64 `json:"k"`
}

func listWindows(tx *store.Tx, p fairlead.Project, f WindowFilter, after windowCursor, limit int) (
	[]*Window, error) {
	q, args := windowColumns, []any{p.K, f.Endpoint}
	if f.Kind != "" {
		q, args = q+" and kind = ?", append(args, string(f.Kind))
	}
	q, args = f.within(q, "", args)
	return scanWindows(tx.Query(q+` and (from_ms > ? or from_ms = ? and k > ?)
		order by from_ms, k limit ?`, append(args, after.FromMS, after.FromMS, after.K, limit)...))
}

// within adds the filter's stretch of time to a query; table is its name there, with a dot.
func (f WindowFilter) within(q, table string, args []any) (string, []any) {
	if !f.From.IsZero() {
		q, args = q+" and "+table+"from_ms >= ?", append(args, f.From.UnixMilli())
	}
	if !f.To.IsZero() {
		q, args = q+" and "+table+"from_ms < ?", append(args, f.To.UnixMilli())
	}
	return q, args
}

// newestWindow returns nil when there is none.
func newestWindow(tx *store.Tx, p fairlead.Project, endpoint string, kind Kind) (*Window, error) {
	w, err := scanWindow(tx.QueryRow(windowColumns+` and kind = ?
		order by from_ms desc, k desc limit 1`, p.K, endpoint, string(kind)))
	if errors.Is(err, store.ErrNoRows) {
		return nil, nil
	}
	return w, err
}

// maxMS is after all windows.
const maxMS = math.MaxInt64

// listNewest returns the newest limit windows of one kind before a place, the newest first.
func listNewest(tx *store.Tx, p fairlead.Project, f WindowFilter, before windowCursor, limit int) (
	[]*Window, error) {
	q, args := f.within(windowColumns+" and kind = ?", "", []any{p.K, f.Endpoint, string(f.Kind)})
	return scanWindows(tx.Query(q+` and (from_ms < ? or from_ms = ? and k < ?)
		order by from_ms desc, k desc limit ?`,
		append(args, before.FromMS, before.FromMS, before.K, limit)...))
}

func scanWindows(rows *sql.Rows, err error) ([]*Window, error) {
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

// windowOf returns the window with that key.
func windowOf(tx *store.Tx, p fairlead.Project, k int64) (*Window, error) {
	return scanWindow(tx.QueryRow(`select k, endpoint, model, version, kind, from_ms, to_ms, state,
		value, limit_value, row_count, coverage, detail from win where project_k = ? and k = ?`,
		p.K, k))
}

func scanWindow(rows scanner) (*Window, error) {
	var w Window
	var from, to int64
	var detail string
	err := rows.Scan(&w.k, &w.Endpoint, &w.Model, &w.Version, &w.Kind, &from, &to, &w.State,
		&w.Value, &w.Limit, &w.Rows, &w.Coverage, &detail)
	if err != nil {
		return nil, err
	}
	var d windowDetail
	if err := json.Unmarshal([]byte(detail), &d); err != nil {
		return nil, err
	}
	w.From, w.To = fairlead.FromMS(from), fairlead.FromMS(to)
	w.Features, w.LagMS, w.Reason, w.Unanswered = d.Features, d.LagMS, d.Reason, d.Unanswered
	w.Metric, w.Requests, w.Labelled, w.Figures = d.Metric, d.Requests, d.Labelled, d.Figures
	return &w, nil
}
