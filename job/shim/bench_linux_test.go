package shim_test

import (
	"path/filepath"
	"strconv"
	"testing"

	"github.com/fairlead-ml/fairlead/job/shim"
)

// BenchmarkStep is one step that does nothing, from Start to its durable exit.
func BenchmarkStep(b *testing.B) {
	root := b.TempDir()
	for i := range b.N {
		h, err := shim.Start(b.Context(), shim.Spec{
			Dir: filepath.Join(root, strconv.Itoa(i)), Command: []string{"/bin/true"}, WorkDir: root,
		})
		if err != nil {
			b.Fatal(err)
		}
		exit, err := h.Wait(b.Context())
		if err != nil || !exit.OK() {
			b.Fatal(exit, err)
		}
		h.Close()
	}
}
