package app

import (
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/spec"
)

// edge is the way in: it settles the project of a request from its cleaned path,
// once, and hands it to the route's guard.
type edge struct {
	mux      *http.ServeMux
	projects *spec.Projects
	fallback string // the project of calls without a prefix
}

// newEdge builds the router of all routes; a route that does not state its
// permission and body limit is an error.
func newEdge(tokens *auth.Tokens, projects *spec.Projects, fallback string, routes []auth.Route) (*edge, error) {
	e := &edge{mux: http.NewServeMux(), projects: projects, fallback: fallback}
	for _, r := range routes {
		h, err := tokens.Guard(r)
		if err != nil {
			return nil, err
		}
		e.mux.Handle(r.Method+" "+r.Path, h)
	}
	return e, nil
}

const (
	projectPrefix = "/p/"
	nativePrefix  = "/api/v1/projects/"
	workspace     = "X-MLFLOW-WORKSPACE"
)

// ServeHTTP resolves the project and calls the route.
func (e *edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if dirty(r) {
		http.Error(w, `{"error_code":"INVALID_PARAMETER_VALUE","message":"the path is not clean; write it without . and .. parts"}`, http.StatusBadRequest)
		return
	}
	name, rest := e.fallback, r.URL.Path
	switch {
	case strings.HasPrefix(rest, projectPrefix):
		name, rest, _ = strings.Cut(rest[len(projectPrefix):], "/")
		rest = "/" + rest
	case strings.HasPrefix(rest, nativePrefix):
		name, _, _ = strings.Cut(rest[len(nativePrefix):], "/")
	}
	if ws := r.Header.Get(workspace); ws != "" && ws != name {
		http.Error(w, fmt.Sprintf(`{"error_code":"INVALID_PARAMETER_VALUE","message":"the path says project %q and the header %s says %q"}`,
			name, workspace, ws), http.StatusBadRequest)
		return
	}
	p, err := e.projects.Get(r.Context(), name)
	if err != nil && !fairlead.Is(err, fairlead.NotFound) {
		http.Error(w, `{"error_code":"INTERNAL_ERROR","message":"the project cannot be looked up"}`, http.StatusInternalServerError)
		return
	}
	if err != nil {
		p = fairlead.Project{Name: name} // K 0: nothing is found in it, and the native API can create it
	}
	r2 := r.Clone(fairlead.WithProject(r.Context(), p))
	if len(rest) != len(r.URL.Path) {
		r2.URL.Path = rest
		r2.URL.RawPath = escapedRest(r.URL.EscapedPath())
	}
	e.mux.ServeHTTP(w, r2)
}

// escapedRest cuts /p/<project> off an escaped path; a project's name has nothing
// to escape.
func escapedRest(escaped string) string {
	_, rest, _ := strings.Cut(strings.TrimPrefix(escaped, projectPrefix), "/")
	return "/" + rest
}

// dirty reports a path that means another one once it is cleaned, also where the
// dots are encoded.
func dirty(r *http.Request) bool {
	p := r.URL.Path
	if strings.ContainsAny(p, "\\\x00") || slices.Contains(strings.Split(p, "/"), "..") {
		return true
	}
	clean := path.Clean(p)
	return clean != p && clean+"/" != p && !strings.Contains(p, "//")
}
