package serving_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/release"
	"github.com/fairlead-ml/fairlead/serving"
	"github.com/fairlead-ml/fairlead/serving/servingtest"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

var (
	replaceBuffered = servingtest.Env(spec.Replace, spec.Buffered)
	replaceDurable  = servingtest.Env(spec.Replace, spec.Durable)
	canaryDurable   = servingtest.Env(spec.Canary, spec.Durable)
	canaryBuffered  = servingtest.Env(spec.Canary, spec.Buffered)

	faulty = fairlead.Errorf(fairlead.Invalid, "the graph is damaged")
)

// soon is less than a second, and more on a machine that is busy with other tests. What
// loads beside it takes for ever.
const soon = 10 * time.Second

func TestReconcile_NoRequestFailsDuringAHundredSwaps(t *testing.T) {
	w := servingtest.New(t)
	first := w.Deploy(replaceBuffered)
	stop, done := make(chan struct{}), sync.WaitGroup{}
	for worker := range 4 {
		done.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				_, err := w.Infer(fmt.Sprintf("%d-%d", worker, i), servingtest.March, servingtest.Hours(1))
				if err != nil && strings.Contains(err.Error(), "the request log cannot keep up") {
					continue // four callers without a pause, and a busy disk: no swap's fault
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	second := w.Version()
	for i := range 100 {
		want := second
		if i%2 == 0 {
			w.Begin(second, replaceBuffered)
		} else {
			want = first
			w.Rollback("test")
		}
		w.Until("the swap", func() bool { return strings.HasPrefix(w.Roles(), fmt.Sprintf("%d:live", want)) })
	}
	close(stop)
	done.Wait()
}

func TestReconcile_RollsBackToALoadedStandbyUnderASecondWhateverElseLoads(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceBuffered)
	w.Deploy(replaceBuffered)
	hang := make(chan struct{})
	next := w.Version()
	w.Engines.Set(func(e *servingtest.Engines) { e.Slow[next] = hang })
	w.Begin(next, canaryBuffered) // and its package takes for ever
	w.Until("the canary is being loaded", func() bool {
		w.Engines.Lock()
		defer w.Engines.Unlock()
		return w.Engines.Loads[next] == 1
	})
	began := time.Now()
	w.Rollback("version 2 is bad")
	w.Until("version 1 answers", func() bool { return w.MustInfer("", time.Time{}, servingtest.Hours(1)).Version == 1 })
	if took := time.Since(began); took > soon {
		t.Errorf("the rollback took %v", took)
	}
	if n := w.Engines.Loads[1]; n != 1 {
		t.Errorf("the standby was loaded %d times", n)
	}
}

func TestReconcile_RollsBackUnderASecondWhileAStandingShadowLoads(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceBuffered)
	w.Deploy(replaceBuffered)
	shadow, hang := w.Version(), make(chan struct{})
	w.Engines.Set(func(e *servingtest.Engines) { e.Slow[shadow] = hang })
	w.Shadow(shadow)
	began := time.Now()
	w.Rollback("version 2 is bad")
	w.Until("version 1 answers", func() bool { return w.MustInfer("", time.Time{}, servingtest.Hours(1)).Version == 1 })
	if took := time.Since(began); took > soon {
		t.Errorf("the rollback took %v", took)
	}
	if idle, err := w.Serving.Idle(t.Context(), servingtest.Project); idle || err != nil {
		t.Errorf("idle while the shadow loads: %v", err)
	}
	close(hang)
	w.Settle()
	if got := w.Roles(); got != "1:live 3:shadow" {
		t.Errorf("serves %s", got)
	}
}

func TestReconcile_EndsALoadThatIsNoLongerWanted(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceBuffered)
	next := w.Version()
	w.Engines.Set(func(e *servingtest.Engines) { e.Slow[next] = make(chan struct{}) })
	id := w.Begin(next, canaryBuffered)
	w.Do(func(tx *store.Tx) error {
		return w.Release.Rollback(context.Background(), tx, servingtest.Project, id, "test")
	})
	w.Settle()
	if got := w.Roles(); got != "1:live" {
		t.Errorf("serves %s", got)
	}
}

