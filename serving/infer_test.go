package serving_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/release"
	"github.com/fairlead-ml/fairlead/serving"
	"github.com/fairlead-ml/fairlead/serving/servingtest"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

func TestInfer_RoutesBySharesAndSticksToTheID(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceBuffered)
	w.Deploy(canaryBuffered)
	const n = 4000
	canary := 0
	for i := range n {
		id := fmt.Sprintf("2011-%05d", i)
		v := w.MustInfer(id, servingtest.March, servingtest.Hours(1)).Version
		if again := w.MustInfer(id, servingtest.March, servingtest.Hours(1)).Version; again != v {
			t.Fatalf("%s went to %d and then to %d", id, v, again)
		}
		if v == 2 {
			canary++
		}
	}
	// Four standard deviations of a binomial with p = 0.25.
	if want, off := 0.25*n, 4*math.Sqrt(n*0.25*0.75); math.Abs(float64(canary)-want) > off {
		t.Errorf("%d of %d went to the canary, want %g ± %g", canary, n, want, off)
	}
}

func TestInfer_ACanaryThatFailsIsNotNoticed(t *testing.T) {
	for _, log := range []string{spec.Durable, spec.Buffered} {
		t.Run(log, func(t *testing.T) {
			w := servingtest.New(t)
			w.Deploy(servingtest.Env(spec.Replace, log))
			w.Deploy(servingtest.Env(spec.Canary, log))
			byCanary := func(prefix string) (n int) {
				for i := range 60 {
					res := w.MustInfer(fmt.Sprintf("%s%d", prefix, i), servingtest.March, servingtest.Hours(3))
					if res.Outputs.Columns[0].Floats[0] != float64(1000*res.Version+3) {
						t.Errorf("answered %+v by version %d", res.Outputs.Columns, res.Version)
					}
					n += int(res.Version) - 1
				}
				return n
			}
			if n := byCanary("before"); n == 0 {
				t.Fatal("no request went to the canary")
			}
			w.Settle() // so that there is room for the others
			w.Engines.Set(func(e *servingtest.Engines) { e.Hooks[2] = func(context.Context) error { return faulty } })
			if n := byCanary("after"); n != 0 {
				t.Errorf("%d requests were answered by a canary that fails", n)
			}
			_, err := w.Serving.Infer(t.Context(), servingtest.Project, servingtest.Endpoint, serving.Request{ID: "asked", Version: 2, Frame: servingtest.Hours(3)})
			if !fairlead.Is(err, fairlead.Invalid) {
				t.Errorf("the canary itself, asked for: %v", err)
			}
			w.Settle()
			for _, row := range w.Logged()[:60] {
				if !strings.HasPrefix(row, "after") || !strings.HasSuffix(row, " v1=1003 v2=failed") {
					t.Errorf("logged %q", row)
				}
			}
		})
	}
}

func TestInfer_ASlowShadowSlowsNoAnswerOfABufferedEndpoint(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceBuffered)
	shadow := w.Version()
	w.Shadow(shadow)
	w.Settle()
	hang := make(chan struct{})
	w.Engines.Set(func(e *servingtest.Engines) {
		e.Hooks[shadow] = func(context.Context) error { <-hang; return nil }
	})
	for i := range 100 { // more than are scored at one time
		w.MustInfer(fmt.Sprintf("%03d", i), servingtest.March, servingtest.Hours(float64(i)))
	}
	if idle, err := w.Serving.Idle(t.Context(), servingtest.Project); idle || err != nil {
		t.Errorf("idle while requests are scored: %v", err)
	}
	w.Until("all are logged", func() bool { return len(w.Logged()) == 100 }) // before the shadow has scored them
	close(hang)
	w.Settle()
	rows := w.Logged()
	asked := 0
	for _, r := range rows {
		if strings.Contains(r, "v2=") {
			asked++
		}
	}
	if len(rows) != 100 || asked != 64 || rows[5] != "005 v1=1005 v2=2005" || rows[99] != "099 v1=1099" {
		t.Errorf("%d rows, %d with the shadow: %q", len(rows), asked, rows)
	}
	if got := metric(t, w, "fairlead_serving_scores_skipped_total"); got != 36 {
		t.Errorf("%g were counted as skipped", got)
	}
}

