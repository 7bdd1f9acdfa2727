package e2e_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead/auth"
)

// Published attacks on MLflow and its like. testdata/attacks.jsonl has a request on each
// line: the class of the attack, as what it was published (CVE or GHSA, empty where it was
// not), what is sent, and the statuses that are right for somebody who may call the route.
// Whoever may not is refused, whatever is right for others.

// attack is a line of the table. Words in braces are filled in; see target.fill.
type attack struct {
	Class   string            `json:"class"`
	As      string            `json:"as"`
	Method  string            `json:"method"`
	Path    string            `json:"path"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
	Want    []int             `json:"want"`
	Only    string            `json:"only"` // "open": where there are no accounts
}

func readAttacks(t *testing.T) (all []attack) {
	t.Helper()
	b, err := os.ReadFile("testdata/attacks.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(b) {
		var a attack
		if err := json.Unmarshal(line, &a); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		all = append(all, a)
	}
	return all
}

// secret is what nobody may read: it is in files outside of the data directory.
const secret = "CANARY-4f1c9a"

// target is a server with two projects, alpha and beta, and files around it that must
// stay as they are.
type target struct {
	*server
	canary string            // a directory outside
	fill   *strings.Replacer // of the words in braces
	ids    map[string]string // of things of both projects, by their words
}

func newTarget(t *testing.T) *target {
	t.Helper()
	g := &target{server: serve(t, t.TempDir()), canary: t.TempDir(), ids: map[string]string{}}
	for _, dir := range []string{g.canary, filepath.Dir(g.log)} {
		if err := os.WriteFile(filepath.Join(dir, "secret.txt"), []byte(secret), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for prefix, project := range map[string]string{"": "alpha", "their_": "beta"} {
		g.call("POST", "/api/3.0/mlflow/workspaces", `{"name":"`+project+`"}`).want(t, 201)
		g.furnish(t, prefix, "/p/"+project+"/api/2.0/mlflow")
	}
	_, port, _ := net.SplitHostPort(g.host())
	words := []string{"{canary}", g.canary, "{host}", g.host(), "{port}", port}
	for word, id := range g.ids {
		words = append(words, "{"+word+"}", id)
	}
	g.fill = strings.NewReplacer(words...)
	return g
}

// furnish makes a run with a file, a logged model, a registered model with a version, and
// an experiment in a project.
func (g *target) furnish(t *testing.T, prefix, api string) {
	t.Helper()
	make := func(word, path, body, pattern string) {
		t.Helper()
		answer := g.call("POST", api+path, body).want(t, 200).body
		m := regexp.MustCompile(pattern).FindStringSubmatch(answer)
		if m == nil {
			t.Fatalf("no %s in %s", pattern, answer)
		}
		g.ids[prefix+word] = m[1]
	}
	if prefix != "" { // so that the id is one that alpha does not have
		for i := range 20 {
			g.call("POST", api+"/experiments/create", fmt.Sprintf(`{"name":"%d"}`, i)).want(t, 200)
		}
	}
	make("experiment", "/experiments/create", `{"name":"`+prefix+`mine"}`, `"experiment_id":"(\w+)"`)
	make("run", "/runs/create", `{"experiment_id":"`+g.ids[prefix+"experiment"]+`","run_name":"`+secretOf(prefix)+`"}`,
		`"run_id":"(\w+)"`)
	run := g.ids[prefix+"run"]
	make("model", "/logged-models", `{"experiment_id":"`+g.ids[prefix+"experiment"]+`","name":"a"}`,
		`"model_id":"(m-\w+)"`)
	root := strings.TrimSuffix(api, "/mlflow") + "-artifacts/artifacts"
	root = strings.Replace(root, "/2.0-artifacts", "/2.0/mlflow-artifacts", 1)
	g.call("PUT", root+"/0/"+run+"/artifacts/kept.txt", secretOf(prefix)).want(t, 200)
	g.call("PUT", root+"/0/models/"+g.ids[prefix+"model"]+"/artifacts/kept.txt", secretOf(prefix)).want(t, 200)
	g.ids[prefix+"registered"] = prefix + "mine"
	g.call("POST", api+"/registered-models/create", `{"name":"`+prefix+`mine"}`).want(t, 200)
	make("version", "/model-versions/create", `{"name":"`+prefix+`mine","source":"runs:/`+run+`/model"}`,
		`"version":"?(\d+)"`)
}

// secretOf marks what is in project beta, which nobody of alpha may read.
func secretOf(prefix string) string {
	if prefix == "" {
		return "ours"
	}
	return secret
}

// betaBegins divides a state.
const betaBegins = "--- beta"

// state is all that an attack could change: the files around, and what the projects hold.
func (g *target) state(t *testing.T) string {
	t.Helper()
	var out strings.Builder
	for _, dir := range []string{g.canary, filepath.Dir(g.log)} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			fmt.Fprintln(&out, dir, e.Name(), e.Type())
		}
		b, err := os.ReadFile(filepath.Join(dir, "secret.txt"))
		fmt.Fprintln(&out, string(b), err)
	}
	for _, prefix := range []string{"", "their_"} {
		if prefix != "" {
			fmt.Fprintln(&out, betaBegins)
		}
		project := map[string]string{"": "alpha", "their_": "beta"}[prefix]
		for _, path := range []string{
			"/api/2.0/mlflow/experiments/search?max_results=1000",
			"/api/2.0/mlflow/registered-models/search",
			"/api/2.0/mlflow/model-versions/search",
			"/api/2.0/mlflow/runs/get?run_id=" + g.ids[prefix+"run"],
			"/api/2.0/mlflow/artifacts/list?run_id=" + g.ids[prefix+"run"],
			"/get-artifact?path=kept.txt&run_id=" + g.ids[prefix+"run"],
			"/api/2.0/mlflow/webhooks",
		} {
			fmt.Fprintln(&out, g.call("GET", "/p/"+project+path, nil).want(t, 200).body)
		}
	}
	for _, path := range []string{"/api/v1/users", "/api/v1/projects"} {
		fmt.Fprintln(&out, g.call("GET", path, nil).want(t, 200).body)
	}
	return out.String()
}

// raw sends a request as it is, without cleaning its path, and returns the answer.
func (g *target) raw(t *testing.T, method, path string, headers map[string]string, body string) (
	*http.Response, string) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", g.host(), 20*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	host, lines := g.host(), []string{"Connection: close"}
	for name, value := range headers {
		if name == "Host" {
			host = value
			continue
		}
		lines = append(lines, name+": "+value)
	}
	if body != "" {
		lines = append(lines, fmt.Sprintf("Content-Length: %d", len(body)))
	}
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n\r\n%s", method, path, host,
		strings.Join(lines, "\r\n"), body)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return res, string(answer)
}

// person is somebody who attacks.
type person struct {
	name  string
	token string // empty without accounts
	may   bool   // call the routes of the table in project alpha
}

// people makes accounts: a scientist of alpha, a viewer of alpha and a scientist of beta.
func (g *target) people(t *testing.T) []person {
	t.Helper()
	g.call("POST", "/api/v1/users", `{"name":"root","password":"`+phrase+`","role":"admin"}`).want(t, 200)
	out := []person{{name: "nobody"}}
	for _, p := range []struct{ name, role, project string }{{"ann", "data-scientist", "alpha"},
		{"vic", "viewer", "alpha"}, {"bea", "data-scientist", "beta"}} {
		g.call("POST", "/api/v1/users", `{"name":"`+p.name+`"}`).want(t, 200)
		g.call("PUT", "/api/v1/projects/"+p.project+"/roles/"+p.role+"/users/"+p.name, nil).want(t, 200)
		var made struct{ Token string }
		g.call("POST", "/api/v1/tokens", `{"name":"test","user":"`+p.name+`"}`).want(t, 200).decode(t, &made)
		out = append(out, person{p.name, made.Token, p.name == "ann"})
	}
	return out
}

// try sends a line of the table as somebody, in project alpha.
func (g *target) try(t *testing.T, a attack, p person) {
	t.Helper()
	path, headers := g.fill.Replace(a.Path), map[string]string{}
	if !slices.ContainsFunc([]string{"/api/v1/", "/p/", "/sign", "/first", "//"},
		func(root string) bool { return strings.HasPrefix(path, root) }) {
		path = "/p/alpha" + path
	}
	if p.token != "" {
		headers["Authorization"] = "Bearer " + p.token
	}
	for name, value := range a.Headers {
		headers[name] = g.fill.Replace(value)
	}
	res, answer := g.raw(t, a.Method, path, headers, g.fill.Replace(a.Body))
	right := slices.Contains(a.Want, res.StatusCode)
	if !p.may {
		right = refuses(res.StatusCode) || right && a.Method == "GET"
	}
	if !right || strings.Contains(answer, secret) || strings.Contains(answer, "fl_owner_") {
		t.Errorf("%s (%s) by %s: %s %s %.200s: %d %.300s, want %v", a.Class, a.As, p.name, a.Method, path,
			g.fill.Replace(a.Body), res.StatusCode, answer, a.Want)
	}
}

func TestAttacks_ThatWerePublished(t *testing.T) {
	g, all := newTarget(t), readAttacks(t)
	before := g.state(t)
	run := func(t *testing.T, everybody []person) {
		for _, a := range all {
			for _, p := range everybody {
				if a.Only == "open" && p.name != "local" {
					continue
				}
				g.try(t, a, p)
			}
		}
	}
	t.Run("without accounts", func(t *testing.T) { run(t, []person{{name: "local", may: true}}) })
	if after := g.state(t); after != before {
		t.Errorf("something has changed, from\n%s\nto\n%s", before, after)
	}
	people := g.people(t)
	before = g.state(t)
	t.Run("with accounts", func(t *testing.T) { run(t, people) })
	t.Run("webhooks by an administrator", func(t *testing.T) { webhooksToInside(t, g, all) })
	if after := g.state(t); after != before {
		t.Errorf("something has changed, from\n%s\nto\n%s", before, after)
	}
	t.Logf("%d requests of %d classes", len(all), classes(all))
	g.run(t.TempDir(), "audit", "verify").want(t, 0)
}

// webhooksToInside sends what only an administrator may: it is refused for where it leads.
func webhooksToInside(t *testing.T, g *target, all []attack) {
	for _, a := range all {
		if a.Class != "webhook to inside" {
			continue
		}
		answer := g.call(a.Method, "/p/alpha"+a.Path, g.fill.Replace(a.Body))
		if answer.status != 400 {
			t.Errorf("%s: %d %s", a.Body, answer.status, answer.body)
		}
	}
}

func classes(all []attack) int {
	seen := map[string]bool{}
	for _, a := range all {
		seen[a.Class] = true
	}
	return len(seen)
}

// Things of another project are as if they were not there, whichever route is asked for
// them: each answers as it does for ids that nobody has.
func TestAttacks_ThingsOfAnotherProject(t *testing.T) {
	g := newTarget(t)
	before := g.state(t)
	unknown := map[string]string{}
	for word, id := range g.ids {
		if theirs, ok := strings.CutPrefix(word, "their_"); ok {
			unknown[theirs] = regexp.MustCompile(`[0-9a-f]{32}`).ReplaceAllString(id, strings.Repeat("0", 32))
		}
	}
	unknown["experiment"], unknown["registered"] = "987654321", "their_none"
	theirs := map[string]string{}
	for word := range unknown {
		theirs[word] = g.ids["their_"+word]
	}
	token, err := auth.ReadOwner(g.data)
	if err != nil {
		t.Fatal(err)
	}
	owner := map[string]string{"Authorization": "Bearer " + token, "Content-Type": "application/json"}
	asked := 0
	for _, r := range projectRoutes(t) {
		if strings.HasSuffix(r.path, "/events/stream") {
			continue // names nothing, and does not end
		}
		var answers [2]string
		for i, ids := range []map[string]string{theirs, unknown} {
			path, query, body := requestWith(r, ids)
			if r.method == "GET" || r.method == "DELETE" {
				path += "?" + query
			}
			if r.method == "GET" {
				body = ""
			}
			res, answer := g.raw(t, r.method, path, owner, body)
			if strings.Contains(answer, secret) {
				t.Errorf("%s %s tells what is another project's: %d %.300s", r.method, path, res.StatusCode,
					answer)
			}
			for _, word := range []string{"model", "run", "registered", "experiment"} {
				whole := regexp.MustCompile(`\b` + ids[word] + `\b`)
				answer = whole.ReplaceAllString(answer, "<"+word+">")
			}
			if native := nativeBodies[r.method+" "+r.path] != nil; native && strings.Contains(answer, "validation failed") {
				t.Errorf("%s %s takes no %s: %s", r.method, path, body, answer)
			} else if !native && (res.StatusCode < 300 || strings.Contains(answer, "validation failed")) {
				answer = "" // what has ids and times of its own, or names what was sent
			}
			answers[i] = fmt.Sprint(res.StatusCode, " ", answer)
		}
		asked++
		if answers[0] != answers[1] {
			t.Errorf("%s %s tells that it is there:\n%.300s\n%.300s", r.method, r.path, answers[0], answers[1])
		}
	}
	t.Logf("%d routes", asked)
	if after := g.state(t); after[strings.Index(after, betaBegins):] != before[strings.Index(before, betaBegins):] {
		t.Errorf("beta has changed, from\n%s\nto\n%s", before, after)
	}
}

// namesItsOwn are calls that make something of a name, which is free in each project.
var namesItsOwn = regexp.MustCompile(`(experiments|registered-models)/create$`)

// projectRoutes are the routes of one project, of docs/routes.txt; MLflow's second names
// of them left out.
func projectRoutes(t *testing.T) (out []bodyRoute) {
	t.Helper()
	b, err := os.ReadFile("../docs/routes.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		ours := len(f) == 4 && (strings.HasPrefix(f[3], "/api/2.0") || strings.HasPrefix(f[3], "/api/3.0/mlflow/logged") ||
			strings.HasPrefix(f[3], "/api/v1/projects/{project}/") || strings.Contains(f[3], "get-artifact"))
		if !ours || f[0] == "*" || f[0] == "method" || namesItsOwn.MatchString(f[3]) {
			continue
		}
		out = append(out, bodyRoute{method: f[0], path: f[3]})
	}
	if len(out) < 120 {
		t.Fatalf("%d routes", len(out))
	}
	return out
}

// nativeBodies are those of the native API's routes that look for runs and logged models:
// unlike MLflow's they take no members that they do not know.
var nativeBodies = map[string]func(ids map[string]string) any{
	"POST /api/v1/projects/{project}/charts": func(ids map[string]string) any {
		return map[string]any{"series": []map[string]any{{"run": ids["run"], "key": "a"}}}
	},
	"POST /api/v1/projects/{project}/uploads": func(ids map[string]string) any {
		return map[string]any{"run": ids["run"], "path": "kept.txt", "bytes": 4}
	},
	"POST /api/v1/projects/{project}/runs/delete":  namesRuns,
	"POST /api/v1/projects/{project}/runs/restore": namesRuns,
	"POST /api/v1/projects/{project}/runs/tag": func(ids map[string]string) any {
		return map[string]any{"runs": []string{ids["run"]}, "set": map[string]string{"a": "b"}}
	},
	"PUT /api/v1/projects/{project}/experiments/{experiment}/name": func(map[string]string) any {
		return map[string]any{"name": "moved"}
	},
}

func namesRuns(ids map[string]string) any { return map[string]any{"runs": []string{ids["run"]}} }

// requestWith is a request of project alpha that names the given ids wherever a route
// could look for one.
func requestWith(r bodyRoute, ids map[string]string) (path, query, body string) {
	variables := map[string]string{"project": "alpha", "run": ids["run"], "run_id": ids["run"], "model": ids["registered"],
		"model_id": ids["model"], "version": ids["version"], "path...": "0/" + ids["run"] + "/artifacts/kept.txt",
		"tag_key": "a", "alias": "a", "endpoint": ids["registered"], "experiment": ids["experiment"],
		"upload_id": "1", "part": "1"}
	path = regexp.MustCompile(`\{([^}]*)\}`).ReplaceAllStringFunc(r.path, func(v string) string {
		if id, ok := variables[strings.Trim(v, "{}")]; ok {
			return id
		}
		return "1"
	})
	if !strings.HasPrefix(path, "/api/v1") {
		path = "/p/alpha" + path
	}
	fields := map[string]any{
		"run": ids["run"], "under": ids["run"], "nested": "true", "experiment": ids["experiment"],
		"by": "status", "text": ids["run"], "filter": "",
		"run_id": ids["run"], "run_uuid": ids["run"], "run_ids": []string{ids["run"]},
		"experiment_id": ids["experiment"], "experiment_ids": []string{ids["experiment"]},
		"model_id": ids["model"], "source_run_id": ids["run"], "name": ids["registered"],
		"version": ids["version"], "source": "runs:/" + ids["run"] + "/", "path": "kept.txt",
		"metric_key": "a", "key": "a", "value": "1", "timestamp": 1, "step": 1, "alias": "a", "stage": "Staging",
		"new_name": "moved", "description": "x", "status": "FINISHED", "artifact_path": "kept.txt",
		"artifact_file_path": "kept.txt", "params": []map[string]string{{"key": "a", "value": "b"}},
		"tags": []map[string]string{{"key": "a", "value": "b"}}, "num_parts": 1,
		"models":   []map[string]any{{"model_id": ids["model"], "step": 0}},
		"datasets": []any{}, "metrics": []any{}, "model_json": `{"run_id":"` + ids["run"] + `"}`,
	}
	var q []string
	for name, v := range fields {
		switch v := v.(type) {
		case string:
			q = append(q, name+"="+strings.ReplaceAll(v, " ", "%20"))
		case []string:
			q = append(q, name+"="+v[0])
		}
	}
	slices.Sort(q)
	var send any = fields
	if body := nativeBodies[r.method+" "+r.path]; body != nil {
		send = body(ids)
	}
	b, _ := json.Marshal(send)
	return path, strings.NewReplacer("{", "%7B", "}", "%7D", `"`, "%22").Replace(strings.Join(q, "&")), string(b)
}

