package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/engine/pyenv"
	"github.com/fairlead-ml/fairlead/examples"
)

// What stories are told with: the program as a user has it, a server of it that can
// be killed, a repository, and plain HTTP.

// commandMax bounds one command, and serverMax a start or an end of the server.
const (
	commandMax = 4 * time.Minute
	serverMax  = time.Minute
)

// outcome is how a command ended.
type outcome struct {
	status         int
	stdout, stderr string
}

// run runs the program in dir, and returns how it ended.
func run(t testing.TB, dir string, args ...string) outcome {
	t.Helper()
	return within(t, commandMax, dir, args...)
}

// within is run for a command that takes longer, or must not.
func within(t testing.TB, limit time.Duration, dir string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, program(t), args...)
	cmd.Dir = dir
	return outcomeOf(t, cmd)
}

func outcomeOf(t testing.TB, cmd *exec.Cmd) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var ended *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &ended) {
		t.Fatalf("%s: %v", strings.Join(cmd.Args, " "), err)
	}
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// want fails the test unless the command ended with the status, and all that it
// printed together matches each of the patterns.
func (o outcome) want(t testing.TB, status int, patterns ...string) outcome {
	t.Helper()
	if o.status != status {
		t.Fatalf("exit status %d, want %d\nstdout: %s\nstderr: %s", o.status, status, o.stdout, o.stderr)
	}
	wantMatches(t, o.stdout+o.stderr, patterns...)
	return o
}

func wantMatches(t testing.TB, text string, patterns ...string) {
	t.Helper()
	for _, p := range patterns {
		if !regexp.MustCompile(p).MatchString(text) {
			t.Errorf("nothing matches %q in:\n%s", p, text)
		}
	}
}

// decode reads the command's JSON.
func (o outcome) decode(t testing.TB, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(o.stdout), into); err != nil {
		t.Fatalf("stdout is not the JSON that was asked for: %v\n%s\n%s", err, o.stdout, o.stderr)
	}
}

// server is a real server in a process of its own.
type server struct {
	t    testing.TB
	args []string
	cmd  *exec.Cmd
	data string
	url  string
	log  string // path of what it prints to stderr
	http *http.Client
}

// serve starts a server on a data directory and a free port, and ends it with the
// test, checking that it leaves no process behind.
func serve(t testing.TB, data string, args ...string) *server {
	t.Helper()
	args = append([]string{"serve", "--data", data, "--listen", freeAddress(t)}, args...)
	s := &server{t: t, data: data, args: args, log: filepath.Join(t.TempDir(), "server.log"),
		http: &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 16}}}
	s.start()
	t.Cleanup(func() {
		s.stop()
		if left := processesOf(s.data); len(left) > 0 {
			t.Errorf("processes that are left behind: %v", left)
			for pid := range left {
				syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		if t.Failed() {
			b, _ := os.ReadFile(s.log)
			t.Logf("the server's log:\n%s", b)
		}
	})
	return s
}

// freeAddress returns an address that nobody uses, below the ports that the system
// gives to clients: a server that is killed finds it free again.
func freeAddress(t testing.TB) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 15000+rand.IntN(15000)))
		if err == nil {
			l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("no port is free")
	return ""
}

var readyAt = regexp.MustCompile(`is ready at (http://\S+)`)

// start starts the process, and waits until it says where it is.
func (s *server) start() {
	s.t.Helper()
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	s.cmd = exec.Command(program(s.t), s.args...)
	s.cmd.Dir = filepath.Dir(s.log)
	s.cmd.Stderr = log
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	timer := time.AfterFunc(serverMax, func() { s.cmd.Process.Kill() })
	defer timer.Stop()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if m := readyAt.FindStringSubmatch(lines.Text()); m != nil {
			if s.url == "" { // a later start has the same address, and callers that read it
				s.url = m[1]
			}
			go io.Copy(io.Discard, out)
			return
		}
	}
	s.cmd.Wait()
	b, _ := os.ReadFile(s.log)
	s.t.Fatalf("the server did not start (%s):\n%s", s.cmd.ProcessState, b)
}

// kill ends the server as kill -9 does.
func (s *server) kill() {
	s.t.Helper()
	if err := s.cmd.Process.Kill(); err != nil {
		s.t.Fatal(err)
	}
	s.cmd.Wait()
	s.http.CloseIdleConnections()
}

// stop ends the server gracefully.
func (s *server) stop() {
	s.cmd.Process.Signal(syscall.SIGTERM)
	timer := time.AfterFunc(serverMax, func() { s.cmd.Process.Kill() })
	defer timer.Stop()
	s.cmd.Wait()
	if !s.cmd.ProcessState.Success() {
		s.t.Errorf("the server ended with %s", s.cmd.ProcessState)
	}
}

