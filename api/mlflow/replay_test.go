package mlflow_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead/api/mlflow"
	"github.com/fairlead-ml/fairlead/app"
	"github.com/fairlead-ml/fairlead/auth"
)

// player sends a recording to a server and holds its answers against MLflow's.
type player struct {
	base   string // with the project's prefix
	token  string
	chosen map[string]string // by this server: placeholder → value
}

// start starts the whole server and returns it with the owner's token.
func start(t *testing.T) (*app.App, string) {
	t.Helper()
	a, err := app.New(t.Context(), app.Options{Dir: t.TempDir(), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Stop(context.Background()) })
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	token, err := auth.ReadOwner(a.Dir())
	if err != nil {
		t.Fatal(err)
	}
	return a, token
}

func TestRecording_IsAnsweredAsByMLflowsServer(t *testing.T) {
	if *record {
		writeRecording(t)
	}
	a, token := start(t)
	if _, err := a.Projects.Apply(t.Context(), []byte("project: other\n"), ""); err != nil {
		t.Fatal(err)
	}
	all := readRecording(t)
	for _, prefix := range []string{"", "/p/other"} {
		p := player{base: a.URL() + prefix, token: token, chosen: map[string]string{}}
		for i, e := range all {
			for _, problem := range p.play(t, e) {
				t.Errorf("%s line %d, %s: %s", prefix, i+1, &e, problem)
			}
		}
	}
}

// play sends one request, and returns what is different in its answer.
func (p *player) play(t *testing.T, e exchange) []string {
	t.Helper()
	body := []byte(p.fill(string(e.Body)))
	if e.Bytes > 0 {
		body = make([]byte, e.Bytes)
	}
	url := p.base + p.fill(e.Path)
	if e.Query != "" {
		url += "?" + p.fill(e.Query)
	}
	req, err := http.NewRequestWithContext(t.Context(), e.Method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+p.token)
	if e.Body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != e.Status {
		return []string{fmt.Sprintf("status %d, MLflow's is %d: %s", resp.StatusCode, e.Status, answer)}
	}
	v := decoded(answer)
	p.learn(e.Answer, v)
	keep := func(string, string) string { return "" }
	return differences("", e.Answer, shapeOf(v, "", keep))
}

// fill puts what this server chose for the placeholders.
func (p *player) fill(text string) string {
	for mark, value := range p.chosen {
		text = strings.ReplaceAll(text, mark, value)
	}
	return text
}

// learn notes what this server chose where the recording has a placeholder.
func (p *player) learn(recorded, got any) {
	switch recorded := recorded.(type) {
	case map[string]any:
		object, _ := got.(map[string]any)
		for key, r := range recorded {
			p.learn(r, object[key])
		}
	case []any:
		list, _ := got.([]any)
		for i, r := range recorded {
			if i < len(list) {
				p.learn(r, list[i])
			}
		}
	case string:
		if text, ok := got.(string); ok && strings.HasPrefix(recorded, "{") {
			p.chosen[recorded] = text
		}
	}
}

// beyond is what this server says of a version and MLflow's does not, though the
// client has room for it: by whom and from which model it was made, and its aliases.
var beyond = []string{"user_id", "model_id", "aliases"}

// differences compares the shapes of two answers.
func differences(at string, want, got any) (out []string) {
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			return []string{fmt.Sprintf("%s is %v, MLflow's an object", at, got)}
		}
		for _, key := range slices.Sorted(maps.Keys(want)) {
			if v, ok := object[key]; ok {
				out = append(out, differences(at+"."+key, want[key], v)...)
			} else {
				out = append(out, "lacks "+at+"."+key)
			}
		}
		for _, key := range slices.Sorted(maps.Keys(object)) {
			if _, ok := want[key]; !ok && !slices.Contains(beyond, key) {
				out = append(out, "has "+at+"."+key+", which MLflow's has not")
			}
		}
		return out
	case []any:
		return listDifferences(at, want, got)
	case string:
		if strings.HasPrefix(want, "{") {
			want = "string"
		}
		if got != want {
			out = append(out, fmt.Sprintf("%s is %v, MLflow's %s", at, got, want))
		}
	}
	return out
}

