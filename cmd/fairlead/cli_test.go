package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/app"
	"github.com/fairlead-ml/fairlead/data/query"
	"github.com/fairlead-ml/fairlead/engine/onnx"
	"github.com/fairlead-ml/fairlead/job/shim"
	"github.com/fairlead-ml/fairlead/registry"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

func TestMain(m *testing.M) {
	shim.Main()      // steps of the server in this process start the test's binary
	onnx.ChildMain() // and so do the children that run models
	query.ChildMain()
	os.Exit(m.Run())
}

// ran is what a command did.
type ran struct {
	status      int
	out, stderr string
}

// command runs a command line as a user types it, without the program's name.
func command(t *testing.T, args ...string) ran {
	t.Helper()
	return within(t, t.Context(), args...)
}

func within(t *testing.T, ctx context.Context, args ...string) ran {
	t.Helper()
	var out, stderr bytes.Buffer
	status := execute(ctx, args, &out, &stderr)
	return ran{status, out.String(), stderr.String()}
}

// elsewhere makes an empty directory the working directory, and data that of the
// commands.
func elsewhere(t *testing.T) (data string) {
	t.Chdir(t.TempDir())
	data = filepath.Join(t.TempDir(), "data")
	for name, value := range map[string]string{"FAIRLEAD_DATA": data, "FAIRLEAD_SERVER": "",
		"FAIRLEAD_TOKEN": "", "FAIRLEAD_PROJECT": ""} {
		t.Setenv(name, value)
	}
	return data
}

func TestExitStatus_FollowsTheTable(t *testing.T) {
	elsewhere(t)
	write(t, "bad.yaml", "project: x\nprojekt: y\n")
	write(t, "good.yaml", "project: x\n")
	write(t, "t.csv", "at,id\n")
	if err := os.Mkdir("sub", 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, "sub/fairlead.yaml", "project: x\n")
	for _, tt := range []struct {
		args string
		want int
		says string // part of stderr
	}{
		{"version", 0, ""},
		{"--version", 0, ""},
		{"completion bash", 0, ""},
		{"check .", 5, "there is no fairlead.yaml"},
		{"check sub", 0, ""},
		{"check good.yaml", 0, ""},
		{"help", 0, ""},
		{"run --help", 0, ""},
		{"check bad.yaml", 1, "projekt"},
		{"check nothing.yaml", 5, "there is no nothing.yaml"},
		{"frobnicate", 2, "frobnicate"},
		{"--frobnicate", 2, "unknown flag"},
		{"case --frobnicate", 2, "unknown flag"},
		{"case a b", 2, "at most 1"},
		{"why", 2, "accepts 1 arg"},
		{"gate", 2, "explain"},
		{"loop frobnicate", 2, "frobnicate"},
		{"audit", 2, "verify | prove"},
		{"version -o yaml", 2, "text or json"},
		{"version -o csv", 2, "text or json"},
		{"release m zero", 2, "VERSION"},
		{"rollback m", 2, "--reason"},
		{"replay t.csv", 2, "--time"},
		{"job --cancel", 2, "which job"},
		{"serve --log-level loud", 2, "debug, info"},
		{"serve --listen 0.0.0.0:1", 6, "127.0.0.1"},
		{"case --server nonsense", 2, "http://"},
		{"case --server http://127.0.0.1:1", 1, "fairlead serve"},
		{"case -p nobody", 5, "nobody"},
		{"case ca_nothing -p default", 5, "case"},
		{"audit prove 999", 5, ""},
		{"audit bundle nothing", 2, "accepts 2 arg"},
		{"audit bundle nothing 1 -p default", 5, "nothing"},
		{"audit check nothing.json", 5, "cannot be read"},
		{"run", 5, "fairlead.yaml"},
	} {
		t.Run(tt.args, func(t *testing.T) {
			got := command(t, strings.Fields(tt.args)...)
			if got.status != tt.want || !strings.Contains(got.stderr, tt.says) {
				t.Errorf("status %d, want %d; stderr %q", got.status, tt.want, got.stderr)
			}
			if tt.want != 0 && got.out != "" {
				t.Errorf("a failure prints on stdout: %q", got.out)
			}
		})
	}
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// each calls fn for every command.
func each(cmd *cobra.Command, fn func(*cobra.Command)) {
	fn(cmd)
	for _, sub := range cmd.Commands() {
		if sub.Name() != "help" {
			each(sub, fn)
		}
	}
}

func TestHelp_EveryCommandHasExamplesThatParse(t *testing.T) {
	each(newRoot(io.Discard, io.Discard), func(cmd *cobra.Command) {
		path := cmd.CommandPath()
		if cmd.Short == "" || cmd.Example == "" {
			t.Errorf("%s has no short help or no example", path)
		}
		for _, line := range strings.Split(cmd.Example, "\n") {
			line, _, _ = strings.Cut(line, "#")
			for _, one := range strings.Split(line, "&&") {
				one, _, _ = strings.Cut(one, ">")
				args := words(one)
				if len(args) == 0 {
					continue
				}
				if args[0] != "fairlead" {
					t.Errorf("%s: the example %q is not a command", path, one)
					continue
				}
				root := newRoot(io.Discard, io.Discard)
				found, rest, err := root.Find(args[1:])
				if err == nil {
					err = found.ParseFlags(rest)
				}
				if err == nil {
					err = found.ValidateArgs(found.Flags().Args())
				}
				if err != nil {
					t.Errorf("%s: the example %q does not parse: %v", path, one, err)
				}
			}
		}
	})
}

// words splits a line as a shell does, as far as examples need.
func words(line string) (out []string) {
	for _, m := range regexp.MustCompile(`"([^"]*)"|(\S+)`).FindAllStringSubmatch(line, -1) {
		out = append(out, m[1]+m[2])
	}
	return out
}

// serveHere starts a server for the data directory, with a project.
func serveHere(t *testing.T, data string) *app.App {
	t.Helper()
	a, err := app.New(t.Context(), app.Options{Dir: data, Listen: "127.0.0.1:0", Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Stop(context.Background()) })
	if _, err := a.Projects.Apply(t.Context(), []byte("project: x\n"), "c"); err != nil {
		t.Fatal(err)
	}
	return a
}

func TestJSON_IsOneDocument(t *testing.T) {
	data := elsewhere(t)
	write(t, "fairlead.yaml", "project: x\n")
	commands := []string{"version", "check", "case", "endpoint", "job", "data", "model", "rollout",
		"incident", "audit verify", "audit prove 1", "runs", "runs --count"}
	try := func(t *testing.T) {
		for _, args := range commands {
			got := command(t, append(strings.Fields(args), "-o", "json")...)
			dec := json.NewDecoder(strings.NewReader(got.out))
			var doc any
			if err := dec.Decode(&doc); got.status != 0 || err != nil {
				t.Errorf("%s: status %d, %v, %q %q", args, got.status, err, got.out, got.stderr)
				continue
			}
			if err := dec.Decode(&doc); err != io.EOF {
				t.Errorf("%s prints more than one document: %q", args, got.out)
			}
			if text := command(t, strings.Fields(args)...); text.status != 0 || text.out == "" {
				t.Errorf("%s as text: %+v", args, text)
			}
		}
	}
	a := serveHere(t, data)
	t.Run("with a server", try)
	if err := a.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Run("without one", try)
}

// answers is a server that answers paths with JSON, and remembers what it was asked.
type answers struct {
	*httptest.Server
	mu     sync.Mutex
	bodies map[string]string // "GET /path" → answer
	asked  []*http.Request
	fail   int // requests to drop without an answer
}

func newAnswers(t *testing.T, bodies map[string]string) *answers {
	a := &answers{bodies: bodies}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)
	return a
}

