package serving_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/serving"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

func TestInfer_RoutesBySharesAndSticksToTheID(t *testing.T) {
	w := newWorld(t)
	w.deploy(replaceBuffered)
	w.deploy(canaryBuffered)
	const n = 4000
	canary := 0
	for i := range n {
		id := fmt.Sprintf("2011-%05d", i)
		v := w.mustInfer(id, march, hours(1)).Version
		if again := w.mustInfer(id, march, hours(1)).Version; again != v {
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
			w := newWorld(t)
			w.deploy(env(spec.Replace, log))
			w.deploy(env(spec.Canary, log))
			byCanary := func(prefix string) (n int) {
				for i := range 60 {
					res := w.mustInfer(fmt.Sprintf("%s%d", prefix, i), march, hours(3))
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
			w.engines.set(func(e *engines) { e.hooks[2] = func(context.Context) error { return faulty } })
			if n := byCanary("after"); n != 0 {
				t.Errorf("%d requests were answered by a canary that fails", n)
			}
			_, err := w.serving.Infer(t.Context(), project, name, serving.Request{ID: "asked", Version: 2, Frame: hours(3)})
			if !fairlead.Is(err, fairlead.Invalid) {
				t.Errorf("the canary itself, asked for: %v", err)
			}
			w.settle()
			for _, row := range w.logged()[:60] {
				if !strings.HasPrefix(row, "after") || !strings.HasSuffix(row, " v1=1003 v2=failed") {
					t.Errorf("logged %q", row)
				}
			}
		})
	}
}

func TestInfer_ASlowShadowSlowsNoAnswerOfABufferedEndpoint(t *testing.T) {
	w := newWorld(t)
	w.deploy(replaceBuffered)
	shadow := w.version()
	w.do(func(tx *store.Tx) error {
		return w.release.StartShadow(context.Background(), tx, project, name, shadow, "test")
	})
	w.settle()
	hang := make(chan struct{})
	w.engines.set(func(e *engines) {
		e.hooks[shadow] = func(context.Context) error { <-hang; return nil }
	})
	for i := range 100 { // more than are scored at one time
		w.mustInfer(fmt.Sprintf("%03d", i), march, hours(float64(i)))
	}
	if idle, err := w.serving.Idle(t.Context(), project); idle || err != nil {
		t.Errorf("idle while requests are scored: %v", err)
	}
	close(hang)
	w.settle()
	rows := w.logged()
	failed := 0
	for _, r := range rows {
		if strings.HasSuffix(r, "v2=failed") {
			failed++
		}
	}
	if len(rows) != 100 || failed != 100-64 || rows[5] != "005 v1=1005 v2=2005" {
		t.Errorf("%d rows, %d without the shadow; the 6th is %q", len(rows), failed, rows[5])
	}
	if got := metric(t, w, "fairlead_serving_scores_skipped_total"); got != 36 {
		t.Errorf("%g were counted as skipped", got)
	}
}

func TestInfer_OnADurableEndpointAnsweredMeansOnDiskWithAllScores(t *testing.T) {
	w := newWorld(t)
	w.deploy(replaceDurable)
	shadow := w.version()
	w.do(func(tx *store.Tx) error {
		return w.release.StartShadow(context.Background(), tx, project, name, shadow, "test")
	})
	w.settle()
	for i := range 20 {
		w.mustInfer(fmt.Sprintf("%02d", i), march, hours(float64(i)))
	}
	// What a killed server leaves: the files as they are now.
	copied := filepath.Join(t.TempDir(), "f.db")
	for _, suffix := range []string{"", "-wal"} {
		b, err := os.ReadFile(filepath.Join(w.dir, "f.db"+suffix))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(copied+suffix, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	db, err := store.Open(t.Context(), store.Options{Path: copied}, ledger.Schema(), serving.Schema())
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
	w := newWorld(t)
	w.deploy(replaceDurable)
	first := w.mustInfer("a", march, hours(1, 2))
	w.deploy(replaceDurable) // another version answers now
	again := w.mustInfer("a", march, hours(1, 2))
	if first.Duplicate || !again.Duplicate || again.Version != 1 ||
		!slices.Equal(again.Outputs.Columns[0].Floats, []float64{1001, 1002}) {
		t.Errorf("first %+v, again %+v", first, again)
	}
	if res := w.mustInfer("a", time.Time{}, hours(1, 2)); !res.Duplicate {
		t.Error("the same without its event time is another request")
	}
	for what, err := range map[string]error{
		"other inputs":     second(w.infer("a", march, hours(1, 3))),
		"another time":     second(w.infer("a", march.Add(time.Hour), hours(1, 2))),
		"more rows":        second(w.infer("a", march, hours(1, 2, 3))),
		"one of its rows":  second(w.infer("a/1", march, hours(9))),
		"further a column": second(w.infer("a", march, engine.NewFrame(engine.Floats64("hr", 1, 2), engine.Floats64("x", 1, 2)))),
	} {
		if !fairlead.Is(err, fairlead.Conflict) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if got := w.logged(); !slices.Equal(got, []string{"a/0 v1=1001", "a/1 v1=1002"}) {
		t.Errorf("logged %v", got)
	}
}

func second(_ *serving.Response, err error) error { return err }

func TestInfer_ABufferedEndpointAnswersARepeatedRequestAnewAndKeepsTheFirst(t *testing.T) {
	w := newWorld(t)
	w.deploy(replaceBuffered)
	w.mustInfer("a", march, hours(1))
	w.settle()
	w.deploy(replaceBuffered)
	if res := w.mustInfer("a", march, hours(1)); res.Duplicate || res.Version != 2 {
		t.Errorf("answered %+v", res)
	}
	w.settle()
	if got := w.logged(); !slices.Equal(got, []string{"a v1=1001"}) {
		t.Errorf("logged %v", got)
	}
	w.deploy(replaceDurable) // the same id, once each record counts
	if res := w.mustInfer("a", march, hours(1)); res.Duplicate || res.Version != 3 {
		t.Errorf("answered %+v", res)
	}
}

func TestInfer_StoredAnswersComeBackAsTheyWere(t *testing.T) {
	w := newWorld(t)
	w.deploy(replaceDurable)
	answer := func(*engine.Frame) *engine.Frame {
		return engine.NewFrame(
			engine.Column{Name: "class", Kind: engine.String, Strings: []string{`a "b"`, ""}, Valid: []bool{true, false}},
			engine.Ints64("id", 1<<53+1, -5),
			engine.Floats64("p", 0.1, math.NaN()),
			engine.Column{Name: "yes", Kind: engine.Boolean, Floats: []float64{1, 0}})
	}
	w.engines.set(func(e *engines) { e.made[1] = answer })
	first := w.mustInfer("a", march, hours(1, 2))
	again := w.mustInfer("a", march, hours(1, 2))
	for i := range first.Outputs.Columns {
		a, b := &first.Outputs.Columns[i], &again.Outputs.Columns[i]
		for row := range 2 {
			if a.Name != b.Name || a.Kind != b.Kind || a.Value(row) != b.Value(row) {
				t.Errorf("%s row %d: %v came back as %v (%s)", a.Name, row, a.Value(row), b.Value(row), b.Kind)
			}
		}
	}
	// The first numeric output is the prediction; the text before it is none.
	if got := w.logged(); !slices.Equal(got, []string{"a/0 v1=9.007199254740992e+15", "a/1 v1=-5"}) {
		t.Errorf("logged %v", got)
	}
}

func TestInfer_AnswersThatAreNoFiniteNumberAreNoPrediction(t *testing.T) {
	w := newWorld(t)
	w.deploy(replaceDurable)
	for id, c := range map[string]engine.Column{
		"text": engine.Strings("class", "x"), "nan": engine.Floats64("p", math.NaN()),
		"inf": engine.Floats64("p", math.Inf(1)),
	} {
		w.engines.set(func(e *engines) {
			e.made[1] = func(*engine.Frame) *engine.Frame { return engine.NewFrame(c) }
		})
		w.mustInfer(id, march, hours(1))
	}
	if got := w.logged(); !slices.Equal(got, []string{"inf v1=failed", "nan v1=failed", "text v1=failed"}) {
		t.Errorf("logged %v", got)
	}
}

func TestInfer_KeepsFeaturesAsTheyWereSent(t *testing.T) {
	w := newWorld(t)
	w.deploy(replaceDurable)
	f := engine.NewFrame(engine.Ints64("big", 1<<62+1), engine.Floats64("hr", 7), engine.Floats64("hum", math.NaN()),
		engine.Column{Name: "holiday", Kind: engine.Boolean, Floats: []float64{1}},
		engine.Strings(`a "name"`, "Zürich\n<&>"), engine.Floats64("small", 1e-300))
	w.mustInfer("a", march, f)
	got := w.requests()[0]
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
	if len(back) != len(want) || got.AtMS != march.UnixMilli() || got.Served != 1 {
		t.Errorf("logged %+v", got)
	}
}

func TestInfer_RefusesWhatItCannotKeep(t *testing.T) {
	w := newWorld(t)
	w.deploy(replaceDurable)
	many := make([]float64, serving.MaxRows+1)
	cases := map[string]serving.Request{
		"infinite":       {Frame: hours(math.Inf(-1))},
		"in the future":  {Frame: hours(1), EventTime: wall.Add(time.Hour)},
		"too many rows":  {Frame: hours(many...)},
		"a long id":      {Frame: hours(1), ID: strings.Repeat("x", 1000)},
		"ragged":         {Frame: &engine.Frame{Rows: 2, Columns: hours(1).Columns}},
		"no rows":        {Frame: hours()},
		"a missing one":  {Frame: engine.NewFrame(engine.Floats64("hum", 1))},
		"not a required": {Frame: hours(math.NaN())},
	}
	for what, r := range cases {
		if _, err := w.serving.Infer(t.Context(), project, name, r); !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if n := len(w.requests()); n != 0 {
		t.Errorf("%d of them were logged", n)
	}
}

func TestInfer_WhoLeftIsNotLogged(t *testing.T) {
	w := newWorld(t)
	w.deploy(replaceDurable)
	w.deploy(canaryDurable)
	ctx, cancel := context.WithCancel(t.Context())
	leave := func(ctx context.Context) error { cancel(); <-ctx.Done(); return ctx.Err() }
	w.engines.set(func(e *engines) { e.hooks[1], e.hooks[2] = leave, leave })
	_, err := w.serving.Infer(ctx, project, name, serving.Request{ID: "a", Frame: hours(1)})
	if !fairlead.Is(err, fairlead.Unavailable) || len(w.requests()) != 0 {
		t.Errorf("%v; logged %v", err, w.requests())
	}
}

func TestStop_StoresWhatIsBuffered(t *testing.T) {
	w := newWorld(t)
	w.deploy(replaceBuffered)
	for i := range 1200 {
		w.mustInfer(fmt.Sprintf("%04d", i), march, hours(1))
	}
	w.stop()
	w.start()
	if n := len(w.requests()); n != 1200 {
		t.Errorf("%d of 1200 requests were stored", n)
	}
}

func TestInfer_WaitsForRoomInTheLogWithItsContext(t *testing.T) {
	w := newWorld(t)
	w.deploy(replaceBuffered)
	shadow := w.version()
	w.do(func(tx *store.Tx) error {
		return w.release.StartShadow(context.Background(), tx, project, name, shadow, "test")
	})
	w.settle()
	hang := make(chan struct{})
	w.engines.set(func(e *engines) { e.hooks[shadow] = func(context.Context) error { <-hang; return nil } })
	all := make([]float64, serving.MaxRows)
	w.mustInfer("all the room", march, hours(all...)) // answered, scored by the shadow for long
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := w.serving.Infer(ctx, project, name, serving.Request{ID: "waits", Frame: hours(1)})
	if !fairlead.Is(err, fairlead.Unavailable) || !strings.Contains(err.Error(), "cannot keep up") {
		t.Errorf("a full log: %v", err)
	}
	close(hang)
	if _, err := w.infer("waits no longer", march, hours(1)); err != nil {
		t.Error(err)
	}
}

func TestPredictions_AreInOneOrderWhateverTheArrival(t *testing.T) {
	w := newWorld(t)
	w.deploy(replaceDurable)
	for _, id := range []string{"c", "a", "b"} {
		w.mustInfer(id, march, hours(1))
	}
	w.mustInfer("z", march.Add(-time.Hour), hours(1))
	var ids []string
	for _, r := range w.requests() {
		ids = append(ids, r.ID)
	}
	if !slices.Equal(ids, []string{"z", "a", "b", "c"}) {
		t.Errorf("order %v", ids)
	}
	for _, row := range []struct {
		q    serving.Query
		want int
	}{
		{serving.Query{From: march}, 3}, {serving.Query{To: march}, 1}, {serving.Query{Served: 1}, 4},
		{serving.Query{Served: 2}, 0}, {serving.Query{Versions: []int64{1}}, 4}, {serving.Query{Versions: []int64{2, 3}}, 0},
	} {
		var got []serving.Prediction
		err := w.db.Read(t.Context(), func(tx *store.Tx) (err error) {
			got, err = w.serving.Predictions(tx, project, name, row.q)
			return err
		})
		if err != nil || len(got) != row.want {
			t.Errorf("%+v: %d predictions, %v", row.q, len(got), err)
		}
	}
}

// metric adds up a metric's series; -1 when it has none.
func metric(t *testing.T, w *world, name string) float64 {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	if err := reg.Register(w.serving.Collector()); err != nil {
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
	w := newWorld(t)
	w.deploy(replaceBuffered)
	w.deploy(replaceBuffered)
	for i := range 10 {
		w.mustInfer(fmt.Sprint(i), march, hours(1))
		_, err := w.serving.Infer(t.Context(), project, fmt.Sprintf("unknown-%d", i), serving.Request{Frame: hours(1)})
		if err == nil {
			t.Fatal("an unknown endpoint answered")
		}
		w.infer("", time.Time{}, hours(math.Inf(1)))
	}
	w.settle()
	for name, want := range map[string]float64{
		"fairlead_serving_requests_total": 10, "fairlead_serving_request_seconds": 10,
		"fairlead_serving_errors_total": 10, "fairlead_serving_endpoint_up": 1,
		"fairlead_serving_log_pending_rows": 0, "fairlead_serving_log_lost_rows_total": 0,
	} {
		if got := metric(t, w, name); got != want {
			t.Errorf("%s is %g, want %g", name, got, want)
		}
	}
	w.rollback("test") // version 2 leaves
	w.settle()
	if got := metric(t, w, "fairlead_serving_requests_total"); got != 0 {
		t.Errorf("requests of versions that are gone are still shown: %g", got)
	}
}

func BenchmarkInfer_Buffered(b *testing.B) {
	w := newWorld(b)
	w.deploy(replaceBuffered)
	f := hours(1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.infer("", time.Time{}, f); err != nil {
			b.Fatal(err)
		}
	}
}
