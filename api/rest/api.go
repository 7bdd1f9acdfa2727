package rest

import (
	"context"
	"encoding/json"
	"net/http"
	"path"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/gate"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/label"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/loop"
	"github.com/fairlead-ml/fairlead/monitor"
	"github.com/fairlead-ml/fairlead/pipeline"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/release"
	"github.com/fairlead-ml/fairlead/scm"
	"github.com/fairlead-ml/fairlead/serving"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/stream"
)

// Services are the stages that the API calls.
type Services struct {
	DB       *store.DB
	Ledger   *ledger.Ledger
	Stream   *stream.Service
	Jobs     *job.Service
	Projects *spec.Projects
	SCM      *scm.Service
	Registry *registry.Service
	Pipeline *pipeline.Service
	Gate     *gate.Service
	Release  *release.Service
	Serving  *serving.Service
	Label    *label.Service
	Monitor  *monitor.Service
	Loop     *loop.Service
}

// API is the native API.
type API struct {
	Services
	huma   huma.API
	routes []auth.Route
	next   auth.Route // what the operation that is being registered states
}

// The paths of the API.
const (
	root    = "/api/v1"
	project = root + "/projects/{project}"
)

// New returns the API with all its operations registered.
func New(s Services, version string) *API {
	a := &API{Services: s}
	cfg := huma.DefaultConfig("Fairlead", version)
	cfg.OpenAPIPath, cfg.DocsPath, cfg.SchemasPath = "", "", ""
	cfg.CreateHooks = nil // no $schema links in answers
	cfg.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	for _, t := range []any{spec.Spec{}, spec.Environment{}} {
		// fairlead.schema.json describes these; their tags mean the file, not JSON.
		cfg.Components.Schemas.RegisterTypeAlias(reflect.TypeOf(t), reflect.TypeFor[map[string]any]())
	}
	a.huma = humago.New(collector{a}, cfg)
	a.projectOperations()
	a.caseOperations()
	a.endpointOperations()
	a.ledgerOperations()
	return a
}

// schemaName tells types of the same name in different packages apart: the stages
// have an Explanation each.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	pkg := path.Base(t.PkgPath())
	if t.Name() == "" || pkg == "rest" || pkg == "." || strings.Contains(t.Name(), "[") {
		return name
	}
	return strings.ToUpper(pkg[:1]) + pkg[1:] + name
}

// Routes lists every operation, and the OpenAPI document.
func (a *API) Routes() []auth.Route {
	return append(a.routes, auth.Route{
		Method: "GET", Path: root + "/openapi.json", Permission: auth.Public, Fail: Fail,
		Handle: func(w http.ResponseWriter, _ *http.Request) error {
			b, err := a.OpenAPI()
			if err != nil {
				return err
			}
			w.Header().Set("Content-Type", "application/vnd.oai.openapi+json")
			w.Write(b)
			return nil
		},
	}, a.applyRoute())
}

// OpenAPI returns the OpenAPI 3.1 document.
func (a *API) OpenAPI() ([]byte, error) { return json.MarshalIndent(a.huma.OpenAPI(), "", "  ") }

// collector hands the operations that huma routes to our own route table.
type collector struct{ api *API }

func (c collector) HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request)) {
	route := c.api.next
	route.Method, route.Path, _ = strings.Cut(pattern, " ")
	route.Fail = Fail
	route.Handle = func(w http.ResponseWriter, r *http.Request) error {
		h(w, r)
		return nil
	}
	c.api.routes = append(c.api.routes, route)
}

// ServeHTTP is never called: the edge routes.
func (c collector) ServeHTTP(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }

// problem is an RFC 9457 problem document.
type problem struct {
	Title  string         `json:"title"`
	Status int            `json:"status"`
	Detail string         `json:"detail"`
	Code   fairlead.Code  `json:"code"`
	Extra  map[string]any `json:"extra,omitempty"`
}

func (p *problem) Error() string  { return p.Detail }
func (p *problem) GetStatus() int { return p.Status }
func (p *problem) ContentType(string) string {
	return "application/problem+json"
}

func newProblem(err error) *problem {
	code := fairlead.CodeOf(err)
	return &problem{Title: http.StatusText(code.HTTPStatus()), Status: code.HTTPStatus(),
		Detail: fairlead.MessageOf(err), Code: code}
}

// Fail writes an error as a problem document.
func Fail(w http.ResponseWriter, _ *http.Request, err error) {
	p := newProblem(err)
	b, mErr := json.Marshal(p)
	if mErr != nil {
		http.Error(w, p.Detail, p.Status)
		return
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	w.Write(b)
}

func init() {
	huma.DefaultArrayNullable = false
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		code := fairlead.Invalid
		if status >= 500 {
			code = fairlead.Internal
		}
		detail := []string{msg}
		for _, e := range errs {
			detail = append(detail, e.Error())
		}
		if status == http.StatusUnprocessableEntity {
			status = http.StatusBadRequest
		}
		return &problem{Title: http.StatusText(status), Status: status, Detail: strings.Join(detail, "; "), Code: code}
	}
}

// op is what an operation states about itself.
type op struct {
	id         string
	method     string
	path       string // below the project
	summary    string
	permission auth.Permission
	limit      int64 // of the body, in bytes
}

// body wraps an answer's JSON.
type body[T any] struct{ Body T }

// register adds an operation: in decodes the request, fn answers.
func register[I, O any](a *API, o op, fn func(ctx context.Context, in *I) (O, error)) {
	a.next = auth.Route{Permission: o.permission, BodyLimit: o.limit}
	full := project + o.path
	if rest, ok := strings.CutPrefix(o.path, "//"); ok {
		full = root + "/" + rest
	}
	huma.Register(a.huma, huma.Operation{
		OperationID: o.id, Method: o.method, Path: full, Summary: o.summary, MaxBodyBytes: o.limit,
		Extensions: map[string]any{"x-permission": string(o.permission)},
	}, func(ctx context.Context, in *I) (*body[O], error) {
		out, err := fn(ctx, in)
		if err != nil {
			return nil, newProblem(err)
		}
		return &body[O]{out}, nil
	})
}

// InProject is the part of a request that every path has. The edge has resolved
// it; the field is here for the document.
type InProject struct {
	Project string `path:"project" doc:"project name"`
}

// existing returns the context's project; NotFound where it was never created.
func existing(ctx context.Context) (fairlead.Project, error) {
	p := fairlead.ProjectFrom(ctx)
	if p.K == 0 {
		return p, fairlead.Errorf(fairlead.NotFound, "there is no project %q; `fairlead apply` in its repository creates it", p.Name)
	}
	return p, nil
}

// maxWait bounds how long a request may wait for something, in wall time.
const maxWait = 2 * time.Minute

// Waiting is the part of a request that can wait for work to end.
type Waiting struct {
	Wait string `query:"wait" doc:"how long to wait for the end, such as 30s; at most 2m (wall time)"`
}

func (w Waiting) duration() (time.Duration, error) {
	if w.Wait == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(w.Wait)
	if err != nil || d < 0 {
		return 0, fairlead.Errorf(fairlead.Invalid, "wait is %q; write it as 30s", w.Wait)
	}
	return min(d, maxWait), nil
}

// until calls done after every commit until it says so or the wait is over.
func (a *API) until(ctx context.Context, w Waiting, done func() (bool, error)) error {
	d, err := w.duration()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	for {
		changed := a.DB.Changed()
		if ok, err := done(); err != nil || ok || d == 0 {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}