func (a *answers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, r)
	body, ok := a.bodies[r.Method+" "+strings.TrimPrefix(r.URL.Path, "/api/v1/projects/")]
	switch {
	case a.fail > 0 && len(a.asked) > 1:
		a.fail--
		panic(http.ErrAbortHandler)
	case !ok:
		w.WriteHeader(404)
		fmt.Fprintf(w, `{"detail":"no %s","code":"not_found"}`, r.URL.Path)
	default:
		io.WriteString(w, body)
	}
}

func TestRelease_EndsWithTheCaseAndSaysWhy(t *testing.T) {
	elsewhere(t)
	for _, tt := range []struct {
		name, final, rollout string
		status               int
		says                 string
	}{
		{"promoted", `"state":"closed","outcome":"promoted"`, "", 0, "look at it: fairlead endpoint m"},
		{"stopped by the gate", `"state":"closed","outcome":"stopped","reason":"fair is red","decision":"d1"`, "", 3, "gate explain d1"},
		{"failed", `"state":"closed","outcome":"failed","reason":"step train: exit 1"`, "", 1, "exit 1"},
		{"rolled back", `"state":"closed","outcome":"rolledback","reason":"worse"`, "", 1, "worse"},
		{"canary begins", `"state":"releasing","rollout":"r1"`, `"strategy":"canary","state":"running"`,
			0, "fairlead case c1"},
		{"canary asks", `"state":"releasing","rollout":"r1"`,
			`"strategy":"canary","state":"waiting_human","reason":"no labels"`, 4, "no labels"},
		{"shadow begins", `"state":"releasing","rollout":"r1"`, `"strategy":"shadow","state":"running"`,
			0, "version 2 scores every request"},
		{"shadow asks", `"state":"releasing","rollout":"r1"`,
			`"strategy":"shadow","state":"waiting_human","reason":"compared"`, 4, "compared"},
		{"behind a canary", `"state":"waiting"`, `"strategy":"canary","state":"running"`, 0,
			"case c1 begins when the canary of version 2 on m@p has ended"},
		{"behind one that asks", `"state":"waiting"`,
			`"strategy":"canary","state":"waiting_human","reason":"no labels"`, 4, "no labels"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rollout := `{"rollout":{"to":2,"percent":5,"endpoint":"m@p",` + tt.rollout + `}}`
			s := newAnswers(t, map[string]string{
				"PUT x/models/m/candidate": `{"id":"c1","model":"m","state":"packaging"}`,
				"GET x/cases/c1":           `{"id":"c1","model":"m",` + tt.final + `}`,
				"GET x/rollouts/r1":        rollout,
				"GET x/loop/m":             rollout,
			})
			got := command(t, "release", "m", "2", "-p", "x", "--server", s.URL)
			if got.status != tt.status || !strings.Contains(got.stderr, tt.says) {
				t.Errorf("status %d, want %d: %s", got.status, tt.status, got.stderr)
			}
			if !strings.Contains(got.stderr, "case c1") {
				t.Errorf("no progress: %q", got.stderr)
			}
		})
	}
}

