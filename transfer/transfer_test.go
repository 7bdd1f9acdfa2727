package transfer_test

import (
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
	"github.com/fairlead-ml/fairlead/transfer"
)

var project = fairlead.Project{K: 1, Name: "one"}

// world is a Fairlead, and a store of files beside it.
type world struct {
	*testing.T
	*transfer.Service
	tracking *tracking.Service
	registry *registry.Service
	ledger   *ledger.Ledger
	dir      string // the store
}

const (
	runA = "0a000000000000000000000000000000"
	runB = "0b000000000000000000000000000000"
)

func newWorld(t *testing.T) *world {
	t.Helper()
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), store.Options{Path: filepath.Join(data, "f.db")}, ledger.Schema(),
		blob.Schema(), tracking.Schema(), registry.Schema(), transfer.Schema())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	clock := fairlead.NewFakeClock(time.Date(2026, 11, 21, 15, 0, 0, 0, time.UTC))
	led := ledger.New(db, clock, slog.New(slog.DiscardHandler))
	blobs, err := blob.New(db, data)
	if err != nil {
		t.Fatal(err)
	}
	tr := tracking.New(db, led, blobs, clock, slog.New(slog.DiscardHandler))
	reg := registry.New(db, led, blobs, tr, clock)
	w := &world{T: t, Service: transfer.New(db, tr, reg, data), tracking: tr, registry: reg, ledger: led,
		dir: filepath.Join(dir, "mlruns")}
	w.write("7/meta.yaml", "name: 1e5\nlifecycle_stage: active\ncreation_time: 11\nlast_update_time: 12\n")
	w.run(runA, "active")
	w.run(runB, "deleted")
	return w
}

func (w *world) write(name, text string) {
	w.Helper()
	path := filepath.Join(w.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		w.Fatal(err)
	}
}

func (w *world) run(id, state string) {
	w.Helper()
	w.write("7/"+id+"/meta.yaml", fmt.Sprintf("run_name: r\nsource_name: null\nlifecycle_stage: %s\nuser_id: ann\nstatus: 3\n"+
		"start_time: 20\nend_time: 30\ndeleted_time: null\nartifact_uri: s3://bucket/%s\n", state, id))
	w.write("7/"+id+"/params/lr", "0.1")
	w.write("7/"+id+"/tags/mlflow.runName", "r")
	w.write("7/"+id+"/metrics/loss/train", "1 0.5 0\n2 nan 1\n2 nan 1\n3 0.25 2\n")
	w.write("7/"+id+"/artifacts/sub/a.txt", "alpha")
}

func (w *world) importAll() transfer.Report {
	w.Helper()
	rep, err := w.ImportMLflow(w.Context(), project, transfer.Source{From: w.dir})
	if err != nil {
		w.Fatal(err)
	}
	return rep
}

