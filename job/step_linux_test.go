package job_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/job/shim"
	"github.com/fairlead-ml/fairlead/store"
)

// bench is a directory in which steps work, and a server that runs them.
type bench struct {
	*world
	dir string
	opt job.Options
}

func newBench(t *testing.T) *bench {
	t.Helper()
	dir := t.TempDir()
	opt := job.Options{Exclusive: true, StepsDir: filepath.Join(dir, "steps")}
	return &bench{open(t, dir, fairlead.WallClock{}, opt), dir, opt}
}

// restart replaces the server by another one on the same database.
func (b *bench) restart(t *testing.T) {
	t.Helper()
	if err := b.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.db.Close()
	b.world = open(t, b.dir, fairlead.WallClock{}, b.opt)
}

// steps registers a handler whose one step is the shell script, and whose
// effect is what that step printed.
func (b *bench) steps(t *testing.T, script string, l job.Limits) {
	b.Handle("step", func(ctx context.Context, r *job.Run) error {
		a, exit, err := r.Step(ctx, "main", b.prepare(script))
		if err != nil {
			return err
		}
		if !exit.OK() {
			return fairlead.Errorf(fairlead.Invalid, "the step ended as %s %d", exit.State, exit.Code)
		}
		part, err := shim.ReadLog(a.Dir, 0, 1000)
		if err != nil {
			return err
		}
		return r.Commit(ctx, store.Control, func(tx *store.Tx) error {
			return note(tx, strings.TrimSpace(string(part.Data)))
		})
	}, l)
	b.start(t)
}

func (b *bench) prepare(script string) job.PrepareFunc {
	return func(_ context.Context, a job.Attempt) (shim.Spec, error) {
		return shim.Spec{
			Command: []string{"sh", "-c", script}, WorkDir: b.dir,
			Env: []string{"PATH=/usr/bin:/bin"},
		}, nil
	}
}

// attempt waits until the step's newest attempt says who it is.
func (b *bench) attempt(t *testing.T, id string, fence int64) (
	a job.Attempt, shimPID, childPID int) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		var who struct{ Shim, Child struct{ PID int } }
		a, err := b.LastAttempt(t.Context(), project.K, id, "main")
		if err == nil && a.Fence == fence {
			raw, err := os.ReadFile(filepath.Join(a.Dir, "shim.json"))
			if err == nil && json.Unmarshal(raw, &who) == nil {
				return a, who.Shim.PID, who.Child.PID
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("attempt %d was not started: %+v, %v", fence, a, err)
		}
	}
}

func (b *bench) touch(t *testing.T, name string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, name), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) read(name string) string {
	raw, _ := os.ReadFile(filepath.Join(b.dir, name))
	return string(raw)
}

func gone(pid int) bool {
	raw, err := os.ReadFile("/proc/" + itoa(pid) + "/stat")
	return err != nil || strings.Contains(string(raw), ") Z ")
}

// untilGo says how often the step was started, and waits for a file.
const untilGo = `echo start >> starts; wc -l < starts; until [ -e go ]; do sleep 0.01; done`

func TestStep_ANewServerAdoptsTheOneThatRuns(t *testing.T) {
	b := newBench(t)
	b.steps(t, untilGo, job.Limits{})
	id := b.enqueue(t, job.Task{Kind: "step"})
	b.attempt(t, id, 1)
	b.restart(t)
	b.steps(t, untilGo, job.Limits{})
	b.touch(t, "go")
	j := b.await(t, id)
	if j.State != job.Done || j.Fence != 2 || j.Attempt != 1 {
		t.Errorf("job = %+v", j)
	}
	if got := b.noted(t); len(got) != 1 || got[0] != "1" {
		t.Errorf("effects = %v, want one of a step that was started once", got)
	}
}

