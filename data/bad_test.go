package data_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/spec"
)

func TestIngest_SaysWhatIsWrongAndWhere(t *testing.T) {
	f := open(t)
	for name, c := range map[string]struct {
		file, text string
		in         data.Ingest
		says       []string
	}{
		"empty file": {"a.csv", "", data.Ingest{}, []string{"a.csv is empty"}},
		"only a header": {"a.csv", "x,y\n", data.Ingest{},
			[]string{"a.csv has a header and no rows"}},
		"no header": {"a.csv", "2011-01-01,1,Oslo\n2011-01-02,2,Bergen\n", data.Ingest{},
			[]string{"no header", "2011-01-01,1,Oslo", "add a line"}},
		"blank first line": {"a.csv", "\nx,y\n1,2\n", data.Ingest{}, []string{"first line"}},
		"short row": {"a.csv", "x,y\n1,2\n3\n4,5\n", data.Ingest{},
			[]string{"a.csv line 3", "2 values"}},
		"long row": {"a.csv", "x,y\n1,2\n3,4,5\n", data.Ingest{},
			[]string{"a.csv line 3", "2 values"}},
		"open quote": {"a.csv", "x,y\n1,\"2\n3,4\n", data.Ingest{},
			[]string{"a.csv line 3", "twice"}},
		"bare quote": {"a.csv", "x,y\n1,2\"3\n", data.Ingest{},
			[]string{"a.csv line 2", "byte"}},
		"huge field": {"a.csv", "x,y\n1,2\n3,\"" + strings.Repeat("z", 2<<20) + "\"\n", data.Ingest{},
			[]string{"after line 2", "1 MB"}},
		"huge header": {"a.csv", "x" + strings.Repeat("z", 1<<20) + "\n", data.Ingest{},
			[]string{"a.csv"}},
		"binary": {"a.csv", "x,y\n\x00\x01\xff\xfe,\x80\n", data.Ingest{},
			[]string{"a.csv line 2", `"x"`, "UTF-8"}},
		"binary header": {"a.csv", "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", data.Ingest{},
			[]string{"a.csv", "text"}},
		"latin-1": {"a.csv", "x,city\n1,Malm\xf6\n", data.Ingest{},
			[]string{"a.csv line 2", `"city"`, "UTF-8"}},
		"old Mac":     {"a.csv", "x,y\r1,2\r", data.Ingest{}, []string{"a.csv", "text"}},
		"same column": {"a.csv", "x,y,X\n1,2,3\n", data.Ingest{}, []string{`"x" and "X"`}},
		"nameless column": {"a.csv", "x,,z\n1,2,3\n", data.Ingest{},
			[]string{"column 2 of a.csv has no name"}},
		"not gzip": {"a.csv.gz", "x,y\n1,2\n", data.Ingest{}, []string{"not a gzip"}},
		"not parquet": {"a.parquet", "garbage garbage", data.Ingest{},
			[]string{"a.parquet"}},
		"broken json": {"a.jsonl", "{\"a\":1}\n{\"a\":}\n", data.Ingest{},
			[]string{"a.jsonl", "line"}},
		"nested json": {"a.jsonl", "{\"a\":{\"b\":1}}\n", data.Ingest{},
			[]string{"a.jsonl", `"a"`, "flatten"}},
		"lists": {"a.jsonl", "{\"a\":[1.5]}\n", data.Ingest{},
			[]string{"a.jsonl", `"a"`, "flatten"}},
		"unknown format": {"a.xlsx", "PK", data.Ingest{}, []string{"a.xlsx", ".csv"}},

		"misspelt time": {"a.csv", small, data.Ingest{Time: "att"},
			[]string{"a.csv", `"att"`, `did you mean "at"?`}},
		"unknown key": {"a.csv", small, data.Ingest{Key: "flight_number"},
			[]string{"`key`", "it has at, id, temp"}},
		"misspelt label": {"a.csv", small, data.Ingest{Label: "tmp"},
			[]string{"`label`", `"temp"`}},
		"time is a text": {"a.csv", "at,x\n2011-01-01,1\nyesterday,2\n", data.Ingest{Time: "at"},
			[]string{"a.csv line 3", `"at"`, `"yesterday"`, "2011-03-01T00:00:00Z"}},
		"time is a count": {"a.csv", "at,x\n1300000000,1\n", data.Ingest{Time: "at"},
			[]string{"a.csv line 2", `"1300000000"`}},
		"time is missing": {"a.csv", "at,x\n2011-01-01,1\n,2\n", data.Ingest{Time: "at"},
			[]string{"d row 2", `"at"`, "each row needs a time"}},
		"json time": {"a.jsonl", "{\"at\":\"2011-01-01\"}\n{\"at\":\"noon\"}\n", data.Ingest{Time: "at"},
			[]string{"a.jsonl row 2", `"noon"`}},
		"json count": {"a.jsonl", "{\"at\":12}\n", data.Ingest{Time: "at"},
			[]string{`"at" is of type long`}},
		"key twice": {"a.csv", "k,x\na,1\nb,2\na,3\n", data.Ingest{Key: "k"},
			[]string{"2 rows", `"a"`}},
		"key is missing": {"a.csv", "k,x\na,1\n,2\n", data.Ingest{Key: "k"},
			[]string{"d row 2", "key"}},
		"last, no time": {"a.csv", small, data.Ingest{Last: time.Hour}, []string{"`time`"}},

		"expected column": {"a.csv", small, expect(spec.Expectation{Column: "tem", Required: true}),
			[]string{`did you mean "temp"`}},
		"expected number": {"a.csv", small, expect(spec.Expectation{Column: "city", Type: "number"}),
			[]string{"a.csv line 2", `"Oslo"`, "a number"}},
		"expected whole": {"a.csv", small, expect(spec.Expectation{Column: "temp", Type: "integer"}),
			[]string{"line 2", `"1.5"`}},
		"expected value": {"a.csv", small, expect(spec.Expectation{Column: "temp", Required: true}),
			[]string{"d row 3", `"temp"`, "is missing"}},
		"less": {"a.csv", small, expect(spec.Expectation{Column: "temp", Min: ptr(2)}),
			[]string{"d row 1", "(1.5)", "2"}},
		"more": {"a.csv", small, expect(spec.Expectation{Column: "temp", Max: ptr(2)}),
			[]string{"d row 2", "(2.5)"}},
		"least time": {"a.csv", small, expect(spec.Expectation{Column: "at", Min: ptr(2)}),
			[]string{`"at" is of type datetime`, "a number"}},
		"other number": {"a.csv", small,
			expect(spec.Expectation{Column: "temp", Values: []any{1.5, 2}}), []string{"d row 2", "(2.5)"}},
		"other value": {"a.csv", small, expect(spec.Expectation{Column: "city", Values: []any{"Oslo"}}),
			[]string{"d row 2", "(Ås)"}},
	} {
		c.in.Dataset, c.in.Files = "d", []string{f.write(t, c.file, c.text)}
		_, err := f.Ingest(t.Context(), project, c.in)
		if !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("%s: %s: %v", name, fairlead.CodeOf(err), err)
			continue
		}
		for _, says := range c.says {
			if !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %v: lacks %q", name, err, says)
			}
		}
		if strings.Contains(err.Error(), f.in) {
			t.Errorf("%s: the error shows the directory: %v", name, err)
		}
	}
	if all, err := f.List(t.Context(), project, "", "", 10); err != nil || len(all) != 0 {
		t.Errorf("bad input made %d versions, %v", len(all), err)
	}
}

