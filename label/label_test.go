package label_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/label"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/serving/servingtest"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

const endpoint = servingtest.Endpoint

var (
	march   = servingtest.March
	project = servingtest.Project
)

// world is the label stage beside a served endpoint with a durable log.
type world struct {
	*servingtest.World
	t      testing.TB
	data   *data.Service
	labels *label.Service
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{World: servingtest.New(t, label.Schema()), t: t}
	var err error
	if w.data, err = data.New(w.DB, w.Ledger, w.Blobs, w.Dir, w.Clock); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.data.Close() })
	w.labels = label.New(w.DB, w.Ledger, w.Streams, w.Serving, w.data, w.Clock)
	w.Deploy(servingtest.Env(spec.Replace, spec.Durable))
	return w
}

func hour(h float64) time.Time { return march.Add(time.Duration(h * float64(time.Hour))) }

func truth(id string, value, observedHour float64) label.Truth {
	return label.Truth{RequestID: id, Value: value, ObservedAt: hour(observedHour)}
}

func (w *world) receive(batch ...label.Truth) label.Receipt {
	w.t.Helper()
	rec, err := w.labels.Receive(context.Background(), project, endpoint, batch, "test")
	if err != nil {
		w.t.Fatal(err)
	}
	return *rec
}

func (w *world) ask(id string, h float64) {
	w.t.Helper()
	w.MustInfer(id, hour(h), servingtest.Hours(h))
}

