package job

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/job/shim"
	"github.com/fairlead-ml/fairlead/store"
)

// The longest times between two looks at the queue. Enqueuing wakes the
// dispatcher at once; looking again is for the jobs and leases of other servers,
// or, without any, for a wall clock that was set.
const (
	lookAgain      = time.Second
	lookAgainAlone = 30 * time.Second
)

// Start begins to run jobs. What another server was running is taken over when
// its lease has ended, or at once when this server is alone.
func (s *Service) Start(ctx context.Context) error {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	if s.opt.Exclusive {
		living, err := s.living(ctx)
		if err == nil {
			err = s.db.Write(ctx, store.Control, s.takeOver(ctx, living))
		}
		if err != nil {
			cancel()
			return fmt.Errorf("take over jobs: %w", err)
		}
	}
	s.loops.Go(func() {
		<-s.quit
		cancel()
	})
	s.loops.Go(func() { s.dispatch(ctx) })
	s.loops.Go(func() { s.beat(ctx) })
	return nil
}

// living returns the running jobs of which a step lives, by id.
func (s *Service) living(ctx context.Context) (map[string]bool, error) {
	open := map[string][]stepRow{}
	err := s.db.Read(ctx, func(tx *store.Tx) error {
		jobs, err := running(tx)
		if err != nil {
			return err
		}
		for _, j := range jobs {
			if open[j.ID], err = openSteps(tx, j.ID); err != nil {
				return err
			}
		}
		return nil
	})
	living := map[string]bool{}
	for id, rows := range open {
		living[id] = slices.ContainsFunc(rows, func(row stepRow) bool {
			h, err := shim.Attach(s.attempt(id, row.name, row.fence).Dir)
			if err != nil {
				return false
			}
			defer h.Close()
			return h.Alive()
		})
	}
	return living, err
}

// takeOver ends all leases of servers that are gone, and the jobs that another version
// of the program has left and this one does not know. What goes on with a living step
// is not counted as lost: a training may outlive any number of servers.
func (s *Service) takeOver(ctx context.Context, living map[string]bool) func(tx *store.Tx) error {
	return func(tx *store.Tx) error {
		jobs, err := running(tx)
		if err != nil {
			return err
		}
		for _, j := range jobs {
			if !living[j.ID] {
				j.Losses++
			}
			err := s.lose(ctx, tx, j, "the server stopped while the job ran", s.clock.Now())
			if err != nil {
				return err
			}
		}
		waiting, err := queued(tx)
		if err != nil {
			return err
		}
		for _, j := range waiting {
			if s.handles(j.Kind) {
				continue
			}
			j.Error = "this version of fairlead has no jobs of the kind " + j.Kind
			if err := s.finish(ctx, tx, j, Failed); err != nil {
				return err
			}
		}
		return nil
	}
}

// Stop ends all runs with ErrStopping and gives their jobs back to the queue;
// their steps go on and are found by the next server. It returns ctx's error
// when a handler does not return in time. It is safe before Start.
func (s *Service) Stop(ctx context.Context) error {
	s.once.Do(func() { close(s.quit) })
	done := make(chan struct{})
	go func() {
		s.loops.Wait()
		s.cancelAll(ErrStopping)
		s.work.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop jobs: %w", ctx.Err())
	}
}

func (s *Service) cancelAll(cause error) {
	for _, r := range s.snapshot() {
		r.cancel(cause)
	}
}

// snapshot returns what runs now.
func (s *Service) snapshot() []*Run {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*Run, 0, len(s.runs))
	for _, r := range s.runs {
		all = append(all, r)
	}
	return all
}

// dispatch claims and starts jobs until ctx ends.
func (s *Service) dispatch(ctx context.Context) {
	timer := time.NewTimer(lookAgain)
	defer timer.Stop()
	for {
		wait, err := s.look(ctx)
		if err != nil && ctx.Err() == nil {
			s.log.Error("jobs cannot be claimed", "error", err)
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-timer.C:
		}
	}
}

// look claims what can run now, starts it, and says when to look again.
func (s *Service) look(ctx context.Context) (wait time.Duration, err error) {
	var claimed, cancelled []*Job
	var next time.Time
	err = s.db.Write(ctx, store.Control, func(tx *store.Tx) (err error) {
		if err := s.sweep(ctx, tx); err != nil {
			return err
		}
		if err := s.tick(tx); err != nil {
			return err
		}
		if cancelled, err = toCancel(tx, s.owner); err != nil {
			return err
		}
		claimed, next, err = s.claim(tx)
		return err
	})
	if err != nil {
		return lookAgain, err
	}
	for _, j := range cancelled {
		s.stopRun(j, ErrCancelled)
	}
	for _, j := range claimed {
		s.start(ctx, j)
	}
	wait = lookAgain
	if s.opt.Exclusive {
		wait = lookAgainAlone
	}
	if !next.IsZero() {
		wait = min(wait, max(0, next.Sub(s.clock.Now())))
	}
	return wait, nil
}

// stopRun ends the run of j's present claim, if it runs here.
func (s *Service) stopRun(j *Job, cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.runs[j.k]; r != nil && r.Fence == j.Fence {
		r.cancel(cause)
	}
}

// sweep loses the jobs whose owner has been silent for a lease. Those that run
// here are ours for as long as they run.
func (s *Service) sweep(ctx context.Context, tx *store.Tx) error {
	now := s.clock.Now()
	jobs, err := expired(tx, now)
	if err != nil {
		return err
	}
	for _, j := range jobs {
		if s.runsHere(j) {
			continue
		}
		j.Losses++
		err := s.lose(ctx, tx, j, "the server that ran it was silent for too long", now)
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) runsHere(j *Job) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.runs[j.k]
	return r != nil && r.Fence == j.Fence
}