func TestClient_WaitsForAServerThatRestarts(t *testing.T) {
	elsewhere(t)
	s := newAnswers(t, map[string]string{
		"PUT x/models/m/candidate": `{"id":"c1","model":"m","state":"packaging"}`,
		"GET x/cases/c1":           `{"id":"c1","model":"m","state":"closed","outcome":"promoted"}`,
	})
	s.fail = 3
	if got := command(t, "release", "m", "2", "-p", "x", "--server", s.URL); got.status != 0 {
		t.Fatalf("%+v", got)
	}
	keys := map[string]int{}
	for _, r := range s.asked {
		if r.Method == "PUT" {
			keys[r.Header.Get("Idempotency-Key")]++
		}
	}
	if len(keys) != 1 || keys[""] != 0 {
		t.Errorf("the change was sent with the keys %v", keys)
	}
}

// The demo follows the events with the client that it plays with; the race detector
// sees when they disturb each other.
func TestClient_IsShared(t *testing.T) {
	s := newAnswers(t, map[string]string{"GET x/cases": `{"items":[]}`})
	cl := &client{base: s.URL, project: "x", http: newHTTP()}
	var callers sync.WaitGroup
	for range 2 {
		callers.Go(func() {
			if err := cl.do(t.Context(), "GET", "/cases", nil, nil); err != nil {
				t.Error(err)
			}
		})
	}
	callers.Wait()
}

func TestClient_SaysWhenTheServerHasGone(t *testing.T) {
	elsewhere(t)
	s := newAnswers(t, map[string]string{})
	s.fail = 1000
	cl := &client{base: s.URL, project: "x", http: newHTTP()}
	cl.do(t.Context(), "GET", "/cases", nil, nil) // meets the server
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := cl.do(t.Context(), "POST", "/cases", nil, nil); err == nil ||
		!strings.Contains(err.Error(), "has gone") {
		t.Errorf("a change without key: %v", err)
	}
	if time.Since(began) > 5*time.Second {
		t.Error("a change without key was repeated")
	}
	if err := cl.do(ctx, "GET", "/cases", nil, nil); err == nil {
		t.Error("a reading call gives up without an error")
	}
}

func TestClient_ShowsTheTokenToNoOtherServer(t *testing.T) {
	data := elsewhere(t)
	a := serveHere(t, data)
	other := newAnswers(t, map[string]string{"GET x/cases": `{"items":[]}`})
	seen := func() string { return other.asked[len(other.asked)-1].Header.Get("Authorization") }
	if got := command(t, "case", "-p", "x", "--server", other.URL); got.status != 0 || seen() != "" {
		t.Errorf("status %d, authorization %q", got.status, seen())
	}
	t.Setenv("FAIRLEAD_TOKEN", "given")
	if got := command(t, "case", "-p", "x", "--server", other.URL); got.status != 0 ||
		seen() != "Bearer given" {
		t.Errorf("status %d, authorization %q", got.status, seen())
	}
	t.Setenv("FAIRLEAD_TOKEN", "")
	local := strings.Replace(a.URL(), "127.0.0.1", "localhost", 1)
	for _, tt := range []struct {
		server string
		status int
	}{{a.URL(), 1}, {local + "/", 1}} { // allowed, and refused because there is no model
		got := command(t, "loop", "pause", "m", "-p", "x", "--server", tt.server)
		if got.status == 6 {
			t.Errorf("%s: %s", tt.server, got.stderr)
		}
	}
	if got := command(t, "loop", "pause", "m", "-p", "x", "--server", a.URL(), "--data",
		t.TempDir()); got.status != 6 {
		t.Errorf("without the token: %+v", got)
	}
}

