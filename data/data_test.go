package data_test

import (
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

var (
	project = fairlead.Project{K: 1, Name: "one"}
	other   = fairlead.Project{K: 2, Name: "two"}
	wall    = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
)

type fixture struct {
	*data.Service
	db     *store.DB
	ledger *ledger.Ledger
	clock  *fairlead.FakeClock
	in     string // directory of the input files
}

func expectations(column string, least *float64) []spec.Expectation {
	return []spec.Expectation{{Column: column, Min: least}}
}

// forgetBars makes the profiles those of a program that knew no bars.
func (f *fixture) forgetBars(t testing.TB) {
	t.Helper()
	err := f.db.Write(t.Context(), store.Bulk, func(tx *store.Tx) error {
		var k int64
		var text string
		err := tx.QueryRow("select k, profile_json from dataset_version order by k desc limit 1").
			Scan(&k, &text)
		if err != nil {
			return err
		}
		for ; k > 0; k-- {
			if err := tx.QueryRow("select profile_json from dataset_version where k = ?", k).
				Scan(&text); err != nil {
				return err
			}
			text = bars.ReplaceAllString(text, "")
			if _, err := tx.Exec("update dataset_version set profile_json = ? where k = ?", text,
				k); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

var bars = regexp.MustCompile(`,"bars":\[[0-9,]*\]`)

func open(t testing.TB) *fixture {
	t.Helper()
	return openIn(t, t.TempDir())
}

func openIn(t testing.TB, dir string) *fixture {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Path: filepath.Join(t.TempDir(), "f.db")},
		ledger.Schema(), blob.Schema(), data.Schema())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	blobs, err := blob.New(db, dir)
	if err != nil {
		t.Fatal(err)
	}
	clock := fairlead.NewFakeClock(wall)
	l := ledger.New(db, clock, slog.New(slog.DiscardHandler))
	s, err := data.New(db, l, blobs, dir, clock)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return &fixture{s, db, l, clock, t.TempDir()}
}

func (f *fixture) write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(f.in, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func (f *fixture) ingest(t testing.TB, name, text string) *data.Version {
	t.Helper()
	v, err := f.try(t, data.Ingest{}, name, text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// try ingests one file with the given content as dataset d.
func (f *fixture) try(t testing.TB, in data.Ingest, name, text string) (*data.Version, error) {
	t.Helper()
	in.Dataset, in.Files = "d", []string{f.write(t, name, text)}
	return f.Ingest(t.Context(), project, in)
}

func (f *fixture) read(t testing.TB, ref data.Ref, columns ...string) *data.Table {
	t.Helper()
	path, err := f.Path(t.Context(), project, ref)
	if err != nil {
		t.Fatal(err)
	}
	table, err := f.ReadTable(t.Context(), path, columns)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// show is a column's values as text, "-" where missing.
func show(c *data.TableColumn) string {
	out := make([]string, c.Len())
	for i := range out {
		switch {
		case c.Missing(i):
			out[i] = "-"
		case c.Type == data.String:
			out[i] = c.Strings[i]
		case c.Type == data.Datetime:
			out[i] = c.Times[i].Format(time.RFC3339Nano)
		default:
			out[i] = fmt.Sprint(c.Floats[i])
		}
	}
	return strings.Join(out, " ")
}

func types(columns []data.Column) string {
	var out []string
	for _, c := range columns {
		out = append(out, c.Name+":"+c.Type)
	}
	return strings.Join(out, " ")
}

func TestIngest_TypesCSVByAllItsRows(t *testing.T) {
	f := open(t)
	for name, c := range map[string]struct{ text, kind, values string }{
		"integers":         {"x\n1\n-2\n+3\n0\n", "long", "1 -2 3 0"},
		"decimals late":    {"x\n1\n2\n3.5\n", "double", "1 2 3.5"},
		"exponents":        {"x\n1e3\n.5\n-1.5E-2\n2.\n", "double", "1000 0.5 -0.015 2"},
		"too big":          {"x\n99999999999999999999\n1\n", "double", "1e+20 1"},
		"booleans":         {"x\ntrue\nFalse\nTRUE\n", "boolean", "1 0 1"},
		"leading zeros":    {"x\n007\n08\n", "string", "007 08"},
		"underscore":       {"x\n1_000\n", "string", "1_000"},
		"hexadecimal":      {"x\n0x10\n", "string", "0x10"},
		"infinity":         {"x\ninf\n1\n", "string", "inf 1"},
		"text late":        {"x\n1\n2\nthree\n", "string", "1 2 three"},
		"quoted numbers":   {"x\n\"1\"\n\"2\"\n", "long", "1 2"},
		"padded numbers":   {"x,y\n 1,a\n2 ,b\n", "long", "1 2"},
		"missing numbers":  {"x,y\n1,a\n,b\nNA,c\nNaN,d\nnull,e\n2,f\n", "long", "1 - - - - 2"},
		"NA in text stays": {"x,y\nNA,1\nDE,2\n,3\n", "string", "NA DE -"},
		"dates": {"x\n2011-01-01\n2011-12-31\n", "datetime",
			"2011-01-01T00:00:00Z 2011-12-31T00:00:00Z"},
		"no such date": {"x\n2011-02-30\n", "string", "2011-02-30"},
		"local order":  {"x\n01/13/2011\n", "string", "01/13/2011"},
		"times": {"x\n2011-01-01 05:06\n2011-01-01T05:06:07.25\n", "datetime",
			"2011-01-01T05:06:00Z 2011-01-01T05:06:07.25Z"},
		"times with zones": {"x\n2011-01-01T00:00:00Z\n2011-01-01T00:00:00+02:00\n" +
			"2011-01-01 00:00:00-0330\n2011-01-01T00:00:00+01\n", "datetime",
			"2011-01-01T00:00:00Z 2010-12-31T22:00:00Z 2011-01-01T03:30:00Z 2010-12-31T23:00:00Z"},
		"nanoseconds": {"x\n2011-01-01T00:00:00.123456789Z\n", "datetime",
			"2011-01-01T00:00:00.123456Z"},
		"nothing":           {"x,y\n,1\n,2\n", "string", "- -"},
		"windows":           {"\ufeffx,y\r\n1,a\r\n2,b\r\n", "long", "1 2"},
		"mixed line ends":   {"x,y\r\n1,a\n2,b\r\n3,c\n", "long", "1 2 3"},
		"no last line end":  {"x,y\n1,a\n2,b", "long", "1 2"},
		"semicolons":        {"x;y\n1;a,b\n2;c\n", "long", "1 2"},
		"tabs":              {"x\ty\n1\ta\n2\tb\n", "long", "1 2"},
		"quotes and breaks": {"x,y\n\"a \"\"b\"\"\",1\n\"c\nd\",2\n", "string", "a \"b\" c\nd"},
		"comment sign":      {"x,y\n#1,2\n3,4\n", "string", "#1 3"},
		"blank lines":       {"x,y\n1,2\n\n3,4\n", "long", "1 3"},
	} {
		v, err := f.try(t, data.Ingest{}, "a.csv", c.text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got := f.read(t, v.Ref(), "x").Columns[0]
		if v.Columns[0].Type != c.kind || got.Type != c.kind || show(&got) != c.values {
			t.Errorf("%s: %s %q, want %s %q", name, v.Columns[0].Type, show(&got), c.kind, c.values)
		}
	}
}

const small = "at,id,temp,city,ok\n" +
	"2011-01-01T00:00:00Z,a,1.5,Oslo,true\n" +
	"2011-01-02T00:00:00Z,b,2.5,Ås,false\n" +
	"2011-01-03T00:00:00Z,c,,Oslo,true\n"

func TestIngest_SameContentIsTheSameVersion(t *testing.T) {
	f := open(t)
	a := f.ingest(t, "a.csv", small)
	b := f.ingest(t, "renamed.csv", small)
	c := f.ingest(t, "a.csv", strings.Replace(small, "2.5", "2.6", 1))
	if a.N != 1 || b.N != 1 || b.Digest != a.Digest || c.N != 2 || c.Digest == a.Digest {
		t.Errorf("versions %s %.8s, %s %.8s, %s %.8s", a.Ref(), a.Digest, b.Ref(), b.Digest,
			c.Ref(), c.Digest)
	}
	again := open(t).ingest(t, "a.csv", small)
	if again.Digest != a.Digest {
		t.Errorf("another data directory gives %.8s, not %.8s", again.Digest, a.Digest)
	}
	if v := f.ingest(t, "a.tsv", strings.ReplaceAll(small, ",", "\t")); v.N != 1 {
		t.Errorf("the same rows as TSV are version %d", v.N)
	}
}

func TestIngest_RecordsWhatIsKnown(t *testing.T) {
	f := open(t)
	at := time.Date(2011, 5, 1, 0, 0, 0, 0, time.UTC)
	_, err := f.try(t, data.Ingest{Time: "at", Key: "id", Label: "temp", Commit: "abc",
		Parents: []data.Ref{{Dataset: "x", N: 3}}, At: at}, "a.csv", small)
	if err != nil {
		t.Fatal(err)
	}
	v, err := f.Latest(t.Context(), project, "d")
	if err != nil {
		t.Fatal(err)
	}
	if v.Rows != 3 || types(v.Columns) != "at:datetime id:string temp:double city:string ok:boolean" ||
		v.Column("temp").Nulls != 1 || v.Source != data.SourceFile || v.Commit != "abc" ||
		v.Parents[0].String() != "x/3" || v.Time != "at" || !v.CreatedAt.Equal(wall) ||
		!v.FromAt.Equal(at.AddDate(0, -4, 0)) || !v.ToAt.Equal(at.AddDate(0, -4, 2)) {
		t.Errorf("version %+v", v)
	}
	records, err := f.ledger.List(t.Context(),
		ledger.Filter{Types: []string{event.DatasetVersionCreatedType}})
	if err != nil || len(records) != 1 {
		t.Fatalf("%d events, %v", len(records), err)
	}
	var e event.DatasetVersionCreated
	if err := records[0].Decode(&e); err != nil || e.Digest != v.Digest || e.Rows != 3 ||
		records[0].Subject != "dataset/d/1" || !records[0].At().Equal(at) {
		t.Errorf("event %+v of %s at %s, %v", e, records[0].Subject, records[0].At(), err)
	}
	if _, err := f.Get(t.Context(), other, v.Ref()); !fairlead.Is(err, fairlead.NotFound) {
		t.Errorf("another project sees it: %v", err)
	}
	if _, err := f.Path(t.Context(), other, v.Ref()); !fairlead.Is(err, fairlead.NotFound) {
		t.Errorf("another project has its path: %v", err)
	}
}

func TestProfile_MatchesReferenceValues(t *testing.T) {
	f := open(t)
	text := "x,at,city\n"
	for i := 1; i <= 100; i++ {
		text += fmt.Sprintf("%d,2011-01-01T00:00:%02dZ,%s\n", i, i%60, strings.Repeat("c", 1+i%3))
	}
	f.ingest(t, "a.csv", text+",,\n")
	v, err := f.Latest(t.Context(), project, "d")
	if err != nil {
		t.Fatal(err)
	}
	n := v.Profile[0].Numbers
	// numpy: mean 50.5, std(ddof=1) 29.011491975882016, quantile 5.95 … 95.05
	want := []float64{1, 100, 50.5, 29.011491975882016, 5.95, 25.75, 50.5, 75.25, 95.05}
	for i, got := range append([]float64{n.Min, n.Max, n.Mean, n.StdDev}, n.Quantiles[:]...) {
		if math.Abs(got-want[i]) > 1e-12*want[i] {
			t.Errorf("figure %d is %v, want %v", i, got, want[i])
		}
	}
	if p := v.Profile[0]; p.Count != 100 || p.Nulls != 1 || math.Abs(float64(p.Distinct)-100) > 10 {
		t.Errorf("profile %+v", p)
	}
	if p := v.Profile[1].Times; p.Max.Sub(p.Min) != 59*time.Second {
		t.Errorf("times %+v", p)
	}
	if top := v.Profile[2].Top; len(top) != 3 || top[0] != (data.ValueCount{Value: "cc", Count: 34}) ||
		top[1] != (data.ValueCount{Value: "c", Count: 33}) {
		t.Errorf("top %+v", top)
	}
}

func TestIngest_UnitesTheColumnsOfItsFiles(t *testing.T) {
	f := open(t)
	a := f.write(t, "a.csv", "id,x\n1,1\n2,2\n")
	b := f.write(t, "b.csv", "x,y,id\n2.5,new,3\n")
	v, err := f.Ingest(t.Context(), project, data.Ingest{Dataset: "d", Files: []string{a, b}})
	if err != nil {
		t.Fatal(err)
	}
	table := f.read(t, v.Ref())
	if types(v.Columns) != "id:long x:double y:string" || show(table.Column("id")) != "1 2 3" ||
		show(table.Column("x")) != "1 2 2.5" || show(table.Column("y")) != "- - new" {
		t.Errorf("%s: %+v", types(v.Columns), table)
	}
}

func TestIngest_ReadsWhatItWrote(t *testing.T) {
	f := open(t)
	v := f.ingest(t, "a.csv", small)
	path, err := f.Path(t.Context(), project, v.Ref())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if again := f.ingest(t, "again.parquet", string(raw)); again.N != v.N {
		t.Errorf("the version's own file becomes version %d", again.N)
	}
}

func TestIngest_ReadsJSONLines(t *testing.T) {
	f := open(t)
	v, err := f.try(t, data.Ingest{Time: "at"}, "a.jsonl", `
{"a":1,"at":"2011-01-01T00:00:00+02:00","s":"007","b":true}
{"a":2.5,"at":"2011-01-02T00:00:00Z","s":"x","more":1}
`)
	if err != nil {
		t.Fatal(err)
	}
	table := f.read(t, v.Ref())
	if types(v.Columns) != "a:double at:datetime s:string b:boolean more:long" ||
		show(table.Column("at")) != "2010-12-31T22:00:00Z 2011-01-02T00:00:00Z" ||
		show(table.Column("b")) != "1 -" || show(table.Column("s")) != "007 x" {
		t.Errorf("%s: %+v", types(v.Columns), table)
	}
}

func TestNew_DoesNotOpenDuckDBAndRemovesLeftovers(t *testing.T) {
	f := open(t)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := f.try(t, data.Ingest{}, "a.csv", small)
	if !fairlead.Is(err, fairlead.Unavailable) {
		t.Errorf("after close: %v", err)
	}
}

// The estimate of one column is far above what there is (HyperLogLog).
func TestProfile_HasNoMoreDistinctValuesThanValues(t *testing.T) {
	f := open(t)
	for _, n := range []int{1414, 1000, 700, 311} {
		v, err := f.Get(t.Context(), project, f.dataset(t, fmt.Sprintf("d%d", n), hourly(0, n)))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range v.Profile {
			if p.Distinct > p.Count {
				t.Errorf("%s: %d distinct of %d", p.Name, p.Distinct, p.Count)
			}
		}
	}
}