// hangs lets the version wait for its context, or, when it does not obey that, for the
// test's end. It counts the version's calls.
func hangs(t *testing.T, w *servingtest.World, version int64, obeys bool) *atomic.Int32 {
	end, calls := make(chan struct{}), new(atomic.Int32)
	t.Cleanup(func() { close(end) })
	w.Engines.Set(func(e *servingtest.Engines) {
		e.Hooks[version] = func(ctx context.Context) error {
			calls.Add(1)
			if obeys {
				<-ctx.Done()
				return ctx.Err()
			}
			<-end
			return nil
		}
	})
	return calls
}

func TestInfer_ACanaryOrShadowThatHangsHoldsUpADurableEndpointForABoundAndFails(t *testing.T) {
	for _, obeys := range []bool{true, false} {
		t.Run(fmt.Sprintf("obeys its deadline %v", obeys), func(t *testing.T) {
			w := servingtest.New(t)
			w.Stop()
			w.Deps = func(d *serving.Deps) { d.ScoreWithin = 20 * time.Millisecond }
			w.Start()
			w.Deploy(replaceDurable)
			w.Deploy(canaryDurable)
			w.Shadow(w.Version())
			w.Settle()
			canary, shadow := hangs(t, w, 2, obeys), hangs(t, w, 3, obeys)
			for i := range 50 {
				if res := w.MustInfer(fmt.Sprintf("%02d", i), servingtest.March, servingtest.Hours(1)); res.Version != 1 {
					t.Fatalf("version %d answered", res.Version)
				}
			}
			if a, b := canary.Load(), shadow.Load(); a != 3 || b != 3 {
				t.Errorf("the canary was waited for %d times, the shadow %d times", a, b)
			}
			for _, row := range w.Logged() {
				if !strings.HasSuffix(row, "v1=1001 v2=failed v3=failed") {
					t.Errorf("logged %q", row)
				}
			}
		})
	}
}

func TestInfer_ACanaryThatHangsIsFoundOutByCallersWhoDoNotWaitForIt(t *testing.T) {
	for _, log := range []string{spec.Durable, spec.Buffered} {
		t.Run(log, func(t *testing.T) {
			t.Parallel()
			w := servingtest.New(t)
			w.Deploy(servingtest.Env(spec.Replace, log))
			all := servingtest.Env(spec.Canary, log)
			all.Steps = []float64{100}
			w.Deploy(all)
			hangs(t, w, 2, true)
			infer := func(id string, patience time.Duration) (*serving.Response, error) {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				return w.Serving.Infer(ctx, servingtest.Project, servingtest.Endpoint,
					serving.Request{ID: id, Frame: servingtest.Hours(1)})
			}
			var left sync.WaitGroup
			for i := range 3 {
				left.Go(func() {
					if _, err := infer(fmt.Sprint("left", i), 2*time.Second); err == nil {
						t.Error("a canary that hangs has answered")
					}
				})
			}
			left.Wait()
			if res, err := infer("a", 8*time.Second); err != nil || res.Version != 1 { // less than ScoreWithin
				t.Fatalf("answered %+v, %v", res, err)
			}
			w.Settle()
			if got := w.Logged(); !slices.Equal(got, []string{"a v1=1001 v2=failed"}) {
				t.Errorf("logged %q", got)
			}
		})
	}
}

