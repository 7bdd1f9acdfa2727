package mlflow_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
)

const hooks = "/api/2.0/mlflow/webhooks"

// deliverer starts what sends deliveries.
func (s *server) deliver(t *testing.T) {
	t.Helper()
	if err := s.led.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.sink.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.sink.Stop(); s.led.Stop() })
}

// inbox is a receiver that keeps what it gets, but for /fails.
type inbox struct {
	*httptest.Server
	mu     sync.Mutex
	bodies []string
}

func newInbox(t *testing.T) *inbox {
	t.Helper()
	b := &inbox{}
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/fails" {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		body, _ := io.ReadAll(r.Body)
		if !strings.Contains(string(body), "_mlflow_experiment_ids") { // set when the client finds the time
			b.mu.Lock()
			b.bodies = append(b.bodies, string(body))
			b.mu.Unlock()
		}
		io.WriteString(w, "thanks")
	}))
	t.Cleanup(b.Close)
	return b
}

func (b *inbox) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.bodies)
}

// await waits until the inbox has n bodies; each is stored by a commit after it came.
func (b *inbox) await(t *testing.T, s *server, n int) {
	t.Helper()
	limit := time.After(time.Minute)
	for b.count() < n {
		changed := s.db.Changed()
		if b.count() >= n {
			return
		}
		select {
		case <-changed:
		case <-limit:
			t.Fatalf("%d of %d deliveries came: %s", b.count(), n, strings.Join(b.bodies, "\n"))
		}
	}
}

// What mlflow 3.17.2's own server sends for the same calls, in the same order.
var wantDeliveries = []string{
	`registered_model created {"description":"of bottles","name":"wine","tags":{"team":"cellar"}}`,
	`model_version created {"description":null,"name":"wine","run_id":"RUN","source":"runs:/RUN/model","tags":{"a":"b"},"version":"1"}`,
	`model_version_tag set {"key":"k","name":"wine","value":"v","version":"1"}`,
	`model_version_tag deleted {"key":"k","name":"wine","version":"1"}`,
	`model_version_alias created {"alias":"best","name":"wine","version":"1"}`,
	`model_version_alias deleted {"alias":"best","name":"wine"}`,
	`prompt created {"description":"first","name":"greet","tags":{"tone":"kind"}}`,
	`prompt_version created {"description":"first","name":"greet","tags":{"tone":"kind"},"template":"Hello {{name}}!","version":"1"}`,
	`prompt_tag set {"key":"k","name":"greet","value":"v"}`,
	`prompt_tag deleted {"key":"k","name":"greet"}`,
	`prompt_version_tag set {"key":"k","name":"greet","value":"v","version":"1"}`,
	`prompt_version_tag deleted {"key":"k","name":"greet","version":"1"}`,
	`prompt_alias created {"alias":"best","name":"greet","version":"1"}`,
	`prompt_alias deleted {"alias":"best","name":"greet"}`,
}

func TestWebhooks_UnmodifiedClient(t *testing.T) {
	interpreter := python(t)
	s, b := serve(t), newInbox(t)
	s.deliver(t)
	home := t.TempDir()
	script, err := filepath.Abs(filepath.Join("testdata", "webhook.py"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), interpreter, "-W", "ignore", script, s.URL+"/p/other", b.URL)
	cmd.Dir, cmd.Env = home, append(clientEnv(home), "MLFLOW_TRACKING_TOKEN="+s.owner)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the client failed: %v\n%s", err, out)
	}
	b.await(t, s, 2+len(wantDeliveries))
	run := regexp.MustCompile(`run ([0-9a-f]{32})`).FindSubmatch(out)
	if run == nil {
		t.Fatalf("no run in %s", out)
	}
	for i, want := range wantDeliveries {
		var got struct {
			Entity, Action, Timestamp, Workspace string
			Data                                 json.RawMessage
		}
		if err := json.Unmarshal([]byte(b.bodies[2+i]), &got); err != nil {
			t.Fatal(err)
		}
		text := strings.ReplaceAll(fmt.Sprintf("%s %s %s", got.Entity, got.Action, got.Data), string(run[1]), "RUN")
		if text != want {
			t.Errorf("delivery %d: %s\nwant %s", i, text, want)
		}
		at, err := time.Parse("2006-01-02T15:04:05.000000-07:00", got.Timestamp)
		if err != nil || time.Since(at) > time.Hour || got.Workspace != "other" {
			t.Errorf("delivery %d is of %s in %q: %v", i, got.Timestamp, got.Workspace, err)
		}
	}
}

