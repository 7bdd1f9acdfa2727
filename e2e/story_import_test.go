package e2e_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// mlflowClient runs the scripts of testdata/import with the real client.
type mlflowClient struct {
	*testing.T
	python, dir string
}

func (c mlflowClient) run(script string, args ...string) string {
	c.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", "import", script))
	if err != nil {
		c.Fatal(err)
	}
	cmd := exec.Command(c.python, append([]string{"-W", "ignore", path}, args...)...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR=false",
		"MLFLOW_DISABLE_TELEMETRY=true")
	return outcomeOf(c.T, cmd).want(c.T, 0).stdout
}

// readsTheSame imports, and holds that the client then reads from Fairlead what it read
// from the source, and that a second import changes nothing.
func (c mlflowClient) readsTheSame(t *testing.T, want, from string, args ...string) {
	t.Helper()
	c.T = t
	s := serve(t, t.TempDir())
	args = append([]string{"import", "mlflow", from}, args...)
	s.run(c.dir, args...).want(t, 0,
		`^3 experiments, 4 runs, 1 logged models, 2 models with 2 versions; 15\d\d points and 7 files read`)
	if got := c.run("dump.py", s.url); got != want {
		t.Errorf("the client reads from Fairlead:\n%s\nand from the source:\n%s", got, want)
	}
	events := s.run(c.dir, "audit", "verify").want(t, 0).stdout
	again := s.run(c.dir, args...).want(t, 0,
		`(?m); 0 points and 0 files read, [67] things were here already$`)
	if strings.Contains(again.stdout, "left out") {
		t.Errorf("something was left out: %s", again.stdout)
	}
	if got := s.run(c.dir, "audit", "verify").want(t, 0).stdout; got != events {
		t.Errorf("a second import has changed something: %s, before %s", got, events)
	}
}

// The real client writes a store without Fairlead; what it reads from Fairlead after the
// import is what it reads from there, and a second import changes nothing.
func TestStory_ImportOfMLflowReadsTheSame(t *testing.T) {
	interpreter := python(t)
	for name, tt := range map[string]struct{ scheme, file string }{
		"files":  {"file://", "mlruns"},
		"SQLite": {"sqlite:///", "mlflow.db"},
	} {
		t.Run(name, func(t *testing.T) {
			c := mlflowClient{t, interpreter, t.TempDir()}
			from := filepath.Join(c.dir, tt.file)
			c.run("store.py", tt.scheme+from, c.dir)
			c.readsTheSame(t, c.run("dump.py", tt.scheme+from), from)
		})
	}
}

// The same of MLflow's own server, read over HTTP, and of the Postgres database below it.
func TestStory_ImportOfAnMLflowServerReadsTheSame(t *testing.T) {
	c := mlflowClient{t, testPython(t), t.TempDir()}
	postgres := postgresFor(t, "5ecret-of-postgres")
	backend := cmp.Or(postgres, "sqlite:///"+filepath.Join(c.dir, "mlflow.db"))
	artifacts := filepath.Join(c.dir, "mlartifacts")
	uri := mlflowServer(t, c, backend, artifacts)
	c.run("store.py", uri, c.dir)
	want := c.run("dump.py", uri)
	t.Run("HTTP", func(t *testing.T) { c.readsTheSame(t, want, uri) })
	t.Run("Postgres", func(t *testing.T) {
		if postgres == "" {
			t.Skip("LEFT OUT: no Postgres on this machine")
		}
		t.Setenv("PGPASSWORD", "5ecret-of-postgres")
		from := strings.Replace(postgres, ":5ecret-of-postgres", "", 1)
		c.readsTheSame(t, want, from, "--artifacts", artifacts)
		s := serve(t, t.TempDir())
		s.run(c.dir, "import", "mlflow", postgres).want(t, 1, `PGPASSWORD`)
		s.run(c.dir, "import", "mlflow", from, "-o", "json").want(t, 0, `"source":"postgresql`,
			`name the directory that it keeps them in with --artifacts`)
		t.Setenv("PGPASSWORD", "wrong-5ecret-of-postgres")
		s.run(c.dir, "import", "mlflow", from).want(t, 1, `password authentication failed`)
		s.stop()
		s.holdsNoText("5ecret-of-postgres")
		s.start()
	})
}

// holdsNoText fails the test when a text is in a file of the data directory, or in the log.
func (s *server) holdsNoText(text string) {
	s.t.Helper()
	files := []string{s.log}
	err := filepath.WalkDir(s.data, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			s.t.Fatal(err)
		}
		if bytes.Contains(b, []byte(text)) {
			s.t.Errorf("%s holds %q", path, text)
		}
	}
}

