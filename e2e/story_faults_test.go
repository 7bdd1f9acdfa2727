package e2e_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Bad input and faults, each as a user meets it.

func TestFaults_FileIsWrong(t *testing.T) {
	for _, tt := range []struct {
		name    string
		replace [2]string
		want    []string
	}{
		{"unknown key", [2]string{"goal:", "gaol:"},
			[]string{`fairlead\.yaml:2:1`, `gaol`, `goal`, `(?m)^.*gaol: \{metric`}},
		{"wrong value", [2]string{"last: 24h", "last: soon"},
			[]string{`fairlead\.yaml:5:\d+`, `soon`, `(?m)^.*holdout:`}},
		{"not YAML", [2]string{"[rows]", "[rows"}, []string{`fairlead\.yaml:\d+:\d+`}},
		{"unknown input", [2]string{"in: [rows]", "in: [rowz]"},
			[]string{`fairlead\.yaml:8:\d+`, `rowz`, `rows`}},
		{"wrong check", [2]string{"candidate.mae <= 1.0", "candidate.mae <="},
			[]string{`fairlead\.yaml:11:33: gates\.good\.check: the check ends here`,
				`(?m)^.*good: \{check`}},
		{"unknown strategy", [2]string{"strategy: replace", "strategy: hope"},
			[]string{`fairlead\.yaml:13:\d+`, `hope`, `canary`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.Replace(tinyFile, tt.replace[0], tt.replace[1], 1)
			dir := repository(t, tinyProject(t, map[string]string{"fairlead.yaml": text}))
			data := t.TempDir()
			for _, command := range []string{"check", "apply", "run"} {
				run(t, dir, command, "--data", data).want(t, 1, tt.want...)
			}
		})
	}
}

// runFails runs the project, and expects the case to end soon, with a reason.
func runFails(t *testing.T, s *server, files map[string]string, patterns ...string) {
	t.Helper()
	began := time.Now()
	s.run(repository(t, tinyProject(t, files)), "run").want(t, 1, patterns...)
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it took %s to fail", took)
	}
}

func TestFaults_DataIsWrong(t *testing.T) {
	s := serve(t, t.TempDir())
	expecting := func(column string) map[string]string {
		return map[string]string{"fairlead.yaml": strings.Replace(tinyFile, "label: y}",
			"label: y, expect: {"+column+": {type: number}}}", 1)}
	}
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  []string
	}{
		{"no file", map[string]string{"fairlead.yaml": strings.Replace(tinyFile, "data/rows.csv",
			"data/gone.csv", 1)}, []string{`data/gone\.csv`}},
		{"no time column", map[string]string{"data/rows.csv": tinyRows("id,when,x,y", 72)},
			[]string{`"at"`, `when`}},
		{"no label column", map[string]string{"data/rows.csv": tinyRows("id,at,x,z", 72)},
			[]string{`"y"`, `label`}},
		{"time is no time", map[string]string{"data/rows.csv": "id,at,x,y\nr1,yesterday,1,2\n"},
			[]string{`at`, `yesterday|time`}},
		{"expected column is absent", expecting("wind"), []string{`wind`}},
		{"wrong type", expecting("id"), []string{`id`, `number`}},
		{"ragged line", map[string]string{"data/rows.csv": tinyRows("id,at,x,y",
			3) + "r9,2024-01-05T00:00:00Z,1\n"}, []string{`rows\.csv`, `line 5`}},
		{"empty", map[string]string{"data/rows.csv": ""}, []string{`rows\.csv`, `empty`}},
	} {
		t.Run(tt.name, func(t *testing.T) { runFails(t, s, tt.files, tt.want...) })
	}
	s.run(t.TempDir(), "audit", "verify").want(t, 0)
}

