package tracking_test

import (
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

func TestExperiment_NameOfADeletedOneCanBeTakenAgain(t *testing.T) {
	b, ctx := open(t), t.Context()
	var ids []string
	for range 3 {
		e, err := b.svc.CreateExperiment(ctx, project, "bikes", nil)
		b.must(err)
		b.clock.Advance(time.Second)
		b.must(b.svc.DeleteExperiment(ctx, project, e.ID))
		ids = append(ids, e.ID)
	}
	byName := func(id, state string) {
		t.Helper()
		e, err := b.svc.ExperimentByName(ctx, project, "bikes")
		b.must(err)
		if e.ID != id || e.State != state {
			t.Errorf("by name: %s, %s; want %s, %s", e.ID, e.State, id, state)
		}
	}
	byName(ids[2], tracking.Deleted) // the one that was deleted last
	b.must(b.svc.RestoreExperiment(ctx, project, ids[0]))
	byName(ids[0], tracking.Active)
	err := b.svc.RestoreExperiment(ctx, project, ids[1])
	b.refused(err, fairlead.Conflict, "Experiment(name=bikes) already exists")
	b.must(b.svc.RenameExperiment(ctx, project, ids[0], "rides"))
	b.must(b.svc.RestoreExperiment(ctx, project, ids[1]))
	byName(ids[1], tracking.Active)
}

// fill makes an experiment whose runs have all that a run can have, and returns it with
// the ids of its runs and of their logged models.
func (b *bench) fill(name string, runs int) (e *tracking.Experiment, ids, models []string) {
	b.Helper()
	ctx := b.Context()
	e, err := b.svc.CreateExperiment(ctx, project, name, []tracking.Tag{{Key: "team", Value: "a"}})
	b.must(err)
	for i := range runs {
		r := b.run(tracking.NewRun{Experiment: e.ID, Params: []tracking.Param{{Key: "p", Value: "1"}}})
		m, err := b.svc.AddLoggedModel(ctx, project, tracking.NewLoggedModel{RunID: r.ID,
			Tags: []tracking.Tag{{Key: "t", Value: "1"}}, Params: []tracking.Param{{Key: "q", Value: "2"}}})
		b.must(err)
		var points []tracking.Metric
		for step := range int64(100) {
			points = append(points, tracking.Metric{Key: "loss", Step: step, Value: 1})
		}
		points = append(points, tracking.Metric{Key: "auc", Value: 0.9, ModelID: m.ID})
		b.log(r.ID, tracking.Batch{Metrics: points})
		b.must(b.svc.LogInputs(ctx, project, r.ID, []tracking.DatasetInput{{Dataset: tracking.Dataset{
			Name: "d", Digest: fmt.Sprint(i), SourceType: "local", Source: "{}"}}}, nil))
		b.must(b.svc.LogOutputs(ctx, project, r.ID, []tracking.ModelOutput{{ModelID: m.ID}}))
		for path, text := range map[string]string{
			r.ArtifactURI() + "/own.txt": "of run " + r.ID, r.ArtifactURI() + "/same.txt": "shared",
			m.ArtifactURI() + "/MLmodel": "of model " + m.ID,
		} {
			b.put(path, text)
		}
		ids, models = append(ids, r.ID), append(models, m.ID)
	}
	b.put(e.ArtifactURI()+"/note.txt", "of "+name)
	b.must(b.svc.Index(ctx))
	return e, ids, models
}

func (b *bench) put(uri, text string) {
	b.Helper()
	at, ok := tracking.ParseURI(uri)
	if !ok {
		b.Fatalf("%s is no place", uri)
	}
	b.must(b.svc.PutArtifact(b.Context(), project, at, strings.NewReader(text), nil))
}

func (b *bench) read(uri string) (string, error) {
	at, _ := tracking.ParseURI(uri)
	f, _, err := b.svc.OpenArtifact(b.Context(), project, at)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	return string(text), err
}

// orphans lists the tables with rows of a run, experiment or logged model that is gone:
// its key may be given again. A new table is looked at by its column's name.
func (b *bench) orphans() (out []string) {
	b.Helper()
	b.must(b.db.Read(b.Context(), func(tx *store.Tx) error {
		rows, err := tx.Query(`select m.name, c.name from sqlite_master m, pragma_table_info(m.name) c
			where m.type = 'table' and c.name in ('run_k', 'exp_k', 'model_k') order by 1, 2`)
		if err != nil {
			return err
		}
		var found [][2]string
		for rows.Next() {
			var f [2]string
			if err := rows.Scan(&f[0], &f[1]); err != nil {
				return err
			}
			found = append(found, f)
		}
		rows.Close()
		parent := map[string]string{"run_k": "run", "exp_k": "experiment", "model_k": "logged_model"}
		for _, f := range found {
			var n int
			err := tx.QueryRow("select count(*) from " + f[0] + " where " + f[1] +
				" not in (select k from " + parent[f[1]] + ")").Scan(&n)
			if err != nil {
				return err
			}
			if n > 0 {
				out = append(out, fmt.Sprintf("%s has %d rows without %s", f[0], n, f[1]))
			}
		}
		return rows.Err()
	}))
	return out
}

func (b *bench) purge(age time.Duration) *tracking.Purged {
	b.Helper()
	got, err := b.svc.Purge(b.Context(), project, b.clock.Now().Add(-age))
	b.must(err)
	return got
}

func TestPurge_RemovesAllThatWasOfTheDeletedAndNothingElse(t *testing.T) {
	b, ctx := open(t), t.Context()
	gone, goneRuns, goneModels := b.fill("gone", 25) // more than one chunk
	_, stayRuns, stayModels := b.fill("stays", 3)
	b.must(b.svc.DeleteExperiment(ctx, project, gone.ID))
	b.must(b.svc.DeleteRun(ctx, project, stayRuns[0]))
	b.must(b.svc.DeleteLoggedModel(ctx, project, stayModels[0]))
	b.must(b.svc.DeleteExperiment(ctx, project, "0"))
	b.clock.Advance(29 * 24 * time.Hour)
	b.must(b.svc.DeleteRun(ctx, project, stayRuns[1]))
	b.clock.Advance(24 * time.Hour)

	c, err := b.svc.Collect(ctx, project, 30*24*time.Hour, true)
	b.must(err)
	if c.Purged.Runs != 26 || c.Before != c.After || len(b.orphans()) > 0 {
		t.Errorf("a dry run: %+v; before %+v, after %+v", c.Purged, c.Before, c.After)
	}
	got := b.purge(30 * 24 * time.Hour)
	want := tracking.Purged{Experiments: 1, Runs: 26, LoggedModels: 26, Files: 26*3 + 1,
		Bytes: c.Purged.Bytes, Kept: []tracking.Kept{{Kind: "experiment", ID: "0", Name: "Default",
			DeletedMS: fairlead.MS(begin), Reason: "every project keeps its experiment 0"}}}
	if !reflect.DeepEqual(*got, want) || !reflect.DeepEqual(got, c.Purged) {
		t.Errorf("purged %+v, the dry run said %+v, want %+v", got, c.Purged, want)
	}
	if left := b.orphans(); left != nil {
		t.Error(left)
	}
	_, err = b.svc.Experiment(ctx, project, gone.ID)
	b.refused(err, fairlead.NotFound, "No Experiment")
	_, err = b.svc.Run(ctx, project, goneRuns[0])
	b.refused(err, fairlead.NotFound, "not found")
	_, err = b.svc.LoggedModel(ctx, project, goneModels[0])
	b.refused(err, fairlead.NotFound, "not found")
	if r := b.get(stayRuns[1]); len(r.Metrics) != 2 || len(r.Params) != 1 || len(r.Datasets) != 1 {
		t.Errorf("a run that was deleted yesterday: %+v", r)
	}
	if text, err := b.read(b.get(stayRuns[1]).ArtifactURI() + "/same.txt"); text != "shared" {
		t.Errorf("its file: %q, %v", text, err)
	}
	e, err := b.svc.CreateExperiment(ctx, project, "gone", nil)
	b.must(err)
	if e.ID != "3" {
		t.Errorf("the number %s is given twice", e.ID)
	}
}

func TestPurge_KeepsWhatIsHeldAndSaysWhy(t *testing.T) {
	b, ctx := open(t), t.Context()
	e, runs, models := b.fill("e", 2)
	hold := func(o blob.Owner, reason string) {
		b.must(b.db.Write(ctx, store.Control, func(tx *store.Tx) error {
			return b.svc.Hold(tx, project, o, "model/bikes/3", reason)
		}))
	}
	hold(tracking.RunOwner(runs[0]), "x")
	hold(tracking.RunOwner(runs[0]), "version 3 of bikes is made from it")
	hold(tracking.LoggedModelOwner(models[1]), "version 3 of bikes is made from it")
	b.must(b.svc.DeleteExperiment(ctx, project, e.ID))
	b.must(b.svc.DeleteLoggedModel(ctx, project, models[1]))
	dry, err := b.svc.Collect(ctx, project, 0, true)
	b.must(err)
	got := b.purge(0)
	ms := fairlead.MS(begin)
	want := []tracking.Kept{
		{"run", runs[0], b.get(runs[0]).Name, ms, "version 3 of bikes is made from it"},
		{"logged_model", models[1], got.Kept[1].Name, ms, "version 3 of bikes is made from it"},
		{"experiment", e.ID, "e", ms, "the run " + runs[0] + " stays in it"},
	}
	if !reflect.DeepEqual(got.Kept, want) || got.Runs != 1 || got.LoggedModels != 0 {
		t.Errorf("purged %+v, want kept %+v", got, want)
	}
	if !reflect.DeepEqual(dry.Purged, got) {
		t.Errorf("the dry run said %+v", dry.Purged)
	}
	if text, err := b.read(b.get(runs[0]).ArtifactURI() + "/own.txt"); text != "of run "+runs[0] {
		t.Errorf("the file of a held run: %q, %v", text, err)
	}
	b.must(b.db.Write(ctx, store.Control, func(tx *store.Tx) error {
		return b.svc.Unhold(tx, project, tracking.RunOwner(runs[0]), "model/bikes/3")
	}))
	got = b.purge(0)
	if got.Runs != 1 || got.Experiments != 0 || got.Kept[1].Reason !=
		"the logged model "+models[1]+" stays in it" {
		t.Errorf("after the run was let go: %+v", got)
	}
	b.must(b.db.Write(ctx, store.Control, func(tx *store.Tx) error {
		return b.svc.Unhold(tx, project, tracking.LoggedModelOwner(models[1]), "model/bikes/3")
	}))
	if got = b.purge(0); got.Experiments != 1 || got.LoggedModels != 2 || len(got.Kept) > 0 {
		t.Errorf("after all were let go: %+v", got)
	}
	if left := b.orphans(); left != nil {
		t.Error(left)
	}
}

func TestPurge_IsEventsAndTheAuditStays(t *testing.T) {
	b, ctx := open(t), t.Context()
	e, runs, models := b.fill("e", 1)
	b.must(b.svc.DeleteExperiment(ctx, project, e.ID))
	b.purge(0)
	events, err := b.led.List(ctx, ledger.Filter{Types: []string{event.DataPurgedType}})
	b.must(err)
	var got []string
	for _, r := range events {
		var body event.DataPurged
		b.must(r.Decode(&body))
		got = append(got, fmt.Sprint(r.Subject, " ", body.Kind, " ", body.Files))
	}
	want := []string{"run/" + runs[0] + " run 2", "loggedmodel/" + models[0] + " logged_model 1",
		"experiment/" + e.ID + " experiment 1"}
	if !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
	if _, err := b.led.Verify(ctx); err != nil {
		t.Error(err)
	}
}

func TestPurge_ShortensLongHistoriesFirst(t *testing.T) {
	b, ctx := open(t), t.Context()
	r := b.run(tracking.NewRun{})
	for from := range int64(9) {
		var points []tracking.Metric
		for i := range int64(1000) {
			points = append(points, tracking.Metric{Key: fmt.Sprint(i % 3), Step: from*1000 + i,
				Value: math.NaN()})
		}
		b.log(r.ID, tracking.Batch{Metrics: points})
	}
	b.must(b.svc.DeleteRun(ctx, project, r.ID))
	if got := b.purge(0); got.Runs != 1 {
		t.Errorf("purged %+v", got)
	}
	if left := b.orphans(); left != nil {
		t.Error(left)
	}
}

func TestPurge_ANewRunWithTheKeyOfAPurgedOneIsFoundByItsMetrics(t *testing.T) {
	b, ctx := open(t), t.Context()
	for i := range 3 {
		r := b.run(tracking.NewRun{})
		b.log(r.ID, tracking.Batch{Metrics: []tracking.Metric{{Key: "auc", Value: float64(i)}}})
		b.must(b.svc.Index(ctx))
		b.log(r.ID, tracking.Batch{Metrics: []tracking.Metric{{Key: "auc", Value: float64(i), Step: 1}}})
		page, err := b.svc.SearchRuns(ctx, project, tracking.Search{Experiments: []string{"0"},
			Filter: fmt.Sprintf("metrics.auc = %d", i), OrderBy: []string{"metrics.auc desc"}, Limit: 10})
		b.must(err)
		if len(page.Items) != 1 || page.Items[0].ID != r.ID {
			t.Fatalf("found %d runs", len(page.Items))
		}
		b.must(b.svc.DeleteRun(ctx, project, r.ID))
		b.purge(0)
		if left := b.orphans(); left != nil {
			t.Error(left)
		}
	}
}

// A run, a logged model and an experiment that have more of everything than one
// transaction removes.
func TestPurge_RemovesWhatIsLargeInParts(t *testing.T) {
	b, ctx := open(t), t.Context()
	e, err := b.svc.CreateExperiment(ctx, project, "large", nil)
	b.must(err)
	var tags []tracking.Tag
	var params []tracking.Param
	for i := range 400 {
		tags = append(tags, tracking.Tag{Key: fmt.Sprint("t", i), Value: "1"})
		params = append(params, tracking.Param{Key: fmt.Sprint("p", i), Value: "1"})
	}
	for _, tag := range tags {
		b.must(b.svc.SetExperimentTag(ctx, project, e.ID, tag))
	}
	r := b.run(tracking.NewRun{Experiment: e.ID})
	other := b.run(tracking.NewRun{}) // has the same keys
	m, err := b.svc.AddLoggedModel(ctx, project, tracking.NewLoggedModel{Experiment: e.ID, Tags: tags,
		Params: params})
	b.must(err)
	for from := range int64(5) {
		var points []tracking.Metric
		for i := range int64(1000) {
			points = append(points, tracking.Metric{Key: fmt.Sprint("m", from*1000+i), Value: float64(i),
				ModelID: m.ID})
		}
		b.log(r.ID, tracking.Batch{Metrics: points})
	}
	for _, id := range []string{r.ID, other.ID} {
		for from := 0; from < 400; from += 100 {
			b.log(id, tracking.Batch{Tags: tags[from : from+100], Params: params[from : from+100]})
		}
		b.log(id, tracking.Batch{Metrics: []tracking.Metric{{Key: "m1", Value: 1}}})
	}
	b.must(b.svc.Index(ctx))
	b.log(r.ID, tracking.Batch{Metrics: []tracking.Metric{{Key: "m1", Step: 1, Value: 2}}}) // is behind
	for i := range 310 {
		b.put(fmt.Sprintf("%s/f%d", r.ArtifactURI(), i), "same")
		ds := tracking.Dataset{Name: "d", Digest: fmt.Sprint(i), SourceType: "local", Source: "{}"}
		b.must(b.svc.LogInputs(ctx, project, r.ID, []tracking.DatasetInput{{Dataset: ds}}, nil))
	}
	b.must(b.svc.DeleteExperiment(ctx, project, e.ID))
	got := b.purge(0)
	if got.Runs != 1 || got.LoggedModels != 1 || got.Experiments != 1 || got.Files != 310 ||
		got.Bytes != 4*310 {
		t.Errorf("purged %+v", got)
	}
	if left := b.orphans(); left != nil {
		t.Error(left)
	}
	if r := b.get(other.ID); len(r.Tags) < 400 || len(r.Params) != 400 || len(r.Metrics) != 1 {
		t.Errorf("another run has %d tags, %d params", len(r.Tags), len(r.Params))
	}
	page, err := b.svc.SearchRuns(ctx, project, tracking.Search{Experiments: []string{"0"},
		OrderBy: []string{"metrics.m1 desc"}, Limit: 10})
	b.must(err)
	if len(page.Items) != 1 || page.Items[0].ID != other.ID {
		t.Errorf("found %d runs", len(page.Items))
	}
}

func TestPurge_KeepsDatasetsThatAnotherRunHas(t *testing.T) {
	b, ctx := open(t), t.Context()
	input := func(run, digest string) {
		b.must(b.svc.LogInputs(ctx, project, run, []tracking.DatasetInput{{Dataset: tracking.Dataset{
			Name: "d", Digest: digest, SourceType: "local", Source: "{}"}}}, nil))
	}
	gone, stays := b.run(tracking.NewRun{}), b.run(tracking.NewRun{})
	input(gone.ID, "own")
	input(gone.ID, "shared")
	input(stays.ID, "shared")
	b.must(b.svc.DeleteRun(ctx, project, gone.ID))
	b.purge(0)
	if r := b.get(stays.ID); len(r.Datasets) != 1 {
		t.Errorf("the other run has %d datasets", len(r.Datasets))
	}
	var left int
	b.must(b.db.Read(ctx, func(tx *store.Tx) error {
		return tx.QueryRow("select count(*) from run_dataset").Scan(&left)
	}))
	if left != 1 {
		t.Errorf("%d datasets are left", left)
	}
}

func TestPurge_CountsFromTheDayOnWhichWhatWasDeletedCameHere(t *testing.T) {
	b, ctx := open(t), t.Context()
	e, err := b.svc.CreateExperiment(ctx, project, "old", nil)
	b.must(err)
	m, err := b.svc.AddLoggedModel(ctx, project, tracking.NewLoggedModel{})
	b.must(err)
	b.must(b.db.Write(ctx, store.Bulk, func(tx *store.Tx) error { // all in 1970
		if err := b.svc.SettleExperiment(ctx, tx, project, e.ID, 1, 2, 3); err != nil {
			return err
		}
		err := b.svc.SettleLoggedModel(ctx, tx, project, m.ID, m.Status, tracking.Deleted, 1, 2)
		if err != nil {
			return err
		}
		_, err = b.svc.BringExperiment(ctx, tx, project, &tracking.ExperimentRecord{ID: "7", Name: "older",
			State: tracking.Deleted, CreatedMS: 1, UpdatedMS: 2, DeletedMS: 3})
		if err != nil {
			return err
		}
		r := &tracking.LoggedModelRecord{ID: "m-" + strings.Repeat("0", 32), Experiment: "0", Name: "m",
			Status: m.Status, State: tracking.Deleted, CreatedMS: 1, UpdatedMS: 2, DeletedMS: 3}
		if err := b.svc.BringLoggedModel(ctx, tx, project, "0", r); err != nil {
			return err
		}
		return b.svc.SettleBroughtModel(ctx, tx, project, r)
	}))
	b.clock.Advance(29 * 24 * time.Hour)
	if got := b.purge(30 * 24 * time.Hour); got.Experiments+got.LoggedModels != 0 {
		t.Errorf("purged %+v", got)
	}
	b.clock.Advance(24 * time.Hour)
	if got := b.purge(30 * 24 * time.Hour); got.Experiments != 2 || got.LoggedModels != 2 {
		t.Errorf("purged %+v", got)
	}
}

func TestPurge_CountsFromTheDayOnWhichADeletedRunCameHere(t *testing.T) {
	b, ctx := open(t), t.Context()
	r := b.run(tracking.NewRun{})
	b.must(b.db.Write(ctx, store.Bulk, func(tx *store.Tx) error {
		return b.svc.SettleRun(ctx, tx, project, r.ID, tracking.Finished, 2, 3) // deleted in 1970
	}))
	b.clock.Advance(29 * 24 * time.Hour)
	if got := b.purge(30 * 24 * time.Hour); got.Runs != 0 {
		t.Errorf("purged %+v", got)
	}
	b.clock.Advance(24 * time.Hour)
	if got := b.purge(30 * 24 * time.Hour); got.Runs != 1 {
		t.Errorf("purged %+v", got)
	}
}
