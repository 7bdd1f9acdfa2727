package mlflow_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead/api/mlflow"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/tracking"
)

const api = "/api/2.0/mlflow/"

// ok sends a request that must succeed and decodes the answer.
func (s *server) ok(t testing.TB, method, path, body string, into any) {
	t.Helper()
	status, answer := s.send(t, method, path, body)
	if status != http.StatusOK {
		t.Fatalf("%s %s: %d %s", method, path, status, answer)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal([]byte(answer), into); err != nil {
		t.Fatalf("%s %s answers %q: %v", method, path, answer, err)
	}
}

func (s *server) newRun(t testing.TB) string {
	t.Helper()
	var answer struct {
		Run struct {
			Info struct {
				RunID string `json:"run_id"`
			}
		}
	}
	s.ok(t, "POST", api+"runs/create", `{"start_time":"1700000000000"}`, &answer)
	return answer.Run.Info.RunID
}

func TestErrors_HaveMLflowsCodesAndStatuses(t *testing.T) {
	s := serve(t)
	run := s.newRun(t)
	s.ok(t, "POST", api+"registered-models/create", `{"name":"m"}`, nil)
	for _, c := range []struct {
		method, path, body string
		status             int
		code, message      string
	}{
		{"GET", api + "experiments/get-by-name?experiment_name=x", "", 404, "RESOURCE_DOES_NOT_EXIST",
			"Could not find experiment with name 'x'"},
		{"GET", api + "experiments/get?experiment_id=abc", "", 400, "INVALID_PARAMETER_VALUE",
			"Invalid experiment ID 'abc'"},
		{"GET", api + "experiments/search?max_results=0", "", 400, "INVALID_PARAMETER_VALUE",
			"It must be a positive integer"},
		{"POST", api + "runs/log-metric", `{"run_id":"` + run + `","key":"a#","value":1,"timestamp":1}`,
			400, "INVALID_PARAMETER_VALUE", `Invalid value "a#" for parameter 'name' supplied`},
		{"GET", api + "registered-models/get-latest-versions?name=m&stages=Gone", "", 400,
			"INVALID_PARAMETER_VALUE", "Invalid Model Version stage: Gone"},
		{"POST", api + "experiments/create", `{"name":"Default"}`, 400, "RESOURCE_ALREADY_EXISTS",
			"Experiment(name=Default) already exists"},
		{"POST", api + "experiments/create", `{"name":"x","artifact_location":"s3://b"}`, 400,
			"INVALID_PARAMETER_VALUE", "artifact_location"},
		{"POST", api + "experiments/create", `{"name":"x","artifact_location":"mlflow-artifacts:/x"}`,
			400, "INVALID_PARAMETER_VALUE", "artifact_location"},
		{"POST", api + "experiments/create", `{}`, 400, "INVALID_PARAMETER_VALUE",
			"Missing value for required parameter 'name'."},
		{"GET", api + "runs/get?run_id=x", "", 404, "RESOURCE_DOES_NOT_EXIST", "Run with id=x not found"},
		{"GET", api + "runs/get", "", 400, "INVALID_PARAMETER_VALUE", "parameter 'run_id'"},
		{"POST", api + "runs/log-metric", `{"run_id":31,"key":"a","value":1,"timestamp":1}`, 400,
			"INVALID_PARAMETER_VALUE", "Invalid value 31 for parameter 'run_id' supplied"},
		{"POST", api + "runs/log-metric", `{"run_id":"` + run + `","key":"a","value":"b","timestamp":1}`,
			400, "INVALID_PARAMETER_VALUE", `Invalid value "b" for parameter 'value' supplied`},
		{"POST", api + "runs/log-metric", `{"run_id":"` + run + `","key":"a","value":1}`, 400,
			"INVALID_PARAMETER_VALUE", "parameter 'timestamp'"},
		{"POST", api + "runs/log-batch", `{"run_id":"` + run + `","metrics":[{"key":1}]}`, 400,
			"INVALID_PARAMETER_VALUE", "Invalid value 1 for parameter 'metrics[0].key' supplied"},
		{"POST", api + "runs/log-batch", `{"run_id":"` + run + `","params":[{"value":"1"}]}`, 400,
			"INVALID_PARAMETER_VALUE", "'params[0].key'"},
		{"POST", api + "runs/log-batch", `{"run_id":"` + run + `","metrics":{}}`, 400,
			"INVALID_PARAMETER_VALUE", "Value was of type 'dict'"},
		{"POST", api + "runs/set-tag", `[1]`, 400, "INVALID_PARAMETER_VALUE", "not a JSON object"},
		{"POST", api + "runs/set-tag", `{"run_id":`, 400, "INVALID_PARAMETER_VALUE", "not a JSON object"},
		{"POST", api + "runs/update", `{"run_id":"` + run + `","status":"DONE"}`, 400,
			"INVALID_PARAMETER_VALUE", `Invalid value "DONE" for parameter 'status'`},
		{"POST", api + "runs/search", `{"experiment_ids":["0"],"filter":"metrics.a = 'x'"}`, 400,
			"INVALID_PARAMETER_VALUE", "Expected numeric value type"},
		{"POST", api + "runs/search", `{"max_results":"x"}`, 400, "INVALID_PARAMETER_VALUE",
			"'max_results'"},
		{"GET", api + "logged-models/m-1", "", 404, "RESOURCE_DOES_NOT_EXIST", "m-1"},
		{"PATCH", api + "logged-models/m-1", `{"status":9}`, 400, "INVALID_PARAMETER_VALUE", "'status'"},
		{"POST", api + "registered-models/create", `{"name":"m"}`, 400, "RESOURCE_ALREADY_EXISTS",
			"Registered Model (name=m) already exists"},
		{"GET", api + "registered-models/get?name=x", "", 404, "RESOURCE_DOES_NOT_EXIST",
			"Registered Model with name=x not found"},
		{"GET", api + "registered-models/alias?name=m&alias=x", "", 400, "INVALID_PARAMETER_VALUE",
			"Registered model alias x not found."},
		{"POST", api + "registered-models/alias", `{"name":"m","alias":"live","version":"1"}`, 403,
			"PERMISSION_DENIED", "candidate"},
		{"GET", api + "model-versions/get?name=m&version=a", "", 400, "INVALID_PARAMETER_VALUE",
			"Parameter 'version' must be an integer, got 'a'."},
		{"POST", api + "model-versions/transition-stage", `{"name":"m","version":1,"stage":"Gone"}`, 400,
			"INVALID_PARAMETER_VALUE", "Invalid Model Version stage: Gone"},
		{"GET", "/p/none" + api + "runs/get?run_id=x", "", 404, "RESOURCE_DOES_NOT_EXIST",
			`there is no project "none"`},
		{"POST", api + "runs/log-metric", `{"run_id":"` + strings.Repeat("x", 70_000) + `"}`, 400,
			"INVALID_PARAMETER_VALUE", "longer than 65536 bytes"},
	} {
		status, answer := s.send(t, c.method, c.path, c.body)
		var e struct {
			Code    string `json:"error_code"`
			Message string `json:"message"`
		}
		if err := json.Unmarshal([]byte(answer), &e); err != nil {
			t.Errorf("%s %s answers %q", c.method, c.path, answer)
			continue
		}
		if status != c.status || e.Code != c.code || !strings.Contains(e.Message, c.message) {
			t.Errorf("%s %s %.60s: %d %s %q, want %d %s %q", c.method, c.path, c.body, status, e.Code,
				e.Message, c.status, c.code, c.message)
		}
	}
}

// What clients of other languages send: numbers as text, the older name of the
// run, enums by number, a body encoded twice, floats where ints are meant.
func TestRequests_AcceptTheFormsOfProtobufsJSON(t *testing.T) {
	s := serve(t)
	run := s.newRun(t)
	for _, c := range []struct{ path, body string }{
		{"runs/log-metric", `{"run_uuid":"%s","key":"a","value":"0.5","timestamp":"3","step":"2"}`},
		{"runs/log-metric", `{"run_id":"%s","key":"b","value":1,"timestamp":3.0,"step":null}`},
		{"runs/log-metric", `{"run_id":"%s","key":"nan","value":"NaN","timestamp":1}`},
		{"runs/log-metric", `{"run_id":"%s","key":"inf","value":"-Infinity","timestamp":1}`},
		{"runs/log-batch", `{"run_uuid":"%s","metrics":[{"key":"c","value":"1e3","timestamp":"1"}],
			"params":[{"key":"p","value":"1"}],"tags":[{"key":"t","value":""}]}`},
		{"runs/update", `{"run_uuid":"%s","status":3,"end_time":"9"}`},
	} {
		s.ok(t, "POST", api+c.path, fmt.Sprintf(c.body, run), nil)
	}
	twice, err := json.Marshal(fmt.Sprintf(`{"run_id":%q,"key":"x","value":"y"}`, run))
	if err != nil {
		t.Fatal(err)
	}
	s.ok(t, "POST", api+"runs/set-tag", string(twice), nil)
	var answer struct {
		Run struct {
			Info struct {
				Status  string
				EndTime int64  `json:"end_time"`
				RunUUID string `json:"run_uuid"`
			}
			Data struct {
				Metrics []struct {
					Key   string
					Value any
					Step  int64
				}
				Tags []tracking.Tag
			}
		}
	}
	s.ok(t, "GET", api+"runs/get?run_uuid="+run, "", &answer)
	if i := answer.Run.Info; i.Status != "FINISHED" || i.EndTime != 9 || i.RunUUID != run {
		t.Errorf("info %+v", i)
	}
	got := map[string]any{}
	for _, m := range answer.Run.Data.Metrics {
		got[m.Key] = m.Value
	}
	want := map[string]any{"a": 0.5, "b": 1.0, "nan": "NaN", "inf": -math.MaxFloat64, "c": 1000.0}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("metrics %v, want %v", got, want)
	}
	if len(answer.Run.Data.Tags) != 3 {
		t.Errorf("tags %v", answer.Run.Data.Tags)
	}
}

