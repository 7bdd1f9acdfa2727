package monitor_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/monitor"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

func (w *world) realised(metric, by string, from, to time.Time) ([]monitor.Period, error) {
	w.t.Helper()
	q := monitor.RealisedQuery{Endpoint: endpoint, Metric: metric, By: by, From: from, To: to}
	page, err := w.monitor.Realised(context.Background(), w.p, q, "", 0)
	return page.Items, err
}

func TestRealised_GroupsByDayAndMonth(t *testing.T) {
	w := live(t, "")
	w.advance(day0)
	w.ask(day(29), day(32), offBy) // the end of March and the first of April
	days, err := w.realised("mae", monitor.ByDay, day(29), day(32))
	if err != nil || len(days) != 3 || days[0].Requests != 24 || days[0].Labelled != 24 ||
		*days[0].Served != 1 || days[0].Versions[1] != 1 || days[0].Rows[1] != 24 ||
		days[0].LagMS != 24*time.Hour.Milliseconds() {
		t.Errorf("days %+v, %v", days, err)
	}
	if last := days[2]; last.Labelled != 1 || *last.Served != 1 { // the rest is not known yet
		t.Errorf("last day %+v", last)
	}
	months, err := w.realised("mae", monitor.ByMonth, day(10), day(40))
	if err != nil || len(months) != 2 || months[0].Requests != 48 || months[1].Requests != 24 ||
		!months[1].From.Equal(time.Date(2011, 4, 1, 0, 0, 0, 0, time.UTC)) || !months[1].To.Equal(day(40)) {
		t.Errorf("months %+v, %v", months, err)
	}
}

func TestRealised_HasNoFigureWhereTheMetricIsUndefined(t *testing.T) {
	w := live(t, "")
	w.advance(day0)
	got, err := w.realised("mae", monitor.ByDay, day0, day(1))
	if err != nil || len(got) != 1 || got[0].Served != nil || len(got[0].Versions) != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
}

// Each version is judged on all requests that it scored, the answers on who gave them.
func TestRealised_TellsAnswersFromScores(t *testing.T) {
	w := live(t, "")
	w.register(stub{Bias: 1}, w.history("history", 28, usual))
	w.put(2, spec.Canary)
	w.advance(day0)
	w.ask(day0, day(3), usual)
	got, err := w.realised("mae", monitor.ByMonth, day0, day(2))
	if err != nil || math.Abs(got[0].Versions[1]) > 1e-9 || math.Abs(got[0].Versions[2]-1) > 1e-9 ||
		*got[0].Served <= 0 || *got[0].Served >= 1 {
		t.Errorf("got %+v, %v", got, err)
	}
}

// A version that cannot be judged says why, and hides no other.
func TestRealised_JudgesEachVersionByItself(t *testing.T) {
	w := live(t, "")
	w.register(stub{Bias: 0.5}, w.history("history", 28, usual)) // its answers are no classes
	w.put(2, spec.Canary)
	w.advance(day0)
	w.ask(day0, day(3), func(at time.Time) hour {
		h := usual(at)
		h.bikers, h.temp = 3, 0.3
		return h
	})
	got, err := w.realised("accuracy", monitor.ByMonth, day0, day(2))
	if err != nil || got[0].Versions[1] != 1 || got[0].Served == nil || got[0].Unanswered[2] != 48 ||
		got[0].Reasons[2] != "none of the 48 labelled requests has an answer that accuracy can judge" {
		t.Errorf("got %+v, %v", got, err)
	}
	got, err = w.realised("logloss", monitor.ByMonth, day0, day(2))
	if err != nil || got[0].Served != nil || !strings.HasPrefix(got[0].Reason, "the label 3 is ") {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestRealised_RefusesWhatItCannotCompute(t *testing.T) {
	w := newWorld(t, "")
	for name, c := range map[string]struct {
		metric, by string
		from, to   time.Time
	}{
		"an unknown metric":   {"charm", monitor.ByDay, day0, day(1)},
		"an unknown grouping": {"mae", "week", day0, day(1)},
		"times out of order":  {"mae", monitor.ByDay, day(1), day0},
		"too long a time":     {"mae", monitor.ByDay, day0, day(21 * 366)},
	} {
		_, err := w.realised(c.metric, c.by, c.from, c.to)
		if !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever the size of a page, the pages of a list are the list.
func TestLists_ArePaged(t *testing.T) {
	w := live(t, watchBoth)
	w.advance(day0)
	w.ask(day0, day(4), busy)
	w.ask(day(4), day(8), usual)
	w.ask(day(8), day(12), busy)
	ctx := t.Context()
	windows := func(token string, limit int) (fairlead.Page[string], error) {
		page, err := w.monitor.Windows(ctx, w.p, monitor.WindowFilter{Endpoint: endpoint}, token, limit)
		return texts(page, func(x *monitor.Window) string { return fmt.Sprint(x.From, x.Kind) }), err
	}
	incidents := func(token string, limit int) (fairlead.Page[string], error) {
		page, err := w.monitor.Incidents(ctx, w.p, monitor.IncidentFilter{}, token, limit)
		return texts(page, func(x *monitor.Incident) string { return x.ID }), err
	}
	periods := func(token string, limit int) (fairlead.Page[string], error) {
		q := monitor.RealisedQuery{Endpoint: endpoint, Metric: "mae", By: monitor.ByDay, From: day0,
			To: day(9)}
		page, err := w.monitor.Realised(ctx, w.p, q, token, limit)
		return texts(page, func(x monitor.Period) string { return x.From.String() }), err
	}
	for name, list := range map[string]struct {
		read func(token string, limit int) (fairlead.Page[string], error)
		n    int
	}{"windows": {windows, 23}, "incidents": {incidents, 2}, "periods": {periods, 9}} {
		whole, err := list.read("", 0)
		if err != nil || len(whole.Items) != list.n || whole.Next != "" {
			t.Errorf("%s: %d items, then %q, %v", name, len(whole.Items), whole.Next, err)
		}
		for limit := 1; limit <= list.n; limit++ {
			var all []string
			for token := ""; ; {
				page, err := list.read(token, limit)
				if err != nil || len(page.Items) > limit {
					t.Fatalf("%s by %d: %v, %v", name, limit, page, err)
				}
				all = append(all, page.Items...)
				if token = page.Next; token == "" {
					break
				}
			}
			if !slices.Equal(all, whole.Items) {
				t.Errorf("%s by %d: %v", name, limit, all)
			}
		}
		if _, err := list.read("foreign", 1); !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("%s with a foreign token: %v", name, err)
		}
	}
	w.read(func(tx *store.Tx) error {
		x, err := w.monitor.Newest(tx, w.p, endpoint, monitor.Performance)
		if err != nil || !x.From.Equal(day(10)) || x.LagMS != 24*time.Hour.Milliseconds() {
			t.Errorf("newest window %+v, %v", x, err)
		}
		if x, err = w.monitor.Newest(tx, w.p, "another", monitor.Drift); err != nil || x != nil {
			t.Errorf("newest window of nothing %+v, %v", x, err)
		}
		return nil
	})
}

func texts[T any](page fairlead.Page[T], of func(T) string) fairlead.Page[string] {
	out := fairlead.Page[string]{Next: page.Next}
	for _, x := range page.Items {
		out.Items = append(out.Items, of(x))
	}
	return out
}