func TestServe_SaysWhereAndStopsAtASignal(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		data := elsewhere(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan ran, 1)
		go func() {
			done <- within(t, ctx, "--listen", "127.0.0.1:0", "-o", format, "--log-level",
				"error")
		}()
		url := awaitServer(t, data)
		cancel()
		got := <-done
		if got.status != 0 || !strings.Contains(got.out, url) {
			t.Errorf("%+v", got)
		}
		if format == "text" && !strings.Contains(got.out, "export MLFLOW_TRACKING_URI="+url) {
			t.Errorf("no export line in %q", got.out)
		}
		if format == "json" && !json.Valid([]byte(got.out)) {
			t.Errorf("not one document: %q", got.out)
		}
	}
}

func awaitServer(t *testing.T, data string) string {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		if s, err := app.FindServer(t.Context(), data); err == nil {
			return s.URL
		}
		if pause(t.Context(), 10*time.Millisecond) != nil {
			break
		}
	}
	t.Fatal("no server")
	return ""
}

// TestRun_WorksWithoutAServer takes a project whose only step fails the whole way,
// with the server in the command's own process.
func TestRun_WorksWithoutAServer(t *testing.T) {
	elsewhere(t)
	before := syscall.Umask(0o022)
	defer syscall.Umask(before)
	write(t, "fairlead.yaml", `project: small
data:
  rows: {from: rows.csv}
pipeline:
  steps:
    train: {run: "echo it begins; umask; exit 7", in: [rows], out: [model]}
`)
	write(t, "rows.csv", "a,b\n1,2\n3,4\n")
	commitHere(t)
	t.Setenv("FAIRLEAD_STEPS", "many")
	if got := command(t, "case"); got.status != 2 || !strings.Contains(got.stderr, "FAIRLEAD_STEPS") {
		t.Errorf("a setting that is wrong: %+v", got)
	}
	t.Setenv("FAIRLEAD_STEPS", "1")
	if got := command(t, "run", "--detach"); got.status != 2 ||
		!strings.Contains(got.stderr, "fairlead serve") {
		t.Errorf("detached from a server that ends: %+v", got)
	}
	got := command(t, "run", "-o", "json")
	if got.status != 1 || !strings.Contains(got.stderr, "7") {
		t.Fatalf("%+v", got)
	}
	var k struct{ Outcome string }
	if err := json.Unmarshal([]byte(got.out), &k); err != nil || k.Outcome != "failed" {
		t.Errorf("%v, %q", err, got.out)
	}
	log := command(t, "log", "train", "-o", "json")
	var part struct{ Text string }
	if err := json.Unmarshal([]byte(log.out), &part); err != nil ||
		!strings.Contains(part.Text, "it begins\n0077\n") {
		t.Errorf("%v, %+v", err, log)
	}
	if log := command(t, "log", "train"); log.out != part.Text {
		t.Errorf("as text %q, as JSON %q", log.out, part.Text)
	}
	if why := command(t, "why", "train"); why.status != 0 || why.out == "" {
		t.Errorf("%+v", why)
	}
	if jobs := command(t, "job"); jobs.status != 0 || !strings.Contains(jobs.out, "pipeline") {
		t.Errorf("%+v", jobs)
	}
	if sets := command(t, "data", "rows", "latest"); sets.status != 0 ||
		!strings.Contains(sets.out, "2 rows") {
		t.Errorf("%+v", sets)
	}
	for want, args := range map[string][]string{
		"n  x\n2  -\n": {"data", "query", "select count(*) as n, null as x from rows"},
		"n\n2\n":       {"data", "query", "select count(*) as n from rows", "-o", "csv"},
	} {
		if got := command(t, args...); got.status != 0 || got.out != want {
			t.Errorf("%v: %+v", args, got)
		}
	}
	if got := command(t, "data", "query", "select nope from rows"); got.status != 1 ||
		!strings.Contains(got.stderr, "line 1, column 8") {
		t.Errorf("%+v", got)
	}
	if got := command(t, "data", "query", "copy rows to 'x'", "-o", "csv"); got.status != 1 {
		t.Errorf("%+v", got)
	}
	if got := command(t, "data", "diff", "rows", "1", "latest"); got.status != 0 ||
		!strings.Contains(got.out, "from rows/1 (2 rows) to rows/1 (2 rows)") {
		t.Errorf("%+v", got)
	}
}

func TestRun_StopsCleanlyWhenInterrupted(t *testing.T) {
	elsewhere(t)
	ctx, cancel := context.WithCancel(t.Context())
	s := newAnswers(t, map[string]string{"PUT x/models/m/candidate": `{"id":"c1","model":"m","state":"packaging"}`,
		"GET x/cases/c1": `{"id":"c1","model":"m","state":"training"}`})
	time.AfterFunc(100*time.Millisecond, cancel)
	got := within(t, ctx, "release", "m", "2", "-p", "x", "--server", s.URL)
	if got.status != 1 || !strings.Contains(got.stderr, "interrupted; case c1 goes on") {
		t.Errorf("%+v", got)
	}
}

