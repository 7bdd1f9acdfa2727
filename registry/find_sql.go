package registry

import (
	"context"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// FindModels returns the names of models that hold the text, blind to ASCII case, in order;
// at most limit. Prompts are left out.
func (s *Service) FindModels(ctx context.Context, p fairlead.Project, text string, limit int) (
	out []string, err error) {
	err = s.db.ReadLong(ctx, func(tx *store.Tx) error {
		out = out[:0]
		rows, err := tx.Query(`select m.name from model m
			where m.project_k = ? and lower(m.name) like ? escape '\' and not exists (
				select 1 from model_tag t where t.model_k = m.k and t.key = ? and lower(t.value) = 'true')
			order by m.name limit ?`, p.K, store.Holds(text), promptTag, limit)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var name string
			if err := rows.Scan(&name); err != nil {
				return err
			}
			out = append(out, name)
		}
		return rows.Err()
	})
	return out, err
}
