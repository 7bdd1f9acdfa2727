package tracking

import (
	"context"
	"strconv"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// Found is a run or an experiment by its name alone.
type Found struct {
	ID         string
	Name       string
	Experiment string // a run's
	Status     string // a run's
}

// FindRuns returns the newest runs whose name holds the text, blind to ASCII case, or whose
// id begins with it, at most limit.
func (s *Service) FindRuns(ctx context.Context, p fairlead.Project, text string, limit int) (
	out []Found, err error) {
	err = s.db.ReadLong(ctx, func(tx *store.Tx) error {
		out = out[:0]
		rows, err := tx.Query(`select r.id, r.name, e.n, r.status from run r
			join experiment e on e.k = r.exp_k
			where r.project_k = ? and r.state = 'active' and e.state = 'active'
			and (lower(r.name) like ? escape '\' or r.id like ? escape '\')
			order by r.k desc limit ?`, p.K, store.Holds(text), store.Begins(text), limit)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var f Found
			var exp int64
			if err := rows.Scan(&f.ID, &f.Name, &exp, &f.Status); err != nil {
				return err
			}
			f.Experiment = strconv.FormatInt(exp, 10)
			out = append(out, f)
		}
		return rows.Err()
	})
	return out, err
}

// FindExperiments returns the newest experiments whose name holds the text, blind to ASCII
// case, at most limit.
func (s *Service) FindExperiments(ctx context.Context, p fairlead.Project, text string, limit int) (
	out []Found, err error) {
	err = s.db.ReadLong(ctx, func(tx *store.Tx) error {
		out = out[:0]
		rows, err := tx.Query(`select n, name from experiment where project_k = ? and state = 'active'
			and lower(name) like ? escape '\' order by n desc limit ?`, p.K, store.Holds(text), limit)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var f Found
			var n int64
			if err := rows.Scan(&n, &f.Name); err != nil {
				return err
			}
			f.ID = strconv.FormatInt(n, 10)
			out = append(out, f)
		}
		return rows.Err()
	})
	return out, err
}
