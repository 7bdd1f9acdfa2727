package monitor_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/monitor"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/spec"
)

const watchDrift = `monitor:
  drift: {method: psi, threshold: 0.25, window: 3d, red: 2 of 3}
  then: {drift: alert}
`

// weather is more like the real thing: it changes slowly, so the hours of three
// days hang together, and never look like two months.
func weather(at time.Time) hour {
	d := at.Sub(day0).Hours() / 24
	h := usual(at)
	h.temp += 4*math.Sin(d/2.1) + 2*math.Sin(d/0.9)
	if math.Sin(d/1.7) > 0.8 {
		h.weather = "rain"
	}
	return h
}

func drifting(t *testing.T, lineage func(w *world)) *world {
	t.Helper()
	w := newWorld(t, watchDrift)
	lineage(w)
	w.judge(1, 2)
	w.put(1, spec.Replace)
	w.advance(day0)
	return w
}

func onTwoMonths(w *world) { w.register(stub{}, w.history("history", 60, weather)) }

// feature returns a window's drift of one input.
func feature(t *testing.T, w *monitor.Window, name string) monitor.FeatureDrift {
	t.Helper()
	for _, f := range w.Features {
		if f.Name == name {
			return f
		}
	}
	t.Fatalf("window has no feature %s: %+v", name, w.Features)
	return monitor.FeatureDrift{}
}

// Three days have no seven weekdays, and their weather hangs together: that is as it
// always was, and not red, although each PSI is far above the threshold.
func TestDrift_IsNotRedForWhatIsUsualOfShortWindows(t *testing.T) {
	w := drifting(t, onTwoMonths)
	w.ask(day0, day(12), weather)
	if got := w.states(monitor.Drift); got != "1g 1g 1g 1g" {
		for _, x := range w.windows(monitor.Drift) {
			t.Logf("%+v", x.Features)
		}
		t.Errorf("windows %s", got)
	}
	f := feature(t, w.windows(monitor.Drift)[0], "weekday")
	if f.PSI < 1 || f.Limit < f.PSI {
		t.Errorf("weekday %+v", f)
	}
}

func TestDrift_NamesTheFeaturesThatLeftTheReference(t *testing.T) {
	w := drifting(t, onTwoMonths)
	w.ask(day0, day(6), func(at time.Time) hour {
		h := weather(at)
		h.temp += 12
		return h
	})
	if got := w.states(monitor.Drift); got != "1r 1r" {
		t.Fatalf("windows %s", got)
	}
	x := w.windows(monitor.Drift)[0]
	worst := x.Features[0]
	if worst.Name != "temp" && worst.Name != monitor.PredictionFeature || x.Value != worst.PSI ||
		x.Limit != worst.Limit || x.Value <= x.Limit {
		t.Errorf("worst %+v of %+v", worst, x)
	}
	if !feature(t, x, "temp").Red || !feature(t, x, monitor.PredictionFeature).Red ||
		feature(t, x, "temp").Outside < 0.3 || feature(t, x, "weekday").Red {
		t.Errorf("features %+v", x.Features)
	}
	if i := w.incidents(); len(i) != 1 || i[0].Kind != "drift" || i[0].Action != spec.Alert ||
		!strings.Contains(i[0].Reason, "2 of the last 2 windows are red: ") ||
		!strings.Contains(i[0].Reason, "temp") {
		t.Errorf("incidents %+v", i)
	}
}

func TestDrift_OfValuesThatAreMissingOrWereNeverSeen(t *testing.T) {
	for name, c := range map[string]struct {
		frame func(at time.Time) *engine.Frame
		red   string
		check func(f monitor.FeatureDrift) bool
	}{
		"a column that is left out": {func(at time.Time) *engine.Frame {
			f := weather(at).frame(at)
			f.Columns = f.Columns[1:]
			return f
		}, "temp", func(f monitor.FeatureDrift) bool { return f.Missing == 1 && f.Before == 0 }},
		"a column of nulls": {func(at time.Time) *engine.Frame {
			f := weather(at).frame(at)
			f.Columns[2].Valid = []bool{false}
			return f
		}, "weather", func(f monitor.FeatureDrift) bool { return f.Missing == 1 }},
		"a new category": {func(at time.Time) *engine.Frame {
			f := weather(at).frame(at)
			f.Columns[2].Strings = []string{"fog"}
			return f
		}, "weather", func(f monitor.FeatureDrift) bool { return f.Outside == 1 && f.Missing == 0 }},
		"a flag that turns": {func(at time.Time) *engine.Frame {
			f := weather(at).frame(at)
			f.Columns[3].Floats = []float64{1}
			return f
		}, "holiday", func(f monitor.FeatureDrift) bool { return f.Outside == 1 }},
	} {
		t.Run(name, func(t *testing.T) {
			w := drifting(t, onTwoMonths)
			w.send(day0, day(3), false, func(at time.Time) (*engine.Frame, float64) { return c.frame(at), 0 })
			x := w.windows(monitor.Drift)[0]
			if f := feature(t, x, c.red); !f.Red || !c.check(f) || x.State != monitor.Red {
				t.Errorf("%s: %+v", x.State, f)
			}
		})
	}
}

