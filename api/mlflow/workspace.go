package mlflow

import (
	"net/http"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
)

// A workspace is a project. A request's workspace, named in its path or in the header
// X-MLFLOW-WORKSPACE, is settled at the edge.

type wireWorkspace struct {
	Name string `json:"name"`
}

// workspaceRoutes are about the whole server and not about one project.
func (a *API) workspaceRoutes() (routes []auth.Route) {
	const path = "/3.0/mlflow/workspaces"
	for _, prefix := range []string{"/api", "/ajax-api"} {
		for _, r := range []auth.Route{
			{Method: "GET", Path: path, Permission: auth.Self, Handle: a.listWorkspaces},
			{Method: "POST", Path: path, Permission: auth.Run, BodyLimit: small,
				Handle: a.createWorkspace},
			{Method: "GET", Path: path + "/{workspace_name}", Permission: auth.Self,
				Handle: a.getWorkspace},
		} {
			r.Path, r.Server, r.Fail = prefix+r.Path, true, fail
			routes = append(routes, r)
		}
	}
	return routes
}

func (a *API) listWorkspaces(w http.ResponseWriter, r *http.Request) error {
	projects, err := a.projects.List(r.Context())
	if err != nil {
		return err
	}
	out := []wireWorkspace{}
	for _, p := range projects {
		if auth.CallerFrom(r.Context()).May(p, auth.Read) {
			out = append(out, wireWorkspace{p.Name})
		}
	}
	return (&call{w: w, r: r}).reply(map[string]any{"workspaces": out})
}

func (a *API) getWorkspace(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("workspace_name")
	p, err := a.projects.Get(r.Context(), name)
	hidden := err == nil && !auth.CallerFrom(r.Context()).May(p, auth.Read)
	if fairlead.Is(err, fairlead.NotFound) || hidden {
		return fairlead.Errorf(fairlead.NotFound, "Workspace '%s' not found", name)
	}
	if err != nil {
		return err
	}
	return (&call{w: w, r: r}).reply(map[string]any{"workspace": wireWorkspace{p.Name}})
}

func (a *API) createWorkspace(w http.ResponseWriter, r *http.Request) error {
	c := &call{w: w, r: r}
	if err := checkJSON(r.Header.Get("Content-Type")); err != nil {
		return err
	}
	if err := c.parse(); err != nil {
		return err
	}
	name := c.need("name")
	if c.err != nil {
		return c.err
	}
	p, err := a.projects.Create(r.Context(), name)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	return c.reply(map[string]any{"workspace": wireWorkspace{p.Name}})
}
