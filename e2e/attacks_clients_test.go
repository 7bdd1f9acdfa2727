package e2e_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead/auth"
)

// Clients that are slow, stop, break off or send nonsense. The server answers others
// meanwhile, its memory stays below maxMemory, and of the clients nothing is left.

// maxMemory is what the server may have taken at its worst, in bytes.
const maxMemory = 1 << 30

// neverMax bounds how long the server may keep a client that does nothing, in wall time:
// 30 s for a client that does not read, and what a busy machine adds.
const neverMax = 2 * time.Minute

func TestAttacks_ClientsThatAreSlowOrBroken(t *testing.T) {
	t.Parallel() // it mostly waits
	s := serve(t, t.TempDir())
	run := newRun(t, s)
	big := strings.Repeat("0123456789abcdef", 4<<20/16)
	path := "/api/2.0/mlflow-artifacts/artifacts/0/" + run + "/artifacts/big"
	s.call("PUT", path, big).want(t, 200)
	base := s.metric("go_goroutines")
	stop := s.others(t)
	t.Run("all", func(t *testing.T) {
		for name, attack := range map[string]func(*testing.T, *server, string, string){
			"never reads": neverReads, "slow headers": slowHeaders, "slow bodies": slowBodies,
			"half-closed": halfClosed, "reset": resets, "nonsense": nonsense,
			"gzip bombs": gzipBombs, "a gigabyte": aGigabyte, "strange bodies": strangeBodies,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				attack(t, s, run, path)
			})
		}
	})
	t.Run("announced bodies", func(t *testing.T) { announcedBodies(t, s, run, path) })
	t.Run("large bodies", func(t *testing.T) { largeBodies(t, s, run, path) })
	s.await("an end with all these clients", func() bool { return s.metric("go_goroutines") < base+20 })
	idleCrowd(t, s)
	s.await("an end with the crowd", func() bool { return s.metric("go_goroutines") < base+20 })
	stop()
	if peak := s.peak(t); peak > maxMemory {
		t.Errorf("the server took %d MB of memory at its worst, want at most %d", peak>>20, maxMemory>>20)
	} else {
		t.Logf("the server took %d MB of memory at its worst", peak>>20)
	}
	s.call("GET", path, nil).want(t, 200)
	s.run(t.TempDir(), "audit", "verify").want(t, 0)
}

// others asks the server all the while, and each time expects an answer soon.
func (s *server) others(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	client := &http.Client{Timeout: 20 * time.Second}
	worst := time.Duration(0)
	all.Go(func() {
		for ctx.Err() == nil {
			began := time.Now()
			res, err := client.Get(s.url + "/api/2.0/mlflow/experiments/get?experiment_id=0")
			if err != nil {
				t.Errorf("somebody else is not answered: %v", err)
				return
			}
			io.Copy(io.Discard, res.Body)
			res.Body.Close()
			worst = max(worst, time.Since(began))
			if res.StatusCode != 200 {
				t.Errorf("somebody else gets %d", res.StatusCode)
				return
			}
		}
	})
	return func() {
		cancel()
		all.Wait()
		t.Logf("others waited for %s at most", worst)
	}
}

// metric reads a number of the server's metrics.
func (s *server) metric(name string) (value float64) {
	s.t.Helper()
	body := s.call("GET", "/metrics", nil).want(s.t, 200).body
	m := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindStringSubmatch(body)
	if m == nil {
		s.t.Fatalf("there is no metric %s", name)
	}
	value, _ = strconv.ParseFloat(m[1], 64)
	return value
}

