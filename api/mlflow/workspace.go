package mlflow

import (
	"net/http"
	"regexp"
	"slices"
	"unicode/utf8"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/spec"
)

// A workspace is a project. A request's workspace, named in its path or in the header
// X-MLFLOW-WORKSPACE, is settled at the edge.

type wireWorkspace struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
}

func workspace(p fairlead.Project) wireWorkspace {
	w := wireWorkspace{Name: p.Name}
	if p.Name == spec.Default.Name {
		w.Description = "Default workspace for legacy resources"
	}
	return w
}

var workspaceName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)

// reservedWorkspaces are MLflow's own paths.
var reservedWorkspaces = []string{"workspaces", "api", "ajax-api", "static-files"}

// checkWorkspace refuses names as MLflow does, which are names of projects too.
func checkWorkspace(name string) error {
	switch n := utf8.RuneCountInString(name); {
	case n < 2 || n > 63:
		return fairlead.Errorf(fairlead.Invalid,
			"Workspace name '%s' must be between 2 and 63 characters.", name)
	case !workspaceName.MatchString(name):
		return fairlead.Errorf(fairlead.Invalid, "Workspace name '%s' must match the pattern %s "+
			"(lowercase alphanumeric with optional internal hyphens).", name, workspaceName)
	case slices.Contains(reservedWorkspaces, name):
		return fairlead.Errorf(fairlead.Invalid, "Workspace name '%s' is reserved and cannot be used.",
			name)
	}
	return nil
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
			out = append(out, workspace(p))
		}
	}
	return (&call{w: w, r: r}).reply(map[string]any{"workspaces": out})
}

func (a *API) getWorkspace(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("workspace_name")
	p, err := a.projects.Get(r.Context(), name)
	hidden := err == nil && !auth.CallerFrom(r.Context()).May(p, auth.Read)
	if fairlead.Is(err, fairlead.NotFound) || hidden {
		if err := checkWorkspace(name); err != nil {
			return err
		}
		return fairlead.Errorf(fairlead.NotFound, "Workspace '%s' not found", name)
	}
	if err != nil {
		return err
	}
	return (&call{w: w, r: r}).reply(map[string]any{"workspace": workspace(p)})
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
	if name == spec.Default.Name {
		return fairlead.Errorf(fairlead.Invalid,
			"The '%s' workspace is reserved and cannot be created", name)
	}
	if err := checkWorkspace(name); err != nil {
		return err
	}
	p, err := a.projects.Create(r.Context(), name)
	if fairlead.Is(err, fairlead.Conflict) {
		return fairlead.Errorf(fairlead.Conflict, "Workspace '%s' already exists.", name).
			With("exists", true)
	}
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	return c.reply(map[string]any{"workspace": workspace(p)})
}
