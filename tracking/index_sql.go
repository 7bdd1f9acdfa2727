package tracking

import (
	"database/sql/driver"
	"strings"

	"github.com/fairlead-ml/fairlead/store"
)

func insertPending(tx *store.Tx, runK int64) error {
	_, err := tx.Exec("insert into metric_pending (run_k) values (?) on conflict do nothing", runK)
	return err
}

// isBehind is that the newest value of a metric l is not the indexed one.
const isBehind = `case when l.is_nan = 1 then l.indexed is not null
	else l.indexed is null or l.indexed <> l.value end`

// readBehind finds what is behind after at. It looks through all metrics of the pending
// runs, which may be many, and so not in the writer.
func readBehind(tx *store.Tx, at sweep) (*behindSome, error) {
	found := &behindSome{next: at}
	runs, err := ints(tx, "select run_k from metric_pending where run_k >= ? order by run_k limit ?",
		at.run, indexRuns)
	if err != nil {
		return nil, err
	}
	scanned := int64(0)
	for _, run := range runs {
		after := int64(-1)
		if run == at.run {
			after = at.key
		}
		room := indexKeys - len(found.keys)
		keys, err := ints(tx, `select l.key_k from latest l where l.run_k = ? and l.key_k > ?
			and `+isBehind+" order by l.key_k limit ?", run, after, room)
		if err != nil {
			return nil, err
		}
		found.runs = append(found.runs, run)
		for _, key := range keys {
			found.keys = append(found.keys, runKey{run, key})
		}
		if len(keys) == room {
			found.next = sweep{run, keys[room-1]}
			break
		}
		found.done = append(found.done, run)
		found.next = sweep{run + 1, -1}
		var n int64
		if err := tx.QueryRow("select count(*) from latest where run_k = ?", run).Scan(&n); err != nil {
			return nil, err
		}
		if scanned += n; scanned >= indexScan {
			break
		}
	}
	return found, nil
}

// ints returns the only column of a query.
func ints(tx *store.Tx, query string, args ...any) (out []int64, err error) {
	err = tx.Each(query, args, func(row []driver.Value) error {
		out = append(out, row[0].(int64))
		return nil
	})
	return out, err
}

// notPurging joins to the newest values l the runs that the index takes over: a purge takes
// those that it is at out of the index, and their keys may be given again.
const notPurging = " cross join run r where r.k = l.run_k and r.state <> 'purging' "

// index takes the newest values over, which may be newer than what was found, and takes
// the runs off the list of which nothing is behind. Left are those that were written
// since, whose writers may have taken them for pending and woken nobody.
func (found *behindSome) index(tx *store.Tx) (left int, err error) {
	if len(found.keys) > 0 {
		places := 1
		for places < len(found.keys) {
			places *= 2 // so that few texts are prepared
		}
		args := make([]any, 0, 2*places)
		for i := range places {
			k := found.keys[min(i, len(found.keys)-1)]
			args = append(args, k.run, k.key)
		}
		// As a table, whose keys SQLite looks up: it scans for a bare list of pairs.
		list := "values " + strings.TrimSuffix(strings.Repeat("(?, ?),", places), ",")
		from := "(" + list + ") p cross join latest l" + notPurging + `
			and l.run_k = p.column1 and l.key_k = p.column2 and ` + isBehind
		for _, change := range []string{
			`delete from metric_index where (exp_k, key_k, value, run_k) in
				(select r.exp_k, l.key_k, l.indexed, l.run_k from ` + from +
				" and l.indexed is not null)",
			`insert into metric_index (exp_k, key_k, value, run_k)
				select r.exp_k, l.key_k, l.value, l.run_k from ` + from + ` and l.is_nan = 0
				order by r.exp_k, l.key_k, l.value, l.run_k on conflict do nothing`,
			`update latest set indexed = case when is_nan = 1 then null else value end
				where (run_k, key_k) in (select l.run_k, l.key_k from ` + from + ")",
		} {
			if _, err := tx.Exec(change, args...); err != nil {
				return 0, err
			}
		}
	}
	if len(found.done) == 0 {
		return 0, nil
	}
	settled, err := deleteSettled(tx, found.done)
	return len(found.done) - settled, err
}

// deleteSettled takes the runs off the list of which nothing is behind any more, or which
// are not taken over, and returns how many.
func deleteSettled(tx *store.Tx, runs []int64) (int, error) {
	args := make([]any, len(runs))
	for i, k := range runs {
		args[i] = k
	}
	return affected(tx.Exec("delete from metric_pending where run_k in ("+store.Placeholders(len(args))+
		`) and not exists (select 1 from latest l`+notPurging+
		"and l.run_k = metric_pending.run_k and "+isBehind+")", args...))
}
