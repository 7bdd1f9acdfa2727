package data_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/data"
)

const (
	before = "id,n,s,gone\n1,1,a,x\n2,2,b,x\n3,3,b,x\n4,4,c,x\n"
	after  = "id,n,s,new\n2,2,b,1\n3,30,d,1\n4,4,,1\n5,5,d,1\n6,6,d,1\n"
)

func (f *fixture) keyed(t testing.TB, name, key, text string) data.Ref {
	t.Helper()
	v, err := f.Ingest(t.Context(), project, data.Ingest{Dataset: name, Key: key,
		Files: []string{f.write(t, name+".csv", text)}})
	if err != nil {
		t.Fatal(err)
	}
	return v.Ref()
}

func (f *fixture) diff(t testing.TB, from, to data.Ref, key string) *data.Diff {
	t.Helper()
	d, err := f.Diff(t.Context(), project, from, to, key)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestDiff_ComparesColumnsAndRows(t *testing.T) {
	f := open(t)
	from, to := f.keyed(t, "d", "id", before), f.keyed(t, "d", "id", after)
	d := f.diff(t, from, to, "")
	var states []string
	for _, c := range d.Columns {
		states = append(states, c.Name+" "+c.State)
	}
	if got := strings.Join(states, ", "); got != "id same, n same, s same, new added, gone removed" {
		t.Errorf("columns: %s", got)
	}
	r := d.Rows
	if r == nil || r.Key != "id" || r.Added != 2 || r.Removed != 1 || r.Changed != 2 || r.Unchanged != 1 ||
		fmt.Sprint(r.ByColumn) != "map[n:1 s:2]" {
		t.Fatalf("rows %+v", r)
	}
	var told []string
	for _, e := range r.Examples {
		line := e.Kind + " " + e.Key
		for _, c := range e.Cells {
			line += " " + c.Column + ":" + or(c.From) + ">" + or(c.To)
		}
		told = append(told, line)
	}
	if got := strings.Join(told, ", "); got !=
		"changed 3 n:3>30 s:b>d, changed 4 s:c>-, added 5, added 6, removed 1" {
		t.Errorf("examples: %s", got)
	}
	s := d.Columns[2].Shape
	if fmt.Sprint(s.Names, s.From, s.To) != "[b d a c] [2 0 1 1] [1 3 0 0]" ||
		s.New.Distinct != 1 || s.New.Rows != 3 || s.New.Top[0].Value != "d" ||
		s.Lost.Distinct != 2 || s.Lost.Top[0].Value != "a" || s.PSI == nil || *s.PSI < 0.2 {
		t.Errorf("shape of s: %+v", s)
	}
	n := d.Columns[1].Shape
	if len(n.Edges) != 31 || n.Edges[0] != 0.5 || n.From[0] != 1 || n.To[29] != 1 || n.PSI == nil ||
		n.ByChance <= 0 {
		t.Errorf("shape of n: %+v", n)
	}
	if same := f.diff(t, from, from, ""); same.Rows.Unchanged != 4 || *same.Columns[1].Shape.PSI != 0 {
		t.Errorf("with itself: %+v", same.Rows)
	}
}

func or(p *string) string {
	if p == nil {
		return "-"
	}
	return *p
}

// Comparisons wait for each other, and end when nobody waits for them.
func TestDiff_ManyAtOnceTakeTurns(t *testing.T) {
	f := open(t)
	from, to := f.keyed(t, "d", "id", before), f.keyed(t, "d", "id", after)
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if d, err := f.Diff(t.Context(), project, from, to, ""); err != nil || d.Rows.Changed != 2 {
				t.Errorf("%+v, %v", d, err)
			}
		})
	}
	all.Wait()
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := f.Diff(gone, project, from, to, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("nobody waits: %v", err)
	}
}

func TestDiff_SaysWhyRowsAreNotCompared(t *testing.T) {
	f := open(t)
	a, b := f.keyed(t, "a", "", "id,n\n1,1\n1,2\n"), f.keyed(t, "b", "", "id,n\nx,1\ny,2\n")
	for key, says := range map[string]string{"": "name no key", "id": "same type", "n": ""} {
		if d := f.diff(t, a, b, key); !strings.Contains(d.NoRows, says) || (says == "") != (d.Rows != nil) {
			t.Errorf("%q: %q %+v", key, d.NoRows, d.Rows)
		}
	}
	if d := f.diff(t, a, a, "id"); !strings.Contains(d.NoRows, "1 share theirs") {
		t.Errorf("no key: %q", d.NoRows)
	}
	if _, err := f.Diff(t.Context(), project, a, b, "none"); !fairlead.Is(err, fairlead.Invalid) {
		t.Errorf("no column: %v", err)
	}
	if d := f.diff(t, a, b, "n"); d.Columns[0].State != data.ColumnRetyped || d.Columns[0].Shape != nil {
		t.Errorf("retyped: %+v", d.Columns[0])
	}
	if _, err := f.Diff(t.Context(), project, a, data.Ref{Dataset: "b", N: 7}, ""); !fairlead.Is(err,
		fairlead.NotFound) {
		t.Errorf("no version: %v", err)
	}
}

