package inference

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
)

// request is the protocol's inference request.
type request struct {
	ID         string         `json:"id"`
	Parameters map[string]any `json:"parameters"`
	Inputs     []tensor       `json:"inputs"`
	Outputs    []struct {
		Name       string         `json:"name"`
		Parameters map[string]any `json:"parameters"`
	} `json:"outputs"`
}

type tensor struct {
	Name       string          `json:"name"`
	Shape      []int64         `json:"shape"`
	Datatype   string          `json:"datatype"`
	Parameters map[string]any  `json:"parameters"`
	Data       json.RawMessage `json:"data"`
	binary     bool
	raw        []byte // the binary extension's part of the body
}

// headerLength is where the binary extension says how long the JSON part is.
const headerLength = "Inference-Header-Content-Length"

func decode(r *http.Request) (*request, error) {
	body, err := readBody(r)
	if err != nil {
		return nil, err
	}
	header, tail, err := split(r, body)
	if err != nil {
		return nil, err
	}
	var q request
	if err := json.Unmarshal(header, &q); err != nil {
		return nil, fairlead.Errorf(fairlead.Invalid, "the request is not the JSON of an inference request: %w", err)
	}
	if len(q.Inputs) == 0 {
		return nil, fairlead.Errorf(fairlead.Invalid, "the request has no inputs")
	}
	return &q, q.takeBinary(tail)
}

// readBody returns the body, uncompressed; maxBody bounds it before and after.
func readBody(r *http.Request) ([]byte, error) {
	var plain io.Reader = r.Body
	var err error
	switch encoding := r.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
	case "gzip":
		plain, err = gzip.NewReader(r.Body)
	case "deflate":
		plain, err = zlib.NewReader(r.Body)
	default:
		return nil, fairlead.Errorf(fairlead.Invalid, "the body is encoded as %q; send it plain, gzip or deflate", encoding)
	}
	var b bytes.Buffer
	if n := r.ContentLength; err == nil {
		b.Grow(int(min(max(n, 0), 1<<20)) + bytes.MinRead) // no growing, for what is usual
		_, err = b.ReadFrom(io.LimitReader(plain, maxBody+1))
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge) || b.Len() > maxBody:
		return nil, fairlead.Errorf(fairlead.Invalid, "the request is larger than %d bytes; send fewer rows", maxBody)
	case err != nil:
		return nil, fairlead.Errorf(fairlead.Invalid, "the request's body cannot be read to its end").Because(err)
	}
	return b.Bytes(), nil
}

