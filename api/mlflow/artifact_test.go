package mlflow_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fairlead-ml/fairlead/tracking"
)

const proxied = "/api/2.0/mlflow-artifacts/artifacts/"

// do sends a request with headers, which are name and value in turn.
func (s *server) do(t *testing.T, method, path string, body io.Reader,
	header ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// downloads makes one file that each route which answers with a file can answer with, and
// returns the paths.
func (s *server) downloads(t *testing.T, text string) []string {
	t.Helper()
	run := s.newRun(t)
	var logged struct {
		Model struct {
			Info struct {
				ModelID string `json:"model_id"`
			} `json:"info"`
		} `json:"model"`
	}
	s.ok(t, "POST", api+"logged-models", `{"experiment_id":"0","name":"m"}`, &logged)
	id := logged.Model.Info.ModelID
	for _, root := range []string{"0/" + run + "/artifacts/", "0/models/" + id + "/artifacts/"} {
		s.ok(t, "PUT", proxied+root+"d/f.txt", text, nil)
	}
	s.ok(t, "PATCH", api+"logged-models/"+id,
		fmt.Sprintf(`{"model_id":%q,"status":"LOGGED_MODEL_READY"}`, id), nil)
	s.ok(t, "POST", api+"registered-models/create", `{"name":"m"}`, nil)
	s.ok(t, "POST", api+"model-versions/create",
		fmt.Sprintf(`{"name":"m","source":"models:/%s","model_id":%q}`, id, id), nil)
	var out []string
	for _, prefix := range []string{"/api", "/ajax-api"} {
		out = append(out, prefix+"/2.0/mlflow-artifacts/artifacts/0/"+run+"/artifacts/d/f.txt",
			prefix+"/2.0/mlflow/logged-models/"+id+"/artifacts/files?artifact_file_path=d/f.txt")
	}
	return append(out, "/get-artifact?run_uuid="+run+"&path=d/f.txt",
		"/model-versions/get-artifact?name=m&version=1&path=d/f.txt")
}

func TestArtifacts_AreReadInRangesOnEachRoute(t *testing.T) {
	s := serve(t)
	const text = "0123456789"
	sum := sha256.Sum256([]byte(text))
	etag := `"` + hex.EncodeToString(sum[:]) + `"`
	digest := "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
	paths := s.downloads(t, text)
	for _, path := range paths {
		for _, c := range []struct {
			name           string
			header         []string
			status         int
			body, contains string // of Content-Range
		}{
			{"whole", nil, 200, text, ""},
			{"from the middle", []string{"Range", "bytes=3-5"}, 206, "345", "bytes 3-5/10"},
			{"the end", []string{"Range", "bytes=-2"}, 206, "89", "bytes 8-9/10"},
			{"open", []string{"Range", "bytes=7-"}, 206, "789", "bytes 7-9/10"},
			{"longer than it is", []string{"Range", "bytes=8-99"}, 206, "89", "bytes 8-9/10"},
			{"behind the end", []string{"Range", "bytes=10-"}, 416, "invalid range: failed to overlap\n",
				"bytes */10"},
			{"another unit", []string{"Range", "lines=1-2"}, 416, "invalid range\n", ""},
			{"if it is the same", []string{"Range", "bytes=0-0", "If-Range", etag}, 206, "0",
				"bytes 0-0/10"},
			{"if it is another", []string{"Range", "bytes=0-0", "If-Range", `"x"`}, 200, text, ""},
			{"known", []string{"If-None-Match", `"x", ` + etag}, 304, "", ""},
			{"known in another state", []string{"If-None-Match", `"x"`}, 200, text, ""},
			{"if it matches", []string{"If-Match", `"x"`}, 412, "", ""},
		} {
			resp := s.do(t, "GET", path, nil, c.header...)
			body := readAll(t, resp)
			if resp.StatusCode != c.status || body != c.body ||
				resp.Header.Get("Content-Range") != c.contains {
				t.Errorf("%s, %s: %d %q, %q", path, c.name, resp.StatusCode, body,
					resp.Header.Get("Content-Range"))
			}
			if resp.StatusCode < 300 && (resp.Header.Get("ETag") != etag ||
				resp.Header.Get("Repr-Digest") != digest || resp.Header.Get("Accept-Ranges") != "bytes") {
				t.Errorf("%s, %s: %v", path, c.name, resp.Header)
			}
		}
		s.severalRanges(t, path)
		if resp := s.do(t, "HEAD", path, nil); resp.StatusCode != 200 || resp.ContentLength != 10 ||
			resp.Header.Get("ETag") != etag {
			t.Errorf("HEAD %s: %d %v", path, resp.StatusCode, resp.Header)
		}
	}
}

func (s *server) severalRanges(t *testing.T, path string) {
	t.Helper()
	resp := s.do(t, "GET", path, nil, "Range", "bytes=0-1,4-4,-1")
	kind, params, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || resp.StatusCode != 206 || kind != "multipart/byteranges" {
		t.Fatalf("%s: %d %s, %v", path, resp.StatusCode, kind, err)
	}
	var got []string
	for r := multipart.NewReader(resp.Body, params["boundary"]); ; {
		part, err := r.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(part)
		got = append(got, part.Header.Get("Content-Range")+" "+string(b))
		if err != nil {
			t.Error(err)
		}
	}
	want := []string{"bytes 0-1/10 01", "bytes 4-4/10 4", "bytes 9-9/10 9"}
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q", path, got)
	}
}

