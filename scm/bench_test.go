package scm_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/fairlead-ml/fairlead/scm"
)

// BenchmarkLook is what each `fairlead run` pays before it knows that the server
// has the commit already.
func BenchmarkLook(b *testing.B) {
	r := newRepo(b)
	r.write("a.py", "1", 0o644)
	r.commit("x")
	for b.Loop() {
		src, err := scm.Look(b.Context(), r.dir, false)
		if err != nil {
			b.Fatal(err)
		}
		src.Close()
	}
}

// BenchmarkImport packs, imports and checks out a commit of 2,000 files.
func BenchmarkImport(b *testing.B) {
	r := newRepo(b)
	for i := range 2000 {
		r.write(fmt.Sprintf("d%d/f%d", i%40, i), fmt.Sprint("content ", i), 0o644)
	}
	r.commit("x")
	for b.Loop() {
		s := service(b)
		f, claimed := packed(b, r.dir, false)
		c, err := s.Import(b.Context(), project, f, claimed)
		if err != nil {
			b.Fatal(err)
		}
		dir := filepath.Join(b.TempDir(), "out")
		if err := s.Checkout(b.Context(), project, c.ID(), dir); err != nil {
			b.Fatal(err)
		}
	}
}