func TestReconcile_RollsBackWhatDoesNotLoad(t *testing.T) {
	cases := []struct {
		name  string
		start spec.Environment
		want  string
	}{
		{"a canary", canaryBuffered, "1:live"},
		{"a live version, for the standby", replaceBuffered, "1:live"},
		{"a rollout's shadow", servingtest.Env(spec.Shadow, spec.Buffered), "1:live"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := servingtest.New(t)
			w.Deploy(replaceBuffered)
			bad := w.Version()
			w.Engines.Set(func(e *servingtest.Engines) { e.Broken[bad] = faulty })
			w.Begin(bad, c.start)
			w.Settle()
			a := w.Assignment()
			if got := w.Roles(); got != c.want || a.ObservedGeneration != a.Generation || a.Generation != 3 {
				t.Errorf("serves %s in generation %d of %d", got, a.ObservedGeneration, a.Generation)
			}
			w.MustInfer("", time.Time{}, servingtest.Hours(1))
		})
	}
}

func TestReconcile_LeavesOutAStandbyOrShadowThatDoesNotLoad(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceBuffered)
	w.Deploy(replaceBuffered)
	shadow := w.Version()
	w.Engines.Set(func(e *servingtest.Engines) { e.Broken[shadow] = faulty })
	w.Shadow(shadow)
	w.Settle()
	if got := w.Roles(); got != "2:live 1:standby" {
		t.Errorf("serves %s", got)
	}
	w.Engines.Set(func(e *servingtest.Engines) { delete(e.Broken, shadow) })
	w.Until("the shadow comes back", func() bool { return w.Roles() == "2:live 1:standby 3:shadow" })
}

func TestReconcile_TriesAgainWhatMayPass(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceBuffered)
	next := w.Version()
	w.Engines.Set(func(e *servingtest.Engines) {
		e.Once[next] = fairlead.Errorf(fairlead.Unavailable, "the machine is busy")
	})
	w.Begin(next, replaceBuffered)
	w.Until("a second try", func() bool {
		w.Engines.Lock()
		defer w.Engines.Unlock()
		return w.Engines.Loads[next] == 2
	})
	w.Settle()
	if got := w.Roles(); got != "2:live 1:standby" {
		t.Errorf("serves %s", got)
	}
}

func TestReconcile_AnEndpointWithoutAWayBackIsDownAndSaysWhy(t *testing.T) {
	w := servingtest.New(t)
	only := w.Version()
	w.Engines.Set(func(e *servingtest.Engines) { e.Broken[only] = faulty })
	w.Begin(only, replaceBuffered)
	w.Settle() // it must not wait for ever
	_, err := w.Infer("", time.Time{}, servingtest.Hours(1))
	if !fairlead.Is(err, fairlead.Unavailable) || !strings.Contains(err.Error(), "the graph is damaged") {
		t.Errorf("the request: %v", err)
	}
	if err := w.Serving.Ready(); err != nil {
		t.Errorf("one endpoint that is down keeps the server from being ready: %v", err)
	}
	if got := w.Serving.Endpoints(servingtest.Project); len(got) != 0 {
		t.Errorf("%v can answer", got)
	}
	w.Engines.Set(func(e *servingtest.Engines) { delete(e.Broken, only) }) // its environment is back
	w.Until("it answers", func() bool { _, err := w.Infer("", time.Time{}, servingtest.Hours(1)); return err == nil })
	w.Settle()
	if a := w.Assignment(); a.ObservedGeneration != a.Generation {
		t.Errorf("generation %d of %d was observed", a.ObservedGeneration, a.Generation)
	}
}

func TestStart_GoesBackToAStandbyWhenTheLiveVersionNoLongerLoads(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceBuffered)
	w.Deploy(replaceBuffered)
	w.Stop()
	w.Engines.Set(func(e *servingtest.Engines) { e.Broken[2] = faulty })
	w.Start()
	w.Settle()
	if got := w.Roles(); got != "1:live" {
		t.Errorf("serves %s", got)
	}
	if a := w.Assignment(); !strings.Contains(a.Reason, "version 2 does not load: the graph is damaged") {
		t.Errorf("the reason is %q", a.Reason)
	}
}