func expect(e spec.Expectation) data.Ingest { return data.Ingest{Expect: []spec.Expectation{e}} }

func ptr(f float64) *float64 { return &f }

func TestIngest_ExpectedTypesDecide(t *testing.T) {
	f := open(t)
	path := f.write(t, "a.csv", "code,count,gone,flag,x,when\n1,1,,1,1,2011-01-01\n2,2,,0,2,\n")
	v, err := f.Ingest(t.Context(), project, data.Ingest{Dataset: "d", Files: []string{path},
		Expect: []spec.Expectation{
			{Column: "code", Type: "text", Required: true}, {Column: "count", Type: "number"},
			{Column: "gone", Type: "number"}, {Column: "absent", Type: "number"},
			{Column: "flag", Values: []any{0, 1}},
			{Column: "when", Type: "time", Values: []any{"2011-01-01T00:00:00Z"}},
			{Column: "x", Type: "integer", Min: ptr(1), Max: ptr(2)},
		}})
	if err != nil {
		t.Fatal(err)
	}
	if types(v.Columns) != "code:string count:double gone:double flag:long x:long when:datetime" {
		t.Errorf("types %s", types(v.Columns))
	}
}

func TestIngest_RefusesPathsThatAreNotPlainFiles(t *testing.T) {
	f := open(t)
	inside := f.write(t, "a.csv", small)
	outside := filepath.Join(t.TempDir(), "b.csv")
	if err := os.WriteFile(outside, []byte(small), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		files []string
		dir   string
		code  fairlead.Code
	}{
		"missing":       {[]string{filepath.Join(f.in, "none.csv")}, "", fairlead.NotFound},
		"relative":      {[]string{"a.csv"}, "", fairlead.Invalid},
		"address":       {[]string{"https://example.org/a.csv"}, "", fairlead.Invalid},
		"parent":        {[]string{f.in + "/x/../a.csv"}, "", fairlead.Invalid},
		"outside":       {[]string{outside}, f.in, fairlead.Invalid},
		"directory":     {[]string{f.in}, "", fairlead.Invalid},
		"none":          {nil, "", fairlead.Invalid},
		"mixed formats": {[]string{inside, f.write(t, "a.jsonl", "{\"a\":1}")}, "", fairlead.Invalid},
	} {
		_, err := f.Ingest(t.Context(), project, data.Ingest{Dataset: "d", Files: c.files, Dir: c.dir})
		if !fairlead.Is(err, c.code) {
			t.Errorf("%s: %s: %v", name, fairlead.CodeOf(err), err)
		}
	}
	for _, name := range []string{"", "../x", "a b", "a/b", ".x", strings.Repeat("x", 101)} {
		_, err := f.Ingest(t.Context(), project, data.Ingest{Dataset: name, Files: []string{inside}})
		if !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("dataset %q: %v", name, err)
		}
	}
}

