package mlflow_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/api/mlflow"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

// server is the API behind the smallest edge: a prefix /p/<project>, no accounts.
type server struct {
	*httptest.Server
	tracking *tracking.Service
	registry *registry.Service
	db       *store.DB
	led      *ledger.Ledger
	mux      *http.ServeMux

	mu   sync.Mutex
	seen []string // "METHOD pattern" of each request, in order
}

var projects = map[string]fairlead.Project{
	"":      {K: 1, Name: "default"},
	"other": {K: 2, Name: "other"},
	"none":  {Name: "none"},
}

func serve(t testing.TB) *server {
	t.Helper()
	dir := t.TempDir()
	db, err := store.Open(t.Context(), store.Options{Path: filepath.Join(dir, "f.db")},
		ledger.Schema(), blob.Schema(), tracking.Schema(), registry.Schema())
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	s := &server{db: db, led: ledger.New(db, fairlead.WallClock{}, log), mux: http.NewServeMux()}
	blobs, err := blob.New(db, dir)
	if err != nil {
		t.Fatal(err)
	}
	s.tracking = tracking.New(db, s.led, blobs, fairlead.WallClock{})
	s.registry = registry.New(db, s.led, blobs, s.tracking, fairlead.WallClock{})
	for _, r := range mlflow.New(s.tracking, s.registry, log).Routes() {
		s.mux.Handle(r.Method+" "+r.Path, guard(r))
	}
	s.Server = httptest.NewServer(http.HandlerFunc(s.edge))
	t.Cleanup(func() { s.Close(); db.Close() })
	return s
}

func guard(route auth.Route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if route.BodyLimit >= 0 {
			r.Body = http.MaxBytesReader(w, r.Body, route.BodyLimit)
		}
		if err := route.Handle(w, r); err != nil {
			route.Fail(w, r, err)
		}
	})
}

// edge resolves the project and records the route.
func (s *server) edge(w http.ResponseWriter, r *http.Request) {
	name, escaped := "", r.URL.EscapedPath()
	if rest, ok := strings.CutPrefix(escaped, "/p/"); ok {
		name, escaped, _ = strings.Cut(rest, "/")
		escaped = "/" + escaped
		r.URL.RawPath = escaped
		r.URL.Path = "/" + strings.SplitN(r.URL.Path, "/", 4)[3]
	}
	p, ok := projects[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	_, pattern := s.mux.Handler(r)
	if pattern == "" {
		pattern = "NO ROUTE FOR " + r.Method + " " + r.URL.Path
	}
	s.mu.Lock()
	s.seen = append(s.seen, pattern)
	s.mu.Unlock()
	s.mux.ServeHTTP(w, r.WithContext(fairlead.WithProject(r.Context(), p)))
}

// routes returns what was called, each once, sorted.
func (s *server) routes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := slices.Clone(s.seen)
	slices.Sort(out)
	return slices.Compact(out)
}

// send sends a body and returns status and answer.
func (s *server) send(t testing.TB, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode, readAll(t, resp)
}
