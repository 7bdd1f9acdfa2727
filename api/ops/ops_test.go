package ops_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"regexp"
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
		if r.Path != path {
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

func TestFail_ShowsBrowsersAPage(t *testing.T) {
	for _, r := range newAPI(nil).Routes() {
		for accept, kind := range map[string]string{"text/html,*/*;q=0.8": "text/html", "*/*": "text/plain"} {
			w, req := httptest.NewRecorder(), httptest.NewRequest("GET", r.Path, nil)
			req.Header.Set("Accept", accept)
			r.Fail(w, req, fairlead.Errorf(fairlead.Denied, "the <link> has been used"))
			said := strings.ReplaceAll(strings.ReplaceAll(w.Body.String(), "&lt;", "<"), "&gt;", ">")
			if w.Code != 403 || !strings.HasPrefix(w.Header().Get("Content-Type"), kind) ||
				!strings.Contains(said, "he <link> has been used") ||
				kind == "text/html" && strings.Contains(w.Body.String(), "<link>") {
				t.Errorf("%s %s: %d %v %s", r.Path, accept, w.Code, w.Header(), w.Body)
			}
		}
	}
}

// TestPages_LookLikeTheWebInterface holds the colours of the forms against those of the
// pages, and their style against the policy that they are sent with.
func TestPages_LookLikeTheWebInterface(t *testing.T) {
	tokens, err := os.ReadFile("../../ui/src/app/tokens.css")
	if err != nil {
		t.Fatal(err)
	}
	light, dark, _ := strings.Cut(string(tokens), ":root[data-mantine-color-scheme=\"dark\"]")
	w := get(t, newAPI(nil), "/signin")
	_, style, _ := strings.Cut(w.Body.String(), "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	sum := sha256.Sum256([]byte(style))
	if csp, want := w.Header().Get("Content-Security-Policy"),
		"style-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'"; !strings.Contains(csp, want) {
		t.Errorf("the policy %s lacks %s", csp, want)
	}
	inLight, inDark, _ := strings.Cut(style, "@media (prefers-color-scheme: dark)")
	for theme, of := range map[string][2]string{"light": {inLight, light}, "dark": {inDark, dark}} {
		colours := regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{6});`).FindAllStringSubmatch(of[0], -1)
		if len(colours) < 10 {
			t.Errorf("%s has the colours %v", theme, colours)
		}
		for _, c := range colours {
			if !strings.Contains(of[1], "--f-"+c[1]+": "+c[2]+";") {
				t.Errorf("%s: %s is %s, and another in the web interface", theme, c[1], c[2])
			}
		}
	}
}

func newAPI(ready error) *ops.API {
	return ops.New(ops.Deps{
		Metrics: prometheus.NewRegistry(),
		Ready:   func(context.Context) error { return ready }})
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
		w := get(t, newAPI(tt.err), "/readyz")
		if w.Code != tt.want || !strings.Contains(w.Body.String(), tt.says) || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s: %d %s", tt.name, w.Code, w.Body)
		}
	}
	if w := get(t, newAPI(errors.New("x")), "/livez"); w.Code != 200 {
		t.Errorf("it lives all the same: %d", w.Code)
	}
}

func TestRoutes_ShowNothingOfAProjectToThePublic(t *testing.T) {
	for _, r := range newAPI(nil).Routes() {
		form := r.Path == "/enter" || r.Path == "/signin" || r.Path == "/signout" || r.Path == "/first"
		if public := form || r.Path == "/livez" || r.Path == "/readyz"; public != (r.Permission == auth.Public) || !r.Server {
			t.Errorf("%s %s needs %q", r.Method, r.Path, r.Permission)
		}
	}
}

// server answers /livez as a server does that knows the token.
func server(t *testing.T, token string) *httptest.Server {
	t.Helper()
	a := ops.New(ops.Deps{Metrics: prometheus.NewRegistry(),
		Prove: func(claim string) string { return auth.Proof(token, claim) }})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, route := range a.Routes() {
			if route.Path == r.URL.Path {
				route.Handle(w, r)
			}
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// relay passes all that it is asked at an address on to a server, as another user of the
// machine could.
func relay(t *testing.T, address string, to *httptest.Server) string {
	t.Helper()
	target, err := url.Parse(to.URL)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: httputil.NewSingleHostReverseProxy(target)}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return "http://" + l.Addr().String()
}

func TestChallenge_BelievesOnlyWhoKnowsTheToken(t *testing.T) {
	real := server(t, "secret")
	want := ops.Proven{URL: real.URL, PID: os.Getpid()}
	_, port, _ := net.SplitHostPort(real.Listener.Addr().String())
	for _, base := range []string{real.URL, "http://localhost:" + port} {
		if got, err := ops.Challenge(t.Context(), base, "secret"); err != nil || got != want {
			t.Errorf("the server as %s: %+v, error %v", base, got, err)
		}
	}
	silent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("the token was sent")
		}
	}))
	defer silent.Close()
	for name, base := range map[string]string{
		"another token":                server(t, "other").URL,
		"passed on to another port":    relay(t, "127.0.0.1:0", real),
		"passed on to another address": relay(t, "127.0.0.2:"+port, real),
		"another program":              silent.URL,
		"nobody":                       "http://127.0.0.1:1",
		"no address":                   "::",
	} {
		if _, err := ops.Challenge(t.Context(), base, "secret"); err == nil {
			t.Errorf("%s is believed", name)
		}
	}
}
