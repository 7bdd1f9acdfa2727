package ledger

import (
	"context"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// mostAbout bounds what About returns.
const mostAbout = 1_000

// About returns the events of these types whose bodies name the id, in order of their
// numbers, at most 1,000. An id has no character that means something in JSON.
func (l *Ledger) About(ctx context.Context, p fairlead.Project, id string, types ...string) (
	out []*Record, err error) {
	err = l.db.Read(ctx, func(tx *store.Tx) error {
		args := []any{p.K}
		for _, t := range types {
			args = append(args, t)
		}
		// The sum keeps SQLite from walking all events in their order.
		out, err = scanRecords(tx.Query("select "+columns+` from event where project_k = ?
			and type in (`+store.Placeholders(len(types))+`) and seq is not null and body like ?
			order by seq + 0 limit ?`, append(args, `%"`+id+`"%`, mostAbout)...))
		return err
	})
	return out, err
}
