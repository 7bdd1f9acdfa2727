package rest

import (
	"embed"
	"encoding/json"
	"io/fs"
	"log/slog"
	"net/http"
	"path"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/backup"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/gate"
	"github.com/fairlead-ml/fairlead/govern"
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
	"github.com/fairlead-ml/fairlead/sink"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/stream"
	"github.com/fairlead-ml/fairlead/tracking"
	"github.com/fairlead-ml/fairlead/transfer"
	"github.com/fairlead-ml/fairlead/transfer/archive"
)

//go:embed migrations/*.sql
var files embed.FS

// Schema returns the table of answers to requests with an Idempotency-Key.
func Schema() store.Schema {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		panic(err)
	}
	return store.Schema{Component: "rest", Files: sub}
}

// Services are what the API calls.
type Services struct {
	DB       *store.DB
	Clock    fairlead.Clock
	Log      *slog.Logger
	Stopping <-chan struct{} // closed when the server begins to stop; waiting requests answer then
	Ledger   *ledger.Ledger
	Stream   *stream.Service
	Jobs     *job.Service
	Projects *spec.Projects
	SCM      *scm.Service
	Data     *data.Service
	Tracking *tracking.Service
	Registry *registry.Service
	Pipeline *pipeline.Service
	Gate     *gate.Service
	Release  *release.Service
	Serving  *serving.Service
	Label    *label.Service
	Monitor  *monitor.Service
	Loop     *loop.Service
	Govern   *govern.Service
	Sink     *sink.Service
	Backup   *backup.Service
	Accounts *auth.Accounts
	Tokens   *auth.Tokens
	Transfer *transfer.Service
	Archive  *archive.Service

	KeepDeleted time.Duration // in the trash of projects that say nothing; negative for ever
}

// API is the native API.
type API struct {
	Services
	huma   huma.API
	routes []auth.Route
	next   auth.Route // what the operation that is being registered states
	open   streams
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
	cfg.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		ownerScheme: {Type: "http", Scheme: "bearer",
			Description: "a token of an account with a role for it, or the one in the data directory's file `token`"},
	}
	for _, t := range []any{spec.Spec{}, spec.Environment{}} {
		// fairlead.schema.json describes these; their tags mean the file, not JSON.
		cfg.Components.Schemas.RegisterTypeAlias(reflect.TypeOf(t), reflect.TypeFor[map[string]any]())
	}
	cfg.Components.Schemas.RegisterTypeAlias(reflect.TypeFor[gate.Facts](),
		reflect.TypeFor[map[string]Fact]())
	a.huma = humago.New(collector{a}, cfg)
	for _, operations := range []func(){
		a.projectOperations, a.dataOperations, a.datasetLineageOperations, a.queryOperations, a.trackingOperations, a.tableOperations,
		a.experimentOperations, a.chartOperations, a.trackedOperations, a.artifactOperations,
		a.modelOperations, a.runOperations, a.jobOperations,
		a.caseOperations, a.endpointOperations, a.rolloutOperations, a.trafficOperations, a.monitorOperations,
		a.ledgerOperations, a.webhookOperations, a.backupOperations, a.accessOperations,
		a.trashOperations, a.importOperations, a.partOperations, a.archiveOperations, a.governOperations,
	} {
		operations()
	}
	a.documentApply()
	return a
}

// schemaName tells types of the same name in different packages apart: the stages
// have an Explanation each, and pages of each other's Versions.
func schemaName(t reflect.Type, hint string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if _, item, ok := strings.Cut(t.Name(), "["); ok { // Page[*…/registry.Version]
		pkg, name, _ := strings.Cut(path.Base(strings.TrimRight(item, "]")), ".")
		return "PageOf" + qualified(pkg, name)
	}
	if t.Name() == "" {
		return huma.DefaultSchemaNamer(t, hint)
	}
	return qualified(path.Base(t.PkgPath()), huma.DefaultSchemaNamer(t, hint))
}

// qualified puts a stage's name before that of its type.
func qualified(pkg, name string) string {
	if pkg == "rest" || pkg == "fairlead" || pkg == "." {
		return name
	}
	return strings.ToUpper(pkg[:1]) + pkg[1:] + name
}

// Routes lists every operation, and the OpenAPI document.
func (a *API) Routes() []auth.Route {
	return append(a.routes, a.applyRoute(), a.partRoute(), a.queryFileRoute(data.CSV),
		a.queryFileRoute(data.Parquet), a.streamRoute(), a.contentRoute(), auth.Route{
			Method: http.MethodGet, Path: root + "/openapi.json", Permission: auth.Public, Server: true, Fail: Fail,
			Handle: func(w http.ResponseWriter, _ *http.Request) error {
				b, err := a.OpenAPI()
				if err != nil {
					return err
				}
				w.Header().Set("Content-Type", "application/vnd.oai.openapi+json")
				w.Write(b)
				return nil
			},
		})
}

// OpenAPI returns the OpenAPI 3.1 document.
func (a *API) OpenAPI() ([]byte, error) { return json.MarshalIndent(a.huma.OpenAPI(), "", "  ") }