func TestStep_ANewServerTakesTheExitOfOneThatEnded(t *testing.T) {
	b := newBench(t)
	b.steps(t, untilGo, job.Limits{})
	id := b.enqueue(t, job.Task{Kind: "step"})
	_, shimPID, _ := b.attempt(t, id, 1)
	b.Stop(t.Context())
	b.touch(t, "go")
	for !gone(shimPID) {
		time.Sleep(time.Millisecond)
	}
	b.restart(t)
	b.steps(t, untilGo, job.Limits{})
	if j := b.await(t, id); j.State != job.Done {
		t.Errorf("job = %+v", j)
	}
	if got := b.noted(t); len(got) != 1 || got[0] != "1" {
		t.Errorf("effects = %v", got)
	}
}

func TestStep_ALostOneRunsAgainUnderAHigherFence(t *testing.T) {
	b := newBench(t)
	b.steps(t, untilGo, job.Limits{})
	id := b.enqueue(t, job.Task{Kind: "step"})
	_, shimPID, childPID := b.attempt(t, id, 1)
	for b.read("starts") == "" {
		time.Sleep(time.Millisecond)
	}
	syscall.Kill(shimPID, syscall.SIGKILL)
	b.attempt(t, id, 2)
	if !gone(childPID) {
		t.Error("two attempts run at once")
	}
	b.touch(t, "go")
	j := b.await(t, id)
	if j.State != job.Done || j.Losses != 1 || j.Attempt != 1 {
		t.Errorf("job = %+v", j)
	}
	if got := b.noted(t); len(got) != 1 || got[0] != "2" {
		t.Errorf("effects = %v", got)
	}
}

func TestStep_IsKilledWithItsJob(t *testing.T) {
	for name, tc := range map[string]struct {
		limits job.Limits
		cancel bool
		state  job.State
	}{
		"cancel":   {job.Limits{}, true, job.Cancelled},
		"time-out": {job.Limits{Timeout: 2 * time.Second}, false, job.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.steps(t, untilGo, tc.limits)
			id := b.enqueue(t, job.Task{Kind: "step"})
			_, shimPID, childPID := b.attempt(t, id, 1)
			if tc.cancel {
				b.cancel(t, id)
			}
			if j := b.await(t, id); j.State != tc.state {
				t.Errorf("job = %+v", j)
			}
			if !gone(shimPID) || !gone(childPID) {
				t.Error("the step outlived its job")
			}
		})
	}
}

func TestCancel_AlsoEndsAStepThatWaitsForAServer(t *testing.T) {
	b := newBench(t)
	b.steps(t, untilGo, job.Limits{})
	id := b.enqueue(t, job.Task{Kind: "step"})
	_, _, childPID := b.attempt(t, id, 1)
	b.restart(t)
	b.cancel(t, id)
	b.steps(t, untilGo, job.Limits{})
	if j := b.await(t, id); j.State != job.Cancelled {
		t.Errorf("job = %+v", j)
	}
	if !gone(childPID) {
		t.Error("the step outlived its job")
	}
}

func TestHasSteps_OnlyWhileTheirJobGoesOn(t *testing.T) {
	b := newBench(t)
	has := func(want bool) {
		t.Helper()
		if got, err := b.HasSteps(t.Context()); got != want || err != nil {
			t.Errorf("has steps: %v, %v", got, err)
		}
	}
	has(false)
	b.steps(t, untilGo, job.Limits{})
	id := b.enqueue(t, job.Task{Kind: "step"})
	b.attempt(t, id, 1)
	has(true)
	b.restart(t)
	has(true)
	b.steps(t, untilGo, job.Limits{})
	b.touch(t, "go")
	b.await(t, id)
	has(false)
}

