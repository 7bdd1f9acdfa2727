package transfer_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead/transfer"
)

// A run's points pass through: what is held while they come in does not grow with them but
// for 8 bytes each, by which a store of files finds those that it has twice.
func TestImport_HoldsLittleOfALongRun(t *testing.T) {
	w := newWorld(t)
	const points = 300_000 // held, they would be 40 MB
	var lines strings.Builder
	for i := range points {
		fmt.Fprintf(&lines, "%d %d %d\n", i, i, i)
	}
	w.write("7/"+runA+"/metrics/long", lines.String())
	lines = strings.Builder{}
	before, most, looked := heap(), uint64(0), 0
	ended := make(chan error)
	go func() {
		_, err := w.ImportMLflow(w.Context(), project, transfer.Source{From: w.dir})
		ended <- err
	}()
	for {
		select {
		case err := <-ended:
			if grown := int64(most) - int64(before); err != nil || looked == 0 || grown > 16<<20 {
				t.Errorf("%v; the heap grew by %d MB, seen at %d points", err, grown>>20, looked)
			}
			return
		case <-time.After(5 * time.Millisecond):
			if n := w.Progress(project).Points; n > looked+points/6 {
				looked, most = n, max(most, heap())
			}
		}
	}
}

// heap returns how much is in use after a collection.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