func (w *world) head() int64 {
	w.Helper()
	n, err := w.ledger.Head(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	return n
}

func (w *world) read(id string) *tracking.Run {
	w.Helper()
	r, err := w.tracking.Run(w.Context(), project, id)
	if err != nil {
		w.Fatal(err)
	}
	return r
}

func TestImport_KeepsIDsTimesHistoriesAndStates(t *testing.T) {
	w := newWorld(t)
	rep := w.importAll()
	if rep.Experiments != 1 || rep.Runs != 2 || rep.Points != 8 || rep.Files != 2 || len(rep.Left) > 0 {
		t.Errorf("report %+v", rep)
	}
	a, b := w.read(runA), w.read(runB)
	if a.State != tracking.Active || b.State != tracking.Deleted || a.Status != tracking.Finished ||
		a.StartMS != 20 || a.EndMS != 30 || a.User != "ann" || a.Name != "r" {
		t.Errorf("runs %+v and %+v", a, b)
	}
	page, err := w.tracking.MetricHistory(t.Context(), project, runB, "loss/train", 0, "")
	if err != nil || len(page.Items) != 3 || !math.IsNaN(page.Items[1].Value) {
		t.Errorf("history %v, %v", page.Items, err)
	}
	e, err := w.tracking.ExperimentByName(t.Context(), project, "1e5")
	if err != nil || e.CreatedMS != 11 || e.UpdatedMS != 12 {
		t.Errorf("experiment %+v, %v", e, err)
	}
}

func TestImport_RepeatedChangesNothingAndTakesWhatIsNew(t *testing.T) {
	w := newWorld(t)
	w.importAll()
	tag := tracking.Tag{Key: "note", Value: "written here"}
	if err := w.tracking.SetTag(t.Context(), project, runA, tag); err != nil {
		t.Fatal(err)
	}
	head := w.head()
	if rep := w.importAll(); rep.Skipped != 2 || rep.Files != 0 || w.head() != head {
		t.Errorf("a second import: %+v, %d events more", rep, w.head()-head)
	}
	w.write("7/"+runB+"/metrics/late", "9 1 0\n")
	if rep := w.importAll(); rep.Skipped != 1 || rep.Points != 5 {
		t.Errorf("an import after a change: %+v", rep)
	}
	if b := w.read(runB); len(b.Metrics) != 2 || b.State != tracking.Deleted {
		t.Errorf("the changed run is %+v", b)
	}
	if a := w.read(runA); len(a.Tags) != 2 {
		t.Errorf("what was written here is gone: %v", a.Tags)
	}
}

func TestImport_TakesTheRestBesideWhatIsDamaged(t *testing.T) {
	w := newWorld(t)
	path := "7/" + runA + "/metrics/loss/train"
	w.write(path, "1 0.5 0\n2 half")
	w.write("7/"+strings.Repeat("c", 32)+"/meta.yaml", "")
	rep := w.importAll()
	if all := strings.Join(rep.Left, "\n"); len(rep.Left) != 2 || !strings.Contains(all, "2 half") ||
		!strings.Contains(all, "run ccc") {
		t.Errorf("left out: %s", all)
	}
	if b := w.read(runB); b.State != tracking.Deleted || len(b.Metrics) != 1 {
		t.Errorf("the other run is %+v", b)
	}
	w.write(path, "1 0.5 0\n2 0.25 1\n")
	if rep := w.importAll(); rep.Runs != 2 || rep.Skipped != 1 {
		t.Errorf("the second try: %+v", rep)
	}
	if a := w.read(runA); a.Status != tracking.Finished || len(a.Metrics) != 1 || a.Metrics[0].Step != 1 {
		t.Errorf("the run that failed is %+v", a)
	}
}

func TestImport_TakesTheRestBesideDamagedExperiments(t *testing.T) {
	w := newWorld(t)
	w.write("1/meta.yaml", "")
	w.write("2/meta.yaml", "name: [")
	w.write("3/meta.yaml", "name: "+strings.Repeat("n", 10_000)+"\nlifecycle_stage: active\n")
	w.write("4/tags/x", "y")
	if err := os.Symlink("/etc/hostname", filepath.Join(w.dir, "4", "meta.yaml")); err != nil {
		t.Fatal(err)
	}
	w.write("5/no/experiment", "")
	for range 2 {
		rep := w.importAll()
		all := strings.Join(rep.Left, "\n")
		for _, want := range []string{"experiment 1: ", "experiment 2: ", `experiment "nnn`, "experiment 4: "} {
			if !strings.Contains(all, want) {
				t.Errorf("%q is not among what was left out:\n%s", want, all)
			}
		}
		if rep.Experiments != 1 || rep.Runs != 2 || len(rep.Left) != 4 {
			t.Errorf("report %+v", rep)
		}
	}
}

func TestImport_OfADeletedExperimentLeavesAnActiveOneOfItsName(t *testing.T) {
	w := newWorld(t)
	w.write("7/meta.yaml", "name: wines\nlifecycle_stage: deleted\ncreation_time: 11\nlast_update_time: 12\n")
	e, err := w.tracking.CreateExperiment(t.Context(), project, "wines", nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.ImportMLflow(t.Context(), project, transfer.Source{From: w.dir})
	if !fairlead.Is(err, fairlead.Conflict) {
		t.Errorf("import: %v", err)
	}
	if e, err = w.tracking.Experiment(t.Context(), project, e.ID); err != nil || e.State != tracking.Active {
		t.Errorf("the experiment here is %+v, %v", e, err)
	}
}

func TestImport_SaysWhatItLeavesOut(t *testing.T) {
	w := newWorld(t)
	if err := os.RemoveAll(filepath.Join(w.dir, "7", runA, "artifacts")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/hostname", filepath.Join(w.dir, "7", runB, "artifacts", "link")); err != nil {
		t.Fatal(err)
	}
	w.write("models/m/meta.yaml", "name: m\ncreation_timestamp: 1\nlast_updated_timestamp: 2\n")
	w.write("models/m/aliases/live", "3")
	w.write("models/m/version-2/meta.yaml", "version: 2\nsource: file:///etc\ncurrent_stage: None\n")
	w.write("models/m/version-3/meta.yaml",
		"version: 3\nsource: runs:/"+runB+"/sub\nrun_id: "+runB+"\ncurrent_stage: Staging\ncreation_timestamp: 5\n")
	rep := w.importAll()
	all := strings.Join(rep.Left, "\n")
	for _, want := range []string{"s3://bucket", "link of run", "version 2", "alias live"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not among what was left out:\n%s", want, all)
		}
	}
	if rep.Versions != 1 || rep.Files != 1 || len(rep.Left) != 4 {
		t.Errorf("report %+v", rep)
	}
	err := w.registry.Read(t.Context(), func(tx *store.Tx) error {
		v, err := w.registry.Version(tx, project, "m", 3)
		if err == nil && (v.Stage != "Staging" || v.CreatedMS != 5) {
			t.Errorf("version 3 is %+v", v)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestImport_RefusesWhatIsNoStore(t *testing.T) {
	w := newWorld(t)
	w.write("text", "no database")
	for _, from := range []string{t.TempDir(), filepath.Join(w.dir, "text"), "relative"} {
		_, err := w.ImportMLflow(t.Context(), project, transfer.Source{From: from})
		if !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("%s: %v", from, err)
		}
	}
	for _, name := range []string{"text", "nothing"} {
		_, err := w.ImportMLflow(t.Context(), project, transfer.Source{From: filepath.Join(w.dir, name)})
		if err == nil || !strings.Contains(err.Error(), "mlflow.db") {
			t.Errorf("%s: it does not say what to name: %v", name, err)
		}
	}
}
