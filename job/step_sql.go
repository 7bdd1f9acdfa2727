package job

import (
	"errors"

	"github.com/fairlead-ml/fairlead/store"
)

// stepRow says which attempt of a step may report, and whether it may still be
// taken over (open) or belongs to a failed attempt of its job.
type stepRow struct {
	name  string
	fence int64
	open  bool
}

// readStep returns the row of a step, and a zero one for a step never started.
func readStep(tx *store.Tx, jobID, name string) (stepRow, error) {
	row := stepRow{name: name}
	var open int
	err := tx.QueryRow("select fence, open from job_step where job_id = ? and name = ?",
		jobID, name).Scan(&row.fence, &open)
	if errors.Is(err, store.ErrNoRows) {
		return row, nil
	}
	row.open = open != 0
	return row, err
}

func writeStep(tx *store.Tx, jobID, name string, fence int64) error {
	_, err := tx.Exec(`insert into job_step (job_id, name, fence, open) values (?, ?, ?, 1)
		on conflict (job_id, name) do update set fence = excluded.fence, open = 1`,
		jobID, name, fence)
	return err
}

func closeStep(tx *store.Tx, jobID, name string) error {
	_, err := tx.Exec("update job_step set open = 0 where job_id = ? and name = ?", jobID, name)
	return err
}

func closeSteps(tx *store.Tx, jobID string) error {
	_, err := tx.Exec("update job_step set open = 0 where job_id = ?", jobID)
	return err
}

func openSteps(tx *store.Tx, jobID string) (out []stepRow, err error) {
	rows, err := tx.Query(`select name, fence from job_step where job_id = ? and open = 1
		order by name`, jobID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		r := stepRow{open: true}
		if err := rows.Scan(&r.name, &r.fence); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

// anyStepOpen looks at jobs that have not ended only: the rows of others stay open.
func anyStepOpen(tx *store.Tx) (open bool, err error) {
	err = tx.QueryRow(`select exists (select 1 from job j join job_step s on s.job_id = j.id
		where j.state in ('queued', 'running') and s.open = 1)`).Scan(&open)
	return open, err
}