func TestErrors_AreJSONWhenTheAnswerIs(t *testing.T) {
	elsewhere(t)
	for args, want := range map[string]failure{
		"check nothing.yaml": {"there is no nothing.yaml", "not_found", 5},
		"rollback m":         {"--reason", "usage", 2},
		"why":                {"accepts 1 arg", "usage", 2},
		"model m x":          {"VERSION is \"x\"; it is a number from 1: `fairlead model m`", "usage", 2},
		"model show m 0":     {"`fairlead model m` lists them", "usage", 2},
		"model card m x":     {"`fairlead model m` lists them", "usage", 2},
		"audit bundle m v1":  {"`fairlead model m` lists them", "usage", 2},
		"gate explain m -":   {"`fairlead model m` lists them", "usage", 2},
		"release m 1.5":      {"`fairlead model m` lists them", "usage", 2},
	} {
		got := command(t, append(strings.Fields(args), "-o", "json")...)
		var f failure
		if err := json.Unmarshal([]byte(got.stderr), &f); err != nil || f.Code != want.Code ||
			f.Status != want.Status ||
			got.status != want.Status || !strings.Contains(f.Error, want.Error) || got.out != "" {
			t.Errorf("%s: %+v, %v", args, got, err)
		}
	}
}

func TestLists_SayThatThereIsMore(t *testing.T) {
	elsewhere(t)
	s := newAnswers(t, map[string]string{"GET x/cases": `{"items":[],"next":"p"}`,
		"GET x/jobs": `{"items":[],"next":"p"}`})
	for _, args := range []string{"case", "job"} {
		if got := command(t, args, "-p", "x", "--server", s.URL); !strings.Contains(got.stderr,
			"there are more: --all") {
			t.Errorf("%s: %+v", args, got)
		}
	}
	s.bodies["GET x/cases"] = `{"items":[{"id":"c1"}]}`
	if got := command(t, "case", "--all", "-p", "x", "--server", s.URL); got.stderr != "" ||
		!strings.Contains(got.out, "c1") {
		t.Errorf("all: %+v", got)
	}
}

func TestModel_IsThatOfTheFileHere(t *testing.T) {
	elsewhere(t)
	s := newAnswers(t, map[string]string{"GET x/loop/other": `{"explanation":["of the file"]}`,
		"GET y/loop/y": `{"explanation":["of y"]}`})
	if got := command(t, "loop", "explain", "--server", s.URL); got.status != 2 ||
		!strings.Contains(got.stderr, "name the model") {
		t.Errorf("without a file: %+v", got)
	}
	write(t, "fairlead.yaml", "project: x\nmodel: other\n")
	for args, want := range map[string]string{"": "of the file", "-p x": "of the file",
		"-p y": "of y"} {
		got := command(t, append(strings.Fields("loop explain "+args), "--server", s.URL)...)
		if got.status != 0 || !strings.Contains(got.out, want) {
			t.Errorf("%q: %+v", args, got)
		}
	}
}

func TestApply_RefusesAnotherProject(t *testing.T) {
	elsewhere(t)
	write(t, "fairlead.yaml", "project: x\n")
	for _, args := range []string{"apply -p y", "run --project y"} {
		got := command(t, strings.Fields(args)...)
		if got.status != 2 || !strings.Contains(got.stderr, `"y"`) ||
			!strings.Contains(got.stderr, `"x"`) {
			t.Errorf("%s: %+v", args, got)
		}
	}
}

// Of a step that printed too much the middle is gone, and the log says so where it was.
func TestLog_SaysWhatWasDropped(t *testing.T) {
	elsewhere(t)
	parts := map[string]string{"0": `{"text":"it begins\nha","next":12}`,
		"12": `{"text":"lf\nit ends\n","skipped":100,"next":123}`, "123": `{"next":123,"end":123,"attempt":1,"attempts":1,"done":true}`}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, parts[r.URL.Query().Get("offset")])
	}))
	defer s.Close()
	for format, want := range map[string]string{
		"text": "it begins\nha\n[fairlead: 100 bytes of output dropped here]\nlf\nit ends\n",
		"json": `{"text":"it begins\nhalf\nit ends\n","skipped":100,"next":123,"end":123,"attempt":1,` +
			`"attempts":1,"done":true}` + "\n",
	} {
		got := command(t, "log", "train", "--run", "pr_1", "-p", "x", "--server", s.URL, "-o", format)
		if got.status != 0 || got.out != want {
			t.Errorf("%s: %+v, want %q", format, got, want)
		}
	}
}

func TestEndpoint_ListsWhatCannotBeServed(t *testing.T) {
	elsewhere(t)
	s := newAnswers(t, map[string]string{"GET x/endpoints": `{"items":[
		{"endpoint":"a@p","generation":2,"observed_generation":2},
		{"endpoint":"b@p","generation":2,"observed_generation":1},
		{"endpoint":"c@p","generation":2,"observed_generation":1,"failure":"no ONNX Runtime\nat all"}]}`})
	got := command(t, "endpoint", "-p", "x", "--server", s.URL)
	want := "ENDPOINT  GENERATION  VERSIONS  STATE\n" +
		"a@p       2           -         loaded\n" +
		"b@p       2           -         loading\n" +
		"c@p       2           -         cannot be served: no ONNX Runtime\n"
	if got.status != 0 || got.out != want {
		t.Errorf("%+v, want %q", got, want)
	}
}

func TestEndpoint_WithoutARequestHasNoTime(t *testing.T) {
	elsewhere(t)
	s := newAnswers(t, map[string]string{
		"GET x/endpoints/m":         `{"endpoint":"m@p","clock":{"watermark":"0001-01-01T00:00:00Z"}}`,
		"GET x/endpoints/m/traffic": `{"endpoint":"m@p","clock":"wall","variants":[],"versions":[]}`})
	got := command(t, "endpoint", "m", "-p", "x", "--server", s.URL)
	if got.status != 0 || strings.Contains(got.out, "0001") ||
		!strings.Contains(got.out, "no request yet") {
		t.Errorf("%+v", got)
	}
}

func TestEndpoint_SaysHowVersionsAnswerAndWhatWentWrong(t *testing.T) {
	elsewhere(t)
	s := newAnswers(t, map[string]string{
		"GET x/endpoints/m": `{"endpoint":"m@p","generation":2,"observed_generation":2,
			"clock":{"watermark":"2026-03-02T10:00:00Z","timers":1}}`,
		"GET x/endpoints/m/traffic": `{"endpoint":"m@p","clock":"event","from":"2026-03-01T10:00:00Z",
			"to":"2026-03-02T10:00:00Z","variants":[
			{"version":2,"role":"live","percent":100,"state":"ready"},
			{"version":1,"role":"standby","percent":0,"state":"failing"}],
			"versions":[{"version":2,"total":{"requests":1200,"errors":3,"failed":4,"p50_s":0.0004,"p99_s":0.0121}}],
			"failures":[{"version":2,"what":"error","code":"unavailable","count":3,"request":"q",
			"message":"the worker\u001b[31m ended\nwith a trace","last":"2026-11-21T23:00:00Z"}]}`})
	got := command(t, "endpoint", "m", "-p", "x", "--server", s.URL)
	want := "m@p, generation 2 (loaded 2)\n" +
		"stream time 2026-03-02 10:00, 1 timers\n" +
		"answers from 2026-03-01 10:00 to 2026-03-02 10:00, event time\n\n" +
		"VERSION  ROLE     PERCENT  HEALTH   ANSWERED  P50    P99     ERRORS  NOT SCORED\n" +
		"2        live     100      ready    1200      400µs  12.1ms  3       4\n" +
		"1        standby  0        failing  0         -      -       0       0\n\n" +
		"what went wrong, the newest first, whenever that was:\n" +
		"LAST              TIMES  VERSION  WHAT   IN WORDS\n" +
		"2026-11-21 23:00  3      2        error  the worker\\x1b[31m ended\n"
	if got.status != 0 || got.out != want {
		t.Errorf("%+v, want %q", got, want)
	}
}

func TestRollout_IsDecidedByIDOrModel(t *testing.T) {
	elsewhere(t)
	const active = `{"id":"rol_2","endpoint":"wine@production","model":"wine","strategy":"canary","to":2,` +
		`"state":"waiting_human","reason":"0 of 48 labels after 14d"}`
	a := newAnswers(t, map[string]string{
		"GET x/rollouts": `{"items":[` + active + `,{"id":"rol_1","endpoint":"wine@production","model":"wine",` +
			`"strategy":"replace","to":1,"state":"finished","outcome":"promoted"}],"next":""}`,
		"GET x/rollouts/rol_2":           `{"rollout":` + active + `,"text":"wine@production: canary\n"}`,
		"POST x/rollouts/rol_2/promote":  "{}",
		"POST x/rollouts/rol_2/rollback": "{}",
	})
	for _, c := range []struct {
		args   string
		status int
		asked  string // the last change
		says   string
	}{
		{"rollout", 0, "", "rol_1    wine@production  replace   1        promoted"},
		{"rollout rol_2", 0, "", "wine@production: canary"},
		{"rollout wine --promote --reason seen", 0, "rol_2/promote", "wine@production: canary"},
		{"rollout wine@production --rollback --reason seen", 0, "rol_2/rollback", ""},
		{"rollout rol_2 --rollback --reason seen", 0, "rol_2/rollback", ""},
		{"rollout rol_2 --promote", 2, "", "--reason"},
		{"rollout rol_2 --promote --rollback --reason seen", 2, "", "either"},
		{"rollout rol_2 --reason seen", 2, "", "--promote"},
		{"rollout --promote --reason seen", 2, "", "which rollout"},
		{"rollout flights --promote --reason seen", 5, "", "no rollout of flights is under way"},
		{"rollout rol_9", 5, "", "rol_9"},
	} {
		a.asked = nil
		got := command(t, append(strings.Fields(c.args), "--server", a.URL, "-p", "x")...)
		if got.status != c.status || !strings.Contains(got.out+got.stderr, c.says) {
			t.Errorf("%s: %+v", c.args, got)
		}
		changed := ""
		for _, r := range a.asked {
			if r.Method == http.MethodPost {
				changed = strings.TrimPrefix(r.URL.Path, "/api/v1/projects/x/rollouts/")
			}
		}
		if changed != c.asked {
			t.Errorf("%s asked for %q, want %q", c.args, changed, c.asked)
		}
	}
}