func TestGetHistory_PagesThroughAllPoints(t *testing.T) {
	s := serve(t)
	run := s.newRun(t)
	var points []string
	for i := range 25 {
		points = append(points, fmt.Sprintf(`{"key":"lo ss","value":%d,"timestamp":1,"step":%d}`, i, i))
	}
	s.ok(t, "POST", api+"runs/log-batch",
		fmt.Sprintf(`{"run_id":%q,"metrics":[%s]}`, run, strings.Join(points, ",")), nil)
	var steps []int64
	token := ""
	for {
		var page struct {
			Metrics []struct{ Step int64 }
			Next    string `json:"next_page_token"`
		}
		s.ok(t, "GET", api+"metrics/get-history?metric_key=lo+ss&max_results=10&run_id="+run+
			"&page_token="+token, "", &page)
		for _, m := range page.Metrics {
			steps = append(steps, m.Step)
		}
		if token = page.Next; token == "" {
			break
		}
	}
	if len(steps) != 25 || steps[24] != 24 {
		t.Errorf("steps %v", steps)
	}
}

func TestArtifacts_AreKeysAndNeverPaths(t *testing.T) {
	s := serve(t)
	run := s.newRun(t)
	const proxy = "/api/2.0/mlflow-artifacts/artifacts"
	root := proxy + "/0/" + run + "/artifacts"
	s.ok(t, "PUT", root+"/a%20b/%C3%BC%25.txt", "hello", nil)
	if _, got := s.send(t, "GET", root+"/a%20b/%C3%BC%25.txt", ""); got != "hello" {
		t.Errorf("read %q", got)
	}
	for _, path := range []string{
		"/0/" + run + "/artifacts/%2e%2e/x", "/%2e%2e/%2e%2e/etc/passwd", "/0/..%2fx",
		"/0/%252e%252e/x", "/0/%252525252e%252525252e/x", "/%2fetc%2fpasswd", "/0/a%5c..%5cb",
		"/0/a%00b", "/0", "/0/" + run + "/artifacts",
	} {
		for _, method := range []string{"GET", "PUT", "DELETE"} {
			body := "x"
			if method == "DELETE" {
				body = ""
			}
			status, answer := s.send(t, method, proxy+path, body)
			if status != 400 || !strings.Contains(answer, " path ") {
				t.Errorf("%s %s: %d %s", method, path, status, answer)
			}
		}
	}
	for _, path := range []string{"..", "../x", "0/%2e%2e/x", "/etc", "0/../1"} {
		status, answer := s.send(t, "GET", proxy+"?path="+strings.ReplaceAll(path, "%", "%25"), "")
		if status != 400 {
			t.Errorf("list %s: %d %s", path, status, answer)
		}
		status, answer = s.send(t, "GET", api+"artifacts/list?run_id="+run+"&path="+path, "")
		if status != 400 {
			t.Errorf("list run %s: %d %s", path, status, answer)
		}
	}
	if status, _ := s.send(t, "PUT", proxy+"/0/0123/artifacts/x", "x"); status != 404 {
		t.Errorf("an unknown run takes artifacts: %d", status)
	}
}