// listDifferences demands that each item is like one of MLflow's.
func listDifferences(at string, want []any, got any) (out []string) {
	list, ok := got.([]any)
	if !ok || len(list) == 0 != (len(want) == 0) {
		return []string{fmt.Sprintf("%s is %v, MLflow's %v", at, got, want)}
	}
	for _, item := range list {
		var nearest []string
		for i, w := range want {
			if d := differences(at+"[]", w, item); i == 0 || len(d) < len(nearest) {
				nearest = d
			}
		}
		out = append(out, nearest...)
	}
	return out
}

// unrecorded are the routes that the flow does not come to. The client asks for most of
// them in another way; the others are for those who look after a server.
var unrecorded = []string{
	"GET /health",
	"GET /version",
	"GET /api/2.0/mlflow/experiments/search", // it posts
	"GET /api/2.0/mlflow/registered-models/get-latest-versions",          // it posts
	"GET /api/2.0/mlflow/artifacts/list",                                 // it asks the proxy
	"GET /api/2.0/mlflow/logged-models/{model_id}/artifacts/directories", // it asks the proxy
	"DELETE /api/2.0/mlflow-artifacts/artifacts/{path...}",               // `mlflow gc` does
	// Older clients and MLflow's pages call these.
	"GET /get-artifact",
	"GET /model-versions/get-artifact",
	"GET /api/2.0/mlflow/logged-models/{model_id}/artifacts/files",
	"GET /api/2.0/mlflow/metrics/get-history-bulk",
	"GET /api/2.0/mlflow/metrics/get-history-bulk-interval",
	"POST /api/2.0/mlflow/experiments/search-datasets",
	"POST /api/2.0mlflow/experiments/search-datasets",
	"POST /api/2.0/mlflow/runs/log-model",
	"POST /api/2.0/mlflow/upload-artifact",
	// MLflow's own server cannot take parts, nor workspaces as it is started.
	"POST /api/2.0/mlflow-artifacts/mpu/create/{path...}",
	"PUT /api/2.0/mlflow-artifacts/mpu/part/{upload_id}/{part}",
	"POST /api/2.0/mlflow-artifacts/mpu/complete/{path...}",
	"POST /api/2.0/mlflow-artifacts/mpu/abort/{path...}",
	"GET /api/3.0/mlflow/workspaces",
	"POST /api/3.0/mlflow/workspaces",
	"GET /api/3.0/mlflow/workspaces/{workspace_name}",
	"PATCH /api/3.0/mlflow/workspaces/{workspace_name}",
	"DELETE /api/3.0/mlflow/workspaces/{workspace_name}",
	// A server that others record has nowhere to deliver to: webhook_test.go calls these.
	"POST /api/2.0/mlflow/webhooks",
	"GET /api/2.0/mlflow/webhooks",
	"GET /api/2.0/mlflow/webhooks/{webhook_id}",
	"PATCH /api/2.0/mlflow/webhooks/{webhook_id}",
	"DELETE /api/2.0/mlflow/webhooks/{webhook_id}",
	"POST /api/2.0/mlflow/webhooks/{webhook_id}/test",
}

func TestRecording_ComesToEveryRouteOfTheOrdinaryFlow(t *testing.T) {
	mux, want := http.NewServeMux(), map[string]bool{}
	for _, r := range mlflow.New(nil, nil, nil, nil, nil).Routes() {
		route := r.Method + " " + r.Path
		if r.Method == auth.AnyMethod {
			continue // left out
		}
		mux.Handle(route, http.NotFoundHandler())
		want[route] = !strings.HasPrefix(r.Path, "/ajax-api/") && !slices.Contains(unrecorded, route)
	}
	called := map[string]bool{}
	for i, e := range readRecording(t) {
		_, route := mux.Handler(httptest.NewRequest(e.Method, e.Path, nil))
		if !want[route] {
			t.Errorf("line %d: %s comes to %q, no route of the ordinary flow", i+1, &e, route)
		}
		called[route] = true
	}
	for route, wanted := range want {
		if wanted && !called[route] {
			t.Errorf("nothing comes to %s", route)
		}
	}
}
