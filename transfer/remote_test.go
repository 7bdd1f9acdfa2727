package transfer_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/tracking"
	"github.com/fairlead-ml/fairlead/transfer"
)

// fakeMLflow answers as an MLflow server with one run does. Its pages of a history are the
// points before and after the one that it names; answers replace those of a path.
type fakeMLflow struct {
	*httptest.Server
	w       *world
	answers map[string]string
	signIn  string // the header that it wants; empty for none
	busy    int    // how many requests more are refused
	twice   bool   // whether each page of the history has its points twice
	stored  []int  // points that the world had, at each request for a page of the history
}

const points = 25_000

func newFake(w *world) *fakeMLflow {
	f := &fakeMLflow{w: w, answers: map[string]string{
		"/api/2.0/mlflow/experiments/search": `{"experiments":[{"experiment_id":"7","name":"e",
			"lifecycle_stage":"active","creation_time":"11","last_update_time":12}]}`,
		"/api/2.0/mlflow/runs/search": `{"runs":[{"info":{"run_id":"` + runA + `"}}]}`,
		"/api/2.0/mlflow/runs/get": `{"run":{"info":{"run_id":"` + runA + `","run_name":"r","status":"FINISHED",
			"lifecycle_stage":"deleted","start_time":20,"end_time":30,"artifact_uri":"s3://x"},
			"data":{"metrics":[{"key":"loss","value":"NaN","timestamp":1,"step":0}]},
			"inputs":{"model_inputs":[{"model_id":"m-1"}]}}}`,
		"/api/2.0/mlflow/artifacts/list": `{"files":[{"path":"a.txt","is_dir":false}]}`,
		"/get-artifact":                  "alpha",
	}}
	f.w = w
	f.Server = httptest.NewServer(f)
	w.Cleanup(f.Close)
	return f
}

func (f *fakeMLflow) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case f.busy > 0:
		f.busy--
		w.WriteHeader(http.StatusServiceUnavailable)
	case f.signIn != "" && r.Header.Get("Authorization") != f.signIn:
		w.WriteHeader(http.StatusUnauthorized)
	case strings.HasSuffix(r.URL.Path, "/get-history"):
		f.history(w, r.URL.Query().Get("page_token"))
	case f.answers[r.URL.Path] != "" && f.answers[r.URL.Path] != "gone":
		if to, ok := strings.CutPrefix(f.answers[r.URL.Path], "to "); ok {
			http.Redirect(w, r, to, http.StatusFound)
			return
		}
		io.WriteString(w, f.answers[r.URL.Path])
	case f.answers[r.URL.Path] == "gone", strings.Contains(r.URL.Path, "artifact"):
		http.Error(w, `{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"no such file"}`, http.StatusNotFound)
	default:
		io.WriteString(w, "{}")
	}
}

func (f *fakeMLflow) history(w http.ResponseWriter, token string) {
	f.stored = append(f.stored, f.w.Progress(project).Points)
	from, size := 0, 10_000
	fmt.Sscan(token, &from)
	type metric struct {
		Key       string  `json:"key"`
		Value     float64 `json:"value"`
		Timestamp int     `json:"timestamp"`
		Step      string  `json:"step"`
	}
	var page struct {
		Metrics []metric `json:"metrics"`
		Next    string   `json:"next_page_token,omitempty"`
	}
	for i := from; i < min(from+size, points); i++ {
		page.Metrics = append(page.Metrics, metric{"loss", float64(i), i, fmt.Sprint(i)})
	}
	if f.twice {
		page.Metrics = append(page.Metrics, page.Metrics...)
	}
	if from+size < points {
		page.Next = fmt.Sprint(from + size)
	}
	json.NewEncoder(w).Encode(page)
}

func (f *fakeMLflow) bring() (transfer.Report, error) {
	return f.w.ImportMLflow(f.w.Context(), project, transfer.Source{From: f.URL})
}