// Guesses at a password are slowed, whichever way they come, also behind the form; who
// has the right one and is known goes on.
func TestAttacks_Guesses(t *testing.T) {
	g := newTarget(t)
	g.people(t)
	signIn := func(name, password string) int {
		res, _ := g.raw(t, "POST", "/signin", map[string]string{
			"Content-Type": "application/x-www-form-urlencoded"}, "name="+name+"&password="+password)
		return res.StatusCode
	}
	statuses := map[int]int{}
	for i := range 40 {
		statuses[signIn("root", fmt.Sprintf("guess+number+%d", i))]++
	}
	if statuses[401] < 5 || statuses[401] > 12 || statuses[401]+statuses[429] != 40 {
		t.Errorf("40 guesses at one name: %v", statuses)
	}
	statuses = map[int]int{}
	for i := range 40 { // at many names
		statuses[signIn(fmt.Sprintf("user%d", i), "a+guess+at+all")]++
	}
	if statuses[429] < 20 || statuses[401]+statuses[429] != 40 {
		t.Errorf("40 guesses at many names: %v", statuses)
	}
	log, err := os.ReadFile(g.log)
	if err != nil || !strings.Contains(string(log), "sign-in failed") || strings.Contains(string(log), "guess") {
		t.Errorf("the log, %v: %.300s", err, log)
	}
}