func TestArtifacts_AreAttachmentsAndOfOneProject(t *testing.T) {
	s := serve(t)
	run := s.newRun(t)
	path := "/api/2.0/mlflow-artifacts/artifacts/0/" + run + "/artifacts/page.html"
	s.ok(t, "PUT", path, "<script>", nil)
	resp, err := s.Client().Get(s.URL + path)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := resp.Header.Get("Content-Disposition"); got != "attachment; filename=page.html" {
		t.Errorf("Content-Disposition is %q", got) // the edge sandboxes all answers
	}
	for _, p := range []string{path, api + "runs/get?run_id=" + run,
		api + "artifacts/list?run_id=" + run} {
		if status, _ := s.send(t, "GET", "/p/other"+p, ""); status != 404 {
			t.Errorf("another project reads %s: %d", p, status)
		}
	}
	s.ok(t, "DELETE", path, "", nil)
	if status, _ := s.send(t, "GET", path, ""); status != 404 {
		t.Errorf("a deleted artifact is read: %d", status)
	}
}

func TestRoutes_StatePermissionAndLimitUnderBothPrefixes(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range mlflow.New(nil, nil, nil, nil, nil).Routes() {
		key := r.Method + " " + r.Path
		if seen[key] || r.Permission == "" || r.Handle == nil || r.Fail == nil {
			t.Errorf("route %+v", r)
		}
		seen[key] = true
		if r.Method == "GET" && r.Permission == auth.Track {
			t.Errorf("%s asks for %q", key, r.Permission)
		}
		if (r.Method == "GET") != (r.BodyLimit == 0) {
			t.Errorf("%s has the body limit %d", key, r.BodyLimit)
		}
	}
	for key := range seen {
		if key == "* /v1/traces" || key == "* /v1/traces/{rest...}" {
			continue // OpenTelemetry's own path
		}
		twin := strings.Replace(key, " /api/", " /ajax-api/", 1)
		if !seen[twin] {
			t.Errorf("%s has no twin", key)
		}
	}
}

