package job_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/job/shim"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/store"
)

func TestMain(m *testing.M) {
	shim.Main()
	if dir, ok := os.LookupEnv(chaosVar); ok {
		chaosServer(dir)
	}
	os.Exit(m.Run())
}

var discard = slog.New(slog.DiscardHandler)

var project = fairlead.Project{K: 1, Name: "default"}

// effects is a table for what jobs do.
var effects = store.Schema{Component: "effects", Files: fstest.MapFS{"001_begin.sql": {
	Data: []byte("create table effect (k {{pk}}, what text not null)"),
}}}

// world is a database, its ledger, and one server on it.
type world struct {
	*job.Service
	db  *store.DB
	led *ledger.Ledger
}

// open returns a server that has not been started on the database in dir.
func open(t *testing.T, dir string, clock fairlead.Clock, opt job.Options) *world {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Path: filepath.Join(dir, "f.db")},
		ledger.Schema(), job.Schema(), effects)
	if err != nil {
		t.Fatal(err)
	}
	led := ledger.New(db, clock, discard)
	w := &world{job.New(db, led, clock, discard, opt), db, led}
	t.Cleanup(func() {
		w.Stop(context.Background())
		db.Close()
	})
	return w
}

// alone returns a server with a fresh database of its own.
func alone(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	return open(t, dir, fairlead.WallClock{},
		job.Options{Exclusive: true, StepsDir: filepath.Join(dir, "steps")})
}

