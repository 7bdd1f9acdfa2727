package data_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	_ "github.com/duckdb/duckdb-go/v2"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/data"
)

// parquet writes the result of a query as another program would.
func (f *fixture) parquet(t *testing.T, name, query string) string {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	path := filepath.Join(f.in, name)
	if _, err := db.Exec("copy (" + query + ") to '" + path + "' (format parquet)"); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestIngest_ReducesParquetToFiveTypes(t *testing.T) {
	f := open(t)
	for sql, want := range map[string]string{
		"1.5::float":                               "double 1.5",
		"'nan'::double":                            "double -",
		"2.25::decimal(9,2)":                       "double 2.25",
		"7::utinyint":                              "long 7",
		"-7::smallint":                             "long -7",
		"7::ubigint":                               "long 7",
		"'a'::varchar":                             "string a",
		"'a'::enum('a','b')":                       "string a",
		"true":                                     "boolean 1",
		"date '2011-02-03'":                        "datetime 2011-02-03T00:00:00Z",
		"timestamp '2011-02-03 04:05:06.789'":      "datetime 2011-02-03T04:05:06.789Z",
		"timestamp_ns '2011-02-03 04:05:06.7'":     "datetime 2011-02-03T04:05:06.7Z",
		"timestamptz '2011-02-03 04:05:06+01'":     "datetime 2011-02-03T03:05:06Z",
		"'6a0b9bd2-5a4c-4a4b-8a4b-0a0b0c0d'::blob": "",
		"[1, 2]":                                   "",
		"{'a': 1}":                                 "",
		"interval 1 day":                           "",
		"time '01:02:03'":                          "",
	} {
		path := f.parquet(t, "a.parquet", "select "+sql+" as x")
		v, err := f.Ingest(t.Context(), project, data.Ingest{Dataset: "d", Files: []string{path}})
		if want == "" {
			if !fairlead.Is(err, fairlead.Invalid) || !strings.Contains(err.Error(), `column "x" holds`) {
				t.Errorf("%s: %v", sql, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", sql, err)
			continue
		}
		got := f.read(t, v.Ref()).Columns[0]
		if s := got.Type + " " + show(&got); s != want || v.Columns[0].Type != got.Type {
			t.Errorf("%s becomes %s, want %s", sql, s, want)
		}
	}
}

func TestIngest_ParquetFilesMustAgree(t *testing.T) {
	f := open(t)
	a := f.parquet(t, "a.parquet", "select 1 as id, 1 as x")
	b := f.parquet(t, "b.parquet", "select 2.5::double as x, 'new' as y, 2 as id")
	c := f.parquet(t, "c.parquet", "select 3 as id, 'text' as x")
	v, err := f.Ingest(t.Context(), project, data.Ingest{Dataset: "d", Files: []string{a, b}})
	if err != nil {
		t.Fatal(err)
	}
	if got := f.read(t, v.Ref()); types(v.Columns) != "id:long x:double y:string" ||
		show(got.Column("x")) != "1 2.5" || show(got.Column("y")) != "- new" {
		t.Errorf("%s %+v", types(v.Columns), got)
	}
	_, err = f.Ingest(t.Context(), project, data.Ingest{Dataset: "d", Files: []string{a, c}})
	if !fairlead.Is(err, fairlead.Invalid) ||
		!strings.Contains(err.Error(), `"x" is string in c.parquet`) {
		t.Errorf("error %v", err)
	}
}

func TestIngest_TextOfParquetIsReadAsTheTimeThatIsNamed(t *testing.T) {
	f := open(t)
	path := f.parquet(t, "a.parquet", "select unnest(['2011-01-02T03:04:05Z', '2011-01-03']) as at")
	in := data.Ingest{Dataset: "d", Time: "at", Files: []string{path}}
	v, err := f.Ingest(t.Context(), project, in)
	if err != nil || v.Columns[0].Type != data.Datetime || v.FromAt.Hour() != 3 {
		t.Errorf("version %+v, %v", v, err)
	}
}

func TestIngest_SimultaneousOnesMakeOneVersion(t *testing.T) {
	f := open(t)
	in := data.Ingest{Dataset: "d", Files: []string{f.write(t, "a.csv", small)}}
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			v, err := f.Ingest(context.Background(), project, in)
			if err != nil || v.N != 1 {
				t.Errorf("version %+v, %v", v, err)
			}
		})
	}
	wg.Wait()
}

func TestIngest_EndsWithItsContext(t *testing.T) {
	f := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	in := data.Ingest{Dataset: "d", Files: []string{f.write(t, "a.csv", small)}}
	_, err := f.Ingest(ctx, project, in)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestReadTable_RefusesAColumnThatIsNotThere(t *testing.T) {
	f := open(t)
	path, err := f.Path(t.Context(), project, f.ingest(t, "a.csv", small).Ref())
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.ReadTable(t.Context(), path, []string{"temp", "cty"})
	if !fairlead.Is(err, fairlead.Invalid) || !strings.Contains(err.Error(), `did you mean "city"?`) {
		t.Errorf("error %v", err)
	}
}

func TestReadLast_ReadsTheEndOfTheFile(t *testing.T) {
	f := open(t)
	const rows = 300_000 // several row groups
	path := f.parquet(t, "long.parquet", "select range as x, case when range % 3 > 0 then "+
		"range::varchar end as s from range(300000)")
	v, err := f.Ingest(t.Context(), project, data.Ingest{Dataset: "long", Files: []string{path}})
	if err != nil {
		t.Fatal(err)
	}
	stored, err := f.Path(t.Context(), project, v.Ref())
	if err != nil {
		t.Fatal(err)
	}
	whole, err := f.ReadTable(t.Context(), stored, nil)
	if err != nil || whole.Rows() != rows {
		t.Fatalf("%d rows, %v", whole.Rows(), err)
	}
	for _, n := range []int{1, 5, 130_000, rows - 1, rows, 2 * rows} {
		last, err := f.ReadLast(t.Context(), stored, []string{"s", "x"}, n)
		if err != nil || last.Rows() != min(n, rows) {
			t.Fatalf("last %d: %d rows, %v", n, last.Rows(), err)
		}
		from := rows - last.Rows()
		if !slices.Equal(last.Column("x").Ints, whole.Column("x").Ints[from:]) ||
			!slices.Equal(last.Column("s").Strings, whole.Column("s").Strings[from:]) ||
			!slices.Equal(last.Column("s").Valid, whole.Column("s").Valid[from:]) {
			t.Errorf("the last %d rows are other ones", n)
		}
	}
}

func TestIngest_TakesNoPathForAPattern(t *testing.T) {
	odd := filepath.Join(t.TempDir(), "a[b]*?{c}")
	if err := os.Mkdir(odd, 0o755); err != nil {
		t.Fatal(err)
	}
	f := openIn(t, odd)
	f.in = odd
	f.write(t, "ax.csv", "x\n2\n") // what the patterns below would match, too
	f.write(t, "ax.jsonl", `{"x": 2}`)
	f.parquet(t, "ax.parquet", "select 2::bigint as x")
	for _, path := range []string{f.write(t, "[a]*.csv", "x\n1\n"),
		f.write(t, "[a]?.jsonl", `{"x": 1}`), f.parquet(t, "[a]?.parquet", "select 1::bigint as x")} {
		v, err := f.Ingest(t.Context(), project, data.Ingest{Dataset: "d", Files: []string{path}})
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if c := f.read(t, v.Ref()).Column("x"); c == nil || show(c) != "1" {
			t.Errorf("%s: %+v", path, c)
		}
	}
}