// split cuts the body into its JSON header and the binary tensors behind it.
func split(r *http.Request, body []byte) (header, tail []byte, err error) {
	s := r.Header.Get(headerLength)
	if s == "" {
		return body, nil, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > len(body) {
		return nil, nil, fairlead.Errorf(fairlead.Invalid, "%s is %q, and the body has %d bytes", headerLength, s, len(body))
	}
	return body[:n], body[n:], nil
}

func (q *request) takeBinary(tail []byte) error {
	for i := range q.Inputs {
		t := &q.Inputs[i]
		size, ok := t.Parameters["binary_data_size"].(float64)
		if !ok {
			continue
		}
		if !(size >= 0 && size <= float64(len(tail))) || size != float64(int(size)) {
			return fairlead.Errorf(fairlead.Invalid, "input %q: the body has no %v binary bytes for it", t.Name, size)
		}
		t.binary = true
		t.raw, tail = tail[:int(size)], tail[int(size):]
	}
	if len(tail) > 0 {
		return fairlead.Errorf(fairlead.Invalid, "%d bytes are left behind the last binary input", len(tail))
	}
	return nil
}

// frame turns the tensors into columns. A tensor [rows] or [rows, 1] is a column
// of its name; one tensor [rows, n], or one of the name that the model's own tensor
// has, is the model's n inputs in order.
func (q *request) frame(sig engine.Signature) (*engine.Frame, error) {
	if t := &q.Inputs[0]; len(q.Inputs) == 1 && len(t.Shape) == 2 &&
		(t.Shape[1] != 1 || sig.Tensor != "" && t.Name == sig.Tensor) {
		return t.matrix(sig)
	}
	columns := make([]engine.Column, len(q.Inputs))
	for i := range q.Inputs {
		t := &q.Inputs[i]
		if len(t.Shape) == 0 || len(t.Shape) > 2 || len(t.Shape) == 2 && t.Shape[1] != 1 {
			return nil, fairlead.Errorf(fairlead.Invalid,
				"input %q has the shape %v; a column is [rows] or [rows, 1]", t.Name, t.Shape)
		}
		c, err := t.column()
		if err != nil {
			return nil, err
		}
		columns[i] = c
	}
	return engine.NewFrame(columns...), nil
}

func (t *tensor) matrix(sig engine.Signature) (*engine.Frame, error) {
	width := int(t.Shape[1])
	if width != len(sig.Inputs) {
		return nil, fairlead.Errorf(fairlead.Invalid,
			"input %q has %d columns, and the model takes %d", t.Name, width, len(sig.Inputs))
	}
	flat, err := t.column()
	if err != nil {
		return nil, err
	}
	if !flat.Kind.Numeric() {
		return nil, fairlead.Errorf(fairlead.Invalid, "input %q is a matrix of %s; send its columns one by one", t.Name, t.Datatype)
	}
	rows := int(t.Shape[0])
	columns := make([]engine.Column, width)
	for j, field := range sig.Inputs {
		columns[j] = engine.Column{Name: field.Name, Kind: flat.Kind, Floats: every(flat.Floats, j, width, rows)}
		if flat.Ints != nil {
			columns[j].Ints = every(flat.Ints, j, width, rows)
		}
	}
	return engine.NewFrame(columns...), nil
}

// every returns rows values, one each step, from the first on.
func every[T any](flat []T, first, step, rows int) []T {
	out := make([]T, rows)
	for i := range out {
		out[i] = flat[i*step+first]
	}
	return out
}

// size returns the number of elements that the shape says.
func (t *tensor) size() (int, error) {
	n := int64(1)
	for _, d := range t.Shape {
		if d < 0 || d > maxBody || n*d > maxBody {
			return 0, fairlead.Errorf(fairlead.Invalid, "input %q has the shape %v", t.Name, t.Shape)
		}
		n *= d
	}
	return int(n), nil
}

// column decodes all elements of the tensor, whatever its shape, row by row.
func (t *tensor) column() (engine.Column, error) {
	c := engine.Column{Name: t.Name}
	n, err := t.size()
	if err != nil {
		return c, err
	}
	dt, ok := datatypes[t.Datatype]
	if !ok {
		return c, fairlead.Errorf(fairlead.Invalid, "input %q has the datatype %q; known are %s", t.Name, t.Datatype, datatypeNames)
	}
	c.Kind = dt.kind
	switch {
	case t.binary && dt.kind == engine.String:
		c.Strings, err = t.binaryStrings()
	case t.binary:
		err = t.binaryNumbers(&c, dt)
	case dt.kind == engine.String:
		c.Strings, c.Valid, err = t.jsonStrings()
	default:
		err = t.jsonNumbers(&c, dt, n)
	}
	if err != nil {
		return c, err
	}
	if got := c.Len(); got != n {
		return c, fairlead.Errorf(fairlead.Invalid, "input %q has %d values, and its shape %v says %d", t.Name, got, t.Shape, n)
	}
	return c, nil
}

// eventTime returns parameters.event_time, the zero time when it is absent.
func (q *request) eventTime() (time.Time, error) {
	switch v := q.Parameters["event_time"].(type) {
	case nil:
		return time.Time{}, nil
	case string:
		if t, err := time.Parse(time.RFC3339Nano, v); err == nil && t.Year() >= 1 && t.Year() <= 9999 {
			return t.UTC(), nil
		}
	case float64:
		if v > 0 && v < latestMS {
			return time.UnixMilli(int64(v)).UTC(), nil
		}
	}
	return time.Time{}, fairlead.Errorf(fairlead.Invalid,
		"parameters.event_time is neither RFC 3339 (2011-03-01T05:00:00Z) nor Unix milliseconds")
}

// latestMS is the end of the year 9999, which RFC 3339 can still write.
const latestMS = 253402300800000