func TestReconcile_ARolloutRescuesAnEndpointThatIsDown(t *testing.T) {
	for _, how := range []string{spec.Canary, spec.Shadow} {
		t.Run(how, func(t *testing.T) {
			w := servingtest.New(t)
			w.Deploy(replaceBuffered)
			w.Stop()
			w.Engines.Set(func(e *servingtest.Engines) { e.Broken[1] = faulty })
			w.Start()
			w.Settle()
			_, err := w.Infer("", time.Time{}, servingtest.Hours(1))
			if !fairlead.Is(err, fairlead.Unavailable) {
				t.Fatalf("the endpoint is down: %v", err)
			}
			id := w.Begin(w.Version(), servingtest.Env(how, spec.Buffered))
			w.Settle()
			if got := w.Roles(); got != "2:live" {
				t.Errorf("serves %s", got)
			}
			w.Do(func(tx *store.Tx) error {
				r, err := w.Release.Rollout(tx, servingtest.Project, id)
				const want = "version 1 does not load: the graph is damaged"
				if err == nil && (r.Outcome != release.Promoted || !strings.Contains(r.Reason, want)) {
					t.Errorf("%s: %s", r.Outcome, r.Reason)
				}
				return err
			})
		})
	}
}

func TestReconcile_ARollbackDoesNotLeadToAStandbyThatDoesNotLoad(t *testing.T) {
	w := servingtest.New(t)
	for range 3 {
		w.Deploy(replaceBuffered)
	}
	w.Stop()
	w.Engines.Set(func(e *servingtest.Engines) { e.Broken[2] = faulty })
	w.Start()
	w.Settle()
	if got := w.Roles(); got != "3:live 1:standby" {
		t.Fatalf("serves %s", got)
	}
	w.Rollback("test")
	w.Settle()
	if got := w.Roles(); got != "1:live" {
		t.Errorf("serves %s after a rollback", got)
	}
}

func TestReconcile_ARollbackIsRefusedWhereTheOnlyStandbyDoesNotLoad(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceBuffered)
	w.Deploy(replaceBuffered)
	w.Stop()
	w.Engines.Set(func(e *servingtest.Engines) { e.Broken[1] = faulty })
	w.Start()
	w.Until("the standby is none any more", func() bool { return len(w.Assignment().Variants) == 1 })
	err := w.DB.Write(t.Context(), store.Control, func(tx *store.Tx) error {
		return w.Release.RollbackEndpoint(t.Context(), tx, servingtest.Project,
			servingtest.Endpoint, "test")
	})
	const want = "version 1 does not load: the graph is damaged"
	if !fairlead.Is(err, fairlead.Precondition) || !strings.Contains(err.Error(), want) {
		t.Errorf("the rollback: %v", err)
	}
	w.Settle()
	if got := w.Roles(); got != "2:live" {
		t.Errorf("serves %s", got)
	}
}

func TestReconcile_KeepsAStandbyWhileTheLiveVersionDoesNotLoad(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceBuffered)
	w.Deploy(replaceBuffered)
	w.Stop()
	w.Engines.Set(func(e *servingtest.Engines) { e.Broken[1], e.Broken[2] = faulty, faulty })
	w.Start()
	tries(w, 2, 3)
	w.Engines.Set(func(e *servingtest.Engines) { delete(e.Broken, 1) })
	w.Until("the standby answers", func() bool { return w.Roles() == "1:live" })
}

func TestStart_TheLiveVersionAnswersWhileACanaryAndAShadowLoad(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceDurable)
	w.Deploy(canaryDurable)
	w.Shadow(w.Version())
	w.Settle()
	w.Stop()
	hang := make(chan struct{})
	w.Engines.Set(func(e *servingtest.Engines) { e.Slow[2], e.Slow[3] = hang, hang })
	w.Start()
	w.Until("the live version answers", func() bool {
		_, err := w.Infer("early", servingtest.March, servingtest.Hours(1))
		return err == nil
	})
	if err := w.Serving.Ready(); !fairlead.Is(err, fairlead.Unavailable) {
		t.Errorf("ready: %v", err)
	}
	close(hang)
	w.Settle()
	w.MustInfer("late", servingtest.March, servingtest.Hours(1))
	if got := w.Logged(); !slices.Equal(got, []string{"early v1=1001", "late v1=1001 v2=2001 v3=3001"}) {
		t.Errorf("logged %v", got)
	}
}

