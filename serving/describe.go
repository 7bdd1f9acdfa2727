package serving

import (
	"context"
	"slices"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/release"
	"github.com/fairlead-ml/fairlead/store"
)

// Loaded describes one version of an endpoint that can answer.
type Loaded struct {
	Endpoint string
	Model    string
	Version  int64
	Role     string
	Percent  float64
	Manifest *engine.Manifest
	Health   error // why its calls fail now and will go on to; nil when they do not
}

// Describe returns what the endpoint has loaded: the version that is live (or
// the one asked for) first, then the others by number. Its errors are Infer's.
func (s *Service) Describe(ctx context.Context, p fairlead.Project, name string, version int64) ([]Loaded, error) {
	e := s.routes.Load().endpoints[routeKey{p.K, name}]
	if e == nil {
		return nil, s.unknown(ctx, p, name)
	}
	first, err := s.choose(ctx, e, Request{Version: version})
	if err != nil {
		return nil, err
	}
	if version == 0 {
		first = e.live
	}
	out := []Loaded{e.describe(first)}
	for _, n := range e.versions() {
		if v := e.all[n]; v.key != first.key {
			out = append(out, e.describe(v))
		}
	}
	return out, nil
}

func (e *endpoint) describe(v *variant) Loaded {
	return Loaded{e.name, e.model, v.key.version, v.role, v.percent, v.manifest, v.health()}
}

// Signature returns what the endpoint's live version, or the one asked for, takes and
// gives. It is cheap, for use with each request. Its errors are Infer's.
func (s *Service) Signature(ctx context.Context, p fairlead.Project, name string, version int64) (engine.Signature, error) {
	e := s.routes.Load().endpoints[routeKey{p.K, name}]
	if e == nil {
		return engine.Signature{}, s.unknown(ctx, p, name)
	}
	v := e.live
	if version != 0 {
		if v = e.all[version]; v == nil {
			return engine.Signature{}, s.unknownVersion(ctx, e, version)
		}
	}
	if v == nil {
		return engine.Signature{}, e.notLive()
	}
	return v.manifest.Signature, nil
}

func (e *endpoint) notLive() error {
	if e.down != nil {
		return e.down
	}
	return fairlead.Errorf(fairlead.Unavailable, "%s has no live version", e.name)
}

// Failing says what keeps the endpoint from serving all of its assignment at present,
// also one that was served before a restart; nil for nothing that is known.
func (s *Service) Failing(p fairlead.Project, endpoint string) error {
	return s.routes.Load().progress[routeKey{p.K, endpoint}].failed.err
}

// Endpoints lists the full names of the project's endpoints that can answer.
func (s *Service) Endpoints(p fairlead.Project) []string {
	var out []string
	for key, e := range s.routes.Load().endpoints {
		if key.projectK == p.K && key.name == e.name && e.live != nil {
			out = append(out, e.name)
		}
	}
	slices.Sort(out)
	return out
}

// Resolve returns an endpoint's full name for it or for the model's bare name.
func (s *Service) Resolve(ctx context.Context, p fairlead.Project, name string) (string, error) {
	e := s.routes.Load().endpoints[routeKey{p.K, name}]
	if e == nil {
		return "", s.unknown(ctx, p, name)
	}
	return e.name, nil
}

// unknown says why nothing answers under the name: it is being loaded, or there is
// no such endpoint, and which ones there are.
func (s *Service) unknown(ctx context.Context, p fairlead.Project, name string) error {
	var all []*release.Assignment
	var last string
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		if all, err = s.Release.Assignments(tx, p); err == nil && len(all) > 0 {
			last, err = s.lastEnvironment(tx, p)
		}
		return err
	})
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return fairlead.Errorf(fairlead.NotFound,
			"there is no endpoint %q: nothing is released in project %s yet", name, p.Name)
	}
	names := make([]string, len(all))
	for i, a := range all {
		names[i] = a.Endpoint
		if name == a.Endpoint || name == a.Model && (a.Environment == last || !s.ready.Load()) {
			return fairlead.Errorf(fairlead.Unavailable, "%s is being loaded; try again", a.Endpoint)
		}
	}
	return fairlead.Errorf(fairlead.NotFound, "there is no endpoint %q in project %s; call one of: %s",
		name, p.Name, strings.Join(names, ", "))
}

// unknownVersion says what became of the version, and what to call instead.
func (s *Service) unknownVersion(ctx context.Context, e *endpoint, n int64) error {
	retired := false
	err := s.DB.Read(ctx, func(tx *store.Tx) error {
		v, err := s.Registry.Version(tx, e.project, e.model, n)
		if err == nil {
			retired = v.Retired()
		}
		return err
	})
	switch {
	case retired:
		return fairlead.Errorf(fairlead.Gone, "%s version %d is retired; call %s without a version, or one of %v",
			e.model, n, e.name, e.versions())
	case fairlead.Is(err, fairlead.NotFound):
		return fairlead.Errorf(fairlead.NotFound, "%s has no version %d; call %s without a version, or one of %v",
			e.model, n, e.name, e.versions())
	case err != nil:
		return err
	}
	return fairlead.Errorf(fairlead.NotFound, "%s version %d is not released to %s; call it without a version, or one of %v",
		e.model, n, e.name, e.versions())
}