func TestInfo_NeedsNoProject(t *testing.T) {
	s := serve(t)
	if _, got := s.send(t, "GET", "/version", ""); got != mlflow.Version {
		t.Errorf("version %q", got)
	}
	if _, got := s.send(t, "GET", "/health", ""); got != "OK" {
		t.Errorf("health %q", got)
	}
	var info map[string]any
	s.ok(t, "GET", "/p/none/api/3.0/mlflow/server-info", "", &info)
	if info["multipart_uploads_enabled"] != true || info["workspaces_enabled"] != true {
		t.Errorf("info %v", info)
	}
}

func TestAlias_CandidateNeedsTheOwnersTokenAndIsAnEvent(t *testing.T) {
	s := serve(t)
	run := s.newRun(t)
	s.ok(t, "POST", api+"registered-models/create", `{"name":"m"}`, nil)
	var v struct {
		ModelVersion struct{ Version, Source, Status string } `json:"model_version"`
	}
	s.ok(t, "POST", api+"model-versions/create",
		`{"name":"m","source":"runs:/`+run+`/model","run_id":"`+run+`"}`, &v)
	if v.ModelVersion.Version != "1" || v.ModelVersion.Status != "READY" {
		t.Errorf("version %+v", v)
	}
	candidate := `{"name":"m","alias":"candidate","version":1}`
	status, answer := s.send(t, "POST", api+"registered-models/alias", candidate)
	if status != 403 || !strings.Contains(answer, `"error_code":"PERMISSION_DENIED"`) ||
		!strings.Contains(answer, "export MLFLOW_TRACKING_TOKEN=$(cat DATA/token)") {
		t.Errorf("without a token: %d %s", status, answer)
	}
	status, answer = s.sendAs(t, s.owner, "POST", api+"registered-models/alias", candidate)
	if status != 200 {
		t.Errorf("with the owner's token: %d %s", status, answer)
	}
	var uri struct {
		URI string `json:"artifact_uri"`
	}
	s.ok(t, "GET", api+"model-versions/get-download-uri?name=m&version=1", "", &uri)
	if uri.URI != "mlflow-artifacts:/0/"+run+"/artifacts/model" {
		t.Errorf("download from %s", uri.URI)
	}
	head, err := s.led.Head(t.Context())
	if err != nil || head != 5 { // default experiment, run, model, version, alias
		t.Errorf("%d events, %v", head, err)
	}
	s.ok(t, "DELETE", api+"registered-models/alias", `{"name":"m","alias":"candidate"}`, nil)
}

