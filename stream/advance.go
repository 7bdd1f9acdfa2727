package stream

import (
	"context"
	"fmt"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// Advance drives the watermark to `to` and returns when all that this caused has
// settled: timers fire one at a time in the order of their due times, and each
// is waited for. From then on requests no longer move the watermark; Release
// hands it back to them. A time before the watermark only settles. A time before
// Earliest, or more than MaxFuture ahead of wall time, is Invalid; Unavailable when
// ctx ends before.
func (s *Service) Advance(ctx context.Context, p fairlead.Project, name string, to time.Time) error {
	if latest := s.clock.Now().Add(MaxFuture); to.After(latest) {
		return fairlead.Errorf(fairlead.Invalid,
			"%s is in the future; stream time never goes back, so it may be at most %s ahead of the server's clock",
			to.Format(time.RFC3339), MaxFuture)
	}
	if to.Before(Earliest) {
		return TooEarly(to)
	}
	unlock, err := s.lock(ctx, p, name)
	if err != nil {
		return err
	}
	defer unlock()
	if err := s.settle(ctx, p); err != nil { // what an interrupted advance left
		return err
	}
	return s.walk(ctx, walk{project: p, name: name, to: to, driven: true})
}

// TooEarly is the error for a time before Earliest.
func TooEarly(at time.Time) error {
	return fairlead.Errorf(fairlead.Invalid, "%s is too early; stream time begins on %s",
		at.Format(time.RFC3339), Earliest.Format(time.DateOnly))
}

// Release ends a replay, and what a live stream follows: the watermark stands until
// the next request, which says anew whether requests carry event times. So it also
// helps a stream that one request with an event time has stopped, by mistake. It waits
// for an Advance that runs.
func (s *Service) Release(ctx context.Context, p fairlead.Project, name string) error {
	unlock, err := s.lock(ctx, p, name)
	if err != nil {
		return err
	}
	defer unlock()
	return s.db.Write(ctx, store.Control, func(tx *store.Tx) error {
		st, err := read(tx, p, name)
		if err != nil || !st.driven && st.mode == undecided {
			return err
		}
		st.driven, st.mode = false, undecided
		s.forget(p, name)
		return write(tx, p, name, st)
	})
}

// walk is one way of a watermark: where to, and by whom.
type walk struct {
	project  fairlead.Project
	name     string
	to       time.Time
	driven   bool // by a replay; else by the follower, with what it follows
	mode     mode
	lateness time.Duration
}

// walk fires what is due until w.to, one timer at a time. Driven walks settle
// after each timer; walks that follow live requests do not hold them up.
func (s *Service) walk(ctx context.Context, w walk) error {
	for {
		fired, err := s.fireNext(ctx, w)
		if err != nil {
			return fmt.Errorf("advance %s: %w", w.name, err)
		}
		if w.driven {
			if err := s.settle(ctx, w.project); err != nil {
				return err
			}
		}
		if !fired {
			if !w.driven {
				return nil
			}
			if more, err := s.due(ctx, w.project, w.name, w.to); err != nil || !more {
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

// fireNext moves the watermark to the next due timer and runs it, or to w.to when
// none is due until then. A follower moves no stream that is driven.
func (s *Service) fireNext(ctx context.Context, w walk) (fired bool, err error) {
	ctx = fairlead.WithActor(ctx, fairlead.System("stream"))
	err = s.db.Write(ctx, store.Control, func(tx *store.Tx) error {
		fired = false
		st, err := read(tx, w.project, w.name)
		if err != nil || st.driven && !w.driven {
			return err
		}
		t, err := nextTimer(tx, w.project, w.name, w.to.UnixMilli())
		if err != nil {
			return err
		}
		at := w.to
		if fired = t != nil; fired {
			at = t.Due
		}
		begun := st.watermarkMS != 0
		st.watermarkMS = max(st.watermarkMS, at.UnixMilli())
		st.driven, st.mode, st.lateness = w.driven, w.mode, w.lateness
		if err := write(tx, w.project, w.name, st); err != nil {
			return err
		}
		if !begun {
			if err := s.beginStream(ctx, tx, w.project, w.name, at); err != nil {
				return err
			}
		}
		if !fired {
			return nil
		}
		return s.fire(ctx, tx, w.project, t)
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

// settle waits until every registered part is idle, all at the same time. The parts
// are asked one after the other, and one that is asked early may get work from one
// that is asked late: a job ends and leaves an event. So an answer counts only when
// nothing was committed while they were asked, or, under a load that has nothing to
// do with the stream, when they say the same often enough.
func (s *Service) settle(ctx context.Context, p fairlead.Project) error {
	for agreed := 0; ; {
		changed, nudged := s.db.Changed(), *s.nudged.Load()
		idle, err := s.idleTwice(ctx, p)
		if err != nil {
			return err
		}
		if idle {
			if agreed++; agreed == enoughAgreed || !closed(changed) {
				return nil
			}
			continue
		}
		agreed = 0
		select {
		case <-changed:
		case <-nudged:
		case <-time.After(lookAgain):
		case <-ctx.Done():
			return unsettled(ctx)
		}
	}
}

// enoughAgreed is how many answers in a row count although there were commits.
const enoughAgreed = 8

// idleTwice asks all parts twice, so that a commit which the first round has seen is
// announced before the second one ends.
func (s *Service) idleTwice(ctx context.Context, p fairlead.Project) (idle bool, err error) {
	if idle, err = s.idleNow(ctx, p); err != nil || !idle {
		return false, err
	}
	return s.idleNow(ctx, p)
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// lookAgain is the wait, in wall time, for a part that becomes idle without a commit
// and without a Nudge.
const lookAgain = 250 * time.Millisecond

// Nudge tells that a part may have become idle without a commit.
func (s *Service) Nudge() {
	next := make(chan struct{})
	close(*s.nudged.Swap(&next))
}

func unsettled(ctx context.Context) error {
	return fairlead.Errorf(fairlead.Unavailable,
		"the stream has not settled in time; what runs goes on, send the request again").Because(ctx.Err())
}

func (s *Service) idleNow(ctx context.Context, p fairlead.Project) (bool, error) {
	for _, f := range s.idle {
		if ok, err := f(ctx, p); err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

// turn is held by whoever moves a stream: one at a time, and a place in the queue
// ends with its context.
type turn chan struct{}

func (s *Service) turn(p fairlead.Project, name string) turn {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := key{p.K, name}
	if s.turns[k] == nil {
		s.turns[k] = make(turn, 1)
	}
	return s.turns[k]
}

func (t turn) end() { <-t }

func (s *Service) lock(ctx context.Context, p fairlead.Project, name string) (unlock func(), err error) {
	t := s.turn(p, name)
	select {
	case t <- struct{}{}:
		return t.end, nil
	case <-ctx.Done():
		return nil, unsettled(ctx)
	}
}

func (s *Service) tryLock(p fairlead.Project, name string) (unlock func(), ok bool) {
	t := s.turn(p, name)
	select {
	case t <- struct{}{}:
		return t.end, true
	default:
		return nil, false
	}
}
