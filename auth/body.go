package auth

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/fairlead-ml/fairlead"
)

// A body must come within bodyLeast, and a second more for each slowestBody bytes that
// the route takes at most; of one that the handler streams each read may take bodyStall.
// All is wall time. What a request causes may last longer.
const (
	bodyLeast   = 5 * time.Second
	slowestBody = 256 << 10
	bodyStall   = 30 * time.Second
)

// Bodies above freeBody share maxBodies bytes, where their routes read them whole. Who
// finds no place waits for placeTime at most.
const (
	freeBody  = 64 << 10
	maxBodies = 128 << 20
	placeTime = 10 * time.Second
)

// checkLength refuses a body that says by itself that it is too long, before it comes.
func checkLength(r *http.Request, route Route) error {
	if route.BodyLimit <= 0 || route.Streams || r.ContentLength <= route.BodyLimit {
		return nil
	}
	return fairlead.Errorf(fairlead.Invalid,
		"the request is longer than %d bytes, the most that is taken here; split it up",
		route.BodyLimit).Because(&http.MaxBytesError{Limit: route.BodyLimit})
}

// place takes the room of a request's body, which leave gives back. A body that does not
// say its length may have all that the route takes.
func (t *Tokens) place(r *http.Request, route Route) (leave func(), err error) {
	need := min(max(r.ContentLength, 0), route.BodyLimit)
	if r.ContentLength < 0 {
		need = route.BodyLimit
	}
	if need <= freeBody || route.Streams {
		return func() {}, nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), placeTime)
	defer cancel()
	if err := t.bodies.Acquire(ctx, need); err != nil {
		return nil, fairlead.Errorf(fairlead.Unavailable,
			"too many large requests come in; send it again").Because(err)
	}
	return func() { t.bodies.Release(need) }, nil
}

// BodyTime is how long a body of at most limit bytes may take to come.
func BodyTime(limit int64) time.Duration {
	return bodyLeast + time.Duration(limit/slowestBody)*time.Second
}

// body is a request's body, whose connection has a deadline until it is read to its end:
// so none ends what the request waits for.
type body struct {
	io.ReadCloser
	conn  *http.ResponseController
	each  bool // the deadline is one for each read
	ended bool
}

// bound limits the size and the time of a request's body. A writer without a connection,
// as in tests, has no deadlines.
func bound(w http.ResponseWriter, r *http.Request, limit int64) *body {
	b := &body{ReadCloser: r.Body, conn: http.NewResponseController(w), each: limit == Unlimited,
		ended: r.ContentLength == 0}
	r.Body = b
	if b.each {
		return b
	}
	if !b.ended {
		b.conn.SetReadDeadline(time.Now().Add(BodyTime(limit)))
	}
	r.Body = http.MaxBytesReader(w, b, limit)
	return b
}

// Read reads from the body.
func (b *body) Read(p []byte) (int, error) {
	if b.each {
		b.conn.SetReadDeadline(time.Now().Add(bodyStall))
	}
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.conn.SetReadDeadline(time.Time{})
	} // else the server, which reads the rest before it answers, shall not wait for it either
	b.ended = b.ended || err != nil
	return n, err
}

// hurry is Hurry for a body of which something may have been read.
func (b *body) hurry() {
	if !b.ended {
		b.conn.SetReadDeadline(time.Now().Add(bodyLeast))
	}
}

// Hurry is called before a request is refused. The server reads what is left of its body
// first, so that the answer is not lost; that must come soon.
func Hurry(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 {
		http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyLeast))
	}
}
