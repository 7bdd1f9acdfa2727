package e2e_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// content is n bytes that nothing shrinks, the same for the same seed.
func content(seed byte, n int64) io.Reader {
	return io.LimitReader(rand.NewChaCha8([32]byte{seed}), n)
}

// highWater is the most memory that the server has had, in bytes.
func (s *server) highWater() int64 {
	s.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		s.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "VmHWM:")
	kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		s.t.Fatal(err)
	}
	return kb << 10
}

// put streams a body to a path or an address.
func (s *server) put(to string, size int64, body io.Reader) (etag string, err error) {
	if !strings.HasPrefix(to, "http") {
		to = s.url + to
	}
	req, err := http.NewRequest(http.MethodPut, to, body)
	if err != nil {
		return "", err
	}
	req.ContentLength = size
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("PUT %s: %s %s, %w", to, resp.Status, answer, err)
	}
	return resp.Header.Get("ETag"), nil
}

// get reads a range of a file, all of it for an empty one, into w.
func (s *server) get(path, between string, w io.Writer) (int64, error) {
	req, err := http.NewRequest(http.MethodGet, s.url+path, nil)
	if err != nil {
		return 0, err
	}
	if between != "" {
		req.Header.Set("Range", "bytes="+between)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if want := map[bool]int{true: 200, false: 206}[between == ""]; resp.StatusCode != want {
		return 0, fmt.Errorf("GET %s %s: %s", path, between, resp.Status)
	}
	return io.Copy(w, resp.Body)
}

const filesPath = "/api/2.0/mlflow-artifacts/artifacts/0/"

// Files of any size go in and out in little memory: 4 GiB with FAIRLEAD_LONG.
func TestFiles_LargeOnesNeedLittleMemory(t *testing.T) {
	parts, partBytes := 16, int64(16<<20)
	if os.Getenv("FAIRLEAD_LONG") != "" {
		parts, partBytes = 64, 64<<20
	}
	const most = 100 << 20
	total := int64(parts) * partBytes
	s := serve(t, t.TempDir())
	run := newRun(t, s)
	began := time.Now()
	took := func(what string) {
		t.Logf("%s of %d MiB: %s, %d MiB of memory at most so far", what, total>>20,
			time.Since(began).Round(time.Millisecond), s.highWater()>>20)
		began = time.Now()
	}

	plain := filesPath + run + "/artifacts/plain.bin"
	sum := sha256.New()
	etag, err := s.put(plain, total, io.TeeReader(content(0, total), sum))
	if err != nil {
		t.Fatal(err)
	}
	took("a PUT")
	if want := strconv.Quote(hex.EncodeToString(sum.Sum(nil))); etag != want {
		t.Errorf("stored %s, want %s", etag, want)
	}
	s.readBack(t, plain, total, partBytes, sum)
	took("reading in ranges and whole")

	joined := filesPath + run + "/artifacts/joined.bin"
	s.putInParts(t, run, parts, partBytes)
	took("an upload in parts")
	sum.Reset()
	for n := range parts {
		io.Copy(sum, content(byte(n+1), partBytes))
	}
	s.readBack(t, joined, total, partBytes, sum)
	took("reading in ranges and whole")
	if got := s.highWater(); got > most {
		t.Errorf("the server needed %d MiB, more than %d", got>>20, most>>20)
	}
	if got := bytesIn(t, filepath.Join(s.data, "blobs")); got != 2*total {
		t.Errorf("%d bytes are stored, want %d", got, 2*total)
	}
}

// putInParts sends joined.bin as MLflow's client does: several parts at a time.
func (s *server) putInParts(t *testing.T, run string, parts int, partBytes int64) {
	t.Helper()
	const mpu = "/api/2.0/mlflow-artifacts/mpu/"
	var upload struct {
		ID    string `json:"upload_id"`
		Parts []struct {
			URL string `json:"url"`
		} `json:"credentials"`
	}
	s.call("POST", mpu+"create/0/"+run+"/artifacts",
		fmt.Sprintf(`{"path":"joined.bin","num_parts":%d}`, parts)).want(t, 200).decode(t, &upload)
	type wirePart struct {
		N    int    `json:"part_number"`
		ETag string `json:"etag"`
	}
	sent := make([]wirePart, parts)
	var group errgroup.Group
	group.SetLimit(4)
	for n := range parts {
		group.Go(func() (err error) {
			sent[n].N = n + 1
			sent[n].ETag, err = s.put(upload.Parts[n].URL, partBytes, content(byte(n+1), partBytes))
			return err
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	s.call("POST", mpu+"complete/0/"+run+"/artifacts", map[string]any{"path": "joined.bin",
		"upload_id": upload.ID, "parts": sent}).want(t, 200)
}

// readBack reads a file whole, and in ranges, and compares its digest.
func (s *server) readBack(t *testing.T, path string, total, step int64, want hash.Hash) {
	t.Helper()
	whole, ranges := sha256.New(), sha256.New()
	n, err := s.get(path, "", whole)
	if err != nil || n != total {
		t.Fatalf("read %d of %d bytes, %v", n, total, err)
	}
	for from := int64(0); from < total; from += step {
		n, err := s.get(path, fmt.Sprintf("%d-%d", from, from+step-1), ranges)
		if err != nil || n != step {
			t.Fatalf("read %d of %d bytes, %v", n, step, err)
		}
	}
	for how, got := range map[string]hash.Hash{"whole": whole, "in ranges": ranges} {
		if !bytes.Equal(got.Sum(nil), want.Sum(nil)) {
			t.Errorf("%s, read %s, is another file", path, how)
		}
	}
}

// bytesIn is what the files below a directory hold.
func bytesIn(t *testing.T, dir string) (n int64) {
	t.Helper()
	for _, info := range filesIn(t, dir) {
		n += info.Size()
	}
	return n
}

func filesIn(t *testing.T, dir string) (out []fs.FileInfo) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		out = append(out, info)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// halfAnUpload begins a PUT of 1 MiB and sends half of it.
func (s *server) halfAnUpload(t *testing.T, target, token string) net.Conn {
	t.Helper()
	host := strings.TrimPrefix(s.url, "http://")
	conn, err := net.Dial("tcp", host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	w := bufio.NewWriter(conn)
	fmt.Fprintf(w, "PUT %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n"+
		"Content-Length: %d\r\n\r\n", target, host, token, 1<<20)
	w.Write(make([]byte, 1<<19))
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return conn
}

// awaitBytes waits until the files below blobs/ hold at least that much.
func (s *server) awaitBytes(t *testing.T, n int64) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if bytesIn(t, filepath.Join(s.data, "blobs")) >= n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("nothing comes in")
		}
	}
}

// What a killed server had half received is nowhere when it runs again.
func TestFiles_AKilledServerLeavesNoHalfFiles(t *testing.T) {
	s := serve(t, t.TempDir())
	run := newRun(t, s)
	s.halfAnUpload(t, filesPath+run+"/artifacts/half.bin", s.token(t))
	s.awaitBytes(t, 1<<18)
	s.kill()
	s.start()
	if left := filesIn(t, filepath.Join(s.data, "blobs")); len(left) > 0 {
		t.Errorf("%d files are left, one of %d bytes", len(left), left[0].Size())
	}
	s.call("GET", "/api/2.0/mlflow/artifacts/list?run_id="+run, nil).want(t, 200,
		`^\{"root_uri":"[^"]+"\}$`)
}

func (s *server) token(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(s.data, "token"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// An upload goes on after its client and the server have died: no part that has come is
// sent twice, and the half one is sent again.
func TestFiles_AnUploadGoesOnWhereItBrokeOff(t *testing.T) {
	s := serve(t, t.TempDir())
	run, dir := newRun(t, s), t.TempDir()
	const partBytes, size = 1 << 20, 4<<20 + 7
	want, err := io.ReadAll(content(9, size))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "weights.bin")
	if err := os.WriteFile(file, want, 0o600); err != nil {
		t.Fatal(err)
	}
	const uploads = "/api/v1/projects/default/uploads"
	var u struct{ Upload string }
	s.call("POST", uploads, fmt.Sprintf(
		`{"run":%q,"path":"model/weights.bin","bytes":%d,"part_bytes":%d}`, run, size,
		partBytes)).want(t, 200).decode(t, &u)
	for _, n := range []int{5, 2} { // the last one first
		part := want[(n-1)*partBytes : min(n*partBytes, size)]
		path := fmt.Sprintf("%s/%s/parts/%d", uploads, u.Upload, n)
		if _, err := s.put(path, int64(len(part)), bytes.NewReader(part)); err != nil {
			t.Fatal(err)
		}
	}
	s.halfAnUpload(t, uploads+"/"+u.Upload+"/parts/3", s.token(t))
	s.kill()
	s.start()
	s.call("GET", uploads+"/"+u.Upload, nil).want(t, 200,
		`"received":\[\{"part":2,.*\{"part":5,"bytes":7,`)
	s.call("GET", uploads, nil).want(t, 200, u.Upload)
	s.run(dir, "upload", file, "--run", run, "--to", "model", "--part-bytes",
		fmt.Sprint(partBytes)).want(t, 0,
		`model/weights.bin is stored: 4.2 MB, of which 3.1 MB were sent now`)
	var got bytes.Buffer
	if _, err := s.get(filesPath+run+"/artifacts/model/weights.bin", "", &got); err != nil ||
		!bytes.Equal(got.Bytes(), want) {
		t.Errorf("another file was stored: %d bytes, %v", got.Len(), err)
	}
	s.call("POST", uploads+"/"+u.Upload+"/complete", `{}`).want(t, 200, `"done":true`)
	s.call("GET", uploads, nil).want(t, 200, `"items":\[\]`)
	if got := filesIn(t, filepath.Join(s.data, "blobs")); len(got) != 1 || got[0].Size() != size {
		t.Errorf("%d files are stored", len(got))
	}
}

// On a full disk uploads are refused and leave nothing; those in parts can go on later.
func TestFiles_AFullDiskLeavesNothing(t *testing.T) {
	data := smallDisk(t)
	s := serve(t, data)
	run := newRun(t, s)
	const uploads = "/api/v1/projects/default/uploads"
	var u struct{ Upload string }
	s.call("POST", uploads, fmt.Sprintf(`{"run":%q,"path":"f","bytes":%d,"part_bytes":%d}`, run, 8<<20,
		4<<20)).want(t, 200).decode(t, &u)
	ballast := filepath.Join(data, "ballast")
	fill(t, ballast)
	if err := os.Truncate(ballast, sizeOf(t, ballast)-1<<20); err != nil {
		t.Fatal(err)
	}
	path := uploads + "/" + u.Upload + "/parts/1"
	for _, to := range []string{path, filesPath + run + "/artifacts/g"} {
		_, err := s.put(to, 4<<20, content(1, 4<<20))
		if err == nil || !strings.Contains(err.Error(), "507") {
			t.Errorf("%s: %v", to, err)
		}
	}
	if stat := diskUsed(t, filepath.Join(data, "blobs")); stat > 64<<10 {
		t.Errorf("%d bytes are taken by what was refused", stat)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	s.awaitWrites(run)
	if _, err := s.put(path, 4<<20, content(1, 4<<20)); err != nil {
		t.Error(err)
	}
	s.call("DELETE", uploads+"/"+u.Upload, nil).want(t, 200)
	if left := filesIn(t, filepath.Join(data, "blobs")); len(left) > 0 {
		t.Errorf("%d files are left", len(left))
	}
}

func sizeOf(t *testing.T, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// diskUsed is what the files below a directory take on the disk: a hole takes nothing.
func diskUsed(t *testing.T, dir string) (n int64) {
	t.Helper()
	for _, info := range filesIn(t, dir) {
		n += info.Sys().(*syscall.Stat_t).Blocks * 512
	}
	return n
}
