package tracking_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/tracking"
)

// fixture has five runs r0..r4 with acc = 0.0 … 0.4, one NaN, and params.
func fixture(t *testing.T) *bench {
	b := open(t)
	for i := range 5 {
		b.clock.Advance(time.Second)
		r := b.run(tracking.NewRun{Name: fmt.Sprintf("r%d", i), User: "ann",
			Params: []tracking.Param{{Key: "kind", Value: []string{"Tree", "linear"}[i%2]}},
			Tags:   []tracking.Tag{{Key: "n o", Value: fmt.Sprint(i)}}})
		b.log(r.ID, tracking.Batch{Metrics: []tracking.Metric{metric("acc", float64(i)/10, 1)}})
		if i == 4 {
			b.log(r.ID, tracking.Batch{Metrics: []tracking.Metric{metric("odd", math.NaN(), 1)}})
		} else if i > 0 {
			b.log(r.ID, tracking.Batch{Metrics: []tracking.Metric{metric("odd", float64(i), 1)}})
		}
		in := tracking.DatasetInput{Dataset: tracking.Dataset{Name: fmt.Sprintf("d%d", i%2),
			Digest: "x", SourceType: "s", Source: "s"}}
		if i == 2 {
			in.Tags = []tracking.Tag{{Key: "mlflow.data.context", Value: "eval"}}
		}
		b.must(b.svc.LogInputs(t.Context(), project, r.ID, []tracking.DatasetInput{in}, nil))
	}
	return b
}

func (b *bench) names(in tracking.Search) string {
	b.Helper()
	in.Experiments = []string{"0"}
	page, err := b.svc.SearchRuns(b.Context(), project, in)
	b.must(err)
	var names []string
	for _, r := range page.Items {
		names = append(names, r.Name)
	}
	return strings.Join(names, " ")
}

