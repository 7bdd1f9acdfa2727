package data

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/fairlead-ml/fairlead"
)

// inspectTables describes Parquet or JSON lines files.
func (s *Service) inspectTables(ctx context.Context, src *source, in *Ingest,
	format string) error {
	wanted := in.wantedTypes()
	at := map[string]int{}
	described := make([]*tableFile, len(in.Files))
	for i, path := range in.Files {
		f, err := s.describe(ctx, path, src.names[path], format)
		if err != nil {
			return err
		}
		described[i] = f
		for _, c := range f.columns {
			j, known := at[c.Name]
			if !known {
				j = len(src.columns)
				at[c.Name] = j
				src.columns = append(src.columns, c)
			}
			if src.columns[j].Type, err = common(src.columns[j], c, f.name); err != nil {
				return err
			}
		}
	}
	var names []string
	for i, c := range src.columns {
		src.columns[i].Type = wantedType(c.Type, wanted[c.Name])
		names = append(names, c.Name)
	}
	if err := checkColumns(src.name, names); err != nil {
		return err
	}
	for _, f := range described {
		if err := s.addTable(ctx, src, f); err != nil {
			return err
		}
	}
	return nil
}

// tableFile is a file that carries its own types.
type tableFile struct {
	name, reader string
	columns      []Column
}

func (s *Service) describe(ctx context.Context, path, name, format string) (*tableFile, error) {
	f := &tableFile{name: name, reader: fromParquet(path)}
	if format == "json" {
		f.reader = "read_json(" + file(path) +
			", format = 'newline_delimited', sample_size = -1, hive_partitioning = false)"
	}
	err := s.duck.query(ctx, "describe select * from "+f.reader, map[string]string{path: name},
		func(rows *sql.Rows) error {
			var column, kind string
			var null, key, byDefault, extra any
			if err := rows.Scan(&column, &kind, &null, &key, &byDefault, &extra); err != nil {
				return err
			}
			t, ok := typeOf(kind)
			if !ok {
				return fairlead.Errorf(fairlead.Invalid,
					"%s: column %q holds %s; flatten it into numbers, text, booleans or times",
					name, column, strings.ToLower(kind))
			}
			f.columns = append(f.columns, Column{Name: column, Type: t})
			return nil
		})
	return f, err
}

// typeOf maps DuckDB's types to ours.
func typeOf(kind string) (string, bool) {
	base, _, _ := strings.Cut(kind, "(")
	switch base {
	case "DOUBLE", "FLOAT", "DECIMAL":
		return Double, !strings.HasSuffix(kind, "[]")
	case "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER",
		"UBIGINT", "HUGEINT":
		return Long, true
	case "VARCHAR", "UUID", "ENUM":
		return String, !strings.HasSuffix(kind, "[]")
	case "BOOLEAN":
		return Boolean, true
	case "DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS",
		"TIMESTAMP WITH TIME ZONE":
		return Datetime, true
	}
	return "", false
}

// common is the type that holds the values of both: only numbers mix.
func common(a, b Column, file string) (string, error) {
	if a.Type == b.Type {
		return a.Type, nil
	}
	if numeric(a.Type) && numeric(b.Type) {
		return Double, nil
	}
	return "", fairlead.Errorf(fairlead.Invalid,
		"column %q is %s in %s and %s before; give it one type in all files", b.Name, b.Type, file,
		a.Type)
}

func numeric(kind string) bool { return kind == Long || kind == Double }

// addTable appends the file's select; text that is wanted as a time is checked
// first, so that the error can name the row.
func (s *Service) addTable(ctx context.Context, src *source, f *tableFile) error {
	exprs := map[string]string{}
	var has []string
	for _, c := range f.columns {
		has = append(has, c.Name)
		to := src.column(c.Name).Type
		expr := "cast(" + ident(c.Name) + " as " + sqlTypes[to] + ")"
		if to == Double {
			expr = fmt.Sprintf("case when isnan(%s) then null else %s end", expr, expr)
		}
		exprs[c.Name] = expr
		if c.Type == String && to != String {
			if err := s.checkCast(ctx, f, c.Name, to); err != nil {
				return err
			}
		}
	}
	src.parts = append(src.parts, src.selectFrom(f.reader, has, exprs))
	return nil
}

func (s *Service) checkCast(ctx context.Context, f *tableFile, column, to string) error {
	query := fmt.Sprintf(`select n, v from (select row_number() over () as n, %s as v from %s)
		where v is not null and try_cast(v as %s) is null order by n limit 1`,
		ident(column), f.reader, sqlTypes[to])
	return s.duck.query(ctx, query, nil, func(rows *sql.Rows) error {
		var n int64
		var v string
		if err := rows.Scan(&n, &v); err != nil {
			return err
		}
		return notOfType(fmt.Sprintf("%s row %d", f.name, n), column, v, to)
	})
}
