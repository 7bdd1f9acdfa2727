package monitor_test

import (
	"math"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/monitor"
	"github.com/fairlead-ml/fairlead/spec"
)

func TestRealised_GroupsByDayAndMonth(t *testing.T) {
	w := live(t, "")
	w.advance(day0)
	w.ask(day(29), day(32), offBy) // the end of March and the first of April
	ctx := t.Context()
	days, err := w.monitor.Realised(ctx, w.p, endpoint, "mae", monitor.ByDay, day(29), day(32))
	if err != nil || len(days) != 3 || days[0].Requests != 24 || days[0].Labelled != 24 ||
		*days[0].Served != 1 || days[0].Versions[1] != 1 || days[0].Rows[1] != 24 {
		t.Errorf("days %+v, %v", days, err)
	}
	if last := days[2]; last.Labelled != 1 || *last.Served != 1 { // the rest is not known yet
		t.Errorf("last day %+v", last)
	}
	months, err := w.monitor.Realised(ctx, w.p, endpoint, "mae", monitor.ByMonth, day(10), day(40))
	if err != nil || len(months) != 2 || months[0].Requests != 48 || months[1].Requests != 24 ||
		!months[1].From.Equal(time.Date(2011, 4, 1, 0, 0, 0, 0, time.UTC)) || !months[1].To.Equal(day(40)) {
		t.Errorf("months %+v, %v", months, err)
	}
}

func TestRealised_HasNoFigureWhereTheMetricIsUndefined(t *testing.T) {
	w := live(t, "")
	w.advance(day0)
	got, err := w.monitor.Realised(t.Context(), w.p, endpoint, "mae", monitor.ByDay, day0, day(1))
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
	got, err := w.monitor.Realised(t.Context(), w.p, endpoint, "mae", monitor.ByMonth, day0, day(2))
	if err != nil || math.Abs(got[0].Versions[1]) > 1e-9 || math.Abs(got[0].Versions[2]-1) > 1e-9 ||
		*got[0].Served <= 0 || *got[0].Served >= 1 {
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
		_, err := w.monitor.Realised(t.Context(), w.p, endpoint, c.metric, c.by, c.from, c.to)
		if !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