// claim takes as many jobs as there are free workers, and says when a job or a schedule
// comes up that could run then. Cancelled jobs, which only end their steps, go first, also
// beyond the limit of their kind; then those that have begun, whose steps may live and
// wait for somebody who knows them; each oldest first.
func (s *Service) claim(tx *store.Tx) (jobs []*Job, next time.Time, err error) {
	now := s.clock.Now()
	free, byKind := s.freeWorkers()
	if jobs, err = ending(tx, now, free); err != nil {
		return nil, next, err
	}
	jobs = slices.DeleteFunc(jobs, func(j *Job) bool { return !s.handles(j.Kind) })
	first, err := nextDue(tx, slices.Collect(maps.Keys(byKind)))
	if err != nil {
		return nil, next, err
	}
	for name, at := range first {
		if at.After(now) {
			continue
		}
		found, err := due(tx, name, now, min(byKind[name], free))
		if err != nil {
			return nil, next, err
		}
		jobs = append(jobs, found...)
	}
	slices.SortFunc(jobs, func(a, b *Job) int {
		return cmp.Or(a.rank()-b.rank(), a.RunAt.Compare(b.RunAt), cmp.Compare(a.k, b.k))
	})
	jobs = jobs[:min(len(jobs), free)]
	for _, j := range jobs {
		j.State, j.Owner, j.Started = Running, s.owner, now
		j.LeaseUntil = now.Add(s.opt.Lease)
		j.Fence++
		j.Attempt++
		if err := update(tx, j); err != nil {
			return nil, next, err
		}
	}
	if len(jobs) > 0 {
		if first, err = nextDue(tx, slices.Collect(maps.Keys(byKind))); err != nil {
			return nil, next, err
		}
	}
	next, err = nextTick(tx)
	for _, at := range first {
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	return jobs, next, err
}

// rank orders jobs of which not all can be claimed.
func (j *Job) rank() int {
	switch {
	case !j.CancelledAt.IsZero():
		return 0
	case j.Fence > 0:
		return 1
	}
	return 2
}

// handles reports whether this server runs jobs of the kind.
func (s *Service) handles(kind string) bool {
	k := s.kinds[kind]
	return k != nil && k.handler != nil
}

// freeWorkers returns how many jobs may start, in all and by kind; kinds without
// any are left out.
func (s *Service) freeWorkers() (free int, byKind map[string]int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	free = s.opt.Workers - len(s.runs)
	busy := map[string]int{}
	for _, r := range s.runs {
		busy[r.Job.Kind]++
	}
	byKind = map[string]int{}
	for name, k := range s.kinds {
		limit := k.limits.Concurrency
		if limit == 0 {
			limit = s.opt.Workers
		}
		if n := limit - busy[name]; s.handles(name) && n > 0 && free > 0 {
			byKind[name] = n
		}
	}
	return free, byKind
}

// start runs a claimed job in a goroutine of its own.
func (s *Service) start(ctx context.Context, j *Job) {
	ctx = fairlead.WithActor(context.WithoutCancel(ctx), fairlead.System("job/"+j.Kind))
	ctx, cancel := context.WithCancelCause(ctx)
	r := &Run{Job: j, Fence: j.Fence, service: s, cancel: cancel, progress: j.Progress}
	if !s.opt.Exclusive {
		r.expiry = time.AfterFunc(s.opt.Lease, func() { cancel(ErrFenced) })
	}
	if limit := s.kinds[j.Kind].limits.Timeout; limit > 0 {
		timeout := time.AfterFunc(limit, func() { cancel(ErrTimeout) })
		context.AfterFunc(ctx, func() { timeout.Stop() })
	}
	s.mu.Lock()
	s.runs[j.k] = r
	s.mu.Unlock()
	s.work.Go(func() { s.execute(ctx, r) })
}

// forget gives a run's worker back.
func (s *Service) forget(r *Run) {
	if r.expiry != nil {
		r.expiry.Stop()
	}
	s.mu.Lock()
	if s.runs[r.Job.k] == r {
		delete(s.runs, r.Job.k)
	}
	s.mu.Unlock()
	s.poke()
}

// beat renews the leases until ctx ends, three times a lease.
func (s *Service) beat(ctx context.Context) {
	ticker := time.NewTicker(s.opt.Lease / 3)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		if err := s.renewAll(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("leases cannot be renewed", "error", err)
		}
	}
}

// renewAll extends the leases of all that runs here, and ends the runs that were
// taken over or are to be cancelled.
func (s *Service) renewAll(ctx context.Context) error {
	runs := s.snapshot()
	if len(runs) == 0 {
		return nil
	}
	causes := make([]error, len(runs))
	err := s.db.Write(ctx, store.Control, func(tx *store.Tx) error {
		until := s.clock.Now().Add(s.opt.Lease)
		for i, r := range runs {
			owned, cancel, err := renew(tx, r.Job.k, r.Fence, until, r.currentProgress())
			if err != nil {
				return err
			}
			causes[i] = verdict(owned, cancel)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i, r := range runs {
		if causes[i] != nil {
			r.cancel(causes[i])
		} else if r.expiry != nil {
			r.expiry.Reset(s.opt.Lease)
		}
	}
	return nil
}

func verdict(owned, cancel bool) error {
	switch {
	case !owned:
		return ErrFenced
	case cancel:
		return ErrCancelled
	}
	return nil
}
