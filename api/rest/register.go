package rest

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/store"
)

// op is what an operation states about itself.
type op struct {
	id      string
	method  string
	path    string // below the project, or below the API's root (registerServer)
	summary string
	may     auth.Permission
	limit   int64 // of the body, in bytes; default 4 KiB where there is one
	status  int   // of success; default 200
}

const smallBody = 4 << 10

// ownerScheme is the name of the owner's token in the OpenAPI document.
const ownerScheme = "owner"

// body wraps an answer's JSON.
type body[T any] struct{ Body T }

// InProject is the part of a request that every path below a project has. The edge
// has resolved it; the field is here for the document.
type InProject struct {
	Project string `path:"project" doc:"project name"`
}

// register adds an operation of a project, which must exist: fn decodes nothing,
// calls one method, and returns what is encoded.
func register[I, O any](a *API, o op, fn func(ctx context.Context, p fairlead.Project, in *I) (
	O, error)) {
	o.path = project + o.path
	add(a, o, false, func(ctx context.Context, in *I) (out O, err error) {
		p := fairlead.ProjectFrom(ctx)
		if p.K == 0 {
			return out, errNoProject(p.Name)
		}
		return fn(ctx, p, in)
	})
}

func errNoProject(name string) error {
	return fairlead.Errorf(fairlead.NotFound,
		"there is no project %q; `fairlead apply` in its repository creates it", name)
}

// registerServer adds an operation of the whole server.
func registerServer[I, O any](a *API, o op, fn func(ctx context.Context, in *I) (O, error)) {
	o.path = root + o.path
	add(a, o, true, fn)
}

func add[I, O any](a *API, o op, server bool, fn func(ctx context.Context, in *I) (O, error)) {
	if o.limit == 0 && (o.method == http.MethodPost || o.method == http.MethodPut) {
		o.limit = smallBody
	}
	a.next = auth.Route{Permission: o.may, BodyLimit: o.limit, Server: server}
	doc := describe(o)
	doc.MaxBodyBytes, doc.BodyReadTimeout = o.limit, auth.BodyTime(o.limit)
	doc.DefaultStatus, doc.Errors = o.status, failures(o)
	huma.Register(a.huma, doc, func(ctx context.Context, in *I) (*body[O], error) {
		out, err := fn(ctx, in)
		if err != nil {
			return nil, a.problem(ctx, o.id, err)
		}
		return &body[O]{out}, nil
	})
}

// failures are the statuses that an operation documents.
func failures(o op) []int {
	out := []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden,
		http.StatusNotFound}
	if o.method != http.MethodGet {
		out = append(out, http.StatusRequestTimeout, http.StatusConflict, http.StatusPreconditionFailed,
			http.StatusRequestEntityTooLarge, http.StatusInsufficientStorage)
	}
	return append(out, http.StatusInternalServerError, http.StatusServiceUnavailable)
}

// problem is an operation's error as it is sent; what the client does not see is
// logged.
func (a *API) problem(ctx context.Context, operation string, err error) *problem {
	err = stoppedOr(ctx, err) // or the client has left, and nobody reads it
	if fairlead.Is(err, fairlead.Internal) {
		a.Log.Error("operation failed", "operation", operation, "project", fairlead.ProjectFrom(ctx).Name,
			"err", err)
	}
	return newProblem(err)
}

// read calls a stage's method that works in a transaction.
func read[T any](ctx context.Context, a *API, fn func(tx *store.Tx) (T, error)) (out T, err error) {
	err = a.DB.Read(ctx, func(tx *store.Tx) error {
		out, err = fn(tx)
		return err
	})
	return out, err
}

// collector hands the operations that huma routes to our own route table.
type collector struct{ api *API }

// HandleFunc takes what huma routes.
func (c collector) HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request)) {
	route := c.api.next
	route.Method, route.Path, _ = strings.Cut(pattern, " ")
	route.Fail = Fail
	route.Handle = func(w http.ResponseWriter, r *http.Request) error {
		if route.BodyLimit > manyValues {
			if err := narrow(w, r); err != nil {
				return err
			}
		}
		h(w, r)
		return nil
	}
	c.api.routes = append(c.api.routes, route)
}

// ServeHTTP is never called: the edge routes.
func (c collector) ServeHTTP(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }
