package ops

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
)

// API holds the operational routes.
type API struct {
	Deps
	metrics http.Handler
}

// Deps are what the routes ask.
type Deps struct {
	Metrics  *prometheus.Registry
	Ready    func(context.Context) error         // why the server should get no traffic
	Accounts *auth.Accounts                      // who may sign in with a browser
	Prove    func(claim string) string           // proves a claim with the owner's token
	SignOut  func(context.Context, string) error // ends the session with that secret
	// Enter lets the owner in, with a session that lasts until then.
	Enter func(ctx context.Context, link string) (secret string, expires time.Time, err error)
}

// New returns the routes.
func New(d Deps) *API {
	return &API{Deps: d, metrics: promhttp.HandlerFor(d.Metrics, promhttp.HandlerOpts{})}
}

// Routes lists the operational routes.
func (a *API) Routes() []auth.Route {
	routes := []auth.Route{
		{Path: "/livez", Permission: auth.Public, Handle: a.live},
		{Path: "/readyz", Permission: auth.Public, Handle: a.readyz},
		{Path: "/metrics", Permission: auth.Read, Handle: a.serveMetrics},
	}
	for i := range routes {
		routes[i].Method, routes[i].Fail = http.MethodGet, fail
	}
	for _, r := range a.signInRoutes() {
		r.Permission, r.Fail = auth.Public, fail
		routes = append(routes, r)
	}
	for i := range routes {
		routes[i].Server = true
	}
	return routes
}

// fail writes an error as a line of text, for people and their scripts; as a page, if a
// browser shows it.
func fail(w http.ResponseWriter, r *http.Request, err error) {
	if strings.Contains(r.Header.Get("Accept"), "text/html") &&
		show(w, fairlead.CodeOf(err).HTTPStatus(), "fail", fairlead.MessageOf(err)) == nil {
		return
	}
	http.Error(w, fairlead.MessageOf(err), fairlead.CodeOf(err).HTTPStatus())
}

// readyMax bounds how long a readiness check may take, in wall time.
const readyMax = 2 * time.Second

func (a *API) readyz(w http.ResponseWriter, r *http.Request) error {
	ctx, cancel := context.WithTimeout(r.Context(), readyMax)
	defer cancel()
	if err := a.Ready(ctx); err != nil {
		return fairlead.Errorf(fairlead.Unavailable, "not ready: %s", fairlead.MessageOf(err)).Because(err)
	}
	fmt.Fprintln(w, "ok")
	return nil
}

func (a *API) serveMetrics(w http.ResponseWriter, r *http.Request) error {
	a.metrics.ServeHTTP(w, r)
	return nil
}
