// Package ops is what operations ask of the program: health, metrics, version, and
// one plain page at / that says what runs and what to do next. It shows no
// project's data to callers who may not read it.
package ops

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
)

// Overview is what the page at / shows.
type Overview struct {
	Version  string
	URL      string
	Projects []Project
}

// Project is one project on the page.
type Project struct {
	Name      string
	Endpoints []string
}

// API holds the operational routes.
type API struct {
	ready    func(ctx context.Context) error
	overview func(ctx context.Context) (Overview, error)
	metrics  http.Handler
}

// New returns the routes; ready reports why the server cannot work, overview what
// it does.
func New(reg *prometheus.Registry, ready func(context.Context) error,
	overview func(context.Context) (Overview, error)) *API {
	return &API{ready: ready, overview: overview, metrics: promhttp.HandlerFor(reg, promhttp.HandlerOpts{})}
}

// Routes lists the operational routes.
func (a *API) Routes() []auth.Route {
	return []auth.Route{
		{Method: "GET", Path: "/livez", Permission: auth.Public, Handle: live, Fail: fail},
		{Method: "GET", Path: "/readyz", Permission: auth.Public, Handle: a.readyz, Fail: fail},
		{Method: "GET", Path: "/metrics", Permission: auth.Read, Handle: a.serveMetrics, Fail: fail},
		{Method: "GET", Path: "/{$}", Permission: auth.Read, Handle: a.index, Fail: fail},
	}
}

func fail(w http.ResponseWriter, _ *http.Request, err error) {
	http.Error(w, fairlead.MessageOf(err), fairlead.CodeOf(err).HTTPStatus())
}

func live(w http.ResponseWriter, _ *http.Request) error {
	fmt.Fprintln(w, "ok")
	return nil
}

// readyMax bounds how long a readiness check may take, in wall time.
const readyMax = 2 * time.Second

func (a *API) readyz(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), readyMax)
	defer cancel()
	if err := a.ready(ctx); err != nil {
		return fairlead.Errorf(fairlead.Unavailable, "not ready: %s", fairlead.MessageOf(err)).Because(err)
	}
	fmt.Fprintln(w, "ok")
	return nil
}

func (a *API) serveMetrics(w http.ResponseWriter, r *http.Request) error {
	a.metrics.ServeHTTP(w, r)
	return nil
}

func (a *API) index(w http.ResponseWriter, r *http.Request) error {
	o, err := a.overview(r.Context())
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	return page.Execute(w, o)
}

var page = template.Must(template.New("index").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Fairlead</title><style>
:root{color-scheme:light dark;--line:light-dark(#d8dde3,#333a42);--soft:light-dark(#f4f6f8,#1c2127);--dim:light-dark(#57606a,#9aa4ae)}
body{font:16px/1.55 system-ui,sans-serif;max-width:46rem;margin:2.5rem auto;padding:0 1rem;background:light-dark(#fff,#14181c);color:light-dark(#1c2127,#e6eaee)}
h1{font-size:1.5rem;margin:0}h2{font-size:1.05rem;margin:2rem 0 .5rem}.dim{color:var(--dim)}
pre{background:var(--soft);border:1px solid var(--line);border-radius:6px;padding:.75rem 1rem;overflow-x:auto;font-size:.875rem}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.4rem .6rem;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}
code{font-size:.9em}</style></head><body>
<h1>Fairlead</h1><p class="dim">version {{.Version}} · the whole life of a model in one program</p>
<h2>What runs</h2>
<table><thead><tr><th scope="col">Project</th><th scope="col">Live endpoints</th></tr></thead><tbody>
{{range .Projects}}<tr><td>{{.Name}}</td><td>{{range .Endpoints}}<code>{{.}}</code><br>{{else}}<span class="dim">nothing released yet</span>{{end}}</td></tr>
{{end}}</tbody></table>
<h2>Track with MLflow's client, unchanged</h2>
<pre>export MLFLOW_TRACKING_URI={{.URL}}</pre>
<h2>Next commands</h2>
<pre>fairlead check               # is fairlead.yaml right?
fairlead run                 # data, training, gate and release
fairlead loop explain        # what the loop does, and why
fairlead audit verify        # the ledger is whole</pre>
<p class="dim"><a href="/api/v1/openapi.json">OpenAPI</a> · <a href="/metrics">metrics</a> · <a href="/readyz">ready</a></p>
</body></html>
`))
