package monitor_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/monitor"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

func (w *world) drifts(h monitor.History) monitor.DriftHistory {
	w.t.Helper()
	h.Endpoint = endpoint
	out, err := w.monitor.Drifts(w.t.Context(), w.p, h, "")
	w.must(err)
	return out
}

func (w *world) performances(h monitor.History) monitor.PerformanceHistory {
	w.t.Helper()
	h.Endpoint = endpoint
	out, err := w.monitor.Performances(w.t.Context(), w.p, h, "")
	w.must(err)
	return out
}

func (w *world) distribution(q monitor.DistributionQuery) (*monitor.Distribution, error) {
	w.t.Helper()
	q.Endpoint = endpoint
	return w.monitor.Distribution(w.t.Context(), w.p, q)
}

func track(t *testing.T, h monitor.DriftHistory, name string) monitor.FeatureTrack {
	t.Helper()
	for _, f := range h.Features {
		if f.Name == name {
			return f
		}
	}
	t.Fatalf("no feature %s in %+v", name, h.Features)
	return monitor.FeatureTrack{}
}

// hot is a day on which the temperature leaves the reference.
func hot(at time.Time) hour {
	h := weather(at)
	h.temp += 12
	return h
}

func TestDrifts_AreTheWindowsFeatureByFeature(t *testing.T) {
	w := drifting(t, onTwoMonths)
	w.ask(day0, day(6), weather)
	w.ask(day(6), day(9), hot)
	all := w.windows(monitor.Drift)
	got := w.drifts(monitor.History{})
	if len(got.Stretches) != len(all) || got.StepMS != 0 || got.Windows != len(all) {
		t.Fatalf("%d stretches of %d ms for %d windows", len(got.Stretches), got.StepMS, len(all))
	}
	for i, x := range all {
		s := got.Stretches[i]
		if !s.From.Equal(x.From) || !s.To.Equal(x.To) || s.Windows != 1 || s.Worst.State != x.State ||
			s.Worst.Version != 1 || s.Worst.Rows != x.Rows {
			t.Errorf("stretch %d is %+v, the window %+v", i, s, x)
		}
		for _, f := range x.Features {
			have := track(t, got, f.Name)
			if math.Abs(*have.PSI[i]-f.PSI) > 1e-3*f.PSI || math.Abs(*have.Limit[i]-f.Limit) > 1e-3*f.Limit ||
				have.Red[i] != f.Red {
				t.Errorf("%s in window %d: %v of %v, red %v; want %+v", f.Name, i, *have.PSI[i],
					*have.Limit[i], have.Red[i], f)
			}
		}
	}
	if first := got.Features[0]; first.Reds == 0 || track(t, got, "weekday").Reds != 0 {
		t.Errorf("the first feature is %+v", first)
	}
	part := w.drifts(monitor.History{From: day(3), To: day(6)})
	if len(part.Stretches) != 1 || !part.Stretches[0].From.Equal(day(3)) {
		t.Errorf("part %+v", part.Stretches)
	}
}

func TestDrifts_OfMoreThanFitAreTheWorstOfEachStretch(t *testing.T) {
	w := drifting(t, onTwoMonths)
	w.ask(day0, day(3), hot)
	w.ask(day(3), day(24), weather)
	all := w.drifts(monitor.History{})
	few := w.drifts(monitor.History{Stretches: 3})
	if len(few.Stretches) < 2 || len(few.Stretches) > 4 || few.StepMS == 0 {
		t.Fatalf("%d stretches of %d ms", len(few.Stretches), few.StepMS)
	}
	windows, reds, most := 0, 0, 0.0
	for _, s := range few.Stretches {
		windows, reds = windows+s.Windows, reds+s.Reds
	}
	for _, v := range track(t, all, "temp").PSI {
		most = max(most, *v)
	}
	first := few.Stretches[0]
	if windows != 8 || reds != 1 || first.Worst.State != monitor.Red || !first.Worst.From.Equal(day0) {
		t.Errorf("%d windows, %d red, the first stretch %+v", windows, reds, first)
	}
	if temp := track(t, few, "temp"); !temp.Red[0] || temp.Reds != 1 || *temp.PSI[0] != most {
		t.Errorf("temp %+v, want %v", temp, most)
	}
	if again := w.drifts(monitor.History{Stretches: 1}); again.Stretches[0].Windows+
		again.Stretches[len(again.Stretches)-1].Windows < 8 || len(again.Stretches) > 2 {
		t.Errorf("as one %+v", again.Stretches)
	}
}

