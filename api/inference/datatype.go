package inference

import (
	"encoding/binary"
	"math"

	"github.com/fairlead-ml/fairlead/engine"
)

// datatype is one of the protocol's tensor types: how a column of it is called in a
// signature, how wide a value is in the binary extension, and how it is read there.
// Integral types have the bounds that their values keep; read gives floating ones.
type datatype struct {
	kind engine.Kind
	size int // bytes
	whole
	read func(b []byte) float64
}

// whole is how an integral type is read, and its bounds as JSON writes it.
type whole struct {
	read     func(b []byte) (n int64, ok bool)
	min, max int64
}

var le = binary.LittleEndian

func fits(n int64) (int64, bool) { return n, true }

var datatypes = map[string]datatype{
	"BOOL": {engine.Boolean, 1, whole{func(b []byte) (int64, bool) { return int64(b[0]), b[0] <= 1 }, 0, 1}, nil},
	"INT8": {engine.Integer, 1, whole{func(b []byte) (int64, bool) { return fits(int64(int8(b[0]))) },
		math.MinInt8, math.MaxInt8}, nil},
	"INT16": {engine.Integer, 2, whole{func(b []byte) (int64, bool) { return fits(int64(int16(le.Uint16(b)))) },
		math.MinInt16, math.MaxInt16}, nil},
	"INT32": {engine.Integer, 4, whole{func(b []byte) (int64, bool) { return fits(int64(int32(le.Uint32(b)))) },
		math.MinInt32, math.MaxInt32}, nil},
	"INT64": {engine.Long, 8, whole{func(b []byte) (int64, bool) { return fits(int64(le.Uint64(b))) },
		math.MinInt64, math.MaxInt64}, nil},
	"UINT8": {engine.Integer, 1, whole{func(b []byte) (int64, bool) { return fits(int64(b[0])) }, 0, math.MaxUint8}, nil},
	"UINT16": {engine.Integer, 2, whole{func(b []byte) (int64, bool) { return fits(int64(le.Uint16(b))) },
		0, math.MaxUint16}, nil},
	"UINT32": {engine.Long, 4, whole{func(b []byte) (int64, bool) { return fits(int64(le.Uint32(b))) },
		0, math.MaxUint32}, nil},
	"UINT64": {engine.Long, 8, whole{func(b []byte) (int64, bool) { n := le.Uint64(b); return int64(n), n <= math.MaxInt64 },
		0, math.MaxInt64}, nil},
	"FP16":  {engine.Float, 2, whole{}, func(b []byte) float64 { return half(le.Uint16(b)) }},
	"FP32":  {engine.Float, 4, whole{}, func(b []byte) float64 { return float64(math.Float32frombits(le.Uint32(b))) }},
	"FP64":  {engine.Double, 8, whole{}, func(b []byte) float64 { return math.Float64frombits(le.Uint64(b)) }},
	"BYTES": {kind: engine.String},
}

const datatypeNames = "BOOL, INT8, INT16, INT32, INT64, UINT8, UINT16, UINT32, UINT64, FP16, FP32, FP64, BYTES"

// half is the value of an IEEE 754 binary16.
func half(bits uint16) float64 {
	sign, exponent, fraction := 1.0, int(bits>>10&0x1f), float64(bits&0x3ff)
	if bits>>15 == 1 {
		sign = -1
	}
	switch exponent {
	case 0:
		return sign * math.Ldexp(fraction, -24)
	case 0x1f:
		if fraction != 0 {
			return math.NaN()
		}
		return math.Inf(int(sign))
	}
	return sign * math.Ldexp(1+fraction/1024, exponent-15)
}

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
