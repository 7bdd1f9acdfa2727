package tracking_test

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/blob"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

// BenchmarkSearchRuns finds the best 100 runs by a metric and a param; each run has 20
// metrics.
func BenchmarkSearchRuns(b *testing.B) {
	for _, runs := range []int{20_000, 100_000} {
		b.Run(fmt.Sprint("of ", runs), func(b *testing.B) {
			db, svc := openBench(b)
			seedRuns(b, db, svc, runs)
			for b.Loop() {
				page, err := svc.SearchRuns(b.Context(), project, tracking.Search{Experiments: []string{"0"},
					Filter: "metrics.m1 > 0.5 and params.p = '1'", OrderBy: []string{"metrics.m1 DESC"}, Limit: 100})
				if err != nil || len(page.Items) != 100 {
					b.Fatal(len(page.Items), err)
				}
			}
		})
	}
}

func openBench(b *testing.B) (*store.DB, *tracking.Service) {
	db, err := store.Open(b.Context(), store.Options{Path: filepath.Join(b.TempDir(), "f.db")},
		ledger.Schema(), blob.Schema(), tracking.Schema())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	log := slog.New(slog.DiscardHandler)
	led := ledger.New(db, fairlead.WallClock{}, log)
	return db, tracking.New(db, led, nil, fairlead.WallClock{}, log)
}

// seedRuns makes indexed runs, many with each commit.
func seedRuns(b *testing.B, db *store.DB, svc *tracking.Service, runs int) {
	const chunk = 200
	for first := 0; first < runs; first += chunk {
		err := db.Write(b.Context(), store.Bulk, func(tx *store.Tx) error {
			for n := first; n < first+chunk; n++ {
				r, err := svc.CreateRun(b.Context(), tx, project, tracking.NewRun{
					Params: []tracking.Param{{Key: "p", Value: fmt.Sprint(n % 4)}, {Key: "q", Value: "1"}}})
				if err != nil {
					return err
				}
				var batch tracking.Batch
				for k := range 20 {
					batch.Metrics = append(batch.Metrics,
						metric(fmt.Sprint("m", k), float64(n*7919%runs)/float64(runs), 1))
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
}

// BenchmarkLargeRun asks a run of 10,000 metrics and a million points for a page of its
// metrics, a chart of one that has a tenth of the points, and its newest values.
func BenchmarkLargeRun(b *testing.B) {
	_, svc := openBench(b)
	r, err := svc.StartRun(b.Context(), project, tracking.NewRun{})
	if err != nil {
		b.Fatal(err)
	}
	for part := range 1000 {
		var batch tracking.Batch
		for i := range 900 {
			n := part*900 + i
			batch.Metrics = append(batch.Metrics, metric(fmt.Sprint("m", n%10_000), float64(n), int64(n/10_000)))
		}
		for i := range 100 {
			batch.Metrics = append(batch.Metrics, metric("long", float64(i), int64(part*100+i)))
		}
		if err := svc.LogBatch(b.Context(), project, r.ID, batch); err != nil {
			b.Fatal(err)
		}
	}
	if err := svc.Index(b.Context()); err != nil {
		b.Fatal(err)
	}
	for name, ask := range map[string]func() error{
		"metrics": func() error { _, err := svc.Metrics(b.Context(), project, r.ID, 1000, ""); return err },
		"chart":   func() error { _, err := svc.Chart(b.Context(), project, r.ID, "long", 500); return err },
		"run":     func() error { _, err := svc.Run(b.Context(), project, r.ID); return err },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := ask(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkChart draws a metric of a million points to 1,000 buckets.
func BenchmarkChart(b *testing.B) {
	_, svc := openBench(b)
	r, err := svc.StartRun(b.Context(), project, tracking.NewRun{})
	if err != nil {
		b.Fatal(err)
	}
	for part := range 1000 {
		var batch tracking.Batch
		for i := range 1000 {
			n := part*1000 + i
			batch.Metrics = append(batch.Metrics, tracking.Metric{Key: "ordered", Step: int64(n),
				Value: float64(n * 7919 % 1_000_003), TimestampMS: 1_700_000_000_000 + int64(n)*100})
		}
		if err := svc.LogBatch(b.Context(), project, r.ID, batch); err != nil {
			b.Fatal(err)
		}
	}
	for _, by := range []string{tracking.ByStep, tracking.ByTime} {
		b.Run(by, func(b *testing.B) {
			ask := tracking.ChartAsk{By: by, Buckets: 1000,
				Series: []tracking.SeriesAsk{{Run: r.ID, Key: "ordered"}}}
			for b.Loop() {
				all, err := svc.Charts(b.Context(), project, ask)
				if err != nil || all[0].Points != 1_000_000 {
					b.Fatal(all, err)
				}
			}
		})
	}
}

// BenchmarkLogBatch is 16 clients that log batches of 100 points, each to a run of its
// own; it counts points.
func BenchmarkLogBatch(b *testing.B) {
	for _, keys := range []int{10, 100} {
		b.Run(fmt.Sprint(keys, "keys"), func(b *testing.B) {
			db, svc := openBench(b)
			_ = db
			b.SetParallelism(8)
			var clients atomic.Int64
			b.RunParallel(func(pb *testing.PB) {
				r, err := svc.StartRun(b.Context(), project, tracking.NewRun{})
				if err != nil {
					b.Error(err)
					return
				}
				client := clients.Add(1)
				for step := int64(0); pb.Next(); step++ {
					var batch tracking.Batch
					for i := range 100 {
						batch.Metrics = append(batch.Metrics, tracking.Metric{Key: fmt.Sprint("m", i%keys),
							Value: float64(client), TimestampMS: step, Step: step*int64(100/keys) + int64(i/keys)})
					}
					if err := svc.LogBatch(b.Context(), project, r.ID, batch); err != nil {
						b.Error(err)
						return
					}
				}
			})
			b.ReportMetric(float64(100*b.N)/b.Elapsed().Seconds(), "points/s")
		})
	}
}
