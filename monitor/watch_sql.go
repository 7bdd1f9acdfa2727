package monitor

import (
	"errors"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

func saveWatched(tx *store.Tx, p fairlead.Project, w watched) error {
	_, err := tx.Exec(`insert into watch (project_k, endpoint, kind, model, version, since_ms)
		values (?, ?, ?, ?, ?, ?) on conflict (project_k, endpoint, kind) do update set
		model = excluded.model, version = excluded.version, since_ms = excluded.since_ms`,
		p.K, w.endpoint, string(w.kind), w.model, w.version, fairlead.MS(w.since))
	return err
}

func deleteWatched(tx *store.Tx, p fairlead.Project, w watched) error {
	_, err := tx.Exec("delete from watch where project_k = ? and endpoint = ? and kind = ?",
		p.K, w.endpoint, string(w.kind))
	return err
}

func listWatched(tx *store.Tx, p fairlead.Project) ([]watched, error) {
	rows, err := tx.Query(`select endpoint, kind, model, version, since_ms from watch
		where project_k = ? order by endpoint, kind`, p.K)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []watched
	for rows.Next() {
		var w watched
		var since int64
		if err := rows.Scan(&w.endpoint, &w.kind, &w.model, &w.version, &since); err != nil {
			return nil, err
		}
		w.since = fairlead.FromMS(since)
		out = append(out, w)
	}
	return out, rows.Err()
}

// watchedBy returns the row that a window belongs to, false when its version is no
// longer watched.
func watchedBy(tx *store.Tx, p fairlead.Project, endpoint string, kind Kind,
	version int64) (watched, bool, error) {
	w, ok, err := watchedKind(tx, p, endpoint, kind)
	if err != nil || !ok || w.version != version {
		return watched{}, false, err
	}
	return w, true, nil
}

// watchedKind returns the row of one kind of an endpoint's windows, false when that is not
// watched.
func watchedKind(tx *store.Tx, p fairlead.Project, endpoint string, kind Kind) (watched, bool,
	error) {
	w := watched{endpoint: endpoint, kind: kind}
	var since int64
	err := tx.QueryRow(`select model, version, since_ms from watch
		where project_k = ? and endpoint = ? and kind = ?`, p.K, endpoint, string(kind)).
		Scan(&w.model, &w.version, &since)
	if errors.Is(err, store.ErrNoRows) {
		return watched{}, false, nil
	}
	w.since = fairlead.FromMS(since)
	return w, err == nil, err
}
