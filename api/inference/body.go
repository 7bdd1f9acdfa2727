package inference

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/fairlead-ml/fairlead"
)

// The bounds of a request's body, in bytes when it is uncompressed.
const (
	maxBody   = 64 << 20
	smallBody = 1 << 20          // larger ones come in few at a time
	maxLarge  = 2                // of those at one time: one takes some 300 MB with its values
	largeTime = 30 * time.Second // for a large one to arrive, in wall time
)

// bodies reads bodies, and bounds the memory that they take together.
type bodies chan struct{} // a place for each large one

// read returns the body, uncompressed. The caller calls done when nothing of it is
// needed any more.
func (b bodies) read(w http.ResponseWriter, r *http.Request) (body []byte, done func(), err error) {
	done = func() {}
	plain, err := uncompressed(r)
	if err != nil {
		return nil, done, err
	}
	var buf bytes.Buffer
	usual := int(min(max(r.ContentLength, 0), smallBody)) // needs no growing
	buf.Grow(usual + bytes.MinRead)
	n, err := buf.ReadFrom(io.LimitReader(plain, smallBody))
	if n == smallBody && err == nil {
		if done, err = b.enter(r.Context()); err != nil {
			return nil, func() {}, err
		}
		err = readLarge(w, &buf, plain)
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge) || buf.Len() > maxBody:
		err = fairlead.Errorf(fairlead.Invalid,
			"the request is larger than %d bytes; send fewer rows", maxBody)
	case err != nil:
		err = fairlead.Errorf(fairlead.Invalid,
			"the request's body cannot be read to its end").Because(err)
	}
	return buf.Bytes(), done, err
}

// uncompressed returns the body as it was before it was sent.
func uncompressed(r *http.Request) (plain io.Reader, err error) {
	switch encoding := r.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
		return r.Body, nil
	case "gzip":
		plain, err = gzip.NewReader(r.Body)
	case "deflate":
		plain, err = zlib.NewReader(r.Body)
	default:
		return nil, fairlead.Errorf(fairlead.Invalid,
			"the body is encoded as %q; send it plain, gzip or deflate", encoding)
	}
	if err != nil {
		return nil, fairlead.Errorf(fairlead.Invalid,
			"the body is not encoded as its header says").Because(err)
	}
	return plain, nil
}

func (b bodies) enter(ctx context.Context) (leave func(), err error) {
	select {
	case b <- struct{}{}:
		return func() { <-b }, nil
	case <-ctx.Done():
		return nil, fairlead.Errorf(fairlead.Unavailable,
			"too many large requests come in; try again, or send fewer rows").Because(ctx.Err())
	}
}

// readLarge reads the rest of a large body, which has its time: whoever sends slowly
// keeps others out.
func readLarge(w http.ResponseWriter, buf *bytes.Buffer, plain io.Reader) error {
	conn := http.NewResponseController(w)
	conn.SetReadDeadline(time.Now().Add(largeTime)) // not every writer can, such as a test's
	defer conn.SetReadDeadline(time.Time{})
	_, err := buf.ReadFrom(io.LimitReader(plain, maxBody+1-smallBody))
	return err
}
