package registry_test

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/data"
	"github.com/fairlead-ml/fairlead/engine/pyenv"
	"github.com/fairlead-ml/fairlead/job"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

// uv stands for an installer whose index cannot be reached at first, and which then
// knows no such package.
const uv = `#!/bin/sh
if [ "$1" = python ]; then command -v python3; exit; fi
echo x >> "$(dirname "$0")/calls"
if [ "$(wc -l < "$(dirname "$0")/calls")" = 1 ]; then
  echo "error: Failed to fetch: https://index/simple/six/" >&2; exit 2
fi
echo "error: No solution found when resolving dependencies" >&2; exit 1
`

// workshop is a registry that packages; its jobs are not started yet.
type workshop struct {
	*bench
	*registry.Packaging
	jobs *job.Service
	dir  string
}

func newWorkshop(t *testing.T) *workshop {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "no [a] pattern")
	clock, log := fairlead.WallClock{}, slog.New(slog.DiscardHandler)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), store.Options{Path: filepath.Join(dir, "f.db")},
		ledger.Schema(), blob.Schema(), job.Schema(), data.Schema(), tracking.Schema(), registry.Schema())
	b := &bench{T: t, db: db}
	b.must(err)
	t.Cleanup(func() { db.Close() })
	b.led = ledger.New(db, clock, log)
	blobs, err := blob.New(db, dir)
	b.must(err)
	b.tr = tracking.New(db, b.led, blobs, clock, slog.New(slog.DiscardHandler))
	b.reg = registry.New(db, b.led, blobs, b.tr, clock)
	tool := filepath.Join(dir, "uv")
	b.must(os.WriteFile(tool, []byte(uv), 0o755))
	envs, err := pyenv.New(pyenv.Options{Root: filepath.Join(dir, "environments"), UV: tool})
	b.must(err)
	jobs := job.New(db, b.led, clock, log, job.Options{Exclusive: true})
	w := &workshop{b, registry.NewPackaging(b.reg, blobs, jobs, nil, envs, dir), jobs, dir}
	b.must(b.led.Start(t.Context()))
	t.Cleanup(b.led.Stop)
	t.Cleanup(func() { jobs.Stop(context.Background()) })
	return w
}

// request registers version 1 of bikes and asks for its package.
func (w *workshop) request() {
	w.Helper()
	b, t := w.bench, w.T
	m, err := b.tr.AddLoggedModel(t.Context(), project, tracking.NewLoggedModel{})
	b.must(err)
	for name, text := range map[string]string{"MLmodel": "", "requirements.txt": "six\n"} {
		at := tracking.Place{Owner: tracking.LoggedModelOwner(m.ID), Path: name}
		b.must(b.tr.PutArtifact(t.Context(), project, at, strings.NewReader(text), nil))
	}
	_, err = b.tr.FinishLoggedModel(t.Context(), project, m.ID, tracking.ModelReady)
	b.must(err)
	_, err = b.version(registry.NewVersion{Model: "bikes", LoggedModelID: m.ID})
	b.must(err)
	b.must(b.write(func(ctx context.Context, tx *store.Tx) error {
		return w.Request(ctx, tx, project, "bikes", 1, nil)
	}))
}

func TestPackaging_SettlesWhenTheVersionIsGone(t *testing.T) {
	w := newWorkshop(t)
	w.request()
	w.must(w.write(func(ctx context.Context, tx *store.Tx) error {
		return w.reg.DeleteVersion(ctx, tx, project, "bikes", 1)
	}))
	w.must(w.jobs.Start(t.Context()))
	page, err := w.jobs.List(t.Context(), project.K, job.Filter{}, "", 0)
	w.must(err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	j, err := w.jobs.Await(ctx, project.K, page.Items[0].ID)
	if err != nil || j.State != job.Failed || !strings.Contains(j.Error, "not found") {
		t.Errorf("job %+v, %v", j, err)
	}
}

func TestPackaging_TriesAgainWhatIsNotTheModelsFault(t *testing.T) {
	w := newWorkshop(t)
	b, dir := w.bench, w.dir
	w.request()
	page, err := w.jobs.List(t.Context(), project.K, job.Filter{}, "", 0)
	b.must(err)
	b.must(os.MkdirAll(filepath.Join(dir, "work", "package-"+page.Items[0].ID+"-0", "left"), 0o700))
	b.must(w.jobs.Start(t.Context()))
	var cond registry.Condition
	for cond.Status != registry.False {
		b.must(b.reg.Read(t.Context(), func(tx *store.Tx) (err error) {
			cond, err = b.reg.Condition(tx, project, "bikes", 1, registry.ConditionPackaged)
			return err
		}))
		select {
		case <-t.Context().Done():
			t.Fatal("it is never given up")
		case <-time.After(10 * time.Millisecond):
		}
	}
	calls, err := os.ReadFile(filepath.Join(dir, "calls"))
	b.must(err)
	if !strings.Contains(cond.Reason, "No solution found") || len(calls) != len("x\nx\n") {
		t.Errorf("%q after %d calls", cond.Reason, len(calls)/2)
	}
	if left, _ := os.ReadDir(filepath.Join(dir, "work")); len(left) != 0 {
		t.Errorf("left in the work directory: %v", left)
	}
}
