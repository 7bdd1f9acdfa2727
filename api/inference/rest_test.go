package inference_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/api/inference"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/serving"
	"github.com/fairlead-ml/fairlead/serving/servingtest"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

// server answers the protocol over a served endpoint.
type server struct {
	*servingtest.World
	t       testing.TB
	handler http.Handler
	owner   string
}

func newServer(t testing.TB, log string) *server {
	t.Helper()
	s := &server{World: servingtest.New(t, auth.Schema()), t: t}
	tokens, err := auth.NewTokens(t.Context(), s.DB, s.Clock, s.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if s.owner, err = auth.ReadOwner(s.Dir); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	for _, r := range inference.New(s.Serving, tokens, "test").Routes() {
		h, err := tokens.Guard(r)
		if err != nil {
			t.Fatal(err)
		}
		mux.Handle(r.Method+" "+r.Path, h)
	}
	s.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = r.WithContext(fairlead.WithProject(r.Context(), servingtest.Project))
		http.StripPrefix("/p/default", mux).ServeHTTP(w, prefixed(r))
	})
	s.Deploy(servingtest.Env(spec.Replace, log))
	return s
}

// prefixed lets a bare path mean the default project.
func prefixed(r *http.Request) *http.Request {
	if !strings.HasPrefix(r.URL.Path, "/p/") {
		r.URL.Path = "/p/default" + r.URL.Path
	}
	r.URL.RawPath = "" // the client writes @ as %40
	return r
}

// answer is a response's status and JSON.
type answer struct {
	status int
	body   map[string]any
}

func (s *server) do(method, path, body string, header ...string) answer {
	s.t.Helper()
	r := httptest.NewRequest(method, "http://127.0.0.1"+path, strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:5000"
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	a := answer{status: w.Code}
	if err := json.Unmarshal(w.Body.Bytes(), &a.body); err != nil {
		s.t.Fatalf("%s %s: %v in %q", method, path, err, w.Body)
	}
	return a
}

const infer = "/v2/models/flights@production/infer"

// hr is a request with the model's one required input, and further members.
func hr(more string) string {
	return `{` + more + `"inputs":[{"name":"hr","shape":[1],"datatype":"FP64","data":[3]}]}`
}

func TestInfer_AnswersInTheProtocolsForm(t *testing.T) {
	s := newServer(t, spec.Durable)
	for _, path := range []string{infer, "/p/default" + infer, "/v2/models/flights@production/versions/1/infer"} {
		a := s.do("POST", path, hr(`"id":"a",`))
		b, err := json.Marshal(a.body)
		want := `{"id":"a","model_name":"flights@production","model_version":"1",` +
			`"outputs":[{"data":[1003],"datatype":"FP64","name":"riders","shape":[1]}]}`
		if err != nil || a.status != 200 || string(b) != want {
			t.Errorf("%s: %d %s", path, a.status, b)
		}
	}
}

func TestRoutes_RefuseInTheProtocolsForm(t *testing.T) {
	s := newServer(t, spec.Buffered)
	e := servingtest.Env(spec.Replace, spec.Buffered)
	e.Keep = 0
	s.Deploy(e) // version 1 retires
	cases := []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"POST", infer, "garbage", 400, "not the JSON of an inference request"},
		{"POST", infer, `{"inputs":[{"name":"hum","shape":[1],"datatype":"FP64","data":[3]}]}`, 400, `"hr" (double) is missing`},
		{"POST", infer, hr(`"outputs":[{"name":"x"}],`), 400, `no output "x"; it has ["riders"]`},
		{"POST", infer, hr(`"id":"` + strings.Repeat("x", 300) + `",`), 400, "at most 256"},
		{"POST", infer, strings.Repeat(" ", 65<<20), 400, "larger than"},
		{"POST", "/v2/models/boats/infer", hr(""), 404, "call one of: flights@production"},
		{"POST", "/v2/models/flights@production/versions/1/infer", hr(""), 410, "call flights@production without a version"},
		{"POST", "/v2/models/flights@production/versions/x/infer", hr(""), 400, "not a positive whole number"},
		{"GET", "/v2/models/boats", "", 404, "call one of"},
		{"GET", "/v2/models/boats/ready", "", 404, "call one of"},
		{"GET", "/v2/models/flights@production/versions/1/ready", "", 410, "retired"},
	}
	for _, c := range cases {
		a := s.do(c.method, c.path, c.body)
		text, _ := a.body["error"].(string)
		if a.status != c.status || !strings.Contains(text, c.want) || len(a.body) != 1 {
			t.Errorf("%s %s: %d %v", c.method, c.path, a.status, a.body)
		}
	}
}

