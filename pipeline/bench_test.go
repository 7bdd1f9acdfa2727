package pipeline_test

import (
	"strings"
	"testing"

	_ "github.com/fairlead-ml/fairlead/job/shim/early" // as in the program
)

const noop = `project: p
pipeline:
  steps:
    a: {run: "true", cache: false}
    b: {run: "true", cache: false}
    c: {run: "true", cache: false}
`

// BenchmarkThreeSteps is one run of three steps that do nothing, from its start to
// its end. The aim is at most 100 ms.
func BenchmarkThreeSteps(b *testing.B) { benchmark(b, noop) }

// BenchmarkThreeStepsCached is one of three steps that have not changed. The aim
// is at most 40 ms.
func BenchmarkThreeStepsCached(b *testing.B) {
	benchmark(b, strings.ReplaceAll(noop, "cache: false", "cache: true"))
}

func benchmark(b *testing.B, file string) {
	w := newWorld(b)
	st := w.commit(b, files{"fairlead.yaml": file})
	w.good(b, st)
	for b.Loop() {
		w.good(b, st)
	}
}
