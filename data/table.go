package data

import (
	"context"
	"database/sql/driver"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/fairlead-ml/fairlead"
)

// Table is rows in memory, by column. All columns have the same length.
type Table struct {
	Columns []TableColumn
}

// TableColumn is one column. Which field holds the values follows from Type:
//   - double: Floats; NaN is missing
//   - long: Ints; when nil, Floats with whole numbers, NaN missing
//   - boolean: Floats of 0 and 1; NaN is missing
//   - string: Strings
//   - datetime: Times; the zero time is missing
//
// Valid marks the values that are present, nil meaning all but the missing ones
// above. ReadTable also sets Floats of a long column, NaN where missing, and the
// RFC 3339 text of a datetime in Strings.
type TableColumn struct {
	Name    string
	Type    string // double | long | string | boolean | datetime
	Floats  []float64
	Ints    []int64
	Strings []string
	Times   []time.Time
	Valid   []bool
}

// Len is the number of rows.
func (c *TableColumn) Len() int {
	switch {
	case c.Type == Datetime:
		return len(c.Times)
	case c.Type == String:
		return len(c.Strings)
	case c.Type == Long && c.Ints != nil:
		return len(c.Ints)
	}
	return len(c.Floats)
}

// Missing reports whether row i has no value.
func (c *TableColumn) Missing(i int) bool {
	if c.Valid != nil && !c.Valid[i] {
		return true
	}
	switch {
	case c.Type == Datetime:
		return c.Times[i].IsZero()
	case c.Type == String, c.Type == Long && c.Ints != nil:
		return false
	}
	return math.IsNaN(c.Floats[i])
}

// value is row i as DuckDB takes it.
func (c *TableColumn) value(i int) driver.Value {
	switch {
	case c.Missing(i):
		return nil
	case c.Type == Datetime:
		return c.Times[i].UTC()
	case c.Type == String:
		return c.Strings[i]
	case c.Type == Boolean:
		return c.Floats[i] != 0
	case c.Type == Long && c.Ints != nil:
		return c.Ints[i]
	case c.Type == Long:
		return int64(c.Floats[i])
	}
	return c.Floats[i]
}

// Rows is the number of rows.
func (t *Table) Rows() int {
	if len(t.Columns) == 0 {
		return 0
	}
	return t.Columns[0].Len()
}

// Column returns the column of that name, nil when there is none.
func (t *Table) Column(name string) *TableColumn {
	i := slices.IndexFunc(t.Columns, func(c TableColumn) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return &t.Columns[i]
}

func (t *Table) check(dataset string) error {
	if len(t.Columns) == 0 {
		return fairlead.Errorf(fairlead.Invalid, "the table for dataset %s has no columns", dataset)
	}
	names := make([]string, len(t.Columns))
	for i := range t.Columns {
		c := &t.Columns[i]
		names[i] = c.Name
		if sqlTypes[c.Type] == "" {
			return fairlead.Errorf(fairlead.Invalid, "column %q is of the unknown type %q", c.Name, c.Type)
		}
		if c.Len() != t.Rows() || c.Valid != nil && len(c.Valid) != c.Len() {
			return fairlead.Errorf(fairlead.Invalid, "column %q has %d rows and column %q has %d",
				c.Name, c.Len(), t.Columns[0].Name, t.Rows())
		}
	}
	return checkColumns("dataset "+dataset, names)
}

// Create says what becomes a version from rows in memory.
type Create struct {
	Dataset string
	Table   Table  // zero rows are allowed, zero columns are not
	Source  string // default SourceUpload
	Time    string // column with the time of a row, if any
	Key     string // column that identifies a row, if any
	Label   string // column with the truth, if any
	Commit  string
	Parents []Ref
	FromAt  time.Time // when Time is not set, or there are no rows
	ToAt    time.Time
	At      time.Time // stream time of the event; zero: now
}

// Create writes the table as a version of a dataset. The same content gives the
// version that is there already.
func (s *Service) Create(ctx context.Context, p fairlead.Project, c Create) (*Version, error) {
	if err := checkOwnName(c.Dataset); err != nil {
		return nil, err
	}
	if err := c.Table.check(c.Dataset); err != nil {
		return nil, err
	}
	d := &draft{
		dataset: c.Dataset, source: or(c.Source, SourceUpload), time: c.Time, key: c.Key,
		label: c.Label, commit: c.Commit, parents: c.Parents, at: c.At,
	}
	if c.Time == "" || c.Table.Rows() == 0 {
		d.from, d.to = c.FromAt, c.ToAt
	}
	for _, tc := range c.Table.Columns {
		d.columns = append(d.columns, Column{Name: tc.Name, Type: tc.Type})
	}
	if tc := c.Table.Column(c.Time); c.Time != "" && (tc == nil || tc.Type != Datetime) {
		return nil, fairlead.Errorf(fairlead.Invalid,
			"dataset %s has no datetime column %q", c.Dataset, c.Time)
	}
	defer s.discard(d)
	if err := s.writeTable(ctx, d, &c.Table); err != nil {
		return nil, fmt.Errorf("write dataset %s: %w", c.Dataset, err)
	}
	return s.publish(ctx, p, d)
}

// writeTable appends the rows to a temporary table and copies that to the file.
func (s *Service) writeTable(ctx context.Context, d *draft, t *Table) error {
	db, err := s.duck.open()
	if err != nil {
		return err
	}
	conn, err := db.Conn(ctx) // temporary tables are a connection's own
	if err != nil {
		return duckError(ctx, err, nil)
	}
	defer conn.Close()
	var columns []string
	for i := range t.Columns {
		columns = append(columns, ident(t.Columns[i].Name)+" "+sqlTypes[t.Columns[i].Type])
	}
	name := "t" + fairlead.NewHexID()
	create := "create temp table " + name + " (" + strings.Join(columns, ", ") + ")"
	if _, err := conn.ExecContext(ctx, create); err != nil {
		return duckError(ctx, err, nil)
	}
	defer conn.ExecContext(context.WithoutCancel(ctx), "drop table "+name)
	err = conn.Raw(func(dc any) error { return appendRows(ctx, dc.(driver.Conn), name, t) })
	if err != nil {
		return duckError(ctx, err, nil)
	}
	d.path = filepath.Join(s.dir, fairlead.NewHexID()+".parquet")
	_, err = conn.ExecContext(ctx, copyStatement("select * from "+name, d.path))
	return duckError(ctx, err, nil)
}

func appendRows(ctx context.Context, conn driver.Conn, name string, t *Table) error {
	a, err := duckdb.NewAppender(conn, "temp", "", name)
	if err != nil {
		return err
	}
	row := make([]driver.Value, len(t.Columns))
	for i := range t.Rows() {
		if i%1024 == 0 && ctx.Err() != nil {
			a.Close()
			return ctx.Err()
		}
		for j := range t.Columns {
			row[j] = t.Columns[j].value(i)
		}
		if err := a.AppendRow(row...); err != nil {
			a.Close()
			return err
		}
	}
	return a.Close()
}