func (w *world) start(t *testing.T) {
	t.Helper()
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (w *world) write(t *testing.T, fn func(tx *store.Tx) error) {
	t.Helper()
	if err := w.db.Write(t.Context(), store.Control, fn); err != nil {
		t.Fatal(err)
	}
}

func (w *world) enqueue(t *testing.T, task job.Task) (id string) {
	t.Helper()
	task.Project = project
	w.write(t, func(tx *store.Tx) (err error) {
		id, _, err = w.Enqueue(tx, task)
		return err
	})
	return id
}

// await returns the job when it is finished.
func (w *world) await(t *testing.T, id string) *job.Job {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	j, err := w.Await(ctx, project.K, id)
	if err != nil {
		t.Fatal(err)
	}
	if !j.State.Final() {
		t.Fatalf("job is still %s after %d attempts and %d losses", j.State, j.Attempt, j.Losses)
	}
	return j
}

func (w *world) cancel(t *testing.T, id string) {
	t.Helper()
	w.write(t, func(tx *store.Tx) error { return w.Cancel(t.Context(), tx, project.K, id) })
}

func note(tx *store.Tx, what string) error {
	_, err := tx.Exec("insert into effect (what) values (?)", what)
	return err
}

// noted returns the effects in order.
func (w *world) noted(t *testing.T) (all []string) {
	t.Helper()
	err := w.db.Read(t.Context(), func(tx *store.Tx) error {
		rows, err := tx.Query("select what from effect order by k")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var what string
			if err := rows.Scan(&what); err != nil {
				return err
			}
			all = append(all, what)
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func (w *world) idle(t *testing.T) (idle bool) {
	t.Helper()
	w.write(t, func(tx *store.Tx) (err error) {
		idle, err = w.Idle(tx, project.K)
		return err
	})
	return idle
}

// effect is a handler whose effect is its job's key.
func effect(ctx context.Context, r *job.Run) error {
	return r.Commit(ctx, store.Control, func(tx *store.Tx) error { return note(tx, r.Job.Key) })
}

// obedient is a handler that works until it is told to stop.
func obedient(ctx context.Context, _ *job.Run) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

func TestEnqueue_IsIdempotentByKindAndKey(t *testing.T) {
	w := alone(t)
	w.Handle("a", effect, job.Limits{})
	w.start(t)
	first := w.enqueue(t, job.Task{Kind: "a", Key: "x"})
	w.await(t, first)
	if again := w.enqueue(t, job.Task{Kind: "a", Key: "x"}); again != first {
		t.Errorf("the same work got two ids, %s and %s", first, again)
	}
	other := w.enqueue(t, job.Task{Kind: "a", Key: "y"})
	w.await(t, other)
	if got := fmt.Sprint(w.noted(t)); got != "[x y]" {
		t.Errorf("effects = %s", got)
	}
}

func TestEnqueue_BelongsToItsTransaction(t *testing.T) {
	w := alone(t)
	w.Handle("a", effect, job.Limits{})
	w.start(t)
	boom := errors.New("boom")
	err := w.db.Write(t.Context(), store.Control, func(tx *store.Tx) error {
		if _, _, err := w.Enqueue(tx, job.Task{Project: project, Kind: "a", Key: "undone"}); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatal(err)
	}
	w.await(t, w.enqueue(t, job.Task{Kind: "a", Key: "kept"}))
	if got := fmt.Sprint(w.noted(t)); got != "[kept]" || !w.idle(t) {
		t.Errorf("effects = %s", got)
	}
}

func TestRun_CarriesPayloadAndResult(t *testing.T) {
	type sum struct{ A, B int }
	w := alone(t)
	w.Handle("sum", func(ctx context.Context, r *job.Run) error {
		var in sum
		if err := r.Job.Decode(&in); err != nil {
			return err
		}
		return r.SetResult(in.A + in.B)
	}, job.Limits{})
	w.start(t)
	j := w.await(t, w.enqueue(t, job.Task{Kind: "sum", Payload: sum{2, 3}, CauseEvent: "ev_1"}))
	if j.State != job.Done || string(j.Result) != "5" || j.CauseEvent != "ev_1" {
		t.Errorf("job = %+v", j)
	}
	if j.Attempt != 1 || j.Fence != 1 || j.Losses != 0 || j.Finished.Before(j.Started) {
		t.Errorf("job = %+v", j)
	}
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(w.Collector())
	families, err := reg.Gather()
	if err != nil || len(families) != 1 || families[0].GetName() != "fairlead_jobs_finished_total" ||
		families[0].Metric[0].GetCounter().GetValue() != 1 {
		t.Errorf("metrics %v, error %v", families, err)
	}
}

func TestRun_FailuresAreRetriedAndCounted(t *testing.T) {
	bad := fairlead.Errorf(fairlead.Invalid, "bad input")
	failed := func() error { return bad }
	permanent := func() error { return job.Permanent(bad) }
	internal := func() error { return errors.New("secret") }
	lost := func() error { return job.Lost(bad) }
	full := func() error { return job.Lost(fairlead.Errorf(fairlead.Exhausted, "full")) }
	for name, tc := range map[string]struct {
		failures int // before it succeeds
		err      func() error
		state    job.State
		attempts int
		losses   int
		message  string
		wait     time.Duration // at least
	}{
		"none":           {0, nil, job.Done, 1, 0, "", 0},
		"within retries": {2, failed, job.Done, 3, 0, "", 3 * time.Second},
		"beyond retries": {9, failed, job.Failed, 3, 0, "bad input", 3 * time.Second},
		"permanent":      {9, permanent, job.Failed, 1, 0, "bad input", 0},
		"internal": {9, internal, job.Failed, 3, 0,
			"internal error; the server's log has the cause", 3 * time.Second},
		"panic": {1, func() error { panic("oops") }, job.Done, 2, 0, "", time.Second},
		"lost":  {5, lost, job.Done, 1, 5, "", 3 * time.Second},
		"lost every time": {99, lost, job.Failed, 1, 7,
			"the job was lost 7 times; the last time: bad input", 12 * time.Second},
		"full disk": {9, full, job.Done, 1, 0, "", 18 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := open(t, t.TempDir(), fairlead.WallClock{}, job.Options{MaxLosses: 6, Exclusive: true})
				calls := 0
				w.Handle("a", func(context.Context, *job.Run) error {
					if calls++; calls <= tc.failures {
						return tc.err()
					}
					return nil
				}, job.Limits{Retries: 2})
				w.start(t)
				begin := time.Now()
				j := w.await(t, w.enqueue(t, job.Task{Kind: "a"}))
				if j.State != tc.state || j.Attempt != tc.attempts || j.Losses != tc.losses ||
					j.Error != tc.message {
					t.Errorf("%s after %d attempts and %d losses: %q", j.State, j.Attempt, j.Losses, j.Error)
				}
				if took := time.Since(begin); took < tc.wait || took > tc.wait+5*time.Second {
					t.Errorf("took %s, want %s", took, tc.wait)
				}
				w.Stop(t.Context())
				w.db.Close()
			})
		})
	}
}

func TestTransient_RetriesOnlyWhatTimeMends(t *testing.T) {
	full := fmt.Errorf("check out: %w", &fs.PathError{Op: "write", Path: "a", Err: syscall.ENOSPC})
	code := func(c fairlead.Code) error { return fairlead.Errorf(c, "no") }
	for name, tc := range map[string]struct {
		err      error
		state    job.State
		attempts int
	}{
		"unavailable": {code(fairlead.Unavailable), job.Failed, 3},
		"invalid":     {code(fairlead.Invalid), job.Failed, 1},
		"not found":   {code(fairlead.NotFound), job.Failed, 1},
		"internal":    {code(fairlead.Internal), job.Failed, 1},
		"no room":     {code(fairlead.Exhausted), job.Done, 1}, // it waits for as long as it takes
		"a full disk": {full, job.Done, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := open(t, t.TempDir(), fairlead.WallClock{}, job.Options{Exclusive: true})
				begin := time.Now()
				w.Handle("a", job.Transient(func(context.Context, *job.Run) error {
					if time.Since(begin) > 10*time.Second {
						return nil
					}
					return tc.err
				}), job.Limits{Retries: 2})
				w.start(t)
				j := w.await(t, w.enqueue(t, job.Task{Kind: "a"}))
				if j.State != tc.state || j.Attempt != tc.attempts {
					t.Errorf("%s after %d attempts: %s", j.State, j.Attempt, j.Error)
				}
				w.Stop(t.Context())
				w.db.Close()
			})
		})
	}
}

