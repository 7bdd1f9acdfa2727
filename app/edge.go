package app

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/ui"
)

// edge is the way in: it settles the project of a request from its cleaned path,
// once, and hands it to the route's guard.
type edge struct {
	mux      *http.ServeMux
	projects *spec.Projects
	fallback string // the project of calls without a prefix
	log      *slog.Logger
	metrics  *requestMetrics
	known    sync.Map // name → fairlead.Project; a project is neither renamed nor deleted
}

// newEdge builds the router of all routes; a route that does not state its
// permission and body limit is an error.
func newEdge(tokens *auth.Tokens, projects *spec.Projects, fallback string, log *slog.Logger,
	reg prometheus.Registerer, routes []auth.Route) (*edge, error) {
	e := &edge{mux: http.NewServeMux(), projects: projects, fallback: fallback, log: log,
		metrics: newRequestMetrics(reg)}
	for _, r := range routes {
		pattern := r.Pattern()
		fail := r.Fail
		r.Fail = func(w http.ResponseWriter, req *http.Request, err error) {
			if fairlead.Is(err, fairlead.Internal) {
				log.Error("request failed", "route", pattern, "project", projectOf(req), "err", err)
			}
			if a, ok := w.(*answer); ok && a.begun {
				panic(http.ErrAbortHandler) // so that no client takes the answer for whole
			}
			fail(w, req, err)
		}
		h, err := tokens.Guard(found(r))
		if err != nil {
			return nil, err
		}
		e.mux.Handle(pattern, e.metrics.watch(pattern, rescue(pattern, log, r.Fail, h)))
	}
	return e, nil
}

type missingKey struct{}

// found makes a route answer with the context's error about a project that is not there.
// It does so behind the guard, and for nothing that is public, so that only who may see
// all projects learns which there are.
func found(r auth.Route) auth.Route {
	handle := r.Handle
	if handle == nil || r.Permission == auth.Public {
		return r
	}
	r.Handle = func(w http.ResponseWriter, req *http.Request) error {
		if err, missing := req.Context().Value(missingKey{}).(error); missing {
			return err
		}
		return handle(w, req)
	}
	return r
}

func projectOf(r *http.Request) string {
	p, _ := fairlead.ProjectIn(r.Context())
	return p.Name
}

const (
	projectPrefix = "/p/"
	nativePrefix  = "/api/v1/projects/"
	workspace     = "X-MLFLOW-WORKSPACE"
)

// ServeHTTP resolves the project, which the path says or, where that says none, the
// header of MLflow's workspaces, and calls the route.
func (e *edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	protect(w.Header())
	if reason := unclean(r); reason != "" {
		e.refuse(w, r, fairlead.Errorf(fairlead.Invalid, "the path %s", reason))
		return
	}
	said, err := e.address(r)
	if err != nil {
		e.refuse(w, r, err)
		return
	}
	ctx := r.Context()
	p, err := e.project(r, said.project)
	if fairlead.Is(err, fairlead.NotFound) {
		if said.prefixed {
			ctx = context.WithValue(ctx, missingKey{}, err)
		}
		// K 0: nothing is found in it, and it can be created
		p, err = fairlead.Project{Name: said.project}, nil
	}
	if err != nil {
		e.refuse(w, r, err)
		return
	}
	r2 := r.WithContext(fairlead.WithProject(ctx, p))
	if len(said.rest) != len(r.URL.Path) {
		u := *r.URL
		u.Path, u.RawPath = said.rest, escapedRest(r.URL.EscapedPath())
		r2.URL = &u
	}
	e.route(w, r2)
}

// address is what a request says of its project.
type address struct {
	project  string
	rest     string // the path that the routes know
	prefixed bool   // the project is that of the prefix, which routes do not see
}

// address reads the project off the path or, where that says none, the header of MLflow's
// workspaces. What says two is refused.
func (e *edge) address(r *http.Request) (address, error) {
	said := address{project: e.fallback, rest: r.URL.Path}
	under := strings.HasPrefix(said.rest, projectPrefix)
	if under {
		said.project, said.rest, _ = strings.Cut(said.rest[len(projectPrefix):], "/")
		said.rest = "/" + said.rest
	}
	native, isNative := strings.CutPrefix(said.rest, nativePrefix)
	if isNative {
		inner, _, _ := strings.Cut(native, "/")
		if under && inner != said.project {
			return said, fairlead.Errorf(fairlead.Invalid,
				"the path says project %q first and then %q; name one", said.project, inner)
		}
		said.project = inner
	}
	said.prefixed = under && !isNative // the native API says itself what does not exist
	switch ws := r.Header.Get(workspace); {
	case ws == "" || ws == said.project:
	case !under && !isNative:
		said.project = ws
	default:
		return said, fairlead.Errorf(fairlead.Invalid,
			"the path says project %q and the header %s says %q; leave one out",
			said.project, workspace, ws)
	}
	return said, nil
}

