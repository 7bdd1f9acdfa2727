package serving_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/serving"
	"github.com/fairlead-ml/fairlead/serving/servingtest"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

// failures are those of the endpoint once cond is true of them.
func failures(t *testing.T, w *servingtest.World, cond func([]serving.Failure) bool) (
	out []serving.Failure) {
	t.Helper()
	w.Until("failures are written", func() bool {
		err := w.DB.Read(t.Context(), func(tx *store.Tx) (err error) {
			out, err = w.Serving.Failures(tx, servingtest.Project, servingtest.Endpoint)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return cond(out)
	})
	return out
}

func TestFailures_SayWhatWentWrongAndHowOften(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(servingtest.Env(spec.Replace, spec.Durable))
	shadow := w.Version()
	w.Shadow(shadow)
	w.Settle()
	breaks := func(version int64, err error) {
		w.Engines.Set(func(e *servingtest.Engines) {
			e.Hooks[version] = func(context.Context) error { return err }
		})
	}
	breaks(shadow, fairlead.Errorf(fairlead.Unavailable, "the worker ended: %s", strings.Repeat("ü", 1000)))
	w.MustInfer("a", servingtest.March, servingtest.Hours(1))
	w.Clock.Advance(time.Minute)
	w.MustInfer("b", servingtest.March, servingtest.Hours(2))
	w.Infer("c", time.Time{}, servingtest.Hours(math.Inf(1)))
	breaks(shadow, nil)
	breaks(1, errors.New("a secret of the machine"))
	w.Clock.Advance(time.Minute)
	w.Infer("d", time.Time{}, servingtest.Hours(1))
	all := failures(t, w, func(all []serving.Failure) bool {
		return len(all) == 3 && all[2].Count+all[1].Count == 3
	})
	if all[0].What != serving.Errored || all[0].Version != 1 || all[0].Code != fairlead.Internal ||
		strings.Contains(all[0].Message, "secret") || all[0].Request != "d" {
		t.Errorf("the newest: %+v", all[0])
	}
	refused, failed := all[1], all[2]
	if refused.What != serving.Refused {
		refused, failed = failed, refused
	}
	if refused.Version != 0 || refused.Code != fairlead.Invalid || refused.Count != 1 ||
		refused.Request != "c" || !strings.Contains(refused.Message, "infinite") {
		t.Errorf("refused: %+v", refused)
	}
	if failed.What != serving.Failed || failed.Version != shadow || failed.Count != 2 ||
		failed.Request != "b" || !failed.First.Equal(servingtest.Wall) ||
		!failed.Last.Equal(servingtest.Wall.Add(time.Minute)) || len(failed.Message) > 510 || !strings.HasSuffix(failed.Message, "ü…") {
		t.Errorf("failed: %+v", failed)
	}
	w.Stop()
	w.Start()
	if all = failures(t, w, func([]serving.Failure) bool { return true }); len(all) != 3 {
		t.Errorf("after a start: %+v", all)
	}
}

// A flood of words that are all new is bounded, and pushes out the oldest.
func TestFailures_AreTheNewest(t *testing.T) {
	w := servingtest.New(t)
	w.Deploy(replaceBuffered)
	n := 0
	w.Engines.Set(func(e *servingtest.Engines) {
		e.Hooks[1] = func(context.Context) error {
			return fairlead.Errorf(fairlead.Unavailable, "way %03d", n)
		}
	})
	for ; n < 200; n++ {
		w.Clock.Advance(time.Second)
		w.Infer(fmt.Sprint(n), time.Time{}, servingtest.Hours(1))
	}
	all := failures(t, w, func(all []serving.Failure) bool {
		return len(all) > 0 && all[0].Message == "way 199"
	})
	if len(all) != 50 || all[49].Message != "way 150" {
		t.Errorf("%d of them, the last is %+v", len(all), all[len(all)-1])
	}
}
