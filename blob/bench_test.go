package blob_test

import (
	"fmt"
	"testing"

	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/store"
)

// BenchmarkLink_BesideManyFiles is one upload into a run that has 20,000 files.
func BenchmarkLink_BesideManyFiles(b *testing.B) {
	f := open(b)
	obj := f.put(b, "text")
	entries := make([]blob.Entry, 20_000)
	for i := range entries {
		entries[i] = blob.Entry{Path: fmt.Sprintf("dir %d/file %d", i/100, i), Object: obj}
	}
	link := func(entries []blob.Entry) {
		err := f.db.Write(b.Context(), store.Control, func(tx *store.Tx) error {
			return f.LinkAll(tx, project, run, "", entries)
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	link(entries)
	for i := 0; b.Loop(); i++ {
		link([]blob.Entry{{Path: fmt.Sprintf("new/%d", i), Object: obj}})
	}
}
