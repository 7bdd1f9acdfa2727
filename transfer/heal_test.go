package transfer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
	"github.com/fairlead-ml/fairlead/transfer"
)

const (
	modelA = "m-0c000000000000000000000000000000"
	modelB = "m-0d000000000000000000000000000000"
)

// rich adds a second experiment, logged models, and a registered model to the store.
func (w *world) rich() {
	w.Helper()
	w.write("7/tags/team", "a")
	w.write("8/meta.yaml", "name: gone\nlifecycle_stage: deleted\ncreation_time: 13\nlast_update_time: 14\n")
	w.loggedModel("8", modelA, "active")
	w.loggedModel("7", modelB, "deleted")
	w.write("7/models/"+modelA+"/metrics/f1", "9 1 3 "+runB+"\n") // of a run in another experiment
	w.write("7/"+runA+"/outputs/x/meta.yaml", "source_id: "+runA+"\nsource_type: RUN_OUTPUT\n"+
		"destination_id: "+modelA+"\nstep: 4\n")
	w.write("7/"+runB+"/inputs/x/meta.yaml", "source_id: "+runB+"\nsource_type: RUN_INPUT\n"+
		"destination_id: m-0e000000000000000000000000000000\n")
	w.write("models/m/meta.yaml", "name: m\ndescription: d\ncreation_timestamp: 1\nlast_updated_timestamp: 2\n")
	w.write("models/m/aliases/champ", "2")
	w.version(1, "file:///elsewhere/mlruns/7/"+runA+"/artifacts/sub", runA)
	w.version(2, "models:/"+modelB, "")
}

func (w *world) loggedModel(exp, id, state string) {
	w.Helper()
	w.write(exp+"/models/"+id+"/meta.yaml", "name: n\nmodel_type: t\nsource_run_id: "+runA+"\nstatus: 2\n"+
		"lifecycle_stage: "+state+"\ncreation_timestamp: 5\nlast_updated_timestamp: 6\nartifact_location: /x\n")
	w.write(exp+"/models/"+id+"/params/depth", "3")
	w.write(exp+"/models/"+id+"/metrics/auc", "7 0.5 1 "+runA+"\n8 0.75 2 "+runB+"\n")
	w.write(exp+"/models/"+id+"/artifacts/MLmodel", "flavors: {}")
}

func (w *world) version(n int, source, runID string) {
	w.Helper()
	w.write(fmt.Sprintf("models/m/version-%d/meta.yaml", n), fmt.Sprintf("version: %d\nsource: %s\n"+
		"run_id: %s\ncurrent_stage: None\ncreation_timestamp: 5\n", n, source, runID))
}

// here is all that the project has, as text; what arrived when is left out.
func (w *world) here() string {
	w.Helper()
	ctx := w.Context()
	all := map[string]any{}
	exps, err := w.tracking.SearchExperiments(ctx, project, tracking.Search{View: tracking.All, Limit: 100})
	if err != nil {
		w.Fatal(err)
	}
	for _, e := range exps.Items {
		all["experiment "+e.ID] = e
	}
	for _, id := range []string{runA, runB} {
		r := w.read(id)
		r.Metrics = nil // NaN is no JSON
		c, err := w.tracking.CountRun(ctx, project, id)
		if err != nil {
			w.Fatal(err)
		}
		all["run "+id] = []any{r, c}
	}
	err = w.registry.Read(ctx, func(tx *store.Tx) error {
		for _, id := range []string{modelA, modelB} {
			exp, state, err := w.tracking.FindLoggedModel(tx, project, id)
			if err != nil {
				return err
			}
			all["logged model "+id] = []string{exp, state}
		}
		m, err := w.registry.Model(tx, project, "m")
		if err != nil {
			return err
		}
		vs, err := w.registry.Versions(tx, project, "m", 0, 100)
		all["model"] = []any{m, vs}
		return err
	})
	if err != nil {
		w.Fatal(err)
	}
	for _, id := range []string{modelA, modelB} {
		c, err := w.tracking.CountLoggedModel(ctx, project, id)
		if err != nil {
			w.Fatal(err)
		}
		all["contents of "+id] = c
	}
	b, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		w.Fatal(err)
	}
	return string(b)
}

