package query

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/duckdb/duckdb-go/v2"
)

// What a child does.
const (
	modeParse = "parse"
	modeRun   = "run"
)

// firstFile is the descriptor of the first table's file.
const firstFile = 3

// ChildMain is the life of a process that parses or runs a query. It does nothing in
// any other process; main, and TestMain of a package that runs queries, call it before
// anything else.
func ChildMain() {
	mode := os.Getenv(modeVar)
	if mode == "" {
		return
	}
	os.Unsetenv(modeVar)
	c := &speaker{out: bufio.NewWriterSize(os.Stdout, 64<<10)}
	if err := c.live(mode); err != nil {
		c.say(line{Error: newFailure(err)})
	}
	if c.out.Flush() != nil {
		os.Exit(1) // the parent has heard enough
	}
	os.Exit(0)
}

// speaker is a child.
type speaker struct {
	out   *bufio.Writer
	order order
	conn  *sql.Conn
	cut   int64 // cells
}

func (c *speaker) say(l line) error {
	b, err := json.Marshal(l)
	if err != nil {
		return err
	}
	c.out.Write(b)
	return c.out.WriteByte('\n')
}

func (c *speaker) live(mode string) error {
	if err := json.NewDecoder(os.Stdin).Decode(&c.order); err != nil {
		return err
	}
	ctx := context.Background()
	db, err := openDuck()
	if err != nil {
		return err
	}
	if c.conn, err = db.Conn(ctx); err != nil {
		return err
	}
	if mode == modeParse {
		return c.parse(ctx)
	}
	return c.run(ctx)
}

func openDuck() (*sql.DB, error) {
	q := url.Values{
		"threads": {strconv.Itoa(threads)}, "temp_directory": {""},
		"memory_limit":                 {strconv.Itoa(MaxMemory>>20) + "MiB"},
		"autoinstall_known_extensions": {"false"}, "autoload_known_extensions": {"false"},
		"allow_community_extensions": {"false"}, "errors_as_json": {"true"},
	}
	c, err := duckdb.NewConnector(":memory:?"+q.Encode(), nil)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(c), nil
}

// run makes the tables and answers the query.
func (c *speaker) run(ctx context.Context) error {
	if err := c.prepare(ctx); err != nil {
		return err
	}
	if err := c.bind(ctx); err != nil {
		return err
	}
	rows, err := c.conn.QueryContext(ctx, fmt.Sprintf("select * from query(%s) limit %d",
		literal(c.order.SQL), c.order.Rows+1))
	if err != nil {
		return c.located(err)
	}
	defer rows.Close()
	return c.answer(rows)
}

// prepare makes the views and locks the rest out. A descriptor's name in /proc leads to
// the file that was opened, whatever its path has become.
func (c *speaker) prepare(ctx context.Context) error {
	var views, paths []string
	for i, name := range c.order.Tables {
		path := literal("/proc/self/fd/" + strconv.Itoa(firstFile+i))
		paths = append(paths, path)
		views = append(views, fmt.Sprintf("create view %s as select * from "+
			"read_parquet(%s, hive_partitioning = false)", ident(name), path))
	}
	all := append([]string{
		"set TimeZone = 'UTC'",
		"set allowed_paths = [" + strings.Join(paths, ", ") + "]",
		"set enable_external_access = false",
	}, views...)
	for _, statement := range append(all, "set lock_configuration = true") {
		_, err := c.conn.ExecContext(ctx, statement)
		switch {
		case err != nil && c.order.Foreign:
			return c.located(err)
		case err != nil:
			return fmt.Errorf("prepare: %w", err)
		}
	}
	return nil
}

// bind finds what the query says wrong of the tables: positions in its text are lost
// once it runs inside of another.
func (c *speaker) bind(ctx context.Context) error {
	s, err := c.conn.PrepareContext(ctx, c.order.SQL)
	if err != nil {
		return c.located(err)
	}
	return s.Close()
}

func (c *speaker) answer(rows *sql.Rows) error {
	types, err := rows.ColumnTypes()
	if err != nil {
		return err
	}
	columns := make([]Column, len(types))
	values, dest := make([]any, len(types)), make([]any, len(types))
	for i, t := range types {
		columns[i] = Column{Name: t.Name(), Type: t.DatabaseTypeName()}
		dest[i] = &values[i]
	}
	if err := c.say(line{Columns: columns}); err != nil {
		return err
	}
	e := &end{}
	var b []byte
	for n := int64(0); rows.Next(); n++ {
		if e.More = n == c.order.Rows; e.More {
			break
		}
		if err := rows.Scan(dest...); err != nil {
			return err
		}
		b = append(c.row(b[:0], columns, values), '\n')
		if _, err := c.out.Write(b); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return c.located(err)
	}
	e.CutCells = c.cut
	return c.say(line{End: e})
}

// row writes a row as a JSON array.
func (c *speaker) row(b []byte, columns []Column, values []any) []byte {
	for i, v := range values {
		sep := byte(',')
		if i == 0 {
			sep = '['
		}
		b = append(b, sep)
		if text, ok := v.(string); ok && c.order.Cell > 0 && len(text) > c.order.Cell {
			v = CutText(text, c.order.Cell)
			c.cut++
		}
		b = appendTyped(b, columns[i].Type, v)
	}
	return append(b, ']')
}

// ident quotes a name, literal a text.
func ident(name string) string   { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
func literal(text string) string { return `'` + strings.ReplaceAll(text, `'`, `''`) + `'` }
