package onnx

import (
	"fmt"
	"math"

	ort "github.com/yalue/onnxruntime_go"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
)

// numbers is an input tensor [rows, columns] that a batch can be written into.
type numbers interface {
	ort.Value
	fill(f *engine.Frame)
}

type tensorOf[T float32 | float64] struct{ *ort.Tensor[T] }

// fill writes the batch's columns row by row; missing values are NaN.
func (t tensorOf[T]) fill(f *engine.Frame) {
	dst, n := t.GetData(), len(f.Columns)
	for j := range f.Columns {
		c := &f.Columns[j]
		for i, v := range c.Floats {
			if c.Valid != nil && !c.Valid[i] {
				v = math.NaN()
			}
			dst[i*n+j] = T(v)
		}
	}
}

// newNumbers returns an empty tensor of the type that the model asks for.
func newNumbers(kind ort.TensorElementDataType, rows, columns int) (numbers, error) {
	switch kind {
	case ort.TensorElementDataTypeFloat:
		return newTensor[float32](rows, columns)
	case ort.TensorElementDataTypeDouble:
		return newTensor[float64](rows, columns)
	}
	return nil, fairlead.Errorf(fairlead.Unimplemented,
		"the ONNX model asks for %v, which is not served", kind)
}

func newTensor[T float32 | float64](rows, columns int) (numbers, error) {
	t, err := ort.NewEmptyTensor[T](ort.NewShape(int64(rows), int64(columns)))
	if err != nil {
		return nil, fmt.Errorf("ONNX input: %w", err)
	}
	return tensorOf[T]{t}, nil
}