// testPython returns the interpreter with MLflow's server and what that needs for Postgres.
func testPython(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(root, ".tools", "test-venv", "bin", "python"))
	if err != nil {
		t.Fatal(err)
	}
	path = cmp.Or(os.Getenv("FAIRLEAD_TEST_PYTHON"), path)
	if _, err := os.Stat(path); err != nil {
		t.Skip("LEFT OUT: no Python with MLflow's server; set FAIRLEAD_TEST_PYTHON or run `make test`")
	}
	return path
}

// mlflowServer starts MLflow's own server, and returns its address.
func mlflowServer(t *testing.T, c mlflowClient, backend, artifacts string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(filepath.Dir(c.python), "mlflow"), "server", "--workers", "1",
		"--port", port, "--backend-store-uri", backend, "--artifacts-destination", artifacts)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "MLFLOW_DISABLE_TELEMETRY=true",
		"PATH="+filepath.Dir(c.python)+":"+os.Getenv("PATH"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	uri := "http://127.0.0.1:" + port
	inBackground(t, cmd, func() bool {
		res, err := http.Get(uri + "/health")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	return uri
}

// inBackground starts a command, waits until it is ready, and ends its group of processes
// with the test.
func inBackground(t *testing.T, cmd *exec.Cmd, ready func() bool) {
	t.Helper()
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGINT)
		select {
		case <-ended:
		case <-time.After(serverMax):
			syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
			<-ended
		}
		if t.Failed() {
			t.Logf("%s:\n%s", cmd.Path, &log)
		}
	})
	for deadline := time.Now().Add(commandMax); !ready(); {
		select {
		case <-ended:
			t.Fatalf("%s has ended:\n%s", cmd.Path, &log)
		case <-time.After(100 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is not ready", cmd.Path)
		}
	}
}

// postgresFor starts a Postgres of its own, and returns the address of a database in it that
// takes the password alone; nothing when this machine has none where Debian puts it.
func postgresFor(t *testing.T, password string) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return ""
	}
	bin := filepath.Dir(slices.Max(found))
	dir, err := os.MkdirTemp(scratch, "postgres-")
	if err != nil {
		t.Fatal(err)
	}
	secret := filepath.Join(dir, "password")
	if err := os.WriteFile(secret, []byte(password), 0o644); err != nil {
		t.Fatal(err)
	}
	attr := &syscall.SysProcAttr{Setpgid: true}
	if os.Getuid() == 0 { // it does not run as root
		attr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
		if err := os.Chown(dir, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	data := filepath.Join(dir, "data")
	command := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(bin, name), args...)
		cmd.Dir, cmd.SysProcAttr = dir, attr
		cmd.Env = append(os.Environ(), "PGPASSWORD="+password)
		return cmd
	}
	outcomeOf(t, command("initdb", "-D", data, "-U", "mlflow", "-A", "scram-sha-256", "--pwfile", secret,
		"--no-sync")).want(t, 0)
	_, port, err := net.SplitHostPort(freeAddress(t))
	if err != nil {
		t.Fatal(err)
	}
	at := []string{"-h", "127.0.0.1", "-p", port}
	inBackground(t, command("postgres", "-D", data, "-p", port, "-k", dir, "-c", "fsync=off",
		"-c", "listen_addresses=127.0.0.1"), func() bool {
		return command("pg_isready", at...).Run() == nil
	})
	outcomeOf(t, command("createdb", append(at, "-U", "mlflow", "mlflow")...)).want(t, 0)
	return fmt.Sprintf("postgresql+psycopg2://mlflow:%s@127.0.0.1:%s/mlflow", password, port)
}

