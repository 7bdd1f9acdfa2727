package serving_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/serving"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

var (
	replaceBuffered = env(spec.Replace, spec.Buffered)
	replaceDurable  = env(spec.Replace, spec.Durable)
	canaryDurable   = env(spec.Canary, spec.Durable)
	canaryBuffered  = env(spec.Canary, spec.Buffered)

	faulty = fairlead.Errorf(fairlead.Invalid, "the graph is damaged")
)

func TestReconcile_NoRequestFailsDuringAHundredSwaps(t *testing.T) {
	w := newWorld(t)
	first := w.deploy(replaceBuffered)
	stop, done := make(chan struct{}), sync.WaitGroup{}
	for worker := range 4 {
		done.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := w.infer(fmt.Sprintf("%d-%d", worker, i), march, hours(1)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	second := w.version()
	for i := range 100 {
		want := second
		if i%2 == 0 {
			w.begin(second, replaceBuffered)
		} else {
			want = first
			w.rollback("test")
		}
		w.until("the swap", func() bool { return strings.HasPrefix(w.roles(), fmt.Sprintf("%d:live", want)) })
	}
	close(stop)
	done.Wait()
}

func TestReconcile_RollsBackToALoadedStandbyUnderASecondWhateverElseLoads(t *testing.T) {
	w := newWorld(t)
	w.deploy(replaceBuffered)
	w.deploy(replaceBuffered)
	hang := make(chan struct{})
	next := w.version()
	w.engines.set(func(e *engines) { e.slow[next] = hang })
	w.begin(next, canaryBuffered) // and its package takes for ever
	w.until("the canary is being loaded", func() bool {
		w.engines.mu.Lock()
		defer w.engines.mu.Unlock()
		return w.engines.loads[next] == 1
	})
	began := time.Now()
	w.rollback("version 2 is bad")
	w.until("version 1 answers", func() bool { return w.mustInfer("", time.Time{}, hours(1)).Version == 1 })
	if took := time.Since(began); took > time.Second {
		t.Errorf("the rollback took %v", took)
	}
	if n := w.engines.loads[1]; n != 1 {
		t.Errorf("the standby was loaded %d times", n)
	}
}

func TestReconcile_EndsALoadThatIsNoLongerWanted(t *testing.T) {
	w := newWorld(t)
	w.deploy(replaceBuffered)
	next := w.version()
	w.engines.set(func(e *engines) { e.slow[next] = make(chan struct{}) })
	id := w.begin(next, canaryBuffered)
	w.do(func(tx *store.Tx) error { return w.release.Rollback(context.Background(), tx, project, id, "test") })
	w.settle()
	if got := w.roles(); got != "1:live" {
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
		{"a rollout's shadow", env(spec.Shadow, spec.Buffered), "1:live"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.deploy(replaceBuffered)
			bad := w.version()
			w.engines.set(func(e *engines) { e.broken[bad] = faulty })
			w.begin(bad, c.start)
			w.settle()
			a := w.assignment()
			if got := w.roles(); got != c.want || a.ObservedGeneration != a.Generation || a.Generation != 3 {
				t.Errorf("serves %s in generation %d of %d", got, a.ObservedGeneration, a.Generation)
			}
			w.mustInfer("", time.Time{}, hours(1))
		})
	}
}

func TestReconcile_LeavesOutAStandbyOrShadowThatDoesNotLoad(t *testing.T) {
	w := newWorld(t)
	w.deploy(replaceBuffered)
	w.deploy(replaceBuffered)
	shadow := w.version()
	w.engines.set(func(e *engines) { e.broken[shadow] = faulty })
	w.do(func(tx *store.Tx) error {
		return w.release.StartShadow(context.Background(), tx, project, name, shadow, "test")
	})
	w.settle()
	if got := w.roles(); got != "2:live 1:standby" {
		t.Errorf("serves %s", got)
	}
	w.engines.set(func(e *engines) { delete(e.broken, shadow) })
	w.until("the shadow comes back", func() bool { return w.roles() == "2:live 1:standby 3:shadow" })
}

func TestReconcile_TriesAgainWhatMayPass(t *testing.T) {
	w := newWorld(t)
	w.deploy(replaceBuffered)
	next := w.version()
	w.engines.set(func(e *engines) {
		e.broken[next] = fairlead.Errorf(fairlead.Unavailable, "the machine is busy")
		e.slow[next] = make(chan struct{})
	})
	w.begin(next, replaceBuffered)
	w.engines.set(func(e *engines) { close(e.slow[next]) })
	w.until("a second try", func() bool {
		w.engines.mu.Lock()
		defer w.engines.mu.Unlock()
		if e := w.engines; e.loads[next] == 1 {
			delete(e.broken, next)
		}
		return w.engines.loads[next] == 2
	})
	w.settle()
	if got := w.roles(); got != "2:live 1:standby" {
		t.Errorf("serves %s", got)
	}
}

func TestReconcile_AnEndpointWithoutAWayBackIsDownAndSaysWhy(t *testing.T) {
	w := newWorld(t)
	only := w.version()
	w.engines.set(func(e *engines) { e.broken[only] = faulty })
	w.begin(only, replaceBuffered)
	w.settle() // it must not wait for ever
	_, err := w.infer("", time.Time{}, hours(1))
	if !fairlead.Is(err, fairlead.Unavailable) || !strings.Contains(err.Error(), "the graph is damaged") {
		t.Errorf("the request: %v", err)
	}
	if err := w.serving.Ready(); err != nil {
		t.Errorf("one endpoint that is down keeps the server from being ready: %v", err)
	}
	if got := w.serving.Endpoints(project); len(got) != 0 {
		t.Errorf("%v can answer", got)
	}
	w.engines.set(func(e *engines) { delete(e.broken, only) }) // its environment is back
	w.until("it answers", func() bool { _, err := w.infer("", time.Time{}, hours(1)); return err == nil })
	w.settle()
	if a := w.assignment(); a.ObservedGeneration != a.Generation {
		t.Errorf("generation %d of %d was observed", a.ObservedGeneration, a.Generation)
	}
}

func TestStart_GoesBackToAStandbyWhenTheLiveVersionNoLongerLoads(t *testing.T) {
	w := newWorld(t)
	w.deploy(replaceBuffered)
	w.deploy(replaceBuffered)
	w.stop()
	w.engines.set(func(e *engines) { e.broken[2] = faulty })
	w.start()
	w.settle()
	if got := w.roles(); got != "1:live" {
		t.Errorf("serves %s", got)
	}
	if a := w.assignment(); !strings.Contains(a.Reason, "version 2 does not load: the graph is damaged") {
		t.Errorf("the reason is %q", a.Reason)
	}
}

func TestStart_IsNotReadyNorIdleUntilModelsAreLoaded(t *testing.T) {
	w := newWorld(t)
	w.deploy(replaceBuffered)
	w.stop()
	hang := make(chan struct{})
	w.engines.set(func(e *engines) { e.slow[1] = hang })
	w.start()
	idle, err := w.serving.Idle(t.Context(), project)
	if idle || err != nil {
		t.Errorf("idle %v, %v", idle, err)
	}
	if err := w.serving.Ready(); !fairlead.Is(err, fairlead.Unavailable) {
		t.Errorf("ready: %v", err)
	}
	for _, called := range []string{name, "bikes"} {
		_, err = w.serving.Infer(t.Context(), project, called, serving.Request{Frame: hours(1)})
		if !fairlead.Is(err, fairlead.Unavailable) {
			t.Errorf("%s: %v", called, err)
		}
	}
	close(hang)
	w.settle()
	if err := w.serving.Ready(); err != nil {
		t.Error(err)
	}
}

func TestStart_RemovesPackagesThatNothingNames(t *testing.T) {
	w := newWorld(t)
	w.deploy(replaceBuffered)
	w.deploy(replaceBuffered)
	w.rollback("test") // version 2 is no standby now
	w.settle()
	w.stop()
	w.start()
	w.settle()
	dirs, err := filepath.Glob(filepath.Join(w.dir, "packages", "*"))
	if err != nil || len(dirs) != 1 {
		t.Errorf("packages %v, %v", dirs, err)
	}
}

func TestDescribe_SaysWhatToCallInstead(t *testing.T) {
	w := newWorld(t)
	_, err := w.serving.Describe(t.Context(), project, "bikes", 0)
	if !fairlead.Is(err, fairlead.NotFound) || !strings.Contains(err.Error(), "nothing is released") {
		t.Errorf("before the first release: %v", err)
	}
	e := replaceBuffered
	e.Keep = 0
	for range 2 {
		w.deploy(e)
	}
	w.version()
	cases := []struct {
		endpoint string
		version  int64
		code     fairlead.Code
		want     string
	}{
		{"boats", 0, fairlead.NotFound, "call one of: bikes@production"},
		{name, 1, fairlead.Gone, "version 1 is retired; call bikes@production without a version, or one of [2]"},
		{name, 3, fairlead.NotFound, "is not released to bikes@production"},
		{name, 99, fairlead.NotFound, "has no version 99"},
	}
	for _, c := range cases {
		_, described := w.serving.Describe(t.Context(), project, c.endpoint, c.version)
		_, signature := w.serving.Signature(t.Context(), project, c.endpoint, c.version)
		_, inferred := w.serving.Infer(t.Context(), project, c.endpoint,
			serving.Request{Version: c.version, Frame: hours(1)})
		for _, err := range []error{described, signature, inferred} {
			if !fairlead.Is(err, c.code) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s version %d: %v", c.endpoint, c.version, err)
			}
		}
	}
	if _, err := w.serving.Describe(t.Context(), fairlead.Project{K: 2, Name: "other"}, name, 0); !fairlead.Is(err, fairlead.NotFound) {
		t.Errorf("another project's endpoint: %v", err)
	}
}

func TestReconcile_AVersionInTwoRolesScoresOnce(t *testing.T) {
	w := newWorld(t)
	w.deploy(replaceDurable)
	for _, v := range []int64{1, 1} {
		w.do(func(tx *store.Tx) error {
			return w.release.StartShadow(context.Background(), tx, project, name, v, "test")
		})
	}
	w.begin(w.version(), canaryDurable)
	w.settle()
	if got := w.roles(); got != "1:live 2:canary" {
		t.Errorf("serves %s", got)
	}
	w.mustInfer("a", march, hours(1))
	if got := w.logged(); !slices.Equal(got, []string{"a v1=1001 v2=2001"}) {
		t.Errorf("logged %v", got)
	}
}
