package spec_test

import (
	"log/slog"
	"path/filepath"
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
}
