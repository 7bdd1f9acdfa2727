package archive_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
	"github.com/fairlead-ml/fairlead/transfer/archive"
)

// world is a Fairlead with one project.
type world struct {
	t *testing.T
	*archive.Service
	db       *store.DB
	tracking *tracking.Service
	registry *registry.Service
	ledger   *ledger.Ledger
	clock    *fairlead.FakeClock
	p        fairlead.Project
	dir      string
}

func empty(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(),
		clock: fairlead.NewFakeClock(time.Date(2026, 11, 21, 15, 0, 0, 0, time.UTC))}
	var err error
	w.db, err = store.Open(t.Context(), store.Options{Path: filepath.Join(w.dir, "f.db")},
		ledger.Schema(), spec.Tables(), blob.Schema(), tracking.Schema(), registry.Schema(),
		archive.Schema())
	w.ok(err)
	t.Cleanup(func() { w.db.Close() })
	w.ledger = ledger.New(w.db, w.clock, slog.New(slog.DiscardHandler))
	blobs, err := blob.New(w.db, w.dir, blob.WithClock(w.clock))
	w.ok(err)
	w.tracking = tracking.New(w.db, w.ledger, blobs, w.clock, slog.New(slog.DiscardHandler))
	w.registry = registry.New(w.db, w.ledger, blobs, w.tracking, w.clock)
	projects := spec.NewProjects(w.db, w.ledger, w.clock)
	w.Service = archive.New(archive.Deps{DB: w.db, Blobs: blobs, Projects: projects,
		Tracking: w.tracking, Registry: w.registry, Clock: w.clock, Dir: w.dir, Version: "1.2.3"})
	w.p, err = projects.Create(t.Context(), "wine")
	w.ok(err)
	return w
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) write(fn func(tx *store.Tx) error) {
	w.t.Helper()
	w.ok(w.db.Write(w.t.Context(), store.Control, fn))
}

// run makes a run with a point and a file, some time later.
func (w *world) run(exp string, points ...tracking.Metric) string {
	w.t.Helper()
	w.clock.Advance(time.Minute)
	r, err := w.tracking.StartRun(w.t.Context(), w.p, tracking.NewRun{Experiment: exp})
	w.ok(err)
	w.ok(w.tracking.LogBatch(w.t.Context(), w.p, r.ID, tracking.Batch{Metrics: points}))
	w.file(tracking.RunOwner(r.ID), "model/MLmodel", "of "+r.ID)
	return r.ID
}

func (w *world) file(o blob.Owner, path, text string) {
	w.t.Helper()
	w.ok(w.tracking.PutArtifact(w.t.Context(), w.p, tracking.Place{Owner: o, Path: path},
		strings.NewReader(text), nil))
}

const loggedModel = "m-0123456789abcdef0123456789abcdef"

// full is a world with one of everything.
func full(t *testing.T) *world {
	t.Helper()
	w := empty(t)
	ctx := t.Context()
	e, err := w.tracking.CreateExperiment(ctx, w.p, "wines", []tracking.Tag{{Key: "team",
		Value: "<a> & ü"}})
	w.ok(err)
	w.file(tracking.ExperimentOwner(e.ID), "notes/n.txt", "of the experiment")
	run := w.run(e.ID, tracking.Metric{Key: "loss", Value: math.NaN(), Step: 1},
		tracking.Metric{Key: "loss", Value: math.Inf(1), Step: -2, TimestampMS: 7},
		tracking.Metric{Key: "acc/train", Value: 0.1})
	w.ok(w.tracking.LogBatch(ctx, w.p, run, tracking.Batch{
		Params: []tracking.Param{{Key: "lr", Value: "0.1"}, {Key: "empty", Value: ""}},
		Tags:   []tracking.Tag{{Key: "note", Value: "a\nb\x00c \u2028"}}}))
	_, err = w.tracking.AddLoggedModel(ctx, w.p, tracking.NewLoggedModel{ID: loggedModel,
		Experiment: e.ID,
		RunID:      run, Name: "tree", Params: []tracking.Param{{Key: "depth", Value: "3"}}})
	w.ok(err)
	w.file(tracking.LoggedModelOwner(loggedModel), "MLmodel", "flavors: {}")
	_, err = w.tracking.FinishLoggedModel(ctx, w.p, loggedModel, tracking.ModelReady)
	w.ok(err)
	sets := []tracking.DatasetInput{
		{Dataset: tracking.Dataset{Name: "z", Digest: "1", SourceType: "local", Source: "{}"},
			Tags: []tracking.Tag{{Key: "mlflow.data.context", Value: "training"}}},
		{Dataset: tracking.Dataset{Name: "a", Digest: "2", SourceType: "local", Source: "{}"}}}
	w.ok(w.tracking.LogInputs(ctx, w.p, run, sets, []string{loggedModel}))
	w.ok(w.tracking.LogOutputs(ctx, w.p, run, []tracking.ModelOutput{{ModelID: loggedModel, Step: 4}}))
	w.ok(w.tracking.LogMetric(ctx, w.p, run, tracking.Metric{Key: "acc", Value: 0.5,
		ModelID:     loggedModel,
		DatasetName: "z", DatasetDigest: "1"}))
	_, err = w.tracking.UpdateRun(ctx, w.p, run, tracking.Update{Status: new(tracking.Finished)})
	w.ok(err)
	w.ok(w.tracking.DeleteRun(ctx, w.p, w.run("0", tracking.Metric{Key: "x", Value: 1})))
	gone, err := w.tracking.CreateExperiment(ctx, w.p, "gone", nil)
	w.ok(err)
	w.run(gone.ID)
	w.ok(w.tracking.DeleteExperiment(ctx, w.p, gone.ID))
	w.models(run)
	return w
}

