package serving

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/release"
)

// routes is the immutable table that requests read.
type routes struct {
	endpoints map[routeKey]*endpoint // by full name, and by the model's for the last environment
	progress  map[routeKey]progress  // by full name
}

type routeKey struct {
	projectK int64
	name     string
}

// progress is how far a generation of an endpoint is.
type progress struct {
	generation int64
	tried      bool // every package was tried to load once
	settled    bool // nothing is left to do
	failed     lack // why it cannot be made true for now; what is loaded answers, if anything
}

// lack is a version that cannot be served, and why; the zero value is none.
type lack struct {
	version int64
	err     error
}

// endpoint is what one endpoint serves in one generation. Its users are the table
// and the requests that read it there; the last one lets go of its packages.
type endpoint struct {
	refs
	pool       *pool
	project    fairlead.Project
	name       string // model@environment
	model      string
	generation int64
	durable    bool
	lateness   time.Duration
	live       *variant
	canary     *variant
	scorers    []*variant // every version that scores each request, each once, by number
	all        map[int64]*variant
	down       error // why there is no live version, when there is none
	counter    *counter
	seconds    prometheus.Observer
	skipped    prometheus.Counter
}

type variant struct {
	*loaded
	role     string
	percent  float64
	answered prometheus.Counter
}

func newEndpoint(pl *pool, p fairlead.Project, name, model string) *endpoint {
	e := &endpoint{pool: pl, project: p, name: name, model: model, all: map[int64]*variant{}}
	e.n.Store(1)
	return e
}

// put adds a variant, and keeps its package for as long as the endpoint is used. A
// version in two roles, such as the live one that is also the shadow, scores once.
func (e *endpoint) put(v *variant) {
	switch v.role {
	case release.RoleLive:
		e.live = v
	case release.RoleCanary:
		e.canary = v
	}
	n := v.key.version
	old, twice := e.all[n]
	if twice && v.role == release.RoleStandby {
		return
	}
	if !twice {
		v.loaded.acquire()
	}
	if !twice || old.role == release.RoleStandby || v.role == release.RoleLive {
		e.all[n] = v
	}
	e.scorers = e.scorers[:0]
	for _, n := range e.versions() {
		if e.all[n].role != release.RoleStandby {
			e.scorers = append(e.scorers, e.all[n])
		}
	}
}

// versions lists the loaded ones, ascending.
func (e *endpoint) versions() []int64 {
	out := make([]int64, 0, len(e.all))
	for n := range e.all {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

// same reports whether o serves the same packages in the same generation.
func (e *endpoint) same(o *endpoint) bool {
	if o == nil || e.generation != o.generation || len(e.all) != len(o.all) {
		return false
	}
	for n, v := range e.all {
		if o.all[n] == nil || o.all[n].loaded != v.loaded {
			return false
		}
	}
	return e.down == nil && o.down == nil
}

// leave ends one use of the endpoint.
func (e *endpoint) leave() {
	if !e.release() {
		return
	}
	for _, v := range e.all {
		e.pool.drop(v.loaded)
	}
}

// enter returns the endpoint, which the caller leaves when it is done; nil for one
// that is not in the table.
func (s *Service) enter(key routeKey) *endpoint {
	for {
		e := s.routes.Load().endpoints[key]
		if e == nil || e.acquire() {
			return e
		}
		// It was replaced between the two; the new table is there already.
	}
}