func TestSearchRuns_FiltersAndOrders(t *testing.T) {
	b := fixture(t)
	for _, c := range []struct{ filter, order, want string }{
		{"", "", "r4 r3 r2 r1 r0"},
		{"metrics.acc >= 0.2", "", "r4 r3 r2"},
		{"metrics.acc > 0.1 and params.kind = 'Tree'", "", "r4 r2"},
		{"params.kind LIKE 'Tr%'", "start_time", "r0 r2 r4"},
		{"params.kind LIKE 'tr%'", "", ""},
		{"params.kind ILIKE 'tr__'", "metrics.acc ASC", "r0 r2 r4"},
		{"params.kind CONTAINS 'RE'", "metrics.acc ASC", "r0 r2 r4"},
		{"params.kind contains 'Tr%' OR params.kind CONTAINS 'T_ee'", "", ""},
		{"params.kind != 'Tree'", "", "r3 r1"},
		{"tags.`n o` = '3'", "", "r3"},
		{"tags.absent = '3'", "", ""},
		{"tags.absent IS NULL and params.kind is not null", "tags.`n o`", "r0 r1 r2 r3 r4"},
		{"attributes.run_name IN ('r1', 'r2', 'x')", "run_name asc", "r1 r2"},
		{"run_name NOT IN ('r1', 'r2')", "params.kind DESC", "r3 r4 r0"},
		{"start_time >= 1772323204000", "", "r4 r3"},
		{"status = 'RUNNING' and user_id = 'ann'", "run_name", "r0 r1 r2 r3 r4"},
		{"dataset.name = 'd1'", "", "r3 r1"},
		{"dataset.context = 'eval'", "", "r2"},
		{"artifact_uri LIKE 'mlflow-artifacts:/0/%'", "", "r4 r3 r2 r1 r0"},
		{"", "metrics.odd DESC", "r3 r2 r1 r4 r0"},
		{"", "metrics.odd ASC", "r1 r2 r3 r4 r0"},
		{"metrics.odd != 2", "", "r4 r3 r1"},
		{"metrics.odd < 100", "", "r3 r2 r1"},
		{"params.kind = 'x'' or 1=1 --'", "", ""},
		{"metrics.acc > 0.3 OR params.kind = 'Tree' AND metrics.acc < 0.1", "", "r4 r0"},
		{"(metrics.acc > 0.3 OR params.kind = 'Tree') AND metrics.acc < 0.3", "", "r2 r0"},
		{"NOT (run_name = 'r1' OR run_name IN ('r2', 'r3'))", "", "r4 r0"},
		{"metrics.acc BETWEEN 0.1 AND 0.3", "", "r3 r2 r1"},
		{"metrics.acc NOT BETWEEN 0.1 AND 0.3", "", "r4 r0"},
		{"metrics.acc IN (0, 0.4)", "", "r4 r0"},
		// What a run does not have, it is not compared with: that is false, and its NOT true.
		{"metrics.odd > 1", "", "r3 r2"},
		{"NOT metrics.odd > 1", "", "r4 r1 r0"},
		{"metrics.odd <= 1", "", "r1"},
		{"metrics.odd NOT IN (2, 3)", "", "r4 r1"},
		{"metrics.odd NOT BETWEEN 2 AND 3", "", "r1"},
		{"NOT metrics.odd BETWEEN 2 AND 3", "", "r4 r1 r0"},
		{"metrics.odd IS NULL", "", "r0"},
		{"NOT metrics.odd IS NULL", "", "r4 r3 r2 r1"},
		{"NOT tags.absent = 'x' AND NOT params.absent != 'x'", "", "r4 r3 r2 r1 r0"},
		{"NOT end_time > 5 AND end_time IS NULL AND start_time IS NOT NULL", "", "r4 r3 r2 r1 r0"},
		{"NOT NOT end_time > 5", "", ""},
		{"NOT dataset.name = 'd1' AND dataset.context IS NOT NULL", "", "r4 r2 r0"},
	} {
		in := tracking.Search{Filter: c.filter}
		if c.order != "" {
			in.OrderBy = []string{c.order}
		}
		if got := b.names(in); got != c.want {
			t.Errorf("%q by %q: %q, want %q", c.filter, c.order, got, c.want)
		}
	}
}

func TestSearchRuns_PagesAreStableAndBound(t *testing.T) {
	b := fixture(t)
	in := tracking.Search{Experiments: []string{"0"}, Limit: 2, OrderBy: []string{"metrics.acc"}}
	var names []string
	for {
		page, err := b.svc.SearchRuns(t.Context(), project, in)
		b.must(err)
		for _, r := range page.Items {
			names = append(names, r.Name)
		}
		if in.PageToken = page.Next; page.Next == "" {
			break
		}
		stolen := in
		stolen.Filter = "metrics.acc > 0"
		_, err = b.svc.SearchRuns(t.Context(), project, stolen)
		b.refused(err, fairlead.Invalid, "page token")
	}
	if got := strings.Join(names, " "); got != "r0 r1 r2 r3 r4" {
		t.Errorf("pages give %s", got)
	}
	_, err := b.svc.SearchRuns(t.Context(), project, tracking.Search{Limit: 50_001})
	b.refused(err, fairlead.Invalid, "Invalid value 50001 for parameter 'max_results' supplied")
	_, err = b.svc.SearchRuns(t.Context(), project, tracking.Search{OrderBy: []string{"a.b.c d"}})
	b.refused(err, fairlead.Invalid, "")
}

