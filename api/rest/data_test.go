package rest_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/data/query"
)

func TestMain(m *testing.M) {
	query.ChildMain()
	os.Exit(m.Run())
}

const alphaPath = "/projects/alpha"

// flights makes a version with a key, and a holdout of its last rows.
func (w *world) flights() (holdout data.Ref) {
	w.t.Helper()
	table := data.Table{Columns: []data.TableColumn{
		{Name: "id", Type: data.Long}, {Name: "at", Type: data.Datetime}, {Name: "a,b", Type: data.String}}}
	for i := range 10 {
		table.Columns[0].Ints = append(table.Columns[0].Ints, 1<<53+int64(i))
		table.Columns[1].Times = append(table.Columns[1].Times,
			time.Date(2026, 1, 1, i, 0, 0, 0, time.UTC))
		table.Columns[2].Strings = append(table.Columns[2].Strings, fmt.Sprintf("x%d,\"y\"", i))
	}
	v, err := w.app.Data.Create(w.t.Context(), w.alpha, data.Create{Dataset: "flights", Time: "at",
		Key: "id", Table: table})
	if err != nil {
		w.t.Fatal(err)
	}
	_, holdout, err = w.app.Data.Split(w.t.Context(), w.alpha, []data.Ref{v.Ref()},
		data.Holdout{Last: time.Hour})
	if err != nil {
		w.t.Fatal(err)
	}
	return holdout
}

func sqlBody(sql, more string) string {
	b, _ := json.Marshal(sql) // a text has no error
	return `{"sql":` + string(b) + more + `}`
}

func TestQuery_AnswersWithTypes(t *testing.T) {
	w := newWorld(t)
	w.flights()
	got := w.call("POST", alphaPath+"/queries", sqlBody(`select id, "a,b" as n from "flights/1" limit 1`, ""))
	if got.status != 200 || !strings.Contains(string(got.body),
		`"columns":[{"name":"id","type":"BIGINT"},{"name":"n","type":"VARCHAR"}],`+
			`"rows":[["9007199254740992","x0,\"y\""]],"tables":[{"name":"flights/1","dataset":"flights","n":1}]`) {
		t.Errorf("%d %s", got.status, got.body)
	}
	got = w.call("POST", alphaPath+"/queries", sqlBody("from range(5000)", `,"limit":2`))
	if !strings.Contains(string(got.body), `"rows":[[0],[1]],"cut":"rows"`) {
		t.Errorf("limited: %s", got.body)
	}
	got = w.call("POST", alphaPath+"/queries", sqlBody("from range(0)", ""))
	if !strings.Contains(string(got.body), `"rows":[],"tables":[]`) {
		t.Errorf("empty: %s", got.body)
	}
}

func TestQuery_SaysWhatIsWrong(t *testing.T) {
	w := newWorld(t)
	for body, want := range map[string]struct {
		status int
		says   string
	}{
		sqlBody("select\nnope from d", ""):                   {400, `"line":2`},
		sqlBody("select 1 from nothing", ""):                 {404, `"column":15`},
		sqlBody("copy d to '/tmp/x'", ""):                    {400, "one SELECT"},
		sqlBody("from read_text('/etc/passwd')", ""):         {400, "neither files"},
		sqlBody("", ""):                                      {400, "nothing to run"},
		sqlBody(strings.Repeat(" ", 70_000)+"select 1", ""):  {400, "65536"},
		sqlBody(strings.Repeat(" ", 200_000)+"select 1", ""): {413, "larger"},
		sqlBody("select 1", `,"limit":10001`):                {400, "10000"},
		sqlBody("select 1", `,"limit":0`):                    {400, "1"},
		`{"limit":1}`:                                        {400, "sql"},
		`{`:                                                  {400, ""},
	} {
		for _, path := range []string{"/queries", "/queries/csv"} {
			if path == "/queries/csv" && (strings.Contains(body, "limit") || len(body) > 100_000) {
				continue
			}
			got := w.call("POST", alphaPath+path, body)
			wantProblem(t, path+" "+body[:min(len(body), 60)], got, want.status)
			if !strings.Contains(string(got.body), want.says) {
				t.Errorf("%.60s: %s", body, got.body)
			}
		}
	}
}