func TestInfer_CallersWhoLeaveAtOnceDoNotBlameTheCanary(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceDurable)
	w.Deploy(canaryDurable)
	hangs(t, w, 2, true)
	for i := range 5 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err := w.Serving.Infer(ctx, servingtest.Project, servingtest.Endpoint,
			serving.Request{ID: fmt.Sprint("left", i), Frame: servingtest.Hours(1)})
		if !fairlead.Is(err, fairlead.Unavailable) {
			t.Errorf("who left got %v", err)
		}
	}
	w.Engines.Set(func(e *servingtest.Engines) { delete(e.Hooks, 2) })
	w.MustInfer("a", servingtest.March, servingtest.Hours(1))
	if got := w.Logged(); !slices.Equal(got, []string{"a v1=1001 v2=2001"}) {
		t.Errorf("logged %q", got)
	}
}

func TestInfer_AVersionThatIsAskedTooOftenIsNotAsked(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceDurable)
	w.Shadow(w.Version())
	w.Settle()
	hang, done := make(chan struct{}), sync.WaitGroup{}
	var waiting atomic.Int32
	w.Engines.Set(func(e *servingtest.Engines) {
		e.Hooks[2] = func(context.Context) error { waiting.Add(1); <-hang; return nil }
	})
	for i := range 64 {
		done.Go(func() { w.MustInfer(fmt.Sprintf("asked %02d", i), servingtest.March, servingtest.Hours(1)) })
	}
	w.Until("64 wait", func() bool { return waiting.Load() == 64 })
	w.MustInfer("not asked", servingtest.March, servingtest.Hours(1))
	close(hang)
	done.Wait()
	rows := w.Logged()
	if len(rows) != 65 || rows[64] != "not asked v1=1001" || rows[0] != "asked 00 v1=1001 v2=2001" {
		t.Errorf("logged %q", rows)
	}
}

func TestInfer_OnlyVersionsThatAnswerAreAskedBeforeOthers(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceDurable)
	w.Deploy(canaryDurable)
	w.Shadow(w.Version())
	w.Settle()
	var answering, scoring [4]atomic.Int32 // calls of each version
	w.Engines.Set(func(e *servingtest.Engines) {
		for v := range int64(4) {
			e.Hooks[v] = func(ctx context.Context) error {
				if engine.IsBackground(ctx) {
					scoring[v].Add(1)
				} else {
					answering[v].Add(1)
				}
				return nil
			}
		}
	})
	canary := int32(0)
	const n = 40
	for i := range n {
		if w.MustInfer(fmt.Sprint(i), servingtest.March, servingtest.Hours(1)).Version == 2 {
			canary++
		}
	}
	if canary == 0 || answering[1].Load() != n || answering[2].Load() != canary ||
		scoring[2].Load() != n-canary || scoring[3].Load() != n {
		t.Errorf("%d answers of the canary; %v answering, %v scoring", canary, &answering, &scoring)
	}
}

func TestInfer_AVersionWithoutAPlaceForTheCallHasNoScore(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceDurable)
	w.Deploy(canaryDurable)
	w.Engines.Set(func(e *servingtest.Engines) {
		e.Hooks[2] = func(context.Context) error {
			return fairlead.Errorf(fairlead.Exhausted, "128 wait already")
		}
	})
	for i := range 20 { // some of them are the canary's to answer
		w.MustInfer(fmt.Sprintf("%02d", i), servingtest.March, servingtest.Hours(1))
	}
	for _, row := range w.Logged() {
		if !strings.HasSuffix(row, " v1=1001") {
			t.Errorf("logged %q", row)
		}
	}
	if got := metric(t, w, "fairlead_serving_scores_skipped_total"); got != 20 {
		t.Errorf("%g were counted as skipped", got)
	}
}