func TestSearchRuns_BoundsWhatAnEngineMustBear(t *testing.T) {
	b := fixture(t)
	clause := func(n int, clause string) string {
		return strings.TrimSuffix(strings.Repeat(clause+" and ", n), " and ")
	}
	ids := make([]string, 20_000)
	for i := range ids {
		ids[i] = fmt.Sprint(i)
	}
	search := func(in tracking.Search) error {
		_, err := b.svc.SearchRuns(t.Context(), project, in)
		return err
	}
	var orders []string
	for i := range 21 {
		orders = append(orders, fmt.Sprintf("metrics.m%d", i))
	}
	list := "run_id in (" + strings.TrimSuffix(strings.Repeat("'x',", 9_900), ",") + ")"
	b.must(search(tracking.Search{Experiments: ids, Filter: clause(200, "metrics.acc > 0"),
		OrderBy: orders[:20]}))
	b.must(search(tracking.Search{Experiments: ids, Filter: list}))
	b.refused(search(tracking.Search{Filter: clause(201, "metrics.acc > 0")}), fairlead.Invalid,
		"more than 200")
	b.refused(search(tracking.Search{OrderBy: orders}), fairlead.Invalid, "at most 20")
	b.refused(search(tracking.Search{OrderBy: []string{"metrics.a", "metric.a desc"}}),
		fairlead.Invalid, "duplicate")
	b.refused(search(tracking.Search{Experiments: append(ids, "0")}), fairlead.Invalid, "at most 20000")
	b.refused(search(tracking.Search{Experiments: []string{"x"}}), fairlead.Invalid, "a valid integer")

	for i := range 19 {
		_, err := b.svc.CreateExperiment(t.Context(), project, fmt.Sprint("e", i), nil)
		b.must(err)
	}
	wide := "params.kind in (" + strings.TrimSuffix(strings.Repeat("'x',", 1_600), ",") + ")"
	b.must(search(tracking.Search{Experiments: ids[:20], Filter: wide, OrderBy: orders[:1]}))
}

func TestSearchRuns_PagesOfLargeRunsEndEarly(t *testing.T) {
	b := open(t)
	const runs, keys = 40, 200 // of 6,000 bytes
	for range runs {
		r := b.run(tracking.NewRun{})
		for first := 0; first < keys; first += 100 {
			var batch tracking.Batch
			for k := first; k < first+100; k++ {
				batch.Params = append(batch.Params, tracking.Param{Key: fmt.Sprint("p", k),
					Value: strings.Repeat("x", 6000)})
			}
			b.log(r.ID, batch)
		}
	}
	seen := map[string]bool{}
	in := tracking.Search{Experiments: []string{"0"}}
	for {
		page, err := b.svc.SearchRuns(t.Context(), project, in)
		b.must(err)
		for _, r := range page.Items {
			if len(r.Params) != keys || seen[r.ID] {
				t.Fatalf("run %s has %d params, seen %v", r.ID, len(r.Params), seen[r.ID])
			}
			seen[r.ID] = true
		}
		if len(page.Items) == 0 || len(page.Items) > 33 {
			t.Fatalf("a page has %d runs", len(page.Items))
		}
		if in.PageToken = page.Next; page.Next == "" {
			break
		}
	}
	if len(seen) != runs {
		t.Errorf("%d runs on all pages", len(seen))
	}
}

func TestSearchRuns_ByModelsThatTheyMadeOrRead(t *testing.T) {
	b := fixture(t)
	all, err := b.svc.SearchRuns(t.Context(), project, tracking.Search{Experiments: []string{"0"}})
	b.must(err)
	made, read := all.Items[0].ID, all.Items[1].ID // r4, r3
	m, err := b.svc.AddLoggedModel(t.Context(), project, tracking.NewLoggedModel{Experiment: "0",
		Name: "bikes", Type: "agent", RunID: made})
	b.must(err)
	b.must(b.svc.LogOutputs(t.Context(), project, made, []tracking.ModelOutput{{ModelID: m.ID}}))
	b.must(b.svc.LogInputs(t.Context(), project, read, nil, []string{m.ID}))
	for filter, want := range map[string]string{
		"model.name = 'bikes'":                                 "r4 r3",
		"models.model_id = '" + m.ID + "' and run_name = 'r3'": "r3",
		"NOT model.model_type LIKE 'a%'":                       "r2 r1 r0",
		"model.name != 'bikes'":                                "",
		"model.name IS NULL":                                   "r2 r1 r0",
	} {
		if got := b.names(tracking.Search{Filter: filter}); got != want {
			t.Errorf("%s: %q, want %q", filter, got, want)
		}
	}
}