func TestRollback_SaysSo(t *testing.T) {
	elsewhere(t)
	s := newAnswers(t, map[string]string{"POST x/endpoints/m@p/rollback": "{}"})
	for format, want := range map[string]string{"text": "m@p is rolled back\n",
		"json": `{"endpoint":"m@p","rolled_back":true}` + "\n"} {
		got := command(t, "rollback", "m@p", "--reason", "wrong units", "-p", "x", "--server", s.URL,
			"-o", format)
		if got.status != 0 || got.out != want {
			t.Errorf("%s: %+v, want %q", format, got, want)
		}
	}
}

func TestIncident_SaysWhatTheLoopDid(t *testing.T) {
	elsewhere(t)
	const one = `{"id":"in_1","endpoint":"wine@production","model":"wine","version":1,"kind":"decay",` +
		`"action":"retrain","opened_at":"2024-01-02T00:00:00Z","reason":"2 of 3 red",` +
		`"cases":[{"id":"ca_1","incident":"in_1","state":"closed","outcome":"stopped","reason":"the gate"},` +
		`{"id":"ca_3","incident":"in_1","state":"training"}],` +
		`"answers":[{"at":"2024-01-02T00:00:00Z","note":"retraining"}]}`
	a := newAnswers(t, map[string]string{
		"GET x/incidents":      `{"items":[` + one + `],"next":""}`,
		"GET x/incidents/in_1": one,
	})
	for args, says := range map[string]string{
		"incident":              "ca_1 stopped, ca_3 training",
		"incident in_1":         "2024-01-02 00:00 the loop: retraining\ncase ca_1: closed stopped the gate\ncase ca_3: training",
		"incident in_1 -o json": `"cases":[{"id":"ca_1"`,
		"incident in_2":         "in_2",
	} {
		got := command(t, append(strings.Fields(args), "--server", a.URL, "-p", "x")...)
		if !strings.Contains(got.out+got.stderr, says) || (got.status == 5) != (says == "in_2") {
			t.Errorf("%s: %+v", args, got)
		}
	}
}