// A training may outlive more servers than a job may lose.
func TestStart_CountsNoLossWhereAStepLives(t *testing.T) {
	b := newBench(t)
	b.opt.MaxLosses = 3
	b.restart(t)
	b.steps(t, untilGo, job.Limits{})
	id := b.enqueue(t, job.Task{Kind: "step"})
	b.attempt(t, id, 1)
	for fence := int64(1); fence <= 5; fence++ {
		for changed := b.db.Changed(); ; changed = b.db.Changed() {
			j, err := b.Get(t.Context(), project.K, id)
			if err != nil || j.State.Final() {
				t.Fatalf("job = %+v, %v", j, err)
			}
			if j.State == job.Running && j.Fence == fence {
				break
			}
			<-changed
		}
		b.db.Close() // it can say nothing any more, as if it had died
		b.world = open(t, b.dir, fairlead.WallClock{}, b.opt)
		b.steps(t, untilGo, job.Limits{})
	}
	b.touch(t, "go")
	if j := b.await(t, id); j.State != job.Done || j.Losses != 0 || j.Fence != 6 {
		t.Errorf("job = %+v", j)
	}
	if got := b.noted(t); len(got) != 1 || got[0] != "1" {
		t.Errorf("effects = %v", got)
	}
}

// Else its step would run on, with nobody to take its end or to cancel it.
func TestStart_GoesOnWithWhatHasBegunBeforeWhatWaits(t *testing.T) {
	b := newBench(t)
	one := job.Limits{Concurrency: 1}
	b.steps(t, untilGo, one)
	begun := b.enqueue(t, job.Task{Kind: "step"})
	b.attempt(t, begun, 1)
	waits := b.enqueue(t, job.Task{Kind: "step"})
	b.restart(t)
	b.steps(t, untilGo, one)
	for changed := b.db.Changed(); ; changed = b.db.Changed() {
		if j, err := b.Get(t.Context(), project.K, begun); err != nil || j.State == job.Running {
			break
		}
		if j, err := b.Get(t.Context(), project.K, waits); err != nil || j.State == job.Running {
			t.Error("what waited took the place of what had begun")
			break
		}
		<-changed
	}
	b.touch(t, "go")
	b.await(t, begun)
	b.await(t, waits)
}

func TestCancel_EndsAStepAlsoWhenNoPlaceIsFree(t *testing.T) {
	b := newBench(t)
	b.steps(t, untilGo, job.Limits{})
	other := b.enqueue(t, job.Task{Kind: "step"})
	b.attempt(t, other, 1)
	id := b.enqueue(t, job.Task{Kind: "step"})
	_, _, childPID := b.attempt(t, id, 1)
	b.restart(t)
	b.steps(t, untilGo, job.Limits{Concurrency: 1}) // which the other one takes
	b.cancel(t, id)
	if j := b.await(t, id); j.State != job.Cancelled {
		t.Errorf("job = %+v", j)
	}
	if !gone(childPID) {
		t.Error("the step outlived its job")
	}
	b.touch(t, "go")
	b.await(t, other)
}

func TestStep_ARetryStartsAfresh(t *testing.T) {
	b := newBench(t)
	b.steps(t, `echo start >> starts; wc -l < starts; [ $(wc -l < starts) = 3 ]`,
		job.Limits{Retries: 5, Backoff: time.Millisecond})
	j := b.await(t, b.enqueue(t, job.Task{Kind: "step"}))
	if j.State != job.Done || j.Attempt != 3 || j.Losses != 0 {
		t.Errorf("job = %+v", j)
	}
	if got := b.noted(t); len(got) != 1 || got[0] != "3" {
		t.Errorf("effects = %v", got)
	}
}

