package registry

import (
	"errors"

	"github.com/fairlead-ml/fairlead/store"
)

// readAlias returns where an alias points, 0 for nowhere, and its revision. A
// removed alias keeps its row, so that revisions never repeat.
func readAlias(tx *store.Tx, modelK int64, alias string) (n, rev int64, err error) {
	err = tx.QueryRow("select n, rev from alias where model_k = ? and name = ?",
		modelK, alias).Scan(&n, &rev)
	if errors.Is(err, store.ErrNoRows) {
		return 0, 0, nil
	}
	return n, rev, err
}

func writeAlias(tx *store.Tx, modelK int64, alias string, n, rev int64) error {
	_, err := tx.Exec(`insert into alias (model_k, name, n, rev) values (?, ?, ?, ?)
		on conflict (model_k, name) do update set n = excluded.n, rev = excluded.rev`,
		modelK, alias, n, rev)
	return err
}

func insertAliasMove(tx *store.Tx, modelK int64, m AliasMove) error {
	_, err := tx.Exec(`insert into alias_move (model_k, name, rev, from_n, to_n, event_id, actor,
		at_ms) values (?, ?, ?, ?, ?, ?, ?, ?)`,
		modelK, m.Alias, m.Rev, m.From, m.To, m.Event, m.Actor, m.AtMS)
	return err
}

func aliasMoves(tx *store.Tx, modelK int64, alias string) ([]AliasMove, error) {
	rows, err := tx.Query(`select name, rev, from_n, to_n, event_id, actor, at_ms from alias_move
		where model_k = ? and name = ? order by rev`, modelK, alias)
	return collect(rows, err, func(row scanner, m *AliasMove) error {
		return row.Scan(&m.Alias, &m.Rev, &m.From, &m.To, &m.Event, &m.Actor, &m.AtMS)
	})
}
