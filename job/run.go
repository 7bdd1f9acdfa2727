package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/store"
)

// Run is one claim of a job: what its handler works with.
type Run struct {
	Job   *Job  // as claimed; it does not change any more
	Fence int64 // grows with each claim

	service *Service
	cancel  context.CancelCauseFunc
	expiry  *time.Timer // ends the run when its lease was not renewed; nil when exclusive

	mu        sync.Mutex
	progress  string
	result    json.RawMessage
	committed bool
}

// Progress says in a few words what the run is doing. It is stored with the next
// heartbeat, so it may be called as often as one likes.
func (r *Run) Progress(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.progress = text
}

// SetResult keeps v, as JSON, to be stored when the job is done. It may be called
// within the closure of Commit.
func (r *Run) SetResult(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("result of job %s: %w", r.Job.ID, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result = b
	return nil
}

// Write is store.Write guarded by the run's fence: ErrFenced and no change when
// the job was taken over, ErrCancelled when it was cancelled.
func (r *Run) Write(ctx context.Context, lane store.Lane, fn func(tx *store.Tx) error) error {
	err := r.service.db.Write(ctx, lane, func(tx *store.Tx) error {
		j, err := r.owned(tx)
		if err != nil {
			return err
		}
		if !j.CancelledAt.IsZero() {
			return ErrCancelled
		}
		return fn(tx)
	})
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx) // says more than that the write found no place
	}
	return err
}

// Commit does the job's effect and marks it done in one transaction, under the
// same guard as Write. fn may be nil.
func (r *Run) Commit(ctx context.Context, lane store.Lane, fn func(tx *store.Tx) error) error {
	err := r.Write(ctx, lane, func(tx *store.Tx) error {
		if fn != nil {
			if err := fn(tx); err != nil {
				return err
			}
		}
		return r.end(ctx, tx, Done)
	})
	if err == nil {
		r.mu.Lock()
		r.committed = true
		r.mu.Unlock()
	}
	return err
}

// owned returns the job as it is now, or ErrFenced.
func (r *Run) owned(tx *store.Tx) (*Job, error) {
	j, err := byK(tx, r.Job.k)
	if err != nil {
		return nil, err
	}
	if j.State != Running || j.Fence != r.Fence {
		return nil, ErrFenced
	}
	return j, nil
}

// end finishes the run's job in tx.
func (r *Run) end(ctx context.Context, tx *store.Tx, state State) error {
	j, err := r.owned(tx)
	if err != nil {
		return err
	}
	if state == Done {
		r.mu.Lock()
		j.Result, j.Error = r.result, ""
		r.mu.Unlock()
	}
	return r.service.finish(ctx, tx, j, state)
}

// finish puts j into a final state and runs what follows.
func (s *Service) finish(ctx context.Context, tx *store.Tx, j *Job, state State) error {
	j.State, j.Finished, j.Owner, j.LeaseUntil = state, s.clock.Now(), "", time.Time{}
	if err := update(tx, j); err != nil {
		return fmt.Errorf("finish job %s: %w", j.ID, err)
	}
	tx.AfterCommit("job/"+j.ID, func() {
		s.metrics.finished.WithLabelValues(j.Kind, string(state)).Inc()
	})
	if k := s.kinds[j.Kind]; k != nil {
		for _, fn := range k.done {
			if err := fn(ctx, tx, j); err != nil {
				return fmt.Errorf("after job %s (%s): %w", j.ID, j.Kind, err)
			}
		}
	}
	return nil
}

// lostBackoff is the wait after the first loss that a handler reports; each one
// doubles it.
const lostBackoff = 100 * time.Millisecond

// roomAgain is the wait between tries to go on with what a full disk has stopped.
const roomAgain = 2 * time.Second

// loseRun is lose for a run whose handler says that it was lost.
func (s *Service) loseRun(ctx context.Context, tx *store.Tx, j *Job, err error) error {
	why, now := fairlead.MessageOf(err), s.clock.Now()
	if fairlead.Is(err, fairlead.Exhausted) {
		j.Error = why
		return s.requeue(tx, j, now.Add(roomAgain))
	}
	j.Losses++
	wait := Limits{Backoff: lostBackoff}.backoff(j.Losses)
	return s.lose(ctx, tx, j, why, now.Add(wait))
}

// lose says in the ledger that a run was lost, and queues the job again.
func (s *Service) lose(ctx context.Context, tx *store.Tx, j *Job, why string, at time.Time) error {
	lost := event.JobLost{Job: j.ID, Kind: j.Kind, Fence: j.Fence}
	if _, err := s.led.Append(ctx, tx, j.Project, j.ID, time.Time{}, lost); err != nil {
		return err
	}
	j.Error = why
	return s.requeue(tx, j, at)
}

