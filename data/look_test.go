package data_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/data/query"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/ledger"
)

func TestMain(m *testing.M) {
	query.ChildMain()
	os.Exit(m.Run())
}

// shown is rows as one text.
func shown(rows []json.RawMessage) string {
	out := make([]string, len(rows))
	for i, r := range rows {
		out[i] = string(r)
	}
	return strings.Join(out, " ")
}

func TestRows_AreAnyStretchOfAVersion(t *testing.T) {
	f := open(t)
	ref := f.dataset(t, "d", hourly(0, 130_000)) // more than one row group
	for _, c := range []struct {
		q    data.RowsQuery
		want string
	}{
		{data.RowsQuery{Limit: 2, Columns: []string{"x", "id"}}, `[0,"h0"] [1,"h1"]`},
		{data.RowsQuery{Offset: 122_879, Limit: 2, Columns: []string{"x"}}, `[122879] [122880]`},
		{data.RowsQuery{Offset: 129_999, Limit: 5, Columns: []string{"x"}}, `[129999]`},
		{data.RowsQuery{Offset: 130_000, Limit: 5, Columns: []string{"x"}}, ``},
		{data.RowsQuery{Offset: math.MaxInt64, Limit: 5, Columns: []string{"x"}}, ``},
		{data.RowsQuery{Offset: 7, Limit: 1}, `["2011-01-01T07:00:00Z","h7",7]`},
	} {
		r, err := f.Rows(t.Context(), project, ref, c.q)
		if err != nil || shown(r.Rows) != c.want || r.Total != 130_000 {
			t.Errorf("%+v: %v, %v", c.q, r, err)
		}
	}
	_, err := f.Rows(t.Context(), project, ref, data.RowsQuery{Limit: 1, Columns: []string{"y"}})
	if !fairlead.Is(err, fairlead.Invalid) {
		t.Errorf("no column: %v", err)
	}
	if _, err := f.Rows(t.Context(), other, ref, data.RowsQuery{Limit: 1}); !fairlead.Is(err,
		fairlead.NotFound) {
		t.Errorf("another project: %v", err)
	}
}

