package tracking_test

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

// BenchmarkSearchRuns finds the best 100 of 20,000 runs by a metric and a param.
func BenchmarkSearchRuns(b *testing.B) {
	dir := b.TempDir()
	db, err := store.Open(b.Context(), store.Options{Path: filepath.Join(dir, "f.db")},
		ledger.Schema(), blob.Schema(), tracking.Schema())
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	led := ledger.New(db, fairlead.WallClock{}, slog.New(slog.DiscardHandler))
	svc := tracking.New(db, led, nil, fairlead.WallClock{}, slog.New(slog.DiscardHandler))
	for chunk := range 100 {
		err := db.Write(b.Context(), store.Bulk, func(tx *store.Tx) error {
			for i := range 200 {
				n := chunk*200 + i
				r, err := svc.CreateRun(b.Context(), tx, project, tracking.NewRun{
					Params: []tracking.Param{{Key: "p", Value: fmt.Sprint(n % 4)}, {Key: "q", Value: "1"}}})
				if err != nil {
					return err
				}
				var batch tracking.Batch
				for k := range 5 {
					batch.Metrics = append(batch.Metrics, metric(fmt.Sprint("m", k), float64(n*7919%20000)/20000, 1))
				}
				if err := svc.LogBatchTx(tx, project, r.ID, batch); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := svc.Index(b.Context()); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		page, err := svc.SearchRuns(b.Context(), project, tracking.Search{Experiments: []string{"0"},
			Filter: "metrics.m1 > 0.5 and params.p = '1'", OrderBy: []string{"metrics.m1 DESC"}, Limit: 100})
		if err != nil || len(page.Items) != 100 {
			b.Fatal(len(page.Items), err)
		}
	}
}