func TestStep_TheLossOfOneLeavesTheOthers(t *testing.T) {
	b := newBench(t)
	b.Handle("pair", func(ctx context.Context, r *job.Run) error {
		results := make(chan error, 2)
		for _, name := range []string{"main", "other"} {
			go func() {
				_, _, err := r.Step(ctx, name, b.prepare(
					`echo `+name+` >> starts; until [ -e go ]; do sleep 0.01; done`))
				results <- err
			}()
		}
		if err := errors.Join(<-results); err != nil {
			return err
		}
		return <-results
	}, job.Limits{})
	b.start(t)
	id := b.enqueue(t, job.Task{Kind: "pair"})
	_, shimPID, _ := b.attempt(t, id, 1)
	for strings.Count(b.read("starts"), "\n") < 2 {
		time.Sleep(time.Millisecond)
	}
	syscall.Kill(shimPID, syscall.SIGKILL)
	b.attempt(t, id, 2)
	b.touch(t, "go")
	if j := b.await(t, id); j.State != job.Done || j.Losses != 1 {
		t.Errorf("job = %+v", j)
	}
	if n := strings.Count(b.read("starts"), "other"); n != 1 {
		t.Errorf("the step that was not lost was started %d times", n)
	}
}

func TestRun_EndsStepsThatAreStillRunningWhenItIsDone(t *testing.T) {
	for name, end := range map[string]func(ctx context.Context, r *job.Run) error{
		"commit": func(ctx context.Context, r *job.Run) error {
			return r.Commit(context.WithoutCancel(ctx), store.Control, nil)
		},
		"return": func(context.Context, *job.Run) error { return nil },
	} {
		t.Run(name, func(t *testing.T) { endsSteps(t, end) })
	}
}

func endsSteps(t *testing.T, end job.Handler) {
	b := newBench(t)
	b.Handle("hasty", func(ctx context.Context, r *job.Run) error {
		ctx, stop := context.WithCancelCause(ctx)
		returned := make(chan struct{})
		go func() {
			defer close(returned)
			r.Step(ctx, "main", b.prepare(untilGo))
		}()
		b.attempt(t, r.Job.ID, 1)
		stop(job.ErrStopping) // leaves the step alone
		<-returned
		return end(ctx, r)
	}, job.Limits{})
	b.start(t)
	id := b.enqueue(t, job.Task{Kind: "hasty"})
	b.await(t, id)
	_, shimPID, childPID := b.attempt(t, id, 1)
	b.Stop(t.Context())
	if !gone(shimPID) || !gone(childPID) {
		t.Error("the step outlived its job")
	}
}

func TestStep_RefusesNamesThatAreNoDirectory(t *testing.T) {
	b := newBench(t)
	var errs []error
	b.Handle("names", func(ctx context.Context, r *job.Run) error {
		for _, name := range []string{"", "..", "a/b", ".hidden", "ü"} {
			_, _, err := r.Step(ctx, name, b.prepare("true"))
			errs = append(errs, err)
		}
		return nil
	}, job.Limits{})
	b.start(t)
	b.await(t, b.enqueue(t, job.Task{Kind: "names"}))
	for _, err := range errs {
		if !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("err = %v", err)
		}
	}
}

func BenchmarkThreeSteps(b *testing.B) {
	dir := b.TempDir()
	w := openBench(b, dir)
	ended := make(chan struct{})
	w.Handle("step", func(ctx context.Context, r *job.Run) error {
		_, exit, err := r.Step(ctx, "main", func(context.Context, job.Attempt) (shim.Spec, error) {
			return shim.Spec{Command: []string{"/bin/true"}, WorkDir: dir}, nil
		})
		if err != nil || !exit.OK() {
			return errors.Join(err, errors.New("not ok"))
		}
		return r.Commit(ctx, store.Control, nil)
	}, job.Limits{})
	w.OnDone("step", func(_ context.Context, tx *store.Tx, j *job.Job) error {
		var left int
		if err := j.Decode(&left); err != nil {
			return err
		}
		if left == 0 {
			tx.AtEnd(j.ID, func(*store.Tx) error { ended <- struct{}{}; return nil })
			return nil
		}
		_, _, err := w.Enqueue(tx, job.Task{Project: project, Kind: "step", Payload: left - 1})
		return err
	})
	if err := w.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		err := w.db.Write(b.Context(), store.Control, func(tx *store.Tx) error {
			_, _, err := w.Enqueue(tx, job.Task{Project: project, Kind: "step", Payload: 2})
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
		<-ended
	}
}