func TestFaults_StepGoesWrong(t *testing.T) {
	s := serve(t, t.TempDir())
	for _, tt := range []struct {
		name, script string
		want         []string
	}{
		{"fails", "echo out of flour >&2; exit 7", []string{`train failed with exit status 7`,
			`out of flour`, `fairlead log train --run pr_`}},
		{"dies by a signal", "kill -SEGV $$", []string{`train`, `(?i)segmentation|SEGV`}},
		{"dies by kill -9", "kill -9 $$", []string{`train`, `(?i)kill`}},
		{"hangs", "echo so far; sleep 600 & sleep 600",
			[]string{`train took longer than its timeout`, `so far`}},
		{"leaves no output", "true", []string{`left no output "model"`, `FAIRLEAD_OUT_MODEL`}},
		{"is not there", "exec ./nowhere", []string{`train failed with exit status 127`, `nowhere`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file := strings.Replace(tinyFile, "run: sh train.sh,", "run: sh train.sh, timeout: 2s,", 1)
			runFails(t, s, map[string]string{"train.sh": tt.script + "\n", "fairlead.yaml": file},
				tt.want...)
		})
	}
	s.run(t.TempDir(), "audit", "verify").want(t, 0)
}

func TestFaults_ModelDoesNotLoad(t *testing.T) {
	python(t)
	s := serve(t, t.TempDir())
	runFails(t, s, map[string]string{"model/code/tiny_loader.py": "raise RuntimeError('the weights are gone')\n"},
		`cannot be packaged`, `the weights are gone`)
	s.call("POST", "/p/tiny/v2/models/tiny/infer", inferBody("a", 1)).want(t, 404)
}

// A server that lacks what a model needs says so wherever it shows the endpoint, also of
// one that was served before.
func TestFaults_EnvironmentIsGone(t *testing.T) {
	s, dir := serveTiny(t, nil)
	s.stop()
	s.args = append(s.args, "--environments", t.TempDir())
	s.start()
	gone := `cannot be served: version 1 cannot be loaded here: .*environment`
	s.awaitBody("/api/v1/projects/tiny/endpoints", `version 1 cannot be loaded here: .*environment`)
	s.run(dir, "endpoint").want(t, 0, `tiny@production +1 +1 live +`+gone)
	s.run(dir, "endpoint", "tiny").want(t, 0, `it `+gone)
}

func TestFaults_Requests(t *testing.T) {
	s, dir := serveTiny(t, nil)
	s.releaseNext(dir, 2)
	s.releaseNext(dir, 3)
	t.Run("signature", func(t *testing.T) { requestsBreakTheSignature(t, s) })
	t.Run("models", func(t *testing.T) { modelsAreUnknown(t, s) })
	t.Run("time", func(t *testing.T) { eventTimesAreWrong(t, s) })
	t.Run("labels", func(t *testing.T) { labelsAreWrong(t, s) })
	t.Run("paths", func(t *testing.T) { pathsAreRefused(t, s) })
	s.call("POST", "/p/tiny/v2/models/tiny/infer", inferBody("last", 21)).want(t, 200, `"data":\[42\]`)
	s.run(dir, "audit", "verify").want(t, 0)
}

func requestsBreakTheSignature(t *testing.T, s *server) {
	input := func(name, shape, datatype, data string) string {
		return fmt.Sprintf(`{"inputs":[{"name":%q,"shape":%s,"datatype":%q,"data":%s}]}`, name, shape,
			datatype, data)
	}
	for _, tt := range []struct {
		name, body, want string
	}{
		{"missing column", input("z", "[1]", "FP64", "[1]"), `required input .*x.* is missing`},
		{"wrong type", input("x", "[1]", "BYTES", `["three"]`), `x.*double`},
		{"no number", input("x", "[1]", "FP64", `["three"]`), `three`},
		{"required and null", input("x", "[1]", "FP64", "[null]"), `null`},
		{"wrong shape", input("x", "[2]", "FP64", "[1]"), `shape`},
		{"negative shape", input("x", "[-1]", "FP64", "[1]"), `shape`},
		{"unknown datatype", input("x", "[1]", "FP65", "[1]"), `FP65.*FP64`},
		{"no inputs", `{"inputs":[]}`, `no inputs`},
		{"no JSON", `three`, `not the JSON`},
		{"nothing", ``, `JSON`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.call("POST", "/p/tiny/v2/models/tiny/infer", tt.body).want(t, 400, tt.want)
		})
	}
}

// Of three releases by replacement the last is live, the one before on standby, and
// the first is retired.
func modelsAreUnknown(t *testing.T, s *server) {
	for path, want := range map[string]reply{
		"tini/infer":            {404, `tini.*tiny`},
		"tiny@staging/infer":    {404, `tiny@production`},
		"tiny/versions/9/infer": {404, `tiny`},
		"tiny/versions/1/infer": {410, `retired.*tiny@production`},
		"tiny/versions/0/infer": {400, `version`},
	} {
		s.call("POST", "/p/tiny/v2/models/"+path, inferBody("a", 1)).want(t, want.status, want.body)
	}
	s.call("POST", "/p/tinny/v2/models/tiny/infer", inferBody("a", 1)).want(t, 404)
	s.call("POST", "/p/tiny/v2/models/tiny/versions/2/infer", inferBody("standby", 1)).want(t, 200,
		`"model_version":"2"`)
}