func TestDistribution_AddsUpToThePSI(t *testing.T) {
	w := drifting(t, onTwoMonths)
	w.ask(day0, day(3), hot)
	for _, name := range []string{"temp", "weather", "holiday", monitor.PredictionFeature} {
		d, err := w.distribution(monitor.DistributionQuery{Feature: name, From: day0, To: day(3)})
		if err != nil {
			t.Fatal(err)
		}
		want := feature(t, w.windows(monitor.Drift)[0], name)
		psi, reference, window := 0.0, 0, 0
		for _, b := range d.Bins {
			psi, reference, window = psi+b.PSI, reference+int(b.Reference), window+int(b.Window)
		}
		if math.Abs(psi-want.PSI) > 1e-9 || d.PSI != want.PSI || d.Limit != want.Limit || d.Red != want.Red ||
			reference != 60*24 || window != 3*24 || d.Rows != window || d.ReferenceRows != reference {
			t.Errorf("%s: %v of %d and %d rows, want %+v: %+v", name, psi, reference, window, want, d)
		}
		if len(d.Datasets) != 1 || d.Datasets[0].Dataset != "history" || d.Version != 1 ||
			d.Threshold == 0 || name == "temp" && d.Usual != d.Limit {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

// A window from before its bins were kept has them all the same.
func TestDistribution_CountsAgainWhatIsNotKept(t *testing.T) {
	w := drifting(t, onTwoMonths)
	w.ask(day0, day(6), hot)
	q := monitor.DistributionQuery{Feature: "temp", Version: 1, From: day0, To: day(3)}
	kept, err := w.distribution(q)
	w.must(err)
	before := w.drifts(monitor.History{})
	w.change("delete from win_bins")
	again, err := w.distribution(q)
	w.must(err)
	if fmt.Sprint(kept.Bins[0].Window, len(kept.Bins), kept.PSI) != fmt.Sprint(again.Bins[0].Window, len(again.Bins), again.PSI) {
		t.Errorf("kept %+v, again %+v", kept, again)
	}
	if after := w.drifts(monitor.History{}); fmt.Sprint(*track(t, after, "temp").PSI[1]) !=
		fmt.Sprint(*track(t, before, "temp").PSI[1]) {
		t.Errorf("before %+v, after %+v", before.Features, after.Features)
	}
	w.change("update win set row_count = 20001")
	if _, err := w.distribution(q); !fairlead.Is(err, fairlead.Precondition) ||
		!strings.Contains(err.Error(), "too many to count again") {
		t.Errorf("error %v", err)
	}
}

func (w *world) change(sql string) {
	w.t.Helper()
	w.must(w.db.Write(w.t.Context(), store.Control, func(tx *store.Tx) error {
		_, err := tx.Exec(sql)
		return err
	}))
}

func TestDistribution_OfNothingIsNotFound(t *testing.T) {
	w := drifting(t, onTwoMonths)
	w.ask(day0, day(3), weather)
	for name, q := range map[string]monitor.DistributionQuery{
		"another feature": {Feature: "planes", From: day0, To: day(3)},
		"another version": {Feature: "temp", Version: 2, From: day0, To: day(3)},
		"another time":    {Feature: "temp", From: day(3), To: day(6)},
	} {
		if _, err := w.distribution(q); !fairlead.Is(err, fairlead.NotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A shadow is judged on the same requests as the version that is live.
func TestPerformances_HaveAFigureForEachVersion(t *testing.T) {
	w := live(t, watchBoth)
	w.register(stub{Bias: 5}, w.history("history", 28, usual))
	w.put(2, spec.Shadow)
	w.advance(day0)
	w.ask(day0, day(4), offBy)
	got := w.performances(monitor.History{})
	if len(got.Stretches) != 3 || got.Metric != "mae" || got.Unit != "label" || got.HigherIsBetter {
		t.Fatalf("got %+v", got)
	}
	x := got.Stretches[0].Worst
	if x.Metric != "mae" || x.Requests != 24 || x.Labelled != 24 || len(x.Figures) != 2 ||
		x.Figures[0].Version != 1 || *x.Figures[0].Value != x.Value || *x.Figures[1].Value == x.Value ||
		x.Figures[1].Rows != 24 || x.Figures[1].Worth != nil {
		t.Errorf("window %+v", x)
	}
	p := got.Pending
	if p == nil || p.Requests != 24 || p.Labelled == nil || *p.Labelled != 1 || !p.From.Equal(day(3)) ||
		!p.To.Equal(day(4)) || !p.JudgedAt.Equal(day(5)) {
		t.Errorf("pending %+v", p)
	}
	if part := w.performances(monitor.History{To: day(2)}); len(part.Stretches) != 2 || part.Pending != nil {
		t.Errorf("part %+v", part)
	}
}

// The worth of answers follows the file's goal, with probabilities cut at a half.
func TestPerformances_SayWhatAnswersAreWorth(t *testing.T) {
	const logloss = `goal: {metric: logloss, at_most: 1, value: {true_positive: 10, false_positive: -4, ` +
		`true_negative: 1, false_negative: -2, currency: EUR}}
monitor:
  performance: {metric: logloss, worse_by: 50%, window: 1d, red: 2 of 3, label_delay: 24h}
`
	w := live(t, logloss)
	w.advance(day0)
	w.ask(day0, day(2), func(at time.Time) hour {
		h := hour{temp: 0.09, weather: "dry", bikers: 1} // the answer is 0.9
		switch at.Hour() {
		case 0: // a false alarm
			h.bikers = 0
		case 1: // missed
			h.temp = 0.01
		case 2: // rightly nothing
			h.temp, h.bikers = 0.01, 0
		}
		return h
	})
	got := w.performances(monitor.History{})
	if len(got.Stretches) != 1 || got.Currency != "EUR" {
		t.Fatalf("got %+v", got)
	}
	figure := got.Stretches[0].Worst.Figures[0]
	if want := 21.*10 - 4 - 2 + 1; figure.Worth == nil || *figure.Worth != want {
		t.Errorf("figure %+v, want %v", figure, want)
	}
}

func TestStatus_SaysWhatIsWatchedAndHowItStands(t *testing.T) {
	w := live(t, watchBoth)
	status := func() (out monitor.Status) {
		w.read(func(tx *store.Tx) (err error) {
			out, err = w.monitor.Status(tx, w.p, endpoint)
			return err
		})
		return out
	}
	if got := status(); got.Drift != nil || got.Performance != nil || got.Incidents == nil {
		t.Errorf("before the first request %+v", got)
	}
	w.advance(day0)
	if got := status(); got.Drift.Newest != nil || !got.Drift.Next.From.Equal(day0) ||
		!got.Performance.Next.JudgedAt.Equal(day(2)) || got.Performance.Since != day0 {
		t.Errorf("at the beginning %+v %+v", got.Drift, got.Performance)
	}
	w.ask(day0, day(40), busy)
	got := status()
	d, p := got.Drift, got.Performance
	if d.Red != "2 of 3" || d.Then != spec.Alert || d.Threshold != 0.25 || len(d.Recent) != 20 ||
		!d.Recent[19].To.Equal(day(40)) || len(d.Newest.Features) != 3 || !d.Next.From.Equal(day(40)) {
		t.Errorf("drift %+v", d)
	}
	if p.Metric != "mae" || p.WorseBy != "50%" || p.Then != spec.Retrain || p.Newest.State != monitor.Red ||
		p.WindowMS != 24*time.Hour.Milliseconds() || p.DelayMS != p.WindowMS || p.Version != 1 {
		t.Errorf("performance %+v", p)
	}
	if len(got.Incidents) != 1 || got.Incidents[0].Kind != monitor.Decay {
		t.Errorf("incidents %+v", got.Incidents)
	}
	w.apply("")
	if got := status(); got.Drift != nil || got.Performance != nil || len(got.Incidents) != 0 {
		t.Errorf("when nothing is watched any more %+v", got)
	}
}

func TestIncidents_AreFiltered(t *testing.T) {
	w := live(t, watchBoth)
	w.advance(day0)
	w.ask(day0, day(4), busy)
	w.ask(day(4), day(8), usual)
	w.ask(day(8), day(12), busy)
	for _, c := range []struct {
		f    monitor.IncidentFilter
		want int
	}{
		{monitor.IncidentFilter{}, 2},
		{monitor.IncidentFilter{State: "open"}, 1},
		{monitor.IncidentFilter{State: "resolved"}, 1},
		{monitor.IncidentFilter{Kind: monitor.Decay}, 2},
		{monitor.IncidentFilter{Kind: "drift"}, 0},
		{monitor.IncidentFilter{Endpoint: "other@production"}, 0},
		{monitor.IncidentFilter{To: day0}, 0},
		{monitor.IncidentFilter{To: day(6)}, 1},
		{monitor.IncidentFilter{From: day(3), To: day(4)}, 1},
		{monitor.IncidentFilter{From: day(11)}, 1},
		{monitor.IncidentFilter{From: day0}, 2},
	} {
		got, err := w.monitor.Incidents(t.Context(), w.p, c.f, "", 0)
		if err != nil || len(got.Items) != c.want {
			t.Errorf("%+v: %d incidents, %v", c.f, len(got.Items), err)
		}
	}
}