func TestQuery_AnswersWithCSV(t *testing.T) {
	w := newWorld(t)
	w.flights()
	got := w.call("POST", alphaPath+"/queries/csv", sqlBody(`select id, "a,b", null as z, 1.5::decimal(4,2) as d,
		[1, 2] as l from "flights/1" limit 1`, ""))
	want := "id,\"a,b\",z,d,l\n9007199254740992,\"x0,\"\"y\"\"\",,1.50,\"[1,2]\"\n"
	if got.status != 200 || string(got.body) != want ||
		got.header.Get("Content-Type") != "text/csv; charset=utf-8" {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestQuery_AnswersWithFilesThatAreWholeOrNone(t *testing.T) {
	w := newWorld(t)
	w.flights()
	for form, kind := range map[string]string{"csv": "text/csv; charset=utf-8",
		"parquet": "application/vnd.apache.parquet"} {
		path := alphaPath + "/queries/" + form
		got := w.call("POST", path, sqlBody(`from "flights/1"`, ""))
		if got.status != 200 || got.header.Get("Content-Type") != kind ||
			got.header.Get("Content-Length") != fmt.Sprint(len(got.body)) ||
			got.header.Get("Content-Disposition") != `attachment; filename="query.`+form+`"` {
			t.Errorf("%s: %d %v", form, got.status, got.header)
		}
		wantProblem(t, form, w.call("POST", path,
			sqlBody("from range(1000001)", "")), 412)
		wantProblem(t, form, w.call("POST", path, sqlBody("from holdout", "")), 412)
		got = w.call("POST", path, sqlBody("select count(*) from holdout", `,"reason":"count"`))
		if got.status != 200 {
			t.Errorf("%s of a holdout: %d %s", form, got.status, got.body)
		}
	}
}

func TestQuery_SaysWhatHoldsIt(t *testing.T) {
	w := newWorld(t)
	got := w.call("GET", alphaPath+"/queries/bounds", "")
	if got.status != 200 || !strings.HasPrefix(string(got.body), `{"seconds":30,"memory":536870912,"at_once":2,`+
		`"file_rows":1000000,"file_bytes":268435456,"missing":[`) {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestHoldout_IsReadByWhoSaysWhy(t *testing.T) {
	w := newWorld(t)
	holdout := alphaPath + "/datasets/holdout/versions/" + fmt.Sprint(w.flights().N)
	wantProblem(t, "rows", w.call("GET", holdout+"/rows", ""), 412)
	wantProblem(t, "query", w.call("POST", alphaPath+"/queries", sqlBody("from holdout", "")), 412)
	wantProblem(t, "no reason", w.call("POST", holdout+"/reads", `{"reason":" "}`), 412)
	wantProblem(t, "an open one", w.call("POST", alphaPath+"/datasets/flights/versions/1/reads",
		`{"reason":"x"}`), 400)
	diff := decode[data.Diff](t, w.call("GET", holdout+"/diff?from=flights/1", ""))
	if !diff.Closed || diff.Rows != nil {
		t.Errorf("closed: %+v", diff)
	}
	if got := w.call("POST", holdout+"/reads", `{"reason":"look at outliers"}`); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if got := w.call("GET", holdout+"/rows", ""); got.status != 200 {
		t.Errorf("rows: %d %s", got.status, got.body)
	}
	got := w.call("POST", alphaPath+"/queries", sqlBody("select count(*) from holdout", `,"reason":"count"`))
	if got.status != 200 {
		t.Errorf("query: %d %s", got.status, got.body)
	}
	reads := decode[fairlead.Page[data.HoldoutRead]](t, w.call("GET", holdout+"/reads", "")).Items
	if len(reads) != 2 || reads[0].Reason != "look at outliers" || reads[1].Purpose != "query" ||
		reads[0].Actor != "user:owner" {
		t.Errorf("reads %+v", reads)
	}
	reads = decode[fairlead.Page[data.HoldoutRead]](t, w.call("GET", holdout+"/reads?newest=true&limit=1",
		"")).Items
	if len(reads) != 1 || reads[0].Purpose != "query" {
		t.Errorf("the newest: %+v", reads)
	}
	if diff = decode[data.Diff](t, w.call("GET", holdout+"/diff?from=flights/1", "")); diff.Closed ||
		diff.Rows == nil || diff.Rows.Removed == 0 {
		t.Errorf("open: %+v", diff)
	}
}

func TestQuery_IsForWhoMayRun(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/queries", "/queries/csv", "/queries/parquet", "/datasets/d/versions/1/reads"} {
		got := w.call("POST", alphaPath+path, sqlBody("select 1", ""), "Authorization", "")
		wantProblem(t, path, got, 401)
	}
}

func TestRows_ArePagedByOffset(t *testing.T) {
	w := newWorld(t)
	w.flights()
	rows := func(q string) string {
		got := w.call("GET", alphaPath+"/datasets/flights/versions/1/rows?"+q, "")
		if got.status != 200 {
			t.Errorf("%s: %d %s", q, got.status, got.body)
		}
		return string(got.body)
	}
	column := "columns=" + url.QueryEscape("a,b")
	if got := rows("offset=8&limit=5&" + column); got !=
		`{"columns":[{"name":"a,b","type":"string"}],"rows":[["x8,\"y\""],["x9,\"y\""]],"total":10,"more":0}`+"\n" {
		t.Errorf("got %s", got)
	}
	for _, q := range []string{"offset=-1", "limit=0", "limit=501", "columns=none"} {
		wantProblem(t, q, w.call("GET", alphaPath+"/datasets/flights/versions/1/rows?"+q, ""), 400)
	}
}

func TestLineage_NamesWhatUsedAVersion(t *testing.T) {
	w := newWorld(t)
	holdout := w.flights()
	lineage := func(path string) string {
		got := w.call("GET", alphaPath+"/datasets/"+path+"/lineage", "")
		if got.status != 200 {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
		return string(got.body)
	}
	if got := lineage("flights/versions/1"); !strings.Contains(got, `"parents":[],"children":[`) ||
		!strings.Contains(got, `"dataset":"holdout"`) || !strings.Contains(got, `"uses":[]`) {
		t.Errorf("source: %s", got)
	}
	if got := lineage(fmt.Sprintf("holdout/versions/%d", holdout.N)); !strings.Contains(got,
		`"parents":[{"dataset":"flights","n":1,"source":"upload","rows":10,`) {
		t.Errorf("holdout: %s", got)
	}
	wantProblem(t, "none", w.call("GET", alphaPath+"/datasets/flights/versions/9/lineage", ""), 404)
	wantProblem(t, "no dataset", w.call("GET", alphaPath+"/datasets/none/uses", ""), 404)
	if got := w.call("GET", alphaPath+"/datasets/flights/uses", ""); string(got.body) != `{"items":[]}`+"\n" {
		t.Errorf("uses: %s", got.body)
	}
}
