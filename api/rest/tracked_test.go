package rest_test

import (
	"fmt"
	"math"
	"net/url"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead/api/rest"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestRun_IsShownWithWhatItReadAndMade(t *testing.T) {
	w := newWorld(t)
	ctx, tr := t.Context(), w.app.Tracking
	parent := w.track("parent", 1)
	r, err := tr.StartRun(ctx, w.alpha, tracking.NewRun{Name: "child", User: "ann",
		Params: []tracking.Param{{Key: "lr", Value: "0.1"}},
		Tags:   []tracking.Tag{{Key: "mlflow.parentRunId", Value: parent}}})
	w.must(err)
	w.must(tr.LogInputs(ctx, w.alpha, r.ID, []tracking.DatasetInput{{Dataset: tracking.Dataset{
		Name: "bikes", Digest: "d1", SourceType: "local", Source: "a.csv", Schema: "{}",
		Profile: strings.Repeat("x", 70_000)},
		Tags: []tracking.Tag{{Key: "mlflow.data.context", Value: "training"}}}}, nil))
	m, err := tr.AddLoggedModel(ctx, w.alpha, tracking.NewLoggedModel{RunID: r.ID, Name: "net"})
	w.must(err)
	w.must(tr.LogOutputs(ctx, w.alpha, r.ID, []tracking.ModelOutput{{ModelID: m.ID, Step: 3}}))
	w.write(func(tx *store.Tx) error {
		_, err := w.app.Registry.CreateVersion(ctx, tx, w.alpha,
			registry.NewVersion{Model: "alpha", Source: "s3://bucket/model", RunID: r.ID})
		return err
	})
	got := decode[rest.TrackedRun](t, w.call("GET", "/projects/alpha/runs/"+r.ID, ""))
	if got.Name != "child" || got.ExperimentName != "Default" || got.User != "ann" ||
		got.Params["lr"] != "0.1" || got.Parent == nil || *got.Parent != (rest.RunName{ID: parent, Name: "parent"}) {
		t.Errorf("%+v", got)
	}
	if len(got.Datasets) != 1 || got.Datasets[0].Tags["mlflow.data.context"] != "training" ||
		got.Datasets[0].Schema != "{}" || got.Datasets[0].Profile != "" {
		t.Errorf("datasets: %+v", got.Datasets)
	}
	if fmt.Sprint(got.ModelOutputs) != "[{"+m.ID+" net  PENDING 3}]" || len(got.ModelInputs) != 0 {
		t.Errorf("models: %+v, %+v", got.ModelInputs, got.ModelOutputs)
	}
	if len(got.Versions) != 1 || got.Versions[0].Model != "alpha" || got.Versions[0].N != 6 {
		t.Errorf("versions: %+v", got.Versions)
	}
	w.must(tr.DeleteLoggedModel(ctx, w.alpha, m.ID))
	w.must(tr.DeleteRun(ctx, w.alpha, r.ID))
	got = decode[rest.TrackedRun](t, w.call("GET", "/projects/alpha/runs/"+r.ID, ""))
	if got.State != "deleted" || fmt.Sprint(got.ModelOutputs) != "[{"+m.ID+"    3}]" {
		t.Errorf("deleted: %s, %+v", got.State, got.ModelOutputs)
	}
	wantProblem(t, "another project's", w.call("GET", "/projects/beta/runs/"+r.ID, ""), 404)
	wantProblem(t, "none", w.call("GET", "/projects/alpha/runs/x", ""), 404)
}

