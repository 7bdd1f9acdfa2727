package e2e_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// randomness returns the test's source of chance, and prints the seed that repeats it.
func randomness(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("FAIRLEAD_CHAOS_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("FAIRLEAD_CHAOS_SEED is %q; it is a whole number", text)
		}
	}
	t.Logf("REPORT: FAIRLEAD_CHAOS_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// chaosRounds is how many rounds a test of chance has: 20, unless the developer wants more.
func chaosRounds(t *testing.T) int {
	t.Helper()
	text := cmp.Or(os.Getenv("FAIRLEAD_CHAOS_ROUNDS"), "20")
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("FAIRLEAD_CHAOS_ROUNDS is %q; it is a whole number", text)
	}
	return n
}

// chainFile is a project of three steps that are never answered from the cache, and
// whose model nobody can package: its cases end behind the pipeline.
const chainFile = `project: chain
data:
  rows: {from: data/rows.csv, time: at, key: id, label: y}
holdout: {by: time, last: 24h}
pipeline:
  steps:
    prepare:  {run: sh step.sh table, in: [rows], out: [table], cache: false, retries: 100}
    train:    {run: sh step.sh model, in: [table], out: [model], cache: false, retries: 100}
    evaluate: {run: sh step.sh, in: [model, table], cache: false, retries: 100}
release:
  production: {strategy: replace}
`

// chainStep notes in a file outside that an attempt begins and ends, under a lock that
// two attempts of a step could only take one after the other, and prints which attempt
// it was: what the server keeps of the step says whose result it took.
const chainStep = `set -e
attempt=$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')
exec 9> "%[1]s/$MLFLOW_RUN_ID.$FAIRLEAD_STEP.lock"
flock -n 9 || echo "overlap $MLFLOW_RUN_ID $FAIRLEAD_STEP $attempt" >> %[1]s/notes
echo "begin $MLFLOW_RUN_ID $FAIRLEAD_STEP $attempt" >> %[1]s/notes
sleep 0.2
if [ "$1" = table ]; then echo "$attempt" > "$FAIRLEAD_OUT_TABLE"; fi
if [ "$1" = model ]; then mkdir "$FAIRLEAD_OUT_MODEL"; echo "$attempt" > "$FAIRLEAD_OUT_MODEL/weights"; fi
echo "::metric attempt=$attempt"
echo "end $MLFLOW_RUN_ID $FAIRLEAD_STEP $attempt" >> %[1]s/notes
`

// Rounds of kill -9 at random moments, of the server, of a step, of the shim that
// watches it, and of the Python worker, while writes of every kind come in.
func TestChaos_NothingAcknowledgedIsLostAndNoStepIsDoneTwice(t *testing.T) {
	rounds, rng := chaosRounds(t), randomness(t)
	s, _ := serveTiny(t, nil)
	c := newChaos(t, s)
	c.begin()
	for n := 0; n < rounds && !c.quit.Load(); n++ {
		c.round(rng)
	}
	c.finish()
	t.Logf("REPORT: %d rounds: %v; acknowledged: %d points, %d requests, %d labels, %d pipeline runs",
		rounds, c.kills, len(c.points), len(c.requests), c.labels, len(c.cases))
	c.checkPoints()
	c.checkRequests()
	c.checkPipelines()
	c.checkReactions()
	s.run(t.TempDir(), "audit", "verify").want(t, 0, `^verified`)
}

// chaos is a server under load. What it acknowledged is kept here.
type chaos struct {
	t     *testing.T
	s     *server
	notes string // directory that the steps write to
	run   string // tracking run
	kills map[string]int

	quit   atomic.Bool
	wait   sync.WaitGroup
	served atomic.Int64 // requests that were answered

	mu       sync.Mutex
	points   []int    // steps of the metric that were acknowledged
	requests []string // ids of the requests that were
	labels   int      // of the requests, the first ones, whose labels were
	cases    []string
}

func newChaos(t *testing.T, s *server) *chaos {
	c := &chaos{t: t, s: s, notes: t.TempDir(), kills: map[string]int{}}
	c.run = newRun(t, s)
	dir := repository(t, map[string]string{
		"fairlead.yaml": chainFile, "step.sh": fmt.Sprintf(chainStep, c.notes),
		"data/rows.csv": tinyRows("id,at,x,y", 72),
	})
	s.run(dir, "apply").want(t, 0)
	return c
}

