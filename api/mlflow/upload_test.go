package mlflow_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
	"github.com/fairlead-ml/fairlead/tracking"
)

const mpu = "/api/2.0/mlflow-artifacts/mpu/"

// begun is an upload whose parts can be put.
type begun struct {
	s     *server
	dir   string // of the artifact
	ID    string `json:"upload_id"`
	Parts []struct {
		URL string `json:"url"`
		N   int    `json:"part_number"`
	} `json:"credentials"`
}

func (s *server) begin(t *testing.T, run string, parts int) *begun {
	t.Helper()
	b := &begun{s: s, dir: "0/" + run + "/artifacts/dir"}
	s.ok(t, "POST", mpu+"create/"+b.dir, fmt.Sprintf(`{"path":"/home/ann/big.bin","num_parts":%d}`,
		parts), b)
	if len(b.Parts) != parts {
		t.Fatalf("%d parts: %+v", parts, b)
	}
	return b
}

// put sends a part as the client does, with nothing but its address.
func (b *begun) put(t *testing.T, n int, body io.Reader) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "PUT", b.Parts[n-1].URL, body)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return resp.StatusCode, readAll(t, resp)
	}
	return resp.StatusCode, resp.Header.Get("ETag")
}

func (b *begun) mustPut(t *testing.T, n int, text string) string {
	t.Helper()
	status, etag := b.put(t, n, strings.NewReader(text))
	if status != http.StatusOK {
		t.Fatalf("part %d: %d %s", n, status, etag)
	}
	return etag
}

// finish completes or aborts the upload.
func (b *begun) finish(t *testing.T, how string, etags ...string) (int, string) {
	t.Helper()
	type part struct {
		N    int    `json:"part_number"`
		ETag string `json:"etag"`
	}
	parts := []part{}
	for i, etag := range etags {
		parts = append(parts, part{i + 1, etag})
	}
	body, err := json.Marshal(map[string]any{"path": "/home/ann/big.bin", "upload_id": b.ID,
		"parts": parts})
	if err != nil {
		t.Fatal(err)
	}
	return b.s.send(t, "POST", mpu+how+"/"+b.dir, string(body))
}

func (b *begun) read(t *testing.T) (int, string) {
	t.Helper()
	return b.s.send(t, "GET", "/api/2.0/mlflow-artifacts/artifacts/"+b.dir+"/big.bin", "")
}

func TestUpload_JoinsPartsThatComeInAnyOrder(t *testing.T) {
	s := serve(t)
	b := s.begin(t, s.newRun(t), 3)
	third := b.mustPut(t, 3, "three")
	first := b.mustPut(t, 1, "one,,")
	b.mustPut(t, 2, "wrong")
	second := b.mustPut(t, 2, "two,,") // again
	if status, _ := b.read(t); status != 404 {
		t.Errorf("an upload shows before it is complete: %d", status)
	}
	if status, answer := b.finish(t, "complete", first, second, third); status != 200 {
		t.Fatalf("%d %s", status, answer)
	}
	for range 2 {
		if _, got := b.read(t); got != "one,,two,,three" {
			t.Errorf("joined %q", got)
		}
		status, answer := b.finish(t, "complete", first, second, third)
		if status != 200 || answer != "{}" {
			t.Errorf("a client that asks again is answered %d %s", status, answer)
		}
		if status, _ := b.put(t, 1, strings.NewReader("later")); status != 412 {
			t.Errorf("a complete upload takes a part: %d", status)
		}
		if status, _ := b.finish(t, "abort"); status != 200 {
			t.Errorf("abort: %d", status)
		}
	}
	s.nothingLeft(t)
}

// nothingLeft checks that no part is there, neither in the database nor as a file.
func (s *server) nothingLeft(t *testing.T) {
	t.Helper()
	if n := s.parts(t); n != 0 {
		t.Errorf("%d parts are left", n)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		files, err := filepath.Glob(filepath.Join(s.dir, "blobs", "[pt][am]*", "*"))
		if err == nil && len(files) == 0 {
			return
		}
		if time.Now().After(deadline) { // nobody whose connection broke is at it any more
			t.Fatalf("%v are left, %v", files, err)
		}
	}
}