func TestRows_ShowEachTypeAndBoundTheRest(t *testing.T) {
	f := open(t)
	columns := []data.TableColumn{
		{Name: "l", Type: data.Long, Ints: []int64{1 << 60, 0}, Valid: []bool{true, false}},
		{Name: "d", Type: data.Double, Floats: []float64{math.Inf(-1), math.NaN()}},
		{Name: "b", Type: data.Boolean, Floats: []float64{1, math.NaN()}},
		{Name: "s", Type: data.String, Strings: []string{strings.Repeat("é", 20_000), ""}},
	}
	for i := range 300 {
		columns = append(columns, data.TableColumn{Name: fmt.Sprintf("c%d", i), Type: data.Long,
			Ints: []int64{1, 2}})
	}
	v, err := f.Create(t.Context(), project, data.Create{Dataset: "d", Table: data.Table{Columns: columns}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Rows(t.Context(), project, v.Ref(), data.RowsQuery{Limit: 10})
	if err != nil || len(r.Columns) != 200 || r.More != 104 {
		t.Fatalf("%d columns, %d more, %v", len(r.Columns), r.More, err)
	}
	first, second := string(r.Rows[0]), string(r.Rows[1])
	if !strings.HasPrefix(first, `["1152921504606846976","-Infinity",true,"éé`) || len(first) > 20_000 ||
		!strings.Contains(first, `é…",1,1`) || !strings.HasPrefix(second, `[null,null,null,"",2,2`) {
		t.Errorf("%.60s… %.60s", first, second)
	}
}

// collected keeps an answer.
type collected struct {
	columns []query.Column
	rows    []json.RawMessage
}

func (c *collected) Columns(columns []query.Column) error { c.columns = columns; return nil }
func (c *collected) Row(row []byte) error {
	c.rows = append(c.rows, append(json.RawMessage{}, row...))
	return nil
}

func (f *fixture) ask(t testing.TB, q data.Query) (string, *data.Answered, error) {
	t.Helper()
	c := &collected{}
	q.Rows, q.Bytes = 100, 1<<20
	done, err := f.Query(t.Context(), project, q, c)
	return shown(c.rows), done, err
}

func TestQuery_ReadsTheVersionsThatItNames(t *testing.T) {
	f := open(t)
	f.dataset(t, "bikes", hourly(0, 10))
	f.dataset(t, "bikes", hourly(0, 20))
	f.dataset(t, "my-data.x", hourly(0, 3))
	for text, want := range map[string]string{
		"select count(*) from bikes":                                         "[20]",
		"select count(*) from BIKES":                                         "[20]",
		`select count(*) from "bikes/1"`:                                     "[10]",
		`select (select max(x) from bikes) - (from "bikes/1" select max(x))`: "[10]",
		`select x from "my-data.x" order by x desc limit 1`:                  "[2]",
		"with bikes as (select 1 as x) select x from bikes":                  "[1]",
		"with b as (select 1 as x) select b.x from b, Bikes limit 1":         "[1]",
	} {
		got, _, err := f.ask(t, data.Query{SQL: text})
		if err != nil || got != want {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	_, done, err := f.ask(t, data.Query{SQL: `select 1 from bikes, "bikes/1" limit 1`})
	if err != nil || fmt.Sprint(done.Tables) != "[{bikes bikes 2} {bikes/1 bikes 1}]" {
		t.Errorf("tables %+v, %v", done, err)
	}
	for text, says := range map[string]string{
		"select 1\nfrom bykes":      `1:0: there is no dataset "bykes" in this project; did you mean "bikes"?`,
		`select 1 from "bikes/9"`:   "there is no dataset version bikes/9",
		`select 1 from "bikes/one"`: "there is no dataset",
		"select 1 from holdout":     "there is no dataset",
	} {
		_, _, err := f.ask(t, data.Query{SQL: text})
		_, says, _ = strings.Cut("0:"+says, ": ")
		var e *fairlead.Error
		if !errors.As(err, &e) || e.Code != fairlead.NotFound || !strings.Contains(e.Message, says) ||
			e.Detail["line"] == nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := f.Query(t.Context(), other, data.Query{SQL: "from bikes", Rows: 1, Bytes: 100},
		&collected{}); !fairlead.Is(err, fairlead.NotFound) {
		t.Errorf("another project: %v", err)
	}
}

func (f *fixture) held(t testing.TB) data.Ref {
	t.Helper()
	_, holdout, err := f.Split(t.Context(), project, []data.Ref{f.dataset(t, "d", hourly(0, 10))},
		data.Holdout{Last: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return holdout
}

func TestHoldout_IsNotLookedAtUnrecorded(t *testing.T) {
	f := open(t)
	holdout := f.held(t)
	ada := fairlead.WithActor(t.Context(), fairlead.Actor{Kind: "user", Name: "ada"})
	bob := fairlead.WithActor(t.Context(), fairlead.Actor{Kind: "user", Name: "bob"})
	q := data.RowsQuery{Limit: 1}
	if _, err := f.Rows(ada, project, holdout, q); !fairlead.Is(err, fairlead.Precondition) {
		t.Errorf("rows, unsaid: %v", err)
	}
	for reason, code := range map[string]fairlead.Code{"": fairlead.Precondition,
		" ": fairlead.Precondition, strings.Repeat("x", 501): fairlead.Invalid} {
		if err := f.Look(ada, project, holdout, reason); !fairlead.Is(err, code) {
			t.Errorf("look because %q: %v", reason, err)
		}
		_, err := f.Query(ada, project, data.Query{SQL: "from HOLDOUT", Reason: reason, Rows: 1,
			Bytes: 100}, &collected{})
		if !fairlead.Is(err, code) {
			t.Errorf("query because %q: %v", reason, err)
		}
	}
	if reads, err := f.HoldoutReads(ada, project, holdout); err != nil || len(reads) != 0 {
		t.Fatalf("what was refused is recorded: %+v, %v", reads, err)
	}
	if err := f.Look(ada, project, holdout, "is it sorted?"); err != nil {
		t.Fatal(err)
	}
	if r, err := f.Rows(ada, project, holdout, q); err != nil || len(r.Rows) != 1 {
		t.Errorf("rows: %+v, %v", r, err)
	}
	if _, err := f.Rows(bob, project, holdout, q); !fairlead.Is(err, fairlead.Precondition) {
		t.Errorf("by another: %v", err)
	}
	_, err := f.Query(bob, project, data.Query{SQL: `select count(*) from "holdout/1", holdout`,
		Reason: "count", Rows: 1, Bytes: 100}, &collected{})
	if err != nil {
		t.Errorf("query: %v", err)
	}
	reads, err := f.HoldoutReads(ada, project, holdout)
	want := data.HoldoutRead{Purpose: data.ReadByPreview, Reason: "is it sorted?", Actor: "user:ada",
		At: wall}
	if err != nil || len(reads) != 3 || reads[0] != want || reads[1].Purpose != data.ReadByQuery ||
		reads[1].Actor != "user:bob" {
		t.Errorf("reads %+v, %v", reads, err)
	}
	f.clock.Advance(61 * time.Minute)
	if _, err := f.Rows(ada, project, holdout, q); !fairlead.Is(err, fairlead.Precondition) {
		t.Errorf("an hour later: %v", err)
	}
	events, err := f.ledger.List(t.Context(), ledger.Filter{Types: []string{event.HoldoutReadType}})
	var told event.HoldoutRead
	if err != nil || len(events) != 3 || events[0].Decode(&told) != nil || told.Reason != "is it sorted?" {
		t.Errorf("events %+v, %v", events, err)
	}
	if err := f.Look(ada, project, data.Ref{Dataset: "d", N: 1}, "x"); !fairlead.Is(err, fairlead.Invalid) {
		t.Errorf("no holdout: %v", err)
	}
}

func TestQuery_OfAHoldoutThatFailsIsARead(t *testing.T) {
	f := open(t)
	holdout := f.held(t)
	_, _, err := f.ask(t, data.Query{SQL: "select nope from holdout", Reason: "why"})
	reads, _ := f.HoldoutReads(t.Context(), project, holdout)
	if !fairlead.Is(err, fairlead.Invalid) || len(reads) != 1 {
		t.Errorf("%v; reads %+v", err, reads)
	}
}

func TestList_FindsAndPages(t *testing.T) {
	f := open(t)
	for _, name := range []string{"b_1", "a", "bx1"} {
		f.dataset(t, name, hourly(0, 3))
	}
	f.dataset(t, "a", hourly(0, 4))
	names := func(search, after string, limit int) (out []string) {
		all, err := f.List(t.Context(), project, search, after, limit)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range all {
			out = append(out, fmt.Sprintf("%s/%d of %d", d.Dataset, d.N, d.Versions))
		}
		return out
	}
	for want, got := range map[string][]string{
		"[a/2 of 2 b_1/1 of 1 bx1/1 of 1]": names("", "", 10), "[b_1/1 of 1]": names("B_", "", 10),
		"[bx1/1 of 1]": names("", "b_1", 10), "[a/2 of 2]": names("", "", 1), "[]": names("%", "", 10),
	} {
		if fmt.Sprint(got) != want {
			t.Errorf("got %v, want %s", got, want)
		}
	}
	if all, err := f.List(t.Context(), other, "", "", 10); err != nil || len(all) != 0 {
		t.Errorf("another project has %v, %v", all, err)
	}
	vs, err := f.Versions(t.Context(), project, "a", math.MaxInt64, 1)
	if err != nil || len(vs) != 1 || vs[0].N != 2 {
		t.Errorf("versions %v, %v", vs, err)
	}
	if vs, err = f.Versions(t.Context(), project, "a", 2, 10); err != nil || len(vs) != 1 || vs[0].N != 1 {
		t.Errorf("versions before 2: %v, %v", vs, err)
	}
	if _, err = f.Versions(t.Context(), project, "none", 2, 10); !fairlead.Is(err, fairlead.NotFound) {
		t.Errorf("none: %v", err)
	}
}

func TestChildren_AreWhatWasMadeOfAVersion(t *testing.T) {
	f := open(t)
	a := f.dataset(t, "a", hourly(0, 10))
	f.dataset(t, "a", hourly(0, 12))
	if _, _, err := f.Split(t.Context(), project, []data.Ref{a}, data.Holdout{Last: time.Hour}); err != nil {
		t.Fatal(err)
	}
	children, err := f.Children(t.Context(), project, a, 10)
	if err != nil || len(children) != 2 {
		t.Fatalf("children %v, %v", children, err)
	}
	for _, v := range children {
		if v.Ref().String() != "a/3" && v.Ref().String() != "holdout/1" {
			t.Errorf("child %s", v.Ref())
		}
	}
	if children, err = f.Children(t.Context(), project, data.Ref{Dataset: "a", N: 2}, 10); err != nil ||
		len(children) != 0 {
		t.Errorf("children of a/2: %v, %v", children, err)
	}
}

func TestVersion_KeepsItsRoles(t *testing.T) {
	f := open(t)
	least := 0.0
	v, err := f.Ingest(t.Context(), project, data.Ingest{Dataset: "d", Time: "at", Key: "id", Label: "x",
		Expect: expectations("x", &least), Files: []string{f.write(t, "d.csv", hourly(0, 10))}})
	if err != nil {
		t.Fatal(err)
	}
	rest, _, err := f.Split(t.Context(), project, []data.Ref{v.Ref()}, data.Holdout{Last: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for _, ref := range []data.Ref{v.Ref(), rest[0]} {
		v, err := f.Get(t.Context(), project, ref)
		if err != nil || v.Key != "id" || v.Label != "x" || v.Time != "at" || len(v.Expect) != 1 ||
			*v.Expect[0].Min != 0 {
			t.Errorf("%s: %+v, %v", ref, v, err)
		}
	}
}

func TestProfile_CountsBars(t *testing.T) {
	f := open(t)
	v, err := f.Create(t.Context(), project, data.Create{Dataset: "d", Table: data.Table{
		Columns: []data.TableColumn{
			{Name: "d", Type: data.Double, Floats: []float64{0, 1, 23.5, 24, math.NaN(), math.Inf(1)}},
			{Name: "one", Type: data.Double, Floats: []float64{3, 3, 3, 3, 3, 3}},
			{Name: "wide", Type: data.Double, Floats: []float64{-1e153, 1e153, 0, 0, 0, 0}},
			{Name: "t", Type: data.Datetime, Times: []time.Time{wall, wall.Add(time.Hour), {}, {}, {}, {}}},
		}}})
	if err != nil {
		t.Fatal(err)
	}
	check := func(v *data.Version) {
		t.Helper()
		bars := func(i int) []int64 {
			if n := v.Profile[i].Numbers; n != nil {
				return n.Bars
			}
			return v.Profile[i].Times.Bars
		}
		if b := bars(0); len(b) != 24 || b[0] != 1 || b[1] != 1 || b[23] != 2 {
			t.Errorf("d has %v", b)
		}
		if bars(1) != nil {
			t.Errorf("one value has bars: %v", bars(1))
		}
		if b := bars(2); len(b) != 24 || b[0] != 1 || b[12] != 4 || b[23] != 1 {
			t.Errorf("wide has %v", b)
		}
		if b := bars(3); len(b) != 24 || b[0] != 1 || b[23] != 1 {
			t.Errorf("t has %v", b)
		}
	}
	check(v)
	f.forgetBars(t)
	if v, err = f.Get(t.Context(), project, v.Ref()); err != nil || v.Profile[0].Numbers.Bars != nil {
		t.Fatalf("%+v, %v", v.Profile[0], err)
	}
	if v, err = f.Described(t.Context(), project, v.Ref()); err != nil {
		t.Fatal(err)
	}
	check(v)
	if v, err = f.Get(t.Context(), project, v.Ref()); err != nil {
		t.Fatal(err)
	}
	check(v)
}

func TestDescribed_ReadsNoHoldout(t *testing.T) {
	f := open(t)
	holdout := f.held(t)
	f.dataset(t, "more", hourly(0, 10))
	f.forgetBars(t)
	v, err := f.Described(t.Context(), project, holdout)
	if err != nil {
		t.Fatal(err)
	}
	for _, cp := range v.Profile {
		if cp.Numbers != nil && cp.Numbers.Bars != nil || cp.Times != nil && cp.Times.Bars != nil {
			t.Errorf("%s was counted", cp.Name)
		}
	}
}
