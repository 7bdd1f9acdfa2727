package rest_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// connection is a recorder that knows the deadlines that were set for its reads.
type connection struct {
	*httptest.ResponseRecorder
	deadlines []time.Time
}

func (c *connection) SetReadDeadline(t time.Time) error {
	c.deadlines = append(c.deadlines, t)
	return nil
}

// send calls a route with a body of any kind.
func (w *world) send(method, path, contentType string, body io.Reader) (*connection, answer) {
	r := httptest.NewRequest(method, "http://127.0.0.1:4747/api/v1"+path, body)
	r.RemoteAddr = "127.0.0.1:1"
	r.Header.Set("Authorization", "Bearer "+w.token)
	r.Header.Set("Content-Type", contentType)
	c := &connection{ResponseRecorder: httptest.NewRecorder()}
	w.app.Handler().ServeHTTP(c, r)
	return c, answer{c.Code, c.Header(), c.Body.Bytes()}
}

const (
	labelsPath    = "/projects/alpha/endpoints/alpha/labels"
	rollbackPath  = "/projects/alpha/endpoints/alpha/rollback"
	revisionsPath = "/projects/alpha/revisions"
)

func TestUploads_ThatBreakOffSayHow(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct {
		name, path string
		body       io.Reader
		status     int
		code       string
	}{
		{"slow", labelsPath, broken(`{"labels":[`, os.ErrDeadlineExceeded), 408, "unavailable"},
		{"cut off", labelsPath, broken(`{"labels":[`, io.ErrUnexpectedEOF), 400, "invalid"},
		{"connection lost", labelsPath, broken(`{"labels":[`, errors.New("connection reset by peer")),
			400, "invalid"},
		{"too large", rollbackPath, strings.NewReader(`{"reason":"` + strings.Repeat("x", 9000) + `"}`),
			413, "invalid"},
		{"slow tree", revisionsPath, broken("--b\r\n", os.ErrDeadlineExceeded), 408, "unavailable"},
		{"tree cut off", revisionsPath, broken("--b\r\n", io.ErrUnexpectedEOF), 400, "invalid"},
		{"tree without parts", revisionsPath, strings.NewReader("--b--\r\n"), 400, "invalid"},
	} {
		contentType := "application/json"
		if tt.path == revisionsPath {
			contentType = "multipart/form-data; boundary=b"
		}
		_, a := w.send("POST", tt.path, contentType, tt.body)
		if p := wantProblem(t, tt.name, a, tt.status); string(p.Code) != tt.code {
			t.Errorf("%s: code %s, want %s", tt.name, p.Code, tt.code)
		}
	}
}

// broken is a body that begins well and ends with an error.
func broken(begins string, err error) io.Reader {
	return io.MultiReader(strings.NewReader(begins), iotest.ErrReader(err))
}

// A body is not decoded that would cost a hundred times its size, and not each of its
// mistakes is named.
func TestBodies_AreNotWide(t *testing.T) {
	w := newWorld(t)
	zeros := func(n int) io.Reader {
		return strings.NewReader(`{"labels":[` + strings.Repeat("0,", n-1) + "0]}")
	}
	for n, says := range map[int]string{100: "body.labels[0]", 400_001: "more than 400000 values"} {
		_, a := w.send("POST", labelsPath, "application/json", zeros(n))
		wantProblem(t, says, a, 400)
		if text := string(a.body); !strings.Contains(text, says) || len(text) > 2000 {
			t.Errorf("%d values: %d bytes: %.300s", n, len(text), text)
		}
	}
}

// A body may take as long as the route's limit says, and what it causes longer: the
// deadline ends with the body.
func TestUploads_HaveTheTimeOfTheirLimit(t *testing.T) {
	w := newWorld(t)
	for path, atLeast := range map[string]time.Duration{
		rollbackPath: 4 * time.Second, labelsPath: time.Minute, revisionsPath: 15 * time.Minute,
	} {
		c, a := w.send("POST", path, "application/json; boundary=b", strings.NewReader(`{"reason":""}`))
		if path == revisionsPath {
			c, a = w.send("POST", path, "multipart/form-data; boundary=b", strings.NewReader("--b--\r\n"))
		}
		if a.status != http.StatusBadRequest || len(c.deadlines) < 2 {
			t.Fatalf("%s: status %d, deadlines %v", path, a.status, c.deadlines)
		}
		first, last := c.deadlines[0], c.deadlines[len(c.deadlines)-1]
		if left := time.Until(first); left < atLeast || left > 2*atLeast+time.Minute {
			t.Errorf("%s: a body has %s", path, left)
		}
		if path == revisionsPath { // a form that is wrong is not read to its end
			if left := time.Until(last); left > 5*time.Second {
				t.Errorf("%s: what nobody reads has %s", path, left)
			}
		} else if !last.IsZero() {
			t.Errorf("%s: a deadline stays behind: %s", path, last)
		}
	}
}