func TestInfer_AScoreThatIsStoredAlreadyDoesNotHoldUpTheLog(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceBuffered)
	w.Shadow(w.Version())
	w.Settle()
	hang := make(chan struct{})
	w.Engines.Set(func(e *servingtest.Engines) { e.Hooks[2] = func(context.Context) error { <-hang; return nil } })
	w.MustInfer("a", servingtest.March, servingtest.Hours(1))
	w.Until("the request is stored", func() bool { return len(w.Logged()) == 1 })
	w.Do(func(tx *store.Tx) error { // as by a write whose answer was lost
		_, err := tx.Exec(`insert into prediction (request_k, model_n, role, value)
			select k, 2, 'shadow', 2001 from request`)
		return err
	})
	close(hang)
	w.Settle()
	if got := w.Logged(); !slices.Equal(got, []string{"a v1=1001 v2=2001"}) {
		t.Errorf("logged %q", got)
	}
}

func TestStop_ScoresThatItCutsOffAreNoFailures(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceBuffered)
	w.Shadow(w.Version())
	w.Settle()
	hangs(t, w, 2, true)
	w.MustInfer("a", servingtest.March, servingtest.Hours(1))
	w.Stop()
	w.Start()
	if got := w.Logged(); !slices.Equal(got, []string{"a v1=1001"}) {
		t.Errorf("logged %q", got)
	}
}

func TestStop_EndsWithItsContext(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceBuffered)
	w.Shadow(w.Version())
	w.Settle()
	hang := make(chan struct{})
	w.Engines.Set(func(e *servingtest.Engines) { e.Hooks[2] = func(context.Context) error { <-hang; return nil } })
	w.MustInfer("a", servingtest.March, servingtest.Hours(1))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := w.Serving.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("stopped: %v", err)
	}
	close(hang)
	w.Until("what was answered is logged", func() bool {
		return slices.Equal(w.Logged(), []string{"a v1=1001"})
	})
}

func TestInfer_APanicKeepsNoRoomInTheLog(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceBuffered)
	w.Engines.Set(func(e *servingtest.Engines) { e.Hooks[1] = func(context.Context) error { panic("a bug") } })
	func() {
		defer func() { recover() }()
		w.Infer("a", servingtest.March, servingtest.Hours(1))
	}()
	if got := metric(t, w, "fairlead_serving_log_pending_rows"); got != 0 {
		t.Errorf("%g rows are kept", got)
	}
}

func TestInfer_LargeRequestsAreStoredInPiecesWithTheirLaterScores(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceBuffered)
	w.Shadow(w.Version())
	w.Settle()
	rows := make([]float64, 1700)
	for i := range rows {
		rows[i] = float64(i)
	}
	w.MustInfer("large", servingtest.March, servingtest.Hours(rows...))
	w.MustInfer("large", servingtest.March, servingtest.Hours(rows[:1]...))  // has another name: large, not large/0
	w.MustInfer("large", servingtest.March, servingtest.Hours(rows[1:2]...)) // the first is kept
	w.Settle()
	got := w.Logged()
	if len(got) != 1701 || !slices.Contains(got, "large/1699 v1=2699 v2=3699") || !slices.Contains(got, "large v1=1000 v2=2000") {
		t.Errorf("%d rows: %.200q", len(got), got)
	}
}

func TestInfer_StaysWithTheVersionOfItsRoutingKey(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceDurable)
	first := func() map[string]bool { // who gets the canary
		w.Deploy(canaryDurable)
		canary := w.Assignment().Version(release.RoleCanary)
		got := map[string]bool{}
		for i := range 200 {
			key := fmt.Sprintf("user-%d", i)
			for call := range 2 {
				res, err := w.Serving.Infer(t.Context(), servingtest.Project, servingtest.Endpoint, serving.Request{
					ID: fmt.Sprint(canary, key, call), RoutingKey: key, Frame: servingtest.Hours(1)})
				if err != nil {
					t.Fatal(err)
				}
				if on := res.Version == canary; call == 0 {
					got[key] = on
				} else if got[key] != on {
					t.Errorf("%s went to both versions", key)
				}
			}
		}
		r := w.Assignment()
		w.Do(func(tx *store.Tx) error {
			active, err := w.Release.ActiveRollout(tx, servingtest.Project, r.Endpoint)
			if err != nil {
				return err
			}
			return w.Release.Rollback(context.Background(), tx, servingtest.Project, active.ID, "test")
		})
		w.Settle()
		return got
	}
	a, b := first(), first()
	both, one := 0, 0
	for key, on := range a {
		if on {
			one++
			if b[key] {
				both++
			}
		}
	}
	// 25 % each, so about 50 and 12.5; 30 would be seven standard deviations away.
	if one < 20 || both > 30 {
		t.Errorf("%d callers got the first canary, %d of them also the second", one, both)
	}
}

