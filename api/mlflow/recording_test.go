package mlflow_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// recording is what the real client says to MLflow's own server in testdata/flow.py,
// and how that answers: one exchange a line, in order. `go test -run
// TestRecording -record` writes it anew.
const recording = "testdata/recording.jsonl"

// exchange is one request and its answer. What the server chose, ids and page
// tokens, stands as {1}, {2}, … from its first answer on.
type exchange struct {
	Method string          `json:"method"`
	Path   string          `json:"path"`
	Query  string          `json:"query,omitempty"`
	Body   json.RawMessage `json:"body,omitempty"`
	Bytes  int             `json:"bytes,omitempty"` // of a body that is a file
	Status int             `json:"status"`
	Answer any             `json:"answer"` // its shape
}

func (e *exchange) String() string {
	return strings.TrimSuffix(e.Method+" "+e.Path+"?"+e.Query, "?")
}

// recorder passes requests on to a server, one at a time, and notes them: what the
// client sends side by side gets an order that can be played again.
type recorder struct {
	t      *testing.T
	to     string
	mu     sync.Mutex
	all    []exchange
	chosen map[string]string // by the server: value → placeholder
}

func (rec *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		rec.t.Error(err)
		return
	}
	rec.mu.Lock()
	defer rec.mu.Unlock()
	out, err := http.NewRequestWithContext(r.Context(), r.Method, rec.to+r.URL.RequestURI(),
		bytes.NewReader(body))
	if err != nil {
		rec.t.Error(err)
		return
	}
	out.Header = r.Header.Clone()
	out.Header.Set("Accept-Encoding", "identity")
	resp, err := http.DefaultTransport.RoundTrip(out)
	if err != nil {
		rec.t.Error(err)
		return
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		rec.t.Error(err)
		return
	}
	rec.note(r, body, resp.StatusCode, answer)
	maps.Copy(w.Header(), resp.Header)
	w.WriteHeader(resp.StatusCode)
	w.Write(answer)
}

func (rec *recorder) note(r *http.Request, body []byte, status int, answer []byte) {
	e := exchange{Method: r.Method, Path: rec.mask(r.URL.EscapedPath()),
		Query: rec.mask(r.URL.RawQuery), Status: status}
	if masked := rec.mask(string(body)); json.Valid([]byte(masked)) {
		e.Body = json.RawMessage(masked)
	} else {
		e.Bytes = len(body)
	}
	e.Answer = shapeOf(decoded(answer), "", rec.choose)
	rec.all = append(rec.all, e)
}

// mask puts placeholders for what the server chose.
func (rec *recorder) mask(text string) string {
	for value, mark := range rec.chosen {
		text = strings.ReplaceAll(text, value, mark)
	}
	return text
}

var serverID = regexp.MustCompile(`^(m-)?[0-9a-f]{32}$`)

// choose names a value of an answer that the server chose, "" for any other.
func (rec *recorder) choose(key, value string) string {
	if key != "next_page_token" && !serverID.MatchString(value) || rec.chosen[value] != "" {
		return ""
	}
	rec.chosen[value] = fmt.Sprintf("{%d}", len(rec.chosen)+1)
	return rec.chosen[value]
}

// decoded reads an answer; one that is not JSON is a file.
func decoded(answer []byte) (v any) {
	if len(answer) == 0 {
		return nil
	}
	if err := json.Unmarshal(answer, &v); err != nil {
		return "a file"
	}
	if _, ok := v.(map[string]any); !ok {
		return "a file"
	}
	return v
}

// shapeOf replaces the leaves of a JSON value by their types, and lists by the
// shapes that their items have. choose says what is kept as it is.
func shapeOf(v any, key string, choose func(key, value string) string) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for _, k := range slices.Sorted(maps.Keys(v)) {
			out[k] = shapeOf(v[k], k, choose)
		}
		return out
	case []any:
		out := []any{}
		for _, item := range v {
			shape := shapeOf(item, key, choose)
			if !slices.ContainsFunc(out, func(o any) bool { return fmt.Sprint(o) == fmt.Sprint(shape) }) {
				out = append(out, shape)
			}
		}
		return out
	case string:
		if mark := choose(key, v); mark != "" {
			return mark
		}
		return "string"
	case float64:
		return "number"
	case bool:
		return "bool"
	}
	return "null"
}

func (rec *recorder) write() error {
	var out bytes.Buffer
	lines := json.NewEncoder(&out)
	lines.SetEscapeHTML(false)
	for _, e := range rec.all {
		if err := lines.Encode(e); err != nil {
			return err
		}
	}
	return os.WriteFile(recording, out.Bytes(), 0o644)
}

func readRecording(t *testing.T) (all []exchange) {
	t.Helper()
	f, err := os.Open(recording)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e exchange
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	if err := lines.Err(); err != nil || len(all) == 0 {
		t.Fatalf("%d exchanges: %v", len(all), err)
	}
	return all
}

// writeRecording records the real client against MLflow's own server.
func writeRecording(t *testing.T) {
	t.Helper()
	python := python(t)
	rec := &recorder{t: t, to: mlflowServer(t, python), chosen: map[string]string{}}
	proxy := httptest.NewServer(rec)
	defer proxy.Close()
	flow(t, python, "no-token", "--mlflow", proxy.URL)
	if err := rec.write(); err != nil {
		t.Fatal(err)
	}
}