// countdown is a context that ends when it has been asked for its end often enough.
type countdown struct {
	context.Context
	left   *atomic.Int64
	cancel context.CancelFunc
}

func (c countdown) Done() <-chan struct{} {
	if c.left.Add(-1) < 0 {
		c.cancel()
	}
	return c.Context.Done()
}

func (c countdown) Err() error {
	if c.left.Add(-1) < 0 {
		c.cancel()
	}
	return c.Context.Err()
}

// importFor imports until the context has been looked at n times, and reports whether the
// import came to its end.
func (w *world) importFor(n int64) (done bool) {
	w.Helper()
	ctx, cancel := context.WithCancel(w.Context())
	defer cancel()
	var left atomic.Int64
	left.Store(n)
	_, err := w.ImportMLflow(countdown{ctx, &left, cancel}, project, transfer.Source{From: w.dir})
	if err != nil && ctx.Err() == nil {
		w.Fatal(err)
	}
	return err == nil
}

// Wherever an import is cut off, the next one makes it whole: the same things are here, and
// the same events have told of them.
func TestImport_CutOffAnywhereIsMadeWholeByTheNext(t *testing.T) {
	w := newWorld(t)
	w.rich()
	rep := w.importAll()
	want, head := w.here(), w.head()
	if rep.Runs != 2 || rep.LoggedModels != 2 || rep.Versions != 2 || rep.Aliases != 1 {
		t.Fatalf("report %+v", rep)
	}
	if !strings.Contains(want, `"champ"`) || !strings.Contains(want, `"runs:/`+runA+`/sub"`) {
		t.Fatalf("here is %s", want)
	}
	cuts := 0
	for n, done := int64(1), false; !done; n += 1 + n/8 {
		w := newWorld(t)
		w.rich()
		if done = w.importFor(n); done {
			break
		}
		cuts++
		w.importAll()
		if got := w.here(); got != want {
			t.Fatalf("after a cut at %d here is %s\nwant %s", n, got, want)
		}
		if got := w.head(); got != head {
			t.Fatalf("after a cut at %d there are %d events, want %d", n, got, head)
		}
		w.importAll()
		if w.head() != head {
			t.Fatal("a third import has changed something")
		}
	}
	if cuts < 20 {
		t.Errorf("only %d cuts", cuts)
	}
}

func TestImport_FetchesFilesThatWereMissing(t *testing.T) {
	w := newWorld(t)
	if err := os.RemoveAll(filepath.Join(w.dir, "7", runA, "artifacts")); err != nil {
		t.Fatal(err)
	}
	w.write("7/"+runA+"/meta.yaml", "run_name: r\nlifecycle_stage: active\nstatus: 3\nstart_time: 20\nend_time: 30\n"+
		"artifact_uri: mlflow-artifacts://host:5000/7/"+runA+"/artifacts\n")
	w.write("models/m/meta.yaml", "name: m\n")
	w.version(1, "runs:/"+runA+"/model", runA)
	if rep := w.importAll(); len(rep.Left) != 1 || !strings.Contains(rep.Left[0], "--artifacts") ||
		rep.Files != 1 {
		t.Errorf("without the files: %+v", rep)
	}
	artifacts := filepath.Join(filepath.Dir(w.dir), "mlartifacts")
	w.dir, artifacts = artifacts, w.dir
	w.write("7/"+runA+"/artifacts/model/MLmodel", "flavors: {}")
	w.dir, artifacts = artifacts, w.dir
	again := func() transfer.Report {
		rep, err := w.ImportMLflow(t.Context(), project, transfer.Source{From: w.dir, Artifacts: artifacts})
		if err != nil {
			t.Fatal(err)
		}
		return rep
	}
	if rep := again(); rep.Files != 1 || len(rep.Left) != 0 || rep.Points != 0 {
		t.Errorf("with the files: %+v", rep)
	}
	if rep := again(); rep.Files != 0 || rep.Skipped != 3 {
		t.Errorf("once more: %+v", rep)
	}
	if c, err := w.tracking.CountRun(t.Context(), project, runA); err != nil || c.Files != 1 {
		t.Errorf("the run has %+v, %v", c, err)
	}
}

