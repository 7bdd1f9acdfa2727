package inference

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"strconv"

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
	raw        []byte          // the binary extension's part of the body
}

// headerLength is where the binary extension says how long the JSON part is.
const headerLength = "Inference-Header-Content-Length"

func decode(r *http.Request) (*request, error) {
	body, err := io.ReadAll(r.Body)
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		return nil, fairlead.Errorf(fairlead.Invalid, "the request is larger than %d bytes; send fewer rows", tooLarge.Limit)
	}
	if err != nil {
		return nil, fairlead.Errorf(fairlead.Invalid, "the request's body ended early").Because(err)
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
		if size < 0 || int(size) > len(tail) {
			return fairlead.Errorf(fairlead.Invalid, "input %q: the body ends before its %v binary bytes", t.Name, size)
		}
		t.raw, tail = tail[:int(size)], tail[int(size):]
	}
	if len(tail) > 0 {
		return fairlead.Errorf(fairlead.Invalid, "%d bytes are left behind the last binary input", len(tail))
	}
	return nil
}

// frame turns the tensors into columns. A tensor [rows] or [rows, 1] is a column
// of its name; one tensor [rows, n] is the model's n inputs in order.
func (q *request) frame(sig engine.Signature) (*engine.Frame, error) {
	if len(q.Inputs) == 1 && len(q.Inputs[0].Shape) == 2 && q.Inputs[0].Shape[1] != 1 {
		return q.Inputs[0].matrix(sig)
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
		values := make([]float64, rows)
		for i := range rows {
			values[i] = flat.Floats[i*width+j]
		}
		columns[j] = engine.Column{Name: field.Name, Kind: flat.Kind, Floats: values}
	}
	return engine.NewFrame(columns...), nil
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
	case t.raw != nil && dt.kind == engine.String:
		c.Strings, err = t.binaryStrings()
	case t.raw != nil:
		c.Floats, err = t.binaryNumbers(dt)
	case dt.kind == engine.String:
		c.Strings, c.Valid, err = t.jsonStrings()
	default:
		c.Floats, err = t.jsonNumbers(n)
	}
	if err != nil {
		return c, err
	}
	if got := c.Len(); got != n {
		return c, fairlead.Errorf(fairlead.Invalid, "input %q has %d values, and its shape %v says %d", t.Name, got, t.Shape, n)
	}
	return c, nil
}

// jsonNumbers reads a flat or nested array of numbers, booleans and nulls.
func (t *tensor) jsonNumbers(n int) ([]float64, error) {
	values := make([]float64, 0, min(n, len(t.Data)))
	rest := t.Data
	for len(rest) > 0 {
		switch c := rest[0]; c {
		case '[', ']', ',', ' ', '\n', '\t', '\r':
			rest = rest[1:]
			continue
		}
		end := bytes.IndexAny(rest, ",] \n\t\r")
		if end < 0 {
			end = len(rest)
		}
		v, err := number(rest[:end])
		if err != nil {
			return nil, fairlead.Errorf(fairlead.Invalid, "input %q, value %d: %.40q is not a %s",
				t.Name, len(values), rest[:end], t.Datatype)
		}
		values, rest = append(values, v), rest[end:]
	}
	return values, nil
}

func number(b []byte) (float64, error) {
	switch string(b) {
	case "null":
		return math.NaN(), nil
	case "true":
		return 1, nil
	case "false":
		return 0, nil
	}
	return strconv.ParseFloat(string(b), 64)
}

func (t *tensor) jsonStrings() ([]string, []bool, error) {
	var values []*string
	if err := json.Unmarshal(t.Data, &values); err != nil {
		var nested [][]*string
		if json.Unmarshal(t.Data, &nested) != nil {
			return nil, nil, fairlead.Errorf(fairlead.Invalid, "input %q is not an array of strings", t.Name)
		}
		for _, row := range nested {
			values = append(values, row...)
		}
	}
	out, valid := make([]string, len(values)), make([]bool, len(values))
	for i, v := range values {
		if v != nil {
			out[i], valid[i] = *v, true
		}
	}
	return out, valid, nil
}

// binaryNumbers reads little-endian values, as the extension sends them.
func (t *tensor) binaryNumbers(dt datatype) ([]float64, error) {
	if len(t.raw)%dt.size != 0 {
		return nil, fairlead.Errorf(fairlead.Invalid, "input %q has %d bytes, not whole %ss", t.Name, len(t.raw), t.Datatype)
	}
	values := make([]float64, len(t.raw)/dt.size)
	for i := range values {
		values[i] = dt.read(t.raw[i*dt.size:])
	}
	return values, nil
}

// binaryStrings reads BYTES: each value behind its length, 4 bytes little-endian.
func (t *tensor) binaryStrings() ([]string, error) {
	var values []string
	for rest := t.raw; len(rest) > 0; {
		if len(rest) < 4 || uint64(len(rest)-4) < uint64(binary.LittleEndian.Uint32(rest)) {
			return nil, fairlead.Errorf(fairlead.Invalid, "input %q: value %d is cut off", t.Name, len(values))
		}
		n := int(binary.LittleEndian.Uint32(rest))
		values, rest = append(values, string(rest[4:4+n])), rest[4+n:]
	}
	return values, nil
}