func TestDrift_IsUnknownWithoutInputsToCompareWith(t *testing.T) {
	w := drifting(t, func(w *world) { w.register(stub{}) })
	w.ask(day0, day(3), usual)
	x := w.windows(monitor.Drift)[0]
	if x.State != monitor.Unknown || x.Reason != "the reference has no inputs to compare with" {
		t.Errorf("window %+v", x)
	}
}

func TestDrift_IsUnknownOnFewRows(t *testing.T) {
	w := drifting(t, onTwoMonths)
	w.ask(day0, day0.Add(5*time.Hour), usual)
	w.advance(day(3))
	if x := w.windows(monitor.Drift)[0]; x.State != monitor.Unknown || x.Reason != "5 rows are too few" {
		t.Errorf("window %+v", x)
	}
}

// A file that asks for windows of another length finds the usual of those.
func TestDrift_LearnsWhatIsUsualForANewLength(t *testing.T) {
	w := drifting(t, onTwoMonths)
	w.ask(day0, day(3), weather)
	w.apply(strings.Replace(watchDrift, "3d", "7d", 1))
	w.ask(day(3), day(13), weather)
	if got := w.states(monitor.Drift); got != "1g 1g 1g" { // the second one had begun
		t.Errorf("windows %s", got)
	}
	all := w.windows(monitor.Drift)
	short, long := feature(t, all[0], "weekday"), feature(t, all[2], "weekday")
	if short.Limit < 3 || long.Limit > short.Limit-0.5 { // a week has all its days
		t.Errorf("limits %g of three days, %g of seven", short.Limit, long.Limit)
	}
}

func TestReference_IsWhatTheVersionWasMadeFrom(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(w *world)
		want    string
	}{
		"the newest dataset with enough rows": {func(w *world) {
			w.register(stub{}, w.dataset("old", day(-200), day(-100), usual), w.history("recent", 60, usual))
		}, "4 inputs on 1440 rows of recent version 1"},
		"more of them when it is short": {func(w *world) {
			w.register(stub{}, w.history("recent", 14, usual), w.dataset("old", day(-60), day(-14), usual))
		}, "4 inputs on 1440 rows of old version 1 and recent version 1"},
		"never the holdout of its own lineage": {func(w *world) {
			rest, held := w.split(w.history("history", 60, usual))
			w.register(stub{}, rest, held)
		}, "4 inputs on 1272 rows of history version 2"},
		"the newest holdout for a version without lineage": {func(w *world) {
			w.split(w.history("history", 60, usual))
			w.register(stub{})
		}, "4 inputs on 168 rows of holdout version 1 (the version names no data of its own)"},
		"nothing": {func(w *world) { w.register(stub{}) },
			"0 inputs: the version names no data, and there is no holdout to take instead; " +
				"its drift cannot be watched"},
		"data without any of the columns": {func(w *world) { w.register(stub{}, w.others()) },
			"0 inputs: others version 1 has none of the model's columns; its drift cannot be watched"},
		"a model that cannot answer its own data": {func(w *world) {
			w.register(stub{Fail: true}, w.history("history", 60, usual))
		}, "4 inputs on 1440 rows of history version 1; its own predictions are not compared: " +
			`the input "registered" is missing`},
		"a model whose engine was away for a moment": {func(w *world) {
			w.away = 1
			w.register(stub{}, w.history("history", 60, usual))
		}, "4 inputs on 1440 rows of history version 1"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, watchDrift)
			c.prepare(w)
			got := w.condition(1)
			if got.Status != registry.True || got.Reason != c.want {
				t.Errorf("condition %+v\nwant %s", got, c.want)
			}
		})
	}
}
