package inference

import (
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/serving"
)

// The bounds of a request's parts, which hold before its data is read.
const (
	maxMembers = 20_000 // inputs, outputs asked for and parameters, of any model
	maxExtra   = 1_000  // inputs that the model does not know; they are logged and left out
	maxShape   = 256    // bytes of a shape as JSON
)

// request is the protocol's inference request. Of its parameters it keeps those that
// mean something here.
type request struct {
	ID         string `json:"id"`
	Parameters struct {
		EventTime    json.RawMessage `json:"event_time"`
		RoutingKey   string          `json:"routing_key"`
		BinaryOutput bool            `json:"binary_data_output"`
		Trial        bool            `json:"trial"`
	} `json:"parameters"`
	Inputs  []tensor `json:"inputs"`
	Outputs []struct {
		Name       string `json:"name"`
		Parameters struct {
			Binary *bool `json:"binary_data"`
		} `json:"parameters"`
	} `json:"outputs"`
}

type tensor struct {
	Name       string `json:"name"`
	Shape      shape  `json:"shape"`
	Datatype   string `json:"datatype"`
	Parameters struct {
		BinarySize *int64 `json:"binary_data_size"`
	} `json:"parameters"`
	Data json.RawMessage `json:"data"`
	raw  []byte          // the binary extension's part of the body
}

func (t *tensor) binary() bool { return t.Parameters.BinarySize != nil }

// shape is bounded before it is read.
type shape []int64

// UnmarshalJSON implements json.Unmarshaler.
func (s *shape) UnmarshalJSON(b []byte) error {
	text := string(b[:min(len(b), maxShape)])
	good := len(b) <= maxShape && strings.LastIndexByte(text, '[') == 0
	between := func(r rune) bool { return strings.ContainsRune("[], \t\r\n", r) }
	for _, d := range strings.FieldsFunc(text, between) {
		n, err := strconv.ParseInt(d, 10, 64)
		good = good && err == nil
		*s = append(*s, n)
	}
	if !good {
		return fairlead.Errorf(fairlead.Invalid,
			"inputs.shape must be [rows] or [rows, 1], not %.30s", b)
	}
	return nil
}

// unmarshal reads the request, and says in the protocol's words, not in Go's, what is
// wrong with it.
func (q *request) unmarshal(b []byte) error {
	if members(b) > maxMembers {
		return fairlead.Errorf(fairlead.Invalid,
			"the request has more than %d inputs, outputs and parameters", maxMembers)
	}
	err := json.Unmarshal(b, q)
	var known *fairlead.Error
	var typed *json.UnmarshalTypeError
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case !errors.As(err, &typed):
		return fairlead.Errorf(fairlead.Invalid,
			"the request is not the JSON of an inference request: %w", err)
	}
	where := typed.Field
	if where == "" {
		where = "the request"
	}
	return fairlead.Errorf(fairlead.Invalid,
		"%s must be %s, not %s", where, jsonName(typed.Type.Kind()), typed.Value)
}

// members counts what stands in the request's own lists and objects: an empty input
// is two bytes of text, and a hundred of memory.
func members(b []byte) int {
	n, depth := 0, 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		case ',':
			if depth <= 2 {
				n++
			}
		case '"':
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
		}
	}
	return n
}

func jsonName(k reflect.Kind) string {
	switch k {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "an array"
	case reflect.Int64:
		return "a whole number"
	}
	return "an object"
}

// headerLength is where the binary extension says how long the JSON part is.
const headerLength = "Inference-Header-Content-Length"

func decode(r *http.Request, body []byte) (*request, error) {
	header, tail, err := split(r, body)
	if err != nil {
		return nil, err
	}
	var q request
	if err := q.unmarshal(header); err != nil {
		return nil, err
	}
	if len(q.Inputs) == 0 {
		return nil, fairlead.Errorf(fairlead.Invalid, "the request has no inputs")
	}
	return &q, q.takeBinary(tail)
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
		if !t.binary() {
			continue
		}
		size := *t.Parameters.BinarySize
		if size < 0 || size > int64(len(tail)) {
			return fairlead.Errorf(fairlead.Invalid,
				"input %q: the body has no %d binary bytes for it", t.Name, size)
		}
		t.raw, tail = tail[:size], tail[size:]
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
	if n, most := len(q.Inputs), len(sig.Inputs)+maxExtra; n > most {
		return nil, fairlead.Errorf(fairlead.Invalid,
			"the request has %d inputs, and the model takes %d; send at most %d", n, len(sig.Inputs), most)
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

// size returns the number of elements that the shape says; its width is known to be
// the model's.
func (t *tensor) size() (int, error) {
	n := int64(1)
	for _, d := range t.Shape {
		if d < 0 {
			return 0, fairlead.Errorf(fairlead.Invalid, "input %q has the shape %v", t.Name, t.Shape)
		}
		n *= d
	}
	if rows := t.Shape[0]; rows > serving.MaxRows {
		return 0, fairlead.Errorf(fairlead.Invalid, "input %q has %d rows; send at most %d at once",
			t.Name, rows, serving.MaxRows)
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
	case t.binary() && dt.kind == engine.String:
		c.Strings, err = t.binaryStrings(n)
	case t.binary():
		err = t.binaryNumbers(&c, dt, n)
	case dt.kind == engine.String:
		c.Strings, c.Valid, err = t.jsonStrings(n)
	default:
		err = t.jsonNumbers(&c, dt, n)
	}
	if err != nil {
		return c, err
	}
	if got := c.Len(); got != n {
		return c, t.notOf(n, strconv.Itoa(got))
	}
	return c, nil
}

func (t *tensor) notOf(n int, got string) error {
	return fairlead.Errorf(fairlead.Invalid,
		"input %q has %s values, and its shape %v says %d", t.Name, got, t.Shape, n)
}

// eventTime returns parameters.event_time, the zero time when it is absent.
func (q *request) eventTime() (time.Time, error) {
	text := q.Parameters.EventTime
	if len(text) == 0 || string(text) == "null" {
		return time.Time{}, nil
	}
	var written string
	var ms float64
	if json.Unmarshal(text, &written) == nil {
		t, err := time.Parse(time.RFC3339Nano, written)
		if err == nil && t.Year() >= 1 && t.Year() <= 9999 {
			return t.UTC(), nil
		}
	} else if json.Unmarshal(text, &ms) == nil && ms > 0 && ms < latestMS {
		return time.UnixMilli(int64(ms)).UTC(), nil
	}
	return time.Time{}, fairlead.Errorf(fairlead.Invalid,
		"parameters.event_time is neither RFC 3339 (2011-03-01T05:00:00Z) nor Unix milliseconds")
}

// latestMS is the end of the year 9999, which RFC 3339 can still write.
const latestMS = 253402300800000