// peak is the most memory that the server has held, in bytes (VmHWM of proc(5)).
func (s *server) peak(t *testing.T) int64 {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(b)
	kb, err := strconv.ParseInt(string(m[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kb << 10
}

func (s *server) await(what string, is func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(neverMax); !is(); pauseBriefly() {
		if time.Now().After(deadline) {
			s.t.Errorf("%s: not within %s", what, neverMax)
			return
		}
	}
}

// pauseBriefly is between two looks at a condition.
func pauseBriefly() { <-time.After(50 * time.Millisecond) }

// dial connects, and gives the connection neverMax in all.
func (s *server) dial(t *testing.T) *net.TCPConn {
	t.Helper()
	conn, err := net.DialTimeout("tcp", s.host(), 20*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(neverMax))
	s.t.Cleanup(func() { conn.Close() }) // after the server was seen to have let go
	return conn.(*net.TCPConn)
}

func (s *server) host() string { return strings.TrimPrefix(s.url, "http://") }

// head is the beginning of a request.
func (s *server) head(method, path string, headers ...string) string {
	lines := append([]string{method + " " + path + " HTTP/1.1", "Host: " + s.host()}, headers...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// answers reads the statuses of all answers until the server closes the connection.
func answers(t *testing.T, conn net.Conn) (statuses []int) {
	t.Helper()
	r := bufio.NewReader(conn)
	for {
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			var late net.Error
			if errors.As(err, &late) && late.Timeout() {
				t.Errorf("the server kept the connection, after %v", statuses)
			}
			return statuses
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		statuses = append(statuses, res.StatusCode)
	}
}

// Headers that come a byte at a time are not waited for: no matter how many bytes come.
func slowHeaders(t *testing.T, s *server, _, _ string) {
	var all sync.WaitGroup
	for range 300 {
		conn := s.dial(t)
		all.Go(func() {
			text := s.head("GET", "/health", "X-A: "+strings.Repeat("a", 4000))
			for i := range text {
				if _, err := conn.Write([]byte{text[i]}); err != nil {
					return
				}
				pauseBriefly()
			}
			t.Errorf("a header that took %d times 50 ms was read", len(text))
		})
	}
	all.Wait()
}

// A body that stops is answered, whoever sends it, and the connection closed.
func slowBodies(t *testing.T, s *server, run, path string) {
	token, err := auth.ReadOwner(s.data)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for _, tt := range []struct {
		name, method, path string
		headers            []string
		want               int
	}{
		{"MLflow", "POST", "/api/2.0/mlflow/runs/create", nil, 400},
		{"a metric", "POST", "/api/2.0/mlflow/runs/log-metric", nil, 400},
		{"a file", "PUT", path, nil, 503}, // which clients send again
		{"sign-in", "POST", "/signin", []string{"Content-Type: application/x-www-form-urlencoded"}, 400},
		{"inference", "POST", "/v2/models/none/infer", nil, 404},
		{"native", "POST", "/api/v1/tokens", []string{"Authorization: Bearer " + token}, 408},
		{"without permission", "PUT", "/api/v1/users/ada/password", nil, 401},
		{"by another machine", "POST", "/api/2.0/mlflow/runs/create", []string{"X-Forwarded-For: 1"}, 401},
		{"a path that is not clean", "POST", "/a//b", nil, 400},
		{"no route", "POST", "/nowhere", nil, 404},
		{"a wrong method", "POST", "/livez", nil, 405},
		{"a GET", "GET", "/health", nil, 200},
	} {
		for _, length := range []string{"Content-Length: 1000", "Transfer-Encoding: chunked"} {
			conn := s.dial(t)
			all.Go(func() {
				headers := append([]string{length, "Content-Type: application/json"}, tt.headers...)
				io.WriteString(conn, s.head(tt.method, tt.path, headers...))
				if length == "Content-Length: 1000" {
					io.WriteString(conn, `{"run_id":`)
				} else {
					io.WriteString(conn, "a\r\n{\"run_id\":")
				}
				got := answers(t, conn)
				if len(got) != 1 || got[0] != tt.want {
					t.Errorf("%s, %s: %v, want %d", tt.name, length, got, tt.want)
				}
			})
		}
	}
	all.Wait()
}

// Who sends a request and closes its side gets an answer; who closes it amidst a body
// gets a refusal.
func halfClosed(t *testing.T, s *server, run, path string) {
	json := "Content-Type: application/json"
	for name, tt := range map[string]struct {
		text string
		want int
	}{
		"amidst a body": {s.head("POST", "/api/2.0/mlflow/runs/set-tag", json, "Content-Length: 100") +
			`{"run_id":"` + run, 400},
		"amidst a chunk": {s.head("POST", "/api/2.0/mlflow/runs/set-tag", json,
			"Transfer-Encoding: chunked") + "ff\r\n{", 400},
		"amidst a file": {s.head("PUT", path+"2", "Content-Length: 100") + "abc", 400},
	} {
		conn := s.dial(t)
		io.WriteString(conn, tt.text)
		conn.CloseWrite()
		if got := answers(t, conn); len(got) != 1 || got[0] != tt.want {
			t.Errorf("%s: %v, want %d", name, got, tt.want)
		}
	}
	conn := s.dial(t)
	io.WriteString(conn, s.head("GET", path))
	conn.CloseWrite()
	// Who closes its side may have left: a read of the database is given up then.
	if got := answers(t, conn); len(got) != 1 || got[0] != 200 && got[0] != 503 {
		t.Errorf("whole: %v", got)
	}
	conn = s.dial(t)
	io.WriteString(conn, "GET /health HT")
	conn.CloseWrite()
	answers(t, conn)
	s.call("GET", path+"2", nil).want(t, 404)
}

// Connections that are reset amidst a body or an answer leave nothing.
func resets(t *testing.T, s *server, run, path string) {
	for i := range 200 {
		conn := s.dial(t)
		switch i % 4 {
		case 0:
			io.WriteString(conn, s.head("PUT", path+"3", "Content-Length: 1000000")+
				strings.Repeat("x", 1000))
		case 1:
			io.WriteString(conn, s.head("POST", "/api/2.0/mlflow/runs/log-batch",
				"Content-Type: application/json", "Content-Length: 10000")+`{"run_id":"`+run)
		case 2:
			io.WriteString(conn, s.head("GET", path))
			io.ReadFull(conn, make([]byte, 1000))
		case 3:
			io.WriteString(conn, s.head("GET", "/api/v1/projects/default/events?wait=60s&after=1000000"))
		}
		conn.SetLinger(0)
		conn.Close()
	}
	s.call("GET", path+"3", nil).want(t, 404)
}

// Who asks for much and reads nothing is let go, with one large answer and with many
// small ones.
func neverReads(t *testing.T, s *server, run, path string) {
	var all sync.WaitGroup
	for i := range 40 {
		conn := s.dial(t)
		conn.SetReadBuffer(1 << 10)
		all.Go(func() {
			text := s.head("GET", path) // 4 MB
			if i%2 == 0 {
				text = strings.Repeat(s.head("GET", "/api/2.0/mlflow/experiments/get?experiment_id=0"), 20)
			}
			for sent := 0; sent < 64<<20; {
				conn.SetWriteDeadline(time.Now().Add(5 * time.Second))
				n, err := io.WriteString(conn, text)
				if sent += n; err != nil {
					return // it takes no more; that it lets go is seen in the end
				}
			}
			t.Error("the server took 64 MB of requests from who reads nothing")
		})
	}
	all.Wait()
}

// nonsense is what is no HTTP request, or looks like two.
func nonsense(t *testing.T, s *server, run, _ string) {
	health := s.head("GET", "/health")
	post := func(headers ...string) string {
		return s.head("POST", "/api/2.0/mlflow/runs/set-tag", append(headers,
			"Content-Type: application/json")...)
	}
	for name, tt := range map[string]struct {
		text string
		want string // the statuses
	}{
		"garbage":                    {"\x00\x01\x02\xff\xfe\r\n\r\n", "[400]"},
		"garbage behind a request":   {health + "\xff\xff\xff\xff garbage\r\n\r\n", "[200 400]"},
		"TLS":                        {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "[400]"},
		"HTTP/2":                     {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "[400]"},
		"a proxy's request":          {"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n", "[400]"},
		"another HTTP":               {"GET / HTTP/9.9\r\nHost: a\r\n\r\n", "[505]"},
		"no host":                    {"GET /health HTTP/1.1\r\n\r\n", "[400]"},
		"two hosts":                  {"GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "[400]"},
		"a large header":             {s.head("GET", "/health", "X-A: "+strings.Repeat("a", 100_000)), "[431]"},
		"many headers":               {s.head("GET", "/health", strings.Repeat("X-A: a\r\n", 20_000)), "[431]"},
		"a long path":                {s.head("GET", "/"+strings.Repeat("a", 100_000)), "[431]"},
		"a header with a space":      {s.head("GET", "/health", "X A: b"), "[400]"},
		"a header with a zero":       {s.head("GET", "/health", "X-A: \x00"), "[400]"},
		"a negative length":          {post("Content-Length: -1"), "[400]"},
		"two lengths":                {post("Content-Length: 1", "Content-Length: 2") + "{}", "[400]"},
		"a length that is no number": {post("Content-Length: 0x10") + "{}", "[400]"},
		"a huge length":              {post("Content-Length: 99999999999999999999"), "[400]"},
		// Chunks alone count (RFC 9112, 6.3): the first has no parameters.
		"length and chunks":            {post("Content-Length: 4", "Transfer-Encoding: chunked") + "0\r\n\r\n" + health, "[400 200]"},
		"an unknown coding":            {post("Transfer-Encoding: gzip, chunked") + "0\r\n\r\n" + health, "[501]"},
		"a huge chunk":                 {post("Transfer-Encoding: chunked") + "fffffffffffffffff\r\n{", "[400]"},
		"a chunk that is no number":    {post("Transfer-Encoding: chunked") + "zz\r\n{" + health, "[400]"},
		"a request within a body":      {post(fmt.Sprintf("Content-Length: %d", len(health))) + health, "[400]"},
		"an expectation":               {post("Expect: the unexpected", "Content-Length: 2"), "[417]"},
		"a hundred requests at a time": {strings.Repeat(health, 100), fmt.Sprint(repeated(200, 100))},
	} {
		conn := s.dial(t)
		io.WriteString(conn, tt.text)
		conn.CloseWrite()
		if got := fmt.Sprint(answers(t, conn)); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

func repeated(n, times int) (out []int) {
	for range times {
		out = append(out, n)
	}
	return out
}

// A body that unpacks to a gigabyte is not unpacked, or not for long.
func gzipBombs(t *testing.T, s *server, run, _ string) {
	var bomb bytes.Buffer
	w := gzip.NewWriter(&bomb)
	zeros := make([]byte, 1<<20)
	for range 1024 {
		w.Write(zeros)
	}
	w.Close()
	for path, want := range map[string]int{
		"/v2/models/none/infer":                                   404,
		"/api/2.0/mlflow/runs/log-batch":                          400,
		"/api/2.0/mlflow/runs/log-inputs":                         400,
		"/api/v1/projects/default/endpoints/none/labels":          400,
		"/api/2.0/mlflow/experiments/search":                      400,
		"/api/2.0/mlflow-artifacts/mpu/create/0/" + run + "/a":    400,
		"/api/2.0/mlflow-artifacts/mpu/complete/0/" + run + "/ab": 400,
	} {
		res := s.post(t, path, bytes.NewReader(bomb.Bytes()), "Content-Encoding: gzip")
		if res != want && res != 413 {
			t.Errorf("%s: %d, want %d", path, res, want)
		}
	}
}

// post sends a body of any kind with the owner's token, and returns the status; 0 when
// the server has closed the connection before it has answered.
func (s *server) post(t *testing.T, path string, body io.Reader, headers ...string) int {
	t.Helper()
	return s.sendAny(t, "POST", path, body, headers...)
}

func (s *server) sendAny(t *testing.T, method, path string, body io.Reader, headers ...string) int {
	t.Helper()
	req, err := http.NewRequest(method, s.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if token, err := auth.ReadOwner(s.data); err == nil {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	res, err := s.http.Do(req)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

// bodyRoutes are the routes that take a body, from docs/routes.txt, with a path that
// each of them takes; MLflow's second names of them left out.
func bodyRoutes(t *testing.T) (out []bodyRoute) {
	t.Helper()
	b, err := os.ReadFile("../docs/routes.txt")
	if err != nil {
		t.Fatal(err)
	}
	variable := regexp.MustCompile(`\{[^}]*\}`)
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) != 4 || f[0] == "method" || f[2] == "0" || strings.HasPrefix(f[3], "/ajax-api") {
			continue
		}
		r := bodyRoute{method: f[0], public: f[1] == "public"}
		if r.method == "*" {
			r.method = "POST"
		}
		r.limit, _ = strconv.ParseInt(f[2], 10, 64) // 0 for none
		r.path = variable.ReplaceAllString(strings.ReplaceAll(f[3], "{project}", "default"), "1")
		out = append(out, r)
	}
	if len(out) < 100 {
		t.Fatalf("%d routes take a body", len(out))
	}
	return out
}

type bodyRoute struct {
	method, path string
	limit        int64 // in bytes; 0 for none
	public       bool
}

// refuses reports whether an answer is a refusal: of the caller's fault, or of what is
// not there.
func refuses(status int) bool {
	return status >= 400 && status < 500 || status == http.StatusNotImplemented
}

// A gigabyte is refused: at once where the request says so, and else when the route has
// what it takes.
func aGigabyte(t *testing.T, s *server, run, _ string) {
	const gigabyte = 1 << 30
	for _, r := range bodyRoutes(t) {
		if r.limit == 0 || r.limit >= gigabyte {
			continue // files, which are streamed
		}
		if strings.Contains(r.path, "/infer") || strings.HasSuffix(r.path, "/revisions") {
			continue // read to their own limits; see below
		}
		conn := s.dial(t)
		io.WriteString(conn, s.head(r.method, r.path, "Content-Type: application/json",
			"Content-Length: "+strconv.Itoa(gigabyte)))
		if got := answers(t, conn); len(got) != 1 || !refuses(got[0]) {
			t.Errorf("%s %s, which says that it is a gigabyte: %v", r.method, r.path, got)
		}
	}
	for _, r := range bodyRoutes(t) {
		if r.limit == 0 || r.limit >= gigabyte {
			continue
		}
		body := &endless{left: gigabyte}
		status := s.sendAny(t, r.method, r.path, body)
		if status != 0 && !refuses(status) && !ignoresBody[r.method+" "+r.path] {
			t.Errorf("%s %s, a gigabyte in chunks: %d", r.method, r.path, status)
		}
		if taken := gigabyte - body.left; taken > r.limit+16<<20 {
			t.Errorf("%s %s took %d bytes, of %d that it may", r.method, r.path, taken, r.limit)
		}
	}
}

// endless is a body of which nothing is known before.
type endless struct{ left int64 }

func (e *endless) Read(p []byte) (int, error) {
	n := int(min(int64(len(p)), e.left))
	if n == 0 {
		return 0, io.EOF
	}
	for i := range p[:n] {
		p[i] = ' '
	}
	e.left -= int64(n)
	return n, nil
}

// Of many large bodies that stop some have room, and end soon; others are told to come
// again, and small ones go on.
func largeBodies(t *testing.T, s *server, run, _ string) {
	const each = 16 << 20
	begin := fmt.Sprintf(`{"run_id":%q,"metrics":[`, run)
	filler := []byte(strings.Repeat(" ", 1<<20))
	var all sync.WaitGroup
	var refused atomic.Int64
	for range 48 {
		conn := s.dial(t)
		all.Go(func() {
			io.WriteString(conn, s.head("POST", "/api/2.0/mlflow/runs/log-batch",
				"Content-Type: application/json", fmt.Sprintf("Content-Length: %d", each))+begin)
			go func() {
				for sent := len(begin); sent < each-2<<20; sent += len(filler) {
					if _, err := conn.Write(filler); err != nil {
						return
					}
				}
			}()
			conn.SetReadDeadline(time.Now().Add(neverMax))
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			switch {
			case err != nil:
				t.Errorf("a body that stops is not answered: %v", err)
			case res.StatusCode == http.StatusServiceUnavailable:
				refused.Add(1)
			case res.StatusCode != http.StatusBadRequest:
				t.Errorf("a body that stops: %d", res.StatusCode)
			}
			conn.SetLinger(0)
			conn.Close()
		})
	}
	all.Wait()
	if n := refused.Load(); n == 0 || n == 48 {
		t.Errorf("%d of 48 had no room, where a fifth of what they send has", n)
	}
}

// Who says that much will come, and sends a byte now and then, keeps nobody's writes out.
func announcedBodies(t *testing.T, s *server, run, _ string) {
	stop := make(chan int)
	var all sync.WaitGroup
	for i := range 16 {
		length := []string{"Content-Length: 33554432", "Transfer-Encoding: chunked"}[i%2]
		conn := s.dial(t)
		io.WriteString(conn, s.head("POST", "/api/2.0/mlflow/runs/log-inputs", length,
			"Content-Type: application/json"))
		all.Go(func() {
			defer conn.Close()
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := conn.Write([]byte("1\r\n \r\n")); err != nil {
					t.Errorf("a slow body is not waited for at all: %v", err)
					return
				}
				pauseBriefly()
			}
		})
	}
	points := make([]string, 1000)
	for i := range points {
		points[i] = fmt.Sprintf(`{"key":"announced","value":%d,"timestamp":1763730000000,"step":%d}`, i, i)
	}
	body := fmt.Sprintf(`{"run_id":%q,"metrics":[%s]}`, run, strings.Join(points, ","))
	for range 20 {
		began := time.Now()
		got := s.post(t, "/api/2.0/mlflow/runs/log-batch", strings.NewReader(body))
		if got != 200 || time.Since(began) > 20*time.Second {
			t.Errorf("%d bytes of somebody else: %d after %s", len(body), got, time.Since(began))
		}
	}
	close(stop)
	all.Wait()
}

// Bodies that are no JSON, or JSON that nobody means, are refused by each route that
// reads JSON, and end nothing.
func strangeBodies(t *testing.T, s *server, run, _ string) {
	deep := strings.Repeat("[", 100_000)
	deepObject := strings.Repeat(`{"a":`, 100_000)
	bodies := map[string]string{
		"deep": deep + strings.Repeat("]", 100_000), "deep and open": deep,
		"deep objects":   deepObject + "1" + strings.Repeat("}", 100_000),
		"deep in a name": `{"run_id":` + deep + strings.Repeat("]", 100_000) + "}",
		"no UTF-8":       "{\"\xff\xfe\":\"\xc3\x28\"", "a number": "31", "a text": `"text"`,
		"a list": `[1,2]`, "half": `{"run_id":"`, "NaN": `{"run_id":NaN}`, "zeros": strings.Repeat("\x00", 100),
		"two": `{"a":1}{"a":2}`, "a comment": `{/**/}`,
	}
	answered := map[int]int{}
	for _, r := range bodyRoutes(t) {
		if r.limit == 0 || r.limit >= 1<<30 {
			continue // files, and what reads no body
		}
		for name, body := range bodies {
			status := s.sendAny(t, r.method, r.path, strings.NewReader(body))
			answered[status]++
			if !refuses(status) && !ignoresBody[r.method+" "+r.path] {
				t.Errorf("%s %s, %s: %d", r.method, r.path, name, status)
			}
		}
		for _, kind := range []string{"text/plain", "text/html", "application/x-www-form-urlencoded",
			"multipart/form-data; boundary=x", "application/xml", "image/png", "\x7f"} {
			status := s.sendAny(t, r.method, r.path, strings.NewReader(`{"a":1}`), "Content-Type: "+kind)
			if !refuses(status) && status != 0 && !ignoresBody[r.method+" "+r.path] {
				t.Errorf("%s %s as %s: %d", r.method, r.path, kind, status)
			}
		}
	}
	t.Logf("statuses: %v", answered)
}

// ignoresBody are routes that do not look at their body.
var ignoresBody = map[string]bool{"POST /api/v1/audit/verify": true, "POST /signout": true}

// Of more connections than the server has places for, those that say nothing go first.
func idleCrowd(t *testing.T, s *server) {
	const most = 4096
	var all []net.Conn
	defer func() {
		for _, c := range all {
			c.Close()
		}
	}()
	for range 6000 {
		conn, err := net.DialTimeout("tcp", s.host(), 20*time.Second)
		if err != nil {
			t.Logf("this machine makes %d connections: %v", len(all), err)
			break
		}
		all = append(all, conn)
	}
	s.await("places for others", func() bool { return s.metric("process_open_fds") < most+200 })
	for _, path := range []string{"/health", "/api/2.0/mlflow/experiments/get?experiment_id=0"} {
		s.call("GET", path, nil).want(t, 200)
	}
}