func TestInfer_OnADurableEndpointAnsweredMeansOnDiskWithAllScores(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceDurable)
	shadow := w.Version()
	w.Shadow(shadow)
	w.Settle()
	for i := range 20 {
		w.MustInfer(fmt.Sprintf("%02d", i), servingtest.March, servingtest.Hours(float64(i)))
	}
	// What a killed server leaves: the files as they are now.
	copied := filepath.Join(t.TempDir(), "f.db")
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(filepath.Join(w.Dir, "f.db"+suffix))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(copied+suffix, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	db, err := store.Open(t.Context(), store.Options{Path: copied}, w.Schemas()...)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var requests, scores int
	err = db.Read(t.Context(), func(tx *store.Tx) error {
		return tx.QueryRow(`select count(distinct r.k), count(*) from request r join prediction v on v.request_k = r.k
			where v.value is not null`).Scan(&requests, &scores)
	})
	if err != nil || requests != 20 || scores != 40 {
		t.Errorf("%d requests and %d scores survive, %v", requests, scores, err)
	}
}

func TestInfer_ARepeatedRequestGetsItsFirstAnswer(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceDurable)
	first := w.MustInfer("a", servingtest.March, servingtest.Hours(1, 2))
	w.Deploy(replaceDurable) // another version answers now
	again := w.MustInfer("a", servingtest.March, servingtest.Hours(1, 2))
	if first.Duplicate || !again.Duplicate || again.Version != 1 ||
		!slices.Equal(again.Outputs.Columns[0].Floats, []float64{1001, 1002}) {
		t.Errorf("first %+v, again %+v", first, again)
	}
	if res := w.MustInfer("a", time.Time{}, servingtest.Hours(1, 2)); !res.Duplicate {
		t.Error("the same without its event time is another request")
	}
	for what, err := range map[string]error{
		"other inputs":     second(w.Infer("a", servingtest.March, servingtest.Hours(1, 3))),
		"another time":     second(w.Infer("a", servingtest.March.Add(time.Hour), servingtest.Hours(1, 2))),
		"more rows":        second(w.Infer("a", servingtest.March, servingtest.Hours(1, 2, 3))),
		"one of its rows":  second(w.Infer("a/1", servingtest.March, servingtest.Hours(9))),
		"further a column": second(w.Infer("a", servingtest.March, engine.NewFrame(engine.Floats64("hr", 1, 2), engine.Floats64("x", 1, 2)))),
	} {
		if !fairlead.Is(err, fairlead.Conflict) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if got := w.Logged(); !slices.Equal(got, []string{"a/0 v1=1001", "a/1 v1=1002"}) {
		t.Errorf("logged %v", got)
	}
}

func second(_ *serving.Response, err error) error { return err }

func TestInfer_ABufferedEndpointAnswersARepeatedRequestAnewAndKeepsTheFirst(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceBuffered)
	w.MustInfer("a", servingtest.March, servingtest.Hours(1))
	w.Settle()
	w.Deploy(replaceBuffered)
	if res := w.MustInfer("a", servingtest.March, servingtest.Hours(1)); res.Duplicate || res.Version != 2 {
		t.Errorf("answered %+v", res)
	}
	w.Settle()
	if got := w.Logged(); !slices.Equal(got, []string{"a v1=1001"}) {
		t.Errorf("logged %v", got)
	}
	w.Deploy(replaceDurable) // the same id, once each record counts
	if res := w.MustInfer("a", servingtest.March, servingtest.Hours(1)); res.Duplicate || res.Version != 3 {
		t.Errorf("answered %+v", res)
	}
}