func eventTimesAreWrong(t *testing.T, s *server) {
	at := func(when string) string {
		return strings.Replace(inferBody("future", 1), `"inputs"`,
			`"parameters":{"event_time":`+when+`},"inputs"`, 1)
	}
	const path = "/p/tiny/v2/models/tiny/infer"
	s.call("POST", path, at(`"2999-01-01T00:00:00Z"`)).want(t, 400, `in the future`)
	s.call("POST", path, at(`"tomorrow"`)).want(t, 400, `event_time`)
	s.call("POST", path, at(`32472144000000`)).want(t, 400, `in the future`)
	s.call("PUT", "/api/v1/projects/tiny/endpoints/tiny/clock",
		`{"to":"2999-01-01T00:00:00Z"}`).want(t, 400, `future`)
	res, err := http.Post(s.url+path, "application/json",
		strings.NewReader(at(`"2024-01-01T00:00:00Z"`)))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusUnauthorized {
		t.Errorf("an event time without the token: status %d, want 401", res.StatusCode)
	}
}

func labelsAreWrong(t *testing.T, s *server) {
	const path = "/api/v1/projects/tiny/endpoints/tiny/labels"
	s.call("POST", "/p/tiny/v2/models/tiny/infer", inferBody("known", 1)).want(t, 200)
	for _, tt := range []struct {
		name, labels string
		status       int
		want         string
	}{
		{"for a request", `{"request_id":"known","value":2}`, 200, `"accepted":1.*"unmatched":0`},
		{"twice", `{"request_id":"known","value":2}`, 200, `"accepted":0.*"duplicates":1`},
		{"unknown id", `{"request_id":"nobody","value":2}`, 200, `"accepted":1.*"unmatched":1`},
		{"before its prediction", `{"request_id":"early","value":2}`, 200, `"accepted":1.*"unmatched":1`},
		{"in the future", `{"request_id":"known","value":2,"observed_at":"2999-01-01T00:00:00Z"}`, 400,
			`future`},
		{"without id", `{"value":2}`, 400, `request_id`},
		{"no number", `{"request_id":"known","value":"two"}`, 400, `value`},
		{"one of two is wrong", `{"request_id":"half","value":2},{"request_id":"","value":2}`, 400,
			`request_id`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.call("POST", path, `{"labels":[`+tt.labels+`]}`).want(t, tt.status, tt.want)
		})
	}
	s.call("POST", path, `{"labels":[{"request_id":"half","value":2}]}`).want(t, 200, `"accepted":1`) // nothing was kept of the batch
	s.call("POST", "/p/tiny/v2/models/tiny/infer", inferBody("early", 1)).want(t, 200)
	s.call("POST", path, `{"labels":[{"request_id":"early","value":2}]}`).want(t, 200,
		`"duplicates":1`, `"unmatched":0`)
	s.call("POST", "/api/v1/projects/tiny/endpoints/tini/labels",
		`{"labels":[{"request_id":"a","value":2}]}`).want(t, 404, `tini`)
}

func pathsAreRefused(t *testing.T, s *server) {
	const artifacts = "/api/2.0/mlflow-artifacts/artifacts/"
	for _, path := range []string{
		"/p/tiny/../../etc/passwd", "/p/tiny/%2e%2e/%2e%2e/etc/passwd", "/p/..%2ftiny/v2",
		artifacts + "../../etc/passwd", artifacts + "%2e%2e/%2e%2e/etc/passwd",
		artifacts + "..%2f..%2fetc%2fpasswd",
		artifacts + "/etc/passwd", artifacts + "%2fetc%2fpasswd", artifacts + "a/./b",
		artifacts + `a%5c..%5cb`, artifacts + "a%00b", artifacts + "a//b", artifacts + "%252e%252e/b/..",
	} {
		for _, method := range []string{"GET", "PUT"} {
			if status, answer := rawRequest(t, s, method, path); status != 400 {
				t.Errorf("%s %s: status %d, want 400: %s", method, path, status, answer)
			}
		}
	}
	for _, path := range []string{"../../etc", "/etc", "a/../../etc"} {
		s.call("GET", "/api/2.0/mlflow-artifacts/artifacts?path="+path, nil).want(t, 400)
	}
}