// models registers, moves, retires, deletes and renames.
func (w *world) models(run string) {
	ctx := w.t.Context()
	each := []func(tx *store.Tx) error{
		func(tx *store.Tx) error {
			_, err := w.registry.CreateModel(ctx, tx, w.p, "old name", "", []registry.Tag{{Key: "k",
				Value: "v"}})
			return err
		},
		func(tx *store.Tx) error { return w.registry.RenameModel(ctx, tx, w.p, "old name", "wine") },
		func(tx *store.Tx) error { return w.registry.DescribeModel(ctx, tx, w.p, "wine", "says <more>") },
		w.version("wine", "models:/"+loggedModel), w.version("wine", "runs:/"+run+"/model"),
		w.version("wine", "models:/wine/1"), w.version("wine", "models:/"+loggedModel),
		func(tx *store.Tx) error { return w.registry.SetLive(ctx, tx, w.p, "wine", 1) },
		func(tx *store.Tx) error { return w.registry.SetLive(ctx, tx, w.p, "wine", 2) },
		func(tx *store.Tx) error { return w.registry.SetAlias(ctx, tx, w.p, "wine", "best", 1) },
		func(tx *store.Tx) error { return w.registry.SetAlias(ctx, tx, w.p, "wine", "best", 3) },
		func(tx *store.Tx) error { return w.registry.SetAlias(ctx, tx, w.p, "wine", "candidate", 4) },
		func(tx *store.Tx) error {
			return w.registry.SetVersionTag(ctx, tx, w.p, "wine", 3, registry.Tag{Key: "t", Value: "1"})
		},
		func(tx *store.Tx) error { return w.registry.DeleteVersionTag(ctx, tx, w.p, "wine", 3, "t") },
		func(tx *store.Tx) error { return w.registry.SetStage(ctx, tx, w.p, "wine", 2, "Staging", true) },
		func(tx *store.Tx) error { return w.registry.DeleteVersion(ctx, tx, w.p, "wine", 3) },
		func(tx *store.Tx) error { return w.registry.Retire(ctx, tx, w.p, "wine", 1, "too old") },
		func(tx *store.Tx) error {
			_, err := w.registry.CreateModel(ctx, tx, w.p, "short lived", "", nil)
			return err
		},
		w.version("short lived", "models:/"+loggedModel),
		func(tx *store.Tx) error { return w.registry.SetAlias(ctx, tx, w.p, "short lived", "a", 1) },
		func(tx *store.Tx) error { return w.registry.DeleteModel(ctx, tx, w.p, "short lived") },
		func(tx *store.Tx) error {
			_, err := w.registry.CreateModel(ctx, tx, w.p, "short lived", "again", nil)
			return err
		},
	}
	for _, fn := range each {
		w.clock.Advance(time.Minute)
		w.write(fn)
	}
}

func (w *world) version(model, source string) func(tx *store.Tx) error {
	return func(tx *store.Tx) error {
		_, err := w.registry.CreateVersion(w.t.Context(), tx, w.p, registry.NewVersion{Model: model,
			Source: source, Tags: []registry.Tag{{Key: "from", Value: source}},
			ProducedBy: registry.Lineage{Commit: "abc", Params: map[string]any{"train": map[string]any{
				"rate": json.Number("1.0")}}}})
		return err
	}
}

func (w *world) export() string {
	w.t.Helper()
	to := filepath.Join(w.t.TempDir(), "export")
	rep, err := w.Export(w.t.Context(), to, []string{w.p.Name})
	w.ok(err)
	if len(rep.Left) > 0 {
		w.t.Errorf("an export has left out %v", rep.Left)
	}
	return to
}

