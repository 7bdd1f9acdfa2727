package tracking

import (
	"context"

	"github.com/fairlead-ml/fairlead/store"
)

func insertPending(tx *store.Tx, runK int64) error {
	_, err := tx.Exec("insert into metric_pending (run_k) values (?) on conflict do nothing", runK)
	return err
}

func deletePending(tx *store.Tx, runK int64) error {
	_, err := tx.Exec("delete from metric_pending where run_k = ?", runK)
	return err
}

func (s *Service) anyPending(ctx context.Context) (any bool, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		return tx.QueryRow("select exists (select 1 from metric_pending)").Scan(&any)
	})
	return any, err
}

// pendingRun is a run that the index is behind of.
type pendingRun struct{ k, expK int64 }

func pendingRuns(tx *store.Tx, limit int) ([]*pendingRun, error) {
	return scanAll(tx, `select p.run_k, coalesce(r.exp_k, 0) from metric_pending p
		left join run r on r.k = p.run_k order by p.run_k limit ?`, []any{limit},
		func(row scanner) (*pendingRun, error) {
			var r pendingRun
			return &r, row.Scan(&r.k, &r.expK)
		})
}

// behindKeys are the metrics of a run whose newest value is not the indexed one.
const behindKeys = `select run_k, key_k, value, is_nan, indexed from latest where run_k = ? and
	case when is_nan = 1 then indexed is not null else indexed is null or indexed <> value end
	order by key_k limit ?`

// indexRun takes over up to limit changed metrics of the run, and returns how many.
func indexRun(tx *store.Tx, r *pendingRun, limit int64) (int64, error) {
	_, err := tx.Exec(`delete from metric_index where (exp_k, key_k, value, run_k) in
		(select ?, key_k, indexed, run_k from (`+behindKeys+`) c where indexed is not null)`,
		r.expK, r.k, limit)
	if err != nil {
		return 0, err
	}
	_, err = tx.Exec(`insert into metric_index (exp_k, key_k, value, run_k)
		select ?, key_k, value, run_k from (`+behindKeys+`) c where is_nan = 0 on conflict do nothing`,
		r.expK, r.k, limit)
	if err != nil {
		return 0, err
	}
	res, err := tx.Exec(`update latest set indexed = case when is_nan = 1 then null else value end
		where run_k = ? and key_k in (select key_k from (`+behindKeys+`) c)`, r.k, r.k, limit)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}
