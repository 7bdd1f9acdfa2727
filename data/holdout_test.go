package data_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/ledger"
)

// hourly is n hours from January 1st 2011, with the columns at, id and x.
func hourly(first, n int) string {
	var b strings.Builder
	b.WriteString("at,id,x\n")
	for i := first; i < first+n; i++ {
		at := time.Date(2011, 1, 1, i, 0, 0, 0, time.UTC).Format(time.RFC3339)
		fmt.Fprintf(&b, "%s,h%d,%d\n", at, i, i)
	}
	return b.String()
}

func (f *fixture) dataset(t testing.TB, name, text string) data.Ref {
	t.Helper()
	v, err := f.Ingest(t.Context(), project, data.Ingest{Dataset: name, Time: "at",
		Files: []string{f.write(t, name+".csv", text)}})
	if err != nil {
		t.Fatal(err)
	}
	return v.Ref()
}

// requests is a dataset as production makes one: another time column and order,
// and a column more.
func (f *fixture) requests(t testing.TB, name string, hours ...int) data.Ref {
	t.Helper()
	extra := data.TableColumn{Name: "casual", Type: data.Double}
	x := data.TableColumn{Name: "x", Type: data.Double}
	when := data.TableColumn{Name: "when", Type: data.Datetime}
	for _, h := range hours {
		extra.Floats = append(extra.Floats, float64(-h))
		x.Floats = append(x.Floats, float64(h)+0.5)
		when.Times = append(when.Times, time.Date(2011, 1, 1, h, 0, 0, 0, time.UTC))
	}
	v, err := f.Create(t.Context(), project, data.Create{Dataset: name, Time: "when",
		Source: data.SourceRequests, Table: data.Table{Columns: []data.TableColumn{extra, x, when}}})
	if err != nil {
		t.Fatal(err)
	}
	return v.Ref()
}

func TestSplit_HoldsTheNewestRowsOfAllBack(t *testing.T) {
	f := open(t)
	refs := []data.Ref{f.dataset(t, "history", hourly(0, 10)), f.requests(t, "recent", 8, 9, 10, 11)}
	h := data.Holdout{TimeColumn: map[string]string{"history": "at", "recent": "when"},
		Last: 3 * time.Hour}
	rest, holdout, err := f.Split(t.Context(), project, refs, h)
	if err != nil {
		t.Fatal(err)
	}
	// the newest row is hour 11, the cutoff hour 8: later rows are held back
	table := f.read(t, holdout)
	if holdout.String() != "holdout/1" || show(table.Column("x")) != "9 9.5 10.5 11.5" ||
		show(table.Column("casual")) != "- -9 -10 -11" || show(table.Column("id")) != "h9 - - -" {
		t.Errorf("holdout %s: %+v", holdout, table)
	}
	if rest[0].Dataset != "history" || rest[1].Dataset != "recent" {
		t.Errorf("rest %v", rest)
	}
	left := f.read(t, rest[0])
	if show(left.Column("x")) != "0 1 2 3 4 5 6 7 8" {
		t.Errorf("history has %s", show(left.Column("x")))
	}
	left = f.read(t, rest[1])
	if show(left.Column("x")) != "8.5" || left.Column("when") == nil {
		t.Errorf("recent has %+v", left)
	}
	v, err := f.Get(t.Context(), project, rest[0])
	if err != nil || v.Source != data.SourceSplit || v.Parents[0] != refs[0] || v.Time != "at" {
		t.Errorf("rest %+v, %v", v, err)
	}
	v, err = f.Get(t.Context(), project, holdout)
	if err != nil || v.Source != data.SourceHoldout || len(v.Parents) != 2 ||
		v.ToAt.Hour() != 11 || v.Rows != 4 {
		t.Errorf("holdout %+v, %v", v, err)
	}
	rest2, holdout2, err := f.Split(t.Context(), project, refs, h)
	if err != nil || holdout2 != holdout || fmt.Sprint(rest2) != fmt.Sprint(rest) {
		t.Errorf("again: %v %v, %v", rest2, holdout2, err)
	}
}

