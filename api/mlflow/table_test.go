package mlflow_test

import (
	"cmp"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// answers is what MLflow's server answers to the table of asks, one answer a line. `go
// test -run TestTable -record` writes it anew.
const answers = "testdata/answers.jsonl"

// ask is one request of the table. What begins with {, such as {run}, stands for a value
// that the server chose in an earlier answer.
type ask struct {
	call string // METHOD path, below /api/2.0/mlflow/ unless it begins with a slash
	body string
	keep string // name=path.in.answer: what later asks call {name}
	ours string // why the answer here is not MLflow's; empty where it is the same
	in   string // the workspace that its header names; empty for no header
}

// answer is a status and a JSON value, or the text of what is none.
type answer struct {
	Call   string `json:"call"`
	Status int    `json:"status"`
	Answer any    `json:"answer"`
}

// asker sends asks to a server, and names what that chose.
type asker struct {
	base, token string
	chosen      map[string]string // placeholder → value
	dotted      []string          // members of answers that are not compared
}

func (a *asker) ask(t *testing.T, q ask) answer {
	t.Helper()
	method, path, _ := strings.Cut(a.fill(q.call), " ")
	if !strings.HasPrefix(path, "/") {
		path = api + path
	}
	req, err := http.NewRequestWithContext(t.Context(), method, a.base+path,
		strings.NewReader(a.fill(q.body)))
	if err != nil {
		t.Fatal(err)
	}
	if method != "GET" {
		req.Header.Set("Content-Type", "application/json")
	}
	if a.token != "" {
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	if q.in != "" {
		req.Header.Set("X-MLFLOW-WORKSPACE", q.in)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	out := answer{Call: q.call, Status: resp.StatusCode}
	if json.Unmarshal(b, &out.Answer) != nil {
		out.Answer = string(b)
	}
	if name, at, ok := strings.Cut(q.keep, "="); ok {
		v := out.Answer
		for part := range strings.SplitSeq(at, ".") {
			object, _ := v.(map[string]any)
			v = object[part]
		}
		text, ok := v.(string)
		if !ok {
			t.Fatalf("%s: no %s in %s", q.call, at, b)
		}
		a.chosen["{"+name+"}"] = text
	}
	out.Answer = a.mask("", out.Answer)
	return out
}

func (a *asker) fill(text string) string {
	for mark, value := range a.chosen {
		text = strings.ReplaceAll(text, mark, value)
	}
	return text
}

// clocked are the members of answers that tell when, by whom and where something was.
var clocked = []string{"creation_time", "last_update_time", "creation_timestamp",
	"last_updated_timestamp", "creation_timestamp_ms", "last_updated_timestamp_ms", "start_time",
	"end_time", "user_id", "next_page_token"}

// unordered are lists that are maps.
var unordered = []string{"tags", "params", "metrics"}

func keyOf(v any) string {
	object, _ := v.(map[string]any)
	key, _ := object["key"].(string)
	return key
}

// mask puts placeholders for what the server chose, and dots for what it measured.
func (a *asker) mask(key string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, item := range v {
			out[k] = a.mask(k, item)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = a.mask(key, v[i])
		}
		if slices.Contains(unordered, key) {
			slices.SortStableFunc(out, func(a, b any) int { return cmp.Compare(keyOf(a), keyOf(b)) })
		}
		return out
	case string:
		if slices.Contains(a.dotted, key) {
			return "…"
		}
		for _, mark := range slices.Sorted(maps.Keys(a.chosen)) {
			if len(a.chosen[mark]) > 8 { // what is shorter stands for itself
				v = strings.ReplaceAll(v, a.chosen[mark], mark)
			}
		}
		return v
	}
	if slices.Contains(a.dotted, key) {
		return "…"
	}
	return v
}

func TestTable_IsAnsweredAsByMLflowsServer(t *testing.T) {
	if *record {
		a := &asker{base: mlflowServer(t, python(t)), chosen: map[string]string{}, dotted: clocked}
		a.write(t, answers, table())
	}
	s := serveAt(t, &slowClock{}) // MLflow's server makes nothing within one millisecond
	a := &asker{base: s.URL, token: s.owner, chosen: map[string]string{}, dotted: clocked}
	a.compare(t, answers, table())
}

// compare holds the answers to a table to the recorded ones.
func (a *asker) compare(t *testing.T, recorded string, table []ask) {
	t.Helper()
	b, err := os.ReadFile(recorded)
	if err != nil {
		t.Fatal(err)
	}
	lines := json.NewDecoder(strings.NewReader(string(b)))
	for _, q := range table {
		var want answer
		if err := lines.Decode(&want); err != nil || want.Call != q.call {
			t.Fatalf("%s: the recording has %q (%v); record it anew", q.call, want.Call, err)
		}
		got := a.ask(t, q)
		dropBeyond(got.Answer)
		same := got.Status == want.Status && reflect.DeepEqual(got.Answer, want.Answer)
		switch {
		case got.Status >= 500 && got.Status != http.StatusNotImplemented:
			t.Errorf("%s %.200s: %d %v", q.call, q.body, got.Status, got.Answer)
		case same && q.ours != "":
			t.Errorf("%s %.200s is answered as by MLflow, though %s", q.call, q.body, q.ours)
		case !same && q.ours == "":
			t.Errorf("%s %.200s\n\tis answered %d %v\n\tMLflow's is %d %v", q.call, q.body,
				got.Status, shown(got.Answer), want.Status, shown(want.Answer))
		}
	}
}

func shown(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// dropBeyond takes out of versions what only this server says of them.
func dropBeyond(v any) {
	switch v := v.(type) {
	case map[string]any:
		if _, ok := v["current_stage"]; ok {
			for _, key := range beyond {
				delete(v, key)
			}
		}
		for _, item := range v {
			dropBeyond(item)
		}
	case []any:
		for _, item := range v {
			dropBeyond(item)
		}
	}
}

// write records the answers to a table.
func (a *asker) write(t *testing.T, recorded string, table []ask) {
	t.Helper()
	var out strings.Builder
	lines := json.NewEncoder(&out)
	lines.SetEscapeHTML(false)
	for _, q := range table {
		got := a.ask(t, q)
		dropBeyond(got.Answer)
		if err := lines.Encode(got); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(recorded, []byte(out.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// slowClock is a millisecond later each time.
type slowClock struct{ ms atomic.Int64 }

func (c *slowClock) Now() time.Time { return time.UnixMilli(1_770_000_000_000 + c.ms.Add(1)).UTC() }
