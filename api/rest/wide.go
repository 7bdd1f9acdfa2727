package rest

import (
	"bytes"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fairlead-ml/fairlead"
)

// maxValues bounds the values of a JSON body. Each costs many times its size once it is
// decoded, and what is wrong with it is said of each.
const maxValues = 400_000

// manyValues is the limit of a body, in bytes, from which on it is looked at: less cannot
// hold many.
const manyValues = maxValues

// narrow refuses a large body with too many values. It is read whole either way.
func narrow(w http.ResponseWriter, r *http.Request) error {
	b, err := io.ReadAll(r.Body)
	if err != nil {
		return uploadProblem(err)
	}
	if commas(b) >= maxValues {
		return fairlead.Errorf(fairlead.Invalid, "the body has more than %d values; split it up",
			maxValues)
	}
	r.Body = &kept{Reader: bytes.NewReader(b), w: w}
	return nil
}

// kept is a body that was read already. Its end ends the deadline that huma sets for it.
type kept struct {
	*bytes.Reader
	w http.ResponseWriter
}

// Read reads from the body.
func (k *kept) Read(p []byte) (int, error) {
	n, err := k.Reader.Read(p)
	if err != nil {
		huma.SetReadDeadline(k.w, time.Time{})
	}
	return n, err
}

// Close implements io.Closer.
func (k *kept) Close() error { return nil }

// commas counts those outside of texts: in JSON each separates two values.
func commas(b []byte) (n int) {
	text := false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case c == ',' && !text:
			n++
		}
	}
	return n
}
