package tracking

import (
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/store"
)

// Hold keeps a run or a logged model from being purged, until Unhold: somebody, named by
// holder, depends on it. The same holder again only changes its reason, which a user
// reads.
func (s *Service) Hold(tx *store.Tx, p fairlead.Project, o blob.Owner, holder,
	reason string) error {
	_, err := tx.Exec(`insert into hold (project_k, owner_kind, owner_id, holder, reason)
		values (?, ?, ?, ?, ?) on conflict (project_k, owner_kind, owner_id, holder)
		do update set reason = excluded.reason`, p.K, o.Kind, o.ID, holder, reason)
	return err
}

// Unhold lets go of it; a hold that is not there is fine.
func (s *Service) Unhold(tx *store.Tx, p fairlead.Project, o blob.Owner, holder string) error {
	_, err := tx.Exec(`delete from hold where project_k = ? and owner_kind = ? and owner_id = ?
		and holder = ?`, p.K, o.Kind, o.ID, holder)
	return err
}

// holders returns why an owner is held, empty when nobody holds it.
func holders(tx *store.Tx, p fairlead.Project, o blob.Owner) (string, error) {
	holds, err := scanTags(tx.Query(`select holder, reason from hold
		where project_k = ? and owner_kind = ? and owner_id = ? order by holder`,
		p.K, o.Kind, o.ID))
	var reasons []string
	for _, h := range holds {
		reasons = append(reasons, h.Value)
	}
	return strings.Join(reasons, "; "), err
}
