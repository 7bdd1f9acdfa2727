package app_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead/app"
	"github.com/fairlead-ml/fairlead/auth"
)

// garbage is what clients send by mistake, and attackers on purpose.
var garbage = []string{
	"", "0", "-1", "1", "999999999999999999999", "1e999", "NaN", "null", "true", "x", "a b", "ü模", "'", `"`, "%", "%%32",
	"' or 1=1 --", "../../etc/passwd", "..", "\x00", "\x7f", "\xff\xfe", "*", "{}", "[]", "a@b", "a@", "@", ",", ";",
	"models:/x", "runs:/x/y", "latest", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "-1s", strings.Repeat("a", 5000),
}

// bodies are none, not JSON, JSON of the wrong shape, deep, and nearly right.
var bodies = []string{
	"", "x", "{", "null", "[]", "1", `"s"`, "{}", `{"reason":1}`, `{"version":-1}`, `{"version":1e300}`, `{"to":""}`,
	`{"labels":[{"request_id":"","value":"NaN"}]}`, `{"labels":[{}]}`, `{"inputs":[{"name":"x","shape":[-1],"datatype":"FP64","data":[[1],2]}]}`,
	`{"inputs":[{"name":"x","shape":[1],"datatype":"FP64","data":[1e999]}]}`, `{"run_id":[],"key":{},"value":"x","timestamp":"y"}`,
	`{"run_id":"x","metrics":[{"key":"a","value":"NaN","step":"1"}]}`, `{"name":"","tags":{}}`, `{"filter":"((((","max_results":-1}`,
	`{"order_by":["x y z"],"experiment_ids":["0","x"]}`, strings.Repeat("[", 20000), `{"name":"` + strings.Repeat("n", 5000) + `"}`,
}

// TestRoutes_BadInputIsNeverOurFault calls every route with garbage in its path, its
// query and its body. Nothing may answer 500, and no answer may be empty of words.
func TestRoutes_BadInputIsNeverOurFault(t *testing.T) {
	a := open(t, t.TempDir())
	start(t, a)
	token, err := auth.ReadOwner(a.Dir())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Projects.Apply(t.Context(), []byte("project: p\n"), "c"); err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(from []string) string { return from[random.IntN(len(from))] }
	params := []string{"page", "limit", "wait", "after", "types", "from", "to", "kind", "metric", "by", "offset", "name", "run_id",
		"experiment_id", "filter", "max_results", "page_token", "order_by", "path", "run_uuid", "metric_key", "key", "version", "alias"}
	for _, r := range a.Routes() {
		for range 12 {
			path := fill(r.Path, func() string { return pick(garbage) })
			query := url.Values{}
			for range random.IntN(4) {
				query.Add(pick(params), pick(garbage))
			}
			w := send(t, a, token, r.Method, path+"?"+query.Encode(), pick(bodies))
			what := fmt.Sprintf("%s %.200s?%.200s", r.Method, path, query.Encode())
			if w.Code >= 500 && w.Code != http.StatusNotImplemented {
				t.Errorf("%s: %d %.300s", what, w.Code, w.Body)
			}
			if w.Code >= 400 && r.Method != http.MethodHead && len(bytes.TrimSpace(w.Body.Bytes())) < 10 {
				t.Errorf("%s: %d says only %q", what, w.Code, w.Body)
			}
		}
	}
}

// fill puts values into the wildcards of a route's path.
func fill(path string, value func() string) string {
	parts := strings.Split(strings.TrimSuffix(path, "{$}"), "/")
	for i, part := range parts {
		switch {
		case part == "{project}":
			parts[i] = "p"
		case strings.HasPrefix(part, "{"):
			parts[i] = url.PathEscape(value())
		}
	}
	return strings.Join(parts, "/")
}

func send(t *testing.T, a *app.App, token, method, target, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, "http://127.0.0.1:4747/", strings.NewReader(body))
	u, err := url.ParseRequestURI(target)
	if err != nil {
		t.Fatal(err)
	}
	r.URL = u
	r.RemoteAddr = "127.0.0.1:1"
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	return answered(a, r)
}
