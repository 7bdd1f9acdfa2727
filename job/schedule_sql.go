package job

import (
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// scheduleRow is a stored schedule.
type scheduleRow struct {
	project   fairlead.Project
	kind, key string
	timing    string
	payload   string
	next      time.Time
}

// writeSchedule stores a schedule; one with the same timing keeps its next tick.
func writeSchedule(tx *store.Tx, r scheduleRow) error {
	_, err := tx.Exec(`insert into schedule (project_k, project, kind, key, timing, payload, next_ms)
		values (?, ?, ?, ?, ?, ?, ?) on conflict (project_k, kind, key) do update set
		next_ms = case when schedule.timing = excluded.timing then schedule.next_ms
			else excluded.next_ms end,
		timing = excluded.timing, payload = excluded.payload`,
		r.project.K, r.project.Name, r.kind, r.key, r.timing, r.payload, r.next.UnixMilli())
	return err
}

func deleteSchedule(tx *store.Tx, projectK int64, kind, key string) error {
	_, err := tx.Exec("delete from schedule where project_k = ? and kind = ? and key = ?",
		projectK, kind, key)
	return err
}

func moveSchedule(tx *store.Tx, r scheduleRow, next time.Time) error {
	_, err := tx.Exec("update schedule set next_ms = ? where project_k = ? and kind = ? and key = ?",
		next.UnixMilli(), r.project.K, r.kind, r.key)
	return err
}

func dueSchedules(tx *store.Tx, now time.Time) (out []scheduleRow, err error) {
	rows, err := tx.Query(`select project_k, project, kind, key, timing, payload, next_ms
		from schedule where next_ms <= ? order by next_ms, project_k, kind, key`, now.UnixMilli())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r scheduleRow
		var next int64
		err := rows.Scan(&r.project.K, &r.project.Name, &r.kind, &r.key, &r.timing, &r.payload, &next)
		if err != nil {
			return nil, err
		}
		r.next = fairlead.FromMS(next)
		out = append(out, r)
	}
	return out, rows.Err()
}

// nextTick returns when the next schedule comes up, the zero time for never.
func nextTick(tx *store.Tx) (time.Time, error) {
	var ms int64
	err := tx.QueryRow("select coalesce(min(next_ms), 0) from schedule").Scan(&ms)
	return fairlead.FromMS(ms), err
}