func TestArtifacts_AreHeldToTheDigestThatIsStated(t *testing.T) {
	s := serve(t)
	path := proxied + "0/" + s.newRun(t) + "/artifacts/f"
	sum, other := sha256.Sum256([]byte("text")), sha256.Sum256([]byte("another"))
	field := func(sum [32]byte) string {
		return "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
	}
	for _, c := range []struct {
		header []string
		status int
		says   string
	}{
		{[]string{"Content-Digest", field(other)}, 400, "has the SHA-256 " + hex.EncodeToString(sum[:])},
		{[]string{"Repr-Digest", field(other)}, 400, "has the SHA-256"},
		{[]string{"Repr-Digest", field(sum), "Content-Digest", field(other)}, 400, "differ"},
		{[]string{"Content-Digest", "sha-256=abc"}, 400, "RFC 9530"},
		{[]string{"Content-Digest", "sha-256=:YWJj:"}, 400, "RFC 9530"},
		{[]string{"Content-Range", "bytes 0-3/8"}, 400, "Content-Range"},
		{[]string{"Content-Encoding", "gzip"}, 400, "Content-Encoding"},
		{[]string{"Content-Digest", "md5=:abc:, " + field(other)}, 400, "SHA-256"},
	} {
		resp := s.do(t, "PUT", path, strings.NewReader("text"), c.header...)
		if answer := readAll(t, resp); resp.StatusCode != c.status || !strings.Contains(answer, c.says) {
			t.Errorf("%q: %d %s", c.header, resp.StatusCode, answer)
		}
		s.nothingStored(t)
	}
	trailing, err := http.NewRequestWithContext(t.Context(), "PUT", s.URL+path,
		io.MultiReader(strings.NewReader("text")))
	if err != nil {
		t.Fatal(err)
	}
	trailing.Trailer = http.Header{"Content-Digest": {field(other)}}
	resp, err := s.Client().Do(trailing)
	if err != nil || resp.StatusCode != 400 {
		t.Errorf("a digest after the content: %v, %v", resp, err)
	}
	s.nothingStored(t)
	for _, header := range []string{"Content-Digest", "Repr-Digest"} {
		resp = s.do(t, "PUT", path, strings.NewReader("text"), header, "sha-512=:unknown:,"+field(sum))
		if resp.StatusCode != 200 || resp.Header.Get("ETag") != `"`+hex.EncodeToString(sum[:])+`"` {
			t.Errorf("%s: %d", header, resp.StatusCode)
		}
	}
}

