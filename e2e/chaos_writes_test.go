package e2e_test

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"net/url"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// writers is how many write at once in a round.
const writers = 16

// Rounds of kill -9 at random moments under all the writes that the machine can do. Each
// writer sends one request after the other until one is not answered, so that all but
// the last are acknowledged: what is read back is what these make, with the last one or
// without it, and nothing in between.
func TestChaos_EveryAcknowledgedWriteIsThereAndNoneHalf(t *testing.T) {
	rng := randomness(t)
	s := serve(t, t.TempDir())
	var all []*writer
	var took time.Duration // by the rounds
	acked, n := 0, chaosRounds(t)
	for round := range n {
		began := time.Now()
		now := writeUntilKilled(t, s, round, rng)
		checkWriters(t, s, now)
		took += time.Since(began)
		for _, w := range now {
			acked += w.acked
		}
		all = append(all, now...)
		if t.Failed() {
			t.FailNow()
		}
	}
	checkWriters(t, s, all)
	for _, left := range partialFiles(s.data) {
		t.Errorf("a file is left half written: %s", left)
	}
	s.run(t.TempDir(), "audit", "verify").want(t, 0, `^verified`)
	t.Logf("REPORT: %d kills, %d writes acknowledged, all there; %.2f s a round", n, acked,
		took.Seconds()/float64(n))
}

// writeUntilKilled lets the writers of a round go, kills the server within 0.4 s,
// once in four rounds in its next start too, and starts it.
func writeUntilKilled(t *testing.T, s *server, round int, rng *rand.Rand) []*writer {
	t.Helper()
	all := make([]*writer, writers)
	var begun, ended sync.WaitGroup
	begun.Add(writers)
	for i := range all {
		all[i] = &writer{s: s, first: i, name: fmt.Sprintf("w%d-%d", round, i)}
		ended.Go(func() {
			func() { defer begun.Done(); all[i].begin(t) }()
			all[i].write(t, math.MaxInt)
		})
	}
	begun.Wait()
	time.Sleep(time.Duration(rng.IntN(400)) * time.Millisecond)
	s.kill()
	ended.Wait()
	if rng.IntN(4) == 0 {
		killInStart(t, s, time.Duration(rng.IntN(40))*time.Millisecond)
	}
	s.start()
	return all
}

