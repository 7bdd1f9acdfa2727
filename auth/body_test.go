package auth_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
)

// zeros is a body of so many bytes; its end comes with the last of them, as that of a
// request with a length does.
type zeros int64

func (z *zeros) Read(p []byte) (int, error) {
	n := min(len(p), int(*z))
	if *z -= zeros(n); *z == 0 {
		return n, io.EOF
	}
	return n, nil
}

// bodies guards a route that reads a body whole, and then calls hold.
func bodies(t *testing.T, limit int64, hold func()) (send func(ctx context.Context,
	body io.Reader, length int64) int, streamed func(body io.Reader) int) {
	f := newFixture(t)
	r := route(auth.Track)
	r.BodyLimit = limit
	r.Handle = func(_ http.ResponseWriter, r *http.Request) error {
		_, err := io.Copy(io.Discard, r.Body)
		if err == nil && r.ContentLength == limit {
			hold()
		}
		return err
	}
	ask := func(r auth.Route, ctx context.Context, body io.Reader, length int64) int {
		return f.call(t, r, func(r *http.Request) {
			*r = *r.WithContext(fairlead.WithProject(ctx, mine))
			r.Body, r.ContentLength = io.NopCloser(body), length
		}).Code
	}
	stream := r
	stream.Streams = true
	return func(ctx context.Context, body io.Reader, length int64) int {
			return ask(r, ctx, body, length)
		}, func(body io.Reader) int {
			return ask(stream, t.Context(), body, -1)
		}
}

func sized(n int64) (io.Reader, int64) { z := zeros(n); return &z, n }

// The room is 64 MiB, and one body goes on without.
func TestBodies_AreBoundedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const large = 48 << 20
		end := make(chan int)
		send, streamed := bodies(t, large, func() { <-end })
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() {
				body, n := sized(large)
				if got := send(t.Context(), body, n); got != 200 {
					t.Errorf("one of two: %d", got)
				}
			})
			synctest.Wait()
		}
		began := time.Now()
		for _, length := range []int64{64<<10 + 1, large, -1} { // of the last nothing is known
			body, _ := sized(max(length, 1<<20))
			if got := send(t.Context(), body, length); got != 503 {
				t.Errorf("a third of %d: %d", length, got)
			}
		}
		if waited := time.Since(began); waited != 30*time.Second {
			t.Errorf("three had no place after %s", waited)
		}
		small, n := sized(64 << 10)
		if got := send(t.Context(), small, n); got != 200 {
			t.Errorf("a small one: %d", got)
		}
		long, _ := sized(large)
		if got := streamed(long); got != 200 {
			t.Errorf("a stream: %d", got)
		}
		close(end)
		all.Wait()
		body, n := sized(large)
		if got := send(t.Context(), body, n); got != 200 {
			t.Errorf("afterwards: %d", got)
		}
	})
}

// Bodies that together are too large, and wait for each other, come to their end.
func TestBodies_DoNotWaitForEachOtherForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const large = 32 << 20
		send, _ := bodies(t, large, func() {})
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				body, n := sized(large)
				body = &lockstep{body, 12 << 20}
				if got := send(t.Context(), body, n); got != 200 {
					t.Errorf("one of 8: %d", got)
				}
			})
		}
		all.Wait()
	})
}

// lockstep is a body that makes a pause once, which ends when all others wait too.
type lockstep struct {
	io.Reader
	left int
}

func (l *lockstep) Read(p []byte) (int, error) {
	n, err := l.Reader.Read(p)
	if l.left > 0 && l.left <= n {
		time.Sleep(time.Second)
	}
	l.left -= n
	return n, err
}

// stalls is a body whose rest does not come before its end.
type stalls struct {
	io.Reader
	end <-chan int
}

func (s stalls) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if n == 0 {
		<-s.end
		return 0, io.ErrUnexpectedEOF
	}
	if err == io.EOF {
		err = nil // what has come is used first
	}
	return n, err
}

// Who says that much will come, and sends little, keeps nobody out.
func TestBodies_ThatDoNotComeTakeNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := make(chan int)
		send, _ := bodies(t, 32<<20, func() {})
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() {
				body, _ := sized(100 << 10)
				length := []int64{32 << 20, -1}[i%2]
				if got := send(t.Context(), stalls{body, end}, length); got == 200 {
					t.Error("half a body is taken for whole")
				}
			})
		}
		synctest.Wait()
		began := time.Now()
		body, n := sized(16 << 20)
		if got := send(t.Context(), body, n); got != 200 || time.Since(began) > 0 {
			t.Errorf("somebody else: %d after %s", got, time.Since(began))
		}
		close(end)
		all.Wait()
	})
}

// timed is a writer whose connection has a deadline.
type timed struct {
	*httptest.ResponseRecorder
	until time.Time
}

func (w *timed) SetReadDeadline(at time.Time) error {
	w.until = at
	return nil
}

// trickle sends most of itself at once, and then a byte each second.
type trickle struct {
	on   *timed
	most int
}

func (b *trickle) Read(p []byte) (int, error) {
	if b.most > 0 {
		n := min(len(p), b.most)
		b.most -= n
		return n, nil
	}
	time.Sleep(time.Second)
	if !b.on.until.IsZero() && time.Now().After(b.on.until) {
		return 0, os.ErrDeadlineExceeded
	}
	return 1, nil
}

// Who sends a little now and then does not keep the room that it has.
func TestBodies_ThatTrickleEndEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		for most, want := range map[int]time.Duration{
			1 << 10:   auth.BodyTime(32 << 20), // it has no room, so it has its time
			100 << 10: 5 * time.Second, 10 << 20: 5 * time.Second,
		} {
			r := route(auth.Track)
			r.BodyLimit = 32 << 20
			h, err := f.tokens.Guard(r)
			if err != nil {
				t.Fatal(err)
			}
			w := &timed{ResponseRecorder: httptest.NewRecorder()}
			req := httptest.NewRequest("POST", "http://127.0.0.1:4747/x", &trickle{w, most})
			req.RemoteAddr, req.ContentLength = "127.0.0.1:5555", 32<<20
			began := time.Now()
			h.ServeHTTP(w, req.WithContext(fairlead.WithProject(t.Context(), mine)))
			took := time.Since(began)
			if w.Code == 200 || took < want || took > want+time.Second {
				t.Errorf("after %d bytes: %d after %s, want %s", most, w.Code, took, want)
			}
		}
	})
}