func TestSplit_LeavesWhatIsOldEnoughAsItIs(t *testing.T) {
	f := open(t)
	old, recent := f.dataset(t, "old", hourly(0, 5)), f.dataset(t, "recent", hourly(100, 50))
	none := f.requests(t, "none")
	refs := []data.Ref{none, old, recent}
	rest, holdout, err := f.Split(t.Context(), project, refs, data.Holdout{Last: 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	if rest[0] != none || rest[1] != old || rest[2].N != 2 {
		t.Errorf("rest %v of %v", rest, refs)
	}
	if v, err := f.Get(t.Context(), project, holdout); err != nil || v.Rows != 24 ||
		types(v.Columns) != "at:datetime id:string x:long" {
		t.Errorf("holdout %+v, %v", v, err)
	}
}

func TestSplit_RefusesWhatLeavesNothing(t *testing.T) {
	f := open(t)
	ten, none := f.dataset(t, "ten", hourly(0, 10)), f.requests(t, "none")
	column := func(name string) data.Holdout {
		return data.Holdout{Last: 1, TimeColumn: map[string]string{"ten": name}}
	}
	for name, c := range map[string]struct {
		refs []data.Ref
		h    data.Holdout
		code fairlead.Code
		says string
	}{
		"all rows": {[]data.Ref{ten},
			data.Holdout{Last: 10 * time.Hour}, fairlead.Invalid, "shorter"},
		"no rows":   {[]data.Ref{none}, data.Holdout{Last: time.Hour}, fairlead.Precondition, "empty"},
		"no length": {[]data.Ref{ten}, data.Holdout{}, fairlead.Invalid, "longer"},
		"no version": {[]data.Ref{{Dataset: "x", N: 1}},
			data.Holdout{Last: 1}, fairlead.NotFound, "x/1"},
		"other column": {[]data.Ref{ten}, column("att"), fairlead.Invalid, `did you mean "at"`},
		"not a time":   {[]data.Ref{ten}, column("x"), fairlead.Invalid, "2011-03-01T00:00:00Z"},
	} {
		_, _, err := f.Split(t.Context(), project, c.refs, c.h)
		if !fairlead.Is(err, c.code) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %s: %v", name, fairlead.CodeOf(err), err)
		}
	}
}

func TestHoldoutReads_AreCounted(t *testing.T) {
	f := open(t)
	_, holdout, err := f.Split(t.Context(), project, []data.Ref{f.dataset(t, "d", hourly(0, 10))},
		data.Holdout{Last: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	ctx := fairlead.WithActor(t.Context(), fairlead.System("gate"))
	record := func(ref data.Ref, version int64) error {
		return f.RecordHoldoutRead(ctx, project, ref, data.HoldoutRead{Model: "bikes",
			Version: version, Purpose: data.ReadByGate, Reader: "job_1"})
	}
	for _, version := range []int64{4, 3} {
		if err := record(holdout, version); err != nil {
			t.Fatal(err)
		}
	}
	reads, err := f.HoldoutReads(t.Context(), project, holdout)
	want := data.HoldoutRead{Model: "bikes", Version: 4, Purpose: "gate", Reader: "job_1",
		Actor: "system:gate", At: wall}
	if err != nil || len(reads) != 2 || reads[0] != want || reads[1].Version != 3 {
		t.Errorf("reads %+v, %v", reads, err)
	}
	err = record(data.Ref{Dataset: "holdout", N: 9}, 1)
	if !fairlead.Is(err, fairlead.NotFound) {
		t.Errorf("unknown holdout: %v", err)
	}
	events, err := f.ledger.List(t.Context(), ledger.Filter{Types: []string{event.HoldoutReadType}})
	if err != nil || len(events) != 2 || events[0].Subject != "dataset/holdout/1" {
		t.Fatalf("events %+v, %v", events, err)
	}
	var told event.HoldoutRead
	said := event.HoldoutRead{Dataset: "holdout", Version: 1, Model: "bikes", ModelVersion: 4,
		Purpose: "gate", Reader: "job_1"}
	if err := events[0].Decode(&told); err != nil || told != said {
		t.Errorf("event %+v, %v", told, err)
	}
}

func TestHoldout_IsWrittenBySplitAlone(t *testing.T) {
	f := open(t)
	_, err := f.Ingest(t.Context(), project, data.Ingest{Dataset: data.HoldoutDataset,
		Files: []string{f.write(t, "a.csv", small)}})
	if !fairlead.Is(err, fairlead.Invalid) {
		t.Errorf("ingest: %v", err)
	}
	_, err = f.Create(t.Context(), project, data.Create{Dataset: data.HoldoutDataset,
		Table: data.Table{Columns: []data.TableColumn{{Name: "x", Type: data.Double}}}})
	if !fairlead.Is(err, fairlead.Invalid) {
		t.Errorf("create: %v", err)
	}
}

func TestCreate_RoundTripsEachType(t *testing.T) {
	f := open(t)
	at := time.Date(2011, 3, 4, 5, 6, 7, 123456000, time.FixedZone("", 3600))
	table := data.Table{Columns: []data.TableColumn{
		{Name: "d", Type: data.Double, Floats: []float64{1.5, math.NaN(), math.Inf(1)}},
		{Name: "l", Type: data.Long, Ints: []int64{1 << 60, 2, 3}, Valid: []bool{true, false, true}},
		{Name: "lf", Type: data.Long, Floats: []float64{1, math.NaN(), -3}},
		{Name: "b", Type: data.Boolean, Floats: []float64{1, 0, math.NaN()}},
		{Name: "s", Type: data.String, Strings: []string{"", "ü", "x"},
			Valid: []bool{true, true, false}},
		{Name: "t", Type: data.Datetime, Times: []time.Time{at, {}, at.Add(time.Hour)}},
		{Name: `"odd' name`, Type: data.String, Strings: []string{"a", "b", "c"}},
	}}
	v, err := f.Create(t.Context(), project, data.Create{Dataset: "d", Table: table, Time: "t"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"d": "1.5 - +Inf", "l": "1.152921504606847e+18 - 3", "lf": "1 - -3",
		"b": "1 0 -", "s": " ü -", `"odd' name`: "a b c",
		"t": "2011-03-04T04:06:07.123456Z - 2011-03-04T05:06:07.123456Z"}
	got := f.read(t, v.Ref())
	for name, values := range want {
		if c := got.Column(name); c == nil || show(c) != values {
			t.Errorf("column %s is %+v, want %s", name, c, values)
		}
	}
	if l := got.Column("l"); l.Ints[0] != 1<<60 {
		t.Errorf("a long became %d", l.Ints[0])
	}
	if v.Source != data.SourceUpload || v.FromAt.Hour() != 4 || v.Column("d").Nulls != 1 {
		t.Errorf("version %+v", v)
	}
	again, err := f.Create(t.Context(), project, data.Create{Dataset: "d", Table: *got, Time: "t"})
	if err != nil || again.N != v.N {
		t.Errorf("the same table again: %+v, %v", again, err)
	}
}

func TestCreate_AllowsNoRowsAndRefusesNonsense(t *testing.T) {
	f := open(t)
	empty := []data.TableColumn{{Name: "at", Type: data.Datetime}, {Name: "x", Type: data.Double}}
	from := time.Date(2011, 1, 1, 0, 0, 0, 0, time.UTC)
	v, err := f.Create(t.Context(), project, data.Create{Dataset: "d", Time: "at", FromAt: from,
		Table: data.Table{Columns: empty}})
	if err != nil || v.Rows != 0 || !v.FromAt.Equal(from) || v.Profile[1].Numbers != nil {
		t.Errorf("version %+v, %v", v, err)
	}
	if table := f.read(t, v.Ref()); table.Rows() != 0 || len(table.Columns) != 2 {
		t.Errorf("table %+v", table)
	}
	for name, columns := range map[string][]data.TableColumn{
		"no columns":   nil,
		"unknown type": {{Name: "x", Type: "float"}},
		"ragged": {{Name: "x", Type: data.Double, Floats: []float64{1}},
			{Name: "y", Type: data.String}},
		"short validity": {{Name: "x", Type: data.String, Strings: []string{"a"}, Valid: []bool{}}},
		"same name":      {{Name: "x", Type: data.Double}, {Name: "X", Type: data.Double}},
	} {
		_, err := f.Create(t.Context(), project,
			data.Create{Dataset: "d", Table: data.Table{Columns: columns}})
		if !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