// killInStart starts the server, and kills it before it is ready or soon after.
func killInStart(t *testing.T, s *server, after time.Duration) {
	t.Helper()
	cmd := exec.Command(program(t), s.args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(after)
	cmd.Process.Kill()
	cmd.Wait()
}

// writer writes to a run, an experiment and a model of its own. What its nth request is,
// and what it leaves, follow from n alone.
type writer struct {
	s          *server
	name       string // of its experiment and its model
	first      int    // kind of the first request
	experiment string
	run        string
	acked      int // requests that were acknowledged: the first ones
}

// The kinds of requests, which follow one another.
const (
	aMetric = iota
	aBatch
	aTag
	aParam
	aRun
	aVersion
	anAlias
	anArtifact
	kindsOfWrites
)

const (
	batchKeys  = 10 // of a batch
	batchSteps = 10 // of each key
)

// begin makes what the writer writes to: the model has one version.
func (w *writer) begin(t *testing.T) {
	var experiment struct {
		ID string `json:"experiment_id"`
	}
	if w.decode(t, "POST", "experiments/create", fmt.Sprintf(`{"name":%q}`, w.name), &experiment) {
		w.experiment = experiment.ID
	}
	var created struct {
		Run struct{ Info runInfo }
	}
	if w.decode(t, "POST", "runs/create", w.newRun("begin"), &created) {
		w.run = created.Run.Info.ID
	}
	w.decode(t, "POST", "registered-models/create", fmt.Sprintf(`{"name":%q}`, w.name), nil)
	w.decode(t, "POST", "model-versions/create", w.newVersion(1), nil)
}

type runInfo struct {
	ID string `json:"run_id"`
}

// decode sends a request that must be answered, and reports whether it was.
func (w *writer) decode(t *testing.T, method, path, body string, into any) bool {
	var send any
	if body != "" {
		send = body
	}
	r, err := w.s.try(method, "/api/2.0/mlflow/"+path, send)
	if err != nil || r.status != 200 {
		t.Errorf("%s %s: %v %d %s", method, path, err, r.status, r.body)
		return false
	}
	if into != nil {
		r.decode(t, into)
	}
	return true
}

// write sends up to n requests, until one is not answered.
func (w *writer) write(t *testing.T, n int) {
	for w.acked < n {
		method, path, body := w.request(w.acked)
		r, err := w.s.try(method, path, body)
		if err != nil {
			return
		}
		if r.status != 200 {
			t.Errorf("%s %s: status %d: %s", method, path, r.status, r.body)
			return
		}
		w.acked++
	}
}

// kind returns the kind of the nth request, and how many of that kind were before it.
func (w *writer) kind(n int) (kind, before int) {
	return (n + w.first) % kindsOfWrites, n / kindsOfWrites
}

// version returns the newest version before the nth request.
func (w *writer) version(n int) int {
	count := 1
	for i := range n {
		if kind, _ := w.kind(i); kind == aVersion {
			count++
		}
	}
	return count
}

func (w *writer) request(n int) (method, path, body string) {
	const post, api = "POST", "/api/2.0/mlflow/"
	kind, i := w.kind(n)
	switch kind {
	case aMetric:
		return post, api + "runs/log-metric", fmt.Sprintf(
			`{"run_id":%q,"key":"one","value":%d,"timestamp":1,"step":%d}`, w.run, i, i)
	case aBatch:
		return post, api + "runs/log-batch", w.batch(i)
	case aTag:
		return post, api + "runs/set-tag", fmt.Sprintf(
			`{"run_id":%q,"key":"newest","value":"%d"}`, w.run, i)
	case aParam:
		return post, api + "runs/log-parameter", fmt.Sprintf(
			`{"run_id":%q,"key":"p%d","value":"%d"}`, w.run, i, i)
	case aRun:
		return post, api + "runs/create", w.newRun(strconv.Itoa(i))
	case aVersion:
		return post, api + "model-versions/create", w.newVersion(w.version(n) + 1)
	case anAlias:
		return post, api + "registered-models/alias", fmt.Sprintf(
			`{"name":%q,"alias":"newest","version":"%d"}`, w.name, w.version(n))
	default:
		return "PUT", "/api/2.0/mlflow-artifacts/artifacts/" + w.artifact(i), w.content(i)
	}
}

// batch is a log-batch of 100 points, a param and a tag.
func (w *writer) batch(i int) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"run_id":%q,"params":[{"key":"b%d","value":"%d"}],`, w.run, i, i)
	fmt.Fprintf(&b, `"tags":[{"key":"b%d","value":"%d"}],"metrics":[`, i, i)
	for n := range batchKeys * batchSteps {
		if n > 0 {
			b.WriteByte(',')
		}
		step := i*batchSteps + n/batchKeys
		fmt.Fprintf(&b, `{"key":"k%d","value":%d,"timestamp":1,"step":%d}`, n%batchKeys, step, step)
	}
	b.WriteString("]}")
	return b.String()
}

func (w *writer) newRun(text string) string {
	return fmt.Sprintf(`{"experiment_id":%q,"run_name":%q,"tags":[{"key":"n","value":%q}]}`,
		w.experiment, text, text)
}

// newVersion is a version that has its number as its tag.
func (w *writer) newVersion(n int) string {
	return fmt.Sprintf(`{"name":%q,"source":%q,"run_id":%q,"tags":[{"key":"n","value":"%d"}]}`,
		w.name, w.source(), w.run, n)
}

func (w *writer) source() string { return "runs:/" + w.run + "/model" }

func (w *writer) artifact(i int) string {
	return fmt.Sprintf("%s/%s/artifacts/%d.bin", w.experiment, w.run, i)
}

// content is from 1 byte to 32 KiB, and no other writer's.
func (w *writer) content(i int) string {
	rng := rand.New(rand.NewPCG(uint64(w.first), uint64(i)))
	return strings.Repeat(fmt.Sprintf("%s %d\n", w.name, i), 1+rng.IntN(3000))
}

// facts are what can be read back of a writer, as text.
type facts map[string]string

// after returns what the first n requests leave.
func (w *writer) after(n int) facts {
	f := facts{"run/begin": "begin", "tag/n": "begin", "version/1": w.source() + " 1", "event/1": w.run}
	version := 1
	for i := range n {
		kind, i := w.kind(i)
		text := strconv.Itoa(i)
		switch kind {
		case aMetric:
			f["one/"+text], f["latest/one"] = text, text
		case aBatch:
			f["param/b"+text], f["tag/b"+text] = text, text
			for n := range batchKeys * batchSteps {
				key, step := fmt.Sprint("k", n%batchKeys), strconv.Itoa(i*batchSteps+n/batchKeys)
				f[key+"/"+step], f["latest/"+key] = step, step
			}
		case aTag:
			f["tag/newest"] = text
		case aParam:
			f["param/p"+text] = text
		case aRun:
			f["run/"+text] = text
		case aVersion:
			version++
			f[fmt.Sprint("version/", version)] = fmt.Sprint(w.source(), " ", version)
			f[fmt.Sprint("event/", version)] = w.run
		case anAlias:
			f["alias"] = strconv.Itoa(version)
			f[fmt.Sprint("move/", i+1)] = strconv.Itoa(version)
		case anArtifact:
			f[text+".bin"] = w.content(i)
		}
	}
	return f
}

// checkWriters compares what is there with what was acknowledged.
func checkWriters(t *testing.T, s *server, all []*writer) {
	t.Helper()
	events := versionEvents(t, s)
	var wait sync.WaitGroup
	next := make(chan *writer)
	for range 4 {
		wait.Go(func() {
			for w := range next {
				w.check(t, events[w.name])
			}
		})
	}
	for _, w := range all {
		next <- w
	}
	close(next)
	wait.Wait()
}

func (w *writer) check(t *testing.T, events []facts) {
	f := facts{}
	for _, e := range events {
		for key, value := range e {
			f[key] += value // an event that is there twice shows
		}
	}
	w.readRun(t, f)
	w.readModel(t, f)
	w.readArtifacts(t, f)
	without := w.after(w.acked)
	if maps.Equal(f, without) || maps.Equal(f, w.after(w.acked+1)) {
		return
	}
	method, path, _ := w.request(w.acked)
	t.Errorf("%s, %d acknowledged, then %s %s: %s", w.name, w.acked, method, path,
		without.differ(f))
}

// differ says what is wrong with what was found, in a few lines.
func (f facts) differ(found facts) string {
	var lines []string
	for key, want := range f {
		if got, ok := found[key]; !ok {
			lines = append(lines, key+" is lost")
		} else if got != want {
			lines = append(lines, fmt.Sprintf("%s is %.40q, want %.40q", key, got, want))
		}
	}
	for key := range found {
		if _, ok := f[key]; !ok {
			lines = append(lines, key+" is more")
		}
	}
	slices.Sort(lines)
	return fmt.Sprintf("%d differences: %s", len(lines), strings.Join(lines[:min(len(lines), 12)], "; "))
}

type pair struct {
	Key   string
	Value string
}

type point struct {
	Key   string
	Value float64
	Step  int
}

func (w *writer) readRun(t *testing.T, f facts) {
	type data struct {
		Metrics      []point
		Params, Tags []pair
	}
	var one struct{ Run struct{ Data data } }
	w.decode(t, "GET", "runs/get?run_id="+w.run, "", &one)
	for _, m := range one.Run.Data.Metrics {
		f["latest/"+m.Key] = strconv.FormatFloat(m.Value, 'f', -1, 64)
		var history struct{ Metrics []point }
		w.decode(t, "GET", fmt.Sprintf("metrics/get-history?run_id=%s&metric_key=%s", w.run, m.Key), "",
			&history)
		for _, p := range history.Metrics {
			f[fmt.Sprint(m.Key, "/", p.Step)] += strconv.FormatFloat(p.Value, 'f', -1, 64)
		}
	}
	for _, p := range one.Run.Data.Params {
		f["param/"+p.Key] = p.Value
	}
	for _, p := range one.Run.Data.Tags {
		if !strings.HasPrefix(p.Key, "mlflow.") {
			f["tag/"+p.Key] = p.Value
		}
	}
	var list struct{ Runs []struct{ Data data } }
	w.decode(t, "POST", "runs/search",
		fmt.Sprintf(`{"experiment_ids":[%q],"max_results":50000}`, w.experiment), &list)
	for _, r := range list.Runs {
		var name, n string
		for _, p := range r.Data.Tags {
			switch p.Key {
			case "mlflow.runName":
				name = p.Value
			case "n":
				n = p.Value
			}
		}
		f["run/"+name] += n
	}
}

func (w *writer) readModel(t *testing.T, f facts) {
	var list struct {
		Versions []struct {
			Version, Source string
			Tags            []pair
			Aliases         []string
		} `json:"model_versions"`
	}
	w.decode(t, "GET", "model-versions/search?max_results=10000&filter="+
		url.QueryEscape("name = '"+w.name+"'"), "", &list)
	for _, v := range list.Versions {
		f["version/"+v.Version] = v.Source
		for _, tag := range v.Tags {
			f["version/"+v.Version] += " " + tag.Value
		}
		for range v.Aliases {
			f["alias"] += v.Version
		}
	}
	path := "/api/v1/projects/default/models/" + w.name + "/aliases/newest/moves?limit=1000"
	r, err := w.s.try("GET", path, nil)
	if err != nil || r.status != 200 && r.status != 404 {
		t.Errorf("%s: %v %d %s", path, err, r.status, r.body)
		return
	}
	var moves struct{ Items []struct{ Rev, To int } }
	r.decode(t, &moves)
	for _, m := range moves.Items {
		f[fmt.Sprint("move/", m.Rev)] += strconv.Itoa(m.To)
	}
}

func (w *writer) readArtifacts(t *testing.T, f facts) {
	var list struct {
		Files []struct{ Path string }
	}
	w.decode(t, "GET", "artifacts/list?run_id="+w.run, "", &list)
	for _, file := range list.Files {
		r, err := w.s.try("GET", "/get-artifact?run_id="+w.run+"&path="+file.Path, nil)
		if err != nil || r.status != 200 {
			t.Errorf("artifact %s: %v %d %s", file.Path, err, r.status, r.body)
		}
		f[file.Path] = r.body
	}
}

// versionEvents returns what the ledger tells of the versions of each model.
func versionEvents(t *testing.T, s *server) map[string][]facts {
	t.Helper()
	found := map[string][]facts{}
	for after := int64(0); ; {
		var page struct {
			Items []struct {
				Seq  int64
				Body struct {
					Model   string
					Version int
					Run     string
				}
			}
		}
		const path = "/api/v1/projects/default/events?types=modelversion.created&limit=1000&after="
		s.call("GET", path+strconv.FormatInt(after, 10), nil).want(t, 200).decode(t, &page)
		if len(page.Items) == 0 {
			return found
		}
		for _, e := range page.Items {
			found[e.Body.Model] = append(found[e.Body.Model],
				facts{fmt.Sprint("event/", e.Body.Version): e.Body.Run})
			after = e.Seq
		}
	}
}
