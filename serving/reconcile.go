package serving

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/release"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

// reconcile loads what the assignments of all projects name, swaps the table of
// routes, reports the generations that are now true, and unloads the rest. One
// endpoint that fails does not hold up the others.
func (s *Service) reconcile(ctx context.Context) error {
	projects, err := s.Projects.List(ctx)
	if err != nil {
		return err
	}
	next := &routes{endpoints: map[routeKey]*endpoint{}}
	wanted := map[packageKey]bool{}
	var failed []error
	var ready []*endpoint
	for _, p := range projects {
		assignments, last, err := s.desired(ctx, p)
		if err != nil {
			return err
		}
		for _, a := range assignments {
			e, err := s.endpoint(ctx, p, a, wanted)
			if err != nil {
				failed = append(failed, s.loadFailed(ctx, p, a, err))
				e = s.routes.Load().endpoints[routeKey{p.K, a.Endpoint}]
			} else if a.ObservedGeneration < a.Generation {
				ready = append(ready, e)
			}
			if e == nil {
				continue
			}
			for n := range e.all {
				wanted[packageKey{p.K, e.model, n}] = true
			}
			next.add(e, last)
		}
	}
	s.routes.Store(next)
	s.unload(wanted)
	for _, e := range ready {
		failed = append(failed, s.observe(ctx, e))
	}
	return errors.Join(failed...)
}

// desired reads the project's assignments, and the name of its last environment.
func (s *Service) desired(ctx context.Context, p fairlead.Project) (as []*release.Assignment, last string, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		if as, err = s.Release.Assignments(tx, p); err != nil || len(as) == 0 {
			return err
		}
		rev, err := s.Projects.Current(tx, p)
		if fairlead.Is(err, fairlead.NotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		if env, ok := rev.Spec.LastEnvironment(); ok {
			last = env.Name
		}
		return nil
	})
	return as, last, err
}

// add makes e reachable by its full name, and by the model's bare name when its
// environment is the last one.
func (r *routes) add(e *endpoint, last string) {
	r.endpoints[routeKey{e.project.K, e.name}] = e
	if strings.HasSuffix(e.name, "@"+last) {
		r.endpoints[routeKey{e.project.K, e.model}] = e
	}
}

func (s *Service) endpoint(ctx context.Context, p fairlead.Project, a *release.Assignment,
	wanted map[packageKey]bool) (*endpoint, error) {
	e := &endpoint{project: p, name: a.Endpoint, model: a.Model, generation: a.Generation, all: map[int64]*variant{}}
	e.durable, e.lateness = a.Settings.Log == spec.Durable, a.Settings.Lateness.Duration
	for _, v := range a.Variants {
		l, err := s.load(ctx, p, a.Model, v.Version)
		if err != nil {
			return nil, &loadError{version: v.Version, role: v.Role, cause: err}
		}
		wanted[packageKey{p.K, a.Model, v.Version}] = true
		e.put(&variant{loaded: l, role: v.Role, percent: v.Percent})
	}
	return e, nil
}

// put adds a variant. A version in two roles, such as the live one that is also
// the shadow, scores once.
func (e *endpoint) put(v *variant) {
	switch v.role {
	case release.RoleLive:
		e.live = v
	case release.RoleCanary:
		e.canary = v
	}
	if _, twice := e.all[v.version]; twice && v.role != release.RoleLive {
		return
	}
	e.all[v.version] = v
	e.scorers = e.scorers[:0]
	for _, v := range e.all {
		if v.role != release.RoleStandby {
			e.scorers = append(e.scorers, v)
		}
	}
}

// load returns the version, from what is loaded already or from its package.
func (s *Service) load(ctx context.Context, p fairlead.Project, model string, n int64) (*loaded, error) {
	key := packageKey{p.K, model, n}
	if l := s.packages[key]; l != nil {
		return l, nil
	}
	dir, err := s.unpack(ctx, p, key)
	if err != nil {
		return nil, err
	}
	predictor, manifest, err := s.Load(ctx, dir)
	if err != nil {
		return nil, err
	}
	l := &loaded{version: n, predictor: predictor, manifest: manifest}
	s.packages[key] = l
	return l, nil
}

// unpack materialises the package's files, once; the manifest comes last, so a
// directory that a crash left half full is made anew.
func (s *Service) unpack(ctx context.Context, p fairlead.Project, key packageKey) (string, error) {
	var cond registry.Condition
	err := s.DB.Read(ctx, func(tx *store.Tx) (err error) {
		cond, err = s.Registry.Condition(tx, p, key.model, key.version, registry.ConditionPackaged)
		return err
	})
	if err != nil {
		return "", err
	}
	if cond.Status != registry.True {
		return "", fairlead.Errorf(fairlead.Precondition,
			"%s version %d has no package: %s", key.model, key.version, cond.Reason)
	}
	dir := s.packageDir(key, cond.Ref)
	if _, err := engine.ReadManifest(dir); err == nil {
		return dir, nil
	}
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	tmp := dir + ".part"
	if err := os.RemoveAll(tmp); err != nil {
		return "", err
	}
	if err := s.Blobs.Materialize(ctx, p, registry.PackageOwner(key.model, key.version), "", tmp); err != nil {
		return "", fmt.Errorf("unpack %s version %d: %w", key.model, key.version, err)
	}
	return dir, os.Rename(tmp, dir)
}

// loadError says which variant of an assignment cannot be loaded.
type loadError struct {
	version int64
	role    string
	cause   error
}

func (e *loadError) Error() string {
	return fmt.Sprintf("version %d does not load: %v", e.version, e.cause)
}
func (e *loadError) Unwrap() error { return e.cause }

// loadFailed rolls a rollout back whose version does not load: what answered
// before goes on answering. Other failures are tried again.
func (s *Service) loadFailed(ctx context.Context, p fairlead.Project, a *release.Assignment, cause error) error {
	var le *loadError
	if !errors.As(cause, &le) || ctx.Err() != nil {
		return cause
	}
	ctx = fairlead.WithActor(ctx, fairlead.System("serving"))
	err := s.DB.Write(ctx, store.Control, func(tx *store.Tx) error {
		r, err := s.Release.ActiveRollout(tx, p, a.Endpoint)
		if err != nil || r == nil {
			return err
		}
		return s.Release.Rollback(ctx, tx, p, r.ID, fmt.Sprintf("version %d does not load: %s",
			le.version, fairlead.MessageOf(le.cause)))
	})
	return errors.Join(cause, err)
}

func (s *Service) observe(ctx context.Context, e *endpoint) error {
	ctx = fairlead.WithActor(ctx, fairlead.System("serving"))
	return s.DB.Write(ctx, store.Control, func(tx *store.Tx) error {
		return s.Release.Observe(ctx, tx, e.project, e.name, e.generation)
	})
}

// unload closes the versions that no endpoint has any more. A predictor's Close
// waits for the calls that run.
func (s *Service) unload(wanted map[packageKey]bool) {
	for key, l := range s.packages {
		if !wanted[key] {
			delete(s.packages, key)
			l.close(s.Deps.Log, key)
		}
	}
}
