package monitor_test

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/monitor"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

// live is a world with version 1 live since before the first request.
func live(t *testing.T, monitoring string) *world {
	t.Helper()
	w := newWorld(t, monitoring)
	w.register(stub{}, w.history("history", 28, usual))
	w.judge(1, 2)
	w.put(1, spec.Replace)
	return w
}

func day(n int) time.Time { return day0.AddDate(0, 0, n) }

// busy is a usual day on which twice as many come.
func busy(at time.Time) hour {
	h := usual(at)
	h.bikers *= 2
	return h
}

func TestWindows_FollowStreamTimeFromTheFirstRequest(t *testing.T) {
	w := live(t, watchBoth)
	if got := w.states(""); got != "" {
		t.Fatalf("windows before the stream began: %s", got)
	}
	w.advance(day0)
	w.ask(day0, day(4), usual)
	if got := w.states(monitor.Drift); got != "1g 1g 1g 1g" {
		t.Errorf("drift %s", got)
	}
	if got := w.states(monitor.Performance); got != "1g 1g 1g" { // the last one waits for labels
		t.Errorf("performance %s", got)
	}
	first := w.windows(monitor.Performance)[0]
	if !first.From.Equal(day0) || !first.To.Equal(day(1)) || first.Rows != 24 ||
		first.Coverage != 1 || first.Value != 0 || first.Limit != 3 {
		t.Errorf("first window %+v", first)
	}
	if got := w.incidents(); len(got) != 0 {
		t.Errorf("incidents %+v", got[0])
	}
}

// Each letter is a day: g a usual one, r one with a large error, ? one without
// labels. An incident opens with the second red window of three, and closes with
// the third green one; days without evidence count neither way.
func TestIncident_OpensAndClosesWithHysteresis(t *testing.T) {
	for _, c := range []struct{ days, want string }{
		{"ggrgg", ""},
		{"grrg", "open"},
		{"rgr", "open"},
		{"rggr", ""},
		{"r?r", "open"},
		{"r???r", "open"},
		{"rrggrg", "open"},
		{"rrggg", "closed on 7 March"},
		{"rr?g?g?g", "closed on 10 March"},
		{"rrgggrr", "closed on 7 March, open"},
	} {
		t.Run(c.days, func(t *testing.T) {
			w := live(t, watchBoth)
			w.advance(day0)
			for i, c := range c.days {
				what := map[rune]func(time.Time) hour{'g': usual, 'r': busy, '?': usual}[c]
				w.send(day(i), day(i+1), c != '?', func(at time.Time) (*engine.Frame, float64) {
					h := what(at)
					return h.frame(at), h.bikers
				})
			}
			w.advance(day(len(c.days) + 1))
			want := strings.ReplaceAll(c.days, "", " 1")
			if got := w.states(monitor.Performance); got != strings.TrimSuffix(want, " 1")[1:] {
				t.Errorf("windows %s", got)
			}
			var got []string
			for _, i := range w.incidents() {
				text := "open"
				if !i.Open() {
					text = "closed on " + i.ResolvedAt.Format("2 January")
				}
				got = append([]string{text}, got...)
			}
			if strings.Join(got, ", ") != c.want {
				t.Errorf("incidents %v, want %s", got, c.want)
			}
		})
	}
}

func TestIncident_TellsWhatHappenedInStreamTime(t *testing.T) {
	w := live(t, watchBoth)
	w.advance(day0)
	w.ask(day0, day(4), busy)
	all := w.incidents()
	if len(all) != 1 {
		t.Fatalf("%d incidents", len(all))
	}
	i := all[0]
	if i.Kind != monitor.Decay || i.Action != spec.Retrain || i.Version != 1 ||
		!i.OpenedAt.Equal(day(3)) || i.Value < 140 || i.Limit != 3 ||
		!strings.Contains(i.Reason, "2 of the last 2 windows are red: mae 150 against 2") {
		t.Errorf("incident %+v", i)
	}
	w.settle()
	events := w.events(event.IncidentOpenedType)
	var body event.Incident
	if len(events) != 1 || events[0].Decode(&body) != nil || !events[0].At().Equal(day(3)) ||
		body.Incident != i.ID || body.Action != spec.Retrain {
		t.Errorf("events %+v", events)
	}
}

// A version that takes over begins its own windows and resolves the incidents of the
// one before. One that comes back begins anew: what it did months ago is past.
func TestWindows_BeginWithTheVersionThatBecomesLive(t *testing.T) {
	w := live(t, watchBoth)
	w.register(stub{Bias: 0.5}, w.history("history", 28, usual))
	w.judge(2, 2)
	w.advance(day0)
	w.ask(day0, day(3), busy)
	noon := day(3).Add(12 * time.Hour)
	w.ask(day(3), noon, usual)
	w.advance(noon)
	w.put(2, spec.Replace)
	i := w.incidents()[0]
	if i.Resolution != "version 2 took over" || !i.ResolvedAt.Equal(noon) {
		t.Errorf("incident %+v", i)
	}
	w.ask(noon, day(6), usual)
	w.rollBack()
	w.ask(day(6), day(9), usual)
	if got := w.states(monitor.Performance); got != "1r 1r 2g 1g 1g" {
		t.Errorf("windows %s", got)
	}
	if got := w.windows(monitor.Performance)[2]; !got.From.Equal(noon) {
		t.Errorf("version 2 begins at %s", got.From)
	}
	if n := len(w.incidents()); n != 1 {
		t.Errorf("%d incidents: old windows of version 1 counted", n)
	}
}

