package stream

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// sighting is the newest time that requests of one stream have shown.
type sighting struct {
	project  fairlead.Project
	name     string
	lateness time.Duration
	newestMS atomic.Int64
	wall     atomic.Bool // no request has carried an event time so far
	followed int64       // owned by the follower
}

// followEvery is how often live watermarks move, in wall time.
const followEvery = time.Second

// Observe tells that a request with event time at was served; explicit is false
// when the request carried none and at is wall time. It is cheap and never waits;
// the watermark follows within a second. Requests of a driven stream are ignored.
func (s *Service) Observe(p fairlead.Project, name string, at time.Time, explicit bool, lateness time.Duration) {
	s.mu.Lock()
	g := s.seen[p.Name+"/"+name]
	if g == nil {
		g = &sighting{project: p, name: name, lateness: lateness}
		g.wall.Store(true)
		s.seen[p.Name+"/"+name] = g
	}
	s.mu.Unlock()
	if explicit {
		g.wall.Store(false)
	}
	ms := at.UnixMilli()
	for old := g.newestMS.Load(); ms > old && !g.newestMS.CompareAndSwap(old, ms); {
		old = g.newestMS.Load()
	}
}

// Start begins to follow live streams.
func (s *Service) Start(ctx context.Context) error {
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
	all := make([]*sighting, 0, len(s.seen))
	for _, g := range s.seen {
		all = append(all, g)
	}
	s.mu.Unlock()
	for _, g := range all {
		if err := s.follow(ctx, g); err != nil && ctx.Err() == nil {
			s.log.Error("stream cannot follow its requests", "project", g.project.Name, "stream", g.name, "err", err)
		}
	}
}

// follow moves a live stream's watermark to what its requests have shown. While
// no request carries an event time, wall time goes on without requests too.
func (s *Service) follow(ctx context.Context, g *sighting) error {
	ms := g.newestMS.Load()
	if g.wall.Load() {
		ms = s.clock.Now().UnixMilli()
	}
	ms -= g.lateness.Milliseconds()
	if ms <= g.followed {
		return nil
	}
	var st row
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		st, err = read(tx, g.project, g.name)
		return err
	})
	if err != nil || st.driven || ms <= st.watermarkMS {
		return err
	}
	lock := s.lock(g.project, g.name)
	lock.Lock()
	defer lock.Unlock()
	if err := s.walk(ctx, g.project, g.name, fairlead.FromMS(ms), false); err != nil {
		return err
	}
	g.followed = ms
	return nil
}