func TestInfer_StoredAnswersComeBackAsTheyWere(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceDurable)
	answer := func(*engine.Frame) *engine.Frame {
		return engine.NewFrame(
			engine.Column{Name: "class", Kind: engine.String, Strings: []string{`a "b"`, ""}, Valid: []bool{true, false}},
			engine.Ints64("id", 1<<53+1, -5),
			engine.Floats64("p", 0.1, math.NaN()),
			engine.Column{Name: "yes", Kind: engine.Boolean, Floats: []float64{1, 0}})
	}
	w.Engines.Set(func(e *servingtest.Engines) { e.Made[1] = answer })
	first := w.MustInfer("a", servingtest.March, servingtest.Hours(1, 2))
	again := w.MustInfer("a", servingtest.March, servingtest.Hours(1, 2))
	for i := range first.Outputs.Columns {
		a, b := &first.Outputs.Columns[i], &again.Outputs.Columns[i]
		for row := range 2 {
			if a.Name != b.Name || a.Kind != b.Kind || a.Value(row) != b.Value(row) {
				t.Errorf("%s row %d: %v came back as %v (%s)", a.Name, row, a.Value(row), b.Value(row), b.Kind)
			}
		}
	}
	// The first numeric output is the prediction; the text before it is none.
	if got := w.Logged(); !slices.Equal(got, []string{"a/0 v1=9.007199254740992e+15", "a/1 v1=-5"}) {
		t.Errorf("logged %v", got)
	}
}

func TestInfer_AnswersThatAreNoFiniteNumberAreNoPrediction(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceDurable)
	for id, c := range map[string]engine.Column{
		"text": engine.Strings("class", "x"), "nan": engine.Floats64("p", math.NaN()),
		"inf": engine.Floats64("p", math.Inf(1)),
	} {
		w.Engines.Set(func(e *servingtest.Engines) {
			e.Made[1] = func(*engine.Frame) *engine.Frame { return engine.NewFrame(c) }
		})
		w.MustInfer(id, servingtest.March, servingtest.Hours(1))
	}
	if got := w.Logged(); !slices.Equal(got, []string{"inf v1=failed", "nan v1=failed", "text v1=failed"}) {
		t.Errorf("logged %v", got)
	}
}

func TestInfer_KeepsFeaturesAsTheyWereSent(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceDurable)
	f := engine.NewFrame(engine.Ints64("big", 1<<62+1), engine.Floats64("hr", 7), engine.Floats64("hum", math.NaN()),
		engine.Column{Name: "holiday", Kind: engine.Boolean, Floats: []float64{1}},
		engine.Strings(`a "name"`, "Zürich\n<&>"), engine.Floats64("small", 1e-300))
	w.MustInfer("a", servingtest.March, f)
	got := w.Requests()[0]
	var back map[string]any
	d := json.NewDecoder(strings.NewReader(got.Features))
	d.UseNumber()
	if err := d.Decode(&back); err != nil {
		t.Fatalf("%s: %v", got.Features, err)
	}
	want := map[string]any{"big": json.Number("4611686018427387905"), "hr": json.Number("7"), "hum": nil,
		"holiday": true, `a "name"`: "Zürich\n<&>", "small": json.Number("1e-300")}
	for name, v := range want {
		if back[name] != v {
			t.Errorf("%s is %v, want %v", name, back[name], v)
		}
	}
	if len(back) != len(want) || got.AtMS != servingtest.March.UnixMilli() || got.Served != 1 {
		t.Errorf("logged %+v", got)
	}
}

