package stream

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// Advance drives the watermark to `to` and returns when all that this caused has
// settled: timers fire one at a time in the order of their due times, and each
// is waited for. From then on requests no longer move the watermark; Release
// hands it back to them. A time before the watermark only settles.
func (s *Service) Advance(ctx context.Context, p fairlead.Project, name string, to time.Time) error {
	lock := s.lock(p, name)
	lock.Lock()
	defer lock.Unlock()
	if err := s.settle(ctx, p); err != nil { // what an interrupted advance left
		return err
	}
	return s.walk(ctx, p, name, to, true)
}

// Release ends a replay: the watermark follows the requests again.
func (s *Service) Release(ctx context.Context, p fairlead.Project, name string) error {
	return s.db.Write(ctx, store.Control, func(tx *store.Tx) error {
		st, err := read(tx, p, name)
		if err != nil || !st.driven {
			return err
		}
		st.driven = false
		return write(tx, p, name, st)
	})
}

// walk fires what is due until `to`, one timer at a time. Driven walks settle
// after each timer; walks that follow live requests do not hold them up.
func (s *Service) walk(ctx context.Context, p fairlead.Project, name string, to time.Time, driven bool) error {
	for {
		fired, err := s.fireNext(ctx, p, name, to, driven)
		if err != nil {
			return fmt.Errorf("advance %s: %w", name, err)
		}
		if driven {
			if err := s.settle(ctx, p); err != nil {
				return err
			}
		}
		if !fired {
			if more, err := s.due(ctx, p, name, to); err != nil || !more {
				return err
			}
		}
	}
}

func (s *Service) due(ctx context.Context, p fairlead.Project, name string, to time.Time) (bool, error) {
	var t *Timer
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		t, err = nextTimer(tx, p, name, to.UnixMilli())
		return err
	})
	return t != nil, err
}

// fireNext moves the watermark to the next due timer and runs it, or to `to` when
// none is due until then.
func (s *Service) fireNext(ctx context.Context, p fairlead.Project, name string, to time.Time,
	driven bool) (fired bool, err error) {
	ctx = fairlead.WithActor(ctx, fairlead.System("stream"))
	err = s.db.Write(ctx, store.Control, func(tx *store.Tx) error {
		st, err := read(tx, p, name)
		if err != nil {
			return err
		}
		begun := st.watermarkMS != 0
		t, err := nextTimer(tx, p, name, to.UnixMilli())
		if err != nil {
			return err
		}
		at := to
		if fired = t != nil; fired {
			at = t.Due
		}
		st.watermarkMS = max(st.watermarkMS, at.UnixMilli())
		st.driven = st.driven || driven
		if err := write(tx, p, name, st); err != nil {
			return err
		}
		if !begun {
			if err := s.beginStream(ctx, tx, p, name, at); err != nil {
				return err
			}
		}
		if !fired {
			return nil
		}
		return s.fire(ctx, tx, p, t)
	})
	return fired, err
}

func (s *Service) beginStream(ctx context.Context, tx *store.Tx, p fairlead.Project, name string, at time.Time) error {
	for _, f := range s.begin {
		if err := f(ctx, tx, p, name, at); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) fire(ctx context.Context, tx *store.Tx, p fairlead.Project, t *Timer) error {
	h, ok := s.handlers[t.Kind]
	if !ok {
		return fmt.Errorf("timer of unknown kind %q", t.Kind)
	}
	if err := deleteTimer(tx, p, t.Stream, t.Kind, t.Key); err != nil {
		return err
	}
	if err := h(ctx, tx, p, *t); err != nil {
		return fmt.Errorf("timer %s %s: %w", t.Kind, t.Key, err)
	}
	return nil
}

// settle waits until every registered part is idle. Each check begins anew after
// a commit, since one part's end may be another's work.
func (s *Service) settle(ctx context.Context, p fairlead.Project) error {
	for {
		changed := s.db.Changed()
		idle, err := s.idleNow(ctx, p)
		if err != nil || idle {
			return err
		}
		select {
		case <-changed:
		case <-time.After(250 * time.Millisecond): // a part may become idle without a commit
		case <-ctx.Done():
			return fairlead.Errorf(fairlead.Unavailable,
				"the stream has not settled in time; what runs goes on, send the request again").Because(ctx.Err())
		}
	}
}

func (s *Service) idleNow(ctx context.Context, p fairlead.Project) (bool, error) {
	for _, f := range s.idle {
		if ok, err := f(ctx, p); err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

func (s *Service) lock(p fairlead.Project, name string) *sync.Mutex {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := p.Name + "/" + name
	if s.locks[key] == nil {
		s.locks[key] = &sync.Mutex{}
	}
	return s.locks[key]
}
