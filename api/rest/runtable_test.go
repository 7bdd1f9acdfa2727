package rest_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/url"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead/api/rest"
	"github.com/fairlead-ml/fairlead/tracking"
)

// ask gets a list of alpha with the query's pairs of names and values.
func ask[T any](w *world, path string, pairs ...string) T {
	w.t.Helper()
	q := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		q.Add(pairs[i], pairs[i+1])
	}
	a := w.call("GET", "/projects/alpha/"+path+"?"+q.Encode(), "")
	if a.status != 200 {
		w.t.Fatalf("%s: %d %s", path, a.status, a.body)
	}
	return decode[T](w.t, a)
}

func TestRunTable_IsReadByWindowsOfOneSnapshot(t *testing.T) {
	w := newWorld(t)
	w.track("first", 0.7)
	best := w.track("best", 0.9)
	w.track("odd", math.NaN())
	const ours = "params.c = '2'"
	query := []string{"filter", ours, "order", "metrics.auc DESC", "select", "metrics.auc", "select",
		"params.`a b`", "limit", "2"}
	page := ask[rest.RunTable](w, "run-table", query...)
	if page.Total != 3 || page.Runs != 3 || len(page.Rows) != 2 || page.Rows[0].ID != best {
		t.Fatalf("first window: %+v", page)
	}
	row := page.Rows[0]
	if *row.Metrics["auc"].Last != 0.9 || row.Params["a b"] != "1" || len(row.Tags) != 0 ||
		len(row.Params) != 1 {
		t.Errorf("row: %+v", row)
	}
	w.track("late", 1)
	next := ask[rest.RunTable](w, "run-table", append(query, "offset", "2", "snapshot", page.Snapshot)...)
	if next.Snapshot != page.Snapshot || next.Newer != 1 || len(next.Rows) != 1 ||
		next.Rows[0].Metrics["auc"].Last != nil {
		t.Errorf("second window: %+v", next)
	}
	body, err := json.Marshal(map[string]any{"runs": []string{best, "gone"}})
	if err != nil {
		t.Fatal(err)
	}
	done := decode[tracking.Bulk](t, w.call("POST", "/projects/alpha/runs/delete", string(body)))
	if fmt.Sprint(done.Changed) != "["+best+"]" || len(done.Failed) != 1 {
		t.Errorf("deleted: %+v", done)
	}
	trash := ask[rest.RunTable](w, "run-table", "state", "deleted")
	if len(trash.Rows) != 1 || trash.Rows[0].DeletedMS == 0 {
		t.Errorf("trash: %+v", trash)
	}
	body = []byte(fmt.Sprintf(`{"runs":[%q],"set":{"team":"a"},"remove":["none"]}`, best))
	w.call("POST", "/projects/alpha/runs/restore", fmt.Sprintf(`{"runs":[%q]}`, best))
	done = decode[tracking.Bulk](t, w.call("POST", "/projects/alpha/runs/tag", string(body)))
	if len(done.Changed) != 1 {
		t.Errorf("tagged: %+v", done)
	}
	groups := ask[rest.Groups](w, "run-groups", "filter", ours, "by", "tags.team", "select", "metrics.auc")
	if groups.Total != 2 || groups.Runs != 4 || groups.Groups[0].Values[0] != nil ||
		*groups.Groups[1].Values[0] != "a" || groups.Groups[1].Metrics["auc"].Mean != 0.9 {
		t.Errorf("groups: %+v", groups)
	}
	columns := ask[rest.Columns](w, "run-columns", "kind", "parameter")
	if columns.Total != 2 || columns.Items[0].Name != "params.`a b`" {
		t.Errorf("columns: %+v", columns)
	}
	sparks := ask[rest.Sparklines](w, "run-sparklines", "run", best, "key", "auc")
	if len(sparks.Items) != 1 || len(sparks.Items[0].Values) != 1 {
		t.Errorf("sparklines: %+v", sparks)
	}
	c := ask[rest.Completion](w, "run-filter", "filter", "params.c = '", "at", "12")
	if c.Want != "value" || len(c.Options) != 1 || c.Options[0].Text != "'2'" || c.Problem == nil ||
		c.Problem.From != 11 {
		t.Errorf("completion: %+v %+v", c, c.Problem)
	}
}

func TestRunTable_TellsOfTheRunsBelow(t *testing.T) {
	w := newWorld(t)
	parent := w.track("parent", math.NaN())
	child := w.track("child", 0.9)
	w.call("POST", "/projects/alpha/runs/tag",
		fmt.Sprintf(`{"runs":[%q],"set":{"mlflow.parentRunId":%q}}`, child, parent))
	row := ask[rest.RunTable](w, "run-table", "nested", "true", "select", "metrics.auc").Rows[0]
	if a := row.Below["auc"]; row.ID != parent || row.Children != 1 || a.Runs != 1 || *a.Best != 0.9 {
		t.Errorf("the parent's row: %+v", row)
	}
}

