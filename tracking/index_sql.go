package tracking

import (
	"context"
	"errors"

	"github.com/fairlead-ml/fairlead/store"
)

func insertPending(tx *store.Tx, runK int64) error {
	_, err := tx.Exec("insert into metric_pending (run_k) values (?) on conflict do nothing", runK)
	return err
}

func (s *Service) anyPending(ctx context.Context) (any bool, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		return tx.QueryRow("select exists (select 1 from metric_pending)").Scan(&any)
	})
	return any, err
}

// nextPending are the runs that one write looks at.
const nextPending = "select run_k from metric_pending where run_k >= ? order by run_k limit ?"

func pendingRuns(tx *store.Tx, at sweep) (runs []int64, err error) {
	found, err := scanAll(tx, nextPending, []any{at.run, indexRuns}, func(row scanner) (*int64, error) {
		var k int64
		return &k, row.Scan(&k)
	})
	for _, k := range found {
		runs = append(runs, *k)
	}
	return runs, err
}

// isBehind is that the newest value of a metric l is not the indexed one.
const isBehind = `case when l.is_nan = 1 then l.indexed is not null
	else l.indexed is null or l.indexed <> l.value end`

// behindKeys are the metrics that are behind, after a sweep's run and key.
const behindKeys = `select l.run_k, l.key_k, l.value, l.is_nan, l.indexed, coalesce(r.exp_k, 0) as exp_k
	from (` + nextPending + `) p cross join latest l left join run r on r.k = l.run_k
	where l.run_k = p.run_k and (l.run_k > ? or l.key_k > ?) and ` + isBehind + `
	order by l.run_k, l.key_k limit ?`

// indexBehind takes over the next metrics that are behind, and returns the last one.
func indexBehind(tx *store.Tx, at sweep) (sweep, error) {
	args := []any{at.run, indexRuns, at.run, at.key, indexKeys}
	next := at
	err := tx.QueryRow("select run_k, key_k from ("+behindKeys+
		") c order by run_k desc, key_k desc limit 1", args...).Scan(&next.run, &next.key)
	if errors.Is(err, store.ErrNoRows) {
		return at, nil
	}
	if err != nil {
		return at, err
	}
	for _, change := range []string{
		`delete from metric_index where (exp_k, key_k, value, run_k) in
			(select exp_k, key_k, indexed, run_k from (` + behindKeys + `) c where indexed is not null)`,
		`insert into metric_index (exp_k, key_k, value, run_k)
			select exp_k, key_k, value, run_k from (` + behindKeys + `) c where is_nan = 0
			order by exp_k, key_k, value, run_k on conflict do nothing`,
		`update latest set indexed = case when is_nan = 1 then null else value end
			where (run_k, key_k) in (select run_k, key_k from (` + behindKeys + `) c)`,
	} {
		if _, err := tx.Exec(change, args...); err != nil {
			return at, err
		}
	}
	return next, nil
}

// deleteSettled takes the runs off the list of which nothing is behind any more.
func deleteSettled(tx *store.Tx, runs []int64) error {
	args := make([]any, len(runs))
	for i, k := range runs {
		args[i] = k
	}
	_, err := tx.Exec("delete from metric_pending where run_k in ("+store.Placeholders(len(args))+
		`) and not exists (select 1 from latest l where l.run_k = metric_pending.run_k and `+isBehind+")",
		args...)
	return err
}