func (w *world) rollBack() {
	w.t.Helper()
	w.do(func(ctx context.Context, tx *store.Tx) error {
		return w.release.RollbackEndpoint(ctx, tx, w.p, endpoint, "a test")
	})
	w.settle()
}

// Nothing is judged twice, and nothing is lost, when the server is another one
// between any two days.
func TestWindows_GoOnAfterARestart(t *testing.T) {
	w := live(t, watchBoth)
	w.advance(day0)
	for n := range 4 {
		w.ask(day(n), day(n+1), busy)
		w.restart()
	}
	w.advance(day(4))
	if got := w.states(monitor.Performance) + "," + w.states(monitor.Drift); got != "1r 1r 1r,1g 1g 1g 1g" {
		t.Errorf("windows %s", got)
	}
	if n := len(w.incidents()); n != 1 {
		t.Errorf("%d incidents", n)
	}
}

// A window that could not be judged is there, and says why; those after it are judged.
func TestWindows_GoOnAfterAJobThatFailed(t *testing.T) {
	w := live(t, watchBoth)
	w.advance(day0)
	body := func(change string) {
		w.do(func(_ context.Context, tx *store.Tx) error {
			_, err := tx.Exec("update reference set body = " + change)
			return err
		})
	}
	w.ask(day0, day(1), usual)
	body("'x' || body")
	w.ask(day(1), day(3), usual)
	body("substr(body, 2)")
	w.ask(day(3), day(5), usual)
	if got := w.states(monitor.Performance); got != "1? 1? 1g 1g" {
		t.Errorf("windows %s", got)
	}
	x := w.windows(monitor.Performance)[0]
	if !strings.HasPrefix(x.Reason, "it could not be judged: ") {
		t.Errorf("window %+v", x)
	}
}

func TestWindows_FollowAFileThatChanges(t *testing.T) {
	w := live(t, watchBoth)
	w.advance(day0)
	w.ask(day0, day(3), busy)
	// Longer windows hold from the next one on; the one that has begun keeps its own.
	w.apply(strings.Replace(watchBoth, "worse_by: 50%, window: 1d", "worse_by: 50%, window: 2d", 1))
	w.ask(day(3), day(6), busy)
	var got []string
	for _, x := range w.windows(monitor.Performance) {
		got = append(got, fmt.Sprintf("%d-%d", x.From.Day(), x.To.Day()))
	}
	if strings.Join(got, " ") != "1-2 2-3 3-4 4-6" {
		t.Errorf("windows %v", got)
	}
	// No monitor: the incident is over, since nobody looks any more.
	w.apply("")
	w.ask(day(6), day(9), busy)
	if n := len(w.windows("")); n != len(got)+6 {
		t.Errorf("%d windows", n)
	}
	if i := w.incidents()[0]; i.Resolution != "it is no longer watched" || !i.ResolvedAt.Equal(day(6)) {
		t.Errorf("incident %+v", i)
	}
	// And it is taken up again from where the stream stands.
	w.apply(watchBoth)
	w.ask(day(9), day(12), busy)
	last := w.windows(monitor.Performance)[4]
	if !last.From.Equal(day(9)) || last.State != monitor.Red {
		t.Errorf("window %+v", last)
	}
	if all := w.incidents(); len(all) != 2 || !all[0].Open() {
		t.Errorf("incidents %+v", all)
	}
}

// A window may be due between the two changes of a file that come back to where it was.
func TestWindows_GoOnAfterAFileThatChangedForAMoment(t *testing.T) {
	const watched = `monitor:
  performance: {metric: mae, worse_by: 50%, window: 1d, label_delay: 24h}
`
	w := live(t, watched)
	w.advance(day0)
	w.ask(day0, day(1), usual)
	w.led.Stop() // and with it the monitor, which hears of both changes when it is back
	w.deaf = true
	apply := func(text string) { w.must(errOf(w.projects.Apply(t.Context(), []byte(text), ""))) }
	apply(file(""))
	w.advance(day(3))
	apply(file(watched))
	w.deaf = false
	w.restart()
	w.settle()
	w.ask(day(3), day(5), usual)
	if n := len(w.windows(monitor.Performance)); n == 0 {
		t.Errorf("%d windows", n)
	}
}

func errOf(_ *spec.Revision, err error) error { return err }

