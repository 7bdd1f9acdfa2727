package tracking

import (
	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/store"
)

func insertSeal(tx *store.Tx, p fairlead.Project, at Place, reason string) error {
	_, err := tx.Exec(`insert into seal (project_k, owner_kind, owner_id, path, reason)
		values (?, ?, ?, ?, ?) on conflict do nothing`,
		p.K, at.Owner.Kind, at.Owner.ID, at.Path, reason)
	return err
}

func deleteSeal(tx *store.Tx, p fairlead.Project, at Place) error {
	_, err := tx.Exec(`delete from seal
		where project_k = ? and owner_kind = ? and owner_id = ? and path = ?`,
		p.K, at.Owner.Kind, at.Owner.ID, at.Path)
	return err
}

// sealsOf returns the owner's sealed paths with their reasons.
func sealsOf(tx *store.Tx, p fairlead.Project, o blob.Owner) ([]Tag, error) {
	return scanTags(tx.Query(`select path, reason from seal
		where project_k = ? and owner_kind = ? and owner_id = ? order by path`, p.K, o.Kind, o.ID))
}
