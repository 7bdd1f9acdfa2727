package spec_test

import (
	"log/slog"
	"path/filepath"
	"slices"
	"testing"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/spec"
	"github.com/fairlead-ml/fairlead/store"
)

func TestApply_CreatesTheProjectAndOneRevisionForEachChange(t *testing.T) {
	db, err := store.Open(t.Context(), store.Options{Path: filepath.Join(t.TempDir(), "f.db")},
		ledger.Schema(), spec.Tables())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	led := ledger.New(db, fairlead.WallClock{}, slog.New(slog.DiscardHandler))
	projects := spec.NewProjects(db, led, fairlead.WallClock{})
	first := []byte("project: p\n")
	for i, want := range []struct {
		body, commit string
		n            int64
	}{{"project: p\n", "a", 1}, {"project: p\n", "a", 1}, {"project: p\n", "b", 2}, {"project: p\nowner: me\n", "b", 3}} {
		rev, err := projects.Apply(t.Context(), []byte(want.body), want.commit)
		if err != nil || rev.N != want.n {
			t.Fatalf("apply %d: revision %+v, error %v", i, rev, err)
		}
	}
	p, err := projects.Get(t.Context(), "p")
	if err != nil || p.K == spec.Default.K {
		t.Fatalf("project %+v, error %v", p, err)
	}
	rev, err := projects.RevisionAt(t.Context(), p, 1)
	if err != nil || string(rev.Body) != string(first) || rev.Commit != "a" {
		t.Errorf("revision 1 is %+v, error %v", rev, err)
	}
	if _, err := projects.Get(t.Context(), "other"); !fairlead.Is(err, fairlead.NotFound) {
		t.Errorf("unknown project: %v", err)
	}
	if _, err := projects.Create(t.Context(), "bare"); err != nil {
		t.Fatal(err)
	}
	records, err := led.List(t.Context(), ledger.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, r := range records {
		told = append(told, r.Type+" "+r.Subject+" of "+r.Project)
	}
	const created, applied = "project.created project/", "project.applied project/"
	want := []string{created + "p of p", applied + "p of p", applied + "p of p", applied + "p of p",
		created + "bare of bare"}
	if !slices.Equal(told, want) {
		t.Errorf("events %q, want %q", told, want)
	}
}

// Later versions may demand more of a file; what was applied must stay readable.
func TestRevision_StaysReadableWhateverIsDemandedNow(t *testing.T) {
	db, err := store.Open(t.Context(), store.Options{Path: filepath.Join(t.TempDir(), "f.db")},
		ledger.Schema(), spec.Tables())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	led := ledger.New(db, fairlead.WallClock{}, slog.New(slog.DiscardHandler))
	projects := spec.NewProjects(db, led, fairlead.WallClock{})
	rev, err := projects.Apply(t.Context(), []byte("project: p\n"), "a")
	if err != nil {
		t.Fatal(err)
	}
	const old = `project: p
risk: extreme
goal: {metric: wape}
pipeline: {steps: {train: {in: [nowhere], timeout: 0s, retries: 1000}}}
release: {production: {strategy: sometimes}}
`
	if _, err := spec.Parse("f", []byte(old)); err == nil {
		t.Fatal("the file keeps all rules of today")
	}
	err = db.Write(t.Context(), store.Control, func(tx *store.Tx) error {
		_, err := tx.Exec(`insert into spec (project_k, rev, digest, commit_sha, body, applied_ms)
			values (?, 2, 'd', '', ?, 0)`, rev.Project.K, old)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := projects.CurrentRevision(t.Context(), rev.Project)
	if err != nil {
		t.Fatal(err)
	}
	s := got.Spec
	if s.Risk != "extreme" || s.Pipeline.Steps[0].Retries != 1000 || s.Release[0].Strategy != "sometimes" {
		t.Errorf("read as %+v", s)
	}
	again, err := projects.RevisionAt(t.Context(), rev.Project, 2)
	if err != nil || again.Spec != s {
		t.Errorf("it is parsed each time (%v)", err)
	}
}