func (w *world) joined(from, to, asOf time.Time) (out []label.Joined, c label.Coverage) {
	w.t.Helper()
	err := w.DB.Read(context.Background(), func(tx *store.Tx) (err error) {
		out, c, err = w.labels.Joined(tx, project, endpoint, from, to, asOf)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return out, c
}

// asOf writes the join at an hour: "a=5 b=7".
func (w *world) asOf(h float64) string {
	w.t.Helper()
	rows, _ := w.joined(time.Time{}, time.Time{}, hour(h))
	var out []string
	for _, j := range rows {
		out = append(out, fmt.Sprintf("%s=%g", j.RequestID, j.Truth))
	}
	return strings.Join(out, " ")
}

func TestReceive_SaysWhatBecameOfEachLabel(t *testing.T) {
	w := newWorld(t)
	w.ask("a", 1)
	w.ask("b", 2)
	steps := []struct {
		name  string
		batch []label.Truth
		want  label.Receipt
	}{
		{"new", []label.Truth{truth("a", 5, 25), truth("b", 6, 26)}, label.Receipt{Accepted: 2}},
		{"the same again", []label.Truth{truth("a", 5, 25), truth("b", 6, 26)}, label.Receipt{Duplicates: 2}},
		{"a correction", []label.Truth{truth("a", 7, 30)}, label.Receipt{Accepted: 1, Corrected: 1}},
		{"before its request", []label.Truth{truth("c", 1, 30)}, label.Receipt{Accepted: 1, Unmatched: 1}},
		{"what was known earlier, late", []label.Truth{truth("a", 4, 20)}, label.Receipt{Accepted: 1}},
		{"twice in one batch", []label.Truth{truth("b", 8, 40), truth("b", 8, 40)},
			label.Receipt{Accepted: 1, Corrected: 1, Duplicates: 1}},
		{"without a time, as it is", []label.Truth{{RequestID: "b", Value: 8}}, label.Receipt{Duplicates: 1}},
	}
	for _, s := range steps {
		if got := w.receive(s.batch...); got != s.want {
			t.Errorf("%s: %+v, want %+v", s.name, got, s.want)
		}
	}
	for h, want := range map[float64]string{
		19: "", 22: "a=4", 25.5: "a=5", 27: "a=5 b=6", 31: "a=7 b=6", 41: "a=7 b=8",
	} {
		if got := w.asOf(h); got != want {
			t.Errorf("as of hour %g: %q, want %q", h, got, want)
		}
	}
	w.ask("c", 3) // the request that its label came before
	if got := w.asOf(41); got != "a=7 b=8 c=1" {
		t.Errorf("afterwards: %q", got)
	}
}

func TestReceive_OneEventForABatchThatChangesSomething(t *testing.T) {
	w := newWorld(t)
	w.ask("a", 1)
	w.ask("b", 2)
	w.receive(truth("a", 5, 25), truth("b", 6, 26), truth("later", 1, 24))
	w.receive(truth("a", 5, 25))
	records, err := w.Ledger.List(t.Context(), ledger.Filter{Types: []string{event.LabelsReceivedType}})
	if err != nil || len(records) != 1 {
		t.Fatalf("%d events, %v", len(records), err)
	}
	var ev event.LabelsReceived
	if err := records[0].Decode(&ev); err != nil {
		t.Fatal(err)
	}
	if ev.Count != 3 || ev.Joined != 2 || ev.FirstAtMS != hour(1).UnixMilli() ||
		ev.LastAtMS != hour(2).UnixMilli() || ev.WatermarkMS != hour(26).UnixMilli() {
		t.Errorf("event %+v", ev)
	}
}

func TestReceive_RefusesTheWholeBatchForOneBadLabel(t *testing.T) {
	w := newWorld(t)
	w.ask("a", 1)
	many := map[string]any{}
	for i := range 201 {
		many[fmt.Sprint(i)] = i
	}
	cases := map[string][]label.Truth{
		"empty":         {},
		"no id":         {truth("a", 5, 25), truth("", 5, 25)},
		"NaN":           {truth("a", 5, 25), truth("a", math.NaN(), 25)},
		"infinite":      {truth("a", 5, 25), truth("a", math.Inf(1), 25)},
		"future":        {truth("a", 5, 25), {RequestID: "a", ObservedAt: servingtest.Wall.Add(time.Hour)}},
		"many columns":  {truth("a", 5, 25), {RequestID: "a", Columns: many}},
		"no JSON":       {truth("a", 5, 25), {RequestID: "a", Columns: map[string]any{"x": math.NaN()}}},
		"too many rows": make([]label.Truth, 100_001),
	}
	for name, batch := range cases {
		_, err := w.labels.Receive(t.Context(), project, endpoint, batch, "test")
		if !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := w.asOf(100); got != "" {
		t.Errorf("stored %q", got)
	}
}

func TestJoined_TellsCoverageLagAndEveryVersion(t *testing.T) {
	w := newWorld(t)
	for h := range 10 {
		w.ask(fmt.Sprint(h), float64(h))
	}
	for h := range 4 {
		w.receive(truth(fmt.Sprint(h), float64(h), float64(h)+6+float64(h)))
	}
	rows, c := w.joined(hour(0), hour(8), hour(100))
	if c.Requests != 8 || c.Labelled != 4 || c.Share() != 0.5 || c.Lag() != 8*time.Hour {
		t.Errorf("coverage %+v", c)
	}
	want := label.Joined{RequestID: "2", AtMS: hour(2).UnixMilli(), Truth: 2, ServedBy: 1,
		Scores: map[int64]label.Score{1: {Value: 1002}}}
	if len(rows) != 4 || !reflect.DeepEqual(rows[2], want) {
		t.Errorf("rows %+v", rows)
	}
	if _, c = w.joined(hour(50), hour(60), hour(100)); c.Share() != 0 {
		t.Errorf("coverage of nothing %+v", c)
	}
}

// TestJoined_DoesNotDependOnTheOrderOfArrival sends the same requests and labels, some
// corrected, some at the same time, in random orders and batches.
func TestJoined_DoesNotDependOnTheOrderOfArrival(t *testing.T) {
	const seed = 7
	var want string
	for round := range 5 {
		rng := rand.New(rand.NewPCG(seed, uint64(round)))
		w := newWorld(t)
		var events []any
		for i := range 12 {
			id := fmt.Sprint("r", i)
			events = append(events, id, truth(id, float64(i), 24), truth(id, float64(i+1), 24))
			events = append(events, truth(id, float64(i%3), 30), truth(id, float64(i), 36), truth(id, float64(i), 24))
		}
		rng.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
		var batch []label.Truth
		for n, e := range events {
			if id, ok := e.(string); ok {
				var i float64
				fmt.Sscanf(id, "r%g", &i)
				w.ask(id, float64(int(i)/2)) // two at a time
			} else {
				batch = append(batch, e.(label.Truth))
			}
			if len(batch) > 0 && (rng.IntN(4) == 0 || n == len(events)-1) {
				w.receive(batch...)
				batch = nil
			}
		}
		if len(batch) > 0 {
			w.receive(batch...)
		}
		got := ""
		for _, h := range []float64{20, 24, 29, 30, 35, 36} {
			rows, c := w.joined(time.Time{}, time.Time{}, hour(h))
			got += fmt.Sprintf("as of %g: %+v %+v\n", h, c, rows)
		}
		v, err := w.labels.CreateDataset(t.Context(), project, label.Collect{Dataset: "recent", Endpoint: endpoint, AsOf: hour(40)})
		if err != nil {
			t.Fatal(err)
		}
		if got += v.Digest; round == 0 {
			want = got
		} else if got != want {
			t.Fatalf("seed %d round %d:\n%s\nwant\n%s", seed, round, got, want)
		}
	}
}

// column reads a column of a dataset version; missing values are nil.
func (w *world) column(v *data.Version, name string) (typ string, out []any) {
	w.t.Helper()
	path, err := w.data.Path(context.Background(), project, v.Ref())
	if err != nil {
		w.t.Fatal(err)
	}
	table, err := w.data.ReadTable(context.Background(), path, []string{name})
	if err != nil {
		w.t.Fatal(err)
	}
	c := table.Columns[0]
	for i := range c.Len() {
		switch {
		case c.Missing(i):
			out = append(out, nil)
		case c.Type == data.String:
			out = append(out, c.Strings[i])
		case c.Type == data.Long:
			out = append(out, c.Ints[i])
		case c.Type == data.Datetime:
			out = append(out, c.Times[i].UTC())
		default:
			out = append(out, c.Floats[i])
		}
	}
	return c.Type, out
}

func TestCreateDataset_TypesColumnsByTheirValues(t *testing.T) {
	w := newWorld(t)
	frame := func(big int64, flag float64, text string, valid bool) *engine.Frame {
		return engine.NewFrame(engine.Floats64("hr", 1), engine.Ints64("big", big), engine.Floats64("hum", math.NaN()),
			engine.Column{Name: "flag", Kind: engine.Boolean, Floats: []float64{flag}},
			engine.Column{Name: "text", Kind: engine.String, Strings: []string{text}, Valid: []bool{valid}})
	}
	w.MustInfer("a", hour(1), frame(1<<53+1, 1, "x", true))
	w.MustInfer("b", hour(2), frame(-3, 0, "", false))
	w.ask("c", 3)
	w.receive(
		label.Truth{RequestID: "a", Value: 5, ObservedAt: hour(25), Columns: label.Columns{
			"mixed": 1.5, "hr": 99, "hum": 0.25, "nested": []int{1, 2}, "casual": 4}},
		label.Truth{RequestID: "b", Value: 6, ObservedAt: hour(26), Columns: label.Columns{"mixed": true, "id": "no"}})
	v, err := w.labels.CreateDataset(t.Context(), project, label.Collect{
		Dataset: "recent", Endpoint: endpoint, AsOf: hour(48), LabelColumn: "bikers"})
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name, typ string
		want      []any
	}{
		{"id", data.String, []any{"a", "b", "c"}},
		{"at", data.Datetime, []any{hour(1), hour(2), hour(3)}},
		{"bikers", data.Double, []any{5.0, 6.0, nil}},
		{"big", data.Long, []any{int64(1<<53 + 1), int64(-3), nil}},
		{"flag", data.Boolean, []any{1.0, 0.0, nil}},
		{"text", data.String, []any{"x", nil, nil}},
		{"mixed", data.String, []any{"1.5", "true", nil}},
		{"nested", data.String, []any{"[1,2]", nil, nil}},
		{"hr", data.Double, []any{1.0, 1.0, 3.0}},   // as it was sent
		{"hum", data.Double, []any{0.25, nil, nil}}, // what the request lacked
		{"casual", data.Double, []any{4.0, nil, nil}},
	}
	if len(v.Columns) != len(cases) {
		t.Errorf("columns %+v", v.Columns)
	}
	for _, c := range cases {
		if typ, got := w.column(v, c.name); typ != c.typ || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s is %s %v, want %s %v", c.name, typ, got, c.typ, c.want)
		}
	}
}

func TestCreateDataset_KeepsToTheRangeAndToWhatWasKnown(t *testing.T) {
	w := newWorld(t)
	for h := range 48 {
		w.ask(fmt.Sprintf("%02d", h), float64(h))
		w.receive(truth(fmt.Sprintf("%02d", h), float64(h), float64(h)+24))
	}
	make := func(c label.Collect) *data.Version {
		t.Helper()
		c.Dataset, c.Endpoint = "recent", endpoint
		v, err := w.labels.CreateDataset(t.Context(), project, c)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	first := make(label.Collect{AsOf: hour(48), Labelled: true})
	if first.Rows != 25 { // the labels of the hours 0 to 24 were known
		t.Errorf("%d rows", first.Rows)
	}
	if again := make(label.Collect{AsOf: hour(48), Labelled: true}); again.N != first.N {
		t.Errorf("the same again is version %d, not %d", again.N, first.N)
	}
	if v := make(label.Collect{AsOf: hour(48), Labelled: true, Last: 30 * time.Hour}); v.Rows != 7 {
		t.Errorf("%d rows of the last 30 hours", v.Rows)
	}
	if v := make(label.Collect{AsOf: hour(48), Last: 30 * time.Hour}); v.Rows != 30 {
		t.Errorf("%d rows, labelled or not", v.Rows)
	}
	none := make(label.Collect{AsOf: hour(-1), Last: time.Hour})
	if none.Rows != 0 || !none.ToAt.Equal(hour(-1)) || !none.FromAt.Equal(hour(-2)) {
		t.Errorf("nothing is %+v", none)
	}
}

// However many requests there are, and at one moment, each is a row once, in order.
func TestCreateDataset_HasEveryRequestOfALongLog(t *testing.T) {
	w := newWorld(t)
	const each = 6_000
	err := w.DB.Write(t.Context(), store.Bulk, func(tx *store.Tx) error {
		for i := range 2 * each {
			_, err := tx.Exec(`insert into request (project_k, endpoint, id, at_ms, received_ms, features,
				served_n, answer) values (?, ?, ?, ?, 0, '{}', 1, '')`, project.K, endpoint,
				fmt.Sprintf("%05d", i), hour(float64(i/each)).UnixMilli())
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	v, err := w.labels.CreateDataset(t.Context(), project, label.Collect{Dataset: "recent",
		Endpoint: endpoint, AsOf: hour(48)})
	if err != nil {
		t.Fatal(err)
	}
	_, ids := w.column(v, "id")
	if len(ids) != 2*each {
		t.Fatalf("%d rows", len(ids))
	}
	for i, id := range ids {
		if id != fmt.Sprintf("%05d", i) {
			t.Fatalf("row %d is request %v", i, id)
		}
	}
}

func TestCreateDataset_KeepsAllDigitsOfWhatCameWithALabel(t *testing.T) {
	w := newWorld(t)
	w.ask("a", 1)
	w.ask("b", 2)
	var batch []label.Truth
	if err := json.Unmarshal([]byte(`[
		{"request_id": "a", "value": 5, "columns": {"account": 9007199254740993, "more": [9007199254740993]}},
		{"request_id": "b", "value": 6, "columns": null}]`), &batch); err != nil {
		t.Fatal(err)
	}
	w.receive(batch...)
	v, err := w.labels.CreateDataset(t.Context(), project, label.Collect{Dataset: "recent",
		Endpoint: endpoint, AsOf: hour(48)})
	if err != nil {
		t.Fatal(err)
	}
	if typ, got := w.column(v, "account"); typ != data.Long || got[0] != int64(1<<53+1) || got[1] != nil {
		t.Errorf("account is %s %v", typ, got)
	}
	if _, got := w.column(v, "more"); got[0] != "[9007199254740993]" {
		t.Errorf("more is %v", got)
	}
}

// What is known before the stream begins is known from its beginning on, wherever in the
// past a replay begins.
func TestReceive_BeforeTheStreamHasBegun(t *testing.T) {
	w := newWorld(t)
	w.receive(label.Truth{RequestID: "a", Value: 5})
	w.ask("a", 1)
	if got := w.asOf(1); got != "a=5" {
		t.Errorf("as of the first hour: %q", got)
	}
	if _, c := w.joined(time.Time{}, time.Time{}, hour(2)); c.Lag() != 0 {
		t.Errorf("lag %s of a label that came before its request", c.Lag())
	}
	if err := w.Streams.Advance(t.Context(), project, endpoint, hour(10)); err != nil {
		t.Fatal(err)
	}
	w.receive(label.Truth{RequestID: "a", Value: 7})
	if before, after := w.asOf(9), w.asOf(10); before != "a=5" || after != "a=7" {
		t.Errorf("a correction at hour 10: %q before, %q after", before, after)
	}
}

func TestReceive_TakesALargeBatch(t *testing.T) {
	w := newWorld(t)
	const n = 20_000
	batch := make([]label.Truth, n)
	for i := range batch {
		batch[i] = truth(fmt.Sprintf("r%06d", i), float64(i), 24)
	}
	began := time.Now()
	if rec := w.receive(batch...); rec.Accepted != n || rec.Unmatched != n {
		t.Errorf("first %+v", rec)
	}
	if rec := w.receive(batch...); rec.Duplicates != n {
		t.Errorf("again %+v", rec)
	}
	t.Logf("%d labels twice in %v", n, time.Since(began).Round(time.Millisecond))
}

func BenchmarkReceive(b *testing.B) {
	w := newWorld(b)
	for i := 0; b.Loop(); i++ {
		batch := make([]label.Truth, 100_000)
		for j := range batch {
			batch[j] = truth(fmt.Sprintf("%d-%d", i, j), 1, 24)
		}
		w.receive(batch...)
	}
	b.ReportMetric(100_000*float64(b.N)/b.Elapsed().Seconds(), "labels/s")
}
