package tracking_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

var (
	project = fairlead.Project{K: 1, Name: "default"}
	other   = fairlead.Project{K: 2, Name: "other"}
	begin   = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
)

type bench struct {
	*testing.T
	db    *store.DB
	led   *ledger.Ledger
	clock *fairlead.FakeClock
	svc   *tracking.Service
}

func open(t *testing.T) *bench {
	t.Helper()
	return openIn(t, t.TempDir(), begin)
}

// openIn opens what is in the directory, at the given time.
func openIn(t *testing.T, dir string, now time.Time) *bench {
	t.Helper()
	b := &bench{T: t, clock: fairlead.NewFakeClock(now)}
	var err error
	b.db, b.svc, err = openService(t.Context(), dir, b.clock)
	b.must(err)
	t.Cleanup(func() { b.db.Close() })
	b.led = ledger.New(b.db, b.clock, slog.New(slog.DiscardHandler))
	return b
}

func openService(ctx context.Context, dir string, clock fairlead.Clock) (*store.DB,
	*tracking.Service, error) {
	db, err := store.Open(ctx, store.Options{Path: filepath.Join(dir, "f.db"), Clock: clock},
		ledger.Schema(), blob.Schema(), tracking.Schema())
	if err != nil {
		return nil, nil, err
	}
	blobs, err := blob.New(db, dir, blob.WithClock(clock))
	led := ledger.New(db, clock, slog.New(slog.DiscardHandler))
	return db, tracking.New(db, led, blobs, clock, slog.New(slog.DiscardHandler)), err
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

func (b *bench) run(n tracking.NewRun) *tracking.Run {
	b.Helper()
	r, err := b.svc.StartRun(b.Context(), project, n)
	b.must(err)
	return r
}

func (b *bench) log(runID string, batch tracking.Batch) {
	b.Helper()
	b.must(b.svc.LogBatch(b.Context(), project, runID, batch))
}

func (b *bench) get(id string) *tracking.Run {
	b.Helper()
	r, err := b.svc.Run(b.Context(), project, id)
	b.must(err)
	return r
}

// refused checks code and message of an error.
func (b *bench) refused(err error, code fairlead.Code, message string) {
	b.Helper()
	if !fairlead.Is(err, code) || !strings.Contains(err.Error(), message) {
		b.Errorf("error %v, want %s with %q", err, code, message)
	}
}

func metric(key string, value float64, step int64) tracking.Metric {
	return tracking.Metric{Key: key, Value: value, Step: step, TimestampMS: 1000 + step}
}

func TestLogBatch_LatestIsTheHighestStepTimestampValue(t *testing.T) {
	b := open(t)
	r := b.run(tracking.NewRun{})
	b.log(r.ID, tracking.Batch{Metrics: []tracking.Metric{
		metric("a", 5, 2), metric("a", 9, 1), metric("b", math.NaN(), 3), metric("c", math.Inf(1), 1)}})
	b.log(r.ID, tracking.Batch{Metrics: []tracking.Metric{metric("a", 7, 0), metric("b", 1, 2)}})
	b.log(r.ID, tracking.Batch{Metrics: []tracking.Metric{metric("d", 1, 1), metric("d", 3, 1)}})
	got := map[string]float64{}
	for _, m := range b.get(r.ID).Metrics {
		got[m.Key] = m.Value
	}
	if got["a"] != 5 || !math.IsNaN(got["b"]) || got["c"] != math.MaxFloat64 || got["d"] != 3 {
		t.Errorf("latest %v", got)
	}
}

func TestLogBatch_SentTwiceStoresOnce(t *testing.T) {
	b := open(t)
	r := b.run(tracking.NewRun{})
	var batch tracking.Batch
	for i := range 777 {
		batch.Metrics = append(batch.Metrics, metric("loss", 1/float64(i+1), int64(i)))
	}
	batch.Metrics = append(batch.Metrics, metric("nan", math.NaN(), 1))
	batch.Params = []tracking.Param{{Key: "p", Value: "1"}}
	b.log(r.ID, batch)
	b.log(r.ID, batch)
	for key, want := range map[string]int{"loss": 777, "nan": 1, "absent": 0} {
		page, err := b.svc.MetricHistory(t.Context(), project, r.ID, key, 0, "")
		b.must(err)
		if len(page.Items) != want || page.Next != "" {
			t.Errorf("%s has %d points, want %d", key, len(page.Items), want)
		}
	}
}

func TestMetricHistory_PagesInOrderWithoutGaps(t *testing.T) {
	b := open(t)
	r := b.run(tracking.NewRun{})
	var batch tracking.Batch
	for i := range 100 {
		batch.Metrics = append(batch.Metrics, metric("loss", float64(i%7), int64((i*37)%50)))
	}
	b.log(r.ID, batch)
	var steps []int64
	token := ""
	for {
		page, err := b.svc.MetricHistory(t.Context(), project, r.ID, "loss", 7, token)
		b.must(err)
		for _, m := range page.Items {
			steps = append(steps, m.Step)
		}
		if token = page.Next; token == "" {
			break
		}
	}
	for i := 1; i < len(steps); i++ {
		if steps[i] < steps[i-1] {
			t.Fatalf("step %d after %d", steps[i], steps[i-1])
		}
	}
	if len(steps) < 50 {
		t.Errorf("%d points", len(steps))
	}
	_, err := b.svc.MetricHistory(t.Context(), project, r.ID, "other", 7, "x")
	b.refused(err, fairlead.Invalid, "page token")
}

func TestLogBatch_ParamsNeverChange(t *testing.T) {
	b := open(t)
	r := b.run(tracking.NewRun{})
	b.log(r.ID, tracking.Batch{Params: []tracking.Param{{Key: "lr", Value: "0.1"}}})
	b.log(r.ID, tracking.Batch{Params: []tracking.Param{{Key: "lr", Value: "0.1"}}})
	err := b.svc.LogBatch(t.Context(), project, r.ID, tracking.Batch{
		Metrics: []tracking.Metric{metric("m", 1, 1)},
		Params:  []tracking.Param{{Key: "lr", Value: "0.2"}}})
	b.refused(err, fairlead.Invalid, "Changing param values is not allowed. Param with key='lr' "+
		"was already logged with value='0.1'")
	if r := b.get(r.ID); len(r.Metrics) != 0 || r.Params[0].Value != "0.1" {
		t.Errorf("a refused batch left %+v", r)
	}
}

func TestLogBatch_ConcurrentRetriesStoreEachPointOnce(t *testing.T) {
	b := open(t)
	r := b.run(tracking.NewRun{})
	var wg sync.WaitGroup
	for client := range 8 {
		wg.Go(func() {
			for i := range 20 { // batches overlap between clients, and new keys race
				var batch tracking.Batch
				for step := range 30 {
					batch.Metrics = append(batch.Metrics, metric(fmt.Sprint("k", i), float64(step), int64(step)))
				}
				batch.Params = []tracking.Param{{Key: fmt.Sprint("p", i), Value: "1"}}
				if client == 0 && i%2 == 0 { // a refused batch teaches nothing
					bad := batch
					bad.Params = []tracking.Param{{Key: fmt.Sprint("p", i), Value: "2"},
						{Key: fmt.Sprint("new", i), Value: "2"}}
					b.svc.LogBatch(context.Background(), project, r.ID, bad)
					continue
				}
				if err := b.svc.LogBatch(context.Background(), project, r.ID, batch); err != nil &&
					!fairlead.Is(err, fairlead.Invalid) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for i := range 20 {
		page, err := b.svc.MetricHistory(t.Context(), project, r.ID, fmt.Sprint("k", i), 0, "")
		b.must(err)
		if len(page.Items) != 30 {
			t.Errorf("k%d has %d points", i, len(page.Items))
		}
	}
	for _, m := range b.get(r.ID).Metrics {
		if m.Value != 29 {
			t.Errorf("latest %+v", m)
		}
	}
}

func TestLogBatch_ChecksLimitsAndNames(t *testing.T) {
	b := open(t)
	r := b.run(tracking.NewRun{})
	many := func(n int) (out []tracking.Metric) {
		for range n {
			out = append(out, metric("m", 1, 1))
		}
		return out
	}
	for want, batch := range map[string]tracking.Batch{
		"at most 1000 metrics. Got 1001":         {Metrics: many(1001)},
		"at most 1000 metrics, params, and tags": {Metrics: many(1000), Tags: []tracking.Tag{{Key: "a"}}},
		`Invalid value "a#" for parameter 'metrics[0].name' supplied`: {
			Metrics: []tracking.Metric{metric("a#", 1, 1)}},
		"would resolve to 'b'":     {Tags: []tracking.Tag{{Key: "a/../b"}}},
		"Param key' exceeds":       {Params: []tracking.Param{{Key: strings.Repeat("x", 251)}}},
		"Duplicate parameter keys": {Params: []tracking.Param{{Key: "a"}, {Key: "a"}}},
		"Timestamp must be":        {Metrics: []tracking.Metric{{Key: "a", TimestampMS: -1}}},
	} {
		b.refused(b.svc.LogBatch(t.Context(), project, r.ID, batch), fairlead.Invalid, want)
	}
	err := b.svc.LogBatch(t.Context(), project, "nope", tracking.Batch{})
	b.refused(err, fairlead.NotFound, "Run with id=nope not found")
	err = b.svc.LogBatch(t.Context(), other, r.ID, tracking.Batch{})
	b.refused(err, fairlead.NotFound, "not found")
}

func TestLogBatch_CutsLongValues(t *testing.T) {
	b := open(t)
	r := b.run(tracking.NewRun{})
	b.must(b.svc.LogParam(t.Context(), project, r.ID,
		tracking.Param{Key: "p", Value: strings.Repeat("ü", 6001)}))
	b.must(b.svc.SetTag(t.Context(), project, r.ID,
		tracking.Tag{Key: "a", Value: strings.Repeat("ü", 8001)}))
	got := b.get(r.ID)
	if p, a := got.Params[0].Value, got.Tags[0].Value; p != strings.Repeat("ü", 6000) ||
		a != strings.Repeat("ü", 8000) {
		t.Errorf("param of %d and tag of %d bytes", len(p), len(a))
	}
}

func TestRun_LifeFromCreationToRestoration(t *testing.T) {
	b := open(t)
	r := b.run(tracking.NewRun{Name: "first", Tags: []tracking.Tag{{Key: "team", Value: "a"}}})
	if r.ExperimentID != "0" || r.ArtifactURI() != "mlflow-artifacts:/0/"+r.ID+"/artifacts" {
		t.Errorf("run %+v at %s", r, r.ArtifactURI())
	}
	status, end, name := tracking.Finished, int64(5), "second"
	_, err := b.svc.UpdateRun(t.Context(), project, r.ID,
		tracking.Update{Status: &status, EndMS: &end, Name: &name})
	b.must(err)
	got := b.get(r.ID)
	if got.Status != "FINISHED" || got.EndMS != 5 || got.Name != "second" {
		t.Errorf("after the update %+v", got)
	}
	if got.Tags[0] != (tracking.Tag{Key: "mlflow.runName", Value: "second"}) {
		t.Errorf("tags %v", got.Tags)
	}
	b.must(b.svc.DeleteRun(t.Context(), project, r.ID))
	b.must(b.svc.DeleteRun(t.Context(), project, r.ID))
	err = b.svc.LogBatch(t.Context(), project, r.ID, tracking.Batch{})
	b.refused(err, fairlead.Invalid, "must be in the 'active' state. Current state is deleted")
	b.must(b.svc.RestoreRun(t.Context(), project, r.ID))
	records, err := b.led.List(t.Context(), ledger.Filter{Subject: "run/" + r.ID})
	b.must(err)
	var types []string
	for _, rec := range records {
		types = append(types, rec.Type)
	}
	want := "run.created run.finished run.deleted run.restored"
	if got := strings.Join(types, " "); got != want {
		t.Errorf("events %s, want %s", got, want)
	}
}

func TestFinishRun_EndsADeletedRun(t *testing.T) {
	b := open(t)
	e, err := b.svc.CreateExperiment(t.Context(), project, "e", nil)
	b.must(err)
	r := b.run(tracking.NewRun{Experiment: e.ID})
	b.must(b.svc.DeleteExperiment(t.Context(), project, e.ID))
	b.must(b.db.Write(t.Context(), store.Control, func(tx *store.Tx) error {
		return b.svc.FinishRun(t.Context(), tx, project, r.ID, tracking.Killed, 7)
	}))
	if got := b.get(r.ID); got.Status != "KILLED" || got.EndMS != 7 || got.State != "deleted" {
		t.Errorf("after its end %+v", got)
	}
	status := tracking.Finished
	_, err = b.svc.UpdateRun(t.Context(), project, r.ID, tracking.Update{Status: &status})
	b.refused(err, fairlead.Invalid, "Current state is deleted")
}

func TestCreateRun_RefusesTwoNames(t *testing.T) {
	b := open(t)
	_, err := b.svc.StartRun(t.Context(), project, tracking.NewRun{Name: "a",
		Tags: []tracking.Tag{{Key: "mlflow.runName", Value: "b"}}})
	b.refused(err, fairlead.Invalid, "Both 'run_name' argument and 'mlflow.runName' tag")
	if r := b.run(tracking.NewRun{}); r.Name == "" {
		t.Error("a run without a name got none")
	}
}

func TestExperiment_LifeAndNames(t *testing.T) {
	b := open(t)
	ctx := t.Context()
	zero, err := b.svc.Experiment(ctx, project, "0")
	b.must(err)
	if zero.Name != "Default" {
		t.Errorf("experiment 0 is %q", zero.Name)
	}
	e, err := b.svc.CreateExperiment(ctx, project, "bikes", []tracking.Tag{{Key: "a", Value: "b"}})
	b.must(err)
	if e.ID != "1" {
		t.Errorf("id %s", e.ID)
	}
	_, err = b.svc.CreateExperiment(ctx, project, "bikes", nil)
	b.refused(err, fairlead.Conflict, "Experiment(name=bikes) already exists")
	_, err = b.svc.ExperimentByName(ctx, project, "cars")
	b.refused(err, fairlead.NotFound, "Could not find experiment with name 'cars'")
	_, err = b.svc.Experiment(ctx, other, e.ID)
	b.refused(err, fairlead.NotFound, "No Experiment with id=1 exists")
	r := b.run(tracking.NewRun{Experiment: e.ID})
	b.must(b.svc.DeleteExperiment(ctx, project, e.ID))
	if got := b.get(r.ID); got.State != tracking.Deleted {
		t.Errorf("run of a deleted experiment is %s", got.State)
	}
	b.must(b.svc.RestoreExperiment(ctx, project, e.ID))
	if got := b.get(r.ID); got.State != tracking.Active {
		t.Errorf("run of a restored experiment is %s", got.State)
	}
	b.must(b.svc.RenameExperiment(ctx, project, e.ID, "rides"))
	got, err := b.svc.ExperimentByName(ctx, project, "rides")
	b.must(err)
	if got.ID != e.ID || len(got.Tags) != 1 {
		t.Errorf("renamed %+v", got)
	}
}

func TestArtifacts_AreKeptByOwnerAndProject(t *testing.T) {
	b := open(t)
	ctx := t.Context()
	r := b.run(tracking.NewRun{})
	at, ok := tracking.ParseURI(r.ArtifactURI())
	if !ok || at.Owner != tracking.RunOwner(r.ID) || at.Path != "" {
		t.Fatalf("place %+v", at)
	}
	at.Path = "plots/a.txt"
	b.must(b.svc.PutArtifact(ctx, project, at, strings.NewReader("hello"), nil))
	f, obj, err := b.svc.OpenArtifact(ctx, project, at)
	b.must(err)
	text, err := io.ReadAll(f)
	f.Close()
	if string(text) != "hello" || obj.Bytes != 5 || err != nil {
		t.Errorf("read %q, %+v, %v", text, obj, err)
	}
	_, _, err = b.svc.OpenArtifact(ctx, other, at)
	b.refused(err, fairlead.NotFound, "plots/a.txt")
	err = b.svc.PutArtifact(ctx, other, at, strings.NewReader("x"), nil)
	b.refused(err, fairlead.NotFound, "not found")
	list, err := b.svc.ListArtifacts(ctx, project, tracking.Place{Owner: at.Owner})
	b.must(err)
	if len(list) != 1 || !list[0].IsDir || list[0].Path != "plots" {
		t.Errorf("list %+v", list)
	}
	b.must(b.svc.DeleteArtifacts(ctx, project, tracking.Place{Owner: at.Owner, Path: "plots"}))
	_, _, err = b.svc.OpenArtifact(ctx, project, at)
	b.refused(err, fairlead.NotFound, "plots/a.txt")
}

func TestSeal_KeepsFilesAsTheyAre(t *testing.T) {
	b := open(t)
	ctx := t.Context()
	r := b.run(tracking.NewRun{})
	at := func(path string) tracking.Place {
		return tracking.Place{Owner: tracking.RunOwner(r.ID), Path: path}
	}
	b.must(b.svc.PutArtifact(ctx, project, at("model/MLmodel"), strings.NewReader("a"), nil))
	b.must(b.db.Write(ctx, store.Control, func(tx *store.Tx) error {
		return b.svc.Seal(tx, project, at("model"), "bikes version 1")
	}))
	b.must(b.svc.PutArtifact(ctx, project, at("model/MLmodel"), strings.NewReader("a"), nil))
	b.must(b.svc.PutArtifact(ctx, project, at("models/MLmodel"), strings.NewReader("b"), nil))
	for _, path := range []string{"model/MLmodel", "model/more"} {
		err := b.svc.PutArtifact(ctx, project, at(path), strings.NewReader("b"), nil)
		b.refused(err, fairlead.Precondition, "belongs to bikes version 1")
	}
	for _, path := range []string{"model", "model/MLmodel"} {
		b.refused(b.svc.DeleteArtifacts(ctx, project, at(path)), fairlead.Precondition, "never change")
	}
	b.must(b.svc.DeleteArtifacts(ctx, project, at("models")))
}

func TestParsePath_MapsTheLayoutAndRefusesEscapes(t *testing.T) {
	for path, want := range map[string]string{
		"1/abc/artifacts/model/MLmodel":  "run abc model/MLmodel",
		"1/abc/artifacts":                "run abc ",
		"1/models/m-1/artifacts/a/b":     "logged_model m-1 a/b",
		"1/traces/tr-1/artifacts/t.json": "experiment 1 traces/tr-1/artifacts/t.json",
		"1":                              "experiment 1 ",
	} {
		at, err := tracking.ParsePath(path)
		if got := at.Owner.Kind + " " + at.Owner.ID + " " + at.Path; err != nil || got != want {
			t.Errorf("%s is %q, error %v; want %q", path, got, err, want)
		}
	}
	for _, path := range []string{"", "..", "1/../2", "/etc/passwd", "1/%2e%2e/2", "1/%252e%252e/2",
		`1\..\2`, "1/a\x00b"} {
		if at, err := tracking.ParsePath(path); !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("%q was accepted: %+v, %v", path, at, err)
		}
	}
}

func TestLoggedModel_HasNoRunOfAnotherProject(t *testing.T) {
	b := open(t)
	foreign, err := b.svc.StartRun(t.Context(), other, tracking.NewRun{})
	b.must(err)
	for _, id := range []string{foreign.ID, "nobody"} {
		_, err := b.svc.AddLoggedModel(t.Context(), project, tracking.NewLoggedModel{RunID: id, Experiment: "0"})
		if !fairlead.Is(err, fairlead.NotFound) {
			t.Errorf("of the run %s: %v", id, err)
		}
	}
}

func TestLoggedModel_LifeWithMetricsAndLinks(t *testing.T) {
	b := open(t)
	ctx := t.Context()
	r := b.run(tracking.NewRun{})
	m, err := b.svc.AddLoggedModel(ctx, project, tracking.NewLoggedModel{RunID: r.ID, Name: "model",
		Params: []tracking.Param{{Key: "depth", Value: "3"}}})
	b.must(err)
	b.must(b.svc.LogOutputs(ctx, project, r.ID, []tracking.ModelOutput{{ModelID: m.ID, Step: 2}}))
	x := metric("auc", 0.9, 1)
	x.ModelID, x.DatasetName, x.DatasetDigest = m.ID, "holdout", "d1"
	b.log(r.ID, tracking.Batch{Metrics: []tracking.Metric{x, metric("loss", 1, 1)}})
	m, err = b.svc.FinishLoggedModel(ctx, project, m.ID, tracking.ModelReady)
	b.must(err)
	if m.Status != "READY" || len(m.Metrics) != 1 || m.Metrics[0].RunID != r.ID || len(m.Params) != 1 {
		t.Errorf("model %+v", m)
	}
	if got := b.get(r.ID); len(got.ModelOutputs) != 1 || len(got.Metrics) != 2 {
		t.Errorf("run %+v", got)
	}
	x.ModelID = "m-unknown"
	err = b.svc.LogBatch(ctx, project, r.ID, tracking.Batch{Metrics: []tracking.Metric{x}})
	b.refused(err, fairlead.NotFound, "Logged model with ID 'm-unknown' not found")
	_, err = b.svc.AddLoggedModel(ctx, project, tracking.NewLoggedModel{Name: "a/b"})
	b.refused(err, fairlead.Invalid, "Invalid model name ('a/b')")
	b.must(b.svc.DeleteLoggedModel(ctx, project, m.ID))
	_, err = b.svc.LoggedModel(ctx, project, m.ID)
	b.refused(err, fairlead.NotFound, m.ID)
}

func TestLogInputs_KeepsDatasetsOfTheRun(t *testing.T) {
	b := open(t)
	r := b.run(tracking.NewRun{})
	in := tracking.DatasetInput{
		Dataset: tracking.Dataset{Name: "d", Digest: "1", SourceType: "local", Source: "{}"},
		Tags:    []tracking.Tag{{Key: "mlflow.data.context", Value: "training"}}}
	for range 2 {
		b.must(b.svc.LogInputs(t.Context(), project, r.ID, []tracking.DatasetInput{in}, nil))
	}
	if got := b.get(r.ID).Datasets; len(got) != 1 || got[0].Tags[0].Value != "training" {
		t.Errorf("inputs %+v", got)
	}
	in.Dataset.Digest = strings.Repeat("x", 37)
	err := b.svc.LogInputs(t.Context(), project, r.ID, []tracking.DatasetInput{in}, nil)
	b.refused(err, fairlead.Invalid, "exceeds the maximum length of 36")
}