func TestPerformance_IsUnknownWithoutEvidence(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(w *world)
		want    string
	}{
		"no gate has passed it": {func(w *world) { w.put(1, spec.Replace) },
			`there is nothing to compare with: the gate did not see "mae" of version 1`},
		"the gate stopped it": {func(w *world) { w.judge(1, 2); w.judge(1, 500); w.put(1, spec.Replace) }, ""},
		"few requests": {func(w *world) { w.judge(1, 2); w.put(1, spec.Replace) },
			"4 labelled rows, 100% of the requests, are too few"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, watchBoth)
			w.register(stub{}, w.history("history", 28, usual))
			c.prepare(w)
			w.advance(day0)
			to := day(1)
			if name == "few requests" {
				to = day0.Add(4 * time.Hour)
			}
			w.ask(day0, to, busy)
			w.advance(day(2))
			got := w.windows(monitor.Performance)[0]
			if c.want == "" {
				if got.State != monitor.Red || got.Limit != 3 {
					t.Errorf("what a stopped gate saw replaced what a passed one did: %+v", got)
				}
			} else if got.State != monitor.Unknown || got.Reason != c.want {
				t.Errorf("window %+v", got)
			}
		})
	}
}

// ofThree is what happens on a usual day, as one of three classes.
func ofThree(at time.Time) hour {
	h := usual(at)
	h.bikers = classOf(h.bikers, 3)
	return h
}

func TestPerformance_JudgesMoreThanTwoClasses(t *testing.T) {
	for name, c := range map[string]struct {
		metric string
		bias   float64
		state  monitor.WindowState
		value  float64
		reason string
	}{
		"all right": {"accuracy", 0, monitor.Green, 1, ""},
		"all wrong": {"accuracy", 1, monitor.Red, 0, "accuracy 0 against 1 on the holdout"},
		"not for this metric": {"logloss", 0, monitor.Unknown, 0,
			"the label 2 is not 0 or 1; for more classes"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, strings.Replace(watchBoth, "metric: mae", "metric: "+c.metric, 1))
			w.register(stub{Classes: 3, Bias: c.bias}, w.history("history", 28, usual))
			w.judge(1, 2)
			w.put(1, spec.Replace)
			w.advance(day0)
			w.ask(day0, day(2), ofThree)
			x := w.windows(monitor.Performance)[0]
			if x.State != c.state || x.Value != c.value || !strings.HasPrefix(x.Reason, c.reason) {
				t.Errorf("window %+v", x)
			}
		})
	}
}

// What a version cannot answer is no reason to know nothing of it: a little is left out,
// and much is bad by itself.
func TestPerformance_CountsWhatWasNotAnswered(t *testing.T) {
	for name, c := range map[string]struct {
		odd        int // requests of a day whose answer is no probability
		state      monitor.WindowState
		unanswered int
		reason     string
	}{
		"a little": {2, monitor.Green, 2, ""},
		"much": {3, monitor.Red, 3,
			"3 of 24 labelled requests have no answer that accuracy can judge"},
		"all": {24, monitor.Unknown, 24,
			"none of the 24 labelled requests has an answer that accuracy can judge"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, strings.Replace(watchBoth, "metric: mae", "metric: accuracy", 1))
			w.register(stub{}, w.history("history", 28, usual))
			w.judge(1, 2)
			w.put(1, spec.Replace)
			w.advance(day0)
			w.ask(day0, day(2), func(at time.Time) hour {
				h := usual(at)
				h.bikers, h.temp = 1, 0.1 // the stub answers ten times the temperature
				if at.Hour() < c.odd {
					h.temp = 0.25 // 2.5 is no class, and no probability
				}
				return h
			})
			x := w.windows(monitor.Performance)[0]
			if x.State != c.state || x.Rows != 24-c.unanswered || x.Unanswered != c.unanswered ||
				x.Reason != c.reason {
				t.Errorf("window %+v", x)
			}
			days, err := w.realised("accuracy", monitor.ByDay, day0, day(1))
			if err != nil || days[0].Unanswered[1] != c.unanswered ||
				(days[0].Served == nil) != (c.odd == 24) {
				t.Errorf("days %+v, %v", days, err)
			}
		})
	}
}

// The bias is as bad below zero as above it.
func TestPerformance_WatchesTheBiasOnBothSides(t *testing.T) {
	for _, bias := range []float64{-20, 20} {
		t.Run(fmt.Sprint(bias), func(t *testing.T) {
			w := newWorld(t, strings.Replace(watchBoth, "metric: mae, worse_by: 50%",
				"metric: bias, worse_by: 5", 1))
			w.register(stub{Bias: bias}, w.history("history", 28, usual))
			w.judge(1, 2)
			w.put(1, spec.Replace)
			w.advance(day0)
			w.ask(day0, day(2), usual)
			x := w.windows(monitor.Performance)[0]
			if x.State != monitor.Red || math.Abs(x.Value-20) > 1e-9 || x.Limit != 6 {
				t.Errorf("window %+v", x)
			}
		})
	}
}

func TestIncident_OfAnotherProjectIsNotFound(t *testing.T) {
	w := live(t, watchBoth)
	w.read(func(tx *store.Tx) error {
		_, err := w.monitor.Incident(tx, w.p, "in_1")
		if !fairlead.Is(err, fairlead.NotFound) {
			t.Errorf("got %v", err)
		}
		return nil
	})
}