// begin starts the load, which goes on until finish.
func (c *chaos) begin() {
	for _, work := range []func(n int){c.track, c.predict} {
		c.wait.Go(func() {
			for n := 0; !c.quit.Load(); n++ {
				work(n)
			}
		})
	}
	c.wait.Go(func() {
		for !c.quit.Load() {
			c.pipeline()
		}
	})
}

// pause follows a call that was not acknowledged.
const pause = 20 * time.Millisecond

// track logs one point; that of an unacknowledged call is never logged again.
func (c *chaos) track(n int) {
	r, err := c.s.try("POST", "/api/2.0/mlflow/runs/log-batch",
		fmt.Sprintf(`{"run_id":%q,"metrics":[{"key":"m","value":%d,"timestamp":%d,"step":%d}]}`, c.run, n,
			n+1, n))
	if err != nil || r.status != 200 {
		c.unexpected(r, err)
		time.Sleep(pause)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.points = append(c.points, n)
}

// unexpected reports an answer that a server may not give, however it is treated, and
// ends the load.
func (c *chaos) unexpected(r reply, err error) {
	if err == nil && r.status != 503 && !c.quit.Swap(true) {
		c.t.Errorf("status %d: %s", r.status, r.body)
	}
}

// predict sends a request, and then its label until that is taken.
func (c *chaos) predict(n int) {
	id := fmt.Sprintf("q%06d", n)
	r, err := c.s.try("POST", "/p/tiny/v2/models/tiny/infer", inferBody(id, float64(n)))
	if err != nil || r.status != 200 {
		c.unexpected(r, err)
		time.Sleep(pause)
		return
	}
	if want := fmt.Sprintf(`"data":[%d]`, 2*n); !strings.Contains(r.body, want) {
		c.t.Errorf("request %s: %s, want %s", id, r.body, want)
	}
	c.mu.Lock()
	c.requests = append(c.requests, id)
	c.mu.Unlock()
	c.served.Add(1)
	for !c.quit.Load() {
		r, err := c.s.try("POST", labelsPath, labelBody(id))
		if err == nil && r.status == 200 {
			c.mu.Lock()
			c.labels++
			c.mu.Unlock()
			return
		}
		c.unexpected(r, err)
		time.Sleep(pause)
	}
}

const labelsPath = "/api/v1/projects/tiny/endpoints/tiny/labels"

func labelBody(ids ...string) string {
	parts := make([]string, len(ids))
	for i, id := range ids {
		parts[i] = fmt.Sprintf(`{"request_id":%q,"value":1}`, id)
	}
	return `{"labels":[` + strings.Join(parts, ",") + `]}`
}

const casesPath = "/api/v1/projects/chain/cases"

// pipeline opens a case, and waits for its end.
func (c *chaos) pipeline() {
	r, err := c.s.try("POST", casesPath, nil)
	if err != nil || r.status != 202 {
		c.unexpected(r, err)
		time.Sleep(pause)
		return
	}
	var opened loopCase
	r.decode(c.t, &opened)
	c.mu.Lock()
	c.cases = append(c.cases, opened.ID)
	c.mu.Unlock()
	c.awaitCase(opened.ID)
}

// caseMax bounds how long a case may take, kills and all.
const caseMax = 2 * time.Minute

func (c *chaos) awaitCase(id string) (k loopCase) {
	for deadline := time.Now().Add(caseMax); time.Now().Before(deadline); {
		r, err := c.s.try("GET", casesPath+"/"+id+"?wait=2s", nil)
		if err != nil || r.status != 200 {
			c.unexpected(r, err)
			time.Sleep(pause)
			continue
		}
		if r.decode(c.t, &k); k.State == "closed" {
			return k
		}
	}
	c.t.Errorf("case %s did not end: %+v", id, k)
	return k
}

// The victims of a round.
const (
	theServer = "server"
	theShim   = "shim"
	theStep   = "step"
	theWorker = "worker"
)

// round lets the load run for a while and kills somebody.
func (c *chaos) round(rng *rand.Rand) {
	c.t.Helper()
	kind := []string{theServer, theServer, theShim, theStep, theWorker}[rng.IntN(5)]
	if kind == theWorker {
		c.awaitAnswer() // it has begun to serve by then
	}
	time.Sleep(time.Duration(rng.IntN(900)) * time.Millisecond)
	if kind == theServer {
		c.s.kill()
		c.kills[kind]++
		time.Sleep(time.Duration(rng.IntN(300)) * time.Millisecond)
		c.s.start()
		return
	}
	for range 200 { // until one is there
		if pids := c.find(kind); len(pids) > 0 {
			if syscall.Kill(pids[rng.IntN(len(pids))], syscall.SIGKILL) == nil {
				c.kills[kind]++
				return
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	c.t.Errorf("there was no %s to kill for two seconds", kind)
}

// awaitAnswer waits for a request that is answered from now on.
func (c *chaos) awaitAnswer() {
	c.t.Helper()
	before := c.served.Load()
	for deadline := time.Now().Add(time.Minute); c.served.Load() == before; time.Sleep(pause) {
		if time.Now().After(deadline) {
			c.t.Fatal("no request is answered for a minute")
		}
	}
}

// find returns the processes of a kind, in order of their pids.
func (c *chaos) find(kind string) (pids []int) {
	for pid, args := range processesOf(c.s.data) {
		if pid != c.s.cmd.Process.Pid && kindOf(args) == kind {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids
}

func kindOf(args string) string {
	switch {
	case strings.HasPrefix(args, "fairlead-shim "):
		return theShim
	case strings.Contains(args, "fairlead_worker.py"):
		return theWorker
	case strings.Contains(args, "step.sh"):
		return theStep
	}
	return ""
}

// finish ends the load, and waits for the cases that are open.
func (c *chaos) finish() {
	c.t.Helper()
	if !c.quit.Load() {
		c.awaitAnswer() // it has come through
	}
	c.quit.Store(true)
	c.wait.Wait()
}

// checkPoints looks for every acknowledged point in the metric's history.
func (c *chaos) checkPoints() {
	c.t.Helper()
	found, token := map[int]int{}, ""
	for {
		var page struct {
			Metrics []struct {
				Step  int     `json:"step"`
				Value float64 `json:"value"`
			} `json:"metrics"`
			Next string `json:"next_page_token"`
		}
		path := history(c.run, "m") + "&max_results=20000&page_token=" + url.QueryEscape(token)
		c.s.call("GET", path, nil).want(c.t, 200).decode(c.t, &page)
		for _, m := range page.Metrics {
			found[m.Step]++
		}
		if token = page.Next; token == "" {
			break
		}
	}
	lost, twice := 0, 0
	for _, n := range c.points {
		switch {
		case found[n] == 0:
			lost++
		case found[n] > 1:
			twice++
		}
	}
	if lost > 0 || twice > 0 || len(c.points) == 0 {
		c.t.Errorf("of %d acknowledged points %d are lost, and %d are there twice", len(c.points), lost,
			twice)
	}
}

// checkRequests sends the labels of all acknowledged requests again: those that were
// taken are known, and every request is in the log.
func (c *chaos) checkRequests() {
	c.t.Helper()
	if len(c.requests) == 0 {
		c.t.Fatal("no request was answered")
	}
	var receipt struct{ Accepted, Duplicates, Unmatched int }
	c.s.call("POST", labelsPath, labelBody(c.requests...)).want(c.t, 200).decode(c.t, &receipt)
	if receipt.Duplicates < c.labels || receipt.Accepted+receipt.Duplicates != len(c.requests) {
		c.t.Errorf("of %d acknowledged labels only %d are there: %+v", c.labels, receipt.Duplicates,
			receipt)
	}
	if receipt.Unmatched > 0 {
		c.t.Errorf("of %d acknowledged requests %d are not in the log", len(c.requests),
			receipt.Unmatched)
	}
}

// checkPipelines compares what the steps noted with what the server kept of them.
func (c *chaos) checkPipelines() {
	c.t.Helper()
	begun, extra, finished := c.readNotes(), 0, map[string]int{}
	for _, e := range c.events("pipelinerun.finished") {
		finished[e.Subject]++
	}
	if len(c.cases) == 0 {
		c.t.Fatal("no pipeline ran")
	}
	for _, id := range c.cases {
		k := c.awaitCase(id)
		extra += c.checkPipeline(k, begun)
		if n := finished["pipelinerun/"+k.PipelineRun]; n != 1 {
			c.t.Errorf("pipeline run %q has finished %d times", k.PipelineRun, n)
		}
	}
	c.t.Logf("steps began %d times more than needed", extra)
	// A step outlives its server: only the loss of its own processes runs it again.
	if lost := c.kills[theShim] + c.kills[theStep]; extra > lost {
		c.t.Errorf("steps ran %d times more than needed, and %d were killed", extra, lost)
	}
}

// checkReactions looks for effects of a subscriber that happened twice: a case that
// opened, went on or closed for one event more than once. None was skipped either.
func (c *chaos) checkReactions() {
	c.t.Helper()
	opened, times := 0, map[string]int{}
	for _, e := range c.events("case.opened,case.advanced,case.closed") {
		times[e.Type+" "+string(e.Body)]++
		if e.Type == "case.opened" {
			opened++
		}
	}
	for what, n := range times {
		if n > 1 {
			c.t.Errorf("%d times: %s", n, what)
		}
	}
	if opened < len(c.cases) {
		c.t.Errorf("%d cases opened, %d were acknowledged", opened, len(c.cases))
	}
	for _, e := range c.events("delivery.skipped") {
		c.t.Errorf("an event was skipped: %s", e.Body)
	}
}

// checkPipeline checks the steps of one case, and returns how many attempts there were
// more than steps.
func (c *chaos) checkPipeline(k loopCase, begun map[string][]string) (extra int) {
	c.t.Helper()
	if k.PipelineRun == "" {
		c.t.Errorf("a case without a pipeline run: %+v", k)
		return 0
	}
	run := "/api/v1/projects/chain/pipeline-runs/" + k.PipelineRun
	var pipeline struct {
		State string
		Tries []struct {
			N   int
			Run string `json:"run_id"`
		}
	}
	c.s.call("GET", run, nil).want(c.t, 200).decode(c.t, &pipeline)
	if pipeline.State != "succeeded" || len(pipeline.Tries) == 0 {
		c.t.Errorf("case %+v: pipeline run %+v", k, pipeline)
		return 0
	}
	var steps struct {
		Items []struct {
			Try     int
			Name    string
			State   string
			Metrics []struct {
				Name  string
				Value float64
			}
		}
	}
	c.s.call("GET", run+"/steps", nil).want(c.t, 200).decode(c.t, &steps)
	if len(steps.Items) != 3 {
		c.t.Errorf("pipeline run %s has %d steps, want 3", k.PipelineRun, len(steps.Items))
	}
	for _, step := range steps.Items {
		tracking := ""
		for _, try := range pipeline.Tries {
			if try.N == step.Try {
				tracking = try.Run
			}
		}
		attempts := begun[tracking+" "+step.Name]
		if step.State != "succeeded" || len(attempts) == 0 || len(step.Metrics) == 0 {
			c.t.Errorf("step %+v of run %s began %d times", step, k.PipelineRun, len(attempts))
			continue
		}
		taken := strconv.FormatFloat(step.Metrics[0].Value, 'f', -1, 64)
		if at := slices.Index(attempts, taken); at != len(attempts)-1 {
			c.t.Errorf("step %s of run %s: attempt %s was taken, and it is number %d of %v", step.Name,
				k.PipelineRun, taken, at+1, attempts)
		}
		extra += len(attempts) - 1
	}
	return extra
}

// readNotes returns the attempts of each step that began, in order, and reports those
// that began while another one lived.
func (c *chaos) readNotes() map[string][]string {
	c.t.Helper()
	b, err := os.ReadFile(filepath.Join(c.notes, "notes"))
	if err != nil {
		c.t.Fatal(err)
	}
	begun := map[string][]string{}
	for line := range strings.Lines(string(b)) {
		words := strings.Fields(line)
		switch words[0] {
		case "begin":
			key := words[1] + " " + words[2]
			begun[key] = append(begun[key], words[3])
		case "overlap":
			c.t.Errorf("two attempts lived at once: %s", line)
		}
	}
	return begun
}

// recorded is an event of the ledger.
type recorded struct {
	Seq     int64
	Type    string
	Subject string
	Body    json.RawMessage
}

// events returns all events of the types in the chain's project.
func (c *chaos) events(types string) (all []recorded) {
	c.t.Helper()
	for after := int64(0); ; {
		var page struct{ Items []recorded }
		path := fmt.Sprintf("/api/v1/projects/chain/events?types=%s&limit=1000&after=%d", types, after)
		c.s.call("GET", path, nil).want(c.t, 200).decode(c.t, &page)
		if len(page.Items) == 0 {
			return all
		}
		all, after = append(all, page.Items...), page.Items[len(page.Items)-1].Seq
	}
}
