package monitor

import (
	"errors"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

const incidentColumns = `select k, id, endpoint, model, version, kind, action, opened_at_ms,
	resolved_at_ms, value, limit_value, reason, resolution from incident`

type scanner interface{ Scan(dest ...any) error }

func scanIncident(row scanner) (*Incident, error) {
	var i Incident
	var opened, resolved int64
	err := row.Scan(&i.k, &i.ID, &i.Endpoint, &i.Model, &i.Version, &i.Kind, &i.Action, &opened,
		&resolved, &i.Value, &i.Limit, &i.Reason, &i.Resolution)
	i.OpenedAt, i.ResolvedAt = fairlead.FromMS(opened), fairlead.FromMS(resolved)
	return &i, err
}

func insertIncident(tx *store.Tx, p fairlead.Project, i *Incident) error {
	_, err := tx.Exec(`insert into incident (id, project_k, endpoint, model, version, kind, action,
		opened_at_ms, resolved_at_ms, value, limit_value, reason, resolution)
		values (?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, '')`, i.ID, p.K, i.Endpoint, i.Model, i.Version,
		i.Kind, i.Action, fairlead.MS(i.OpenedAt), i.Value, i.Limit, i.Reason)
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

func listIncidents(tx *store.Tx, p fairlead.Project, f IncidentFilter, before int64, limit int) (
	[]*Incident, error) {
	q, args := incidentColumns+" where project_k = ? and k < ?", []any{p.K, before}
	if f.Endpoint != "" {
		q, args = q+" and endpoint = ?", append(args, f.Endpoint)
	}
	if f.Kind != "" {
		q, args = q+" and kind = ?", append(args, f.Kind)
	}
	switch f.State {
	case "open":
		q += " and resolved_at_ms = 0"
	case "resolved":
		q += " and resolved_at_ms <> 0"
	}
	if !f.From.IsZero() {
		q, args = q+" and (resolved_at_ms = 0 or resolved_at_ms >= ?)", append(args, f.From.UnixMilli())
	}
	if !f.To.IsZero() {
		q, args = q+" and opened_at_ms < ?", append(args, f.To.UnixMilli())
	}
	rows, err := tx.Query(q+" order by k desc limit ?", append(args, limit)...)
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
