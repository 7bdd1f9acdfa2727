package engine

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead-ml/fairlead"
)

// Kind is a column's type, by MLflow's name for it.
type Kind string

// The column types of MLflow's signatures that Fairlead serves.
const (
	Double   Kind = "double"   // float64
	Float    Kind = "float"    // float32
	Long     Kind = "long"     // int64
	Integer  Kind = "integer"  // int32
	Boolean  Kind = "boolean"  // 0 or 1
	String   Kind = "string"   // UTF-8 text
	Datetime Kind = "datetime" // text in RFC 3339, or its date, or with a space for the T
)

// Numeric reports whether a column of this kind keeps its values in Floats.
func (k Kind) Numeric() bool {
	return k == Double || k == Float || k == Long || k == Integer || k == Boolean
}

func (k Kind) known() bool { return k.Numeric() || k == String || k == Datetime }

// Field is one column of a signature. A field that is not required may be
// missing: a null value, or a column that is left out altogether.
type Field struct {
	Name     string `json:"name"`
	Kind     Kind   `json:"kind"`
	Required bool   `json:"required"`
}

// Signature is what a model takes and gives, column by column.
//
// Tensor is set when the model was logged with one tensor [rows, n] instead of
// named columns: it is the tensor's name, and Inputs are its n columns in order,
// so that an edge may take them as one two-dimensional input.
type Signature struct {
	Inputs  []Field `json:"inputs"`
	Outputs []Field `json:"outputs"`
	Tensor  string  `json:"tensor,omitempty"`
}

// Validate reports, as Invalid, the first way in which f breaks the signature: a
// required column that is absent, a value of the wrong type, a null where a value
// is required, or a shape that does not fit. Columns that the signature does not
// name are ignored (Extra lists them). A whole number is a valid long, integer or
// (0 and 1) boolean whatever numeric type carries it, since JSON has only one.
func (s Signature) Validate(f *Frame) error {
	_, err := s.Arrange(f)
	return err
}

// Extra lists the columns of f that the signature does not name, in f's order.
func (s Signature) Extra(f *Frame) []string {
	var names []string
	for i := range f.Columns {
		if !hasField(s.Inputs, f.Columns[i].Name) {
			names = append(names, f.Columns[i].Name)
		}
	}
	return names
}

// Arrange validates f and returns its columns in the order and kinds of the
// signature's inputs, without the extra ones. Optional columns that f leaves out
// are all missing. The values are shared with f, not copied.
func (s Signature) Arrange(f *Frame) (*Frame, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	out := &Frame{Rows: f.Rows, Columns: make([]Column, len(s.Inputs))}
	for i, field := range s.Inputs {
		c := f.at(i, field.Name)
		if c == nil {
			if field.Required {
				return nil, s.absent(field, f)
			}
			out.Columns[i] = missingColumn(field, f.Rows)
			continue
		}
		if err := field.accepts(c); err != nil {
			return nil, err
		}
		out.Columns[i] = *c
		out.Columns[i].Kind = field.Kind
	}
	return out, nil
}

func (s Signature) absent(field Field, f *Frame) error {
	instead := ""
	if extra := s.Extra(f); len(extra) > 0 {
		instead = "; the request has " + quoteList(extra) + ", which the model does not know"
	}
	return fairlead.Errorf(fairlead.Invalid, "the required input %q (%s) is missing%s",
		field.Name, field.Kind, instead).With("column", field.Name)
}

// accepts checks type and nulls of one column against the field.
func (fd Field) accepts(c *Column) error {
	real := fd.Kind == Double || fd.Kind == Float
	if fd.Kind.Numeric() != c.Kind.Numeric() || real && c.Kind == Boolean {
		return fd.wrongType(c)
	}
	if fd.Required {
		if row := c.firstMissing(); row >= 0 {
			return fairlead.Errorf(fairlead.Invalid,
				"input %q is null in row %d, and the model requires it", fd.Name, row).
				With("column", fd.Name).With("row", row)
		}
	}
	return fd.checkValues(c)
}

func (fd Field) wrongType(c *Column) error {
	return fairlead.Errorf(fairlead.Invalid, "input %q must be %s, not %s", fd.Name, fd.Kind, c.Kind).
		With("column", fd.Name)
}

// checkValues checks what the declared type alone does not: whole numbers in
// range for the integral kinds, and readable times.
func (fd Field) checkValues(c *Column) error {
	if fd.Kind == Double || fd.Kind == Float || fd.Kind == String {
		return nil
	}
	for row := range c.Len() {
		if c.Missing(row) {
			continue
		}
		if !fd.holds(c, row) {
			return fairlead.Errorf(fairlead.Invalid, "input %q must be %s, and row %d has %v",
				fd.Name, fd.Kind, row, c.Value(row)).With("column", fd.Name).With("row", row)
		}
	}
	return nil
}

func (fd Field) holds(c *Column, row int) bool {
	switch fd.Kind {
	case Long:
		return c.Ints != nil || wholeBetween(c.Floats[row], -1<<63, 1<<63-1)
	case Integer:
		return wholeBetween(c.Floats[row], math.MinInt32, math.MaxInt32)
	case Boolean:
		return c.Floats[row] == 0 || c.Floats[row] == 1
	case Datetime:
		return validTime(c.Strings[row])
	}
	return true
}

func wholeBetween(v, lo, hi float64) bool { return v == math.Trunc(v) && v >= lo && v <= hi }

var timeLayouts = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999",
	"2006-01-02 15:04:05.999999999", time.DateOnly}

func validTime(s string) bool {
	for _, layout := range timeLayouts {
		if _, err := time.Parse(layout, s); err == nil {
			return true
		}
	}
	return false
}

func hasField(fields []Field, name string) bool {
	for i := range fields {
		if fields[i].Name == name {
			return true
		}
	}
	return false
}

func quoteList(names []string) string {
	const shown = 5
	rest := ""
	if len(names) > shown {
		names, rest = names[:shown], " and more"
	}
	return `"` + strings.Join(names, `", "`) + `"` + rest
}

// OutputName returns the name of the i-th of n output columns that the model
// itself does not name: the signature's, or prediction, or prediction_i.
func (s Signature) OutputName(i, n int) string {
	switch {
	case len(s.Outputs) == n:
		return s.Outputs[i].Name
	case n == 1:
		return "prediction"
	}
	return "prediction_" + strconv.Itoa(i)
}
