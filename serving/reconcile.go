package serving

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/release"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

// desired is an assignment, and whether its environment is its project's last one.
type desired struct {
	*release.Assignment
	project fairlead.Project
	last    bool
}

func (d desired) route() routeKey { return routeKey{d.project.K, d.Endpoint} }

func (d desired) key(v release.Variant) packageKey {
	return packageKey{d.project.K, d.Model, v.Version}
}

// run keeps all assignments true, until ctx ends.
func (s *Service) run(ctx context.Context) {
	for {
		var again <-chan time.Time
		if err := s.reconcile(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("cannot make an assignment true", "err", err)
			again = time.After(s.RetryAfter)
		}
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-again:
		}
	}
}

func (s *Service) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// reconcile begins to load what the assignments of all projects name, swaps the
// table of routes for what is loaded, and tells package release of the generations
// that are now true. It never waits for a load: it runs again when one has ended.
func (s *Service) reconcile(ctx context.Context) error {
	all, err := s.desired(ctx)
	if err != nil {
		return err
	}
	s.pool.want(ctx, wanted(all))
	old := s.routes.Load()
	next := &routes{endpoints: map[routeKey]*endpoint{}, settled: map[routeKey]settled{}}
	var failed []error
	for _, d := range all {
		e, st, err := s.serve(ctx, d, old)
		failed = append(failed, err)
		if st.generation != 0 {
			next.settled[d.route()] = st
		}
		if e == nil {
			continue
		}
		next.endpoints[d.route()] = e
		if d.last {
			next.endpoints[routeKey{d.project.K, d.Model}] = e
		}
	}
	s.swap(old, next)
	for _, d := range all {
		st, ok := next.settled[d.route()]
		if ok && !st.failed && d.ObservedGeneration < d.Generation {
			failed = append(failed, s.observe(ctx, d))
		}
	}
	err = errors.Join(failed...)
	if err == nil && len(next.settled) == len(all) {
		s.ready.Store(true)
	}
	s.Stream.Nudge() // an endpoint may be settled without a commit
	return err
}

// swap makes next the table, and leaves the endpoints that are no longer in it.
func (s *Service) swap(old, next *routes) {
	kept := map[*endpoint]bool{}
	for _, e := range next.endpoints {
		kept[e] = true
	}
	s.routes.Store(next)
	for _, e := range old.endpoints {
		if !kept[e] {
			kept[e] = true // it stands under two names
			s.metrics.forget(e, next.endpoints[routeKey{e.project.K, e.name}])
			e.leave()
		}
	}
	for key, e := range next.endpoints {
		if key.name == e.name {
			s.metrics.setUp(e)
		}
	}
}

// desired reads all assignments.
func (s *Service) desired(ctx context.Context) (out []desired, err error) {
	projects, err := s.Projects.List(ctx)
	if err != nil {
		return nil, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		for _, p := range projects {
			assignments, err := s.Release.Assignments(tx, p)
			if err != nil {
				return err
			}
			last, err := s.lastEnvironment(tx, p)
			if err != nil {
				return err
			}
			for _, a := range assignments {
				out = append(out, desired{a, p, a.Environment == last})
			}
		}
		return nil
	})
	return out, err
}

