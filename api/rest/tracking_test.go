package rest_test

import (
	"fmt"
	"math"
	"net/url"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead/api/rest"
	"github.com/fairlead-ml/fairlead/tracking"
)

// track adds a finished run with an auc to an experiment of its own.
func (w *world) track(name string, auc float64) string {
	w.t.Helper()
	ctx := w.t.Context()
	e, err := w.app.Tracking.CreateExperiment(ctx, w.alpha, "of "+name, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	r, err := w.app.Tracking.StartRun(ctx, w.alpha, tracking.NewRun{Experiment: e.ID, Name: name,
		Params: []tracking.Param{{Key: "a b", Value: "1"}, {Key: "c", Value: "2"}}})
	if err != nil {
		w.t.Fatal(err)
	}
	err = w.app.Tracking.LogMetric(ctx, w.alpha, r.ID, tracking.Metric{Key: "auc", Value: auc})
	if err != nil {
		w.t.Fatal(err)
	}
	return r.ID
}

func TestRuns_AreSearchedInAllExperiments(t *testing.T) {
	w := newWorld(t)
	first := w.track("first", 0.7)
	w.track("second", 0.9)
	w.track("odd", math.NaN())
	search := func(project string, query ...string) rest.Runs {
		t.Helper()
		q := url.Values{}
		for _, pair := range query {
			name, value, _ := strings.Cut(pair, "=")
			q.Add(name, value)
		}
		return decode[rest.Runs](t, w.call("GET", "/projects/"+project+"/runs?"+q.Encode(), ""))
	}
	names := func(r rest.Runs) string {
		var out []string
		for _, x := range r.Items {
			out = append(out, x.Name)
		}
		return strings.Join(out, " ")
	}
	const ours = "filter=params.c = '2'"
	if got := names(search("alpha", ours, "order=metrics.auc DESC")); got != "second first odd" {
		t.Errorf("by auc: %q", got)
	}
	got := search("alpha", "filter=run_name = 'odd' OR metrics.auc > 0.8", "order=run_name",
		"select=metrics.auc", "select=params.`a b`")
	if names(got) != "odd second" {
		t.Errorf("filtered: %q", names(got))
	}
	for _, r := range got.Items {
		if fmt.Sprint(r.Params) != "map[a b:1]" || len(r.Tags) != 0 {
			t.Errorf("selected: %+v", r)
		}
	}
	if nan, ok := got.Items[0].Metrics["auc"]; nan != nil || !ok {
		t.Errorf("NaN is %v", nan)
	}
	page := search("alpha", ours, "limit=2")
	rest := search("alpha", ours, "limit=2", "page="+page.Next)
	if len(page.Items) != 2 || len(rest.Items) != 1 || rest.Next != "" {
		t.Errorf("pages of %d and %d", len(page.Items), len(rest.Items))
	}
	count := search("alpha", ours, "count=true", "limit=1")
	if count.Count == nil || *count.Count != 3 || len(count.Items) != 0 {
		t.Errorf("count: %+v", count)
	}
	experiment := page.Items[0].Experiment
	if got := search("alpha", "experiment="+experiment); len(got.Items) != 1 {
		t.Errorf("of one experiment: %q", names(got))
	}
	if got := search("beta"); len(got.Items) != 0 {
		t.Errorf("another project sees %q", names(got))
	}
	if r := w.call("GET", "/projects/alpha/runs?filter=a+%3E", ""); r.status != 400 ||
		!strings.Contains(string(r.body), "at character 1") {
		t.Errorf("%d: %s", r.status, r.body)
	}
	for _, path := range []string{"/metrics", "/chart?key=auc"} {
		if r := w.call("GET", "/projects/beta/runs/"+first+path, ""); r.status != 404 {
			t.Errorf("another project's %s: %d", path, r.status)
		}
	}
}

func TestRun_ShowsItsMetricsAndTheirCharts(t *testing.T) {
	w := newWorld(t)
	id := w.track("run", 0.5)
	for step, v := range []float64{0.8, 0.6} {
		err := w.app.Tracking.LogMetric(t.Context(), w.alpha, id,
			tracking.Metric{Key: "auc", Value: v, Step: int64(step) + 1})
		if err != nil {
			t.Fatal(err)
		}
	}
	metrics := w.call("GET", "/projects/alpha/runs/"+id+"/metrics", "").body
	const want = `{"items":[{"key":"auc","last":0.6,"step":2,"time_ms":0,"min":0.5,"max":0.8,"best":0.8}]}`
	if strings.TrimSpace(string(metrics)) != want {
		t.Errorf("metrics: %s", metrics)
	}
	c := decode[tracking.Chart](t, w.call("GET", "/projects/alpha/runs/"+id+"/chart?key=auc&buckets=1", ""))
	if c.Points != 3 || len(c.Buckets) == 0 {
		t.Errorf("chart: %+v", c)
	}
	if r := w.call("GET", "/projects/alpha/runs/"+id+"/chart?key=auc&buckets=2001", ""); r.status == 200 {
		t.Errorf("2001 buckets: %d", r.status)
	}
}
