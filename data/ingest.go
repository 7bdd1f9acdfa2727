package data

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/spec"
)

// Ingest says which files become a version, and what is known about them.
type Ingest struct {
	Dataset string
	Files   []string // absolute and trusted; all CSV, all Parquet or all JSON lines
	Dir     string   // what file names in errors are relative to; empty: their last part
	Time    string   // column with the time of a row, if any; then each row has one
	Key     string   // column that identifies a row, if any; then its values are unique
	Label   string   // column with the truth, if any
	Expect  []spec.Expectation
	Last    time.Duration // keep only rows newer than the newest minus this; 0: all
	Source  string        // default SourceFile
	Commit  string
	Parents []Ref
	At      time.Time // stream time of the event; zero: now
}

// Ingest turns files into a version of a dataset, one table with the columns of
// all files, rows in the order given. The same content gives the version that is
// there already. What is wrong with the files is Invalid and says where; a file
// that is not there is NotFound.
//
// CSV files (.csv, .tsv, .txt; also .gz) have a header; the separator is comma,
// semicolon, tab or bar. Empty lines are no rows. A column is boolean (true, false), long, double, datetime
// (ISO 8601, UTC without a zone) or else string, judged on all its values; the
// empty text is a missing value, and so are NA, NaN and null except in text.
func (s *Service) Ingest(ctx context.Context, p fairlead.Project, in Ingest) (*Version, error) {
	if err := checkOwnName(in.Dataset); err != nil {
		return nil, err
	}
	src, err := s.inspect(ctx, &in)
	if err != nil {
		return nil, err
	}
	if err := src.checkRoles(&in); err != nil {
		return nil, err
	}
	d := &draft{
		dataset: in.Dataset, source: or(in.Source, SourceFile), time: in.Time,
		commit: in.Commit, parents: in.Parents, at: in.At, columns: src.columns,
	}
	defer s.discard(d)
	if err := s.write(ctx, d, src.query(), src.names); err != nil {
		return nil, err
	}
	if err := s.checkRows(ctx, d, src); err != nil {
		return nil, err
	}
	if err := s.keepLast(ctx, d, in.Last); err != nil {
		return nil, err
	}
	if err := s.verify(ctx, d, &in); err != nil {
		return nil, err
	}
	return s.publish(ctx, p, d)
}

// source is the files of one ingestion, described.
type source struct {
	name    string // of the files, for errors about all of them
	columns []Column
	parts   []string          // one select per file, each with all columns
	names   map[string]string // path → what the user calls it
	rows    int64             // counted in CSV files; 0: not counted
}

func (src *source) query() string { return strings.Join(src.parts, " union all ") }

// formats by the end of a file's name.
var formats = map[string]string{
	".csv": "csv", ".tsv": "csv", ".txt": "csv", ".csv.gz": "csv", ".tsv.gz": "csv",
	".parquet": "parquet", ".jsonl": "json", ".ndjson": "json",
}

func formatOf(path string) string {
	base := strings.TrimSuffix(path, ".gz")
	ext := strings.ToLower(filepath.Ext(base))
	if base != path {
		ext += ".gz"
	}
	return formats[ext]
}

func (s *Service) inspect(ctx context.Context, in *Ingest) (*source, error) {
	src := &source{names: map[string]string{}}
	format := ""
	for _, path := range in.Files {
		name, err := admit(in.Dir, path)
		if err != nil {
			return nil, err
		}
		f := formatOf(path)
		if f == "" {
			return nil, fairlead.Errorf(fairlead.Invalid,
				"%s is of no known format; use .csv, .tsv, .parquet or .jsonl", name)
		}
		if format = or(format, f); f != format {
			return nil, fairlead.Errorf(fairlead.Invalid,
				"the files of %s mix formats (%s is not %s); keep one format", in.Dataset, name, format)
		}
		src.names[path] = name
		src.name = or(src.name, name)
	}
	switch format {
	case "":
		return nil, fairlead.Errorf(fairlead.Invalid, "the dataset %s names no files", in.Dataset)
	case "csv":
		return src, src.inspectCSV(in)
	}
	return src, s.inspectTables(ctx, src, in, format)
}

// admit checks that a path can be read as one plain file and returns what the
// user calls it.
func admit(dir, path string) (string, error) {
	name := filepath.Base(path)
	if rel, err := filepath.Rel(dir, path); dir != "" && err == nil {
		name = rel
	}
	switch {
	case !filepath.IsAbs(path) || filepath.Clean(path) != path:
		return "", fairlead.Errorf(fairlead.Invalid, "%q is not the clean absolute path of a file", path)
	case dir != "" && !filepath.IsLocal(name):
		return "", fairlead.Errorf(fairlead.Invalid, "%q is outside of the project", path)
	case strings.ContainsAny(path, "*?["):
		return "", fairlead.Errorf(fairlead.Invalid,
			"%q has one of the characters *?[ in its name, which means a pattern; rename it", name)
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fairlead.Errorf(fairlead.NotFound, "there is no file %s", name)
	case err != nil:
		return "", fmt.Errorf("read %s: %w", name, err)
	case !info.Mode().IsRegular():
		return "", fairlead.Errorf(fairlead.Invalid, "%s is not a file", name)
	case info.Size() == 0:
		return "", emptyFile(name)
	}
	return name, nil
}

