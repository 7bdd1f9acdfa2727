package ops

import (
	"html/template"
	"net/http"

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
	Endpoints []Endpoint
}

// Endpoint is one endpoint on the page.
type Endpoint struct {
	Name    string   // model@environment
	Serves  []string // for example "version 3 live"
	Loaded  bool     // all of it is loaded
	Failure string   // why it cannot be
}

// policy lets a page have its own style and send its form here, and nothing else.
const policy = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; " +
	"form-action 'self'; base-uri 'none'"

func (a *API) index(w http.ResponseWriter, r *http.Request) error {
	o, err := a.Overview(r.Context())
	if err != nil {
		return err
	}
	user := ""
	if c := auth.CallerFrom(r.Context()); c.Kind == auth.BySession {
		user = c.Actor.Name
	}
	return show(w, http.StatusOK, page, struct {
		Overview
		User string // who has signed in with the browser
	}{o, user})
}

// head begins every page, with its title. It follows the reader's light or dark
// setting, and needs no script.
var head = template.Must(template.New("head").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.}}</title><style>
:root{color-scheme:light dark;--bg:#fff;--ink:#1c2127;--dim:#57606a;--line:#d8dde3;--soft:#f4f6f8;--link:#0b5cad}
@media(prefers-color-scheme:dark){:root{--bg:#14181c;--ink:#e6eaee;--dim:#9aa4ae;--line:#333a42;--soft:#1c2127;--link:#7cb8f2}}
*{box-sizing:border-box}
body{font:16px/1.55 system-ui,sans-serif;max-width:46rem;margin:2.5rem auto;padding:0 1rem;background:var(--bg);color:var(--ink)}
h1{font-size:1.6rem;line-height:1.2;margin:0}h2{font-size:1.05rem;margin:2.25rem 0 .5rem}
p{margin:.35rem 0}a{color:var(--link)}.dim{color:var(--dim)}
pre{background:var(--soft);border:1px solid var(--line);border-radius:6px;padding:.75rem 1rem;margin:.5rem 0;white-space:pre-wrap;overflow-wrap:anywhere;font-size:.875rem;line-height:1.6}
pre:focus-visible,a:focus-visible{outline:2px solid var(--link);outline-offset:2px}
table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.5rem .75rem .5rem 0;border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}
th{font-weight:600;color:var(--dim);font-size:.875rem}td:first-child{width:36%}
code,pre{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}code{font-size:.875rem}
.e+.e{margin-top:.5rem}dl{display:grid;grid-template-columns:max-content 1fr;gap:.35rem 1.25rem;margin:.5rem 0}dt code{white-space:nowrap}dd{margin:0;color:var(--dim)}
input{font:inherit;width:100%;max-width:24rem;padding:.4rem .5rem}button{font:inherit;padding:.4rem 1rem}
nav{margin-top:2.5rem;display:flex;gap:1.25rem;flex-wrap:wrap}
@media(max-width:30rem){body{margin:1.25rem auto}thead{display:none}td,td:first-child{display:block;width:auto;padding-right:0}td:first-child{border:0;padding-bottom:0;font-weight:600}td+td{padding-top:.25rem}dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.6rem}}
</style></head><body>`))

var page = template.Must(template.Must(head.Clone()).New("index").Parse(`{{template "head" "Fairlead"}}
<header><h1>Fairlead</h1><p class="dim">The whole life of a model in one program. Version {{.Version}}.</p>
{{with .User}}<form method="post" action="/signout"><p class="dim">{{.}} <button>Sign out</button></p></form>{{end}}</header>
<main>
<h2 id="runs">What runs</h2>
{{if .Projects}}<table aria-labelledby="runs"><thead><tr><th scope="col">Project</th><th scope="col">Endpoints</th></tr></thead><tbody>
{{range .Projects}}<tr><td>{{.Name}}</td><td>{{range .Endpoints}}<div class="e"><code>{{.Name}}</code><br><span class="dim">{{range $i, $s := .Serves}}{{if $i}}, {{end}}{{$s}}{{end}}{{if .Failure}}; it cannot be served: {{.Failure}}{{else if not .Loaded}} (loading){{end}}</span></div>{{else}}<span class="dim">nothing released yet</span>{{end}}</td></tr>
{{end}}</tbody></table>{{else}}<p class="dim">No project yet: <code>fairlead apply</code> in a repository with a <code>fairlead.yaml</code> makes one.</p>{{end}}
<h2>Track with MLflow’s client, unchanged</h2>
<pre tabindex="0" aria-label="command">export MLFLOW_TRACKING_URI={{.URL}}</pre>
<p class="dim">For a project’s own runs and models: <code>{{.URL}}/p/<var>project</var></code></p>
<h2>Next commands</h2>
<dl>
<dt><code>fairlead demo</code></dt><dd>watch the loop close on real data</dd>
<dt><code>fairlead check</code></dt><dd>is the fairlead.yaml here right?</dd>
<dt><code>fairlead run</code></dt><dd>data, training, gate and release</dd>
<dt><code>fairlead loop explain</code></dt><dd>what the loop does, and why</dd>
<dt><code>fairlead audit verify</code></dt><dd>the record of all changes is whole</dd>
</dl>
</main>
<nav class="dim" aria-label="interfaces"><a href="/api/v1/openapi.json">OpenAPI</a><a href="/metrics">Metrics</a><a href="/readyz">Readiness</a></nav>
</body></html>
`))