func (w *world) bring(from string) archive.Report {
	w.t.Helper()
	w.clock.Advance(24 * time.Hour)
	rep, err := w.Import(w.t.Context(), from, "")
	w.ok(err)
	return rep
}

func (w *world) head() int64 {
	w.t.Helper()
	n, err := w.ledger.Head(w.t.Context())
	w.ok(err)
	return n
}

// contents returns the files of an export but its manifest, whose time differs.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || name == "manifest.json" {
			return err
		}
		b, err := os.ReadFile(filepath.Join(dir, name))
		out[name] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// wantSame compares two exports; the files named in but may differ.
func wantSame(t *testing.T, got, want string, but ...string) {
	t.Helper()
	have, all := contents(t, got), contents(t, want)
	for name, text := range all {
		if have[name] != text && !slices.Contains(but, filepath.Base(name)) {
			t.Errorf("%s is\n%q\nwant\n%q", name, have[name], text)
		}
	}
	if len(have) != len(all) {
		t.Errorf("%d files, want %d", len(have), len(all))
	}
}

func TestImport_ReadsBackTheSame(t *testing.T) {
	w, other := full(t), empty(t)
	first := w.export()
	rep := other.bring(first)
	if rep.Experiments != 3 || rep.Runs != 3 || rep.Points != 5 || rep.LoggedModels != 1 ||
		rep.ModelPoints != 1 || rep.Models != 3 || rep.Versions != 5 || rep.Files != 5 ||
		rep.Skipped != 0 {
		t.Errorf("report %+v", rep)
	}
	if len(rep.Left) != 1 || !strings.Contains(rep.Left[0], "live") {
		t.Errorf("left %v", rep.Left)
	}
	second := other.export()
	wantSame(t, second, first, "models.jsonl") // live has ended, see below
	third := empty(t)
	third.bring(second)
	wantSame(t, third.export(), second)

	err := other.db.Read(t.Context(), func(tx *store.Tx) error {
		moves, err := other.registry.AliasMoves(tx, other.p, "wine", registry.LiveAlias)
		if err == nil && (len(moves) != 3 || moves[1].To != 2 || moves[2].From != 2 || moves[2].To != 0) {
			t.Errorf("the history of live is %+v", moves)
		}
		return err
	})
	other.ok(err)
}

// What was brought in behaves: it is found, held, sealed and counted on.
func TestImport_WhatCameInWorks(t *testing.T) {
	w, other := full(t), empty(t)
	other.bring(w.export())
	ctx := t.Context()
	page, err := other.tracking.SearchRuns(ctx, other.p, tracking.Search{Experiments: []string{"1"},
		Filter: "metrics.`acc/train` < 0.2 and params.lr = '0.1'", OrderBy: []string{"metrics.acc"}})
	other.ok(err)
	if len(page.Items) != 1 {
		t.Fatalf("found %d runs", len(page.Items))
	}
	run := page.Items[0]
	err = other.tracking.PutArtifact(ctx, other.p, tracking.Place{Owner: tracking.RunOwner(run.ID),
		Path: "model/MLmodel"}, strings.NewReader("changed"), nil)
	if !fairlead.Is(err, fairlead.Precondition) {
		t.Errorf("what a version is made of could be changed: %v", err)
	}
	other.ok(other.tracking.DeleteRun(ctx, other.p, run.ID))
	other.clock.Advance(1000 * time.Hour)
	purged, err := other.tracking.Purge(ctx, other.p, other.clock.Now())
	other.ok(err)
	if !slices.ContainsFunc(purged.Kept, func(k tracking.Kept) bool { return k.ID == run.ID }) {
		t.Errorf("the run of a version is not kept: %+v", purged)
	}
	var n int64
	other.write(func(tx *store.Tx) error {
		_, err := other.registry.CreateVersion(ctx, tx, other.p, registry.NewVersion{Model: "wine",
			Source: "models:/" + loggedModel})
		if err != nil {
			return err
		}
		n, err = other.registry.Alias(tx, other.p, "wine", "latest")
		return err
	})
	e, err := other.tracking.CreateExperiment(ctx, other.p, "new", nil)
	if err != nil || e.ID != "3" || n != 5 {
		t.Errorf("the next experiment is %+v and the next version %d, %v", e, n, err)
	}
}

