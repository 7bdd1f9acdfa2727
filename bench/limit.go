package main

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	_ "github.com/mattn/go-sqlite3" // the program's driver
)

// limit writes points into the program's tables by the program's driver with its
// pragmas, and nothing else: the rows are made before, and there is no HTTP.
type limit struct {
	db   *sql.DB
	runs []int64
	keys []int64
	step int64
	next int // the run whose turn it is
}

// newLimit lets the program make a database with the runs and keys, and takes it over.
func (b *bench) newLimit(ctx context.Context) (*limit, error) {
	dir := filepath.Join(b.dir, "limit")
	p, err := b.serve(ctx, dir)
	if err != nil {
		return nil, err
	}
	defer p.stop()
	c := newCaller(p.url)
	experiment, err := c.newExperiment(ctx)
	if err != nil {
		return nil, err
	}
	for range busy {
		run, err := c.newRun(ctx, experiment)
		if err != nil {
			return nil, err
		}
		if err := c.call(ctx, "POST", mlflow+"runs/log-batch", newBatch(run, limitKeys, limitKeys).text,
			nil); err != nil {
			return nil, err
		}
	}
	p.stop()
	return openLimit(ctx, filepath.Join(dir, "fairlead.db"))
}

// limitKeys are the most keys of a batch.
const limitKeys = 100

// openLimit opens a database that the program has left.
func openLimit(ctx context.Context, file string) (*limit, error) {
	q := url.Values{"_journal_mode": {"WAL"}, "_synchronous": {"FULL"}, "_foreign_keys": {"1"},
		"_cache_size": {"-4000"}, "_txlock": {"immediate"}}
	db, err := sql.Open("sqlite3", "file:"+url.PathEscape(file)+"?"+q.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	// As in the program, but in a commit and not beside it.
	if _, err := db.ExecContext(ctx, "pragma wal_autocheckpoint = 6000"); err != nil {
		db.Close()
		return nil, err
	}
	l := &limit{db: db, step: 1 << 40}
	l.runs, err = l.column(ctx, "select distinct run_k from latest order by run_k")
	if err == nil {
		l.keys, err = l.column(ctx, "select distinct key_k from latest order by key_k")
	}
	if err == nil && (len(l.runs) != busy || len(l.keys) != limitKeys) {
		err = fmt.Errorf("%d runs and %d keys are in %s", len(l.runs), len(l.keys), file)
	}
	if err != nil {
		db.Close()
		return nil, err
	}
	return l, nil
}

func (l *limit) close() { l.db.Close() }

func (l *limit) column(ctx context.Context, query string) (out []int64, err error) {
	rows, err := l.db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var k int64
		if err := rows.Scan(&k); err != nil {
			return nil, err
		}
		out = append(out, k)
	}
	return out, rows.Err()
}

const (
	insertPoints = "insert into metric (run_k, key_k, step, ts, value, is_nan) values "
	insertLatest = "insert into latest (run_k, key_k, step, ts, value, is_nan, low, high) values "
	moveNewest   = ` on conflict (run_k, key_k) do update set step = excluded.step, ts = excluded.ts,
		value = excluded.value, is_nan = excluded.is_nan, low = min(low, excluded.low),
		high = max(high, excluded.high)`
)

// groups are the numbers of batches that one transaction holds: what busy clients send
// at once, and less, which is faster where a batch touches many pages.
var groups = []int{busy, 4}

// load writes batches of rows points with so many keys, each by one statement a
// hundred rows and one for its newest values; the fastest of the groups counts.
func (l *limit) load(rows, keys int) func(context.Context, time.Duration) (samples, error) {
	return func(ctx context.Context, d time.Duration) (best samples, err error) {
		points, err := l.prepare(ctx, insertPoints, "", 6, min(rows, 100))
		if err != nil {
			return best, err
		}
		defer points.Close()
		latest, err := l.prepare(ctx, insertLatest, moveNewest, 8, keys)
		if err != nil {
			return best, err
		}
		defer latest.Close()
		for _, group := range groups {
			var s samples
			for d := d / time.Duration(len(groups)); s.took < d; {
				history, newest := l.rows(group, rows, keys)
				start := time.Now()
				if err := l.write(ctx, points, latest, history, newest); err != nil {
					return best, err
				}
				took := time.Since(start)
				s.took += took
				s.times = append(s.times, slices.Repeat([]time.Duration{took}, group)...)
			}
			if best.times == nil || s.rate() > best.rate() {
				best = s
			}
		}
		return best, nil
	}
}

func (l *limit) prepare(ctx context.Context, head, tail string, width, rows int) (
	*sql.Stmt, error) {
	row := "(?" + strings.Repeat(",?", width-1) + ")"
	return l.db.PrepareContext(ctx, head+row+strings.Repeat(","+row, rows-1)+tail)
}

// rows makes batches of new points, each of the next run: the arguments of the
// statements.
func (l *limit) rows(group, rows, keys int) (history, newest [][]any) {
	l.step += int64(rows)
	for range group {
		run := l.runs[l.next%len(l.runs)]
		l.next++
		var args []any
		for i := range rows {
			args = append(args, run, l.keys[i%keys], l.step+int64(i/keys), 1_700_000_000_000+i,
				float64(i)+.25, 0)
			if (i+1)%100 == 0 || i+1 == rows {
				history, args = append(history, args), nil
			}
		}
		for i := range keys {
			args = append(args, run, l.keys[i], l.step+int64((rows-1)/keys), 1_700_000_000_000+i,
				float64(i)+.25, 0, float64(i), float64(rows))
		}
		newest = append(newest, args)
	}
	return history, newest
}

func (l *limit) write(ctx context.Context, points, latest *sql.Stmt,
	history, newest [][]any) error {
	tx, err := l.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, part := range []struct {
		stmt *sql.Stmt
		args [][]any
	}{{tx.StmtContext(ctx, points), history}, {tx.StmtContext(ctx, latest), newest}} {
		for _, args := range part.args {
			if _, err := part.stmt.ExecContext(ctx, args...); err != nil {
				return err
			}
		}
	}
	return tx.Commit()
}
