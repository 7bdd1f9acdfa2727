package inference

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"strconv"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
)

// exact is the largest whole number up to which a float64 keeps all.
const exact = 1 << 53

// appendWhole adds a whole number, and keeps the exact ones beside the floats from
// the first on that a float64 cannot hold.
func appendWhole(c *engine.Column, n int64) {
	if c.Ints == nil && (n > exact || n < -exact) {
		c.Ints = make([]int64, len(c.Floats), cap(c.Floats))
		for i, v := range c.Floats {
			if !math.IsNaN(v) {
				c.Ints[i] = int64(v)
			}
		}
	}
	c.Floats = append(c.Floats, float64(n))
	if c.Ints != nil {
		c.Ints = append(c.Ints, n)
	}
}

func appendMissing(c *engine.Column) {
	c.Floats = append(c.Floats, math.NaN())
	if c.Ints != nil {
		c.Ints = append(c.Ints, 0)
	}
}

// jsonNumbers reads a flat or nested array of numbers, booleans and nulls. The JSON
// is known to be valid.
func (t *tensor) jsonNumbers(c *engine.Column, dt datatype, n int) error {
	if len(t.Data) == 0 || t.Data[0] != '[' {
		return fairlead.Errorf(fairlead.Invalid, "input %q has no array of data", t.Name)
	}
	c.Floats = make([]float64, 0, min(n, len(t.Data)))
	for rest := []byte(t.Data); len(rest) > 0; {
		switch rest[0] {
		case '[', ']', ',', ' ', '\n', '\t', '\r':
			rest = rest[1:]
			continue
		}
		if len(c.Floats) == n {
			return t.notOf(n, "more")
		}
		end := bytes.IndexAny(rest, ",] \n\t\r")
		if end < 0 {
			end = len(rest)
		}
		if !appendNumber(c, dt, rest[:end]) {
			return fairlead.Errorf(fairlead.Invalid, "input %q, value %d: %.40q is not a %s",
				t.Name, len(c.Floats), rest[:end], t.Datatype)
		}
		rest = rest[end:]
	}
	return nil
}

// appendNumber reads one JSON value of the type. A whole number may be written with
// a fraction of zeros.
func appendNumber(c *engine.Column, dt datatype, b []byte) bool {
	text := string(b)
	switch {
	case text == "null":
		appendMissing(c)
		return true
	case dt.kind == engine.Boolean && (text == "true" || text == "false"):
		appendWhole(c, int64(len("false")-len(text)))
		return true
	case dt.whole.read == nil:
		v, err := strconv.ParseFloat(text, 64)
		c.Floats = append(c.Floats, v)
		return err == nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || v != math.Trunc(v) || math.Abs(v) > exact {
			return false
		}
		n = int64(v)
	}
	appendWhole(c, n)
	return n >= dt.min && n <= dt.max
}

// jsonStrings reads a flat or nested array of strings and nulls.
func (t *tensor) jsonStrings(n int) (out []string, valid []bool, err error) {
	if len(t.Data) == 0 || t.Data[0] != '[' {
		return nil, nil, fairlead.Errorf(fairlead.Invalid, "input %q has no array of data", t.Name)
	}
	out, valid = make([]string, 0, min(n, len(t.Data))), make([]bool, 0, min(n, len(t.Data)))
	for d := json.NewDecoder(bytes.NewReader(t.Data)); ; {
		token, err := d.Token()
		if err == io.EOF {
			return out, valid, nil
		}
		text, ok := token.(string)
		switch {
		case token == json.Delim('[') || token == json.Delim(']'):
			continue
		case err != nil || !ok && token != nil:
			return nil, nil, fairlead.Errorf(fairlead.Invalid,
				"input %q, value %d is not a string", t.Name, len(out))
		case len(out) == n:
			return nil, nil, t.notOf(n, "more")
		}
		out, valid = append(out, text), append(valid, ok)
	}
}

// binaryNumbers reads little-endian values, as the extension sends them.
func (t *tensor) binaryNumbers(c *engine.Column, dt datatype, n int) error {
	if len(t.raw) != n*dt.size {
		return fairlead.Errorf(fairlead.Invalid,
			"input %q has %d bytes, and its shape %v of %s says %d",
			t.Name, len(t.raw), t.Shape, t.Datatype, n*dt.size)
	}
	c.Floats = make([]float64, 0, n)
	for rest := t.raw; len(rest) > 0; rest = rest[dt.size:] {
		if dt.whole.read == nil {
			c.Floats = append(c.Floats, dt.read(rest))
			continue
		}
		n, ok := dt.whole.read(rest)
		if !ok {
			return fairlead.Errorf(fairlead.Invalid, "input %q, value %d is out of range for a %s",
				t.Name, len(c.Floats), t.Datatype)
		}
		appendWhole(c, n)
	}
	return nil
}

// binaryStrings reads BYTES: each value behind its length, 4 bytes little-endian.
func (t *tensor) binaryStrings(n int) ([]string, error) {
	values := []string{}
	for rest := t.raw; len(rest) > 0; {
		if len(values) == n {
			return nil, t.notOf(n, "more")
		}
		if len(rest) < 4 || uint64(len(rest)-4) < uint64(le.Uint32(rest)) {
			return nil, fairlead.Errorf(fairlead.Invalid, "input %q: value %d is cut off", t.Name, len(values))
		}
		size := int(le.Uint32(rest))
		values, rest = append(values, string(rest[4:4+size])), rest[4+size:]
	}
	return values, nil
}