// What was deleted there can be restored here for as long as what is deleted here.
func TestImport_TimeInTheTrashBeginsHere(t *testing.T) {
	w := full(t)
	e, err := w.tracking.CreateExperiment(t.Context(), w.p, "nothing in it", nil)
	w.ok(err)
	w.ok(w.tracking.DeleteExperiment(t.Context(), w.p, e.ID))
	m, err := w.tracking.AddLoggedModel(t.Context(), w.p, tracking.NewLoggedModel{})
	w.ok(err)
	w.ok(w.tracking.DeleteLoggedModel(t.Context(), w.p, m.ID))
	from, other := w.export(), empty(t)
	other.bring(from)
	purged, err := other.tracking.Purge(t.Context(), other.p, other.clock.Now().Add(-time.Hour))
	other.ok(err)
	if purged.Runs+purged.Experiments+purged.LoggedModels > 0 {
		t.Errorf("a purge of what was deleted an hour ago: %+v", purged)
	}
	purged, err = other.tracking.Purge(t.Context(), other.p, other.clock.Now())
	other.ok(err)
	if purged.Runs != 2 || purged.Experiments != 2 || purged.LoggedModels != 1 {
		t.Errorf("a purge of all: %+v", purged)
	}
}

func TestImport_RepeatedChangesNothing(t *testing.T) {
	w, other := full(t), empty(t)
	from := w.export()
	other.bring(from)
	run := onlyActive(other)
	other.ok(other.tracking.SetTag(t.Context(), other.p, run, tracking.Tag{Key: "note",
		Value: "here"}))
	head := other.head()
	rep := other.bring(from)
	if rep.Skipped != 10 || rep.Files != 0 || other.head() != head {
		t.Errorf("a second import: %+v, %d events more", rep, other.head()-head)
	}
	if left := strings.Join(rep.Left, "\n"); len(rep.Left) != 2 || !strings.Contains(left, run) ||
		!strings.Contains(left, `model "wine"`) {
		t.Errorf("what differs is not named: %v", rep.Left)
	}
	if r, err := other.tracking.Run(t.Context(), other.p, run); err != nil ||
		!slices.Contains(r.Tags, tracking.Tag{Key: "note", Value: "here"}) {
		t.Errorf("what was changed here is gone: %+v, %v", r, err)
	}
	if rep := w.bring(from); rep.Skipped != 10 || len(rep.Left) > 0 {
		t.Errorf("an import into the server that was exported: %+v", rep)
	}
}

// onlyActive returns the only active run.
func onlyActive(w *world) string {
	w.t.Helper()
	page, err := w.tracking.SearchRuns(w.t.Context(), w.p,
		tracking.Search{Experiments: []string{"0", "1", "2"}})
	w.ok(err)
	if len(page.Items) != 1 {
		w.t.Fatalf("%d active runs", len(page.Items))
	}
	return page.Items[0].ID
}

// What is read of an artifact is what the export says, or it is left out; all else comes in.
func TestImport_LeavesOutDamagedArtifacts(t *testing.T) {
	from := full(t).export()
	file := "projects/wine/artifacts/models/" + loggedModel + "/MLmodel"
	for name, tt := range map[string]struct {
		harm func(path string) error
		want string
	}{
		"missing": {os.Remove, "it is missing"},
		"changed": {func(path string) error {
			return os.WriteFile(path, []byte("flavors: []"), 0o600)
		}, "it has 11 bytes"},
		"a link": {func(path string) error {
			return errors.Join(os.Remove(path), os.Symlink("/etc/hostname", path))
		}, "no regular file"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, w := filepath.Join(t.TempDir(), "export"), empty(t)
			w.ok(os.CopyFS(dir, os.DirFS(from)))
			w.ok(tt.harm(filepath.Join(dir, file)))
			rep := w.bring(dir)
			if rep.Files != 4 || len(rep.Left) != 2 || !strings.Contains(rep.Left[0], tt.want) ||
				!strings.Contains(rep.Left[0], "MLmodel of logged_model "+loggedModel) {
				t.Errorf("import: %+v", rep)
			}
			if m, err := w.tracking.LoggedModel(t.Context(), w.p, loggedModel); err != nil ||
				m.Status != tracking.ModelReady {
				t.Errorf("the logged model: %+v, %v", m, err)
			}
			if text, there := contents(t, w.export())[file]; there {
				t.Errorf("what came in: %q", text)
			}
		})
	}
}

// Each statement of the import may be the last one.
func TestImport_CanBeCutOffAnywhere(t *testing.T) {
	w := full(t)
	from := w.export()
	for cut := 1; ; cut++ {
		other := empty(t)
		ctx, cancel := context.WithCancel(t.Context())
		after := &countdown{Context: ctx, left: cut, cancel: cancel}
		_, err := other.Import(after, from, "")
		cancel()
		if err == nil {
			if cut < 20 {
				t.Errorf("the import looks only %d times whether it should end", cut)
			}
			return
		}
		other.bring(from)
		wantSame(t, other.export(), from, "models.jsonl")
	}
}

