package job

import (
	"context"
	"errors"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/job/shim"
	"github.com/fairlead-ml/fairlead/store"
)

// Attempt is one start of a step's command. A token that the command gets should be
// bound to its fence, so that it can be revoked when another one is started.
type Attempt struct {
	Job   string // id
	Step  string
	Fence int64  // of the run that started it; later runs may adopt it
	Dir   string // read its output with shim.ReadLog, its marks with shim.ReadMarks
}

// PrepareFunc says what to run. It is called once for each attempt that is
// started, and not for one that is taken over. Spec.Dir is set by the caller.
type PrepareFunc func(ctx context.Context, a Attempt) (shim.Spec, error)

// Step runs a command that outlives this server, and returns how it ended. If an
// earlier run of the job started it, that attempt is adopted: waited for if it
// lives, and its exit taken if it has ended. A lost attempt's processes are
// ended before another is started under this run's fence.
//
// When ctx ends because the server stops or the job was taken over, the command
// goes on; for any other reason it is killed. An error that says Lost means that
// the command was lost under this run.
func (r *Run) Step(ctx context.Context, name string, prepare PrepareFunc) (
	Attempt, shim.Exit, error) {
	if err := r.service.checkStep(name); err != nil {
		return Attempt{}, shim.Exit{}, err
	}
	last, err := r.lastStep(ctx, name)
	if err != nil {
		return Attempt{}, shim.Exit{}, err
	}
	if last.open {
		a := r.service.attempt(r.Job.ID, name, last.fence)
		exit, ended, err := adopt(ctx, a)
		if ended || err != nil {
			return a, exit, err
		}
		if last.fence == r.Fence {
			return a, exit, errLost
		}
	}
	a := r.service.attempt(r.Job.ID, name, r.Fence)
	exit, err := r.startStep(ctx, a, prepare)
	return a, exit, err
}

// Forget lets a later run start the step again instead of taking the exit that
// this one got. The attempt is ended if it still lives, and what it reports is
// refused from now on.
func (r *Run) Forget(ctx context.Context, name string) error {
	last, err := r.lastStep(ctx, name)
	if err != nil || !last.open {
		return err
	}
	if err := endAttempt(ctx, r.service.attempt(r.Job.ID, name, last.fence)); err != nil {
		return err
	}
	return r.Write(ctx, store.Control, func(tx *store.Tx) error {
		return closeStep(tx, r.Job.ID, name)
	})
}

var errLost = Lost(fairlead.Errorf(fairlead.Unavailable,
	"the process that watched the step died; the step is run again"))

