package serving_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/serving"
	"github.com/fairlead-ml/fairlead/serving/servingtest"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

// traffic is what the endpoint tells once cond is true of it.
func traffic(t *testing.T, w *servingtest.World, q serving.TrafficQuery, cond func(*serving.Traffic) bool) (
	out *serving.Traffic) {
	t.Helper()
	w.Until("the traffic is written", func() bool {
		err := w.DB.Read(t.Context(), func(tx *store.Tx) (err error) {
			out, err = w.Serving.Traffic(tx, servingtest.Project, servingtest.Endpoint, q)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return cond(out)
	})
	return out
}

func version(out *serving.Traffic, n int64) serving.VersionTraffic {
	for _, v := range out.Versions {
		if v.Version == n {
			return v
		}
	}
	return serving.VersionTraffic{}
}

func TestTraffic_CountsByEventTimeAndByWallTime(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceBuffered)
	for hour := range 48 {
		for i := range hour % 3 {
			w.MustInfer(fmt.Sprintf("%d-%d", hour, i), servingtest.March.Add(time.Duration(hour)*time.Hour),
				servingtest.Hours(1, 2))
		}
	}
	all := func(out *serving.Traffic) bool { return out.Total.Requests == 48 }
	out := traffic(t, w, serving.TrafficQuery{Last: 48 * time.Hour, Points: 48}, all)
	v := version(out, 1)
	if out.Clock != serving.ByEvent || out.StepMS != time.Hour.Milliseconds() || len(out.Versions) != 1 ||
		len(v.Requests) != 49 || v.Total.Rows != 96 || !out.To.Equal(servingtest.March.AddDate(0, 0, 2)) {
		t.Fatalf("by event time: %+v", out)
	}
	for i, n := range v.Requests {
		hour := int(out.From.Add(time.Duration(i)*time.Hour).Sub(servingtest.March) / time.Hour)
		if want := int64(max(hour%3, 0)); n != want {
			t.Errorf("hour %d has %d requests, want %d", hour, n, want)
		}
		if (n == 0) != (v.P50[i] == nil) || n > 0 && !(*v.P50[i] > 0 && *v.P99[i] >= *v.P50[i]) {
			t.Errorf("hour %d with %d requests took %v and %v", hour, n, v.P50[i], v.P99[i])
		}
	}
	out = traffic(t, w, serving.TrafficQuery{Clock: serving.ByWall, Last: time.Hour}, all)
	if v := version(out, 1); v.Total.Requests != 48 || v.Total.Scored != 48 ||
		v.Total.OwnP99 == nil {
		t.Errorf("by wall time: %+v", out)
	}
}

// A canary's and a shadow's failures are theirs, and what the caller did wrong is nobody's.
func TestTraffic_BlamesTheVersionThatFailed(t *testing.T) {
	for _, log := range []string{spec.Durable, spec.Buffered} {
		t.Run(log, func(t *testing.T) {
			w := servingtest.New(t)
			w.Deploy(servingtest.Env(spec.Replace, log))
			shadow := w.Version()
			w.Shadow(shadow)
			w.Settle()
			w.Engines.Set(func(e *servingtest.Engines) {
				e.Hooks[shadow] = func(context.Context) error { return errors.New("broken") }
			})
			w.MustInfer("a", time.Time{}, servingtest.Hours(1))
			w.MustInfer("b", time.Time{}, servingtest.Hours(1))
			w.Infer("c", time.Time{}, servingtest.Hours(math.Inf(1)))
			w.Settle()
			w.Engines.Set(func(e *servingtest.Engines) {
				e.Hooks[1] = func(context.Context) error {
					return fairlead.Errorf(fairlead.Unavailable, "gone")
				}
			})
			w.Infer("d", time.Time{}, servingtest.Hours(1))
			out := traffic(t, w, serving.TrafficQuery{}, func(out *serving.Traffic) bool {
				return out.Total.Requests == 2 && out.Total.Errors == 1 && out.Total.Scored == 4
			})
			live, other, none := version(out, 1).Total, version(out, shadow).Total, version(out, 0).Total
			if out.Clock != serving.ByWall || live.Requests != 2 || live.Errors != 1 || live.Scored != 2 ||
				live.Failed != 0 || other.Requests != 0 || other.Scored != 2 || other.Failed != 2 ||
				other.P50 != nil || other.OwnP50 != nil || none.Refused != 1 {
				t.Errorf("live %+v, shadow %+v, no version %+v", live, other, none)
			}
		})
	}
}

func TestTraffic_ARepeatedRequestIsCountedOnceByEventTime(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(servingtest.Env(spec.Replace, spec.Durable))
	for range 3 {
		w.MustInfer("same", servingtest.March, servingtest.Hours(1))
	}
	byWall := serving.TrafficQuery{Clock: serving.ByWall}
	traffic(t, w, byWall, func(out *serving.Traffic) bool { return out.Total.Requests == 3 })
	out := traffic(t, w, serving.TrafficQuery{}, func(*serving.Traffic) bool { return true })
	if out.Clock != serving.ByEvent || out.Total.Requests != 1 || out.Total.Scored != 1 {
		t.Errorf("%+v", out)
	}
}

// What is kept is bounded whatever the times of the requests are, and a stretch of any
// length has few steps.
func TestTraffic_KeepsMinutesForDaysAndDaysForYears(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceBuffered)
	for day := range 200 {
		for i := range 3 {
			at := servingtest.March.AddDate(0, 0, day).Add(time.Duration(i) * time.Minute)
			w.MustInfer(fmt.Sprintf("%d-%d", day, i), at, servingtest.Hours(1))
		}
	}
	w.MustInfer("late", servingtest.March.Add(30*time.Minute), servingtest.Hours(1))
	end := servingtest.March.AddDate(0, 0, 199)
	all := serving.TrafficQuery{From: servingtest.March, To: end.Add(time.Hour)}
	out := traffic(t, w, all, func(out *serving.Traffic) bool { return out.Total.Requests == 601 })
	if out.StepMS != 24*time.Hour.Milliseconds() || len(out.Versions[0].Requests) != 200 ||
		out.Versions[0].Requests[0] != 4 || !out.Oldest.Equal(servingtest.March) {
		t.Errorf("all of it: %+v", out)
	}
	out = traffic(t, w, serving.TrafficQuery{From: end.Add(-time.Hour), To: end.Add(time.Hour)},
		func(*serving.Traffic) bool { return true })
	if out.StepMS != 10*time.Minute.Milliseconds() || out.Total.Requests != 3 { // they are few
		t.Errorf("the newest hours: %+v", out)
	}
	w.Stop()
	rows := map[int64]int{}
	w.Start()
	err := w.DB.Read(t.Context(), func(tx *store.Tx) error {
		found, err := tx.Query("select width_ms, count(*) from traffic where clock = 1 group by width_ms")
		if err != nil {
			return err
		}
		defer found.Close()
		for found.Next() {
			var width int64
			var n int
			if err := found.Scan(&width, &n); err != nil {
				return err
			}
			rows[width] = n
		}
		return found.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	if rows[60_000] > 9 || rows[3_600_000] > 92 || rows[86_400_000] != 200 {
		t.Errorf("buckets by width: %v", rows)
	}
}

func TestTraffic_RefusesWhatMakesNoSense(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceBuffered)
	for name, q := range map[string]serving.TrafficQuery{
		"an unknown clock": {Clock: "sun"},
		"a turned stretch": {From: servingtest.Wall, To: servingtest.March},
	} {
		err := w.DB.Read(t.Context(), func(tx *store.Tx) error {
			_, err := w.Serving.Traffic(tx, servingtest.Project, servingtest.Endpoint, q)
			return err
		})
		if !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	out := traffic(t, w, serving.TrafficQuery{}, func(*serving.Traffic) bool { return true })
	if out.Clock != serving.ByWall || out.Total.Requests != 0 || len(out.Versions) != 0 || out.Total.P50 != nil {
		t.Errorf("without any request: %+v", out)
	}
}

func TestInfer_ATrialLeavesNoTrace(t *testing.T) {
	for _, log := range []string{spec.Durable, spec.Buffered} {
		t.Run(log, func(t *testing.T) {
			w := servingtest.New(t)
			w.Deploy(servingtest.Env(spec.Replace, log))
			shadow := w.Version()
			w.Shadow(shadow)
			w.Settle()
			ask := func(r serving.Request) *serving.Response {
				r.Trial, r.Frame = true, servingtest.Hours(7)
				res, err := w.Serving.Infer(t.Context(), servingtest.Project, servingtest.Endpoint, r)
				if err != nil {
					t.Fatal(err)
				}
				return res
			}
			if res := ask(serving.Request{}); res.Version != 1 || res.ID == "" ||
				res.Outputs.Columns[0].Floats[0] != 1007 {
				t.Errorf("%+v", res)
			}
			if res := ask(serving.Request{Version: shadow}); res.Version != shadow {
				t.Errorf("the version that was named: %+v", res)
			}
			w.MustInfer("real", time.Time{}, servingtest.Hours(1))
			w.Settle()
			if rows := w.Logged(); len(rows) != 1 {
				t.Errorf("logged %q", rows)
			}
			out := traffic(t, w, serving.TrafficQuery{}, func(out *serving.Traffic) bool { return out.Total.Scored > 1 })
			if out.Total.Requests != 1 || out.Total.Scored != 2 || metric(t, w, "fairlead_serving_requests_total") != 1 {
				t.Errorf("counted %+v", out.Total)
			}
		})
	}
}

func TestStates_TellHowEachVariantDoes(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceBuffered)
	shadow := w.Version()
	w.Engines.Set(func(e *servingtest.Engines) {
		e.Broken[shadow] = fairlead.Errorf(fairlead.Unavailable, "no worker")
	})
	w.Shadow(shadow)
	w.Until("the shadow was tried", func() bool {
		return w.Serving.States(servingtest.Project, w.Assignment())[1].State == serving.Failing
	})
	states := w.Serving.States(servingtest.Project, w.Assignment())
	if len(states) != 2 || states[0].State != serving.Ready || states[0].Percent != 100 ||
		states[0].Why != "" || states[1].Why != "no worker" || states[1].Role != "shadow" {
		t.Errorf("%+v", states)
	}
}
