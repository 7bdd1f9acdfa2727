package data

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/fairlead-ml/fairlead"
)

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
	reader := fmt.Sprintf("read_csv(%s, columns = {%s}, delim = %s, auto_detect = false, "+
		`header = true, quote = '"', escape = '"', nullstr = '', strict_mode = false, `+
		"hive_partitioning = false)",
		file(f.path), strings.Join(columns, ", "), literal(string(f.comma)))
	if len(f.header) == 1 {
		// An empty line is no row; DuckDB takes it for one with a missing value.
		reader += " where " + ident(f.header[0]) + " is not null"
	}
	return reader
}