func TestUpload_TakesPartsOfOneLengthAlone(t *testing.T) {
	s := serve(t)
	b := s.begin(t, s.newRun(t), 3)
	first := b.mustPut(t, 1, "12345")
	for n, text := range map[int]string{2: "1234", 3: "123456"} {
		if status, answer := b.put(t, n, strings.NewReader(text)); status != 400 ||
			!strings.Contains(answer, "5 bytes") {
			t.Errorf("part %d with %d bytes: %d %s", n, len(text), status, answer)
		}
		unknown := io.MultiReader(strings.NewReader(text)) // has no length that the client knows
		if status, answer := b.put(t, n, unknown); status != 400 {
			t.Errorf("part %d with %d bytes, sent in chunks: %d %s", n, len(text), status, answer)
		}
	}
	fresh := s.begin(t, s.newRun(t), 2)
	status, answer := fresh.put(t, 1, io.MultiReader(strings.NewReader("12345")))
	if status != 400 || !strings.Contains(answer, "Content-Length") {
		t.Errorf("a first part without a length: %d %s", status, answer)
	}
	if status, _ := b.finish(t, "complete", first); status != 400 {
		t.Errorf("completed with one part of three: %d", status)
	}
	if n := s.parts(t); n != 1 {
		t.Errorf("%d parts", n)
	}
}

func TestUpload_AddressesAreSignedAndExpire(t *testing.T) {
	s := serve(t)
	run := s.newRun(t)
	b, other := s.begin(t, run, 2), s.begin(t, run, 2)
	good, query, _ := strings.Cut(b.Parts[0].URL, "?")
	_, foreign, _ := strings.Cut(other.Parts[0].URL, "?")
	_, second, _ := strings.Cut(b.Parts[1].URL, "?")
	until, signature, _ := strings.Cut(query, "&")
	for name, url := range map[string]string{
		"no signature":           good,
		"of another upload":      good + "?" + foreign,
		"of another part":        good + "?" + second,
		"without an end":         good + "?" + signature,
		"with another end":       good + "?" + until + "0&" + signature,
		"through another prefix": strings.Replace(b.Parts[0].URL, "/p/default/", "/p/other/", 1),
	} {
		b.Parts[0].URL = url
		if status, answer := b.put(t, 1, strings.NewReader("x")); status != 403 && status != 404 {
			t.Errorf("an address %s: %d %s", name, status, answer)
		}
	}
	u, err := s.tracking.Upload(t.Context(), projects["default"], b.ID)
	if err != nil {
		t.Fatal(err)
	}
	past := time.Now().Add(-time.Second)
	b.Parts[0].URL = fmt.Sprintf("%s?until=%d&signature=%s", good, past.Unix(),
		u.Sign(projects["default"], 1, past))
	status, answer := b.put(t, 1, strings.NewReader("x"))
	if status != 403 || !strings.Contains(answer, "expired") {
		t.Errorf("in the past: %d %s", status, answer)
	}
	s.nothingLeft(t)
}

