package registry

import "github.com/fairlead-ml/fairlead/store"

func insertHold(tx *store.Tx, v *Version, h Holder, nowMS int64) error {
	_, err := tx.Exec(`insert into version_hold (model_k, n, holder_kind, holder_id, reason,
		created_ms) values (?, ?, ?, ?, ?, ?)
		on conflict (model_k, n, holder_kind, holder_id) do update set reason = excluded.reason`,
		v.modelK, v.N, h.Kind, h.ID, h.Reason, nowMS)
	return err
}

func deleteHold(tx *store.Tx, v *Version, kind, id string) error {
	_, err := tx.Exec(`delete from version_hold where model_k = ? and n = ? and holder_kind = ?
		and holder_id = ?`, v.modelK, v.N, kind, id)
	return err
}

// readHolds returns the holders of a version, of all versions for n = 0.
func readHolds(tx *store.Tx, modelK, n int64) ([]Holder, error) {
	rows, err := tx.Query(`select holder_kind, holder_id, reason from version_hold
		where model_k = ? and (n = ? or ? = 0) order by n, holder_kind, holder_id`, modelK, n, n)
	return collect(rows, err, func(row scanner, h *Holder) error {
		return row.Scan(&h.Kind, &h.ID, &h.Reason)
	})
}
