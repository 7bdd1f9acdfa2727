package data

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/fairlead-ml/fairlead"
)

// ReadTable reads columns of a canonical file (see Path) into memory, in the
// given order; nil means all. Invalid when a column is not there.
func (s *Service) ReadTable(ctx context.Context, path string, columns []string) (*Table, error) {
	return s.ReadLast(ctx, path, columns, math.MaxInt)
}

// ReadLast is ReadTable of the last n rows.
func (s *Service) ReadLast(ctx context.Context, path string, columns []string, n int) (*Table, error) {
	return readFile(ctx, path, columns, func(total int64) (int64, int64) {
		rows := min(total, int64(n))
		return total - rows, rows
	})
}

// readRange is ReadTable of at most n rows from an offset on; past the end there are
// none.
func readRange(ctx context.Context, path string, columns []string, offset, n int64) (*Table, error) {
	return readFile(ctx, path, columns, func(total int64) (int64, int64) {
		offset = min(max(offset, 0), total)
		return offset, min(n, total-offset)
	})
}

// readFile reads the rows that stretch chooses of all: how many to skip, how many to read.
func readFile(ctx context.Context, path string, columns []string,
	stretch func(total int64) (skip, rows int64)) (*Table, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read table: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read table: %w", err)
	}
	file, err := parquet.OpenFile(f, info.Size(), parquet.SkipBloomFilters(true),
		parquet.SkipPageIndex(true))
	if err != nil {
		return nil, fmt.Errorf("read table: %w", err)
	}
	r := &reader{ctx: ctx, file: file}
	r.skip, r.rows = stretch(file.NumRows())
	return r.table(columns)
}

// reader reads a stretch of one file, column by column.
type reader struct {
	ctx        context.Context
	file       *parquet.File
	skip, rows int64
}

func (r *reader) table(columns []string) (*Table, error) {
	var have []string
	at := map[string]int{}
	for i, field := range r.file.Schema().Fields() {
		have = append(have, field.Name())
		at[field.Name()] = i
	}
	if columns == nil {
		columns = have
	}
	t := &Table{}
	for _, name := range columns {
		i, ok := at[name]
		if !ok {
			return nil, missingColumn("the dataset version", "column", name, have)
		}
		c, err := r.column(i, name)
		if err != nil {
			return nil, fmt.Errorf("read column %q: %w", name, err)
		}
		t.Columns = append(t.Columns, *c)
	}
	return t, nil
}

func (r *reader) column(i int, name string) (*TableColumn, error) {
	kind, err := kindOf(r.file.Schema().Fields()[i].Type())
	if err != nil {
		return nil, err
	}
	c := newColumn(name, kind, int(r.rows))
	buf := make([]parquet.Value, 1024)
	skip := r.skip
	for _, group := range r.file.RowGroups() {
		if c.Len() == int(r.rows) {
			break
		}
		if skip >= group.NumRows() {
			skip -= group.NumRows()
			continue
		}
		pages := group.ColumnChunks()[i].Pages()
		err := pages.SeekToRow(skip)
		if skip = 0; err == nil {
			err = r.pages(pages, c, buf)
		}
		if e := pages.Close(); err == nil {
			err = e
		}
		if err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (r *reader) pages(pages parquet.Pages, c *TableColumn, buf []parquet.Value) error {
	for c.Len() < int(r.rows) {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		err = values(page.Values(), c, int(r.rows), buf)
		parquet.Release(page)
		if err != nil {
			return err
		}
	}
	return nil
}

// values adds what there is to a column of at most rows rows.
func values(in parquet.ValueReader, c *TableColumn, rows int, buf []parquet.Value) error {
	for c.Len() < rows {
		n, err := in.ReadValues(buf[:min(len(buf), rows-c.Len())])
		for _, v := range buf[:n] {
			c.append(v)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// kindOf maps a canonical file's types to ours.
func kindOf(t parquet.Type) (string, error) {
	switch t.Kind() {
	case parquet.Double:
		return Double, nil
	case parquet.Boolean:
		return Boolean, nil
	case parquet.ByteArray:
		return String, nil
	case parquet.Int64:
		if l := t.LogicalType(); l != nil {
			if _, ok := l.Value.(*format.TimestampType); ok {
				return Datetime, nil
			}
		}
		return Long, nil
	}
	return "", fairlead.Errorf(fairlead.Invalid, "the type %s is none of a dataset version's", t)
}

func newColumn(name, kind string, rows int) *TableColumn {
	c := &TableColumn{Name: name, Type: kind}
	switch kind {
	case Double, Boolean:
		c.Floats = make([]float64, 0, rows)
	case Long:
		c.Floats, c.Ints = make([]float64, 0, rows), make([]int64, 0, rows)
		c.Valid = make([]bool, 0, rows)
	case String:
		c.Strings, c.Valid = make([]string, 0, rows), make([]bool, 0, rows)
	case Datetime:
		c.Strings, c.Times = make([]string, 0, rows), make([]time.Time, 0, rows)
	}
	return c
}

// append adds one value, or the column's form of a missing one.
func (c *TableColumn) append(v parquet.Value) {
	null := v.IsNull()
	switch c.Type {
	case Double:
		c.Floats = append(c.Floats, floatOr(null, v.Double))
	case Boolean:
		c.Floats = append(c.Floats, floatOr(null, func() float64 {
			if v.Boolean() {
				return 1
			}
			return 0
		}))
	case Long:
		c.Valid = append(c.Valid, !null)
		c.Ints = append(c.Ints, v.Int64())
		c.Floats = append(c.Floats, floatOr(null, func() float64 { return float64(v.Int64()) }))
	case String:
		c.Valid = append(c.Valid, !null)
		c.Strings = append(c.Strings, string(v.ByteArray()))
	case Datetime:
		c.appendTime(null, v.Int64())
	}
}

func floatOr(null bool, f func() float64) float64 {
	if null {
		return math.NaN()
	}
	return f()
}

func (c *TableColumn) appendTime(null bool, us int64) {
	if null {
		c.Times, c.Strings = append(c.Times, time.Time{}), append(c.Strings, "")
		return
	}
	t := time.UnixMicro(us).UTC()
	c.Times, c.Strings = append(c.Times, t), append(c.Strings, t.Format(time.RFC3339Nano))
}
