package transfer

import (
	"context"
	"errors"

	"github.com/fairlead-ml/fairlead/store"
)

// note is the key of something that came in.
type note struct {
	projectK         int64
	kind, source, id string
}

func (im *importing) key(kind, source, id string) note { return note{im.p.K, kind, source, id} }

// known returns what something is here and what it was when it had come in whole, both
// empty when it has not come in.
func (s *Service) known(ctx context.Context, n note) (target, digest string, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		return tx.QueryRow(`select target, digest from imported
			where project_k = ? and source = ? and kind = ? and id = ?`,
			n.projectK, n.source, n.kind, n.id).Scan(&target, &digest)
	})
	if errors.Is(err, store.ErrNoRows) {
		err = nil
	}
	return target, digest, err
}

func (s *Service) done(ctx context.Context, n note, digest, target string) error {
	return s.db.Write(ctx, store.Bulk, func(tx *store.Tx) error {
		return record(tx, n, digest, target)
	})
}

func record(tx *store.Tx, n note, digest, target string) error {
	_, err := tx.Exec(`insert into imported (project_k, source, kind, id, digest, target)
		values (?, ?, ?, ?, ?, ?) on conflict (project_k, source, kind, id) do update
		set digest = excluded.digest, target = excluded.target`,
		n.projectK, n.source, n.kind, n.id, digest, target)
	return err
}
