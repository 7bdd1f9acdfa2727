package ops

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
)

// API holds the operational routes.
type API struct {
	ready    func(ctx context.Context) error
	overview func(ctx context.Context) (Overview, error)
	metrics  http.Handler
}

// New returns the routes; ready reports why the server should get no traffic,
// overview what it does.
func New(reg *prometheus.Registry, ready func(context.Context) error,
	overview func(context.Context) (Overview, error)) *API {
	return &API{ready: ready, overview: overview, metrics: promhttp.HandlerFor(reg, promhttp.HandlerOpts{})}
}

// Routes lists the operational routes.
func (a *API) Routes() []auth.Route {
	routes := []auth.Route{
		{Path: "/livez", Permission: auth.Public, Handle: live},
		{Path: "/readyz", Permission: auth.Public, Handle: a.readyz},
		{Path: "/metrics", Permission: auth.Read, Handle: a.serveMetrics},
		{Path: "/{$}", Permission: auth.Read, Handle: a.index},
	}
	for i := range routes {
		routes[i].Method, routes[i].Server, routes[i].Fail = http.MethodGet, true, fail
	}
	return routes
}

// fail writes an error as a line of text, for people and their scripts.
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