func TestCharts_AreOfManyRunsAndKeys(t *testing.T) {
	w := newWorld(t)
	first, second := w.track("first", 0.5), w.track("second", math.Inf(1))
	for step := range int64(3000) {
		if step%1000 == 0 {
			var b tracking.Batch
			for i := range int64(1000) {
				b.Metrics = append(b.Metrics, tracking.Metric{Key: "loss", Step: step + i, TimestampMS: step + i,
					Value: float64(i)})
			}
			w.must(w.app.Tracking.LogBatch(t.Context(), w.alpha, first, b))
		}
	}
	body := fmt.Sprintf(`{"buckets": 100, "series": [{"run": %q, "key": "loss"}, {"run": %q, "key": "auc"},
		{"run": %[2]q, "key": "loss"}]}`, first, second)
	got := decode[rest.ChartLines](t, w.call("POST", "/projects/alpha/charts", body)).Series
	if len(got) != 3 {
		t.Fatalf("%d series", len(got))
	}
	loss, auc, none := got[0], got[1], got[2]
	if loss.Points != 3000 || loss.Width == 0 || len(loss.Step) < 90 || len(loss.Max) != len(loss.Step) ||
		len(loss.Count) != len(loss.Step) || loss.NaNs != nil || *loss.Max[len(loss.Max)-1] != 999 {
		t.Errorf("loss: %+v", loss)
	}
	if auc.Points != 1 || auc.Width != 0 || auc.Min != nil || auc.Last[0] != nil || auc.Highs[0] != 1 {
		t.Errorf("auc: %+v", auc)
	}
	if none.Points != 0 || none.Step == nil {
		t.Errorf("none: %+v", none)
	}
	again := fmt.Sprintf(`{"series": [{"run": %q, "key": "loss", "seen": %q}]}`, first, loss.Seen)
	same := w.call("POST", "/projects/alpha/charts", again)
	if s := decode[rest.ChartLines](t, same).Series[0]; !s.Unchanged || len(same.body) > 200 {
		t.Errorf("nothing new: %s", same.body)
	}
	wantProblem(t, "another project's", w.call("POST", "/projects/beta/charts", body), 404)
	for what, bad := range map[string]string{"no series": `{"series": []}`, "axis": strings.Replace(body,
		`"buckets": 100`, `"by": "epoch"`, 1), "buckets": strings.Replace(body, "100", "2001", 1)} {
		if a := w.call("POST", "/projects/alpha/charts", bad); a.status != 422 && a.status != 400 {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}
}

// artifact stores a file of a run.
func (w *world) artifact(run, path, text string) {
	w.t.Helper()
	w.must(w.app.Tracking.PutArtifact(w.t.Context(), w.alpha,
		tracking.Place{Owner: tracking.RunOwner(run), Path: path}, strings.NewReader(text), nil))
}

func TestArtifacts_AreListedByDirectory(t *testing.T) {
	w := newWorld(t)
	run := w.track("run", 1)
	for _, path := range []string{"b.png", "model/MLmodel", "model/model.onnx", "a.csv"} {
		w.artifact(run, path, "x")
	}
	names := func(query string) string {
		var out []string
		for _, f := range decode[page](t, w.call("GET", "/projects/alpha/artifacts?run="+run+query, "")).Items {
			out = append(out, fmt.Sprint(f["path"], "=", f["kind"]))
		}
		return strings.Join(out, " ")
	}
	if got := names(""); got != "a.csv=table b.png=image model=<nil>" {
		t.Errorf("the root: %s", got)
	}
	if got := names("&path=model"); got != "model/MLmodel=text model/model.onnx=binary" {
		t.Errorf("a directory: %s", got)
	}
	first := decode[page](t, w.call("GET", "/projects/alpha/artifacts?limit=2&run="+run, ""))
	next := decode[page](t, w.call("GET", "/projects/alpha/artifacts?limit=2&run="+run+"&page="+first.Next, ""))
	if len(first.Items) != 2 || len(next.Items) != 1 || next.Next != "" {
		t.Errorf("pages of %d and %d", len(first.Items), len(next.Items))
	}
	wantProblem(t, "another project's", w.call("GET", "/projects/beta/artifacts?run="+run, ""), 404)
	wantProblem(t, "nobody's", w.call("GET", "/projects/alpha/artifacts", ""), 400)
	wantProblem(t, "above", w.call("GET", "/projects/alpha/artifacts?path=..&run="+run, ""), 400)
}

func TestArtifacts_RunNothingInABrowser(t *testing.T) {
	w := newWorld(t)
	run := w.track("run", 1)
	const script = "<script>alert(1)</script>"
	for _, path := range []string{"page.html", "pic.svg", "notes.txt", "x.bin", "p.png", "odd\".txt"} {
		w.artifact(run, path, script)
	}
	const none = "default-src 'none'; frame-ancestors 'none'; sandbox"
	for _, c := range []struct{ path, as, kind, disposition, policy string }{
		{"page.html", "", "text/plain; charset=utf-8", "inline", none},
		{"page.html", "file", "application/octet-stream", "attachment", none},
		{"page.html", "page", "text/html; charset=utf-8", "inline", "sandbox allow-scripts"},
		{"pic.svg", "", "image/svg+xml", "inline", none},
		{"pic.svg", "page", "image/svg+xml", "inline", none},
		{"notes.txt", "page", "text/plain; charset=utf-8", "inline", none},
		{"x.bin", "", "application/octet-stream", "attachment", none},
		{"p.png", "", "image/png", "inline", none},
		{"odd\".txt", "", "text/plain; charset=utf-8", "inline", none},
	} {
		a := w.call("GET", "/projects/alpha/artifacts/content?run="+run+"&path="+url.QueryEscape(c.path)+
			"&as="+c.as, "")
		if c.as == "page" && c.path != "page.html" {
			wantProblem(t, c.path+" as a page", a, 400)
			continue
		}
		policy := a.header.Get("Content-Security-Policy")
		if a.status != 200 || string(a.body) != script || a.header.Get("Content-Type") != c.kind ||
			!strings.HasPrefix(a.header.Get("Content-Disposition"), c.disposition) ||
			a.header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(policy, c.policy) ||
			strings.Contains(policy, "allow-same-origin") || !strings.Contains(policy, "default-src 'none'") ||
			a.header.Get("Cross-Origin-Resource-Policy") != "same-origin" {
			t.Errorf("%s as %q: %d %v", c.path, c.as, a.status, a.header)
		}
	}
	for dest, kind := range map[string]string{"iframe": "text/html; charset=utf-8",
		"document": "text/plain; charset=utf-8", "empty": "text/plain; charset=utf-8"} {
		a := w.call("GET", "/projects/alpha/artifacts/content?path=page.html&as=page&run="+run, "",
			"Sec-Fetch-Dest", dest)
		if got := a.header.Get("Content-Type"); a.status != 200 || got != kind {
			t.Errorf("a page as %s: %d %s", dest, a.status, got)
		}
	}
	part := w.call("GET", "/projects/alpha/artifacts/content?path=notes.txt&run="+run, "", "Range", "bytes=1-6")
	if part.status != 206 || string(part.body) != "script" {
		t.Errorf("a range: %d %q", part.status, part.body)
	}
	wantProblem(t, "none", w.call("GET", "/projects/alpha/artifacts/content?path=none&run="+run, ""), 404)
	wantProblem(t, "another project's",
		w.call("GET", "/projects/beta/artifacts/content?path=notes.txt&run="+run, ""), 404)
	wantProblem(t, "no project",
		w.call("GET", "/projects/nope/artifacts/content?path=notes.txt&run="+run, ""), 404)
}

func TestArtifacts_TablesArePaged(t *testing.T) {
	w := newWorld(t)
	run := w.track("run", 1)
	w.artifact(run, "t.csv", "a,b\n1,x\n2,y\n3,z\n")
	w.artifact(run, "t.parquet", "none")
	path := "/projects/alpha/artifacts/table?run=" + run + "&path=t.csv&limit=2"
	first := decode[rest.TablePage](t, w.call("GET", path, ""))
	if fmt.Sprint(first.Rows) != "[[1 x] [2 y]]" || first.Columns[1].Name != "b" || first.Next == "" {
		t.Errorf("%+v", first)
	}
	if next := decode[rest.TablePage](t, w.call("GET", path+"&page="+first.Next, "")); fmt.Sprint(next.Rows) !=
		"[[3 z]]" || next.Next != "" || next.First != 2 {
		t.Errorf("%+v", next)
	}
	w.artifact(run, "t.csv", "another\n1\n")
	wantProblem(t, "of the file before", w.call("GET", path+"&page="+first.Next, ""), 400)
	for _, bad := range []string{"t.parquet", "t.txt"} {
		wantProblem(t, bad, w.call("GET", "/projects/alpha/artifacts/table?run="+run+"&path="+bad, ""), 400)
	}
	wantProblem(t, "none", w.call("GET", "/projects/alpha/artifacts/table?run="+run+"&path=n.csv", ""), 404)
}
