package tracking_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/tracking"
	"github.com/fairlead-ml/fairlead/tracking/filter"
)

// table asks for a window of the table of all runs.
func (b *bench) table(in tracking.Table) *tracking.TablePage {
	b.Helper()
	in.Everywhere = len(in.Experiments) == 0
	if in.Limit == 0 {
		in.Limit = 100
	}
	page, err := b.svc.TableRuns(b.Context(), project, in)
	b.must(err)
	return page
}

func rowNames(rows []*tracking.TableRow) string {
	var out []string
	for _, r := range rows {
		name := r.Name
		if r.Children > 0 {
			name += fmt.Sprintf("(%d)", r.Children)
		}
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

// named starts a run a second after the one before, with metrics.
func (b *bench) named(name, parent string, metrics ...tracking.Metric) string {
	b.Helper()
	b.clock.Advance(time.Second)
	n := tracking.NewRun{Name: name}
	if parent != "" {
		n.Tags = []tracking.Tag{{Key: "mlflow.parentRunId", Value: parent}}
	}
	id := b.run(n).ID
	if len(metrics) > 0 {
		b.log(id, tracking.Batch{Metrics: metrics})
	}
	return id
}

func TestTableRuns_KeepItsOrderUnderASnapshot(t *testing.T) {
	b := open(t)
	first := b.named("a", "", metric("auc", 0.5, 0), metric("auc", 0.4, 1))
	b.named("b", "", metric("auc", math.NaN(), 0))
	b.named("c", "", metric("auc", 0.9, 0))
	b.named("d", "")
	by := tracking.Search{OrderBy: []string{"metrics.auc DESC"}, Select: []string{"metrics.auc"}}
	page := b.table(tracking.Table{Search: by})
	if got := rowNames(page.Rows); got != "c a b d" || page.Total != 4 || page.Newer != 0 {
		t.Fatalf("rows %s, %d, %d newer", got, page.Total, page.Newer)
	}
	m := page.Rows[1].Summaries[0]
	if *m.Last != 0.4 || *m.Max != 0.5 || *m.Best != 0.5 || m.Step != 1 {
		t.Errorf("a's auc is %+v", m)
	}
	if page.Rows[2].Summaries[0].Last != nil || len(page.Rows[0].Tags) != 0 {
		t.Errorf("NaN is %+v; tags %v", page.Rows[2].Summaries[0], page.Rows[0].Tags)
	}
	b.log(first, tracking.Batch{Metrics: []tracking.Metric{metric("auc", 2, 2)}})
	b.named("e", "", metric("auc", 1, 0))
	later := b.table(tracking.Table{Search: by, Snapshot: page.Snapshot, Offset: 1})
	if got := rowNames(later.Rows); got != "a b d" || later.Snapshot != page.Snapshot ||
		later.Newer != 1 || *later.Rows[0].Summaries[0].Last != 2 {
		t.Errorf("later: %s, %d newer", got, later.Newer)
	}
	if got := rowNames(b.table(tracking.Table{Search: by}).Rows); got != "a e c b d" {
		t.Errorf("anew: %s", got)
	}
	other := by
	other.Filter = "metrics.auc > 0.95"
	wrong := b.table(tracking.Table{Search: other, Snapshot: page.Snapshot})
	if got := rowNames(wrong.Rows); got != "a e" || wrong.Snapshot == page.Snapshot {
		t.Errorf("a snapshot of another search gives %s", got)
	}
	if got := b.table(tracking.Table{Search: by, Offset: 99}); len(got.Rows) != 0 || got.Total != 5 {
		t.Errorf("behind the end: %+v", got)
	}
}

func TestTableRuns_NestsBelowParentsThatAreFound(t *testing.T) {
	b := open(t)
	parent := b.named("parent", "")
	one := b.named("one", parent, metric("loss", 1, 0))
	b.named("two", parent, metric("loss", 2, 0))
	b.named("deep", one, metric("loss", 3, 0))
	b.named("lost", "no-such-run")
	ring := b.named("ring", "")
	back := b.named("back", ring)
	b.must(b.svc.SetTag(t.Context(), project, ring, tracking.Tag{Key: "mlflow.parentRunId", Value: back}))
	in := tracking.Table{Nested: true, Search: tracking.Search{OrderBy: []string{"start_time"}}}
	page := b.table(in)
	if got := rowNames(page.Rows); got != "parent(2) lost ring back" || page.Runs != 7 {
		t.Errorf("first level: %s of %d", got, page.Runs)
	}
	in.Snapshot, in.Under = page.Snapshot, parent
	if got := rowNames(b.table(in).Rows); got != "one(1) two" {
		t.Errorf("below the parent: %s", got)
	}
	in.Under = one
	if got := rowNames(b.table(in).Rows); got != "deep" {
		t.Errorf("below one: %s", got)
	}
	found := tracking.Table{Nested: true, Search: tracking.Search{Filter: "metrics.loss > 1",
		OrderBy: []string{"start_time"}}}
	if got := rowNames(b.table(found).Rows); got != "two deep" {
		t.Errorf("with a filter that leaves parents out: %s", got)
	}
	b.must(b.svc.DeleteTag(t.Context(), project, one, "mlflow.parentRunId"))
	if got := rowNames(b.table(tracking.Table{Nested: true, Search: tracking.Search{
		OrderBy: []string{"start_time"}}}).Rows); got != "parent(1) one(1) lost ring back" {
		t.Errorf("without the tag: %s", got)
	}
}

func TestTableRuns_SumsUpWhatIsBelow(t *testing.T) {
	b := open(t)
	plain := b.named("plain", "", metric("auc", 0.7, 0))
	parent := b.named("parent", "")
	one := b.named("one", parent, metric("auc", 0.5, 0), metric("odd", 1, 0))
	b.named("deep", one, metric("auc", 0.9, 0), metric("auc", 0.8, 1))
	b.named("nan", parent, metric("auc", math.NaN(), 0))
	huge := b.named("huge", "")
	for _, name := range []string{"h1", "h2"} {
		b.named(name, huge, metric("auc", -math.MaxFloat64, 0), metric("odd", math.MaxFloat64, 0))
	}
	in := tracking.Table{Nested: true, Search: tracking.Search{OrderBy: []string{"metrics.auc DESC"},
		Select: []string{"metrics.auc", "metrics.odd", "params.p"}}}
	page := b.table(in)
	// A parent without a value stands where the best one below it does.
	if got := rowNames(page.Rows); got != "parent(2) plain huge(2)" {
		t.Fatalf("rows: %s", got)
	}
	sums := page.Rows[0].Below
	if a := sums["auc"]; a.Runs != 2 || a.Min != 0.5 || a.Max != 0.8 || *a.Best != 0.8 ||
		math.Abs(a.Mean-0.65) > 1e-12 {
		t.Errorf("below the parent: %+v", a)
	}
	if a := sums["odd"]; a.Runs != 1 || a.Best != nil {
		t.Errorf("a metric of which nobody knows what is good: %+v", a)
	}
	if a := page.Rows[2].Below["odd"]; a.Mean != math.MaxFloat64 {
		t.Errorf("the mean of the largest numbers is %v", a.Mean)
	}
	if page.Rows[1].Below != nil || page.Rows[1].ID != plain {
		t.Errorf("below a run without others: %v", page.Rows[1].Below)
	}
	in.Search.OrderBy = []string{"metrics.auc"}
	if got := rowNames(b.table(in).Rows); got != "huge(2) parent(2) plain" {
		t.Errorf("the least first: %s", got)
	}
	in.Under = parent
	if got := rowNames(b.table(in).Rows); got != "one(1) nan" {
		t.Errorf("below the parent: %s", got)
	}
}

func TestTableRuns_SortsTextsThatAreNumbersAsNumbers(t *testing.T) {
	b := open(t)
	var parent string
	for _, depth := range []string{"9", "10", "auto", "1e1000", "-1", "abc", ""} {
		n := tracking.NewRun{Name: "depth " + depth}
		if depth != "" {
			n.Params = []tracking.Param{{Key: "depth", Value: depth}}
		} else {
			n.Name = "none"
		}
		b.clock.Advance(time.Second)
		parent = b.run(n).ID
	}
	b.clock.Advance(time.Second)
	b.run(tracking.NewRun{Name: "child", Params: []tracking.Param{{Key: "depth", Value: "9.5"}},
		Tags: []tracking.Tag{{Key: "mlflow.parentRunId", Value: parent}, {Key: "rank", Value: "2"}}})
	for _, x := range []struct{ order, want string }{
		{"params.depth", "depth -1 depth 9 none(1) depth 10 depth 1e1000 depth abc depth auto"},
		{"params.depth DESC", "depth 10 none(1) depth 9 depth -1 depth auto depth abc depth 1e1000"},
		{"tags.rank", "none(1) depth abc depth -1 depth 1e1000 depth auto depth 10 depth 9"},
	} {
		page := b.table(tracking.Table{Nested: true, Search: tracking.Search{OrderBy: []string{x.order}}})
		if got := rowNames(page.Rows); got != x.want {
			t.Errorf("by %s: %s, want %s", x.order, got, x.want)
		}
	}
	other := b.table(tracking.Table{Search: tracking.Search{OrderBy: []string{"params.depth"},
		Filter: "params.depth != '9'"}})
	if got := rowNames(other.Rows); got != "depth -1 child depth 10 depth 1e1000 depth abc depth auto" {
		t.Errorf("with a filter: %s", got)
	}
}

func TestTableRuns_BoundsAndRefuses(t *testing.T) {
	b := open(t)
	b.clock.Advance(time.Second)
	long := b.run(tracking.NewRun{Params: []tracking.Param{{Key: "p", Value: strings.Repeat("é", 1000)}}})
	row := b.table(tracking.Table{Search: tracking.Search{Select: []string{"params.p"}}}).Rows[0]
	if n := len([]rune(row.Params[0].Value)); n != 301 {
		t.Errorf("a cell has %d characters", n)
	}
	for _, bad := range []struct {
		in   tracking.Table
		want string
	}{
		{tracking.Table{Search: tracking.Search{Limit: 1001}}, "limit"},
		{tracking.Table{Search: tracking.Search{Limit: 1}, Offset: -1}, "limit"},
		{tracking.Table{Search: tracking.Search{Limit: 1, Select: []string{"nope"}}}, "Invalid attribute"},
		{tracking.Table{Search: tracking.Search{Limit: 1, Filter: "status > 'a'"}}, "at character 8"},
	} {
		bad.in.Everywhere = true
		_, err := b.svc.TableRuns(t.Context(), project, bad.in)
		b.refused(err, fairlead.Invalid, bad.want)
	}
	_, err := b.svc.TableRuns(t.Context(), other, tracking.Table{Nested: true, Under: long.ID,
		Search: tracking.Search{Everywhere: true, Limit: 1}})
	if err != nil && !fairlead.Is(err, fairlead.NotFound) {
		t.Errorf("below a run of another project: %v", err)
	}
	b.must(b.svc.DeleteRun(t.Context(), project, long.ID))
	b.clock.Advance(time.Second)
	second := b.named("second", "")
	b.must(b.svc.DeleteRun(t.Context(), project, second))
	trash := b.table(tracking.Table{Search: tracking.Search{View: tracking.DeletedOnly}})
	if len(trash.Rows) != 2 || trash.Rows[0].ID != second || trash.Rows[0].DeletedMS == 0 {
		t.Errorf("the trash does not begin with what was deleted last: %s", rowNames(trash.Rows))
	}
}

func TestGroupRuns_SumsUpByWhatRunsHave(t *testing.T) {
	b := open(t)
	for i, depth := range []string{"1", "1", "2", ""} {
		n := tracking.NewRun{}
		if depth != "" {
			n.Params = []tracking.Param{{Key: "depth", Value: depth}}
		}
		b.clock.Advance(time.Second)
		r := b.run(n)
		b.log(r.ID, tracking.Batch{Metrics: []tracking.Metric{metric("loss", float64(i), 0)}})
		if i == 0 {
			b.must(b.svc.Index(t.Context()))
			_, err := b.svc.UpdateRun(t.Context(), project, r.ID, tracking.Update{Status: new("FINISHED")})
			b.must(err)
		}
	}
	group := func(in tracking.Grouping) *tracking.GroupPage {
		t.Helper()
		in.Everywhere, in.Limit = true, max(in.Limit, 10)
		page, err := b.svc.GroupRuns(t.Context(), project, in)
		b.must(err)
		return page
	}
	page := group(tracking.Grouping{By: []string{"params.depth"},
		Search: tracking.Search{Select: []string{"metrics.loss"}}})
	var got []string
	for _, g := range page.Groups {
		value := "none"
		if g.Values[0] != nil {
			value = *g.Values[0]
		}
		m := g.Metrics["loss"]
		got = append(got, fmt.Sprintf("%s: %d runs, %d running, %d from %v to %v about %v", value, g.Runs,
			g.Running, m.Runs, m.Min, m.Max, m.Mean))
	}
	want := "1: 2 runs, 1 running, 2 from 0 to 1 about 0.5; 2: 1 runs, 1 running, 1 from 2 to 2 about 2; " +
		"none: 1 runs, 1 running, 1 from 3 to 3 about 3"
	if all := strings.Join(got, "; "); all != want || page.Total != 3 || page.Runs != 4 {
		t.Errorf("groups: %s (%d of %d runs)", all, page.Total, page.Runs)
	}
	two := group(tracking.Grouping{By: []string{"status", "params.depth"}, Offset: 1,
		Search: tracking.Search{Filter: "params.depth = '1'"}})
	if len(two.Groups) != 1 || two.Total != 2 || *two.Groups[0].Values[0] != "RUNNING" {
		t.Errorf("by two, from the second: %+v", two)
	}
	for what, in := range map[string]tracking.Grouping{
		"1 to 3 keys":        {},
		"params, tags or":    {By: []string{"metrics.loss"}},
		"Groups sum up":      {By: []string{"status"}, Search: tracking.Search{Select: []string{"params.p"}}},
		"status, user_id or": {By: []string{"start_time"}},
	} {
		in.Everywhere, in.Limit = true, 10
		_, err := b.svc.GroupRuns(t.Context(), project, in)
		b.refused(err, fairlead.Invalid, what)
	}
}

func TestColumns_AreSearchedByWordsAndOutliveTheProgram(t *testing.T) {
	dir := t.TempDir()
	b := openIn(t, dir, begin)
	e, err := b.svc.CreateExperiment(t.Context(), project, "e", nil)
	b.must(err)
	r := b.run(tracking.NewRun{Experiment: e.ID, Params: []tracking.Param{{Key: "learning rate", Value: "1"}}})
	b.log(r.ID, tracking.Batch{Metrics: []tracking.Metric{metric("val/loss", 1, 0), metric("loss", 1, 0),
		metric("a_sure", math.NaN(), 0), metric("auc", 1, 0)}})
	b.must(b.db.Close())
	b = openIn(t, dir, begin)
	b.log(r.ID, tracking.Batch{Metrics: []tracking.Metric{metric("loss", 2, 1), metric("late", 2, 1)}})
	names := func(in tracking.Columns) (string, tracking.ColumnPage) {
		t.Helper()
		in.Limit = max(in.Limit, 1)
		page, err := b.svc.Columns(t.Context(), project, in)
		b.must(err)
		var out []string
		for _, c := range page.Items {
			out = append(out, c.Name())
		}
		return strings.Join(out, " "), page
	}
	in := []string{e.ID}
	if got, page := names(tracking.Columns{Experiments: in, Limit: 100}); got !=
		"metrics.a_sure metrics.auc metrics.late metrics.loss metrics.val/loss "+
			"params.`learning rate` tags.mlflow.runName" || page.Total != 7 {
		t.Errorf("all: %s (%d)", got, page.Total)
	}
	for contains, want := range map[string]string{"LOSS": "metrics.loss metrics.val/loss", "%": "",
		"loss val": "metrics.val/loss", "nothing": "", "_": "metrics.a_sure"} {
		got, _ := names(tracking.Columns{Everywhere: true, Kind: filter.Metric, Contains: contains, Limit: 10})
		if got != want {
			t.Errorf("containing %q: %s, want %s", contains, got, want)
		}
	}
	few := b.run(tracking.NewRun{Experiment: e.ID})
	b.log(few.ID, tracking.Batch{Metrics: []tracking.Metric{metric("loss", 1, 0)}})
	if got, common := names(tracking.Columns{Experiments: in, Common: true, Limit: 2}); got !=
		"metrics.loss metrics.a_sure" || common.Total != 7 {
		t.Errorf("the most common: %s (%d)", got, common.Total)
	}
	first, page := names(tracking.Columns{Experiments: in, Kind: filter.Metric, Limit: 3})
	rest, last := names(tracking.Columns{Experiments: in, Kind: filter.Metric, Limit: 3, PageToken: page.Next})
	if first != "metrics.a_sure metrics.auc metrics.late" || rest != "metrics.loss metrics.val/loss" ||
		last.Next != "" {
		t.Errorf("pages: %s, %s", first, rest)
	}
	_, err = b.svc.Columns(t.Context(), project, tracking.Columns{Everywhere: true, Limit: 10, Kind: "x"})
	b.refused(err, fairlead.Invalid, "metric, parameter or tag")
	_, err = b.svc.Columns(t.Context(), project, tracking.Columns{Everywhere: true, Limit: 1001})
	b.refused(err, fairlead.Invalid, "1000")
	if page, err := b.svc.Columns(t.Context(), other, tracking.Columns{Everywhere: true, Limit: 10}); err != nil ||
		page.Total != 0 {
		t.Errorf("another project sees %+v, %v", page, err)
	}
	b.must(b.svc.DeleteExperiment(t.Context(), project, e.ID))
	b.clock.Advance(time.Hour)
	b.purge(0)
	again, err := b.svc.CreateExperiment(t.Context(), project, "again", nil) // may get the old key
	b.must(err)
	r = b.run(tracking.NewRun{Experiment: again.ID})
	b.log(r.ID, tracking.Batch{Metrics: []tracking.Metric{metric("loss", 1, 0)}})
	if got, _ := names(tracking.Columns{Experiments: []string{again.ID}, Kind: filter.Metric,
		Limit: 10}); got != "metrics.loss" {
		t.Errorf("of the experiment that came after: %q", got)
	}
}

func TestSparklines_AreFewPointsFromFirstToLast(t *testing.T) {
	b := open(t)
	r := b.run(tracking.NewRun{})
	b.points(r.ID, "short", 3, func(i int) (int64, float64) { return int64(i), float64(i) })
	b.points(r.ID, "long", 5000, func(i int) (int64, float64) { return int64(i), float64(i) })
	b.points(r.ID, "middle", 50, func(i int) (int64, float64) { return int64(i), float64(i) })
	b.points(r.ID, "still", 500, func(i int) (int64, float64) { return 0, float64(i) })
	b.log(r.ID, tracking.Batch{Metrics: []tracking.Metric{metric("nan", math.NaN(), 0)}})
	all, err := b.svc.Sparklines(t.Context(), project, []string{r.ID, "gone"},
		[]string{"short", "long", "middle", "still", "nan", "none"})
	b.must(err)
	ends := map[string][2]float64{"short": {0, 2}, "long": {0, 4999}, "middle": {0, 49}, "still": {0, 499}}
	for _, s := range all {
		if s.Key == "nan" {
			if len(s.Values) != 1 || s.Values[0] != nil {
				t.Errorf("NaN: %v", s.Values)
			}
			continue
		}
		if n := len(s.Values); n > 30 || *s.Values[0] != ends[s.Key][0] || *s.Values[n-1] != ends[s.Key][1] {
			t.Errorf("%s has %d points", s.Key, n)
		}
		for i := 1; i < len(s.Values); i++ {
			if *s.Values[i] < *s.Values[i-1] {
				t.Errorf("%s is out of order", s.Key)
			}
		}
	}
	if len(all) != 5 {
		t.Errorf("%d sparklines", len(all))
	}
	_, err = b.svc.Sparklines(t.Context(), project, make([]string, 201), nil)
	b.refused(err, fairlead.Invalid, "at most 200")
	if strange, err := b.svc.Sparklines(t.Context(), other, []string{r.ID}, []string{"short"}); err != nil ||
		len(strange) != 0 {
		t.Errorf("another project sees %v, %v", strange, err)
	}
}

func TestBulk_ChangesEachRunAndNamesTheOthers(t *testing.T) {
	b := open(t)
	var ids []string
	for i := range 120 {
		ids = append(ids, b.named(fmt.Sprint("r", i), ""))
	}
	done, err := b.svc.DeleteRuns(t.Context(), project, append([]string{"none", ids[0]}, ids...))
	b.must(err)
	if len(done.Changed) != 120 || len(done.Failed) != 1 || done.Failed[0].Run != "none" ||
		done.Failed[0].Code != fairlead.NotFound {
		t.Errorf("deleted %d, failed %+v", len(done.Changed), done.Failed)
	}
	tagged, err := b.svc.TagRuns(t.Context(), project, ids[:2], []tracking.Tag{{Key: "a", Value: "1"}}, nil)
	b.must(err)
	if len(tagged.Failed) != 2 || tagged.Failed[0].Code != fairlead.Invalid {
		t.Errorf("tags of deleted runs: %+v", tagged)
	}
	if _, err = b.svc.RestoreRuns(t.Context(), project, ids); err != nil || b.get(ids[119]).State != tracking.Active {
		t.Errorf("restored: %v", err)
	}
	_, err = b.svc.TagRuns(t.Context(), project, ids[:3], []tracking.Tag{{Key: "a", Value: "1"},
		{Key: "mlflow.runName", Value: "same"}}, []string{"b"})
	b.must(err)
	if r := b.get(ids[2]); r.Name != "same" {
		t.Errorf("tagged: %+v", r)
	}
	_, err = b.svc.TagRuns(t.Context(), project, ids[:3], nil, []string{"a"})
	b.must(err)
	for _, tag := range b.get(ids[0]).Tags {
		if tag.Key == "a" {
			t.Error("a tag was not removed")
		}
	}
	_, err = b.svc.TagRuns(t.Context(), project, ids[:1], []tracking.Tag{{Key: "a"}}, []string{"a"})
	b.refused(err, fairlead.Invalid, "set and removed")
	_, err = b.svc.DeleteRuns(t.Context(), project, make([]string, 1001))
	b.refused(err, fairlead.Invalid, "1 to 1000")
	if done, err := b.svc.DeleteRuns(t.Context(), other, ids[:1]); err != nil || len(done.Failed) != 1 {
		t.Errorf("another project deletes: %+v, %v", done, err)
	}
}

func TestCompleteFilter_GoesOnWhereSomebodyTypes(t *testing.T) {
	b := open(t)
	for i := range 3 {
		b.clock.Advance(time.Second)
		r := b.run(tracking.NewRun{User: "ann", Params: []tracking.Param{{Key: "kind", Value: []string{"it's", "b",
			"b"}[i]}}})
		b.log(r.ID, tracking.Batch{Metrics: []tracking.Metric{metric("auc", 1, 0), metric("a b", 1, 0)}})
	}
	for text, want := range map[string]string{
		"|":                             "key 0-0 metrics.`a b`",
		"au|":                           "key 0-2 metrics.auc",
		"metrics.|":                     "key 0-8 metrics.`a b`",
		"metrics.`a|":                   "key 0-10 metrics.`a b`",
		"stat|":                         "key 0-4 status",
		"NOT dataset.na|":               "key 4-14 datasets.name",
		"metrics.auc |":                 "comparator 12-12 =",
		"metrics.auc >|":                "comparator 12-13 >",
		"params.kind NOT |":             "comparator 16-16 IN",
		"params.kind IS |":              "comparator 15-15 NULL",
		"params.kind = |":               "value 14-14 'b'",
		"params.kind = 'it|":            "value 14-17 'it''s'",
		"params.kind IN ('b', |":        "value 21-21 'b'",
		"params.kind IN ('b' |":         "join 20-20 ,",
		"status = 'fin|":                "value 9-13 'FINISHED'",
		"user_id = |":                   "value 10-10 'ann'",
		"metrics.auc > 1 |":             "join 16-16 AND",
		"(metrics.auc > 1 A|":           "join 17-18 AND",
		"params.kind = 'é' AND |":       "key 22-22 metrics.`a b`",
		"metrics.auc > 1 AND | junk":    "key 20-20 metrics.`a b`",
		"metrics.auc BETWEEN 1 |":       "join 22-22 AND",
		"metrics.auc > 1 metrics.auc |": " 0-0 ",
	} {
		at := len([]rune(text[:strings.Index(text, "|")]))
		c, err := b.svc.CompleteFilter(t.Context(), project, tracking.Search{Everywhere: true,
			Filter: strings.Replace(text, "|", "", 1)}, at)
		b.must(err)
		first := ""
		if len(c.Options) > 0 {
			first = c.Options[0].Text
		}
		if got := fmt.Sprintf("%s %d-%d %s", c.Want, c.From, c.To, first); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
	for text, want := range map[string]string{"": "ok", "metrics.auc > 1": "ok", "é = 1": "0-1",
		"metrics.auc > 'x'": "14-17", "metrics.auc >": "13-13", "params.kind > 'x'": "12-13",
		"params.kind = 'open": "14-19"} {
		c, err := b.svc.CompleteFilter(t.Context(), project, tracking.Search{Everywhere: true, Filter: text}, 0)
		b.must(err)
		got := "ok"
		if c.Problem != nil {
			got = fmt.Sprintf("%d-%d", c.Problem.From, c.Problem.To)
		}
		if got != want {
			t.Errorf("what is wrong with %q: %s, want %s", text, got, want)
		}
	}
}

func TestActivities_TellWhatGoesOn(t *testing.T) {
	b := open(t)
	one := b.named("one", "")
	b.named("two", "")
	_, err := b.svc.UpdateRun(t.Context(), project, one, tracking.Update{Status: new("FINISHED"),
		EndMS: new(begin.Add(time.Hour).UnixMilli())})
	b.must(err)
	e, err := b.svc.Experiment(t.Context(), project, "0")
	b.must(err)
	all, err := b.svc.Activities(t.Context(), project, []*tracking.Experiment{e})
	b.must(err)
	if a := *all["0"]; a.Runs != 2 || a.Running != 1 || a.LastMS != begin.Add(time.Hour).UnixMilli() {
		t.Errorf("activity: %+v", a)
	}
}
