package auth

import (
	"io"
	"math"
	"net/http"
	"time"

	"github.com/fairlead-ml/fairlead"
)

// A body must come within bodyLeast, and a second more for each bodyStep bytes that
// the route takes at most; of one that the handler streams each read may take bodyStall.
// All is wall time. What a request causes may last longer.
const (
	bodyLeast = 5 * time.Second
	bodyStep  = 256 << 10
	bodyStall = 30 * time.Second
)

// Of bodies that their routes read whole, what is above freeBody shares maxBodies bytes.
// They are taken in steps while the body comes, so that who sends nothing keeps nobody
// out; each step must come within bodyLeast. Who finds no room waits for roomTime at most.
const (
	freeBody  = 64 << 10
	maxBodies = 64 << 20
	roomTime  = 10 * time.Second
)

// room is what bodies share.
type room struct {
	steps chan struct{} // one for each that is taken
	// last is taken by the one body that goes on while there are no steps, so that bodies
	// that wait for each other do not wait for ever.
	last chan struct{}
}

func newRoom() *room {
	return &room{make(chan struct{}, maxBodies/bodyStep), make(chan struct{}, 1)}
}

// checkLength refuses a body that says by itself that it is too long, before it comes.
func checkLength(r *http.Request, route Route) error {
	if route.BodyLimit <= 0 || route.Streams || r.ContentLength <= route.BodyLimit {
		return nil
	}
	return fairlead.Errorf(fairlead.Invalid,
		"the request is longer than %d bytes, the most that is taken here; split it up",
		route.BodyLimit).Because(&http.MaxBytesError{Limit: route.BodyLimit})
}

// BodyTime is how long a body of at most limit bytes may take to come.
func BodyTime(limit int64) time.Duration {
	return bodyLeast + time.Duration(limit/bodyStep)*time.Second
}

// body is a request's body, whose connection has a deadline until it is read to its end:
// so none ends what the request waits for.
type body struct {
	io.ReadCloser
	conn  *http.ResponseController
	each  bool // the deadline is one for each read
	ended bool

	room  *room
	left  int64           // bytes that may come before the next step
	end   time.Time       // the latest deadline
	gone  <-chan struct{} // closed when nobody waits for the answer any more
	steps int             // taken
	last  bool            // has the last place
}

// bound limits the size, the time and the room of a request's body. A writer without a
// connection, as in tests, has no deadlines.
func (m *room) bound(w http.ResponseWriter, r *http.Request, route Route) *body {
	limit := route.BodyLimit
	b := &body{ReadCloser: r.Body, conn: http.NewResponseController(w), each: limit == Unlimited,
		ended: r.ContentLength == 0, room: m, left: freeBody, gone: r.Context().Done()}
	if b.each || route.Streams {
		b.left = math.MaxInt64
	}
	r.Body = b
	if b.each {
		return b
	}
	if !b.ended {
		b.end = time.Now().Add(BodyTime(limit))
		b.conn.SetReadDeadline(b.end)
	}
	r.Body = http.MaxBytesReader(w, b, limit)
	return b
}

// Read reads from the body. Unavailable when there is no room.
func (b *body) Read(p []byte) (int, error) {
	if b.each {
		b.conn.SetReadDeadline(time.Now().Add(bodyStall))
	}
	if b.left == 0 && !b.ended {
		if err := b.step(); err != nil {
			return 0, err
		}
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	if err == io.EOF {
		b.conn.SetReadDeadline(time.Time{})
	} // else the server, which reads the rest before it answers, shall not wait for it either
	b.ended = b.ended || err != nil
	return n, err
}

// step lets bodyStep bytes more come, soon.
func (b *body) step() error {
	if err := b.take(); err != nil {
		return err
	}
	b.left = bodyStep
	soon := time.Now().Add(bodyLeast)
	if b.end.Before(soon) {
		soon = b.end
	}
	b.conn.SetReadDeadline(soon)
	return nil
}

// take finds room for a step. The time that this takes is not the client's.
func (b *body) take() error {
	if b.last {
		return nil
	}
	select {
	case b.room.steps <- struct{}{}:
		b.steps++
		return nil
	default:
	}
	began, timeout := time.Now(), time.NewTimer(roomTime)
	defer timeout.Stop()
	select {
	case b.room.steps <- struct{}{}:
		b.steps++
	case b.room.last <- struct{}{}:
		b.last = true
	case <-timeout.C:
		return errNoRoom
	case <-b.gone:
		return errNoRoom
	}
	b.end = b.end.Add(time.Since(began))
	return nil
}

var errNoRoom = fairlead.Errorf(fairlead.Unavailable,
	"too many large requests come in; send it again")

// leave gives the room back, when nothing of the body is needed any more.
func (b *body) leave() {
	for range b.steps {
		<-b.room.steps
	}
	if b.last {
		<-b.room.last
	}
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