func (s *Service) lastEnvironment(tx *store.Tx, p fairlead.Project) (string, error) {
	rev, err := s.Projects.Current(tx, p)
	if fairlead.Is(err, fairlead.NotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	env, _ := rev.Spec.LastEnvironment()
	return env.Name, nil
}

// wanted lists the packages of all variants: the live ones first, standbys last.
func wanted(all []desired) []packageKey {
	var out []packageKey
	for _, role := range []string{release.RoleLive, release.RoleCanary, release.RoleShadow, release.RoleStandby} {
		for _, d := range all {
			for _, v := range d.Variants {
				if v.Role == role && !slices.Contains(out, d.key(v)) {
					out = append(out, d.key(v))
				}
			}
		}
	}
	return out
}

// progress is how far the packages of an assignment are.
type progress struct {
	scoring bool // a version that is to score requests is not loaded yet
	standby bool // nor is a standby
	refused map[int64]error
	target  bool // a standby is loaded
}

// serve returns what the endpoint serves from now on: the desired generation when
// its packages are there, or what it served before. A version that does not load is
// dealt with by its role: the rollout that brought it is rolled back; a live one
// gives way to the newest standby, if one loads; shadows and standbys are left out.
// Without any version to go back to the endpoint is down, and says why.
func (s *Service) serve(ctx context.Context, d desired, old *routes) (*endpoint, settled, error) {
	before, done := old.endpoints[d.route()], settled{}
	e, pr := s.build(d)
	live := d.Version(release.RoleLive)
	cause := pr.refused[live]
	switch {
	case cause != nil && pr.target:
		e.leave()
		return before, done, s.giveUp(ctx, d, live, cause)
	case cause != nil && !pr.standby:
		done.failed = true
		e.down = fairlead.Errorf(fairlead.Unavailable, "%s is down: version %d does not load: %s",
			d.Endpoint, live, fairlead.MessageOf(cause)).Because(cause)
	}
	aborted, err := s.abort(ctx, d, pr)
	if aborted || err != nil || !done.failed && (cause != nil || pr.scoring) {
		e.leave()
		return before, settled{}, err
	}
	if !pr.standby {
		done.generation = d.Generation
	}
	if before != nil && (e.same(before) || e.down != nil && before.live != nil) {
		e.leave() // what answers now goes on
		return before, done, nil
	}
	return e, done, nil
}

// build makes the endpoint of the packages that are loaded.
func (s *Service) build(d desired) (*endpoint, progress) {
	e := newEndpoint(s.pool, d.project, d.Endpoint, d.Model)
	e.generation = d.Generation
	e.durable, e.lateness = d.Settings.Log == spec.Durable, d.Settings.Lateness.Duration
	e.seconds = s.metrics.seconds.WithLabelValues(d.project.Name, d.Endpoint)
	pr := progress{refused: map[int64]error{}}
	for _, v := range d.Variants {
		l, err := s.pool.state(d.key(v))
		spare := v.Role == release.RoleStandby
		switch {
		case err != nil:
			pr.refused[v.Version] = err
		case l == nil:
			pr.scoring, pr.standby = pr.scoring || !spare, pr.standby || spare
		default:
			pr.target = pr.target || spare
			e.put(&variant{loaded: l, role: v.Role, percent: v.Percent,
				answered: s.metrics.requests.WithLabelValues(d.project.Name, d.Endpoint, strconv.FormatInt(v.Version, 10))})
		}
	}
	return e, pr
}

// giveUp goes back from a live version that does not load, unless the assignment
// has changed meanwhile.
func (s *Service) giveUp(ctx context.Context, d desired, version int64, cause error) error {
	return s.decide(ctx, d, func(ctx context.Context, tx *store.Tx) error {
		return s.Release.RollbackEndpoint(ctx, tx, d.project, d.Endpoint, doesNotLoad(version, cause))
	})
}

// abort rolls the active rollout back when its version does not load.
func (s *Service) abort(ctx context.Context, d desired, pr progress) (aborted bool, err error) {
	if len(pr.refused) == 0 {
		return false, nil
	}
	err = s.decide(ctx, d, func(ctx context.Context, tx *store.Tx) error {
		r, err := s.Release.ActiveRollout(tx, d.project, d.Endpoint)
		if err != nil || r == nil || pr.refused[r.To] == nil {
			return err
		}
		aborted = true
		return s.Release.Rollback(ctx, tx, d.project, r.ID, doesNotLoad(r.To, pr.refused[r.To]))
	})
	return aborted, err
}

func doesNotLoad(version int64, cause error) string {
	return fmt.Sprintf("version %d does not load: %s", version, fairlead.MessageOf(cause))
}

// decide runs fn in a transaction in which d is still the newest generation.
func (s *Service) decide(ctx context.Context, d desired, fn func(ctx context.Context, tx *store.Tx) error) error {
	ctx = fairlead.WithActor(ctx, fairlead.System("serving"))
	return s.DB.Write(ctx, store.Control, func(tx *store.Tx) error {
		a, err := s.Release.Assignment(tx, d.project, d.Endpoint)
		if err != nil || a.Generation != d.Generation {
			return err
		}
		return fn(ctx, tx)
	})
}

func (s *Service) observe(ctx context.Context, d desired) error {
	ctx = fairlead.WithActor(ctx, fairlead.System("serving"))
	return s.DB.Write(ctx, store.Control, func(tx *store.Tx) error {
		return s.Release.Observe(ctx, tx, d.project, d.Endpoint, d.Generation)
	})
}

// packages is the directory, in the data directory, of what engines load from.
const packages = "packages"

// place begins the name of the package's directory; a model's name is no file's name.
func (k packageKey) place() string {
	model := sha256.Sum256([]byte(k.model))
	return fmt.Sprintf("%d-%x-%d", k.projectK, model[:8], k.version)
}

// sweep removes the unpacked packages that no assignment names any more. It runs
// before anything is loaded.
func (s *Service) sweep(ctx context.Context) error {
	all, err := s.desired(ctx)
	if err != nil {
		return err
	}
	keep := map[string]bool{}
	for _, key := range wanted(all) {
		keep[key.place()] = true
	}
	dirs, err := os.ReadDir(filepath.Join(s.Dir, packages))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, d := range dirs {
		if i := strings.LastIndexByte(d.Name(), '-'); i < 0 || !keep[d.Name()[:i]] {
			err = errors.Join(err, os.RemoveAll(filepath.Join(s.Dir, packages, d.Name())))
		}
	}
	return err
}

// open loads one package.
func (s *Service) open(ctx context.Context, key packageKey) (*loaded, error) {
	dir, err := s.unpack(ctx, key)
	if err != nil {
		return nil, err
	}
	predictor, manifest, err := s.Load(ctx, dir)
	if err != nil {
		return nil, err
	}
	l := &loaded{key: key, predictor: predictor, manifest: manifest}
	l.n.Store(1)
	return l, nil
}

// unpack materialises the package's files, once; a directory that a crash left half
// full has no name that counts.
func (s *Service) unpack(ctx context.Context, key packageKey) (string, error) {
	p := fairlead.Project{K: key.projectK}
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
	dir := filepath.Join(s.Dir, packages, fmt.Sprintf("%s-%.12s", key.place(), cond.Ref))
	if _, err := engine.ReadManifest(dir); err == nil {
		return dir, nil
	}
	tmp := dir + ".part"
	for _, stale := range []string{dir, tmp} {
		if err := os.RemoveAll(stale); err != nil {
			return "", err
		}
	}
	if err := s.Blobs.Materialize(ctx, p, registry.PackageOwner(key.model, key.version), "", tmp); err != nil {
		return "", fmt.Errorf("unpack %s version %d: %w", key.model, key.version, err)
	}
	return dir, os.Rename(tmp, dir)
}