func TestReconcile_WhatThisMachineLacksIsNoVerdict(t *testing.T) {
	absent := fairlead.Errorf(fairlead.Unavailable, "ONNX Runtime is not installed: %w", engine.ErrAbsent)
	full := fmt.Errorf("unpack: %w", syscall.ENOSPC)
	impatient := func(t *testing.T) *servingtest.World {
		w := servingtest.New(t)
		w.Stop()
		w.Deps = func(d *serving.Deps) { d.GiveUpAfter = time.Nanosecond }
		w.Start()
		return w
	}
	for _, c := range []struct {
		what, want string
		err        error
	}{
		{"an engine", "version 2 cannot be loaded here: ONNX Runtime is not installed: not on this machine", absent},
		{"room", "version 2 cannot be loaded here: the disk of the data directory is full", full},
	} {
		t.Run("a canary waits for "+c.what, func(t *testing.T) {
			w := impatient(t)
			w.Deploy(replaceBuffered)
			next := w.Version()
			w.Engines.Set(func(e *servingtest.Engines) { e.Broken[next] = c.err })
			w.Begin(next, canaryBuffered)
			tries(w, next, 3)
			w.Settle()
			a := w.Assignment()
			if a.Version(release.RoleCanary) != next || a.ObservedGeneration == a.Generation ||
				a.Failure != c.want || a.FailedVersion != next {
				t.Errorf("assigned %+v", a)
			}
			w.Engines.Set(func(e *servingtest.Engines) { delete(e.Broken, next) })
			w.Until("the canary is there", func() bool { return w.Roles() == "1:live 2:canary" })
		})
	}
	t.Run("a live version with a standby is down", func(t *testing.T) {
		w := impatient(t)
		w.Deploy(replaceBuffered)
		w.Deploy(replaceBuffered)
		w.Stop()
		w.Engines.Set(func(e *servingtest.Engines) { e.Broken[1], e.Broken[2] = absent, absent })
		w.Start()
		tries(w, 2, 3)
		_, err := w.Infer("", time.Time{}, servingtest.Hours(1))
		if !fairlead.Is(err, fairlead.Unavailable) || !strings.Contains(err.Error(), "ONNX Runtime is not installed") {
			t.Errorf("the request: %v", err)
		}
		if a := w.Assignment(); a.Version(release.RoleLive) != 2 {
			t.Errorf("assigned %+v", a.Variants)
		}
		const why = "version 2 cannot be loaded here: ONNX Runtime is not installed"
		err = w.Serving.Failing(servingtest.Project, servingtest.Endpoint)
		if !strings.HasPrefix(fairlead.MessageOf(err), why) {
			t.Errorf("it says %v, want %s", err, why)
		}
		w.Engines.Set(func(e *servingtest.Engines) { clear(e.Broken) })
		w.Until("it is back", func() bool { return w.Roles() == "2:live 1:standby" })
		if err := w.Serving.Failing(servingtest.Project, servingtest.Endpoint); err != nil {
			t.Errorf("when it is back it says %v", err)
		}
	})
}

// tries waits until the version's load has been tried so often.
func tries(w *servingtest.World, version int64, n int) {
	w.Until("the load is tried", func() bool {
		w.Engines.Lock()
		defer w.Engines.Unlock()
		return w.Engines.Loads[version] >= n
	})
}

func TestReconcile_GivesUpOnWhatMayPassOnlyAfterItsTime(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceBuffered)
	next := w.Version()
	killed := fairlead.Errorf(fairlead.Unavailable, "the worker was killed")
	w.Engines.Set(func(e *servingtest.Engines) { e.Broken[next] = killed })
	w.Begin(next, canaryBuffered)
	tries(w, next, 5)
	if a := w.Assignment(); a.Version(release.RoleCanary) != next {
		t.Fatalf("given up after %d tries: %+v", 5, a.Variants)
	}
	w.Stop()
	w.Deps = func(d *serving.Deps) { d.GiveUpAfter = time.Millisecond }
	w.Start()
	w.Settle()
	if a := w.Assignment(); a.Version(release.RoleCanary) != 0 || w.Roles() != "1:live" {
		t.Errorf("assigned %+v, serves %s", a.Variants, w.Roles())
	}
}

