package stream

import (
	"context"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// mode says what moves a stream that no replay drives.
type mode int64

const (
	undecided mode = iota // no request so far, or none since a replay was released
	byWall                // requests carry no event time: wall time, with or without requests
	byEvent               // the newest event time; requests without one do not count
)

func (m mode) String() string {
	return [...]string{"undecided", "wall_time", "event_time"}[m]
}

// key names a stream among all projects.
type key struct {
	projectK int64
	name     string
}

// sighting is what the requests of one stream have shown. Service.mu guards it.
type sighting struct {
	project  fairlead.Project
	name     string
	mode     mode
	lateness time.Duration
	newestMS int64 // of the requests that count

	followedMS int64 // where the follower has been
	followed   int64 // newestMS at that time
}

// MaxFuture is how far ahead of wall time an event time, or a clock that is driven,
// may be: a watermark never goes back, so a wrong year would end a stream.
const MaxFuture = 5 * time.Minute

// Earliest is the first time that a stream may have: 0 is one that has not begun.
var Earliest = time.Date(1970, 1, 2, 0, 0, 0, 0, time.UTC)

const (
	followEvery = time.Second      // how often live watermarks move, in wall time
	restEvery   = 15 * time.Second // the same of a stream that has neither requests nor timers
)

// Observe tells that a request with event time at was served; explicit is false
// when the request carried none and at is wall time. It is cheap and never waits;
// the watermark follows within a second. The first event time turns a stream that
// followed wall time into one that follows event times, and requests without one no
// longer move it, until Release. Requests of a driven stream change nothing.
func (s *Service) Observe(p fairlead.Project, name string, at time.Time, explicit bool, lateness time.Duration) {
	ms := at.UnixMilli()
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.seen[key{p.K, name}]
	if g == nil {
		g = &sighting{project: p, name: name}
		s.seen[key{p.K, name}] = g
	}
	g.lateness = lateness
	switch {
	case explicit && g.mode != byEvent:
		g.mode, g.newestMS = byEvent, ms
	case !explicit && g.mode == undecided:
		g.mode = byWall
	}
	if explicit == (g.mode == byEvent) {
		g.newestMS = max(g.newestMS, ms)
	}
}

// Start begins to follow live streams: those of before a restart go on at once, by
// wall time also without a request.
func (s *Service) Start(ctx context.Context) error {
	if err := s.recall(ctx); err != nil {
		return err
	}
	run, quit := context.WithCancel(context.WithoutCancel(ctx))
	s.mu.Lock()
	s.quit = quit
	s.mu.Unlock()
	s.wait.Go(func() {
		tick := time.NewTicker(followEvery)
		defer tick.Stop()
		for {
			select {
			case <-run.Done():
				return
			case <-tick.C:
				s.followAll(run)
			}
		}
	})
	return nil
}

// recall takes up the live streams of the last time that the program ran.
func (s *Service) recall(ctx context.Context) error {
	return s.db.Read(ctx, func(tx *store.Tx) error {
		live, err := readLive(tx)
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, g := range live {
			if s.seen[key{g.project.K, g.name}] == nil {
				s.seen[key{g.project.K, g.name}] = g
			}
		}
		return err
	})
}

// Stop ends following. It is safe before Start and to call twice.
func (s *Service) Stop() {
	s.mu.Lock()
	quit := s.quit
	s.mu.Unlock()
	if quit != nil {
		quit()
	}
	s.wait.Wait()
}

func (s *Service) followAll(ctx context.Context) {
	s.mu.Lock()
	all := make([]sighting, 0, len(s.seen))
	for _, g := range s.seen {
		all = append(all, *g)
	}
	s.mu.Unlock()
	for _, g := range all {
		if err := s.follow(ctx, g); err != nil && ctx.Err() == nil {
			s.log.Error("stream cannot follow its requests", "project", g.project.Name, "stream", g.name, "err", err)
		}
	}
}

// follow moves a live stream's watermark to what its requests have shown. A stream
// that is driven at this moment is left for the next round.
func (s *Service) follow(ctx context.Context, g sighting) error {
	toMS := g.newestMS
	if g.mode == byWall {
		toMS = s.clock.Now().UnixMilli()
	}
	toMS -= g.lateness.Milliseconds()
	if g.mode == undecided || toMS <= g.followedMS {
		return nil
	}
	to := fairlead.FromMS(toMS)
	if g.newestMS == g.followed && toMS-g.followedMS < restEvery.Milliseconds() {
		if due, err := s.due(ctx, g.project, g.name, to); err != nil || !due {
			return err
		}
	}
	unlock, ok := s.tryLock(g.project, g.name)
	if !ok {
		return nil
	}
	defer unlock()
	if s.modeOf(g.project, g.name) != g.mode { // released meanwhile
		return nil
	}
	if err := s.walk(ctx, walk{project: g.project, name: g.name, to: to, mode: g.mode, lateness: g.lateness}); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.seen[key{g.project.K, g.name}]; now != nil {
		now.followedMS, now.followed = toMS, g.newestMS
	}
	return nil
}

// modeOf returns what the stream's requests have shown that it follows.
func (s *Service) modeOf(p fairlead.Project, name string) mode {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g := s.seen[key{p.K, name}]; g != nil {
		return g.mode
	}
	return undecided
}

// forget makes the stream undecided: its next request says what it follows.
func (s *Service) forget(p fairlead.Project, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.seen, key{p.K, name})
}