func TestRunTable_SaysWhereAFilterIsWrong(t *testing.T) {
	w := newWorld(t)
	a := w.call("GET", "/projects/alpha/run-table?filter="+url.QueryEscape("é.x = 1"), "")
	wantProblem(t, "a bad filter", a, 400)
	var p struct{ Extra map[string]float64 }
	if err := json.Unmarshal(a.body, &p); err != nil || p.Extra["at"] != 1 || p.Extra["length"] != 3 {
		t.Errorf("%s: %v", a.body, err)
	}
	for _, path := range []string{"run-table?limit=1001", "run-table?offset=-1", "run-groups",
		"run-groups?by=metrics.a", "run-columns?kind=run", "run-sparklines?run=a", "run-table?under=none&nested=true",
		"run-columns?page=x"} {
		if a := w.call("GET", "/projects/alpha/"+path, ""); a.status != 400 && a.status != 404 {
			t.Errorf("%s: %d", path, a.status)
		}
	}
	for _, body := range []string{`{}`, `{"runs":[]}`, `{"runs":["` + strings.Repeat(`a","`, 1000) + `b"]}`} {
		if a := w.call("POST", "/projects/alpha/runs/delete", body); a.status != 400 {
			t.Errorf("%.20s: %d", body, a.status)
		}
	}
}

func TestExperiments_LiveInTheNativeAPI(t *testing.T) {
	w := newWorld(t)
	made := decode[rest.Experiment](t, w.call("POST", "/projects/alpha/experiments",
		`{"name":"wine","tags":{"mlflow.note.content":"about wine"}}`))
	if made.ID == "" || made.Tags["mlflow.note.content"] != "about wine" {
		t.Fatalf("made: %+v", made)
	}
	path := "/projects/alpha/experiments/" + made.ID
	if a := w.call("POST", "/projects/alpha/experiments", `{"name":"wine"}`); a.status != 409 {
		t.Errorf("the same name again: %d", a.status)
	}
	run, err := w.app.Tracking.StartRun(t.Context(), w.alpha, tracking.NewRun{Experiment: made.ID})
	if err != nil {
		t.Fatal(err)
	}
	renamed := decode[rest.Experiment](t, w.call("PUT", path+"/name", `{"name":"beer"}`))
	if renamed.Name != "beer" || renamed.Activity.Runs != 1 || renamed.Activity.Running != 1 {
		t.Errorf("renamed: %+v", renamed)
	}
	type experiments struct{ Items []rest.Experiment }
	if got := ask[experiments](w, "experiments", "filter", "name ILIKE '%EE%'"); len(got.Items) != 1 {
		t.Errorf("found: %+v", got)
	}
	if a := w.call("POST", path+"/delete", ""); a.status != 200 {
		t.Errorf("delete: %d %s", a.status, a.body)
	}
	trash := ask[experiments](w, "experiments", "state", "deleted")
	if len(trash.Items) != 1 || trash.Items[0].DeletedMS == 0 || trash.Items[0].Activity.Runs != 1 {
		t.Errorf("trash: %+v", trash)
	}
	since := trash.Items[0].DeletedMS
	if got := ask[rest.TrackedRun](w, "runs/"+run.ID); got.DeletedMS != since ||
		got.ExperimentDeletedMS != since || got.ExperimentName != "beer" {
		t.Errorf("its run: %+v", got)
	}
	names := map[string]rest.RowExperiment{made.ID: {Name: "beer", DeletedMS: since}}
	if got := ask[rest.RunTable](w, "run-table", "state", "deleted"); !maps.Equal(got.Experiments, names) {
		t.Errorf("the experiments of runs in the trash: %+v", got.Experiments)
	}
	got := ask[rest.RunTable](w, "run-table", "state", "deleted", "experiment", made.ID)
	if len(got.Rows) != 1 || len(got.Experiments) != 0 {
		t.Errorf("the runs of one experiment: %+v", got)
	}
	if a := w.call("POST", path+"/restore", ""); a.status != 200 {
		t.Errorf("restore: %d", a.status)
	}
	if got := decode[rest.Experiment](t, w.call("GET", path, "")); got.State != "active" || got.Activity.Runs != 1 {
		t.Errorf("restored: %+v", got)
	}
	if a := w.call("GET", "/projects/beta/experiments/"+made.ID, ""); a.status != 404 {
		t.Errorf("another project's: %d", a.status)
	}
}