func TestReconcile_AStandbyTakesOverFromALiveVersionThatStoppedAnswering(t *testing.T) {
	w := servingtest.New(t)
	w.Stop()
	w.Deps = func(d *serving.Deps) { d.GiveUpAfter = time.Millisecond }
	w.Start()
	w.Deploy(replaceBuffered)
	ill := fairlead.Errorf(fairlead.Unavailable, "the worker ends again and again")
	w.Engines.Set(func(e *servingtest.Engines) { e.Ill[1] = ill })
	described, err := w.Serving.Describe(t.Context(), servingtest.Project, servingtest.Endpoint, 0)
	if err != nil || described[0].Health != ill || metric(t, w, "fairlead_serving_endpoint_up") != 0 {
		t.Errorf("without a standby: %+v, %v, up %g", described, err, metric(t, w, "fairlead_serving_endpoint_up"))
	}
	w.Engines.Set(func(e *servingtest.Engines) { delete(e.Ill, 1) })
	w.Deploy(replaceBuffered)
	w.Engines.Set(func(e *servingtest.Engines) { e.Ill[2] = ill })
	w.Until("the standby answers", func() bool { return w.Roles() == "1:live" })
	if a := w.Assignment(); a.Reason != "version 2 has stopped answering: the worker ends again and again" {
		t.Errorf("the reason is %q", a.Reason)
	}
}

func TestStart_UnpacksAgainWhatIsDamaged(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceBuffered)
	w.Stop()
	models, err := filepath.Glob(filepath.Join(w.Dir, "packages", "*", "model.onnx"))
	if err != nil || len(models) != 1 {
		t.Fatalf("unpacked %v, %v", models, err)
	}
	if err := errors.Join(os.Chmod(models[0], 0o644), os.Truncate(models[0], 0)); err != nil {
		t.Fatal(err)
	}
	w.Start()
	w.Settle()
	if got := w.Roles(); got != "1:live" {
		t.Errorf("serves %s", got)
	}
}

func TestReconcile_ANewLoadWaitsForTheOneThatWasGivenUp(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceBuffered)
	next, hang := w.Version(), make(chan struct{})
	var running, most atomic.Int32
	w.Stop()
	w.Deps = func(d *serving.Deps) {
		load := d.Load
		d.Load = func(ctx context.Context, dir string) (engine.Predictor, *engine.Manifest, error) {
			if strings.Contains(filepath.Base(dir), fmt.Sprintf("-%d-", next)) {
				if n := running.Add(1); n > most.Load() {
					most.Store(n)
				}
				defer running.Add(-1)
				<-hang // whatever becomes of ctx
			}
			return load(ctx, dir)
		}
	}
	w.Start()
	for range 3 {
		id := w.Begin(next, canaryBuffered)
		w.Until("it is being loaded", func() bool { return running.Load() > 0 })
		w.Do(func(tx *store.Tx) error {
			return w.Release.Rollback(context.Background(), tx, servingtest.Project, id, "test")
		})
		w.Settle()
	}
	w.Begin(next, canaryBuffered)
	close(hang)
	w.Settle()
	if got := w.Roles(); got != "1:live 2:canary" || most.Load() != 1 {
		t.Errorf("serves %s; %d loads at once", got, most.Load())
	}
}

func TestStart_IsNotReadyNorIdleUntilModelsAreLoaded(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceBuffered)
	w.Stop()
	hang := make(chan struct{})
	w.Engines.Set(func(e *servingtest.Engines) { e.Slow[1] = hang })
	w.Start()
	idle, err := w.Serving.Idle(t.Context(), servingtest.Project)
	if idle || err != nil {
		t.Errorf("idle %v, %v", idle, err)
	}
	if err := w.Serving.Ready(); !fairlead.Is(err, fairlead.Unavailable) {
		t.Errorf("ready: %v", err)
	}
	for _, called := range []string{servingtest.Endpoint, "flights"} {
		_, err = w.Serving.Infer(t.Context(), servingtest.Project, called, serving.Request{Frame: servingtest.Hours(1)})
		if !fairlead.Is(err, fairlead.Unavailable) {
			t.Errorf("%s: %v", called, err)
		}
	}
	close(hang)
	w.Settle()
	if err := w.Serving.Ready(); err != nil {
		t.Error(err)
	}
}