// A page of a history is asked for when the one before is stored: memory does not grow with
// a run.
func TestImport_OfAServerStoresAPageBeforeTheNext(t *testing.T) {
	w := newWorld(t)
	f := newFake(w)
	rep, err := f.bring()
	if err != nil || len(rep.Left) > 0 || rep.Points != points || rep.Files != 1 {
		t.Fatalf("report %+v, %v", rep, err)
	}
	if got := fmt.Sprint(f.stored); got != "[0 10000 20000]" {
		t.Errorf("at each page these points were stored: %s", got)
	}
	c, err := w.tracking.CountRun(t.Context(), project, runA)
	if a := w.read(runA); err != nil || c.Points != points || a.State != tracking.Deleted ||
		len(a.ModelInputs) != 1 || a.EndMS != 30 {
		t.Errorf("the run has %+v: %+v, %v", c, a, err)
	}
	head := w.head()
	if rep, err := f.bring(); err != nil || rep.Skipped != 1 || rep.Points != 0 || w.head() != head {
		t.Errorf("again: %+v, %v", rep, err)
	}
}

// A server over a store of files gives a point as often as it was written.
func TestImport_OfAServerThatGivesPointsTwice(t *testing.T) {
	w := newWorld(t)
	f := newFake(w)
	f.twice = true
	f.answers["/api/2.0/mlflow/logged-models/search"] = `{"models":[{"info":{"model_id":"` + modelA + `",
		"name":"n","status":"LOGGED_MODEL_READY","creation_timestamp_ms":1,"last_updated_timestamp_ms":2},
		"data":{"metrics":[` + strings.Repeat(`{"key":"auc","value":"NaN","timestamp":1,"step":0,"run_id":"`+
		runA+`"},`, 2) + `{"key":"f1","value":1,"timestamp":1,"step":0,"run_id":"` + runA + `"}]}}]}`
	f.answers["/api/2.0/mlflow/logged-models/"+modelA+"/artifacts/directories"] = "{}"
	rep, err := f.bring()
	if err != nil || len(rep.Left) > 0 {
		t.Fatalf("report %+v, %v", rep, err)
	}
	if c, err := w.tracking.CountRun(t.Context(), project, runA); err != nil || c.Points != points {
		t.Errorf("the run has %+v, %v", c, err)
	}
	if rep, err := f.bring(); err != nil || rep.Skipped != 2 || rep.Points != 0 {
		t.Errorf("again: %+v, %v", rep, err)
	}
}

// What cannot be counted back is said of its run, and does not keep the others away.
func TestImport_SaysWhereLessIsHereThanWasRead(t *testing.T) {
	w := newWorld(t)
	f := newFake(w)
	f.answers["/api/2.0/mlflow/runs/get"] = `{"run":{"info":{"run_id":"` + runA + `","status":"FINISHED",
		"lifecycle_stage":"active"},"inputs":{"model_inputs":[{"model_id":"m-1"},{"model_id":"m-1"}]}}}`
	for range 2 {
		rep, err := f.bring()
		if err != nil || rep.Runs != 1 || rep.Skipped != 0 || len(rep.Left) != 1 ||
			!strings.Contains(rep.Left[0], "run "+runA+" is here in part: 0 points") {
			t.Errorf("report %+v, %v", rep, err)
		}
	}
}

func TestImport_OfAServerAsksAgainWhileItIsBusy(t *testing.T) {
	f := newFake(newWorld(t))
	f.busy = 2
	if rep, err := f.bring(); err != nil || rep.Runs != 1 {
		t.Errorf("report %+v, %v", rep, err)
	}
}

func TestImport_OfAServerSignsInAsItsClientDoes(t *testing.T) {
	for name, tt := range map[string]struct {
		source transfer.Source
		want   string
	}{
		"a token":           {transfer.Source{Token: "t"}, "Bearer t"},
		"a user":            {transfer.Source{Username: "u", Password: "p"}, "Basic dTpw"},
		"a user before all": {transfer.Source{Username: "u", Password: "p", Token: "t"}, "Basic dTpw"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			f := newFake(w)
			f.signIn = tt.want
			if _, err := f.bring(); !fairlead.Is(err, fairlead.Precondition) ||
				!strings.Contains(err.Error(), "FAIRLEAD_IMPORT_USERNAME") {
				t.Errorf("unknown: %v", err)
			}
			tt.source.From = f.URL
			if _, err := w.ImportMLflow(t.Context(), project, tt.source); err != nil {
				t.Error(err)
			}
		})
	}
}

