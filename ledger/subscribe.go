package ledger

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/store"
)

// Subscription says what a subscriber wants and what it does. Handle runs in a
// control write together with the move of the subscriber's cursor: both happen or
// neither, so the effect is exactly once. It does no I/O; it may be run again. Events
// that wait are handled some in one transaction.
//
// An event that Handle fails is tried again, and the ones behind it wait. When trying
// again cannot mend it the event is skipped, and a delivery.skipped event says so: one
// event must not stop a subscriber for all projects.
type Subscription struct {
	Name   string   // stable: the cursor is stored under it
	Types  []string // event types; empty for all
	Handle func(ctx context.Context, tx *store.Tx, r *Record) error
}

type subscriber struct {
	Subscription
	seen    atomic.Int64 // events up to here are handled or none of ours
	failing atomic.Int64 // since when the next one fails, wall time in Unix ms; 0: it does not
	skipped atomic.Int64 // events skipped since Start
	limit   int          // how often the next one may fail as it last did
	tries   int          // how often it has failed so, one time after the other
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

// Progress is how far a subscriber is.
type Progress struct {
	Subscriber string
	Lag        int64         // events that it has still to handle
	Failing    time.Duration // for how long it has failed at the same event, wall time
	Skipped    int64         // events that it could not handle, since Start
}

// Progress returns how far each subscriber is.
func (l *Ledger) Progress(ctx context.Context) ([]Progress, error) {
	head, err := l.Head(ctx)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]Progress, len(l.subs))
	for i, s := range l.subs {
		all[i] = Progress{Subscriber: s.Name, Lag: head - s.seen.Load(), Skipped: s.skipped.Load()}
		if since := s.failing.Load(); since != 0 {
			all[i].Failing = l.clock.Now().Sub(fairlead.FromMS(since))
		}
	}
	return all, nil
}

func (l *Ledger) deliver(ctx context.Context, s *subscriber) {
	backoff := 10 * time.Millisecond
	for ctx.Err() == nil {
		changed := l.Appended()
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
	if len(records) == 0 {
		return 0, nil
	}
	wanted := slices.DeleteFunc(slices.Clone(records), func(r *Record) bool {
		return len(s.Types) > 0 && !slices.Contains(s.Types, r.Type)
	})
	for some := range slices.Chunk(wanted, together) {
		if len(some) > 1 && s.tries == 0 && l.handle(ctx, s, some) == nil {
			s.seen.Store(some[len(some)-1].Seq)
			continue
		}
		for _, r := range some {
			if err := l.try(ctx, s, r); err != nil {
				return 0, fmt.Errorf("event %d %s: %w", r.Seq, r.Type, err)
			}
			s.seen.Store(r.Seq)
		}
	}
	s.seen.Store(records[len(records)-1].Seq)
	return len(records), nil
}

// together is how many events are handled in one transaction, which others wait for; one
// of them fails all, and they are handled one by one.
const together = 16

// try handles one event, or skips it when it has failed for good.
func (l *Ledger) try(ctx context.Context, s *subscriber, r *Record) error {
	if err := l.handle(ctx, s, []*Record{r}); err != nil {
		s.failing.CompareAndSwap(0, l.clock.Now().UnixMilli())
		if limit := maxTries(err); limit != s.limit {
			s.limit, s.tries = limit, 0
		}
		if s.tries++; s.tries < s.limit || ctx.Err() != nil {
			return err
		}
		if e := l.skip(ctx, s, r, err); e != nil {
			return errors.Join(err, e)
		}
	}
	s.limit, s.tries = 0, 0
	s.failing.Store(0)
	return nil
}

// maxTries is after how many failures like err in a row an event is given up. What a
// disk or a restart mends is tried for ever; what the present state refuses is not,
// since nobody may ever change that state; and an error that is a defect of ours gets
// the time that a cause outside of the handler may need to pass, about two minutes.
func maxTries(err error) int {
	switch fairlead.CodeOf(err) {
	case fairlead.Unavailable, fairlead.Exhausted:
		return math.MaxInt
	case fairlead.Internal:
		return 30
	}
	return 3
}

// skip records that the subscriber goes on without the event.
func (l *Ledger) skip(ctx context.Context, s *subscriber, r *Record, failure error) error {
	err := l.effect(ctx, s, []*Record{r}, func(ctx context.Context, tx *store.Tx, _ *Record) error {
		if r.Type == event.DeliverySkippedType {
			return nil // or a subscriber that fails at everything would never come to an end
		}
		_, err := l.Append(ctx, tx, r.ProjectRef(), r.Subject, r.At(), event.DeliverySkipped{
			Subscriber: s.Name, Seq: r.Seq, Event: r.Type,
			Code: string(fairlead.CodeOf(failure)), Reason: fairlead.MessageOf(failure)})
		return err
	})
	if err == nil {
		s.skipped.Add(1)
		l.log.Error("subscriber skipped an event",
			"subscriber", s.Name, "seq", r.Seq, "type", r.Type, "err", failure)
	}
	return err
}

// handle lets the subscriber handle events, which follow each other.
func (l *Ledger) handle(ctx context.Context, s *subscriber, records []*Record) error {
	return l.effect(ctx, s, records, s.Handle)
}

// effect runs an effect for each event and moves the subscriber's cursor behind the
// last, in one transaction.
func (l *Ledger) effect(ctx context.Context, s *subscriber, records []*Record,
	effect func(ctx context.Context, tx *store.Tx, r *Record) error) error {
	ctx = fairlead.WithActor(ctx, fairlead.System(s.Name))
	return l.db.Write(ctx, store.Control, func(tx *store.Tx) error {
		at, err := readCursor(tx, s.Name)
		if err != nil {
			return err
		}
		for _, r := range records {
			if at >= r.Seq {
				continue // done before a restart that lost only our memory of it
			}
			if err := effect(ctx, tx, r); err != nil {
				return err
			}
		}
		return moveCursor(tx, s.Name, max(at, records[len(records)-1].Seq))
	})
}