func TestIngest_KeepsTheNewestPart(t *testing.T) {
	f := open(t)
	v, err := f.Ingest(t.Context(), project, data.Ingest{Dataset: "d", Time: "at", Last: 3 * time.Hour,
		Files: []string{f.write(t, "a.csv", hourly(0, 10))}})
	if err != nil {
		t.Fatal(err)
	}
	if table := f.read(t, v.Ref(), "x"); show(&table.Columns[0]) != "7 8 9" {
		t.Errorf("rows %s", show(&table.Columns[0]))
	}
}

// FuzzIngest checks that whatever a file holds, our reading of it and DuckDB's
// agree on its rows and types: nothing is lost, and no failure is our own.
func FuzzIngest(f *testing.F) {
	s := open(f)
	for _, seed := range []string{
		small, "x\n1\n", "x;y\n\"a\";\n", "a,b\r\n1,\"\"\"\"\r\n", "x\n \n1\n", "x\n\f\n1\n",
		"x,y\n\n1,2", "x,y\n\"1\n2\",3\n", "x\n2011-01-01T00:00:00.1+01\n", "\ufeffx\n-0\n",
		"x,y\n1e400,NA\n", "x\n1\n\n\n2\n", "x\n\x03\r`",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(s.in, "fuzz.csv")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		v, err := s.Ingest(t.Context(), project, data.Ingest{Dataset: "d", Files: []string{path}})
		if err != nil {
			if !fairlead.Is(err, fairlead.Invalid) {
				t.Fatalf("%q: %s: %v", text, fairlead.CodeOf(err), err)
			}
			for _, late := range []string{"the data cannot be read", "can be read as rows"} {
				if strings.Contains(err.Error(), late) {
					t.Fatalf("%q: only DuckDB refuses it: %v", text, err)
				}
			}
			return
		}
		if v.Rows < 1 || len(v.Columns) < 1 {
			t.Errorf("%q became %d rows and %d columns", text, v.Rows, len(v.Columns))
		}
	})
}
