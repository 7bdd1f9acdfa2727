package worker

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"

	"github.com/fairlead-ml/fairlead/engine"
)

// message frames a header and a body as the worker does.
func message(header string, body ...float64) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(header)))
	b = binary.LittleEndian.AppendUint32(b, uint32(8*len(body)))
	b = append(b, header...)
	for _, v := range body {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	return b
}

func TestReadResponse_DecodesColumns(t *testing.T) {
	resp, err := readResponse(bytes.NewReader(message(`{"rows":2,"columns":[`+
		`{"name":"","kind":"double","data":"f8"},{"name":"at","kind":"string","data":["a",null]}]}`, 1, 2)))
	if err != nil {
		t.Fatal(err)
	}
	f, err := resp.frame(engine.Signature{}, 2)
	if err != nil {
		t.Fatal(err)
	}
	if f.Columns[0].Name != "prediction_0" || f.Columns[0].Floats[1] != 2 || !f.Columns[1].Missing(1) {
		t.Errorf("frame %+v", f)
	}
}

func FuzzReadResponse(f *testing.F) {
	f.Add(message(`{"rows":1,"columns":[{"name":"a","kind":"double","data":"f8"}]}`, 1))
	f.Add(message(`{"rows":1,"columns":[{"name":"a","kind":"long","data":"i8"}]}`, 1))
	f.Add(message(`{"rows":1,"columns":[{"name":"a","kind":"string","data":[null]}]}`))
	f.Add(message(`{"error":{"code":"invalid","message":"no"}}`))
	f.Add([]byte{255, 255, 255, 15, 0, 0, 0, 64})
	f.Fuzz(func(t *testing.T, b []byte) {
		resp, err := readResponse(bytes.NewReader(b))
		if err != nil || resp.Rows > 1000 {
			return
		}
		frame, err := resp.frame(engine.Signature{}, resp.Rows)
		if err != nil {
			return
		}
		for i := range frame.Columns {
			if n := frame.Columns[i].Len(); n != resp.Rows {
				t.Errorf("column %d has %d values for %d rows", i, n, resp.Rows)
			}
		}
	})
}
