package mlflow_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead/tracking"
)

type points struct {
	Metrics []struct {
		Step  int64
		Value float64
		RunID string `json:"run_id"`
	}
}

func TestHistory_SamplesEvenlyBetweenTheFirstAndTheLastPoint(t *testing.T) {
	s := serve(t)
	a, b := s.newRun(t), s.newRun(t)
	for run, n := range map[string]int{a: 1000, b: 3} {
		batch := tracking.Batch{}
		for i := range n {
			batch.Metrics = append(batch.Metrics,
				tracking.Metric{Key: "loss", Value: float64(i), Step: int64(i), TimestampMS: 1})
		}
		if err := s.tracking.LogBatch(t.Context(), projects[""], run, batch); err != nil {
			t.Fatal(err)
		}
	}
	steps := func(query string) (out []int64) {
		var got points
		s.ok(t, "GET", api+"metrics/get-history-bulk-interval?metric_key=loss&"+query, "", &got)
		for _, m := range got.Metrics {
			out = append(out, m.Step)
		}
		return out
	}
	for _, c := range []struct{ query, want string }{
		{"run_ids=" + a + "&max_results=5", "[0 200 400 600 999]"},
		{"run_ids=" + a + "&max_results=1", "[999]"},
		{"run_ids=" + b + "&max_results=2", "[0 2]"},
		{"run_ids=" + b + "&run_ids=" + a + "&max_results=3", "[0 1 2 0 334 999]"},
		{"run_ids=" + a + "&max_results=3&start_step=10&end_step=12", "[10 11 12]"},
		{"run_ids=" + a + "&max_results=3&start_step=5000&end_step=6000", "[]"},
	} {
		if got := fmt.Sprint(steps(c.query)); got != c.want {
			t.Errorf("%s: %s, want %s", c.query, got, c.want)
		}
	}
	if n := len(steps("run_ids=" + a)); n != 1000 {
		t.Errorf("%d points without a limit", n)
	}
}

// As MLflow's server does for clients that know no pages.
func TestHistory_IsWholeWithoutALimitAndAsLongAsIsAskedFor(t *testing.T) {
	const all = 60_000
	s := serve(t)
	run := s.newRun(t)
	for first := 0; first < all; first += 1000 {
		batch := tracking.Batch{}
		for i := first; i < first+1000; i++ {
			batch.Metrics = append(batch.Metrics,
				tracking.Metric{Key: "loss", Value: float64(i), Step: int64(i), TimestampMS: 1})
		}
		if err := s.tracking.LogBatch(t.Context(), projects[""], run, batch); err != nil {
			t.Fatal(err)
		}
	}
	get := func(query string, first int) (n int, next string) {
		var got struct {
			points
			Next string `json:"next_page_token"`
		}
		s.ok(t, "GET", api+"metrics/get-history?metric_key=loss&run_id="+run+query, "", &got)
		for i, m := range got.Metrics {
			if m.Step != int64(first+i) {
				t.Fatalf("%s: point %d has the step %d", query, first+i, m.Step)
			}
		}
		return len(got.Metrics), got.Next
	}
	if n, next := get("", 0); n != all || next != "" {
		t.Errorf("%d points and the token %q without a limit", n, next)
	}
	n, next := get("&max_results=26000", 0)
	if n != 26_000 || next == "" {
		t.Fatalf("%d points and the token %q of 26,000", n, next)
	}
	if n, next = get("&max_results=40000&page_token="+next, 26_000); n != 34_000 || next != "" {
		t.Errorf("%d points and the token %q of the rest", n, next)
	}
}

func TestHistory_OfManyRunsIsInOrderAndInThisProject(t *testing.T) {
	s := serve(t)
	a, b := s.newRun(t), s.newRun(t)
	for i, run := range []string{b, a} {
		for step := range 3 {
			s.ok(t, "POST", api+"runs/log-metric", fmt.Sprintf(
				`{"run_id":%q,"key":"m","value":%d,"timestamp":%d,"step":%d}`, run, i, 9-step, step), nil)
		}
	}
	const bulk = "/ajax-api/2.0/mlflow/metrics/get-history-bulk?metric_key=m"
	var got points
	s.ok(t, "GET", bulk+"&run_id="+a+"&run_id="+b+"&run_id=none", "", &got)
	if len(got.Metrics) != 6 || got.Metrics[0].RunID != min(a, b) || got.Metrics[5].RunID != max(a, b) {
		t.Fatalf("%+v", got)
	}
	if got.Metrics[0].Step != 2 {
		t.Errorf("not by time: %+v", got)
	}
	s.ok(t, "GET", bulk+"&max_results=4&run_id="+a+"&run_id="+b, "", &got)
	if len(got.Metrics) != 4 {
		t.Errorf("%d points, though 4 were asked for", len(got.Metrics))
	}
	s.ok(t, "GET", "/p/other"+bulk+"&run_id="+a, "", &got)
	if len(got.Metrics) != 0 {
		t.Errorf("another project sees %+v", got)
	}
	many := strings.Repeat("&run_id="+a, 101)
	if status, _ := s.send(t, "GET", bulk+many, ""); status != http.StatusBadRequest {
		t.Errorf("101 runs: %d", status)
	}
	status, _ := s.send(t, "GET",
		"/p/other"+api+"metrics/get-history-bulk-interval?metric_key=m&run_ids="+a, "")
	if status != http.StatusNotFound {
		t.Errorf("another project samples: %d", status)
	}
}

func TestLogModel_AddsToTheRunsHistory(t *testing.T) {
	s := serve(t)
	run := s.newRun(t)
	for i := range 2 {
		s.ok(t, "POST", api+"runs/log-model", fmt.Sprintf(`{"run_id":%q,"model_json":`+
			`"{\"artifact_path\":\"m%d\",\"run_id\":\"r\",\"utc_time_created\":\"t\",\"flavors\":`+
			`{\"f\":{\"config\":\"secret\",\"a\":1}},\"signature\":\"long\"}"}`, run, i), nil)
	}
	_, answer := s.send(t, "GET", api+"runs/get?run_id="+run, "")
	for _, want := range []string{`mlflow.log-model.history`, `m0`, `m1`} {
		if !strings.Contains(answer, want) {
			t.Errorf("no %s in %s", want, answer)
		}
	}
	if strings.Contains(answer, "secret") || strings.Contains(answer, "long") {
		t.Errorf("more than the note is kept: %s", answer)
	}
}