func TestImport_SaysThatADirectoryIsMissing(t *testing.T) {
	w := newWorld(t)
	if err := os.RemoveAll(filepath.Join(w.dir, "7", runA, "artifacts")); err != nil {
		t.Fatal(err)
	}
	w.write("7/"+runA+"/meta.yaml", "run_name: r\nlifecycle_stage: active\nstatus: 3\nstart_time: 20\nend_time: 30\n"+
		"artifact_uri: file:///home/ann/mlruns/7/"+runA+"/artifacts\n")
	for range 2 {
		rep := w.importAll()
		if len(rep.Left) != 1 || !strings.Contains(rep.Left[0], "/home/ann/mlruns/7") {
			t.Errorf("report %+v", rep)
		}
	}
	// it is found below what is named, by the end of its path
	moved := filepath.Join(filepath.Dir(w.dir), "moved")
	if err := os.MkdirAll(filepath.Join(moved, "7", runA, "artifacts"), 0o755); err != nil {
		t.Fatal(err)
	}
	rep, err := w.ImportMLflow(t.Context(), project, transfer.Source{From: w.dir, Artifacts: moved})
	if err != nil || len(rep.Left) != 0 {
		t.Errorf("report %+v, %v", rep, err)
	}
}

// A store names directories, and must not choose which ones the server reads.
func TestImport_ReadsNoDirectoryThatWasNotNamed(t *testing.T) {
	for name, uri := range map[string]func(w *world, dir string) string{
		"its URI":          func(_ *world, dir string) string { return "file://" + dir },
		"a path":           func(_ *world, dir string) string { return dir },
		"a path with dots": func(w *world, dir string) string { return w.dir + "/7/../../" + filepath.Base(dir) },
		"a link": func(w *world, dir string) string {
			if err := os.Symlink(dir, filepath.Join(w.dir, "7", runA, "artifacts")); err != nil {
				w.Fatal(err)
			}
			return "file:///nowhere"
		},
		"a link in the store that ends well": func(w *world, dir string) string {
			well := filepath.Join(dir, runA, "artifacts")
			if err := os.MkdirAll(well, 0o755); err != nil {
				w.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(well, "x"), nil, 0o644); err != nil {
				w.Fatal(err)
			}
			return well
		},
		"of a server": func(_ *world, dir string) string { return "mlflow-artifacts:/../" + filepath.Base(dir) },
	} {
		for _, where := range []string{"outside", "data"} {
			t.Run(name+" "+where, func(t *testing.T) {
				w := newWorld(t)
				dir := filepath.Join(filepath.Dir(w.dir), where)
				if err := os.MkdirAll(dir, 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(dir, "token"), []byte("secret"), 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.RemoveAll(filepath.Join(w.dir, "7", runA, "artifacts")); err != nil {
					t.Fatal(err)
				}
				w.write("7/"+runA+"/meta.yaml", "run_name: r\nlifecycle_stage: active\nstatus: 3\nstart_time: 20\n"+
					"end_time: 30\nartifact_uri: "+uri(w, dir)+"\n")
				from := transfer.Source{From: w.dir}
				if where == "data" { // all of it is named, and the data directory is still not read
					from.Artifacts = filepath.Dir(w.dir)
				}
				rep, err := w.ImportMLflow(t.Context(), project, from)
				if err != nil || rep.Files != 1 || len(rep.Left) != 1 {
					t.Errorf("report %+v, %v", rep, err)
				}
			})
		}
	}
}

func TestImport_OfACopyOfTheStoreIsARepetition(t *testing.T) {
	w := newWorld(t)
	w.rich()
	w.importAll()
	head := w.head()
	copied := filepath.Join(filepath.Dir(w.dir), "tuesday")
	if err := os.CopyFS(copied, os.DirFS(w.dir)); err != nil {
		t.Fatal(err)
	}
	w.dir = copied
	if rep := w.importAll(); rep.Skipped != 6 || w.head() != head {
		t.Errorf("the copy: %+v, %d events more", rep, w.head()-head)
	}
	_, err := w.ImportMLflow(t.Context(), fairlead.Project{K: 2, Name: "two"}, transfer.Source{From: w.dir})
	if !fairlead.Is(err, fairlead.Conflict) || !strings.Contains(err.Error(), "another project") {
		t.Errorf("into another project: %v", err)
	}
	if rep := w.Progress(project); rep.Runs != 0 || rep.Project != "one" {
		t.Errorf("another project's import is told: %+v", rep)
	}
}

func TestImport_TriesVersionsAgainThatWereLeftOut(t *testing.T) {
	w := newWorld(t)
	w.write("models/m/meta.yaml", "name: m\n")
	w.version(2, "file:///etc", "")
	w.version(3, "runs:/"+runB+"/sub", runB)
	for range 2 {
		rep := w.importAll()
		if len(rep.Left) != 1 || !strings.Contains(rep.Left[0], "version 2") ||
			!strings.Contains(rep.Left[0], "file:///etc") || rep.Versions != 1 {
			t.Errorf("report %+v", rep)
		}
	}
	w.version(4, "file:///etc", "")
	w.importAll()
	w.version(4, "runs:/"+runB+"/sub", runB)
	if rep := w.importAll(); rep.Versions != 2 || len(rep.Left) != 1 {
		t.Errorf("when its source is well: %+v", rep)
	}
}

// A copy of a version may come before that, or without it.
func TestImport_TakesCopiesOfVersions(t *testing.T) {
	w := newWorld(t)
	w.loggedModel("7", modelA, "active")
	w.write("models/m/meta.yaml", "name: m\n")
	for n, storage := range []string{"/x/mlruns/7/" + runB + "/artifacts/sub",
		"mlflow-artifacts:/7/models/" + modelA + "/artifacts", "models:/" + modelA} {
		w.write(fmt.Sprintf("models/m/version-%d/meta.yaml", n+1), fmt.Sprintf("version: %d\n"+
			"source: models:/gone/1\nstorage_location: %s\ncurrent_stage: None\n", n+1, storage))
	}
	if rep := w.importAll(); rep.Versions != 3 || len(rep.Left) > 0 {
		t.Errorf("report %+v", rep)
	}
}

// A number that a deleted version had there is not given again here.
func TestImport_GivesNoNumberOfADeletedVersionAgain(t *testing.T) {
	w := newWorld(t)
	w.write("models/m/meta.yaml", "name: m\n")
	w.version(1, "runs:/"+runB+"/sub", runB)
	w.importAll()
	w.write("models/m/version-4/meta.yaml", "version: 4\ncurrent_stage: Deleted_Internal\n")
	w.version(2, "file:///etc", "") // its number stays free as long as it can come
	w.importAll()
	w.version(2, "runs:/"+runB+"/sub", runB)
	if rep := w.importAll(); rep.Versions != 2 || len(rep.Left) > 0 {
		t.Errorf("report %+v", rep)
	}
	err := w.registry.Write(t.Context(), func(tx *store.Tx) error {
		v, err := w.registry.CreateVersion(t.Context(), tx, project, registry.NewVersion{Model: "m",
			Source: "runs:/" + runB + "/sub", RunID: runB})
		if err == nil && v.N != 5 {
			t.Errorf("the next version here is %d", v.N)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func (w *world) alias(name string) (n int64) {
	w.Helper()
	err := w.registry.Read(w.Context(), func(tx *store.Tx) (err error) {
		n, err = w.registry.Alias(tx, project, "m", name)
		return err
	})
	if err != nil {
		w.Fatal(err)
	}
	return n
}

func (w *world) setAlias(name string, n int64) {
	w.Helper()
	err := w.registry.Write(w.Context(), func(tx *store.Tx) error {
		return w.registry.SetAlias(w.Context(), tx, project, "m", name, n)
	})
	if err != nil {
		w.Fatal(err)
	}
}

func TestImport_MovesAliasesThatWereNotMovedHere(t *testing.T) {
	w := newWorld(t)
	w.rich()
	w.write("models/m/aliases/mine", "1")
	w.write("models/m/aliases/old", "1")
	w.importAll()
	w.setAlias("mine", 2)
	w.write("models/m/aliases/champ", "1")
	w.write("models/m/aliases/mine", "3")
	w.version(3, "runs:/"+runA+"/sub", runA)
	if err := os.Remove(filepath.Join(w.dir, "models/m/aliases/old")); err != nil {
		t.Fatal(err)
	}
	rep := w.importAll()
	if w.alias("champ") != 1 || w.alias("mine") != 2 || w.alias("old") != 0 {
		t.Errorf("champ is at %d, mine at %d, old at %d", w.alias("champ"), w.alias("mine"), w.alias("old"))
	}
	if rep.Aliases != 2 || len(rep.Left) != 1 || !strings.Contains(rep.Left[0], "version 2") {
		t.Errorf("report %+v", rep)
	}
}

func TestImport_LeavesWhatWasDeletedHere(t *testing.T) {
	w := newWorld(t)
	w.rich()
	w.importAll()
	if err := w.tracking.DeleteRun(t.Context(), project, runA); err != nil {
		t.Fatal(err)
	}
	w.write("7/"+runA+"/metrics/late", "9 1 0\n")
	rep := w.importAll()
	if a := w.read(runA); a.State != tracking.Deleted || len(a.Metrics) != 1 || len(rep.Left) != 1 {
		t.Errorf("the run is %+v, the report %+v", a, rep)
	}
}

// Of a run that goes on there, each import takes what has come since.
func TestImport_FollowsARunThatGoesOn(t *testing.T) {
	w := newWorld(t)
	meta := "run_name: r\nlifecycle_stage: active\nstatus: %d\nstart_time: 20\nend_time: %s\nartifact_uri: x\n"
	w.write("7/"+runA+"/meta.yaml", fmt.Sprintf(meta, 1, "null"))
	w.importAll()
	w.write("7/"+runA+"/artifacts/later.txt", "x")
	w.write("7/"+runA+"/metrics/loss/train", "1 0.5 0\n9 0.1 9\n")
	w.importAll()
	a := w.read(runA)
	c, err := w.tracking.CountRun(t.Context(), project, runA)
	if err != nil || a.Status != tracking.Running || a.EndMS != 0 || c.Files != 2 || c.Points != 4 {
		t.Errorf("while it runs: %+v, %+v, %v", a, c, err)
	}
	w.write("7/"+runA+"/meta.yaml", fmt.Sprintf(meta, 3, "50"))
	w.importAll()
	if a := w.read(runA); a.Status != tracking.Finished || a.EndMS != 50 {
		t.Errorf("when it has ended: %+v", a)
	}
	if rep := w.importAll(); rep.Skipped != 2 {
		t.Errorf("then: %+v", rep)
	}
}

func TestImport_TakesWhatRunsNameThatIsGone(t *testing.T) {
	w := newWorld(t)
	w.rich()
	if rep := w.importAll(); len(rep.Left) != 0 {
		t.Errorf("left out: %v", rep.Left)
	}
	a, b := w.read(runA), w.read(runB)
	if len(a.ModelOutputs) != 1 || a.ModelOutputs[0].Step != 4 || len(b.ModelInputs) != 1 {
		t.Errorf("runs %+v and %+v", a, b)
	}
	if c, err := w.tracking.CountLoggedModel(t.Context(), project, modelA); err != nil || c.Points != 3 ||
		c.Files != 1 {
		t.Errorf("the logged model has %+v, %v", c, err)
	}
	if c, err := w.tracking.CountLoggedModel(t.Context(), project, modelB); err != nil || c.Tags != 0 {
		t.Errorf("the version has changed its logged model: %+v, %v", c, err)
	}
	err := w.registry.Read(t.Context(), func(tx *store.Tx) error {
		v, err := w.registry.Version(tx, project, "m", 2)
		if err == nil && v.LoggedModelID != modelB {
			t.Errorf("version 2 is %+v", v)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