// A server cannot lead the import elsewhere, keep it forever, or choose paths.
func TestImport_OfAServerThatMeansNoGood(t *testing.T) {
	const list, get = "/api/2.0/mlflow/artifacts/list", "/get-artifact"
	for _, tt := range []struct{ name, path, answer, left, fails string }{
		{"redirects", "/api/2.0/mlflow/experiments/search", "to http://169.254.169.254/", "", "redirects"},
		{"redirects a file", get, "to http://169.254.169.254/", "", "redirects"},
		{"is none", "/api/2.0/mlflow/experiments/search", "<html>", "", "does not answer as an MLflow server"},
		{"gives one page forever", "/api/2.0/mlflow/runs/search", `{"runs":[],"next_page_token":"x"}`, "",
			"again and again"},
		{"goes up", list, `{"files":[{"path":"../a","is_dir":false}]}`, `"../a"`, ""},
		{"goes up in a directory", list, `{"files":[{"path":"..","is_dir":true}]}`, `".."`, ""},
		{"goes round", list, `{"files":[{"path":"a/a","is_dir":true}]}`, `"a/a"`, ""},
		{"names the root", list, `{"files":[{"path":"/etc/passwd","is_dir":false}]}`, "/etc/passwd", ""},
		{"has a bad path", list, `{"files":[{"path":"a\\b","is_dir":false}]}`, `a\b`, ""},
		{"removes a run meanwhile", "/api/2.0/mlflow/runs/get", "gone", "", ""},
		{"is of MLflow 2", "/api/2.0/mlflow/logged-models/search", "gone", "logged models: ", ""},
		{"has no files", list, `{}`, "", ""},
		{"does not list", list, "", "no such file", ""},
		{"does not give", get, "", "no such file", ""},
		{"has a bad metric", "/api/2.0/mlflow/runs/get", `{"run":{"info":{"run_id":"` + runA + `","status":"FINISHED",
			"lifecycle_stage":"active"},"data":{"params":[{"key":"../x","value":"1"}]}}}`, "run " + runA, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(newWorld(t))
			f.answers[tt.path] = tt.answer
			rep, err := f.bring()
			if tt.fails == "" && err != nil || tt.fails != "" && (err == nil || !strings.Contains(err.Error(), tt.fails)) {
				t.Errorf("%v, want %q", err, tt.fails)
			}
			if left := strings.Join(rep.Left, "\n"); tt.fails == "" && (tt.left == "") != (left == "") ||
				!strings.Contains(left, tt.left) {
				t.Errorf("left out %q, want %q", left, tt.left)
			}
		})
	}
}

func TestImport_RefusesURLsThatItCannotUse(t *testing.T) {
	w := newWorld(t)
	for from, want := range map[string]string{
		"http://ann:5ecret@host":                   "FAIRLEAD_IMPORT_PASSWORD",
		"postgresql://ann:5ecret@host/db":          "PGPASSWORD",
		"postgresql://ann@host/db?password=5ecret": "PGPASSWORD",
		"mysql+pymysql://ann@host/db":              "mlflow server --backend-store-uri mysql://",
		"s3://bucket/x":                            "no source",
		"http://ann@host":                          "FAIRLEAD_IMPORT_USERNAME",
		"http://":                                  "no URL",
		"http://127.0.0.1:1":                       "cannot be asked",
		"postgresql+psycopg2://a@127.0.0.1:1/db":   "cannot be asked",
	} {
		rep, err := w.ImportMLflow(t.Context(), project, transfer.Source{From: from})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", from, err, want)
		}
		if said := fmt.Sprint(rep, err, w.Progress(project)); strings.Contains(said, "5ecret") {
			t.Errorf("%s: a password is said: %s", from, said)
		}
	}
}
