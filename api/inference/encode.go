package inference

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/serving"
)

// checkOutputs refuses a request for outputs that the model has not.
func (q *request) checkOutputs(has []engine.Field) error {
	if len(has) == 0 {
		return nil
	}
	for _, o := range q.Outputs {
		found := false
		for _, f := range has {
			found = found || f.Name == o.Name
		}
		if !found {
			names := make([]string, len(has))
			for i, f := range has {
				names[i] = f.Name
			}
			return fairlead.Errorf(fairlead.Invalid, "the model has no output %q; it has %q", o.Name, names)
		}
	}
	return nil
}

// encode writes the answer, in binary for the outputs that the request wants so.
func encode(w http.ResponseWriter, q *request, model string, res *serving.Response) {
	b := make([]byte, 0, 512)
	b = appendString(append(b, `{"model_name":`...), model)
	b = strconv.AppendInt(append(b, `,"model_version":"`...), res.Version, 10)
	b = appendString(append(b, `","id":`...), res.ID)
	b = append(b, `,"outputs":[`...)
	var tail []byte
	isBinary, first := false, true
	for i := range res.Outputs.Columns {
		c := &res.Outputs.Columns[i]
		binary, wanted := q.wants(c.Name)
		if !wanted {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = appendString(append(b, `{"name":`...), c.Name)
		b = append(append(b, `,"datatype":"`...), datatypeOf(c.Kind)...)
		b = strconv.AppendInt(append(b, `","shape":[`...), int64(res.Outputs.Rows), 10)
		if binary {
			before := len(tail)
			tail, isBinary = appendBinary(tail, c), true
			b = strconv.AppendInt(append(b, `],"parameters":{"binary_data_size":`...), int64(len(tail)-before), 10)
			b = append(b, `}}`...)
		} else {
			b = append(appendData(append(b, `],"data":[`...), c), `]}`...)
		}
	}
	b = append(b, `]}`...)
	h := w.Header()
	if h.Set("Content-Type", "application/json"); isBinary {
		h.Set("Content-Type", "application/octet-stream")
		h.Set(headerLength, strconv.Itoa(len(b)))
		b = append(b, tail...)
	}
	h.Set("Content-Length", strconv.Itoa(len(b)))
	w.Write(b)
}

// wants reports whether the request asks for the output, and in which form.
func (q *request) wants(name string) (binary, wanted bool) {
	all := q.Parameters.BinaryOutput
	if len(q.Outputs) == 0 {
		return all, true
	}
	for _, o := range q.Outputs {
		if o.Name == name {
			if b := o.Parameters.Binary; b != nil {
				return *b, true
			}
			return all, true
		}
	}
	return false, false
}

// appendData appends the column's values as JSON; what is missing, or no finite
// number, is null.
func appendData(b []byte, c *engine.Column) []byte {
	for i := range c.Len() {
		if i > 0 {
			b = append(b, ',')
		}
		switch v := c.Value(i).(type) {
		case float64:
			if math.IsInf(v, 0) {
				b = append(b, "null"...)
				continue
			}
			b = strconv.AppendFloat(b, v, 'g', -1, 64)
		case int64:
			b = strconv.AppendInt(b, v, 10)
		case bool:
			b = strconv.AppendBool(b, v)
		case string:
			b = appendString(b, v)
		default:
			b = append(b, "null"...)
		}
	}
	return b
}

func appendString(b []byte, s string) []byte {
	text, err := json.Marshal(s)
	if err != nil {
		panic("inference: a string is always JSON: " + err.Error())
	}
	return append(b, text...)
}

// appendBinary appends the column's values, little-endian; text behind its length.
func appendBinary(b []byte, c *engine.Column) []byte {
	if !c.Kind.Numeric() {
		for _, s := range c.Strings {
			b = append(le.AppendUint32(b, uint32(len(s))), s...)
		}
		return b
	}
	for i, v := range c.Floats {
		switch c.Kind {
		case engine.Boolean:
			b = append(b, byte(v))
		case engine.Integer:
			b = le.AppendUint32(b, uint32(int32(v)))
		case engine.Long:
			n := int64(v)
			if c.Ints != nil {
				n = c.Ints[i]
			}
			b = le.AppendUint64(b, uint64(n))
		case engine.Float:
			b = le.AppendUint32(b, math.Float32bits(float32(v)))
		default:
			b = le.AppendUint64(b, math.Float64bits(v))
		}
	}
	return b
}
