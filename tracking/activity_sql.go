package tracking

import "github.com/fairlead-ml/fairlead/store"

func activity(tx *store.Tx, e *Experiment) (*Activity, error) {
	var a Activity
	view := ActiveOnly
	if e.State == Deleted {
		view = All
	}
	where := " from run r where r.exp_k = ? and " + view.condition("r.state")
	if err := tx.QueryRow("select count(*)"+where, e.k).Scan(&a.Runs); err != nil || a.Runs == 0 {
		return &a, err
	}
	err := tx.QueryRow(`select coalesce(sum(case when c.status in ('RUNNING', 'SCHEDULED') then 1 else 0
		end), 0), coalesce(max(case when c.end_ms > c.start_ms then c.end_ms else c.start_ms end), 0)
		from (select r.status, r.start_ms, r.end_ms`+where+`
		order by r.start_ms desc, r.id limit ?) c`, e.k, newestOfActivity).Scan(&a.Running, &a.LastMS)
	return &a, err
}