func TestRun_EndsAtItsTimeout(t *testing.T) {
	w := alone(t)
	w.Handle("a", obedient, job.Limits{Timeout: 20 * time.Millisecond})
	w.start(t)
	j := w.await(t, w.enqueue(t, job.Task{Kind: "a"}))
	if j.State != job.Failed || j.Error != job.ErrTimeout.Message {
		t.Errorf("%s: %s", j.State, j.Error)
	}
}

func TestLimits_BoundWhatRunsAtOnce(t *testing.T) {
	w := open(t, t.TempDir(), fairlead.WallClock{}, job.Options{Workers: 3, Exclusive: true})
	var now, most [2]atomic.Int64
	handler := func(i int) job.Handler {
		return func(ctx context.Context, r *job.Run) error {
			if n := now[i].Add(1); n > most[i].Load() {
				most[i].Store(n)
			}
			defer now[i].Add(-1)
			return r.Write(ctx, store.Control, func(tx *store.Tx) error { return nil })
		}
	}
	w.Handle("narrow", handler(0), job.Limits{Concurrency: 1})
	w.Handle("wide", handler(1), job.Limits{})
	var ids []string
	for range 30 {
		ids = append(ids, w.enqueue(t, job.Task{Kind: "narrow"}), w.enqueue(t, job.Task{Kind: "wide"}))
	}
	w.start(t)
	for _, id := range ids {
		w.await(t, id)
	}
	if most[0].Load() != 1 || most[1].Load() > 3 {
		t.Errorf("at once: %d of the narrow kind, %d of the wide one", most[0].Load(), most[1].Load())
	}
}

func TestCancel_AWaitingJobNeverRuns(t *testing.T) {
	w := alone(t)
	w.Handle("a", effect, job.Limits{})
	id := w.enqueue(t, job.Task{Kind: "a"})
	w.cancel(t, id)
	w.start(t)
	w.await(t, w.enqueue(t, job.Task{Kind: "a", Key: "next"}))
	if j := w.await(t, id); j.State != job.Cancelled || j.Attempt != 0 {
		t.Errorf("job = %+v", j)
	}
	w.cancel(t, id)
	if got := fmt.Sprint(w.noted(t)); got != "[next]" {
		t.Errorf("effects = %s", got)
	}
}

func TestCancel_ARunningJobCanCommitNothing(t *testing.T) {
	w := alone(t)
	started, cancelled := make(chan struct{}), make(chan struct{})
	var commit error
	w.Handle("a", func(ctx context.Context, r *job.Run) error {
		close(started)
		<-cancelled
		commit = effect(ctx, r)
		<-ctx.Done()
		if !errors.Is(context.Cause(ctx), job.ErrCancelled) {
			t.Errorf("cause = %v", context.Cause(ctx))
		}
		return nil
	}, job.Limits{})
	w.start(t)
	id := w.enqueue(t, job.Task{Kind: "a"})
	<-started
	w.cancel(t, id)
	close(cancelled)
	if j := w.await(t, id); j.State != job.Cancelled {
		t.Errorf("job = %+v", j)
	}
	if !errors.Is(commit, job.ErrCancelled) || len(w.noted(t)) != 0 {
		t.Errorf("commit = %v, effects = %v", commit, w.noted(t))
	}
}