func TestDiff_SeesADriftAndNotItsAbsence(t *testing.T) {
	f := open(t)
	column := func(shift float64) data.Ref {
		c := data.TableColumn{Name: "x", Type: data.Double}
		for i := range 2000 {
			c.Floats = append(c.Floats, math.Mod(float64(i)*0.618034+shift, 1)+math.Floor(shift))
		}
		v, err := f.Create(t.Context(), project, data.Create{Dataset: "d",
			Table: data.Table{Columns: []data.TableColumn{c}}})
		if err != nil {
			t.Fatal(err)
		}
		return v.Ref()
	}
	from, near, far := column(0), column(0.5), column(1)
	if s := f.diff(t, from, near, "").Columns[0].Shape; *s.PSI > s.ByChance {
		t.Errorf("no drift: %v, by chance %v", *s.PSI, s.ByChance)
	}
	s := f.diff(t, from, far, "").Columns[0].Shape
	if *s.PSI < 1 || len(s.Edges) != 25 || s.Edges[0] > 0.01 || s.Edges[24] < 1.99 {
		t.Errorf("drift: %v, edges %v", *s.PSI, s.Edges)
	}
}

func TestDiff_HandlesWhatIsEmptyOrOdd(t *testing.T) {
	f := open(t)
	odd := func(floats ...float64) data.Ref {
		times := make([]time.Time, len(floats))
		v, err := f.Create(t.Context(), project, data.Create{Dataset: "d", Table: data.Table{
			Columns: []data.TableColumn{{Name: "x", Type: data.Double, Floats: floats},
				{Name: "t", Type: data.Datetime, Times: times},
				{Name: `"q"`, Type: data.String, Strings: make([]string, len(floats))}}}})
		if err != nil {
			t.Fatal(err)
		}
		return v.Ref()
	}
	none, missing := odd(), odd(math.NaN(), math.NaN())
	infinite, huge := odd(math.Inf(1), math.Inf(-1)), odd(-1e153, 1e153)
	for _, from := range []data.Ref{none, missing, infinite, huge} {
		for _, to := range []data.Ref{none, missing, infinite, huge} {
			d := f.diff(t, from, to, "")
			for _, c := range d.Columns {
				if c.Shape == nil {
					continue
				}
				for _, e := range c.Shape.Edges {
					if math.IsInf(e, 0) || math.IsNaN(e) {
						t.Errorf("%s, %s: edges %v", from, to, c.Shape.Edges)
					}
				}
			}
			if d := f.diff(t, from, to, "x"); d.Rows == nil && d.NoRows == "" {
				t.Errorf("%s, %s: rows are left out without a word", from, to)
			}
		}
	}
}

func TestDiff_KeepsAHoldoutClosed(t *testing.T) {
	f := open(t)
	holdout := f.held(t)
	d := f.diff(t, data.Ref{Dataset: "d", N: 2}, holdout, "")
	if !d.Closed || d.Rows != nil || d.NoRows == "" || d.Columns[2].Shape != nil ||
		d.Columns[2].To.Numbers == nil {
		t.Errorf("unsaid: %+v", d)
	}
	if err := f.Look(t.Context(), project, holdout, "why"); err != nil {
		t.Fatal(err)
	}
	if d = f.diff(t, data.Ref{Dataset: "d", N: 2}, holdout, "id"); d.Closed || d.Rows == nil ||
		d.Rows.Added != 1 || d.Columns[2].Shape == nil {
		t.Errorf("said: %+v", d)
	}
}

func TestDiff_TellsWhatItHasTimeFor(t *testing.T) {
	f := open(t)
	a, b := f.dataset(t, "d", hourly(0, 200_000)), f.dataset(t, "d", hourly(10, 200_000))
	for limit := 4 * time.Millisecond; ; limit += limit / 3 { // from too short for anything on
		f.SetDiffTime(limit)
		d, err := f.Diff(t.Context(), project, a, b, "id")
		if fairlead.Is(err, fairlead.Precondition) {
			continue
		}
		if err != nil || len(d.Columns) != 3 || d.Columns[0].From == nil || d.Rows != nil ||
			!strings.Contains(d.NoRows, "too long") {
			t.Errorf("%+v, %v", d, err)
		}
		return
	}
}
