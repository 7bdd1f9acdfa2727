package data_test

import (
	"database/sql"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/data"
)

func (f *fixture) file(t testing.TB, sql, form string) (string, error) {
	t.Helper()
	file, err := f.QueryFile(t.Context(), project, data.Query{SQL: sql}, form)
	if err != nil {
		return "", err
	}
	defer file.Close()
	if _, err := os.Stat(file.Name()); err == nil {
		t.Errorf("%s is still there", file.Name())
	}
	b, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "a."+form)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, nil
}

func TestQueryFile_IsParquetWithTheAnswersTypes(t *testing.T) {
	f := open(t)
	f.dataset(t, "d", hourly(0, 10))
	path, err := f.file(t, `select count(*) as n, sum(x)::hugeint as h, 9007199254740993 as big,
		'nan'::double as nan, -0.1::float as f, 1.50::decimal(4,2) as dec, true as b, null as nothing,
		'' as empty, 'ü"' || chr(0) || '\' as text, date '2011-03-04' as day, min("at") as first,
		time '01:02:03.5' as t, timestamp '2011-03-04 05:06:07.123456' as ts, interval '1 month' as i,
		'ab'::blob as raw, [1, 2] as list, {'a': 'x'} as s, 'a'::enum('a') as e, 1 as N, 1 as "n_1"
		from d`, data.Parquet)
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("set global TimeZone = 'UTC'"); err != nil { // not that of the machine
		t.Fatal(err)
	}
	rows, err := db.Query("select column_name, column_type from (describe '" + path + "')")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var got []string
	for rows.Next() {
		var name, kind string
		var value sql.NullString
		if err := rows.Scan(&name, &kind); err != nil {
			t.Fatal(err)
		}
		if err := db.QueryRow(`select "` + name + `"::varchar from '` + path + "'").Scan(&value); err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s %s %q %v", name, kind, value.String, value.Valid))
	}
	want := []string{
		`n BIGINT "10" true`, `h DECIMAL(38,0) "45" true`, `big BIGINT "9007199254740993" true`,
		`nan DOUBLE "nan" true`, `f FLOAT "-0.1" true`, `dec DECIMAL(4,2) "1.50" true`,
		`b BOOLEAN "true" true`, `nothing INTEGER "" false`, `empty VARCHAR "" true`,
		`text VARCHAR "ü\"\x00\\" true`, `day DATE "2011-03-04" true`,
		`first TIMESTAMP WITH TIME ZONE "2011-01-01 00:00:00+00" true`, `t TIME "01:02:03.5" true`,
		`ts TIMESTAMP "2011-03-04 05:06:07.123456" true`, `i VARCHAR "P1M0DT0S" true`,
		`raw BLOB "ab" true`, `list VARCHAR "[1,2]" true`, `s VARCHAR "{\"a\":\"x\"}" true`,
		`e VARCHAR "a" true`, `N_1 INTEGER "1" true`, `n_1_1 INTEGER "1" true`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
}

func TestQueryFile_IsTheWholeAnswerOrNone(t *testing.T) {
	dir := t.TempDir()
	f := openIn(t, dir)
	_, err := f.file(t, "from range(1000001)", data.CSV)
	if !fairlead.Is(err, fairlead.Precondition) || !strings.Contains(err.Error(), "1000000 rows") {
		t.Errorf("too many rows: %v", err)
	}
	_, err = f.file(t, "select repeat('x', 1000000) from range(300)", data.Parquet)
	if !fairlead.Is(err, fairlead.Precondition) || !strings.Contains(err.Error(), "256 MB") {
		t.Errorf("too many bytes: %v", err)
	}
	for _, text := range []string{"select i, i * 2.5 as x, 'row ' || i as s from range(100000) t(i)",
		"select repeat('\"', 10000000) from range(2)", "select 1 where false",
		"select " + strings.Repeat("[", 50) + strings.Repeat("]", 50)} {
		if _, err = f.file(t, text, data.Parquet); err != nil {
			t.Errorf("%.40s: %v", text, err)
		}
	}
	if left, err := os.ReadDir(filepath.Join(dir, "datasets")); err != nil || len(left) > 1 {
		t.Errorf("left %v, %v", left, err)
	}
}