func TestSearchRuns_SeesOnlyItsProjectAndView(t *testing.T) {
	b := fixture(t)
	page, err := b.svc.SearchRuns(t.Context(), other, tracking.Search{Experiments: []string{"0", "7"}})
	b.must(err)
	if len(page.Items) != 0 {
		t.Errorf("another project sees %d runs", len(page.Items))
	}
	all, err := b.svc.SearchRuns(t.Context(), project, tracking.Search{Experiments: []string{"0"}})
	b.must(err)
	b.must(b.svc.DeleteRun(t.Context(), project, all.Items[0].ID))
	for view, want := range map[tracking.View]string{"": "r3 r2 r1 r0",
		tracking.DeletedOnly: "r4", tracking.All: "r4 r3 r2 r1 r0"} {
		if got := b.names(tracking.Search{View: view}); got != want {
			t.Errorf("view %q: %s, want %s", view, got, want)
		}
	}
}

func TestSearchExperiments_FiltersAndOrders(t *testing.T) {
	b := open(t)
	for i, name := range []string{"alpha", "beta", "Alps"} {
		b.clock.Advance(time.Second)
		_, err := b.svc.CreateExperiment(t.Context(), project, name,
			[]tracking.Tag{{Key: "i", Value: fmt.Sprint(i)}})
		b.must(err)
	}
	for _, c := range []struct{ filter, order, want string }{
		{"", "", "Alps beta Default alpha"},
		{"name LIKE 'Al%'", "", "Alps"},
		{"name ILIKE 'al%'", "name", "Alps alpha"},
		{"tags.i = '1'", "", "beta"},
		{"experiment_id IN ('1', '3')", "experiment_id", "alpha Alps"},
		{"creation_time < 1772323202000", "", "Default alpha"},
		{"tags.i = '1' OR NOT name ILIKE 'al%'", "", "beta Default"},
		{"tags.i IN ('0', '2') AND NOT (name = 'alpha')", "", "Alps"},
		{"tags.i IS NULL", "", "Default"},
	} {
		in := tracking.Search{Filter: c.filter}
		if c.order != "" {
			in.OrderBy = []string{c.order}
		}
		page, err := b.svc.SearchExperiments(t.Context(), project, in)
		b.must(err)
		var names []string
		for _, e := range page.Items {
			names = append(names, e.Name)
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%q by %q: %q, want %q", c.filter, c.order, got, c.want)
		}
	}
}

func TestSearchLoggedModels_OrdersByTheNewestValue(t *testing.T) {
	b := open(t)
	r := b.run(tracking.NewRun{})
	log := func(name string, points ...tracking.Metric) {
		m, err := b.svc.AddLoggedModel(t.Context(), project, tracking.NewLoggedModel{Name: name})
		b.must(err)
		for _, x := range points {
			x.Key, x.ModelID = "auc", m.ID
			b.log(r.ID, tracking.Batch{Metrics: []tracking.Metric{x}})
		}
	}
	log("late", tracking.Metric{Value: 0.9, Step: 5, TimestampMS: 10},
		tracking.Metric{Value: 0.1, Step: 1, TimestampMS: 20})
	log("same", tracking.Metric{Value: 0.9, Step: 1, TimestampMS: 20},
		tracking.Metric{Value: 0.3, Step: 2, TimestampMS: 20})
	log("only", tracking.Metric{Value: 0.2, Step: 0, TimestampMS: 5})
	page, err := b.svc.SearchLoggedModels(t.Context(), project,
		tracking.Search{Experiments: []string{"0"}}, nil, []tracking.ModelOrder{{Field: "metrics.auc"}})
	b.must(err)
	var names []string
	for _, m := range page.Items {
		names = append(names, m.Name)
	}
	if got := strings.Join(names, " "); got != "late only same" {
		t.Errorf("order %q", got)
	}
}

