package monitor

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

func saveReference(tx *store.Tx, p fairlead.Project, model string, version int64, r *Reference) error {
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("reference of %s version %d: %w", model, version, err)
	}
	_, err = tx.Exec(`insert into reference (project_k, model, version, body, metrics) values (?, ?, ?, ?, '{}')
		on conflict (project_k, model, version) do update set body = excluded.body`, p.K, model, version, string(body))
	return err
}

func saveMetrics(tx *store.Tx, p fairlead.Project, model string, version int64, metrics map[string]float64) error {
	body, err := json.Marshal(metrics)
	if err != nil {
		return fmt.Errorf("metrics of %s version %d: %w", model, version, err)
	}
	_, err = tx.Exec("update reference set metrics = ? where project_k = ? and model = ? and version = ?",
		string(body), p.K, model, version)
	return err
}

// readReference returns nil for a version that has none.
func readReference(tx *store.Tx, p fairlead.Project, model string, version int64) (*Reference, error) {
	var body, metrics string
	err := tx.QueryRow("select body, metrics from reference where project_k = ? and model = ? and version = ?",
		p.K, model, version).Scan(&body, &metrics)
	if errors.Is(err, store.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var r Reference
	if err := json.Unmarshal([]byte(body), &r); err != nil {
		return nil, fmt.Errorf("reference of %s version %d: %w", model, version, err)
	}
	return &r, json.Unmarshal([]byte(metrics), &r.Metrics)
}

func insertWindow(tx *store.Tx, p fairlead.Project, w *Window) error {
	detail, err := json.Marshal(struct {
		PSI    map[string]float64 `json:"psi,omitempty"`
		Reason string             `json:"reason,omitempty"`
	}{w.Detail, w.Reason})
	if err != nil {
		return err
	}
	_, err = tx.Exec(`insert into win (project_k, endpoint, model, version, kind, from_ms, to_ms, state, value, limit_value,
		row_count, coverage, detail) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		p.K, w.Endpoint, w.Model, w.Version, string(w.Kind), w.From.UnixMilli(), w.To.UnixMilli(), string(w.State),
		w.Value, w.Limit, w.Rows, w.Coverage, string(detail))
	return err
}

// countRed looks at the newest m judged windows of w's version, w included.
func countRed(tx *store.Tx, p fairlead.Project, w *Window, m int) (reds, judged int, err error) {
	rows, err := tx.Query(`select state from win where project_k = ? and endpoint = ? and version = ? and kind = ?
		and state <> 'unknown' order by from_ms desc limit ?`, p.K, w.Endpoint, w.Version, string(w.Kind), m)
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

func listWindows(tx *store.Tx, p fairlead.Project, endpoint string, kind Kind, from, to time.Time) ([]*Window, error) {
	q := `select endpoint, model, version, kind, from_ms, to_ms, state, value, limit_value, row_count, coverage, detail
		from win where project_k = ? and endpoint = ?`
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
	err := rows.Scan(&w.Endpoint, &w.Model, &w.Version, &w.Kind, &from, &to, &w.State, &w.Value, &w.Limit, &w.Rows, &w.Coverage, &detail)
	if err != nil {
		return nil, err
	}
	var d struct {
		PSI    map[string]float64 `json:"psi"`
		Reason string             `json:"reason"`
	}
	if err := json.Unmarshal([]byte(detail), &d); err != nil {
		return nil, err
	}
	w.From, w.To, w.Detail, w.Reason = fairlead.FromMS(from), fairlead.FromMS(to), d.PSI, d.Reason
	return &w, nil
}

const incidentColumns = `select id, endpoint, model, version, kind, action, opened_at_ms, resolved_at_ms, value,
	limit_value, reason, resolution from incident`

type scanner interface{ Scan(dest ...any) error }

func scanIncident(row scanner) (*Incident, error) {
	var i Incident
	var opened, resolved int64
	err := row.Scan(&i.ID, &i.Endpoint, &i.Model, &i.Version, &i.Kind, &i.Action, &opened, &resolved, &i.Value,
		&i.Limit, &i.Reason, &i.Resolution)
	i.OpenedAt, i.ResolvedAt = fairlead.FromMS(opened), fairlead.FromMS(resolved)
	return &i, err
}

func insertIncident(tx *store.Tx, p fairlead.Project, i *Incident) error {
	_, err := tx.Exec(`insert into incident (id, project_k, endpoint, model, version, kind, action, opened_at_ms,
		resolved_at_ms, value, limit_value, reason, resolution) values (?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, '')`,
		i.ID, p.K, i.Endpoint, i.Model, i.Version, i.Kind, i.Action, fairlead.MS(i.OpenedAt), i.Value, i.Limit, i.Reason)
	return err
}

func resolveIncident(tx *store.Tx, i *Incident) error {
	_, err := tx.Exec("update incident set resolved_at_ms = ?, resolution = ? where id = ?",
		fairlead.MS(i.ResolvedAt), i.Resolution, i.ID)
	return err
}

// openIncident returns the endpoint's unresolved incident of the kind, or nil.
func openIncident(tx *store.Tx, p fairlead.Project, endpoint, kind string) (*Incident, error) {
	i, err := scanIncident(tx.QueryRow(incidentColumns+` where project_k = ? and endpoint = ? and kind = ?
		and resolved_at_ms = 0 order by k limit 1`, p.K, endpoint, kind))
	if errors.Is(err, store.ErrNoRows) {
		return nil, nil
	}
	return i, err
}

func readIncident(tx *store.Tx, p fairlead.Project, id string) (*Incident, error) {
	i, err := scanIncident(tx.QueryRow(incidentColumns+" where project_k = ? and id = ?", p.K, id))
	if errors.Is(err, store.ErrNoRows) {
		return nil, fairlead.Errorf(fairlead.NotFound, "there is no incident %q in project %s", id, p.Name)
	}
	return i, err
}

func listIncidents(tx *store.Tx, p fairlead.Project, endpoint string) ([]*Incident, error) {
	q, args := incidentColumns+" where project_k = ?", []any{p.K}
	if endpoint != "" {
		q, args = q+" and endpoint = ?", append(args, endpoint)
	}
	rows, err := tx.Query(q+" order by k desc limit 1000", args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []*Incident
	for rows.Next() {
		i, err := scanIncident(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, i)
	}
	return out, rows.Err()
}

func savePairing(tx *store.Tx, p fairlead.Project, pr *pairing) error {
	test, err := json.Marshal(pr.test)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`insert into paired (rollout, project_k, endpoint, live, candidate, metric, next_from_ms, test, labels,
		loss_live, loss_candidate) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (rollout) do update set
		next_from_ms = excluded.next_from_ms, test = excluded.test, labels = excluded.labels,
		loss_live = excluded.loss_live, loss_candidate = excluded.loss_candidate`,
		pr.rollout, p.K, pr.endpoint, pr.live, pr.candidate, pr.metric, pr.nextFrom.UnixMilli(), string(test), pr.labels,
		pr.lossLive, pr.lossCandidate)
	return err
}

func readPairing(tx *store.Tx, p fairlead.Project, rollout string) (*pairing, error) {
	pr := &pairing{rollout: rollout}
	var next int64
	var test string
	err := tx.QueryRow(`select endpoint, live, candidate, metric, next_from_ms, test, labels, loss_live, loss_candidate
		from paired where project_k = ? and rollout = ?`, p.K, rollout).Scan(&pr.endpoint, &pr.live, &pr.candidate,
		&pr.metric, &next, &test, &pr.labels, &pr.lossLive, &pr.lossCandidate)
	if err != nil {
		return nil, fmt.Errorf("pairing of rollout %s: %w", rollout, err)
	}
	pr.nextFrom = fairlead.FromMS(next)
	return pr, json.Unmarshal([]byte(test), &pr.test)
}