// requeue lets the job run again without counting the present run as an attempt.
func (s *Service) requeue(tx *store.Tx, j *Job, at time.Time) error {
	j.Attempt--
	return s.queue(tx, j, at)
}

func (s *Service) queue(tx *store.Tx, j *Job, at time.Time) error {
	j.State, j.Owner, j.LeaseUntil, j.RunAt = Queued, "", time.Time{}, at
	s.wakeAfter(tx)
	return update(tx, j)
}

// fail counts a failed attempt: the job is tried again later, with new steps, or
// has failed for good.
func (s *Service) fail(ctx context.Context, tx *store.Tx, j *Job, failure error) error {
	j.Error = fairlead.MessageOf(failure)
	if j.Attempt >= j.MaxAttempts || isPermanent(failure) {
		return s.finish(ctx, tx, j, Failed)
	}
	if err := closeSteps(tx, j.ID); err != nil {
		return err
	}
	wait := s.kinds[j.Kind].limits.backoff(j.Attempt)
	return s.queue(tx, j, s.clock.Now().Add(wait))
}

// execute runs the handler and stores how that ended.
func (s *Service) execute(ctx context.Context, r *Run) {
	defer s.forget(r)
	defer r.cancel(nil)
	err := s.call(ctx, r)
	ctx, cause := context.WithoutCancel(ctx), context.Cause(ctx)
	if r.isCommitted() {
		s.endOpenSteps(ctx, r)
		return
	}
	if cause == ErrFenced || errors.Is(err, ErrFenced) {
		s.log.Warn("job run was fenced off", "job", r.Job.ID, "kind", r.Job.Kind, "fence", r.Fence)
		return
	}
	if err != nil && cause == nil && !errors.Is(err, ErrCancelled) {
		s.log.Warn("job run failed", "job", r.Job.ID, "kind", r.Job.Kind, "fence", r.Fence,
			"error", err)
	}
	if !goesOn(err, cause) {
		s.endOpenSteps(ctx, r)
	}
	s.settle(ctx, r, func(tx *store.Tx) error { return s.conclude(ctx, tx, r, err, cause) })
}

// goesOn reports whether another run goes on with the job and the steps that this one
// has left.
func goesOn(err, cause error) bool {
	return err != nil && cause != ErrTimeout && (cause == ErrStopping || isLost(err))
}

// endOpenSteps ends what the handler of a run that is over has left running.
func (s *Service) endOpenSteps(ctx context.Context, r *Run) {
	if err := s.endSteps(ctx, r.Job.ID); err != nil {
		s.log.Error("steps of a job cannot be ended", "job", r.Job.ID, "error", err)
	}
}

// conclude decides what becomes of a job whose handler returned without Commit.
func (s *Service) conclude(ctx context.Context, tx *store.Tx, r *Run, err, cause error) error {
	j, e := r.owned(tx)
	switch {
	case e != nil:
		return e
	case goesOn(err, cause) && cause == ErrStopping: // also when it is cancelled: its steps live
		return s.requeue(tx, j, s.clock.Now())
	case goesOn(err, cause):
		return s.loseRun(ctx, tx, j, err)
	case !j.CancelledAt.IsZero():
		return s.finish(ctx, tx, j, Cancelled)
	case err == nil:
		return r.end(ctx, tx, Done)
	case cause == ErrTimeout:
		return s.fail(ctx, tx, j, ErrTimeout)
	default:
		return s.fail(ctx, tx, j, err)
	}
}

// settleAgain is the wait between tries to store the end of a run.
const settleAgain = time.Second

// settle stores the end of a run, and tries again while the disk is full or what
// follows the job fails; the job stays ours meanwhile.
func (s *Service) settle(ctx context.Context, r *Run, fn func(tx *store.Tx) error) {
	for {
		err := s.db.Write(ctx, store.Control, fn)
		if err == nil || errors.Is(err, ErrFenced) {
			return
		}
		s.log.Error("job cannot be finished", "job", r.Job.ID, "kind", r.Job.Kind, "error", err)
		select {
		case <-time.After(settleAgain):
		case <-s.quit:
			return // the lease runs out, and another run finds what this one did
		}
	}
}

// call runs the handler, unless the job is past running, and turns a panic into
// a failure.
func (s *Service) call(ctx context.Context, r *Run) (err error) {
	if !r.Job.CancelledAt.IsZero() {
		return ErrCancelled
	}
	if r.Job.Losses > s.opt.MaxLosses {
		return Permanent(fairlead.Errorf(fairlead.Unavailable,
			"the job was lost %d times; the last time: %s", r.Job.Losses, r.Job.Error))
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("job handler panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return s.kinds[r.Job.Kind].handler(ctx, r)
}

func (r *Run) isCommitted() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.committed
}

func (r *Run) currentProgress() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.progress
}