// manyRuns writes a store of files as MLflow's client does.
func manyRuns(t *testing.T, dir string, runs int) {
	t.Helper()
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var points strings.Builder
	for step := range 2000 {
		fmt.Fprintf(&points, "%d %g %d\n", 1000+step, 1/float64(step+1), step)
	}
	for exp := range 3 {
		write(fmt.Sprintf("%d/meta.yaml", exp+1), fmt.Sprintf("name: e%d\nlifecycle_stage: active\n"+
			"creation_time: %d\nlast_update_time: 9\n", exp, exp+5))
	}
	for i := range runs {
		id := fmt.Sprintf("%032x", i+1)
		state := []string{"active", "active", "deleted"}[i%3]
		at := fmt.Sprintf("%d/%s/", i%3+1, id)
		write(at+"meta.yaml", fmt.Sprintf("run_name: r%d\nlifecycle_stage: %s\nuser_id: ann\nstatus: 3\n"+
			"start_time: %d\nend_time: %d\nartifact_uri: /x\n", i, state, i+1, i+2))
		write(at+"metrics/loss", points.String())
		write(at+"params/n", fmt.Sprint(i))
		write(at+"artifacts/model/MLmodel", fmt.Sprintf("n: %d", i))
		write(fmt.Sprintf("models/m/version-%d/meta.yaml", i+1), fmt.Sprintf("version: %d\n"+
			"source: runs:/%s/model\nrun_id: %s\ncreation_timestamp: 5\n", i+1, id, id))
	}
	write("models/m/meta.yaml", "name: m\ncreation_timestamp: 1\nlast_updated_timestamp: 2\n")
	write("models/m/aliases/best", "7")
}

var events = regexp.MustCompile(`verified: (\d+) events`)

// all is what clients read, and how many events have told of it.
func (s *server) all(dir string) string {
	s.t.Helper()
	var out strings.Builder
	out.WriteString(s.call("POST", "/api/2.0/mlflow/runs/search", map[string]any{"max_results": 1000,
		"experiment_ids": []string{"1", "2", "3"}, "run_view_type": "ALL"}).want(s.t, 200).body)
	for _, path := range []string{"registered-models/get?name=m",
		"model-versions/search?max_results=1000",
		"metrics/get-history?metric_key=loss&run_id=" + fmt.Sprintf("%032x", 5),
		"artifacts/list?path=model&run_id=" + fmt.Sprintf("%032x", 5)} {
		out.WriteString("\n" + s.call("GET", "/api/2.0/mlflow/"+path, nil).want(s.t, 200).body)
	}
	said := s.run(dir, "audit", "verify").want(s.t, 0).stdout
	return out.String() + "\n" + events.FindString(said)
}

// kill -9 of the server or of the command in the middle of an import: the import after that
// brings in the same as one that nobody disturbs, and nothing twice.
func TestStory_ImportGoesOnAfterAKill(t *testing.T) {
	const runs = 120
	dir := t.TempDir()
	store := filepath.Join(dir, "mlruns")
	manyRuns(t, store, runs)
	calm := serve(t, t.TempDir())
	calm.run(dir, "import", "mlflow", store).want(t, 0, `^3 experiments, 120 runs, .* 120 versions; 240000 points`)
	want := calm.all(dir)
	s := serve(t, t.TempDir())
	killed := 0
	for round := range 6 {
		cmd := exec.Command(program(t), "import", "mlflow", store, "--data", s.data)
		cmd.Dir = dir
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() { cmd.Wait(); close(ended) }()
		if !s.imported(ended, (round+1)*runs/7) {
			break // it was faster
		}
		if killed++; round%2 == 0 {
			s.kill()
			<-ended
			s.start()
		} else {
			cmd.Process.Kill()
			<-ended
		}
	}
	if killed < 3 {
		t.Errorf("only %d imports were cut off", killed)
	}
	s.importedAtLast(dir, store)
	if got := s.all(dir); got != want {
		t.Errorf("after kills clients read\n%.2000s\nand otherwise\n%.2000s", got, want)
	}
}

// imported waits until the import has come to so many runs; false when it ended before.
func (s *server) imported(ended <-chan struct{}, runs int) bool {
	s.t.Helper()
	for {
		var rep struct{ Runs, Skipped, Versions int }
		r := s.call("GET", "/api/v1/projects/default/imports/mlflow", nil)
		if err := json.Unmarshal([]byte(r.body), &rep); err != nil {
			s.t.Fatal(err)
		}
		if rep.Runs >= runs {
			return true
		}
		select {
		case <-ended:
			return false
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// importedAtLast imports when the server has seen that the command before is gone.
func (s *server) importedAtLast(dir, store string) {
	s.t.Helper()
	for deadline := time.Now().Add(serverMax); ; time.Sleep(10 * time.Millisecond) {
		o := s.run(dir, "import", "mlflow", store)
		if o.status == 0 {
			o.want(s.t, 0, `^3 experiments, 120 runs, .* 120 versions; `)
			return
		}
		if !strings.Contains(o.stderr, "another import runs") || time.Now().After(deadline) {
			o.want(s.t, 0)
		}
	}
}