func TestWebhooks_NeedTheOwnersToken(t *testing.T) {
	s := serve(t)
	for _, r := range [][2]string{{"POST", hooks}, {"GET", hooks}, {"GET", hooks + "/x"}, {"PATCH", hooks + "/x"},
		{"DELETE", hooks + "/x"}, {"POST", hooks + "/x/test"}} {
		if status, body := s.send(t, r[0], r[1], ""); status != http.StatusUnauthorized {
			t.Errorf("%s %s without a token: %d %s", r[0], r[1], status, body)
		}
	}
}

func TestWebhooks_RefuseInMLflowsWords(t *testing.T) {
	s := serve(t)
	const event = `[{"entity": "PROMPT", "action": "CREATED"}]`
	for body, want := range map[string]string{
		`{}`:                               "Missing value for required parameter 'name'",
		`{"name": 31}`:                     "Invalid value 31 for parameter 'name' supplied",
		`{"name": "a", "url": "https://"}`: "Missing value for required parameter 'events'",
		`{"name": "a", "url": "https://x", "events": []}`:                                         "Webhook events must be a non-empty list",
		`{"name": "a", "url": "https://x", "events": {}}`:                                         "Invalid value {} for parameter 'events'",
		`{"name": "a", "url": "https://x", "events": [{"entity": "PROMPT", "action": "SET"}]}`:    "Invalid action 'set' for entity 'prompt'. Valid actions are: ['created']",
		`{"name": "a", "url": "https://x", "events": [{"entity": "RUN", "action": "SET"}]}`:       "parameter 'events[0].entity'",
		`{"name": "a", "url": "https:// x", "events": ` + event + `}`:                             "Invalid webhook URL",
		`{"name": "a", "url": "https://127.0.0.9", "events": ` + event + `}`:                      "127.0.0.9 is not a public address",
		`{"name": "a", "url": "http://127.0.0.1", "events": ` + event + `, "status": "SLEEPING"}`: "parameter 'status'",
		`{"name": "a", "url": "http://127.0.0.1", "events": ` + event + `, "secret": {"a": "b"}}`: "parameter 'secret'",
		`{"name": "a/../b", "url": "http://127.0.0.1", "events": ` + event + `}`:                  "Webhook name 'a/../b' is invalid",
		`{"name": "a", "url": "http://127.0.0.1", "events": [{"entity": "PROMPT"}]}`:              "Invalid action '' for entity 'prompt'",
	} {
		status, got := s.sendAs(t, s.owner, "POST", hooks, body)
		if status != http.StatusBadRequest || !strings.Contains(got, want) || !strings.Contains(got, "INVALID_PARAMETER_VALUE") {
			t.Errorf("%s: %d %s, want %q", body, status, got, want)
		}
	}
	// Enums come as numbers too, and the other prefix is the same.
	status, got := s.sendAs(t, s.owner, "POST", "/ajax-api/2.0/mlflow/webhooks",
		`{"name": "a", "url": "http://127.0.0.1", "events": [{"entity": 4, "action": "1"}], "secret": "hidden", "status": 2}`)
	if status != 200 || !strings.Contains(got, `"events":[{"entity":"MODEL_VERSION_ALIAS","action":"CREATED"}],"status":"DISABLED"`) ||
		strings.Contains(got, "hidden") || strings.Contains(got, "secret") {
		t.Errorf("numbers: %d %s", status, got)
	}
	if page, err := s.sink.List(t.Context(), projects["other"], "", 0); err != nil || len(page.Items) > 0 {
		t.Errorf("another project has %v, %v", page, err)
	}
}

// Between event and delivery a model may be deleted: then its name is what there is.
func TestWebhooks_TellOfWhatIsGoneByName(t *testing.T) {
	s, b := serve(t), newInbox(t)
	status, got := s.sendAs(t, s.owner, "POST", hooks, `{"name": "a", "url": "`+b.URL+
		`", "events": [{"entity": "REGISTERED_MODEL", "action": "CREATED"}]}`)
	if status != 200 {
		t.Fatal(got)
	}
	s.send(t, "POST", "/api/2.0/mlflow/registered-models/create", `{"name": "brief", "description": "lost"}`)
	s.send(t, "DELETE", "/api/2.0/mlflow/registered-models/delete", `{"name": "brief"}`)
	s.deliver(t)
	b.await(t, s, 1)
	if want := `"data":{"description":"","name":"brief","tags":{}}`; !strings.Contains(b.bodies[0], want) {
		t.Errorf("delivered %s, want %s", b.bodies[0], want)
	}
	if page, err := s.sink.List(t.Context(), fairlead.Project{K: 1}, "", 0); err != nil || len(page.Items) != 1 {
		t.Errorf("webhooks %v, %v", page, err)
	}
}
