package registry

import (
	"errors"

	"github.com/fairlead-ml/fairlead/store"
)

func readCondition(tx *store.Tx, v *Version, typ string) (Condition, error) {
	c := Condition{Type: typ, Status: Unknown}
	err := tx.QueryRow(`select status, reason, ref, updated_ms from condition
		where model_k = ? and n = ? and type = ?`, v.modelK, v.N, typ).Scan(
		&c.Status, &c.Reason, &c.Ref, &c.UpdatedMS)
	if errors.Is(err, store.ErrNoRows) {
		err = nil
	}
	return c, err
}

func readConditions(tx *store.Tx, v *Version) ([]Condition, error) {
	rows, err := tx.Query(`select type, status, reason, ref, updated_ms from condition
		where model_k = ? and n = ? order by type`, v.modelK, v.N)
	return collect(rows, err, func(row scanner, c *Condition) error {
		return row.Scan(&c.Type, &c.Status, &c.Reason, &c.Ref, &c.UpdatedMS)
	})
}

func writeCondition(tx *store.Tx, v *Version, c Condition) error {
	_, err := tx.Exec(`insert into condition (model_k, n, type, status, reason, ref, updated_ms)
		values (?, ?, ?, ?, ?, ?, ?) on conflict (model_k, n, type) do update set
		status = excluded.status, reason = excluded.reason, ref = excluded.ref,
		updated_ms = excluded.updated_ms`,
		v.modelK, v.N, c.Type, c.Status, c.Reason, c.Ref, c.UpdatedMS)
	return err
}

func anyPackaged(tx *store.Tx, modelK int64) (bool, error) {
	var n int
	err := tx.QueryRow(`select count(*) from condition where model_k = ? and type = ?
		and status = 'true'`, modelK, ConditionPackaged).Scan(&n)
	return n > 0, err
}
