package inference

import (
	"encoding/binary"
	"math"

	"github.com/fairlead-ml/fairlead/engine"
)

// datatype is one of the protocol's tensor types: how a column of it is called
// in a signature, and how a value of it is read from and written to bytes.
type datatype struct {
	kind engine.Kind
	size int
	read func(b []byte) float64
}

var le = binary.LittleEndian

var datatypes = map[string]datatype{
	"BOOL":   {engine.Boolean, 1, func(b []byte) float64 { return float64(b[0]) }},
	"INT8":   {engine.Integer, 1, func(b []byte) float64 { return float64(int8(b[0])) }},
	"INT16":  {engine.Integer, 2, func(b []byte) float64 { return float64(int16(le.Uint16(b))) }},
	"INT32":  {engine.Integer, 4, func(b []byte) float64 { return float64(int32(le.Uint32(b))) }},
	"INT64":  {engine.Long, 8, func(b []byte) float64 { return float64(int64(le.Uint64(b))) }},
	"UINT8":  {engine.Integer, 1, func(b []byte) float64 { return float64(b[0]) }},
	"UINT16": {engine.Integer, 2, func(b []byte) float64 { return float64(le.Uint16(b)) }},
	"UINT32": {engine.Long, 4, func(b []byte) float64 { return float64(le.Uint32(b)) }},
	"FP32":   {engine.Float, 4, func(b []byte) float64 { return float64(math.Float32frombits(le.Uint32(b))) }},
	"FP64":   {engine.Double, 8, func(b []byte) float64 { return math.Float64frombits(le.Uint64(b)) }},
	"BYTES":  {engine.String, 0, nil},
}

const datatypeNames = "BOOL, INT8, INT16, INT32, INT64, UINT8, UINT16, UINT32, FP32, FP64, BYTES"

// datatypeOf returns the protocol's name for a column of a signature.
func datatypeOf(k engine.Kind) string {
	switch k {
	case engine.Boolean:
		return "BOOL"
	case engine.Integer:
		return "INT32"
	case engine.Long:
		return "INT64"
	case engine.Float:
		return "FP32"
	case engine.Double:
		return "FP64"
	}
	return "BYTES"
}