func TestInfer_RefusesWhatItCannotKeep(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceDurable)
	many := make([]float64, serving.MaxRows+1)
	cases := map[string]serving.Request{
		"before 1970":    {Frame: servingtest.Hours(1), EventTime: time.Date(1969, 7, 20, 0, 0, 0, 0, time.UTC)},
		"a long key":     {Frame: servingtest.Hours(1), RoutingKey: strings.Repeat("x", 1000)},
		"a long batch":   {Frame: servingtest.Hours(many[:serving.MaxDurableRows+1]...)},
		"infinite":       {Frame: servingtest.Hours(math.Inf(-1))},
		"in the future":  {Frame: servingtest.Hours(1), EventTime: servingtest.Wall.Add(time.Hour)},
		"too many rows":  {Frame: servingtest.Hours(many...)},
		"a long id":      {Frame: servingtest.Hours(1), ID: strings.Repeat("x", 1000)},
		"ragged":         {Frame: &engine.Frame{Rows: 2, Columns: servingtest.Hours(1).Columns}},
		"no rows":        {Frame: servingtest.Hours()},
		"a missing one":  {Frame: engine.NewFrame(engine.Floats64("hum", 1))},
		"not a required": {Frame: servingtest.Hours(math.NaN())},
	}
	for what, r := range cases {
		if _, err := w.Serving.Infer(t.Context(), servingtest.Project, servingtest.Endpoint, r); !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if n := len(w.Requests()); n != 0 {
		t.Errorf("%d of them were logged", n)
	}
}

func TestInfer_WhoLeftIsNotLogged(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceDurable)
	w.Deploy(canaryDurable)
	ctx, cancel := context.WithCancel(t.Context())
	leave := func(ctx context.Context) error { cancel(); <-ctx.Done(); return ctx.Err() }
	w.Engines.Set(func(e *servingtest.Engines) { e.Hooks[1], e.Hooks[2] = leave, leave })
	_, err := w.Serving.Infer(ctx, servingtest.Project, servingtest.Endpoint, serving.Request{ID: "a", Frame: servingtest.Hours(1)})
	if !fairlead.Is(err, fairlead.Unavailable) || len(w.Requests()) != 0 {
		t.Errorf("%v; logged %v", err, w.Requests())
	}
}

func TestStop_StoresWhatIsBuffered(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceBuffered)
	for i := range 1200 {
		w.MustInfer(fmt.Sprintf("%04d", i), servingtest.March, servingtest.Hours(1))
	}
	w.Stop()
	w.Start()
	if n := len(w.Requests()); n != 1200 {
		t.Errorf("%d of 1200 requests were stored", n)
	}
}

func TestInfer_WaitsForRoomInTheLogWithItsContext(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceBuffered)
	hang, held := make(chan struct{}), make(chan struct{})
	go w.DB.Write(context.Background(), store.Bulk, func(*store.Tx) error { close(held); <-hang; return nil })
	<-held
	all := make([]float64, serving.MaxRows)
	w.MustInfer("all the room", servingtest.March, servingtest.Hours(all...))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := w.Serving.Infer(ctx, servingtest.Project, servingtest.Endpoint, serving.Request{ID: "waits", Frame: servingtest.Hours(1)})
	if !fairlead.Is(err, fairlead.Unavailable) || !strings.Contains(err.Error(), "cannot keep up") {
		t.Errorf("a full log: %v", err)
	}
	close(hang)
	w.Until("there is room again", func() bool {
		_, err := w.Infer("waits no longer", servingtest.March, servingtest.Hours(1))
		return err == nil
	})
}

