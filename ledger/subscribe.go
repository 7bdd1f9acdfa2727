package ledger

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// Subscription says what a subscriber wants and what it does. Handle runs in a
// control write together with the move of the subscriber's cursor: both happen or
// neither, so the effect is exactly once. It does no I/O; it may be run again.
type Subscription struct {
	Name   string   // stable: the cursor is stored under it
	Types  []string // event types; empty for all
	Handle func(ctx context.Context, tx *store.Tx, r *Record) error
}

type subscriber struct {
	Subscription
	seen atomic.Int64 // events up to here are handled or none of ours
}

// Subscribe registers s. All subscriptions are made before Start.
func (l *Ledger) Subscribe(s Subscription) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.subs = append(l.subs, &subscriber{Subscription: s})
}

// Start begins to deliver events, each subscriber in its own goroutine, from
// where its cursor stands.
func (l *Ledger) Start(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	run, quit := context.WithCancel(context.WithoutCancel(ctx))
	l.quit = quit
	for _, s := range l.subs {
		err := l.db.Read(ctx, func(tx *store.Tx) error {
			seq, err := readCursor(tx, s.Name)
			s.seen.Store(seq)
			return err
		})
		if err != nil {
			quit()
			return fmt.Errorf("start subscriber %s: %w", s.Name, err)
		}
		l.wait.Go(func() { l.deliver(run, s) })
	}
	if l.signer != nil {
		l.wait.Go(func() { l.keepCheckpoints(run) })
	}
	return nil
}

// Stop ends delivery after the handlers that run now. It is safe before Start
// and to call twice.
func (l *Ledger) Stop() {
	l.mu.Lock()
	quit := l.quit
	l.mu.Unlock()
	if quit != nil {
		quit()
	}
	l.wait.Wait()
}

// Idle reports whether every subscriber has handled every event.
func (l *Ledger) Idle(ctx context.Context) (bool, error) {
	head, err := l.Head(ctx)
	if err != nil {
		return false, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.subs {
		if s.seen.Load() < head {
			return false, nil
		}
	}
	return true, nil
}

// Lag returns how many events each subscriber has still to handle.
func (l *Ledger) Lag(ctx context.Context) (map[string]int64, error) {
	head, err := l.Head(ctx)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	lag := make(map[string]int64, len(l.subs))
	for _, s := range l.subs {
		lag[s.Name] = head - s.seen.Load()
	}
	return lag, nil
}

func (l *Ledger) deliver(ctx context.Context, s *subscriber) {
	backoff := 10 * time.Millisecond
	for ctx.Err() == nil {
		changed := *l.appended.Load()
		n, err := l.deliverNext(ctx, s)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			l.log.Error("subscriber failed", "subscriber", s.Name, "after_seq", s.seen.Load(), "err", err)
			backoff = min(2*backoff, 5*time.Second)
			wait(ctx, nil, backoff)
		case n == 0:
			if l.caughtUp != nil {
				l.caughtUp()
			}
			wait(ctx, changed, 0)
		default:
			backoff = 10 * time.Millisecond
		}
	}
}

func wait(ctx context.Context, changed <-chan struct{}, d time.Duration) {
	var timer <-chan time.Time
	if d > 0 {
		timer = time.After(d)
	}
	select {
	case <-ctx.Done():
	case <-changed:
	case <-timer:
	}
}

// deliverNext handles the next events and returns how many it has looked at.
func (l *Ledger) deliverNext(ctx context.Context, s *subscriber) (int, error) {
	records, err := l.List(ctx, Filter{After: s.seen.Load(), Limit: 200})
	if err != nil {
		return 0, err
	}
	for _, r := range records {
		if len(s.Types) == 0 || slices.Contains(s.Types, r.Type) {
			if err := l.handle(ctx, s, r); err != nil {
				return 0, fmt.Errorf("event %d %s: %w", r.Seq, r.Type, err)
			}
		}
		s.seen.Store(r.Seq)
	}
	return len(records), nil
}

// handle runs the subscriber's effect and moves its cursor, in one transaction.
func (l *Ledger) handle(ctx context.Context, s *subscriber, r *Record) error {
	ctx = fairlead.WithActor(ctx, fairlead.System(s.Name))
	return l.db.Write(ctx, store.Control, func(tx *store.Tx) error {
		at, err := readCursor(tx, s.Name)
		if err != nil {
			return err
		}
		if at >= r.Seq {
			return nil // done before a restart that lost only our memory of it
		}
		if err := s.Handle(ctx, tx, r); err != nil {
			return err
		}
		return moveCursor(tx, s.Name, r.Seq)
	})
}