// nothingStored checks that there is no content, in the database or as a file.
func (s *server) nothingStored(t *testing.T) {
	t.Helper()
	s.nothingLeft(t)
	if n := s.count(t, "select count(*) from blob"); n != 0 {
		t.Errorf("%d blobs are stored", n)
	}
	root := filepath.Join(s.dir, "blobs")
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			t.Errorf("there is a file %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// An upload that breaks off is its sender's affair, and leaves nothing.
func TestArtifacts_UploadsThatBreakOffLeaveNothing(t *testing.T) {
	s := serve(t)
	run := s.newRun(t)
	path := proxied + "0/" + run + "/artifacts/f"
	for _, c := range []struct {
		name, head, body string
		reset            bool
		status           string
	}{
		{"closed before its end", "Content-Length: 100", "half", false, "400"},
		{"closed in a chunk", "Transfer-Encoding: chunked", "64\r\nhalf", false, "400"},
		{"closed between chunks", "Transfer-Encoding: chunked", "4\r\nhalf\r\n", false, "400"},
		{"not in chunks", "Transfer-Encoding: chunked", "nonsense\r\n", false, "400"},
		{"reset", "Content-Length: 100", "half", true, ""},
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(time.Minute))
		fmt.Fprintf(conn, "PUT %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%s\r\n\r\n%s", path, c.head, c.body)
		if c.reset {
			conn.(*net.TCPConn).SetLinger(0)
			conn.Close()
		} else {
			conn.(*net.TCPConn).CloseWrite()
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil || !strings.HasPrefix(resp.Status, c.status) {
				t.Errorf("%s: %v, %v", c.name, resp, err)
			}
			conn.Close()
		}
		s.nothingStored(t)
	}
	var list struct{ Files []any }
	s.ok(t, "GET", api+"artifacts/list?run_id="+run, "", &list)
	if len(list.Files) > 0 {
		t.Errorf("there are %v", list.Files)
	}
}

// The route bounds a part; what is longer is said so before it is read.
func TestUpload_SaysWhichPartsAreTooLong(t *testing.T) {
	s := serve(t)
	b := s.begin(t, s.newRun(t), 2)
	req, err := http.NewRequestWithContext(t.Context(), "PUT", b.Parts[0].URL,
		io.LimitReader(failing{}, 2<<30))
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = tracking.MaxPartBytes + 1
	req.Header.Set("Expect", "100-continue")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if answer := readAll(t, resp); resp.StatusCode != 400 ||
		!strings.Contains(answer, "MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE") {
		t.Errorf("%d %s", resp.StatusCode, answer)
	}
	s.nothingLeft(t)
}

// onlyPieces is a body without an end that nobody may ask for much of at once.
type onlyPieces struct {
	t    *testing.T
	left int64
}

func (o *onlyPieces) Read(p []byte) (int, error) {
	if len(p) > 1<<20 {
		o.t.Errorf("%d bytes are made ready for what has not come", len(p))
	}
	n := int(min(int64(len(p)), o.left))
	if o.left -= int64(n); n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func TestUploadArtifact_HoldsLittleInMemory(t *testing.T) {
	s := serve(t)
	path := "/api/2.0/mlflow/upload-artifact?path=a.bin&run_uuid=" + s.newRun(t)
	for _, c := range []struct {
		name           string
		length, stated int64
		status         int
		says           string
	}{
		{"the most", 10 << 20, 10 << 20, 200, ""},
		{"the most, unannounced", 10 << 20, -1, 200, ""},
		{"too long", 10<<20 + 1, 10<<20 + 1, 400, "Artifact size is too large. Max size is 10MB."},
		{"too long, unannounced", 1 << 30, -1, 400, "Artifact size is too large. Max size is 10MB."},
		{"nothing", 0, 0, 400, "Request must specify data."},
		{"nothing, unannounced", 0, -1, 400, "Request must specify data."},
	} {
		body := &onlyPieces{t, c.length}
		r := httptest.NewRequest("POST", path, body)
		r.ContentLength, r.RemoteAddr, r.Host = c.stated, "127.0.0.1:1", "127.0.0.1:4747"
		w := httptest.NewRecorder()
		s.edge(w, r)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.says) {
			t.Errorf("%s: %d %s, want %d %s", c.name, w.Code, w.Body, c.status, c.says)
		}
		if c.stated > 10<<20 && body.left != c.length {
			t.Errorf("%s: it was read before it was refused", c.name)
		}
	}
}
