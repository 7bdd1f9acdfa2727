package transfer

import (
	"context"
	"errors"

	"github.com/fairlead-ml/fairlead/store"
)

// key names something that came in: the kind, and its id there.
type key struct {
	projectK int64
	kind, id string
}

// came says what something that came in is here, and what it was there then.
type came struct {
	target string // its id here; empty when it has not come in
	digest string // of what has come in of it; empty while that is in pieces
	state  string // that the import gave it here
	whole  bool   // nothing of it was missing
}

func (im *importing) key(kind, id string) key { return key{im.p.K, kind, id} }

// known returns what came in, the zero value when it has not.
func (s *Service) known(ctx context.Context, k key) (c came, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		c, err = knownTx(tx, k)
		return err
	})
	return c, err
}

func knownTx(tx *store.Tx, k key) (c came, err error) {
	err = tx.QueryRow(`select target, digest, state, whole <> 0 from imported
		where project_k = ? and source = '' and kind = ? and id = ?`,
		k.projectK, k.kind, k.id).Scan(&c.target, &c.digest, &c.state, &c.whole)
	if errors.Is(err, store.ErrNoRows) {
		err = nil
	}
	return c, err
}

func record(tx *store.Tx, k key, c came) error {
	whole := 0
	if c.whole {
		whole = 1
	}
	_, err := tx.Exec(`insert into imported (project_k, source, kind, id, digest, target, state, whole)
		values (?, '', ?, ?, ?, ?, ?, ?) on conflict (project_k, source, kind, id) do update
		set digest = excluded.digest, target = excluded.target, state = excluded.state,
		whole = excluded.whole`,
		k.projectK, k.kind, k.id, c.digest, c.target, c.state, whole)
	return err
}

func forget(tx *store.Tx, k key) error {
	_, err := tx.Exec(`delete from imported where project_k = ? and source = '' and kind = ?
		and id = ?`, k.projectK, k.kind, k.id)
	return err
}

// below returns the ids of a kind that begin with the prefix, with what they are here.
func below(tx *store.Tx, k key) (map[string]string, error) {
	rows, err := tx.Query(`select id, target from imported where project_k = ? and source = ''
		and kind = ? and substr(id, 1, ?) = ?`, k.projectK, k.kind, len([]rune(k.id)), k.id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[string]string{}
	for rows.Next() {
		var id, target string
		if err := rows.Scan(&id, &target); err != nil {
			return nil, err
		}
		all[id] = target
	}
	return all, rows.Err()
}
