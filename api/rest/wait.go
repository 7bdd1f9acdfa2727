package rest

import (
	"context"
	"errors"
	"time"

	"github.com/fairlead-ml/fairlead"
)

// maxWait bounds how long a request may wait for something, in wall time.
const maxWait = 2 * time.Minute

// A wait looks after each of so many commits, and then pauses between two looks: while others
// log metrics there are hundreds of commits a second.
const (
	quickLooks = 50
	lookPause  = 50 * time.Millisecond
)

var errStopping = fairlead.Errorf(fairlead.Unavailable,
	"the server is stopping; repeat the request in a moment")

// Waiting is the part of a request that can wait for work to end.
type Waiting struct {
	Wait string `query:"wait" doc:"how long to wait, such as 30s; at most 2m (wall time)"`
}

func (w Waiting) duration() (time.Duration, error) {
	if w.Wait == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(w.Wait)
	if err != nil || d < 0 {
		return 0, fairlead.Errorf(fairlead.Invalid, "wait is %q; write it as 30s", w.Wait)
	}
	return min(d, maxWait), nil
}

// until calls done after commits until it says so, the wait is over, or the server stops;
// then what done has seen last is the answer.
func (a *API) until(ctx context.Context, w Waiting, done func() (bool, error)) error {
	return a.untilOr(ctx, w, nil, done)
}

// untilOr is until that also calls done when tick says so, for what happens outside of
// the database.
func (a *API) untilOr(ctx context.Context, w Waiting, tick <-chan time.Time,
	done func() (bool, error)) error {
	d, err := w.duration()
	if err != nil {
		return err
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	pause := time.NewTicker(lookPause)
	defer pause.Stop()
	for n := 1; ; n++ {
		changed := a.DB.Changed()
		if ok, err := done(); err != nil || ok || d == 0 {
			return err
		}
		if n > quickLooks {
			select {
			case <-pause.C:
			case <-a.Stopping:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		select {
		case <-changed:
		case <-tick:
		case <-timer.C:
			return nil
		case <-a.Stopping:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// interruptible returns a context that also ends when the server stops, for work
// that can be asked for again.
func (a *API) interruptible(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-a.Stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// stoppedOr returns err, or what to do when it is only that the server stops.
func stoppedOr(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return errStopping.Because(err)
	}
	return err
}
