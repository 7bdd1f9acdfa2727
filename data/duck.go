package data

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/fairlead-ml/fairlead"
)

// duck is DuckDB, opened at the first use: an idle program must not hold it.
type duck struct {
	spill string // directory for what does not fit into memory
	once  sync.Once
	db    *sql.DB
	err   error
}

// conns bounds the queries that run at once, each on one thread.
const conns = 2

func (d *duck) open() (*sql.DB, error) {
	d.once.Do(func() { d.db, d.err = openDuck(d.spill) })
	return d.db, d.err
}

// openDuck: one thread, so that rows and floating-point sums keep one order;
// nothing is fetched or loaded; the configuration is locked last.
func openDuck(spill string) (*sql.DB, error) {
	q := url.Values{
		"threads": {"1"}, "memory_limit": {"512MB"}, "temp_directory": {spill},
		"autoinstall_known_extensions": {"false"}, "autoload_known_extensions": {"false"},
		"allow_community_extensions": {"false"},
	}
	c, err := duckdb.NewConnector(":memory:?"+q.Encode(), nil)
	if err != nil {
		return nil, fmt.Errorf("open duckdb: %w", err)
	}
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(conns)
	for _, set := range []string{"set global TimeZone = 'UTC'", "set lock_configuration = true"} {
		if _, err := db.Exec(set); err != nil {
			db.Close()
			return nil, fmt.Errorf("open duckdb: %w", err)
		}
	}
	return db, nil
}

func (d *duck) close() error {
	d.once.Do(func() {
		d.err = fairlead.Errorf(fairlead.Unavailable, "the server is stopping; try again")
	})
	if d.db == nil {
		return nil
	}
	return d.db.Close()
}

// exec runs a statement; names maps file paths to what a user calls them.
func (d *duck) exec(ctx context.Context, query string, names map[string]string) error {
	db, err := d.open()
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, query)
	return duckError(ctx, err, names)
}

// query runs fn for each row.
func (d *duck) query(ctx context.Context, query string, names map[string]string,
	fn func(rows *sql.Rows) error) error {
	db, err := d.open()
	if err != nil {
		return err
	}
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return duckError(ctx, err, names)
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows); err != nil {
			return err
		}
	}
	return duckError(ctx, rows.Err(), names)
}

// duckError gives DuckDB's failures a code, and the files the names that the
// user knows.
func duckError(ctx context.Context, err error, names map[string]string) error {
	var e *duckdb.Error
	if err == nil || !errors.As(err, &e) {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	text := e.Msg
	for path, name := range names {
		text = strings.ReplaceAll(text, path, name)
	}
	switch {
	case strings.Contains(text, "No space left"):
		return errFullDisk.Because(err)
	case e.Type == duckdb.ErrorTypeOutOfMemory: // not Exhausted: no waiting mends it
		return fairlead.Errorf(fairlead.Precondition,
			"the data does not fit into the memory set aside for it; send it in smaller parts").
			Because(err)
	case e.Type == duckdb.ErrorTypeInvalidInput, e.Type == duckdb.ErrorTypeConversion,
		e.Type == duckdb.ErrorTypeOutOfRange, e.Type == duckdb.ErrorTypeIO:
		return fairlead.Errorf(fairlead.Invalid, "the data cannot be read: %s",
			firstLine(text)).Because(err)
	}
	return fmt.Errorf("duckdb: %w", err)
}

var errFullDisk = fairlead.Errorf(fairlead.Exhausted,
	"the disk of the data directory is full; free some room and try again")

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	if _, rest, ok := strings.Cut(line, " Error: "); ok {
		line = rest
	}
	return line
}

// ident quotes a column's name, literal a text.
func ident(name string) string   { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
func literal(text string) string { return `'` + strings.ReplaceAll(text, `'`, `''`) + `'` }

// file is the text that a table function takes for exactly one file: for DuckDB each
// path is a pattern.
func file(path string) string { return literal(patternChars.Replace(path)) }

var patternChars = strings.NewReplacer("[", "[[]", "*", "[*]", "?", "[?]")

// fromParquet is the table function for one canonical file.
func fromParquet(path string) string {
	return "read_parquet(" + file(path) + ", hive_partitioning = false)"
}

// sqlTypes are DuckDB's names of our types.
var sqlTypes = map[string]string{
	Double: "double", Long: "bigint", String: "varchar", Boolean: "boolean",
	Datetime: "timestamptz",
}

// copyTo writes the result of a query as a canonical file.
func (d *duck) copyTo(ctx context.Context, query, path string, names map[string]string) error {
	return d.exec(ctx, copyStatement(query, path), names)
}

// copyStatement has the options that the bytes of a version depend on; do not
// change them without need.
func copyStatement(query, path string) string {
	return "copy (" + query + ") to " + literal(path) +
		" (format parquet, compression zstd, parquet_version v1, row_group_size 122880)"
}
