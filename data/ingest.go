package data

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
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
// semicolon, tab or bar. Empty lines are no rows. A column is boolean (true, false),
// long, double, datetime (ISO 8601, UTC without a zone) or else string, judged on
// all its values; the empty text is a missing value, and so are NA, NaN and null
// except in text. JSON lines (.jsonl, .ndjson) and Parquet bring their own types;
// a column of text is read as times when it is named as Time or expected as time.
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
		key: in.Key, label: in.Label, expect: in.Expect, commit: in.Commit, parents: in.Parents,
		at: in.At, columns: src.columns,
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