// route calls the route of a request whose project is settled. What no route
// answers is refused in the edge's form.
func (e *edge) route(w http.ResponseWriter, r *http.Request) {
	a := &answer{ResponseWriter: w, status: http.StatusOK, timed: time.Now()}
	e.mux.ServeHTTP(a, r)
	switch {
	case a.matched:
		a.renew(0) // what waits in buffers is sent now
	case a.status == http.StatusMethodNotAllowed:
		e.unanswered(w, r, a.status, fairlead.Errorf(fairlead.Invalid,
			"%s is not possible here; possible is %s", r.Method, w.Header().Get("Allow")))
	case ui.Wanted(r):
		e.metrics.refused(http.StatusNotFound)
		ui.Missing(w)
	default:
		e.unanswered(w, r, http.StatusNotFound, fairlead.Errorf(fairlead.NotFound,
			"nothing answers at this path; /api/v1/openapi.json lists what there is"))
	}
}

// project looks a name up, the first time in the database.
func (e *edge) project(r *http.Request, name string) (fairlead.Project, error) {
	if p, ok := e.known.Load(name); ok {
		return p.(fairlead.Project), nil
	}
	p, err := e.projects.Get(r.Context(), name)
	if err == nil {
		e.known.Store(name, p)
	}
	return p, err
}

// escapedRest cuts /p/<project> off an escaped path; a project's name has nothing
// to escape.
func escapedRest(escaped string) string {
	_, rest, _ := strings.Cut(strings.TrimPrefix(escaped, projectPrefix), "/")
	return "/" + rest
}

// unclean says what is wrong with a path that could mean another one to somebody
// who cleans it or decodes it once more; empty when it is clean.
func unclean(r *http.Request) string {
	p := r.URL.Path
	switch {
	case !strings.HasPrefix(p, "/"):
		return "does not begin with a slash"
	case strings.ContainsAny(p, "\\\x00"):
		return "has a backslash or a zero byte in it"
	case strings.Contains(strings.ToLower(r.URL.EscapedPath()), "%2f"):
		return "has an encoded slash in it; write it as a slash"
	case strings.Contains(p, "//"):
		return "has an empty part (//); write single slashes"
	case path.Clean(p) != p && path.Clean(p)+"/" != p:
		return "has a part . or .. in it; write it without"
	}
	return ""
}

// The headers of every answer. What comes from here is never guessed to be a
// script or a page, runs nothing unless its route says so, is not embedded by other
// sites, and is kept by no cache unless its route lets one: who has signed out on a shared
// machine leaves nothing there. The slices are shared, because they are set for each request.
var (
	noStore   = []string{"no-store"}
	noSniff   = []string{"nosniff"}
	sandboxed = []string{"default-src 'none'; frame-ancestors 'none'; sandbox"}
	sameSite  = []string{"same-origin"}
)

func protect(h http.Header) {
	h["Cache-Control"] = noStore
	h["X-Content-Type-Options"] = noSniff
	h["Content-Security-Policy"] = sandboxed
	h["Cross-Origin-Resource-Policy"] = sameSite
}

// refusal is the edge's own error. It does not know yet whose client asks, so it
// carries the members of each: RFC 9457's, MLflow's and the inference protocol's.
type refusal struct {
	Title     string        `json:"title"`
	Status    int           `json:"status"`
	Detail    string        `json:"detail"`
	Code      fairlead.Code `json:"code"`
	ErrorCode string        `json:"error_code"`
	Message   string        `json:"message"`
	Error     string        `json:"error"`
}

// refuse answers with an error of the edge.
func (e *edge) refuse(w http.ResponseWriter, r *http.Request, err error) {
	code := fairlead.CodeOf(err)
	if code == fairlead.Internal {
		e.log.Error("request failed at the edge", "method", r.Method, "err", err)
	}
	e.write(w, r, code.HTTPStatus(), code.MLflowCode(), err)
}

// unanswered refuses what no route takes. MLflow's word for it is not the one of a
// missing run, which its client takes for an answer.
func (e *edge) unanswered(w http.ResponseWriter, r *http.Request, status int, err error) {
	e.write(w, r, status, "ENDPOINT_NOT_FOUND", err)
}

func (e *edge) write(w http.ResponseWriter, r *http.Request, status int, mlflow string,
	err error) {
	e.metrics.refused(status)
	auth.Hurry(w, r)
	message := fairlead.MessageOf(err)
	b, _ := json.Marshal(refusal{Title: http.StatusText(status), Status: status, Detail: message,
		Code: fairlead.CodeOf(err), ErrorCode: mlflow, Message: message, Error: message})
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	w.Write(b)
}