// run runs a command against this server.
func (s *server) run(dir string, args ...string) outcome {
	s.t.Helper()
	return run(s.t, dir, append(args, "--data", s.data)...)
}

// reply is an answer of the server.
type reply struct {
	status int
	body   string
}

// want fails the test unless the answer has the status and matches the patterns.
func (r reply) want(t testing.TB, status int, patterns ...string) reply {
	t.Helper()
	if r.status != status {
		t.Fatalf("status %d, want %d: %s", r.status, status, r.body)
	}
	wantMatches(t, r.body, patterns...)
	return r
}

func (r reply) decode(t testing.TB, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.body), into); err != nil {
		t.Fatalf("%v: %s", err, r.body)
	}
}

// call sends a request with the owner's token; a body that is not text is sent as JSON.
func (s *server) call(method, path string, body any) reply {
	s.t.Helper()
	r, err := s.try(method, path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// try is call for a server that may be dying.
func (s *server) try(method, path string, body any) (reply, error) {
	var b []byte
	switch v := body.(type) {
	case nil:
	case string:
		b = []byte(v)
	default:
		var err error
		if b, err = json.Marshal(v); err != nil {
			return reply{}, err
		}
	}
	req, err := http.NewRequest(method, s.url+path, bytes.NewReader(b))
	if err != nil {
		return reply{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	if token, err := auth.ReadOwner(s.data); err == nil {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := s.http.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	return reply{res.StatusCode, string(answer)}, err
}

// processesOf finds the processes that have something to do with a directory: their
// arguments or their environment name it. Zombies have neither.
func processesOf(dir string) map[int]string {
	found := map[int]string{}
	paths, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range paths {
		pid, err := strconv.Atoi(filepath.Base(p))
		if err != nil || pid == os.Getpid() {
			continue
		}
		args, _ := os.ReadFile(filepath.Join(p, "cmdline"))
		env, _ := os.ReadFile(filepath.Join(p, "environ"))
		if bytes.Contains(args, []byte(dir)) || bytes.Contains(env, []byte(dir)) {
			found[pid] = string(bytes.ReplaceAll(args, []byte{0}, []byte{' '}))
		}
	}
	return found
}

// repository makes a Git repository of the files, by their paths in it.
func repository(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	writeFiles(t, dir, files)
	git(t, dir, "init", "-q", "-b", "main")
	commit(t, dir)
	return dir
}

func writeFiles(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func commit(t testing.TB, dir string) {
	t.Helper()
	git(t, dir, "add", "-A", "-f", ".")
	git(t, dir, "-c", "user.name=test", "-c", "user.email=test@example.com", "commit", "-q", "-m",
		"change")
}

func git(t testing.TB, dir string, args ...string) {
	t.Helper()
	if out, err := exec.Command("git", append([]string{"-C", dir},
		args...)...).CombinedOutput(); err != nil {
		t.Fatalf("git %s: %v\n%s", args[0], err, out)
	}
}

// requirements are the packages of the examples, which all tests share.
func requirements(t testing.TB) string {
	t.Helper()
	b, err := fs.ReadFile(examples.FS, "wine/requirements.txt")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// python returns an interpreter with the examples' packages. Where they cannot be
// installed, it skips the test with one line.
func python(t testing.TB) string {
	t.Helper()
	m, err := pyenv.New(pyenv.Options{Root: os.Getenv("FAIRLEAD_ENVIRONMENTS")})
	if err != nil {
		t.Skipf("LEFT OUT: %s needs a Python: %v", t.Name(), err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	env, err := m.Ensure(ctx, pyenv.Requirements{Text: requirements(t)}, nil)
	if err != nil {
		t.Skipf("LEFT OUT: %s needs Python packages: %v", t.Name(), err)
	}
	return env.Python
}

// example copies an example project into a directory of its own.
func example(t testing.TB, name string) string {
	t.Helper()
	dir := t.TempDir()
	project, err := fs.Sub(examples.FS, name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(dir, project); err != nil {
		t.Fatal(err)
	}
	return dir
}

// replaceIn edits a file: each old text must be there.
func replaceIn(t testing.TB, path string, oldNew ...string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for pair := range slices.Chunk(oldNew, 2) {
		if !strings.Contains(text, pair[0]) {
			t.Fatalf("%s does not contain %q", path, pair[0])
		}
		text = strings.ReplaceAll(text, pair[0], pair[1])
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