func TestSearchLoggedModels_FiltersByMetricOnDataset(t *testing.T) {
	b := open(t)
	r := b.run(tracking.NewRun{})
	for i := range 3 {
		b.clock.Advance(time.Second)
		m, err := b.svc.AddLoggedModel(t.Context(), project, tracking.NewLoggedModel{RunID: r.ID,
			Name: fmt.Sprintf("m%d", i), Tags: []tracking.Tag{{Key: "t", Value: fmt.Sprint(i)}},
			Params: []tracking.Param{{Key: "p q", Value: fmt.Sprint(i)}}})
		b.must(err)
		x := metric("auc", float64(i), 1)
		x.ModelID, x.DatasetName = m.ID, []string{"a", "b"}[i%2]
		b.log(r.ID, tracking.Batch{Metrics: []tracking.Metric{x}})
	}
	for _, c := range []struct {
		filter   string
		datasets []tracking.DatasetFilter
		orders   []tracking.ModelOrder
		want     string
	}{
		{"", nil, nil, "m2 m1 m0"},
		{"metrics.auc >= 1", nil, []tracking.ModelOrder{{Field: "metrics.auc"}}, "m1 m2"},
		{"metrics.auc >= 0", []tracking.DatasetFilter{{Name: "a"}}, nil, "m2 m0"},
		{"", []tracking.DatasetFilter{{Name: "b"}}, nil, "m1"},
		{"tags.t = '1' and source_run_id = '" + r.ID + "'", nil, nil, "m1"},
		{"name LIKE 'm%'", nil, []tracking.ModelOrder{{Field: "metrics.auc",
			Dataset: tracking.DatasetFilter{Name: "b"}}}, "m1 m2 m0"},
		{"tags.t IN ('0', '2', 'x')", nil, nil, "m2 m0"},
		{"tags.t not in ('0') AND params.`p q` in ('0', '1')", nil, nil, "m1"},
		{"params.`p q` NOT IN ('1')", nil, []tracking.ModelOrder{{Field: "creation_timestamp_ms"}}, "m0 m2"},
		{"tags.absent NOT IN ('1')", nil, nil, ""},
		{"creation_timestamp_ms > 1772323201000", nil, []tracking.ModelOrder{{Field: "creation_time"}}, "m1 m2"},
		{"attributes.last_updated_timestamp_ms <= 1772323202000", nil, nil, "m1 m0"},
		{"creation_time > 1772323201000 and last_updated_timestamp < 1772323203000", nil, nil, "m1"},
		{"tags.t = '0' OR metrics.auc > 1", nil, nil, "m2 m0"},
		{"NOT (tags.t = '0' OR metrics.auc > 1) AND params.absent IS NULL", nil, nil, "m1"},
		{"metrics.auc BETWEEN 1 AND 5", []tracking.DatasetFilter{{Name: "a"}}, nil, "m2"},
		{"status = 'PENDING'", nil, []tracking.ModelOrder{{Field: "name", Desc: true}}, "m2 m1 m0"},
	} {
		page, err := b.svc.SearchLoggedModels(t.Context(), project,
			tracking.Search{Experiments: []string{"0"}, Filter: c.filter}, c.datasets, c.orders)
		b.must(err)
		var names []string
		for _, m := range page.Items {
			names = append(names, m.Name)
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%q: %q, want %q", c.filter, got, c.want)
		}
	}
	_, err := b.svc.SearchLoggedModels(t.Context(), project, tracking.Search{}, nil,
		[]tracking.ModelOrder{{Field: "color"}})
	b.refused(err, fairlead.Invalid, "Invalid order by field name: color")
}
