package archive

import (
	"fmt"
	"os"
	"runtime"
	"testing"

	"github.com/fairlead-ml/fairlead/tracking"
)

// A table of a million rows is not in memory while it is written, nor while it is read.
func TestTable_IsNeverInMemory(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	before, most := inUse(), uint64(0)
	w, err := createTable[tracking.PointRecord](root, ".", "x.parquet")
	if err != nil {
		t.Fatal(err)
	}
	const rows = 1_000_000
	at := func(i int64) tracking.PointRecord {
		return tracking.PointRecord{RunID: fmt.Sprint("run ", i/10_000), Key: fmt.Sprint("m", i/1000%10),
			Step: i, TimestampMS: 7 * i, Value: 1 / float64(i+1)}
	}
	for i := range int64(rows) {
		row := at(i)
		if err := w.add(&row); err != nil {
			t.Fatal(err)
		}
		if i%200_000 == 0 {
			most = max(most, inUse())
		}
	}
	if f, err := w.close(); err != nil || f.Rows != rows {
		t.Fatalf("%+v, %v", f, err)
	}
	n := int64(0)
	err = eachRow(root, "x.parquet", func(row *tracking.PointRecord) error {
		if want := at(n); *row != want {
			return fmt.Errorf("row %d is %+v, want %+v", n, *row, want)
		}
		if n++; n%200_000 == 0 {
			most = max(most, inUse())
		}
		return nil
	})
	if err != nil || n != rows {
		t.Fatalf("%d rows, %v", n, err)
	}
	if more := int64(most) - int64(before); more > 64<<20 {
		t.Errorf("%d MB in use for it", more>>20)
	}
}

func inUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