func TestInfer_TheLogsRoomIsAlsoOneOfBytes(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceBuffered)
	hang, held := make(chan struct{}), make(chan struct{})
	go w.DB.Write(context.Background(), store.Bulk, func(*store.Tx) error { close(held); <-hang; return nil })
	<-held
	infer := func(ctx context.Context, id string) error {
		text := strings.Repeat("x", 21<<20)
		large := engine.NewFrame(engine.Floats64("hr", 1), engine.Strings("text", text))
		_, err := w.Serving.Infer(ctx, servingtest.Project, servingtest.Endpoint,
			serving.Request{ID: id, Frame: large})
		return err
	}
	if err := infer(t.Context(), "large"); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := infer(ctx, "another"); !fairlead.Is(err, fairlead.Unavailable) {
		t.Errorf("two rows of 21 MiB: %v", err)
	}
	close(hang)
	w.Settle()
	if err := infer(t.Context(), "again"); err != nil {
		t.Errorf("once the log is empty: %v", err)
	}
}

func TestPredictions_AreInOneOrderWhateverTheArrival(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceDurable)
	for _, id := range []string{"c", "a", "b"} {
		w.MustInfer(id, servingtest.March, servingtest.Hours(1))
	}
	w.MustInfer("z", servingtest.March.Add(-time.Hour), servingtest.Hours(1))
	var ids []string
	for _, r := range w.Requests() {
		ids = append(ids, r.ID)
	}
	if !slices.Equal(ids, []string{"z", "a", "b", "c"}) {
		t.Errorf("order %v", ids)
	}
	for _, row := range []struct {
		q    serving.Query
		want int
	}{
		{serving.Query{From: servingtest.March}, 3}, {serving.Query{To: servingtest.March}, 1}, {serving.Query{Served: 1}, 4},
		{serving.Query{Served: 2}, 0}, {serving.Query{Versions: []int64{1}}, 4}, {serving.Query{Versions: []int64{2, 3}}, 0},
	} {
		var got []serving.Prediction
		err := w.DB.Read(t.Context(), func(tx *store.Tx) (err error) {
			got, err = w.Serving.Predictions(tx, servingtest.Project, servingtest.Endpoint, row.q)
			return err
		})
		if err != nil || len(got) != row.want {
			t.Errorf("%+v: %d predictions, %v", row.q, len(got), err)
		}
	}
}

// metric adds up a metric's series; -1 when it has none.
func metric(t *testing.T, w *servingtest.World, name string) float64 {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	if err := reg.Register(w.Serving.Collector()); err != nil {
		t.Fatal(err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := -1.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		sum = 0
		for _, m := range f.GetMetric() {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return sum
}

func TestCollector_CountsByWhatIsAssignedAndNothingElse(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceBuffered)
	w.Deploy(replaceBuffered)
	for i := range 10 {
		w.MustInfer(fmt.Sprint(i), servingtest.March, servingtest.Hours(1))
		_, err := w.Serving.Infer(t.Context(), servingtest.Project, fmt.Sprintf("unknown-%d", i), serving.Request{Frame: servingtest.Hours(1)})
		if err == nil {
			t.Fatal("an unknown endpoint answered")
		}
		w.Infer("", time.Time{}, servingtest.Hours(math.Inf(1)))
	}
	w.Settle()
	for name, want := range map[string]float64{
		"fairlead_serving_requests_total": 10, "fairlead_serving_request_seconds": 10,
		"fairlead_serving_errors_total": 10, "fairlead_serving_endpoint_up": 1,
		"fairlead_serving_log_pending_rows": 0, "fairlead_serving_log_lost_rows_total": 0,
	} {
		if got := metric(t, w, name); got != want {
			t.Errorf("%s is %g, want %g", name, got, want)
		}
	}
	w.Rollback("test") // version 2 leaves
	w.Settle()
	if got := metric(t, w, "fairlead_serving_requests_total"); got != 0 {
		t.Errorf("requests of versions that are gone are still shown: %g", got)
	}
}

func BenchmarkInfer_Buffered(b *testing.B) {
	w := servingtest.New(b)
	w.Deploy(replaceBuffered)
	f := servingtest.Hours(1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.Infer("", time.Time{}, f); err != nil {
			b.Fatal(err)
		}
	}
}