func TestInfer_FirstReleaseIsUnavailableWhileItLoads(t *testing.T) {
	w := servingtest.New(t)
	const file = "project: default\nmodel: flights\nrelease:\n  production: {strategy: replace}\n"
	if _, err := spec.NewProjects(w.DB, w.Ledger, w.Clock).Apply(t.Context(), []byte(file), "c1"); err != nil {
		t.Fatal(err)
	}
	w.Settle()
	first, hang := w.Version(), make(chan struct{})
	w.Engines.Set(func(e *servingtest.Engines) { e.Slow[first] = hang })
	w.Begin(first, replaceBuffered)
	for _, called := range []string{servingtest.Endpoint, "flights"} {
		_, err := w.Serving.Infer(t.Context(), servingtest.Project, called, serving.Request{Frame: servingtest.Hours(1)})
		if !fairlead.Is(err, fairlead.Unavailable) {
			t.Errorf("%s: %v", called, err)
		}
	}
	close(hang)
	w.Settle()
}

func TestStart_RemovesPackagesThatNothingNames(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceBuffered)
	w.Deploy(replaceBuffered)
	w.Rollback("test") // version 2 is no standby now
	w.Settle()
	w.Stop()
	w.Start()
	w.Settle()
	dirs, err := filepath.Glob(filepath.Join(w.Dir, "packages", "*"))
	if err != nil || len(dirs) != 1 {
		t.Errorf("packages %v, %v", dirs, err)
	}
}

func TestDescribe_SaysWhatToCallInstead(t *testing.T) {
	w := servingtest.New(t)
	_, err := w.Serving.Describe(t.Context(), servingtest.Project, "flights", 0)
	if !fairlead.Is(err, fairlead.NotFound) || !strings.Contains(err.Error(), "nothing is released") {
		t.Errorf("before the first release: %v", err)
	}
	e := replaceBuffered
	e.Keep = 0
	for range 2 {
		w.Deploy(e)
	}
	w.Version()
	cases := []struct {
		endpoint string
		version  int64
		code     fairlead.Code
		want     string
	}{
		{"boats", 0, fairlead.NotFound, "call one of: flights@production"},
		{servingtest.Endpoint, 1, fairlead.Gone, "version 1 is retired; call flights@production without a version, or one of [2]"},
		{servingtest.Endpoint, 3, fairlead.NotFound, "is not released to flights@production"},
		{servingtest.Endpoint, 99, fairlead.NotFound, "has no version 99"},
	}
	for _, c := range cases {
		_, described := w.Serving.Describe(t.Context(), servingtest.Project, c.endpoint, c.version)
		_, signature := w.Serving.Signature(t.Context(), servingtest.Project, c.endpoint, c.version)
		_, inferred := w.Serving.Infer(t.Context(), servingtest.Project, c.endpoint,
			serving.Request{Version: c.version, Frame: servingtest.Hours(1)})
		for _, err := range []error{described, signature, inferred} {
			if !fairlead.Is(err, c.code) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s version %d: %v", c.endpoint, c.version, err)
			}
		}
	}
	if _, err := w.Serving.Describe(t.Context(), fairlead.Project{K: 2, Name: "other"}, servingtest.Endpoint, 0); !fairlead.Is(err, fairlead.NotFound) {
		t.Errorf("another project's endpoint: %v", err)
	}
}

func TestReconcile_AVersionInTwoRolesScoresOnce(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceDurable)
	for _, v := range []int64{1, 1} {
		w.Shadow(v)
	}
	w.Begin(w.Version(), canaryDurable)
	w.Settle()
	if got := w.Roles(); got != "1:live 2:canary" {
		t.Errorf("serves %s", got)
	}
	w.MustInfer("a", servingtest.March, servingtest.Hours(1))
	if got := w.Logged(); !slices.Equal(got, []string{"a v1=1001 v2=2001"}) {
		t.Errorf("logged %v", got)
	}
}
