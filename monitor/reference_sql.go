package monitor

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

func saveReference(tx *store.Tx, p fairlead.Project, model string, version int64, r *Reference) error {
	body, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("reference of %s version %d: %w", model, version, err)
	}
	_, err = tx.Exec(`insert into reference (project_k, model, version, body, metrics)
		values (?, ?, ?, ?, '{}') on conflict (project_k, model, version)
		do update set body = excluded.body`, p.K, model, version, string(body))
	return err
}

func saveMetrics(tx *store.Tx, p fairlead.Project, model string, version int64,
	metrics map[string]float64) error {
	body, err := json.Marshal(metrics)
	if err != nil {
		return fmt.Errorf("metrics of %s version %d: %w", model, version, err)
	}
	_, err = tx.Exec(`update reference set metrics = ?
		where project_k = ? and model = ? and version = ?`, string(body), p.K, model, version)
	return err
}

// readReference returns nil for a version that has none.
func readReference(tx *store.Tx, p fairlead.Project, model string, version int64) (*Reference, error) {
	var body, metrics string
	err := tx.QueryRow(`select body, metrics from reference
		where project_k = ? and model = ? and version = ?`, p.K, model, version).Scan(&body, &metrics)
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
