package mlflow_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/api/mlflow"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/sink"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

// server is the API behind the smallest edge: a prefix /p/<project>.
type server struct {
	*httptest.Server
	tracking *tracking.Service
	registry *registry.Service
	sink     *sink.Service
	projects *spec.Projects
	db       *store.DB
	led      *ledger.Ledger
	mux      *http.ServeMux
	owner    string // token
	dir      string // of the data
	log      callLog
}

var projects = map[string]fairlead.Project{
	"":        {K: 1, Name: "default"},
	"default": {K: 1, Name: "default"},
	"other":   {K: 2, Name: "other"},
	"none":    {Name: "none"},
}

func serve(t testing.TB) *server { return serveAt(t, fairlead.WallClock{}) }

func serveAt(t testing.TB, clock fairlead.Clock) *server {
	t.Helper()
	dir := t.TempDir()
	db, err := store.Open(t.Context(), store.Options{Path: filepath.Join(dir, "f.db")},
		ledger.Schema(), auth.Schema(), blob.Schema(), tracking.Schema(), registry.Schema(), sink.Schema(),
		spec.Tables())
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	s := &server{db: db, led: ledger.New(db, fairlead.WallClock{}, log), mux: http.NewServeMux(),
		dir: dir}
	blobs, err := blob.New(db, dir)
	if err != nil {
		t.Fatal(err)
	}
	s.tracking = tracking.New(db, s.led, blobs, clock, slog.New(slog.DiscardHandler))
	if err := s.tracking.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.tracking.Stop)
	s.registry = registry.New(db, s.led, blobs, s.tracking, fairlead.WallClock{})
	s.projects = spec.NewProjects(db, s.led, fairlead.WallClock{})
	tokens, err := auth.NewTokens(t.Context(), db, fairlead.WallClock{}, dir)
	if err != nil {
		t.Fatal(err)
	}
	if s.owner, err = auth.ReadOwner(dir); err != nil {
		t.Fatal(err)
	}
	allowed, err := sink.ParseAllowed("127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	s.sink, err = sink.New(sink.Deps{DB: db, Ledger: s.led, Clock: fairlead.WallClock{}, Log: log,
		Source: mlflow.WebhookSource(s.registry), Dir: dir, Allowed: allowed})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range mlflow.New(s.tracking, s.registry, tokens, s.sink, s.projects).Routes() {
		h, err := tokens.Guard(r)
		if err != nil {
			t.Fatal(err)
		}
		s.mux.Handle(r.Pattern(), h)
	}
	s.Server = httptest.NewServer(http.HandlerFunc(s.edge))
	t.Cleanup(func() { s.Close(); db.Close() })
	return s
}

// callLog counts the requests by method and path.
type callLog struct {
	mu  sync.Mutex
	all []string
}

func (l *callLog) add(r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, r.Method+" "+r.URL.Path)
}

// calls returns how many requests began so.
func (s *server) calls(prefix string) (n int) {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	for _, call := range s.log.all {
		if strings.HasPrefix(call, prefix) {
			n++
		}
	}
	return n
}

// count runs a query that counts.
func (s *server) count(t testing.TB, query string) (n int) {
	t.Helper()
	err := s.db.Read(t.Context(), func(tx *store.Tx) error { return tx.QueryRow(query).Scan(&n) })
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// edge resolves the project.
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
	s.log.add(r)
	s.mux.ServeHTTP(w, r.WithContext(fairlead.WithProject(r.Context(), p)))
}

// send sends a body without a token and returns status and answer.
func (s *server) send(t testing.TB, method, path, body string) (int, string) {
	t.Helper()
	return s.sendAs(t, "", method, path, body)
}

func (s *server) sendAs(t testing.TB, token, method, path, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if method == "POST" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode, readAll(t, resp)
}

func readAll(t testing.TB, resp *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
