package data_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead/data"
)

// wide is a table of 14 columns as CSV: a time, a key and twelve numbers.
func wide(rows, seed int) string {
	var b strings.Builder
	b.WriteString("at,id")
	for c := range 12 {
		fmt.Fprintf(&b, ",c%d", c)
	}
	for r := range rows {
		at := time.Date(2011, 1, 1, 0, r, 0, 0, time.UTC).Format(time.RFC3339)
		fmt.Fprintf(&b, "\n%s,r%d", at, r)
		for c := range 12 {
			fmt.Fprintf(&b, ",%g", float64((r*7919+c+seed)%1000)/float64(c+1))
		}
	}
	return b.String()
}

// BenchmarkIngestSplitPath is what one turn of the loop does to its data: 10,000
// rows of 14 columns become a version, are split, and their files are found.
func BenchmarkIngestSplitPath(b *testing.B) {
	f := open(b)
	f.ingest(b, "warm.csv", small)
	for i := range b.N {
		b.StopTimer()
		path := f.write(b, "a.csv", wide(10_000, i))
		b.StartTimer()
		v, err := f.Ingest(b.Context(), project, data.Ingest{Dataset: "d", Time: "at", Key: "id",
			Files: []string{path}})
		if err != nil {
			b.Fatal(err)
		}
		rest, holdout, err := f.Split(b.Context(), project, []data.Ref{v.Ref()},
			data.Holdout{Last: 24 * time.Hour})
		if err != nil {
			b.Fatal(err)
		}
		for _, ref := range append(rest, holdout) {
			if _, err := f.Path(b.Context(), project, ref); err != nil {
				b.Fatal(err)
			}
		}
	}
}

func BenchmarkReadTable(b *testing.B) {
	f := open(b)
	v := f.ingest(b, "a.csv", wide(10_000, 0))
	for b.Loop() {
		f.read(b, v.Ref())
	}
}