// inspectCSV types the columns by all rows of all files.
func (src *source) inspectCSV(in *Ingest) error {
	set := &columnSet{byName: map[string]*textColumn{}}
	var files []*csvFile
	for _, path := range in.Files {
		f, err := scanCSV(path, src.names[path], set)
		if err != nil {
			return err
		}
		files = append(files, f)
		src.rows += f.rows
	}
	wanted := in.wantedTypes()
	exprs := make(map[string]string, len(set.order))
	var names []string
	for _, c := range set.order {
		kind, err := c.resolve(wanted[c.name])
		if err != nil {
			return err
		}
		names = append(names, c.name)
		src.columns = append(src.columns, Column{Name: c.name, Type: kind})
		exprs[c.name] = castText(c.name, kind)
	}
	if err := checkColumns(src.name, names); err != nil {
		return err
	}
	for _, f := range files {
		src.parts = append(src.parts, src.selectFrom(f.reader(), f.header, exprs))
	}
	return nil
}

// castText is the SQL that types one column of text.
func castText(name, kind string) string {
	if kind == String {
		return ident(name)
	}
	marks := make([]string, len(missing))
	for i, m := range missing {
		marks[i] = literal(m)
	}
	v := "trim(" + ident(name) + ", ' ' || chr(9))"
	return fmt.Sprintf("case when %s = '' or %s in (%s) then null else cast(%s as %s) end",
		v, v, strings.Join(marks, ", "), v, sqlTypes[kind])
}

// selectFrom reads all columns of the source from one file; those that the file
// lacks are null.
func (src *source) selectFrom(reader string, has []string, exprs map[string]string) string {
	var out []string
	for _, c := range src.columns {
		expr := exprs[c.Name]
		if !slices.Contains(has, c.Name) {
			expr = "cast(null as " + sqlTypes[c.Type] + ")"
		}
		out = append(out, expr+" as "+ident(c.Name))
	}
	return "select " + strings.Join(out, ", ") + " from " + reader
}

// reader is the table function for the file, with nothing left to guess.
func (f *csvFile) reader() string {
	var columns []string
	for _, h := range f.header {
		columns = append(columns, literal(h)+": 'VARCHAR'")
	}
	reader := fmt.Sprintf("read_csv(%s, columns = {%s}, auto_detect = false, header = true, delim = %s, "+
		`quote = '"', escape = '"', nullstr = '', strict_mode = false, hive_partitioning = false)`,
		literal(f.path), strings.Join(columns, ", "), literal(string(f.comma)))
	if len(f.header) == 1 {
		// An empty line is no row; DuckDB takes it for one with a missing value.
		reader += " where " + ident(f.header[0]) + " is not null"
	}
	return reader
}

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
		f.reader = "read_json(" + literal(path) +
			", format = 'newline_delimited', sample_size = -1, hive_partitioning = false)"
	}
	err := s.duck.query(ctx, "describe select * from "+f.reader, map[string]string{path: name},
		func(rows *sql.Rows) error {
			var column, kind string
			var ignored [4]any
			if err := rows.Scan(&column, &kind, &ignored[0], &ignored[1], &ignored[2], &ignored[3]); err != nil {
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
		"column %q is %s in %s and %s before; give it one type in all files", b.Name, b.Type, file, a.Type)
}

func numeric(kind string) bool { return kind == Long || kind == Double }

// addTable appends the file's select; text that is wanted as a time is checked
// first, so that the error can name the row.
func (s *Service) addTable(ctx context.Context, src *source, f *tableFile) error {
	exprs := map[string]string{}
	var has []string
	for _, c := range f.columns {
		has = append(has, c.Name)
		to := src.columns[slices.IndexFunc(src.columns, func(o Column) bool { return o.Name == c.Name })].Type
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

// write makes the draft's file from a query.
func (s *Service) write(ctx context.Context, d *draft, query string,
	names map[string]string) error {
	d.path = filepath.Join(s.dir, fairlead.NewHexID()+".parquet")
	return s.duck.copyTo(ctx, query, d.path, names)
}

// checkRows makes sure that no row was lost between two readers of the same text.
func (s *Service) checkRows(ctx context.Context, d *draft, src *source) error {
	if src.rows == 0 {
		return nil
	}
	return s.duck.query(ctx, "select count(*) from "+fromParquet(d.path), nil,
		func(rows *sql.Rows) error {
			var n int64
			if err := rows.Scan(&n); err != nil {
				return err
			}
			if n != src.rows {
				return fairlead.Errorf(fairlead.Invalid, "%s has %d records, of which %d can be read as rows; "+
					"save it as plain CSV (RFC 4180) or as Parquet", src.name, src.rows, n)
			}
			return nil
		})
}

// keepLast drops the rows that are older than the newest minus last.
func (s *Service) keepLast(ctx context.Context, d *draft, last time.Duration) error {
	if last <= 0 {
		return nil
	}
	if d.time == "" {
		return fairlead.Errorf(fairlead.Invalid,
			"`last` of %s needs `time`, the column with the time of a row", d.dataset)
	}
	all := d.path
	_, to, err := s.span(ctx, all, d.time)
	if err != nil || to.IsZero() {
		return err
	}
	defer os.Remove(all)
	return s.write(ctx, d, fmt.Sprintf("select * from %s where %s > %s", fromParquet(all),
		ident(d.time), timeLiteral(to.Add(-last))), nil)
}

func timeLiteral(t time.Time) string {
	return "timestamptz " + literal(t.UTC().Format("2006-01-02 15:04:05.000000")+"+00")
}

// span returns the oldest and newest time of a column; zero without rows.
func (s *Service) span(ctx context.Context, path, column string) (from, to time.Time, err error) {
	err = s.duck.query(ctx, fmt.Sprintf("select epoch_us(min(%s)), epoch_us(max(%s)) from %s",
		ident(column), ident(column), fromParquet(path)), nil, func(rows *sql.Rows) error {
		var a, b sql.NullInt64
		if err := rows.Scan(&a, &b); err != nil {
			return err
		}
		if a.Valid {
			from, to = time.UnixMicro(a.Int64).UTC(), time.UnixMicro(b.Int64).UTC()
		}
		return nil
	})
	return from, to, err
}