func TestUpload_AddressesGoThroughProxies(t *testing.T) {
	s := serve(t)
	create := mpu + "create/0/" + s.newRun(t) + "/artifacts"
	for _, c := range []struct{ host, proto, prefix, want string }{
		{"", "", "", s.URL + "/p/default/"},
		{"ml.example.org", "https", "", "https://ml.example.org/p/default/"},
		{"ml.example.org, inner:80", "https, http", "/mlflow/",
			"https://ml.example.org/mlflow/p/default/"},
		{"ml.example.org:8443", "https", "/a/b, /c", "https://ml.example.org:8443/a/b/p/default/"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+create,
			strings.NewReader(`{"path":"x","num_parts":1}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+s.owner)
		for name, v := range map[string]string{"Host": c.host, "Proto": c.proto, "Prefix": c.prefix} {
			if v != "" {
				req.Header.Set("X-Forwarded-"+name, v)
			}
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var b begun
		if err := json.Unmarshal([]byte(readAll(t, resp)), &b); err != nil || len(b.Parts) != 1 {
			t.Fatalf("%+v: %d %v", c, resp.StatusCode, err)
		}
		if !strings.HasPrefix(b.Parts[0].URL, c.want) {
			t.Errorf("%+v: %s", c, b.Parts[0].URL)
		}
	}
}

func TestUpload_PartsThatAreLostAreSentAgain(t *testing.T) {
	s := serve(t)
	b := s.begin(t, s.newRun(t), 3)
	etags := []string{b.mustPut(t, 1, "11111"), b.mustPut(t, 2, "22222"), b.mustPut(t, 3, "33")}
	file := filepath.Join(s.dir, "blobs", "partial", b.ID)
	if err := os.WriteFile(file, []byte("11111XXXXX33"), 0o600); err != nil {
		t.Fatal(err)
	}
	status, answer := b.finish(t, "complete", etags...)
	if status != 400 || !strings.Contains(answer, "part 2, and 0 others") {
		t.Errorf("a part that is damaged: %d %s", status, answer)
	}
	if err := os.Remove(file); err != nil { // as after a restore
		t.Fatal(err)
	}
	b.mustPut(t, 2, "22222")
	status, answer = b.finish(t, "complete", etags...)
	if status != 400 || !strings.Contains(answer, "part 1, and 1 others") {
		t.Errorf("parts that are lost: %d %s", status, answer)
	}
	b.mustPut(t, 1, "11111")
	b.mustPut(t, 3, "33")
	if status, answer = b.finish(t, "complete", etags...); status != 200 {
		t.Errorf("%d %s", status, answer)
	}
	if _, got := b.read(t); got != "111112222233" {
		t.Errorf("joined %q", got)
	}
}

func TestUpload_RefusesWhatDoesNotFit(t *testing.T) {
	s := serve(t)
	run := s.newRun(t)
	b := s.begin(t, run, 2)
	one := b.mustPut(t, 1, "one")
	for _, etags := range [][]string{{}, {one, one}, {`"0000"`}} {
		if status, answer := b.finish(t, "complete", etags...); status != 400 {
			t.Errorf("parts %v: %d %s", etags, status, answer)
		}
	}
	b.mustPut(t, 2, "two")
	create := mpu + "create/0/" + run + "/artifacts"
	for _, c := range []struct{ path, body, want string }{
		{create, `{"path":"x","num_parts":0}`, "num_parts"},
		{create, `{"path":"x","num_parts":-9223372036854775808}`, "num_parts"},
		{create, `{"path":"x","num_parts":10001}`, "num_parts"},
		{create, `{"num_parts":1}`, "'path'"},
		{create, `{"path":"..","num_parts":1}`, ""},
		{create + "/a%00", `{"path":"x","num_parts":1}`, ""},
	} {
		if status, answer := s.send(t, "POST", c.path, c.body); status != 400 ||
			!strings.Contains(answer, c.want) {
			t.Errorf("%s %s: %d %s", c.path, c.body, status, answer)
		}
	}
	status, _ := s.send(t, "POST", mpu+"create/0/none/artifacts", `{"path":"x","num_parts":1}`)
	if status != 404 {
		t.Errorf("an upload to no run: %d", status)
	}
	other := s.begin(t, run, 1)
	other.ID = strings.Repeat("0", 32)
	if status, _ := other.finish(t, "complete", one); status != 404 {
		t.Errorf("an unknown upload: %d", status)
	}
	b.dir += "/elsewhere"
	if status, _ := b.finish(t, "complete", one); status != 400 {
		t.Errorf("an upload that is completed at another path: %d", status)
	}
	for _, path := range []string{"none/1", b.ID + "/0", b.ID + "/10001", b.ID + "/x"} {
		status, _ := s.send(t, "PUT", mpu+"part/"+path+"?until=9999999999", "x")
		if status < 400 || status > 404 {
			t.Errorf("part %s: %d", path, status)
		}
	}
	through := "/p/other" + mpu + "part/" + b.ID + "/1?until=9999999999"
	if status, _ := s.send(t, "PUT", through, "x"); status != 404 {
		t.Errorf("a part through another project: %d", status)
	}
}

// parts counts the stored parts of all uploads.
func (s *server) parts(t *testing.T) (n int) {
	t.Helper()
	return s.count(t, "select count(*) from upload_part")
}

func TestUpload_LeavesNothingWhenItBreaks(t *testing.T) {
	s := serve(t)
	run := s.newRun(t)
	aborted := s.begin(t, run, 2)
	aborted.mustPut(t, 1, "one")
	if status, answer := aborted.finish(t, "abort"); status != 200 {
		t.Errorf("%d %s", status, answer)
	}
	if status, _ := aborted.put(t, 2, strings.NewReader("two")); status != 404 {
		t.Errorf("an aborted upload takes a part: %d", status)
	}
	broken := s.begin(t, run, 2)
	broken.mustPut(t, 1, "one")
	broken.put(t, 2, io.MultiReader(strings.NewReader("tw"), failing{}))
	if n := s.parts(t); n != 1 {
		t.Errorf("%d parts are there, where one came whole", n)
	}
	if err := s.tracking.ExpireUploads(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	s.nothingLeft(t)
	if status, _ := broken.finish(t, "complete", "x"); status != 404 {
		t.Errorf("an expired upload: %d", status)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("broken off") }

func TestUpload_KeepsSealedFiles(t *testing.T) {
	s := serve(t)
	run := s.newRun(t)
	b := s.begin(t, run, 1)
	etag := b.mustPut(t, 1, "new")
	at := tracking.Place{Owner: tracking.RunOwner(run), Path: "dir"}
	err := s.db.Write(t.Context(), store.Client, func(tx *store.Tx) error {
		return s.tracking.Seal(tx, fairlead.Project{K: 1}, at, "m/1")
	})
	if err != nil {
		t.Fatal(err)
	}
	if status, _ := b.finish(t, "complete", etag); status != 412 {
		t.Errorf("a part of a version was replaced: %d", status)
	}
}

// The real clients send large files in parts; that of today once the server says that it
// takes them, that of MLflow 2 when it is told to.
func TestClient_SendsALargeFileInParts(t *testing.T) {
	for name, interpreter := range map[string]string{"mlflow": python(t),
		"mlflow 2":      interpreter(t, tool("test-mlflow2")),
		"mlflow-skinny": interpreter(t, tool("test-skinny"))} {
		t.Run(name, func(t *testing.T) {
			prefixes := []string{""}
			if name == "mlflow" {
				prefixes = append(prefixes, "/p/other")
			}
			sendInParts(t, interpreter, name == "mlflow 2", prefixes)
		})
	}
}

func sendInParts(t *testing.T, python string, told bool, prefixes []string) {
	s := serve(t)
	home := t.TempDir()
	want := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // 1 MiB
	want = append(want, "the end"...)
	file := filepath.Join(home, "big.bin")
	if err := os.WriteFile(file, want, 0o600); err != nil {
		t.Fatal(err)
	}
	const script = `
import sys, mlflow
mlflow.set_tracking_uri(sys.argv[1])
with mlflow.start_run() as run:
    mlflow.log_artifact(sys.argv[2], "dir")
got = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="dir/big.bin")
assert open(got, "rb").read() == open(sys.argv[2], "rb").read()
`
	for _, prefix := range prefixes {
		cmd := exec.CommandContext(t.Context(), python, "-W", "ignore", "-c", script, s.URL+prefix, file)
		cmd.Dir = home
		cmd.Env = append(clientEnv(home), "MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE=1000",
			"MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE=300000")
		if told {
			cmd.Env = append(cmd.Env, "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD=true")
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	if n := s.calls("PUT " + mpu + "part/"); n != 4*len(prefixes) {
		t.Errorf("the client sent %d parts; want 4 for each project", n)
	}
}