// Any body must get an answer that is not the server's fault.
func FuzzLogBatch(f *testing.F) {
	s := serve(f)
	run := s.newRun(f)
	for _, body := range []string{
		`{"run_id":"` + run + `","metrics":[{"key":"a","value":1,"timestamp":1,"step":1}]}`,
		`{"run_id":"` + run + `","params":[{"key":"a","value":1}],"tags":[null,{}]}`,
		`{"run_uuid":1e999,"metrics":[{"key":"a","value":1e999,"timestamp":-1,"step":"0x1"}]}`,
		`"{\"run_id\":\"x\"}"`, `null`, `[]`, `{"metrics":"x"}`, `{"run_id":"\ud800","tags":[[]]}`,
	} {
		f.Add(body)
	}
	for _, filter := range []string{"metrics.a > 1 and tags.`b` like '%[_'", "run_id in ('a','b')",
		"dataset.context ilike '%x' and params.p is null", "attributes.end_time <= 1e400"} {
		f.Add(filter)
	}
	f.Fuzz(func(t *testing.T, body string) {
		filter, err := json.Marshal(map[string]any{"experiment_ids": []string{"0"}, "filter": body})
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"runs/search", "experiments/search", "logged-models/search"} {
			if status, answer := s.send(t, "POST", api+path, string(filter)); status >= 500 {
				t.Errorf("%s %q: %d %s", path, filter, status, answer)
			}
		}
		for _, path := range []string{"runs/log-batch", "runs/log-metric", "runs/create",
			"runs/search", "logged-models/search", "runs/log-inputs"} {
			if status, answer := s.send(t, "POST", api+path, body); status >= 500 {
				t.Errorf("%s %q: %d %s", path, body, status, answer)
			}
		}
	})
}