func TestOnDone_RunsWithTheFinalState(t *testing.T) {
	w := alone(t)
	var mu sync.Mutex
	tries := 0
	w.Handle("good", effect, job.Limits{})
	w.Handle("bad", func(context.Context, *job.Run) error { return errors.New("bad") }, job.Limits{})
	follow := func(_ context.Context, tx *store.Tx, j *job.Job) error {
		_, _, err := w.Enqueue(tx, job.Task{Project: j.Project, Kind: "after",
			Key: j.Key + " " + string(j.State)})
		return err
	}
	for _, kind := range []string{"good", "bad"} {
		w.OnDone(kind, follow)
	}
	w.OnDone("after", func(context.Context, *store.Tx, *job.Job) error {
		mu.Lock()
		defer mu.Unlock()
		if tries++; tries == 1 {
			return errors.New("not yet")
		}
		return nil
	})
	w.Handle("after", effect, job.Limits{Retries: 3, Backoff: time.Millisecond})
	gone := w.enqueue(t, job.Task{Kind: "good", Key: "c"})
	w.cancel(t, gone)
	w.start(t)
	w.enqueue(t, job.Task{Kind: "good", Key: "a"})
	w.enqueue(t, job.Task{Kind: "bad", Key: "b"})
	for !w.idle(t) {
		<-w.db.Changed()
	}
	got := map[string]bool{}
	for _, what := range w.noted(t) {
		if got[what] {
			t.Errorf("%q was done twice", what)
		}
		got[what] = true
	}
	for _, want := range []string{"a", "a done", "b failed", "c cancelled"} {
		if !got[want] {
			t.Errorf("%q is missing in %v", want, got)
		}
	}
}

func TestLease_ASilentServerIsReplacedWithinIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		const lease = 5 * time.Second
		dead := open(t, dir, fairlead.WallClock{}, job.Options{Lease: lease})
		claimed := make(chan struct{})
		dead.Handle("a", func(ctx context.Context, r *job.Run) error {
			close(claimed)
			return obedient(ctx, r)
		}, job.Limits{})
		dead.start(t)
		id := dead.enqueue(t, job.Task{Kind: "a", Key: "x"})
		<-claimed
		time.Sleep(3 * lease) // it renews while it lives; the clock here is the bubble's
		dead.db.Close()       // it can say nothing any more, as if it had died
		died := time.Now()

		next := open(t, dir, fairlead.WallClock{}, job.Options{Lease: lease})
		next.Handle("a", effect, job.Limits{})
		next.start(t)
		j := next.await(t, id)
		if took := time.Since(died); took > lease+2*time.Second {
			t.Errorf("the takeover took %s", took)
		}
		if j.State != job.Done || j.Losses != 1 || j.Attempt != 1 || j.Fence != 2 {
			t.Errorf("job = %+v", j)
		}
		lost, err := next.led.List(t.Context(), ledger.Filter{Types: []string{event.JobLostType}})
		if err != nil || len(lost) != 1 || lost[0].Subject != id || lost[0].Project != project.Name {
			t.Errorf("events = %+v, %v", lost, err)
		}
		dead.Stop(t.Context())
		next.Stop(t.Context())
		next.db.Close()
	})
}

func TestFence_ARunThatWasTakenOverChangesNothing(t *testing.T) {
	dir := t.TempDir()
	// its clock is an hour late: to others its lease has always ended
	late := open(t, dir, fairlead.NewFakeClock(time.Now().Add(-time.Hour)), job.Options{})
	claimed, taken, tried := make(chan struct{}), make(chan struct{}), make(chan error, 2)
	late.Handle("a", func(ctx context.Context, r *job.Run) error {
		close(claimed)
		<-taken
		tried <- r.Write(context.WithoutCancel(ctx), store.Control, func(tx *store.Tx) error {
			return note(tx, "late write")
		})
		tried <- effect(context.WithoutCancel(ctx), r)
		return errors.New("whatever it says is late")
	}, job.Limits{})
	late.start(t)
	id := late.enqueue(t, job.Task{Kind: "a", Key: "x"})
	<-claimed

	next := open(t, dir, fairlead.WallClock{}, job.Options{})
	next.Handle("a", effect, job.Limits{})
	next.start(t)
	next.await(t, id)
	close(taken)
	for range 2 {
		if err := <-tried; !errors.Is(err, job.ErrFenced) {
			t.Errorf("err = %v", err)
		}
	}
	late.Stop(t.Context())
	if j := next.await(t, id); j.State != job.Done || j.Fence != 2 {
		t.Errorf("job = %+v", j)
	}
	if got := fmt.Sprint(next.noted(t)); got != "[x]" {
		t.Errorf("effects = %s", got)
	}
}

