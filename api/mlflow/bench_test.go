package mlflow_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead/tracking"
)

// post sends one request over a kept connection.
func (s *server) post(b *testing.B, path, body string) {
	resp, err := s.Client().Post(s.URL+api+path, "application/json", strings.NewReader(body))
	if err != nil {
		b.Error(err)
		return
	}
	if answer := readAll(b, resp); resp.StatusCode != http.StatusOK {
		b.Errorf("%s: %s", path, answer)
	}
	resp.Body.Close()
}

func BenchmarkLogMetric(b *testing.B) {
	s := serve(b)
	run := s.newRun(b)
	for i := 0; b.Loop(); i++ {
		s.post(b, "runs/log-metric",
			fmt.Sprintf(`{"run_id":%q,"key":"loss","value":0.5,"timestamp":%d,"step":%d}`, run, i, i))
	}
}

// BenchmarkLogMetrics sends single points from 16 clients.
func BenchmarkLogMetrics(b *testing.B) {
	s := serve(b)
	s.Client().Transport.(*http.Transport).MaxIdleConnsPerHost = 16
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		run := s.newRun(b)
		for i := 0; pb.Next(); i++ {
			s.post(b, "runs/log-metric",
				fmt.Sprintf(`{"run_id":%q,"key":"loss","value":0.5,"timestamp":%d,"step":%d}`, run, i, i))
		}
	})
}

// BenchmarkCreateRuns creates runs from 16 clients, as MLflow's client does.
func BenchmarkCreateRuns(b *testing.B) {
	s := serve(b)
	s.Client().Transport.(*http.Transport).MaxIdleConnsPerHost = 16
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			s.post(b, "runs/create", `{"experiment_id":"0","user_id":"bench","run_name":"bench",
				"start_time":1700000000000,"tags":[{"key":"mlflow.user","value":"bench"},
				{"key":"mlflow.source.name","value":"train.py"},
				{"key":"mlflow.source.type","value":"LOCAL"},
				{"key":"mlflow.runName","value":"bench"}]}`)
		}
	})
}

// thousand is a batch of 1000 metrics with 10 keys.
func thousand(run string, client int64, step int) string {
	var body strings.Builder
	fmt.Fprintf(&body, `{"run_id":%q,"metrics":[`, run)
	for i := range 1000 {
		if i > 0 {
			body.WriteByte(',')
		}
		fmt.Fprintf(&body, `{"key":"m%d","value":%d.25,"timestamp":%d,"step":%d}`,
			i%10, client*int64(i), 1700000000000+i, step+i/10)
	}
	body.WriteString("]}")
	return body.String()
}

// BenchmarkControlWrite sets a tag while 16 clients log batches of 1000 metrics.
func BenchmarkControlWrite(b *testing.B) {
	s := serve(b)
	s.Client().Transport.(*http.Transport).MaxIdleConnsPerHost = 17
	var stop atomic.Bool
	var wg sync.WaitGroup
	for client := range 16 {
		run := s.newRun(b)
		wg.Go(func() {
			for step := 0; !stop.Load(); step += 100 {
				s.post(b, "runs/log-batch", thousand(run, int64(client), step))
			}
		})
	}
	run := s.newRun(b)
	var took []time.Duration
	for i := 0; b.Loop(); i++ {
		start := time.Now()
		s.post(b, "runs/set-tag", fmt.Sprintf(`{"run_id":%q,"key":"a","value":"%d"}`, run, i))
		took = append(took, time.Since(start))
	}
	stop.Store(true)
	wg.Wait()
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2].Seconds()*1000, "p50-ms")
	b.ReportMetric(took[len(took)*99/100].Seconds()*1000, "p99-ms")
}

// BenchmarkLogBatch sends batches of 1000 metrics with 10 keys from 16 clients.
func BenchmarkLogBatch(b *testing.B) {
	s := serve(b)
	s.Client().Transport.(*http.Transport).MaxIdleConnsPerHost = 16
	var clients atomic.Int64
	b.SetParallelism(8)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		run, client := s.newRun(b), clients.Add(1)
		for step := 0; pb.Next(); step += 100 {
			s.post(b, "runs/log-batch", thousand(run, client, step))
		}
	})
	b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "metrics/s")
}

func BenchmarkGetRun(b *testing.B) {
	s := serve(b)
	run := s.newRun(b)
	for b.Loop() {
		s.ok(b, "GET", api+"runs/get?run_id="+run, "", nil)
	}
}

func BenchmarkGetHistory(b *testing.B) {
	s := serve(b)
	run := s.newRun(b)
	for k := range 25 {
		var body strings.Builder
		fmt.Fprintf(&body, `{"run_id":%q,"metrics":[`, run)
		for i := range 1000 {
			if i > 0 {
				body.WriteByte(',')
			}
			fmt.Fprintf(&body, `{"key":"loss","value":0.%d,"timestamp":1,"step":%d}`, i+1, k*1000+i)
		}
		body.WriteString("]}")
		s.post(b, "runs/log-batch", body.String())
	}
	for b.Loop() {
		s.ok(b, "GET", api+"metrics/get-history?metric_key=loss&run_id="+run, "", nil)
	}
}

// BenchmarkSearchRuns finds the best runs of 20,000 by a metric and a param; each has
// 20 metrics.
func BenchmarkSearchRuns(b *testing.B) {
	s := serve(b)
	for n := range 20_000 {
		r, err := s.tracking.StartRun(b.Context(), projects[""], tracking.NewRun{})
		if err != nil {
			b.Fatal(err)
		}
		var batch tracking.Batch
		for k := range 5 {
			batch.Params = append(batch.Params, tracking.Param{Key: fmt.Sprint("p", k), Value: fmt.Sprint(n % 4)})
		}
		for k := range 20 {
			batch.Metrics = append(batch.Metrics, tracking.Metric{Key: fmt.Sprint("m", k),
				Value: float64(n*7919%20_000) / 20_000})
		}
		if err := s.tracking.LogBatch(b.Context(), projects[""], r.ID, batch); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.tracking.Index(b.Context()); err != nil {
		b.Fatal(err)
	}
	for _, limit := range []int{100, 1000} {
		b.Run(fmt.Sprint(limit), func(b *testing.B) {
			for b.Loop() {
				s.post(b, "runs/search", fmt.Sprintf(`{"experiment_ids":["0"],"max_results":%d,
					"filter":"metrics.m1 > 0.5 and params.p1 = '1'","order_by":["metrics.m1 DESC"]}`, limit))
			}
		})
	}
}
