package mlflow

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead/tracking"
)

// slowMetric and slowBatch are the readers that know the whole protocol.
func slowMetric(b []byte) (string, tracking.Metric, error) {
	q, err := parseArgs(b)
	if err != nil {
		return "", tracking.Metric{}, err
	}
	id, m := q.runID(), q.metric()
	return id, m, q.err
}

func slowBatch(b []byte) (string, tracking.Batch, error) {
	q, err := parseArgs(b)
	if err != nil {
		return "", tracking.Batch{}, err
	}
	id, batch := q.runID(), q.batch()
	return id, batch, q.err
}

var batches = []string{
	`{"run_id":"r","metrics":[{"key":"a","value":1,"timestamp":2,"step":3}]}`,
	`{"run_id":"r","metrics":[{"key":"a","value":"NaN","timestamp":"2","run_id":"r"},` +
		`{"key":"b","value":-1.5e-3,"timestamp":2,"model_id":null,"dataset_name":"d"}]}`,
	` { "run_id" : "r" , "params" : [ { "key" : "é" , "value" : null } ] , "tags" : [ ] } `,
	`{"run_id":"r","tags":[{"key":"a","value":"b"}],"metrics":[],"params":[]}`,
	`{"run_id":"r","metrics":[{"key":"a","value":1,"timestamp":2}],"metrics":[]}`,
	`{"run_id":"r","metrics":[{"key":"a","value":1,"key":"b","timestamp":2}]}`,
	`{"run_id":"r"}`,
}

var odd = []string{
	``, `{}`, `null`, `[]`, `{"run_id":"r"`, `{"run_id":"r"}x`, `{"run_id":"r",}`, `{"run_id":null}`,
	`{"run_id":"r","metrics":[{"key":"a\u0000","value":1,"timestamp":2}]}`,
	`{"run_id":"r","metrics":[{"key":"a","value":01,"timestamp":2}]}`,
	`{"run_id":"r","metrics":[{"key":"a","value":1.,"timestamp":2}]}`,
	`{"run_id":"r","metrics":[{"key":"a","value":.5,"timestamp":2}]}`,
	`{"run_id":"r","metrics":[{"key":"a","value":+1,"timestamp":2}]}`,
	`{"run_id":"r","metrics":[{"key":"a","value":"0x1p3","timestamp":2}]}`,
	`{"run_id":"r","metrics":[{"key":"a","value":"1_0","timestamp":2}]}`,
	`{"run_id":"r","metrics":[{"key":"a","value":true,"timestamp":2}]}`,
	`{"run_id":"r","metrics":[{"key":"a","value":1,"timestamp":2.5}]}`,
	`{"run_id":"r","metrics":[{"key":"a","value":1}]}`,
	`{"run_id":"r","metrics":[{"key":"a","value":null,"timestamp":2}]}`,
	`{"run_id":"r","metrics":[{"key":"","value":1,"timestamp":2}]}`,
	`{"run_id":"r","metrics":{}}`, `{"run_id":"r","params":[{"value":"b"}]}`,
	"{\"run_id\":\"r\",\"tags\":[{\"key\":\"a\xff\"}]}", "{\"run_id\":\"r\n\"}",
}

// The ordinary requests, and those of the recording, are read without args.
func TestCursor_ReadsWhatClientsSend(t *testing.T) {
	for _, s := range batches {
		if _, _, ok := (&cursor{s: s}).batch(); !ok {
			t.Errorf("gave up at %s", s)
		}
	}
	recording, err := os.ReadFile("testdata/recording.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(recording)) {
		_, body, _ := strings.Cut(line, `"body":`)
		body, _, _ = strings.Cut(body, `,"status":`)
		ok := true
		switch {
		case strings.Contains(line, `"/api/2.0/mlflow/runs/log-metric"`):
			_, _, ok = (&cursor{s: body}).metric()
		case strings.Contains(line, `"/api/2.0/mlflow/runs/log-batch"`):
			_, _, ok = (&cursor{s: body}).batch()
		default:
			continue
		}
		n++
		if !ok && strings.Contains(line, `"status":200`) {
			t.Errorf("gave up at %s", body)
		}
	}
	if n < 5 {
		t.Errorf("the recording has %d calls that log metrics", n)
	}
}

func TestCursor_GivesUpAtTheRest(t *testing.T) {
	for _, s := range odd {
		if _, b, ok := (&cursor{s: s}).batch(); ok {
			t.Errorf("read %s as %+v", s, b)
		}
	}
}

// Whatever the cursor accepts means the same to args.
func FuzzCursor(f *testing.F) {
	for _, s := range append(batches, odd...) {
		f.Add(s)
	}
	f.Add(`{"run_id":"r","key":"a","value":1e308,"timestamp":2,"step":-3,"run_uuid":"x"}`)
	f.Fuzz(func(t *testing.T, s string) {
		if run, b, ok := (&cursor{s: s}).batch(); ok {
			r, want, err := slowBatch([]byte(s))
			if err != nil || run != r || list(b) != list(want) {
				t.Errorf("%q: %s %v, and args reads %s %v %v", s, run, list(b), r, list(want), err)
			}
		}
		if run, m, ok := (&cursor{s: s}).metric(); ok {
			r, want, err := slowMetric([]byte(s))
			if err != nil || run != r || fmt.Sprintf("%#v", m) != fmt.Sprintf("%#v", want) {
				t.Errorf("%q: %s %v, and args reads %s %v %v", s, run, m, r, want, err)
			}
		}
	})
}

// list prints a batch; NaN is equal to itself in it, and nil to empty.
func list(b tracking.Batch) (s string) {
	for _, m := range b.Metrics {
		s += fmt.Sprintf("%#v ", m)
	}
	return s + fmt.Sprintf("%q %q", b.Params, b.Tags)
}

func BenchmarkCursor_Batch(b *testing.B) {
	var s strings.Builder
	s.WriteString(`{"run_id": "0123456789abcdef0123456789abcdef", "metrics": [`)
	for i := range 1000 {
		if i > 0 {
			s.WriteString(", ")
		}
		fmt.Fprintf(&s, `{"key": "metric_%d", "value": %v, "timestamp": %d, "step": %d}`,
			i%100, 0.123456789*float64(i+1), 1700000000000+i, i)
	}
	s.WriteString(`], "params": [], "tags": []}`)
	body := []byte(s.String())
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, ok := (&cursor{s: string(body)}).batch(); !ok {
			b.Fatal("gave up")
		}
	}
}