func TestStart_TakesOverAtOnceWhenAlone(t *testing.T) {
	dir := t.TempDir()
	dead := open(t, dir, fairlead.WallClock{}, job.Options{Lease: time.Hour})
	claimed := make(chan struct{})
	dead.Handle("a", func(ctx context.Context, r *job.Run) error {
		close(claimed)
		return obedient(ctx, r)
	}, job.Limits{})
	dead.start(t)
	id := dead.enqueue(t, job.Task{Kind: "a", Key: "x"})
	<-claimed
	dead.db.Close()

	next := open(t, dir, fairlead.WallClock{}, job.Options{Lease: time.Hour, Exclusive: true})
	next.Handle("a", effect, job.Limits{})
	next.start(t)
	if j := next.await(t, id); j.State != job.Done || j.Losses != 1 {
		t.Errorf("job = %+v", j)
	}
}

// Else its project would never be idle again.
func TestStart_FailsJobsOfAKindThatIsGone(t *testing.T) {
	w := open(t, t.TempDir(), fairlead.WallClock{}, job.Options{Exclusive: true})
	w.Handle("a", effect, job.Limits{})
	gone := w.enqueue(t, job.Task{Kind: "gone", RunAt: time.Now().Add(time.Hour)})
	known := w.enqueue(t, job.Task{Kind: "a", Key: "x"})
	w.start(t)
	if j := w.await(t, gone); j.State != job.Failed || !strings.Contains(j.Error, "gone") {
		t.Errorf("job = %+v", j)
	}
	if j := w.await(t, known); j.State != job.Done {
		t.Errorf("job = %+v", j)
	}
}

func TestStop_GivesJobsBackWithoutCounting(t *testing.T) {
	dir := t.TempDir()
	first := open(t, dir, fairlead.WallClock{}, job.Options{Exclusive: true})
	if err := first.Stop(t.Context()); err != nil {
		t.Errorf("stop before start: %v", err)
	}
	first = open(t, dir, fairlead.WallClock{}, job.Options{Exclusive: true})
	claimed := make(chan struct{})
	first.Handle("a", func(ctx context.Context, r *job.Run) error {
		close(claimed)
		return obedient(ctx, r)
	}, job.Limits{})
	first.start(t)
	id := first.enqueue(t, job.Task{Kind: "a"})
	<-claimed
	for range 2 {
		if err := first.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	j, err := first.Get(t.Context(), project.K, id)
	if err != nil || j.State != job.Queued || j.Attempt != 0 || j.Losses != 0 || j.Fence != 1 {
		t.Errorf("job = %+v, %v", j, err)
	}
	if first.idle(t) {
		t.Error("a project with a job to go on with is not idle")
	}
}

func TestIdle_IgnoresWhatOnlyWaitsForItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := open(t, t.TempDir(), fairlead.WallClock{}, job.Options{Exclusive: true})
		w.Handle("a", effect, job.Limits{})
		w.start(t)
		later := time.Now().Add(time.Hour)
		id := w.enqueue(t, job.Task{Kind: "a", Key: "later", RunAt: later, Scheduled: true})
		if !w.idle(t) {
			t.Error("a scheduled job counts before its time")
		}
		w.enqueue(t, job.Task{Kind: "a", Key: "retry", RunAt: later})
		if w.idle(t) {
			t.Error("a job that is merely delayed does not count")
		}
		time.Sleep(time.Hour)
		if j := w.await(t, id); j.Started.Before(later) || j.Started.After(later.Add(time.Second)) {
			t.Errorf("ran at %s, not %s", j.Started, later)
		}
		w.Stop(t.Context())
		w.db.Close()
	})
}

func TestList_PagesNewestFirstWithinAProject(t *testing.T) {
	w := alone(t)
	var want []string
	for i := range 5 {
		want = append([]string{w.enqueue(t, job.Task{Kind: "a", Key: fmt.Sprint(i)})}, want...)
	}
	w.enqueue(t, job.Task{Kind: "b"})
	var got []string
	filter := job.Filter{Kind: "a", State: job.Queued}
	for token := ""; ; {
		p, err := w.List(t.Context(), project.K, filter, token, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range p.Items {
			got = append(got, j.ID)
		}
		if token = p.Next; token == "" {
			break
		}
		_, err = w.List(t.Context(), project.K, job.Filter{}, token, 2)
		if !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("a token of another filter: %v", err)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if _, err := w.Get(t.Context(), project.K+1, want[0]); !fairlead.Is(err, fairlead.NotFound) {
		t.Errorf("another project's job: %v", err)
	}
	p, err := w.List(t.Context(), project.K+1, job.Filter{}, "", 0)
	if err != nil || len(p.Items) != 0 {
		t.Errorf("another project's list: %v, %v", p, err)
	}
}
