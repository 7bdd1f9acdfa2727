package mlflow_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// A POST is JSON, or it is refused in MLflow's words: what a page of another site can
// make a browser send is not.
func TestPOST_TakesJSONAlone(t *testing.T) {
	s := serve(t)
	run := s.newRun(t)
	for _, c := range []struct {
		kind   string
		status int
		says   string
	}{
		{"application/json", 200, ""},
		{"application/json; charset=utf-8", 200, ""},
		{"Application/JSON", 200, ""},
		{"", 400, "Bad Request. Content-Type header is missing."},
		{"text/plain", 400, "Bad Request. Content-Type must be one of ['application/json']."},
		{"text/plain; application/json", 400, "must be one of"},
		{"application/x-www-form-urlencoded", 400, "must be one of"},
		{"multipart/form-data; boundary=x", 400, "must be one of"},
		{"application/jsonp", 400, "must be one of"},
	} {
		for path, body := range map[string]string{
			"runs/set-tag":       `{"run_id":"` + run + `","key":"a","value":"b"}`,
			"runs/log-metric":    `{"run_id":"` + run + `","key":"a","value":1,"timestamp":1}`,
			"runs/log-batch":     `{"run_id":"` + run + `"}`,
			"experiments/search": `{"max_results":1}`,
		} {
			req, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+api+path,
				strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			if c.kind != "" {
				req.Header.Set("Content-Type", c.kind)
			}
			res, err := s.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			text := readAll(t, res)
			res.Body.Close()
			if res.StatusCode != c.status || !strings.Contains(text, c.says) {
				t.Errorf("%s as %q: %d %s, want %d %s", path, c.kind, res.StatusCode, text, c.status, c.says)
			}
		}
	}
}

// A body is not made of more than its reader will take: millions of small things in it
// would cost many times its size, and hold the writer up.
func TestBodies_AreNotWide(t *testing.T) {
	s := serve(t)
	run := s.newRun(t)
	list := func(item string, n int) string {
		return "[" + strings.Repeat(item+",", n-1) + item + "]"
	}
	var fields strings.Builder
	for i := range 1001 {
		fmt.Fprintf(&fields, `,"f%d":0`, i)
	}
	with := func(more string) string { return `{"run_id":"` + run + `",` + more + `}` }
	tagged := func(n int) string {
		return `{"dataset":{"name":"a","digest":"b","source_type":"c","source":"d"},"tags":` +
			list(`{"key":"a","value":"b"}`, n) + `}`
	}
	tag, model := `{"key":"a","value":"b"}`, `{"model_id":"m-0"}`
	for _, c := range []struct{ path, body, says string }{
		{"runs/log-inputs", with(`"datasets":` + list("0", 1_000_000)), "'datasets[0]' supplied"},
		{"runs/log-inputs", with(`"datasets":` + list(tagged(1), 5_001)), "10000 objects"},
		{"runs/log-inputs", with(`"datasets":[` + tagged(10_000) + `]`), "10000 objects"},
		{"runs/log-inputs", with(`"datasets":` + list(tagged(1000), 10)), "10000 objects"},
		{"runs/log-inputs", with(`"models":` + list(model, 1001)), "at most 1000 models. Got 1001"},
		{"runs/outputs", with(`"models":` + list(model, 1001)), "at most 1000 models. Got 1001"},
		{"runs/log-batch", with(`"metrics":` + list("{}", 1_000_000)), "'metrics[0].key'"},
		{"runs/log-batch", with(`"tags":` + list(tag, 200_000)), "10000 objects"},
		{"runs/log-batch", with(`"metrics":` + list(`{"key":"a","value":1,"timestamp":1}`, 1001)),
			"1001"},
		{"runs/set-tag", with(`"key":"a"` + fields.String()), "more than 1000 fields"},
		{"logged-models", `{"experiment_id":"0","tags":[{"key":"a"` + fields.String() + `}]}`, "more than 1000 fields"},
		{"experiments/create", `{"name":"x","tags":` + list(tag, 10_001) + `}`, "10000 objects"},
		{"registered-models/create", `{"name":"x","tags":` + list(tag, 10_001) + `}`, "10000 objects"},
		{"runs/set-tag", strings.Repeat("[", 100_000), "not a JSON object"},
		{"runs/set-tag", strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000), "not a JSON object"},
		{"runs/set-tag", strings.Repeat(`{"a":`, 100_000) + "0" + strings.Repeat("}", 100_000),
			"not a JSON object"},
	} {
		status, answer := s.send(t, "POST", api+c.path, c.body)
		if status != 400 || !strings.Contains(answer, c.says) || len(answer) > 2000 {
			t.Errorf("%s %.60s: %d %.300s, want %q", c.path, c.body, status, answer, c.says)
		}
	}
}

// The last one of a name counts, at each depth, and what is escaped is the same name.
func TestBodies_TakeTheLastOfAName(t *testing.T) {
	s := serve(t)
	run := s.newRun(t)
	s.ok(t, "POST", api+"runs/set-tag",
		`{"run_id":"x","key":"k","value":"first","val\u0075e":"{\"]\\","run_id":"`+run+`"}`, nil)
	s.ok(t, "POST", api+"runs/log-batch",
		`{"tags":[],"run_id":"`+run+`","tags":[{"key":"a","key":"l","value":"[,:"}] }`, nil)
	_, answer := s.send(t, "GET", api+"runs/get?run_id="+run, "")
	for _, tag := range []string{`{"key":"k","value":"{\"]\\"}`, `{"key":"l","value":"[,:"}`} {
		if !strings.Contains(answer, tag) {
			t.Errorf("the run lacks %s: %s", tag, answer)
		}
	}
}
