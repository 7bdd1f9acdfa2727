package engine

import (
	"encoding/json"
	"fmt"

	"github.com/fairlead-ml/fairlead"
)

// maxTensorWidth bounds the columns that one tensor of a signature becomes.
const maxTensorWidth = 10_000

// mlflowColumn is one element of the JSON lists that MLflow keeps, as text, under
// `signature.inputs` and `signature.outputs` of an MLmodel file.
type mlflowColumn struct {
	Type     string          `json:"type"`
	Name     string          `json:"name"`
	Required *bool           `json:"required"`
	Optional bool            `json:"optional"` // before MLflow 2.9
	Tensor   json.RawMessage `json:"tensor-spec"`
}

type mlflowTensor struct {
	DType string  `json:"dtype"`
	Shape []int64 `json:"shape"`
}

// ParseSignature reads MLflow's own form of a signature: the JSON texts of
// `signature.inputs` and `signature.outputs` in an MLmodel file (an empty text is
// an empty list). Columns are taken as they are; one input tensor [-1, n] becomes
// n double columns x0…, named tensors [-1] become columns; an unnamed output is
// called prediction, and one of [-1, k] prediction_0…. What cannot be served
// (nested types, tensors of higher rank) is Unimplemented.
func ParseSignature(inputs, outputs string) (Signature, error) {
	in, tensor, err := parseFields(inputs, "x", "input")
	if err != nil {
		return Signature{}, fmt.Errorf("signature inputs: %w", err)
	}
	out, _, err := parseFields(outputs, "prediction_", "prediction")
	if err != nil {
		return Signature{}, fmt.Errorf("signature outputs: %w", err)
	}
	s := Signature{Inputs: in, Outputs: out, Tensor: tensor}
	return s, s.check()
}

// parseFields returns the fields of one side, and the tensor's name when the side
// is one two-dimensional tensor. A tensor without a name is called unnamed, and
// its columns prefix0, prefix1 ….
func parseFields(text, prefix, unnamed string) ([]Field, string, error) {
	if text == "" || text == "null" {
		return nil, "", nil
	}
	var columns []mlflowColumn
	if err := json.Unmarshal([]byte(text), &columns); err != nil {
		return nil, "", fairlead.Errorf(fairlead.Invalid, "not MLflow's JSON list of columns: %w", err)
	}
	var fields []Field
	tensor := ""
	for i, c := range columns {
		part := prefix
		if c.Name != "" {
			part = c.Name + "_"
		} else if c.Name = unnamed; len(columns) > 1 {
			c.Name = fmt.Sprintf("%s_%d", unnamed, i)
		}
		if c.Type != "tensor" {
			if !Kind(c.Type).known() {
				return nil, "", unsupported(c.Name, c.Type)
			}
			fields = append(fields, Field{Name: c.Name, Kind: Kind(c.Type), Required: c.required()})
			continue
		}
		expanded, wide, err := c.expand(part)
		if err != nil {
			return nil, "", err
		}
		if wide && len(columns) == 1 {
			tensor = c.Name
		}
		fields = append(fields, expanded...)
	}
	return fields, tensor, nil
}

func (c mlflowColumn) required() bool {
	if c.Required != nil {
		return *c.Required
	}
	return !c.Optional
}

// expand turns a tensor into columns; wide is true for one of shape [-1, n].
func (c mlflowColumn) expand(prefix string) (fields []Field, wide bool, err error) {
	var t mlflowTensor
	if err := json.Unmarshal(c.Tensor, &t); err != nil {
		return nil, false, fairlead.Errorf(fairlead.Invalid,
			"tensor %q has no readable tensor-spec", c.Name)
	}
	kind, ok := tensorKinds[t.DType]
	if !ok {
		return nil, false, unsupported(c.Name, "tensor of "+t.DType)
	}
	// A float may be NaN in a tensor, and only a float.
	required := kind != Double && kind != Float
	switch {
	case len(t.Shape) == 1:
		return []Field{{Name: c.Name, Kind: kind, Required: required}}, false, nil
	case len(t.Shape) == 2 && t.Shape[1] >= 1 && t.Shape[1] <= maxTensorWidth:
		for i := range t.Shape[1] {
			name := fmt.Sprintf("%s%d", prefix, i)
			fields = append(fields, Field{Name: name, Kind: kind, Required: required})
		}
		return fields, true, nil
	}
	return nil, false, unsupported(c.Name, fmt.Sprintf("tensor of shape %v", t.Shape))
}

var tensorKinds = map[string]Kind{
	"float64": Double, "float32": Float, "float16": Float,
	"int64": Long, "uint32": Long, "uint64": Long,
	"int32": Integer, "int16": Integer, "int8": Integer, "uint16": Integer, "uint8": Integer,
	"bool": Boolean, "str": String, "object": String,
}

func unsupported(name, what string) error {
	return fairlead.Errorf(fairlead.Unimplemented,
		"column %q is a %s, which cannot be served; log the model with named columns of simple types",
		name, what)
}

// check refuses names that are empty or used twice, and unknown kinds.
func (s Signature) check() error {
	for _, side := range [][]Field{s.Inputs, s.Outputs} {
		seen := make(map[string]bool, len(side))
		for _, f := range side {
			if f.Name == "" || seen[f.Name] {
				return fairlead.Errorf(fairlead.Invalid,
					"the signature names the column %q twice or not at all", f.Name)
			}
			if !f.Kind.known() {
				return unsupported(f.Name, string(f.Kind))
			}
			seen[f.Name] = true
		}
	}
	return nil
}