// checkStep refuses what could not be a directory of its own.
func (s *Service) checkStep(name string) error {
	if !filepath.IsAbs(s.opt.StepsDir) {
		return fairlead.Errorf(fairlead.Internal, "jobs have no directory for steps")
	}
	ok := name != "" && name[0] != '.' && strings.Trim(name,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == ""
	if !ok {
		return fairlead.Errorf(fairlead.Invalid,
			"%q cannot name a step; use letters, digits, '.', '_' and '-'", name)
	}
	return nil
}

func (s *Service) attempt(jobID, name string, fence int64) Attempt {
	dir := filepath.Join(s.opt.StepsDir, jobID, name, strconv.FormatInt(fence, 10))
	return Attempt{Job: jobID, Step: name, Fence: fence, Dir: dir}
}

func (r *Run) lastStep(ctx context.Context, name string) (row stepRow, err error) {
	err = r.service.db.Read(ctx, func(tx *store.Tx) error {
		row, err = readStep(tx, r.Job.ID, name)
		return err
	})
	return row, err
}

// adopt takes over an attempt that another run may have started: ended is false
// when it never was, or was lost and is cleaned up.
func adopt(ctx context.Context, a Attempt) (exit shim.Exit, ended bool, err error) {
	h, err := shim.Attach(a.Dir)
	if fairlead.Is(err, fairlead.NotFound) {
		// a server that only sleeps must not start it when it wakes up
		if err = shim.Void(a.Dir); err == nil {
			return exit, false, nil
		}
		if fairlead.Is(err, fairlead.Conflict) { // it just did
			h, err = shim.Attach(a.Dir)
		}
	}
	if err != nil {
		return exit, false, err
	}
	defer h.Close()
	exit, err = watch(ctx, h)
	if errors.Is(err, errLost) {
		return exit, false, nil
	}
	return exit, err == nil, err
}

// startStep notes the attempt as the one that may report, and runs it.
func (r *Run) startStep(ctx context.Context, a Attempt, prepare PrepareFunc) (
	exit shim.Exit, err error) {
	err = r.Write(ctx, store.Control, func(tx *store.Tx) error {
		return writeStep(tx, a.Job, a.Step, a.Fence)
	})
	if err != nil {
		return exit, err
	}
	spec, err := prepare(ctx, a)
	if err != nil {
		return exit, err
	}
	spec.Dir = a.Dir
	h, err := shim.Start(ctx, spec)
	if fairlead.Is(err, fairlead.Conflict) {
		return exit, ErrFenced // another run has voided this attempt
	}
	if err != nil {
		return exit, err
	}
	defer h.Close()
	return watch(ctx, h)
}

// watch waits for the end of an attempt. It ends a step that is no longer wanted,
// and what is left of a lost one.
func watch(ctx context.Context, h *shim.Handle) (shim.Exit, error) {
	exit, err := h.Wait(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		cause := context.Cause(ctx)
		if endsSteps(cause) {
			return exit, errors.Join(cause, h.Kill(context.WithoutCancel(ctx)))
		}
		return exit, cause
	case err != nil:
		return exit, err
	case exit.State == shim.Lost || exit.Left:
		if err := h.Kill(ctx); err != nil { // nothing may run beside what is still there
			return exit, Lost(err)
		}
	}
	if exit.State == shim.Lost {
		return exit, errLost
	}
	return exit, nil
}

// endsSteps reports whether a context that ended with cause takes its steps
// along: not when another run, here or in the next server, goes on with them.
func endsSteps(cause error) bool {
	return cause != nil && !errors.Is(cause, ErrStopping) && !errors.Is(cause, ErrFenced)
}

// endSteps kills the steps of a job that an earlier run left and the present one
// did not adopt.
func (s *Service) endSteps(ctx context.Context, jobID string) error {
	ctx = context.WithoutCancel(ctx)
	var rows []stepRow
	err := s.db.Read(ctx, func(tx *store.Tx) (err error) {
		rows, err = openSteps(tx, jobID)
		return err
	})
	for _, row := range rows {
		err = errors.Join(err, endAttempt(ctx, s.attempt(jobID, row.name, row.fence)))
	}
	return err
}

func endAttempt(ctx context.Context, a Attempt) error {
	h, err := shim.Attach(a.Dir)
	if fairlead.Is(err, fairlead.NotFound) {
		return shim.Void(a.Dir)
	}
	if err != nil {
		return err
	}
	defer h.Close()
	return h.Kill(ctx)
}

// LastAttempt returns the attempt of a step that was started last, for its logs.
func (s *Service) LastAttempt(ctx context.Context, projectK int64, jobID, name string) (
	Attempt, error) {
	var row stepRow
	err := s.db.Read(ctx, func(tx *store.Tx) error {
		if _, err := byID(tx, projectK, jobID); err != nil {
			return err
		}
		var err error
		row, err = readStep(tx, jobID, name)
		return err
	})
	if err == nil && row.fence == 0 {
		err = fairlead.Errorf(fairlead.NotFound,
			"step %s of job %s has not been started yet", name, jobID)
	}
	return s.attempt(jobID, name, row.fence), err
}

// HasSteps reports whether a step of any job may still live: it was started, and the job
// has not ended.
func (s *Service) HasSteps(ctx context.Context) (has bool, err error) {
	err = s.db.Read(ctx, func(tx *store.Tx) error {
		has, err = anyStepOpen(tx)
		return err
	})
	return has, err
}