// countdown is a context that ends when it has been asked some times whether it has.
type countdown struct {
	context.Context
	left   int
	cancel context.CancelFunc
}

func (c *countdown) Err() error {
	if c.left--; c.left <= 0 {
		c.cancel()
	}
	return c.Context.Err()
}

func TestImport_NumbersExperimentsAnewWhereTheyAreTaken(t *testing.T) {
	w, other := full(t), empty(t)
	other.clock.Advance(time.Hour)
	for i := range 5 {
		_, err := other.tracking.CreateExperiment(t.Context(), other.p, fmt.Sprint("own ", i), nil)
		other.ok(err)
	}
	from := w.export()
	rep := other.bring(from)
	if left := strings.Join(rep.Left, "\n"); !strings.Contains(left,
		`experiment 1 ("wines"): the number is`) {
		t.Errorf("left %v", rep.Left)
	}
	e, err := other.tracking.ExperimentByName(t.Context(), other.p, "wines")
	if err != nil || e.ID != "6" {
		t.Fatalf("experiment %+v, %v", e, err)
	}
	err = other.db.Read(t.Context(), func(tx *store.Tx) error {
		v, err := other.registry.Version(tx, other.p, "wine", 4)
		if err == nil && v.Storage != "mlflow-artifacts:/6/models/"+loggedModel+"/artifacts" {
			t.Errorf("the version's files are at %s", v.Storage)
		}
		return err
	})
	other.ok(err)
	if rep := other.bring(from); rep.Skipped != 10 {
		t.Errorf("a second import: %+v", rep)
	}
}

func TestImport_RefusesWhatIsSomethingElseHere(t *testing.T) {
	for name, tt := range map[string]struct {
		make func(w *world, from string)
		want string
	}{
		"an experiment's name": {func(w *world, _ string) {
			_, err := w.tracking.CreateExperiment(w.t.Context(), w.p, "wines", nil)
			w.ok(err)
		}, `the experiment "wines" is another one`},
		"a model's name": {func(w *world, _ string) {
			w.write(func(tx *store.Tx) error {
				_, err := w.registry.CreateModel(w.t.Context(), tx, w.p, "wine", "", nil)
				return err
			})
		}, `the model "wine" is another one`},
		"a run of another project": {func(w *world, from string) {
			_, err := w.Import(w.t.Context(), from, "beta")
			w.ok(err)
		}, `is in another project`},
	} {
		t.Run(name, func(t *testing.T) {
			from, w := full(t).export(), empty(t)
			w.clock.Advance(time.Hour)
			tt.make(w, from)
			head := w.head()
			_, err := w.Import(t.Context(), from, "")
			if !fairlead.Is(err, fairlead.Conflict) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("import: %v", err)
			}
			if w.head() != head {
				t.Error("something was changed")
			}
		})
	}
}

// sign writes the digest of a changed file into the manifest, as a forger would.
func sign(t *testing.T, dir, file string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "projects/wine", file))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b)
	manifest(t, dir, func(m *archive.Manifest) {
		for i := range m.Projects[0].Files {
			if f := &m.Projects[0].Files[i]; f.Name == file {
				f.SHA256, f.Bytes = hex.EncodeToString(sum[:]), int64(len(b))
			}
		}
	})
}

