package registry

import (
	"errors"
	"math"

	"github.com/fairlead-ml/fairlead"
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

// aliasMoves returns the moves of an alias of the models that have had the name, up to
// when each lost it.
func aliasMoves(tx *store.Tx, p fairlead.Project, model, alias string) ([]AliasMove, error) {
	rows, err := tx.Query(`select a.name, a.rev, a.from_n, a.to_n, a.event_id, a.actor, a.at_ms
		from (select model_k, max(coalesce(to_ms, ?)) as until from model_name
			where project_k = ? and name = ? group by model_k) x
		join alias_move a on a.model_k = x.model_k and a.name = ? and a.at_ms <= x.until
		order by a.at_ms, a.model_k, a.rev`, math.MaxInt64, p.K, model, alias)
	return collect(rows, err, func(row scanner, m *AliasMove) error {
		return row.Scan(&m.Alias, &m.Rev, &m.From, &m.To, &m.Event, &m.Actor, &m.AtMS)
	})
}

// movesBefore is aliasMoves for all aliases, the newest first, up to a time and before a
// move.
func movesBefore(tx *store.Tx, p fairlead.Project, model string, atMS int64, before *moveKey,
	limit int) ([]AliasMove, error) {
	q := `select a.name, a.rev, a.from_n, a.to_n, a.event_id, a.actor, a.at_ms
		from (select model_k, max(coalesce(to_ms, ?)) as until from model_name
			where project_k = ? and name = ? group by model_k) x
		join alias_move a on a.model_k = x.model_k and a.at_ms <= x.until
		where a.at_ms <= ?`
	args := []any{math.MaxInt64, p.K, model, atMS}
	if before != nil {
		q += " and (a.at_ms, a.event_id, a.name) < (?, ?, ?)"
		args = append(args, before.AtMS, before.Event, before.Alias)
	}
	rows, err := tx.Query(q+" order by a.at_ms desc, a.event_id desc, a.name desc limit ?",
		append(args, limit)...)
	return collect(rows, err, func(row scanner, m *AliasMove) error {
		return row.Scan(&m.Alias, &m.Rev, &m.From, &m.To, &m.Event, &m.Actor, &m.AtMS)
	})
}
