package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"maps"

	"github.com/mattn/go-sqlite3"

	"github.com/fairlead-ml/fairlead"
)

// Tx is one transaction: a snapshot in Read, a savepoint of a batch in Write. It
// is valid until the closure that received it returns, and not for concurrent use.
type Tx struct {
	ctx   context.Context
	conn  *sql.Conn
	stmts map[string]*sql.Stmt // the writer's prepared statements; nil for readers
	batch *batch               // nil for readers
}

// errLost is what statements answer after the engine rolled the batch back by itself,
// as it does on a full disk: one that ran would be a transaction of its own.
var errLost = fairlead.Errorf(fairlead.Unavailable,
	"the disk of the data directory failed during the write; nothing was changed, send it again")

// lost reports whether the batch's transaction is gone.
func (tx *Tx) lost() (lost bool) {
	err := tx.conn.Raw(func(conn any) error {
		lost = tx.batch.begun && conn.(*sqlite3.SQLiteConn).AutoCommit()
		return nil
	})
	return lost || err != nil
}

// Exec runs a statement that returns no rows. In a Write its effect counts
// towards the batch's bound.
func (tx *Tx) Exec(query string, args ...any) (sql.Result, error) {
	if tx.batch == nil {
		res, err := tx.conn.ExecContext(tx.ctx, query, args...)
		return res, translate(err)
	}
	stmt, err := tx.prepare(query)
	if err != nil {
		return nil, err
	}
	res, err := stmt.ExecContext(tx.ctx, args...)
	if err != nil {
		return nil, translate(err)
	}
	n, _ := res.RowsAffected()
	tx.batch.rows += int(n)
	return res, nil
}

// Query runs a statement that returns rows; the caller closes them before the
// next statement of a Write.
func (tx *Tx) Query(query string, args ...any) (*sql.Rows, error) {
	if tx.batch == nil {
		rows, err := tx.conn.QueryContext(tx.ctx, query, args...)
		return rows, translate(err)
	}
	stmt, err := tx.prepare(query)
	if err != nil {
		return nil, err
	}
	rows, err := stmt.QueryContext(tx.ctx, args...)
	return rows, translate(err)
}

// Each runs a query of many rows and calls fn with the columns of each, without
// reflection: integers as int64, doubles as float64, texts as string, and nil for NULL.
// The row is the callee's until it returns, and fn must not use the transaction.
func (tx *Tx) Each(query string, args []any, fn func(row []driver.Value) error) error {
	if tx.batch != nil && tx.lost() {
		return errLost
	}
	named := make([]driver.NamedValue, len(args))
	for i, a := range args {
		v, err := driver.DefaultParameterConverter.ConvertValue(a)
		if err != nil {
			return err
		}
		named[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	var panicked any
	err := tx.conn.Raw(func(conn any) (err error) {
		defer func() { // Raw would give the connection up, and the writer with it
			if panicked = recover(); panicked != nil {
				err = fmt.Errorf("panic: %v", panicked)
			}
		}()
		rows, err := conn.(driver.QueryerContext).QueryContext(tx.ctx, query, named)
		if err != nil {
			return err
		}
		defer rows.Close()
		row := make([]driver.Value, len(rows.Columns()))
		for {
			if err := rows.Next(row); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return err
			}
			if err := fn(row); err != nil {
				return err
			}
		}
	})
	if panicked != nil {
		panic(panicked)
	}
	return translate(err)
}

// Row is the result of QueryRow.
type Row struct {
	row *sql.Row
	err error
}

// Scan copies the row's columns; sql.ErrNoRows when there is none.
func (r Row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	return translate(r.row.Scan(dest...))
}

// QueryRow runs a statement that returns at most one row, `insert … returning`
// included.
func (tx *Tx) QueryRow(query string, args ...any) Row {
	if tx.batch == nil {
		return Row{row: tx.conn.QueryRowContext(tx.ctx, query, args...)}
	}
	stmt, err := tx.prepare(query)
	if err != nil {
		return Row{err: err}
	}
	tx.batch.rows++
	return Row{row: stmt.QueryRowContext(tx.ctx, args...)}
}

// ReadOnly reports whether the transaction is a Read's, and sees only what is committed.
func (tx *Tx) ReadOnly() bool { return tx.batch == nil }

// AtEnd runs fn once at the end of the batch, before its commit, whatever number
// of closures ask for it under the same key. The ledger numbers events there.
// An error of fn fails the whole batch.
func (tx *Tx) AtEnd(key string, fn func(tx *Tx) error) {
	if tx.batch == nil {
		panic("store: AtEnd on a read transaction")
	}
	if _, ok := tx.batch.atEnd[key]; !ok {
		tx.batch.atEnd[key] = fn
		tx.batch.order = append(tx.batch.order, key)
	}
}

// AfterCommit runs fn once after the batch is committed, whatever number of closures
// ask for it under the same key; not when it is rolled back.
func (tx *Tx) AfterCommit(key string, fn func()) {
	if tx.batch == nil {
		panic("store: AfterCommit on a read transaction")
	}
	tx.batch.after = merged(tx.batch.after, map[string]func(){key: fn})
}

// merged adds more to all, which may be nil.
func merged(all, more map[string]func()) map[string]func() {
	if all == nil {
		return more
	}
	maps.Copy(all, more)
	return all
}

// maxPrepared bounds the writer's statement cache; texts are few and constant,
// only `in` lists and multi-row inserts vary.
const maxPrepared = 512

func (tx *Tx) prepare(query string) (*sql.Stmt, error) {
	if tx.lost() {
		return nil, errLost
	}
	if s, ok := tx.stmts[query]; ok {
		return s, nil
	}
	if len(tx.stmts) >= maxPrepared {
		for q, s := range tx.stmts {
			s.Close()
			delete(tx.stmts, q)
			break
		}
	}
	s, err := tx.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, translate(err)
	}
	tx.stmts[query] = s
	return s, nil
}
