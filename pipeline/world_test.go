package pipeline_test

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/engine/pyenv"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/job/shim"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/pipeline"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/scm"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

func TestMain(m *testing.M) {
	shim.Main()
	os.Exit(m.Run())
}

// datasets are files that stand for dataset versions.
type datasets map[data.Ref]string

func (d datasets) Get(_ context.Context, _ fairlead.Project, ref data.Ref) (*data.Version, error) {
	b, err := os.ReadFile(d[ref])
	if err != nil {
		return nil, fairlead.Errorf(fairlead.NotFound, "there is no dataset version %s", ref)
	}
	sum := sha256.Sum256(b)
	return &data.Version{Dataset: ref.Dataset, N: ref.N, Digest: hex.EncodeToString(sum[:])}, nil
}

func (d datasets) Path(_ context.Context, _ fairlead.Project, ref data.Ref) (string, error) {
	return d[ref], nil
}

// world is a server with one project.
type world struct {
	*pipeline.Service
	dir      string
	p        fairlead.Project
	data     datasets
	projects *spec.Projects
	source   *scm.Service
	jobs     *job.Service
	db       *store.DB
	led      *ledger.Ledger
	tracking *tracking.Service
	registry *registry.Service
	blobs    *blob.Store
	reads    atomic.Int32 // of the holdout, by evaluations
	touched  time.Time    // when the newest file was written
	maxSteps int          // pipeline.Deps.Steps
	tokens   *auth.Tokens
	url      string             // where steps reach tracking
	handlers func(*job.Service) // registers further jobs, unless nil
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{dir: t.TempDir(), data: datasets{}}
	w.start(t)
	t.Cleanup(func() { w.stop(t) })
	return w
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) start(t testing.TB) {
	t.Helper()
	log, clock := slog.New(slog.DiscardHandler), fairlead.WallClock{}
	var err error
	w.db, err = store.Open(context.Background(), store.Options{Path: filepath.Join(w.dir, "f.db")},
		ledger.Schema(), spec.Tables(), blob.Schema(), auth.Schema(), job.Schema(), scm.Schema(),
		tracking.Schema(), registry.Schema(), pipeline.Schema())
	check(t, err)
	w.led = ledger.New(w.db, clock, log)
	w.blobs, err = blob.New(w.db, w.dir)
	check(t, err)
	w.tokens, err = auth.NewTokens(t.Context(), w.db, clock, w.dir)
	check(t, err)
	envs, err := pyenv.New(pyenv.Options{Root: filepath.Join(w.dir, "envs")})
	check(t, err)
	w.projects = spec.NewProjects(w.db, w.led, clock)
	w.source = scm.New(w.db, w.blobs, clock)
	w.tracking = tracking.New(w.db, w.led, w.blobs, clock, slog.New(slog.DiscardHandler))
	w.registry = registry.New(w.db, w.led, w.blobs, w.tracking, clock)
	w.jobs = job.New(w.db, w.led, clock, log,
		job.Options{Exclusive: true, StepsDir: filepath.Join(w.dir, "steps")})
	w.Service, err = pipeline.New(pipeline.Deps{DB: w.db, Ledger: w.led, Clock: clock, Log: log,
		Jobs: w.jobs, Blobs: w.blobs, Source: w.source, Projects: w.projects, Tokens: w.tokens,
		Envs: envs, Data: w.data, Tracking: w.tracking, Registry: w.registry, Steps: w.maxSteps,
		URL: func() string { return cmp.Or(w.url, "http://127.0.0.1:1") }}, w.dir)
	check(t, err)
	if w.handlers != nil {
		w.handlers(w.jobs)
	}
	check(t, w.jobs.Start(context.Background()))
}

func (w *world) stop(t testing.TB) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := w.jobs.Stop(ctx); err != nil {
		t.Error(err)
	}
	w.db.Close()
}

// files is a repository's content by path.
type files map[string]string

func (f files) with(path, content string) files {
	out := maps.Clone(f)
	out[path] = content
	return out
}

// commit imports the files as a commit and applies its fairlead.yaml.
func (w *world) commit(t testing.TB, f files) pipeline.Start {
	t.Helper()
	dir := t.TempDir()
	for path, content := range f {
		path = filepath.Join(dir, path)
		check(t, os.MkdirAll(filepath.Dir(path), 0o755))
		check(t, os.WriteFile(path, []byte(content), 0o755))
		w.touched = w.touched.Add(time.Hour) // no time of a file may matter
		check(t, os.Chtimes(path, w.touched, w.touched))
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "."},
		{"-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "-m", "x"}} {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	tar, commit, err := scm.Pack(t.Context(), dir, false)
	check(t, err)
	defer tar.Close()
	rev, err := w.projects.Apply(t.Context(), []byte(f["fairlead.yaml"]), commit.SHA)
	check(t, err)
	w.p = rev.Project
	_, err = w.source.Import(t.Context(), w.p, tar, commit)
	check(t, err)
	return pipeline.Start{SpecRev: rev.N, Commit: commit.SHA, Cause: "user",
		Inputs: map[string]data.Ref{}}
}

// dataset makes a dataset version with the content.
func (w *world) dataset(t testing.TB, name string, n int64, content string) data.Ref {
	t.Helper()
	ref := data.Ref{Dataset: name, N: n}
	w.data[ref] = filepath.Join(w.dir, name+"-"+string(rune('0'+n)))
	check(t, os.WriteFile(w.data[ref], []byte(content), 0o444))
	return ref
}

// begin starts a run and returns its id.
func (w *world) begin(t testing.TB, st pipeline.Start) (id string) {
	t.Helper()
	check(t, w.db.Write(context.Background(), store.Control, func(tx *store.Tx) (err error) {
		id, err = w.Start(context.Background(), tx, w.p, st)
		return err
	}))
	return id
}

// await returns a run when it has ended.
func (w *world) await(t testing.TB, id string) *pipeline.Run {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, err := w.Get(ctx, w.p, id)
	check(t, err)
	_, err = w.jobs.Await(ctx, w.p.K, r.Job)
	check(t, err)
	r, err = w.Get(ctx, w.p, id)
	check(t, err)
	if !r.State.Final() {
		t.Fatalf("run %s has not ended: %s", id, r.State)
	}
	return r
}

func (w *world) run(t testing.TB, st pipeline.Start) *pipeline.Run {
	t.Helper()
	return w.await(t, w.begin(t, st))
}

// good is run for runs that must succeed.
func (w *world) good(t testing.TB, st pipeline.Start) *pipeline.Run {
	t.Helper()
	r := w.run(t, st)
	if r.State != pipeline.Succeeded {
		t.Fatalf("run ended as %s: %s", r.State, r.Reason)
	}
	return r
}

// states returns the state of each step, by name.
func (w *world) states(t testing.TB, id string) map[string]pipeline.State {
	t.Helper()
	out := map[string]pipeline.State{}
	for _, s := range w.steps(t, id) {
		out[s.Name] = s.State
	}
	return out
}

func (w *world) steps(t testing.TB, id string) []*pipeline.Step {
	t.Helper()
	steps, err := w.Steps(t.Context(), w.p, id, pipeline.StepList{Limit: 1000})
	check(t, err)
	return steps.Items
}

// waitFor waits until a file exists: a step's way of saying that it has come so far.
func waitFor(t testing.TB, path string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s did not appear", path)
		}
	}
}

// until waits until what the database or a step says is true.
func (w *world) until(t testing.TB, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it did not come to that")
		}
	}
}

func read(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	check(t, err)
	return string(b)
}