// What is wrong with requests is for those who look after the endpoint to see, too.
func TestInfer_WhatCannotBeReadIsCountedAndKept(t *testing.T) {
	s := newServer(t, spec.Buffered)
	bearer := []string{"Authorization", "Bearer " + s.owner}
	s.do("POST", infer, "garbage")
	s.do("POST", infer, `{"id":"a","inputs":[{"name":"hum","shape":[1],"datatype":"FP64","data":[3]}]}`)
	s.do("POST", infer, hr(`"parameters":{"trial":true},"outputs":[{"name":"x"}],`), bearer...)
	var all []serving.Failure
	var of *serving.Traffic
	s.Until("they are written", func() bool {
		err := s.DB.Read(t.Context(), func(tx *store.Tx) (err error) {
			if all, err = s.Serving.Failures(tx, servingtest.Project, servingtest.Endpoint); err != nil {
				return err
			}
			of, err = s.Serving.Traffic(tx, servingtest.Project, servingtest.Endpoint, serving.TrafficQuery{})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return len(all) >= 2 && of.Total.Refused >= 2
	})
	if len(all) != 2 || of.Total.Refused != 2 || of.Total.Errors != 0 || all[0].What != serving.Refused ||
		all[0].Request+all[1].Request != "a" {
		t.Errorf("%+v, %+v", all, of.Total)
	}
}

func TestInfer_EventTimeNeedsItsPermissionAndHasABound(t *testing.T) {
	s := newServer(t, spec.Durable)
	withTime := func(id string, at time.Time) string {
		return hr(fmt.Sprintf(`"id":%q,"parameters":{"event_time":%q},`, id, at.Format(time.RFC3339)))
	}
	bearer := []string{"Authorization", "Bearer " + s.owner}
	if a := s.do("POST", infer, withTime("a", servingtest.March)); a.status != 401 {
		t.Errorf("without the token: %d %v", a.status, a.body)
	}
	if a := s.do("POST", infer, withTime("a", servingtest.March), "Authorization", "Bearer wrong"); a.status != 401 {
		t.Errorf("with a wrong token: %d %v", a.status, a.body)
	}
	if a := s.do("POST", infer, withTime("a", servingtest.Wall.Add(time.Hour)), bearer...); a.status != 400 {
		t.Errorf("in the future: %d %v", a.status, a.body)
	}
	if a := s.do("POST", infer, withTime("b", servingtest.March), bearer...); a.status != 200 {
		t.Errorf("the owner: %d %v", a.status, a.body)
	}
	logged := s.Requests()
	if len(logged) != 1 || logged[0].ID != "b" || logged[0].AtMS != servingtest.March.UnixMilli() {
		t.Errorf("logged %+v", logged)
	}
}

func TestInfer_ATrialNeedsItsPermissionAndIsNotLogged(t *testing.T) {
	s := newServer(t, spec.Durable)
	trial := hr(`"id":"t","parameters":{"trial":true},`)
	if a := s.do("POST", infer, trial); a.status != 401 {
		t.Errorf("without the token: %d %v", a.status, a.body)
	}
	if a := s.do("POST", infer, trial, "Authorization", "Bearer "+s.owner); a.status != 200 || a.body["id"] != "t" {
		t.Errorf("the owner: %d %v", a.status, a.body)
	}
	if logged := s.Requests(); len(logged) != 0 {
		t.Errorf("logged %+v", logged)
	}
}

func TestInfer_TakesARoutingKeyOfText(t *testing.T) {
	s := newServer(t, spec.Durable)
	if a := s.do("POST", infer, hr(`"parameters":{"routing_key":"user-7","sequence_id":[1]},`)); a.status != 200 {
		t.Errorf("%d %v", a.status, a.body)
	}
	a := s.do("POST", infer, hr(`"parameters":{"routing_key":"`+strings.Repeat("x", 300)+`"},`))
	if text, _ := a.body["error"].(string); a.status != 400 || !strings.Contains(text, "routing_key has 300 bytes") {
		t.Errorf("%d %v", a.status, a.body)
	}
}

func TestModelReady_SaysThatAWorkerKeepsDying(t *testing.T) {
	s := newServer(t, spec.Buffered)
	s.Engines.Set(func(e *servingtest.Engines) {
		e.Ill[1] = fairlead.Errorf(fairlead.Unavailable, "the worker ends again and again")
	})
	a := s.do("GET", "/v2/models/flights@production/ready", "")
	if a.status != 503 || a.body["error"] != "the worker ends again and again" {
		t.Errorf("%d %v", a.status, a.body)
	}
}

func TestHealth_IsReadyOnceModelsAreLoaded(t *testing.T) {
	s := newServer(t, spec.Buffered)
	if a := s.do("GET", "/v2/health/ready", ""); a.status != 200 {
		t.Errorf("ready: %+v", a)
	}
	s.Stop()
	hang := make(chan struct{})
	s.Engines.Set(func(e *servingtest.Engines) { e.Slow[1] = hang })
	s.Start()
	restarted := inference.New(s.Serving, nil, "test")
	for _, r := range restarted.Routes() {
		if r.Path != "/v2/health/ready" {
			continue
		}
		err := r.Handle(httptest.NewRecorder(), httptest.NewRequest("GET", r.Path, nil))
		if !fairlead.Is(err, fairlead.Unavailable) {
			t.Errorf("while a model loads: %v", err)
		}
	}
	close(hang)
	s.Settle()
}

// client is the version of tritonclient that the test installs where it may.
const client = "tritonclient[http]==2.73.0"

// python returns an interpreter with tritonclient, or skips the test with one line.
func python(t *testing.T) string {
	t.Helper()
	tools, err := filepath.Abs(filepath.Join("..", "..", ".tools"))
	if err != nil {
		t.Fatal(err)
	}
	venv := filepath.Join(tools, "test-triton")
	path := filepath.Join(venv, "bin", "python")
	if exec.Command(path, "-c", "import tritonclient.http").Run() == nil {
		return path
	}
	uv := os.Getenv("FAIRLEAD_UV")
	if uv == "" {
		uv = filepath.Join(tools, "uv", "bin", "uv")
	}
	out, err := exec.CommandContext(t.Context(), uv, "venv", "--quiet", "--clear", venv).CombinedOutput()
	if err == nil {
		out, err = exec.CommandContext(t.Context(), uv, "pip", "install", "--quiet", "--python", path, client).CombinedOutput()
	}
	if errors.Is(err, exec.ErrNotFound) || os.IsNotExist(err) {
		t.Skip("left out: no uv to install tritonclient with; run `make setup`")
	}
	if err != nil {
		t.Skipf("left out: tritonclient cannot be installed here: %.200s", out)
	}
	return path
}

func TestTritonClient_WorksUnmodified(t *testing.T) {
	path := python(t)
	s := newServer(t, spec.Buffered)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The test's project has no file, so the bare name stands for no environment.
		r.URL.Path = strings.Replace(r.URL.Path, "/flights/", "/flights@production/", 1)
		s.handler.ServeHTTP(w, r)
	}))
	defer srv.Close()
	host := strings.TrimPrefix(srv.URL, "http://")
	cmd := exec.CommandContext(t.Context(), path, filepath.Join("testdata", "triton.py"), host, host+"/p/default")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the client failed: %v\n%s", err, out)
	}
}

func BenchmarkInfer(b *testing.B) {
	s := newServer(b, spec.Buffered)
	var inputs []string
	for i := range 30 {
		inputs = append(inputs, fmt.Sprintf(`{"name":"f%d","shape":[1],"datatype":"FP64","data":[%d.5]}`, i, i))
	}
	body := []byte(strings.Replace(hr(""), `"inputs":[`, `"inputs":[`+strings.Join(inputs, ",")+",", 1))
	r := httptest.NewRequest("POST", "http://127.0.0.1"+infer, nil)
	r.RemoteAddr = "127.0.0.1:5000"
	b.ReportAllocs()
	for b.Loop() {
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		if w.Code != 200 {
			b.Fatal(w.Body)
		}
	}
}
