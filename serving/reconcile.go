package serving

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/fairlead-ml/fairlead"
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
	look := time.NewTicker(s.RetryAfter)
	defer look.Stop()
	for {
		err := s.reconcile(ctx)
		if err != nil && ctx.Err() == nil {
			s.Log.Error("cannot make an assignment true", "err", err)
		}
		for again := false; !again; {
			select {
			case <-ctx.Done():
				return
			case <-s.wake:
				again = true
			case <-look.C:
				again = s.pool.examine() || err != nil
			}
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
	next := &routes{endpoints: map[routeKey]*endpoint{}, progress: map[routeKey]progress{}}
	var failed []error
	tried := true
	for _, d := range all {
		e, pr, err := s.serve(ctx, d, old)
		failed = append(failed, err)
		next.progress[d.route()] = pr
		tried = tried && pr.tried
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
		pr := next.progress[d.route()]
		if pr.settled && d.ObservedGeneration < d.Generation {
			failed = append(failed, s.report(ctx, d, pr.failed))
		}
	}
	err = errors.Join(failed...)
	if err == nil && tried {
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

// findings are what the packages of an assignment have come to.
type findings struct {
	refused map[int64]error // versions that cannot be waited for, and why
	failing error           // why the live version is not loaded so far
	absent  lack            // the first version that is to score requests and cannot here
	loading bool            // a version may still load
	standby bool            // a standby among them
	target  bool            // a standby is loaded
	tried   bool            // every package was tried once
}

// serve returns what the endpoint serves from now on, and how far its generation is.
// That is served as soon as the live version is loaded, whatever else still loads:
// a rollback waits for no shadow. Until then what was served before goes on.
//
// A version that does not load is dealt with by its role: the rollout that brought it
// is rolled back; a live one gives way to the newest standby, if one loads, else to the
// version of a rollout that does; a shadow is left out, and a standby is none any more.
// Without any version that loads the endpoint is down, and says why. Where this machine
// lacks the engine or the environment, nothing is rolled back: what is loaded answers,
// and the rest waits.
func (s *Service) serve(ctx context.Context, d desired, old *routes) (*endpoint, progress, error) {
	before := old.endpoints[d.route()]
	e, f := s.build(d)
	pr := progress{generation: d.Generation, tried: f.tried}
	live := d.Version(release.RoleLive)
	cause := f.refused[live]
	if cause != nil && f.target {
		e.leave()
		return before, pr, s.giveUp(ctx, d, cause)
	}
	if changed, err := s.mend(ctx, d, e, f); changed || err != nil {
		e.leave()
		return before, pr, err
	}
	pr.settled, pr.failed = !f.loading, f.absent
	if e.live == nil {
		if cause != nil {
			pr.failed = lack{live, cause}
		}
		e.down = down(d, cause, f)
	}
	switch {
	case e.live == nil && before != nil && before.live != nil, e.same(before):
		e.leave() // what answers now goes on
		return before, pr, nil
	case e.live == nil && e.down == nil:
		e.leave() // it is being loaded
		return nil, pr, nil
	}
	return e, pr, nil
}

// down says why the endpoint has no live version; nil while that is being loaded.
func down(d desired, cause error, f findings) error {
	switch {
	case cause != nil && f.standby:
		return nil
	case cause != nil:
		return fairlead.Errorf(fairlead.Unavailable,
			"%s is down: %s", d.Endpoint, fairlead.MessageOf(cause)).Because(cause)
	case f.absent.err != nil && f.absent.version == d.Version(release.RoleLive):
		return fairlead.Errorf(fairlead.Unavailable,
			"%s is down: %s", d.Endpoint, fairlead.MessageOf(f.absent.err)).Because(f.absent.err)
	case f.failing != nil:
		return fairlead.Errorf(fairlead.Unavailable, "%s is being loaded; the newest try failed: %s",
			d.Endpoint, fairlead.MessageOf(f.failing)).Because(f.failing)
	}
	return nil
}

// build makes the endpoint of the packages that are loaded.
func (s *Service) build(d desired) (*endpoint, findings) {
	e := newEndpoint(s.pool, d.project, d.Endpoint, d.Model)
	e.generation = d.Generation
	e.durable, e.lateness = d.Settings.Log == spec.Durable, d.Settings.Lateness.Duration
	e.counter = s.traffic.of(d.route())
	e.seconds = s.metrics.seconds.WithLabelValues(d.project.Name, d.Endpoint)
	e.skipped = s.metrics.skipped.WithLabelValues(d.project.Name, d.Endpoint)
	f := findings{refused: map[int64]error{}, tried: true}
	for _, v := range d.Variants {
		st := s.pool.state(d.key(v))
		f.add(v, st)
		if st.loaded != nil {
			e.put(&variant{loaded: st.loaded, role: v.Role, percent: v.Percent,
				answered: s.metrics.requests.WithLabelValues(d.project.Name, d.Endpoint, strconv.FormatInt(v.Version, 10))})
		}
	}
	return e, f
}

func (f *findings) add(v release.Variant, st state) {
	spare := v.Role == release.RoleStandby
	f.tried = f.tried && (st.loaded != nil || st.err != nil)
	switch {
	case st.refused && st.loaded == nil:
		f.refused[v.Version] = refusal(v.Version, "does not load", st.err)
	case st.refused:
		f.refused[v.Version] = refusal(v.Version, "has stopped answering", st.err)
	case st.loaded != nil:
		f.target = f.target || spare
	case lacks(st.err):
		if !spare && f.absent.err == nil { // the live one is the first
			f.absent = lack{v.Version, refusal(v.Version, "cannot be loaded here", st.err)}
		}
	default:
		f.loading, f.standby = true, f.standby || spare
		if v.Role == release.RoleLive {
			f.failing = st.err
		}
	}
}

func refusal(version int64, what string, err error) error {
	return fairlead.Errorf(fairlead.Unavailable,
		"version %d %s: %s", version, what, fairlead.MessageOf(err)).Because(err)
}

// giveUp goes back from a live version that cannot answer, unless the assignment has
// changed meanwhile.
func (s *Service) giveUp(ctx context.Context, d desired, cause error) error {
	return s.decide(ctx, d, func(ctx context.Context, tx *store.Tx) error {
		return s.Release.RollbackEndpoint(ctx, tx, d.project, d.Endpoint, fairlead.MessageOf(cause))
	})
}

// mend changes an assignment with versions that cannot answer. It rolls the active
// rollout back when its version is one; it promotes it when the live version is, and no
// standby is to come: there is nothing to compare with. Of a live version that answers it
// takes the standbys, so that no rollback leads from it to one of them.
func (s *Service) mend(ctx context.Context, d desired, e *endpoint, f findings) (
	changed bool, err error) {
	if len(f.refused) == 0 {
		return false, nil
	}
	cause := f.refused[d.Version(release.RoleLive)]
	err = s.decide(ctx, d, func(ctx context.Context, tx *store.Tx) error {
		r, err := s.Release.ActiveRollout(tx, d.project, d.Endpoint)
		switch {
		case err != nil:
			return err
		case r != nil && f.refused[r.To] != nil:
			changed = true
			return s.Release.Rollback(ctx, tx, d.project, r.ID, fairlead.MessageOf(f.refused[r.To]))
		case r != nil && cause != nil && !f.standby && e.all[r.To] != nil:
			changed = true
			return s.Release.Promote(ctx, tx, d.project, r.ID,
				fairlead.MessageOf(cause)+"; there is no standby, and nothing to compare with")
		case e.live == nil || cause != nil:
			return nil
		}
		for _, v := range d.Variants {
			if v.Role != release.RoleStandby || f.refused[v.Version] == nil {
				continue
			}
			changed = true
			err = errors.Join(err, s.Release.DropStandby(ctx, tx, d.project, d.Endpoint, v.Version,
				fairlead.MessageOf(f.refused[v.Version])+"; it is no standby any more"))
		}
		return err
	})
	return changed, err
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

// report tells package release that d is served, or why it cannot be.
func (s *Service) report(ctx context.Context, d desired, failed lack) error {
	if failed.err != nil && d.FailedVersion == failed.version &&
		d.Failure == fairlead.MessageOf(failed.err) {
		return nil
	}
	ctx = fairlead.WithActor(ctx, fairlead.System("serving"))
	return s.DB.Write(ctx, store.Control, func(tx *store.Tx) error {
		if failed.err != nil {
			return s.Release.Unserved(ctx, tx, d.project, d.Endpoint, d.Generation, failed.version,
				fairlead.MessageOf(failed.err))
		}
		return s.Release.Observe(ctx, tx, d.project, d.Endpoint, d.Generation)
	})
}
