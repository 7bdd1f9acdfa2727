package inference

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"

	"github.com/fairlead-ml/fairlead/engine"
	"github.com/fairlead-ml/fairlead/serving"
)

// response is the protocol's inference response.
type response struct {
	ModelName    string         `json:"model_name"`
	ModelVersion string         `json:"model_version"`
	ID           string         `json:"id"`
	Outputs      []outputTensor `json:"outputs"`
}

type outputTensor struct {
	Name       string         `json:"name"`
	Datatype   string         `json:"datatype"`
	Shape      []int          `json:"shape"`
	Parameters map[string]any `json:"parameters,omitempty"`
	Data       []any          `json:"data,omitempty"`
}

// encode writes the answer, in binary for the outputs that the request wants so.
func encode(w http.ResponseWriter, q *request, model string, res *serving.Response) error {
	out := response{ModelName: model, ModelVersion: strconv.FormatInt(res.Version, 10), ID: res.ID}
	var tail []byte
	for i := range res.Outputs.Columns {
		c := &res.Outputs.Columns[i]
		binary, wanted := q.wants(c.Name)
		if !wanted {
			continue
		}
		t := outputTensor{Name: c.Name, Datatype: datatypeOf(c.Kind), Shape: []int{res.Outputs.Rows}}
		if binary && c.Kind.Numeric() {
			before := len(tail)
			tail = appendBinary(tail, c)
			t.Parameters = map[string]any{"binary_data_size": len(tail) - before}
		} else {
			t.Data = values(c)
		}
		out.Outputs = append(out.Outputs, t)
	}
	if tail == nil {
		return writeJSON(w, http.StatusOK, out)
	}
	header, err := json.Marshal(out)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set(headerLength, strconv.Itoa(len(header)))
	w.Write(append(header, tail...))
	return nil
}

// wants reports whether the request asks for the output, and in which form.
func (q *request) wants(name string) (binary, wanted bool) {
	all, _ := q.Parameters["binary_data_output"].(bool)
	if len(q.Outputs) == 0 {
		return all, true
	}
	for _, o := range q.Outputs {
		if o.Name == name {
			if b, ok := o.Parameters["binary_data"].(bool); ok {
				return b, true
			}
			return all, true
		}
	}
	return false, false
}

func values(c *engine.Column) []any {
	out := make([]any, c.Len())
	for i := range out {
		out[i] = c.Value(i)
	}
	return out
}

// appendBinary appends the column's values, little-endian.
func appendBinary(b []byte, c *engine.Column) []byte {
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