func manifest(t *testing.T, dir string, change func(*archive.Manifest)) {
	t.Helper()
	path := filepath.Join(dir, "manifest.json")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var m archive.Manifest
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	change(&m)
	if b, err = json.Marshal(m); err == nil {
		err = os.WriteFile(path, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// harm replaces a text in a file, and signs it.
func harm(t *testing.T, dir, file, old, text string) {
	t.Helper()
	path := filepath.Join(dir, "projects/wine", file)
	b, err := os.ReadFile(path)
	if err != nil || !bytes.Contains(b, []byte(old)) {
		t.Fatalf("%s has no %q (%v)", file, old, err)
	}
	if err := os.WriteFile(path, bytes.Replace(b, []byte(old), []byte(text), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	sign(t, dir, file)
}

func TestImport_BelievesNothing(t *testing.T) {
	replace := func(file, old, text string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) { harm(t, dir, file, old, text) }
	}
	of := func(change func(m *archive.Manifest)) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) { manifest(t, dir, change) }
	}
	at := func(name string, fn func(path string) error) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			if err := fn(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	link := func(to string) func(path string) error {
		return func(path string) error {
			if err := os.Remove(path); err != nil {
				return err
			}
			return os.Symlink(to, path)
		}
	}
	from := full(t).export()
	for name, tt := range map[string]struct {
		harm func(t *testing.T, dir string)
		code fairlead.Code
		want string
	}{
		"a changed file": {func(t *testing.T, dir string) {
			replace(runsFile, `"lr":"0.1"`, `"lr":"0.2"`)(t, dir)
			of(func(m *archive.Manifest) { m.Projects[0].Files[2].SHA256 = strings.Repeat("0", 64) })(t, dir)
		}, fairlead.Invalid, "runs.jsonl of the export is damaged: it has"},
		"a missing file": {at("projects/wine/metrics.parquet", os.Remove), fairlead.Invalid, "missing"},
		"no manifest":    {at("manifest.json", os.Remove), fairlead.NotFound, "is no export"},
		"an export that was cut off": {func(t *testing.T, dir string) {
			at("manifest.json", os.Remove)(t, dir)
			at(".exporting", func(path string) error { return os.WriteFile(path, nil, 0o600) })(t, dir)
		}, fairlead.Precondition, "was cut off"},
		"a newer format": {of(func(m *archive.Manifest) { m.Format = 2 }), fairlead.Precondition,
			"newer"},
		"no format": {of(func(m *archive.Manifest) { m.Format = 0 }), fairlead.Invalid,
			"no manifest"},
		"a project that leaves": {of(func(m *archive.Manifest) { m.Projects[0].Name = "../../etc" }),
			fairlead.Invalid, "names a project"},
		"a file that leaves": {of(func(m *archive.Manifest) { m.Projects[0].Files[0].Name = "../../x" }),
			fairlead.Invalid, "has a file"},
		"a manifest that is a link": {at("manifest.json", link("/etc/hostname")), fairlead.Invalid,
			"no regular file"},
		"a project that is a link": {at("projects", func(path string) error {
			if err := os.Rename(path, path+"2"); err != nil {
				return err
			}
			return os.Symlink("/", path)
		}), fairlead.Invalid, "escapes"},
		"an artifact elsewhere": {replace("artifacts.jsonl", `"file":"artifacts/`, `"file":"../../../`),
			fairlead.Invalid, "it has the file"},
		"an artifact at an absolute path": {replace("artifacts.jsonl", `"file":"artifacts/`,
			`"file":"/etc/`),
			fairlead.Invalid, "it has the file"},
		"an artifact's path with ..": {replace("artifacts.jsonl", `"path":"MLmodel"`,
			`"path":"../MLmodel"`), fairlead.Invalid, "has .. in it"},
		"a line that is no JSON": {replace(runsFile, `"points":`, `"points":NaN,"x":`), fairlead.Invalid,
			"runs.jsonl of the export is damaged: line 1"},
		"a field of another format": {replace(runsFile, `"points":`, `"more":1,"points":`),
			fairlead.Invalid,
			`unknown field "more"`},
		"two values in a line": {replace(runsFile, "}\n", "} {}\n"), fairlead.Invalid,
			"more than one value"},
		"a status of its own": {replace(runsFile, `"FINISHED"`, `"DONE"`), fairlead.Invalid, `"DONE"`},
		"a state of its own": {replace(runsFile, `"active"`, `"purging"`), fairlead.Invalid,
			`"purging"`},
		"a key that leaves": {replace(runsFile, `"lr":"0.1"`, `"../lr":"0.1"`), fairlead.Invalid,
			"Names may be treated as files"},
		"an id that leaves": {replace(runsFile, `{"id":"`, `{"id":"../`), fairlead.Invalid,
			"it is no id"},
		"an unknown experiment": {replace(runsFile, `"experiment":"1"`, `"experiment":"77"`),
			fairlead.Invalid,
			`an experiment "77"`},
		"more points than a run has": {replace(runsFile, `"points":4`, `"points":5`), fairlead.Invalid,
			"has 4 points and not 5"},
		"a version of the server's files": {replace("versions.jsonl",
			`"storage":"mlflow-artifacts:/1/models/`+
				loggedModel+`/artifacts"`, `"storage":"file:///etc"`), fairlead.Invalid, "vouches"},
		"a version of another run's files": {replace("versions.jsonl",
			`"storage":"mlflow-artifacts:/1/models/`+
				loggedModel+`/artifacts"`, `"storage":"mlflow-artifacts:/1/`+strings.Repeat("0",
				32)+`/artifacts"`),
			fairlead.Invalid, "vouches"},
		"no Parquet": {func(t *testing.T, dir string) {
			path := filepath.Join(dir, "projects/wine/metrics.parquet")
			if err := os.WriteFile(path, []byte("PAR1 and so on PAR1"), 0o600); err != nil {
				t.Fatal(err)
			}
			sign(t, dir, "metrics.parquet")
		}, fairlead.Invalid, "metrics.parquet of the export is damaged"},
		"other columns": {func(t *testing.T, dir string) {
			top := filepath.Join(dir, "projects/wine")
			if err := os.Rename(top+"/logged_model_metrics.parquet", top+"/metrics.parquet"); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(top+"/logged_model_metrics.parquet", nil, 0o600); err != nil {
				t.Fatal(err)
			}
			sign(t, dir, "metrics.parquet")
			sign(t, dir, "logged_model_metrics.parquet")
		}, fairlead.Invalid, "its columns are"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, w := filepath.Join(t.TempDir(), "export"), empty(t)
			w.ok(os.CopyFS(dir, os.DirFS(from)))
			tt.harm(t, dir)
			_, err := w.Import(t.Context(), dir, "")
			if !fairlead.Is(err, tt.code) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("import: %s: %v", fairlead.CodeOf(err), err)
			}
			page, err := w.tracking.SearchRuns(t.Context(), w.p,
				tracking.Search{Experiments: []string{"0", "1"}})
			if err != nil || len(page.Items) > 0 {
				t.Errorf("runs are seen: %v, %v", page.Items, err)
			}
		})
	}
}

const runsFile = "runs.jsonl"

// Every byte of the Parquet file may be wrong; the import says so, or reads the same rows.
func TestImport_SurvivesBrokenParquet(t *testing.T) {
	from := full(t).export()
	path := filepath.Join(from, "projects/wine/metrics.parquet")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	w := empty(t)
	for i := 0; i < len(whole); i += 7 {
		b := bytes.Clone(whole)
		b[i] ^= 0xff
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		sign(t, from, "metrics.parquet")
		if _, err := w.Import(t.Context(), from, ""); err != nil && !fairlead.Is(err, fairlead.Invalid) {
			t.Errorf("byte %d: %v", i, err)
		}
	}
}

// What has begun to come becomes what a later export says of it.
func TestImport_GoesOnWithALaterExport(t *testing.T) {
	w, other := full(t), empty(t)
	ctx, run := t.Context(), onlyActive(w)
	w.ok(w.tracking.SetTag(ctx, w.p, run, tracking.Tag{Key: "passing", Value: "x"}))
	_, err := w.tracking.SetLoggedModelTags(ctx, w.p, loggedModel,
		[]tracking.Tag{{Key: "passing", Value: "x"}})
	w.ok(err)
	from := w.export()
	harm(t, from, runsFile, `"points":4`, `"points":5`)
	if _, err = other.Import(ctx, from, ""); !fairlead.Is(err, fairlead.Invalid) {
		t.Fatalf("the first import was not cut off: %v", err)
	}
	_, err = w.tracking.UpdateRun(ctx, w.p, run, tracking.Update{Status: new(tracking.Failed),
		Name: new("later"), EndMS: new(int64(77))})
	w.ok(err)
	w.ok(w.tracking.SetTag(ctx, w.p, run, tracking.Tag{Key: "note", Value: "later"}))
	w.ok(w.tracking.DeleteTag(ctx, w.p, run, "passing"))
	w.ok(w.tracking.LogMetric(ctx, w.p, run, tracking.Metric{Key: "loss", Value: 0.5, Step: 9}))
	_, err = w.tracking.SetLoggedModelTags(ctx, w.p, loggedModel,
		[]tracking.Tag{{Key: "note", Value: "later"}})
	w.ok(err)
	w.ok(w.tracking.DeleteLoggedModelTag(ctx, w.p, loggedModel, "passing"))
	_, err = w.tracking.FinishLoggedModel(ctx, w.p, loggedModel, tracking.ModelFailed)
	w.ok(err)
	later := w.export()
	other.bring(later)
	wantSame(t, other.export(), later, "models.jsonl")
}

// How long what is deleted is kept comes along with a project that is not here yet.
func TestImport_SetsHowLongWhatIsDeletedIsKept(t *testing.T) {
	w, other := empty(t), empty(t)
	w.ok(w.Projects.Set(t.Context(), w.p, spec.Settings{KeepDeleted: "90d"}))
	from := w.export()
	keeps := func(p fairlead.Project, want string) {
		t.Helper()
		if set, err := other.Projects.Settings(t.Context(), p); err != nil || set.KeepDeleted != want {
			t.Errorf("%s keeps what is deleted for %+v, %v", p.Name, set, err)
		}
	}
	rep := other.bring(from)
	if keeps(other.p, ""); len(rep.Left) != 1 || !strings.Contains(rep.Left[0], "for 90d") {
		t.Errorf("what differs is not named: %+v", rep)
	}
	_, err := other.Import(t.Context(), from, "beta")
	other.ok(err)
	beta, err := other.Projects.Get(t.Context(), "beta")
	other.ok(err)
	keeps(beta, "90d")
	manifest(t, from, func(m *archive.Manifest) { m.Projects[0].KeepDeleted = "soon" })
	if _, err := other.Import(t.Context(), from, "gamma"); !fairlead.Is(err, fairlead.Invalid) {
		t.Errorf("kept for what is no length of time: %v", err)
	}
}

func TestExport_RefusesWhereSomethingIs(t *testing.T) {
	w := full(t)
	used := t.TempDir()
	w.ok(os.WriteFile(filepath.Join(used, "mine.txt"), nil, 0o600))
	for to, code := range map[string]fairlead.Code{used: fairlead.Conflict,
		"relative":                     fairlead.Invalid,
		filepath.Join(w.dir, "export"): fairlead.Invalid, w.export(): fairlead.Conflict,
		filepath.Join(used, "mine.txt"): fairlead.Precondition} {
		if _, err := w.Export(t.Context(), to, nil); !fairlead.Is(err, code) {
			t.Errorf("an export to %s: %v", to, err)
		}
	}
	if _, err := w.Export(t.Context(), filepath.Join(used, "x"), []string{"none"}); !fairlead.Is(err,
		fairlead.NotFound) {
		t.Errorf("an export of a project that is not there: %v", err)
	}
}

func TestExport_SaysWhichDiskIsFull(t *testing.T) {
	w := full(t)
	small := t.TempDir()
	if err := unix.Mount("tmpfs", small, "tmpfs", 0, "size=32k"); err != nil {
		t.Skipf("left out: a full disk needs the right to mount a tmpfs: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(small, unix.MNT_DETACH) })
	for range 2 { // what the first one has left goes
		_, err := w.Export(t.Context(), small, nil)
		if !fairlead.Is(err, fairlead.Exhausted) || !strings.Contains(err.Error(), small) {
			t.Errorf("export: %v", err)
		}
	}
}

func TestExport_BeginsAnewWhereOneWasCutOff(t *testing.T) {
	w := full(t)
	to := filepath.Join(t.TempDir(), "export")
	ctx, cancel := context.WithCancel(t.Context())
	_, err := w.Export(&countdown{Context: ctx, left: 8, cancel: cancel}, to, []string{"wine"})
	if err == nil {
		t.Fatal("the export was not cut off")
	}
	if _, err := empty(t).Import(t.Context(), to, ""); !fairlead.Is(err, fairlead.Precondition) {
		t.Errorf("half an export: %v", err)
	}
	if _, err := w.Export(t.Context(), to, []string{"wine"}); err != nil {
		t.Fatal(err)
	}
	wantSame(t, to, w.export())
}

func TestExport_NamesFilesThatAreDamaged(t *testing.T) {
	w := full(t)
	sum := sha256.Sum256([]byte("flavors: {}"))
	digest := hex.EncodeToString(sum[:])
	path := filepath.Join(w.dir, "blobs", digest[:2], digest[2:])
	w.ok(os.Remove(path))
	to := filepath.Join(t.TempDir(), "export")
	rep, err := w.Export(t.Context(), to, nil)
	if err != nil || len(rep.Left) != 1 || !strings.Contains(rep.Left[0], "MLmodel of logged_model") ||
		rep.Files != 4 {
		t.Fatalf("export: %+v, %v", rep, err)
	}
	other := empty(t)
	if rep := other.bring(to); rep.Files != 4 || len(rep.Left) != 2 {
		t.Errorf("import: %+v", rep)
	}
}

// Runs that are being logged are as they were at one moment.
func TestExport_IsOneMoment(t *testing.T) {
	w := empty(t)
	run := w.run("0")
	quit, ended := make(chan struct{}), make(chan error)
	go func() {
		for step := int64(1); ; step++ {
			select {
			case <-quit:
				ended <- nil
				return
			default:
			}
			batch := tracking.Batch{Metrics: []tracking.Metric{{Key: "a", Step: step}, {Key: "b",
				Step: step}}}
			if err := w.tracking.LogBatch(context.WithoutCancel(t.Context()), w.p, run, batch); err != nil {
				ended <- err
				return
			}
		}
	}()
	for range 5 {
		other := empty(t)
		if rep := other.bring(w.export()); rep.Points%2 != 0 {
			t.Errorf("%d points: half a batch was exported", rep.Points)
		}
	}
	close(quit)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