// rawRequest sends a path as it is, which Go's client would clean.
func rawRequest(t *testing.T, s *server, method, path string) (status int, answer string) {
	t.Helper()
	host := strings.TrimPrefix(s.url, "http://")
	conn, err := net.DialTimeout("tcp", host, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx",
		method, path, host)
	b := make([]byte, 2048)
	n, _ := conn.Read(b)
	fmt.Sscanf(string(b[:n]), "HTTP/1.1 %d", &status)
	return status, string(b[:n])
}

func TestFaults_PortIsTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	run(t, t.TempDir(), "serve", "--data", t.TempDir(), "--listen", l.Addr().String()).
		want(t, 1, l.Addr().String(), `in use`, `--listen`)
}

func TestFaults_DataDirectoryIsInUse(t *testing.T) {
	s := serve(t, t.TempDir())
	run(t, t.TempDir(), "serve", "--data", s.data, "--listen", "127.0.0.1:0").
		want(t, 1, `in use by another fairlead`, fmt.Sprintf(`pid %d`, s.cmd.Process.Pid), `--data`)
	s.call("GET", "/livez", nil).want(t, 200)
	s.kill()
	s.start() // the lock of a dead process holds nobody up
	s.call("GET", "/livez", nil).want(t, 200)
}

// nobody is the user that owns nothing.
const nobody = 65534

func TestFaults_DataDirectoryIsReadOnly(t *testing.T) {
	data := t.TempDir()
	cmd := exec.Command(program(t), "serve", "--data", data, "--listen", "127.0.0.1:0")
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	} else if err := os.Chmod(data, 0o500); err != nil {
		t.Fatal(err)
	}
	cmd.Dir = "/"
	outcomeOf(t, cmd).want(t, 1, `cannot be used`, data, `permission denied`, `--data`)
	if entries, _ := os.ReadDir(data); len(entries) > 0 {
		t.Errorf("something was written: %v", entries)
	}
}

// diskSize is that of the small disk: the database, its reserve and some runs fit.
const diskSize = 40 << 20