// commitHere makes the working directory a Git repository, and returns its commit.
func commitHere(t *testing.T) string {
	t.Helper()
	var out []byte
	for _, args := range [][]string{{"init", "-q"}, {"add", "."},
		{"-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "first"},
		{"rev-parse", "HEAD"}} {
		var err error
		if out, err = exec.Command("git", args...).CombinedOutput(); err != nil {
			t.Fatalf("git %v: %s", args, out)
		}
	}
	return strings.TrimSpace(string(out))
}

// What the project is at already is not uploaded again.
func TestApply_UploadsWhatTheServerLacks(t *testing.T) {
	elsewhere(t)
	write(t, "fairlead.yaml", "project: x\n")
	sha := commitHere(t)
	for _, tt := range []struct {
		name, current string
		dirty         bool
		uploads       int
	}{
		{"a new project", "", false, 1}, {"at another commit", "0123", false, 1},
		{"at this one", sha, false, 0}, {"at this one, with changes", sha, true, 1},
	} {
		if tt.dirty {
			write(t, "fairlead.yaml", "project: x\nowner: me\n")
		}
		bodies := map[string]string{"POST x/revisions": `{"revision":2}`}
		if tt.current != "" {
			bodies["GET x"] = `{"revision":1,"commit":"` + tt.current + `"}`
		}
		s := newAnswers(t, bodies)
		got := command(t, "apply", "--allow-dirty", "--server", s.URL)
		uploads := 0
		for _, r := range s.asked {
			if r.Method == "POST" {
				uploads++
			}
		}
		if got.status != 0 || uploads != tt.uploads {
			t.Errorf("%s: %d uploads, want %d: %+v", tt.name, uploads, tt.uploads, got)
		}
	}
}

func TestRuns_AreSearchedSelectedAndCounted(t *testing.T) {
	data := elsewhere(t)
	write(t, "fairlead.yaml", "project: x\n")
	a := serveHere(t, data)
	projects, err := a.Projects.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range projects {
		for i, v := range []float64{0.25, 0.75, math.NaN()} {
			r, err := a.Tracking.StartRun(t.Context(), p, tracking.NewRun{Name: fmt.Sprint(p.Name, i),
				Params: []tracking.Param{{Key: "l r", Value: fmt.Sprint(i)}}})
			if err == nil {
				err = a.Tracking.LogMetric(t.Context(), p, r.ID, tracking.Metric{Key: "auc", Value: v})
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	got := command(t, "runs", "--order", "metrics.auc DESC", "--select", "run_name",
		"--select", "metrics.auc", "--select", "params.`l r`")
	lines := regexp.MustCompile(`(?m)^[0-9a-f]{32} +(.*)$`).FindAllStringSubmatch(got.out, -1)
	var rows []string
	for _, l := range lines {
		rows = append(rows, strings.Join(strings.Fields(l[1]), " "))
	}
	if want := "x1 0.75 1|x0 0.25 0|x2 NaN 2"; strings.Join(rows, "|") != want {
		t.Errorf("%+v", got)
	}
	if got := command(t, "runs", "--filter", "NOT metrics.auc > 0.5", "--count"); got.out != "2\n" {
		t.Errorf("%+v", got)
	}
	if got := command(t, "runs", "--filter", "auc >"); got.status != 1 ||
		!strings.Contains(got.stderr, "at character 1") {
		t.Errorf("%+v", got)
	}
}

func TestModel_ShowsItsPastAndNoControlCharacters(t *testing.T) {
	data := elsewhere(t)
	write(t, "fairlead.yaml", "project: x\n")
	a := serveHere(t, data)
	projects, err := a.Projects.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p := projects[slices.IndexFunc(projects, func(p fairlead.Project) bool { return p.Name == "x" })]
	err = a.Registry.Write(t.Context(), func(tx *store.Tx) error {
		run, err := a.Tracking.CreateRun(t.Context(), tx, p, tracking.NewRun{})
		if err != nil {
			return err
		}
		if _, err := a.Registry.EnsureModel(t.Context(), tx, p, "bikes"); err != nil {
			return err
		}
		_, err = a.Registry.CreateVersion(t.Context(), tx, p, registry.NewVersion{Model: "bikes",
			Source: "s3://bucket/model", RunID: run.ID, Description: "first\x1b]0;owned\a\nend",
			Tags: []registry.Tag{{Key: "k", Value: "\x1b[2J\u009b"}}})
		if err != nil {
			return err
		}
		return a.Registry.SetStage(t.Context(), tx, p, "bikes", 1, "Staging", false)
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args   string
		status int
		says   []string
	}{
		{"model show bikes@latest", 0, []string{"bikes version 1: ready", "stage         Staging",
			`tag           k=\x1b[2J\u009b`, `description   first\x1b]0;owned\a` + "\nend"}},
		{"model show bikes@LATEST --as-of 9000-01-01", 0, []string{"bikes version 1: ready", "Staging"}},
		{"model show bikes@best", 5, []string{`no version of "bikes" had the alias "best"`}},
		{"model show nobody", 5, []string{`there is no model "nobody"; ` + "`fairlead model`"}},
		{"model show bikes 7", 5, []string{`there is no version 7 of a model "bikes"`, "`fairlead model bikes`"}},
		{"model history nobody@live", 5, []string{`there is no model "nobody"; ` + "`fairlead model`"}},
		{"model history bikes@", 2, []string{"name the alias too"}},
		{"model history bikes", 2, []string{"fairlead model history bikes@live"}},
		{"model show \x1b[2J", 5, []string{`\x1b[2J`}},
		{"runs --select run_id --select artifact_uri --select created --select attributes.run_id", 0,
			[]string{"mlflow-artifacts:/0/"}},
	} {
		got := command(t, strings.Fields(tt.args)...)
		if got.status != tt.status || strings.ContainsAny(got.out+got.stderr, "\x1b\x07\u009b") {
			t.Errorf("%q: status %d, want %d: %q %q", tt.args, got.status, tt.status, got.out, got.stderr)
		}
		for _, part := range tt.says {
			if !strings.Contains(got.out+got.stderr, part) {
				t.Errorf("%q lacks %q: %s%s", tt.args, part, got.out, got.stderr)
			}
		}
	}
	columns := "--select run_id --select artifact_uri --select created --select"
	got := command(t, append(append([]string{"runs"}, strings.Fields(columns)...), "`run name`")...)
	if lines := strings.Split(strings.TrimSpace(got.out), "\n"); len(lines) != 2 ||
		strings.Contains(lines[1], " - ") {
		t.Errorf("columns that are there are shown as none: %+v", got)
	}
}
