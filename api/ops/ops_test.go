package ops_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/api/ops"
	"github.com/fairlead-ml/fairlead/auth"
)

// get calls a route of an API as it is, without a guard.
func get(t *testing.T, a *ops.API, path string) *httptest.ResponseRecorder {
	t.Helper()
	for _, r := range a.Routes() {
		if strings.TrimSuffix(r.Path, "{$}") != path {
			continue
		}
		w := httptest.NewRecorder()
		req := httptest.NewRequest("GET", path, nil)
		if err := r.Handle(w, req); err != nil {
			r.Fail(w, req, err)
		}
		return w
	}
	t.Fatalf("no route %s", path)
	return nil
}

func newAPI(ready error, o ops.Overview) *ops.API {
	return ops.New(ops.Deps{
		Metrics:  prometheus.NewRegistry(),
		Ready:    func(context.Context) error { return ready },
		Overview: func(context.Context) (ops.Overview, error) { return o, nil }})
}

func TestReadyz_SaysWhyNot(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		want int
		says string
	}{
		{"ready", nil, 200, "ok"},
		{"full", fairlead.Errorf(fairlead.Exhausted, "the disk is full"), 503, "the disk is full"},
		{"broken", errors.New("secret path"), 503, "not ready"},
	} {
		w := get(t, newAPI(tt.err, ops.Overview{}), "/readyz")
		if w.Code != tt.want || !strings.Contains(w.Body.String(), tt.says) || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s: %d %s", tt.name, w.Code, w.Body)
		}
	}
	if w := get(t, newAPI(errors.New("x"), ops.Overview{}), "/livez"); w.Code != 200 {
		t.Errorf("it lives all the same: %d", w.Code)
	}
}

func TestRoutes_ShowNothingOfAProjectToThePublic(t *testing.T) {
	for _, r := range newAPI(nil, ops.Overview{}).Routes() {
		if public := r.Path == "/livez" || r.Path == "/readyz"; public != (r.Permission == auth.Public) || !r.Server {
			t.Errorf("%s %s needs %q", r.Method, r.Path, r.Permission)
		}
	}
}

func TestIndex_ShowsWhatRunsAndEscapesIt(t *testing.T) {
	o := ops.Overview{Version: "1.2.3", URL: "http://127.0.0.1:4747", Projects: []ops.Project{
		{Name: "flights", Endpoints: []ops.Endpoint{
			{Name: "delays@production", Serves: []string{"version 3 live", "version 4 canary 5%"}, Loaded: true},
			{Name: "delays@staging", Serves: []string{"version 4 live"}}}},
		{Name: "<script>alert(1)</script>"},
	}}
	w := get(t, newAPI(nil, o), "/")
	body := w.Body.String()
	for _, part := range []string{"1.2.3", "delays@production", "version 3 live, version 4 canary 5%", "(loading)",
		"nothing released yet", "export MLFLOW_TRACKING_URI=http://127.0.0.1:4747", "&lt;script&gt;"} {
		if !strings.Contains(body, part) {
			t.Errorf("the page lacks %q", part)
		}
	}
	if strings.Contains(body, "<script") || strings.Count(body, "(loading)") != 1 {
		t.Errorf("the page is wrong: %s", body)
	}
	if csp := w.Header().Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") {
		t.Errorf("policy %q", csp)
	}
	if empty := get(t, newAPI(nil, ops.Overview{}), "/").Body.String(); !strings.Contains(empty, "fairlead apply") {
		t.Error("an empty page does not say what to do")
	}
}

// server answers /livez as a server does that knows the token and believes to listen
// on the port; "" is the one where it does.
func server(t *testing.T, token, port string) string {
	t.Helper()
	var a *ops.API
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, route := range a.Routes() {
			if route.Path == r.URL.Path {
				route.Handle(w, r)
			}
		}
	}))
	t.Cleanup(s.Close)
	if port == "" {
		_, port, _ = net.SplitHostPort(s.Listener.Addr().String())
	}
	a = ops.New(ops.Deps{Metrics: prometheus.NewRegistry(), Port: port,
		Prove: func(claim string) string { return auth.Proof(token, claim) }})
	return s.URL
}

func TestChallenge_BelievesOnlyWhoKnowsTheToken(t *testing.T) {
	pid, err := ops.Challenge(t.Context(), server(t, "secret", ""), "secret")
	if err != nil || pid != os.Getpid() {
		t.Errorf("the server: pid %d, error %v", pid, err)
	}
	silent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("the token was sent")
		}
	}))
	defer silent.Close()
	for name, url := range map[string]string{
		"another token":             server(t, "other", ""),
		"passed on to another port": server(t, "secret", "1"),
		"another program":           silent.URL,
		"nobody":                    "http://127.0.0.1:1",
		"no address":                "::",
	} {
		if _, err := ops.Challenge(t.Context(), url, "secret"); err == nil {
			t.Errorf("%s is believed", name)
		}
	}
}