// smallDisk returns a directory on a disk of its own. Where none can be made, it skips
// the test with one line.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", diskSize)); err != nil {
		t.Skipf("LEFT OUT: a full disk needs the right to mount a small tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}

func TestFaults_DiskIsFull(t *testing.T) {
	data := smallDisk(t)
	s := serve(t, data)
	id := newRun(t, s)
	s.call("POST", "/api/2.0/mlflow/runs/log-batch", batchOf(id, "before", 10)).want(t, 200)
	ballast := filepath.Join(data, "ballast")
	fill(t, ballast)

	refused := writeUntilRefused(t, s, id)
	s.call("GET", history(id, refused), nil).want(t, 200)
	if r := s.call("GET", history(id, refused), nil); strings.Contains(r.body, `"value"`) {
		t.Errorf("a refused batch was half written: %.200s", r.body)
	}
	putArtifact(s, id, strings.Repeat("x", 4<<20)).want(t, 507)
	s.call("GET", "/api/2.0/mlflow/runs/get?run_id="+id, nil).want(t, 200, `before`)
	s.call("GET", "/livez", nil).want(t, 200)

	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	s.awaitWrites(id)
	putArtifact(s, id, "small").want(t, 200)
	s.run(t.TempDir(), "audit", "verify").want(t, 0, `^verified`)
	s.kill()
	s.start()
	s.call("GET", history(id, "after"), nil).want(t, 200, `"value"`)
	s.run(t.TempDir(), "audit", "verify").want(t, 0, `^verified`)
	for _, left := range partialFiles(data) {
		t.Errorf("a file is left half written: %s", left)
	}
}

// What a full disk stops is data; the way back to the version before stays open, also
// when others take what room is left, and after a restart.
func TestFaults_RollsBackOnAFullDisk(t *testing.T) {
	python(t)
	s := serve(t, smallDisk(t))
	dir := repository(t, tinyProject(t, map[string]string{"fairlead.yaml": strings.Replace(tinyFile,
		"release:\n", "release:\n  staging: {strategy: replace}\n", 1)}))
	s.run(dir, "run").want(t, 0)
	s.releaseNext(dir, 2)
	id := newRun(t, s)
	fill(t, filepath.Join(s.data, "ballast"))
	writeUntilRefused(t, s, id)
	began := time.Now()
	s.run(dir, "rollback", "tiny@production", "--reason",
		"the disk is full, and the model wrong").want(t, 0)
	s.awaitVersion("tiny", "tiny", 1)
	if took := time.Since(began); took > 20*time.Second { // it waits for no room
		t.Errorf("it took %s", took)
	}
	fill(t, filepath.Join(s.data, "greedy"))
	putArtifact(s, id, "small").want(t, 507)
	s.kill()
	fill(t, filepath.Join(s.data, "greedier"))
	s.start()
	s.awaitVersion("tiny", "tiny", 1)
	s.run(dir, "rollback", "tiny@staging", "--reason", "wrong there too").want(t, 0)
	s.awaitVersion("tiny", "tiny@staging", 1)
	s.call("POST", "/api/2.0/mlflow/runs/log-parameter",
		fmt.Sprintf(`{"run_id":%q,"key":"small","value":"1"}`, id)).want(t, 507)
	for _, name := range []string{"ballast", "greedy", "greedier"} {
		if err := os.Remove(filepath.Join(s.data, name)); err != nil {
			t.Fatal(err)
		}
	}
	s.awaitWrites(id)
	s.call("POST", "/p/tiny/v2/models/tiny/infer", inferBody("a", 21)).want(t, 200,
		`"model_version":"1"`, `"data":\[42\]`)
	s.run(dir, "audit", "verify").want(t, 0, `^verified`)
}

// awaitWrites waits until a server whose disk was full takes data again.
func (s *server) awaitWrites(run string) {
	s.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for s.call("POST", "/api/2.0/mlflow/runs/log-batch", batchOf(run, "after", 10)).status != 200 {
		if time.Now().After(deadline) {
			s.t.Fatal("writes are still refused though there is room again")
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// writeUntilRefused logs batches until the disk is full, and returns the metric of the
// batch that was refused.
func writeUntilRefused(t *testing.T, s *server, run string) string {
	t.Helper()
	for i := range 2000 {
		key := fmt.Sprintf("full%04d", i)
		r := s.call("POST", "/api/2.0/mlflow/runs/log-batch", batchOf(run, key, 1000))
		if r.status != 200 {
			r.want(t, 507, `RESOURCE_EXHAUSTED`, `(?i)disk`)
			return key
		}
	}
	t.Fatal("the disk never became full")
	return ""
}

func history(run, key string) string {
	return "/api/2.0/mlflow/metrics/get-history?metric_key=" + key + "&run_id=" + run
}

// newRun creates a tracking run in the default experiment, and returns its id.
func newRun(t testing.TB, s *server) string {
	t.Helper()
	var created struct {
		Run struct {
			Info struct {
				RunID string `json:"run_id"`
			} `json:"info"`
		} `json:"run"`
	}
	s.call("POST", "/api/2.0/mlflow/runs/create", `{"experiment_id":"0","start_time":1}`).want(t,
		200).decode(t, &created)
	return created.Run.Info.RunID
}

// batchOf is a log-batch of n points of one metric.
func batchOf(run, key string, n int) string {
	var b strings.Builder
	fmt.Fprintf(&b, `{"run_id":%q,"metrics":[`, run)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"key":%q,"value":%d,"timestamp":1,"step":%d}`, key, i, i)
	}
	return b.String() + "]}"
}

// fill writes a file until the disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 64<<10)
	for err == nil {
		_, err = f.Write(block)
	}
}

// putArtifact uploads an artifact of a run.
func putArtifact(s *server, run, content string) reply {
	s.t.Helper()
	return s.call("PUT", "/api/2.0/mlflow-artifacts/artifacts/0/"+run+"/artifacts/weights.bin",
		content)
}

// partialFiles lists what a write that failed could have left.
func partialFiles(dir string) (found []string) {
	filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if name := filepath.Base(path); err == nil && !d.IsDir() &&
			(strings.HasSuffix(name, ".part") || strings.HasSuffix(name, ".tmp")) {
			found = append(found, path)
		}
		return nil
	})
	return found
}
