package engine

import (
	"math"

	"github.com/fairlead-ml/fairlead"
)

// Frame is a columnar batch: every column has Rows values.
type Frame struct {
	Columns []Column
	Rows    int
}

// Column is one named column of a batch.
//
// Floats holds the values of every numeric kind (booleans as 0 and 1); NaN is a
// missing value. Ints, when set, holds the same values of a long column exactly,
// since a float64 is exact only up to 2^53; a missing value is then NaN in Floats
// or false in Valid. Strings holds text and times. Valid marks the values that
// are present; nil means all (NaN apart).
type Column struct {
	Name    string
	Kind    Kind
	Floats  []float64
	Ints    []int64
	Strings []string
	Valid   []bool
}

// Floats64 returns a double column; NaN is a missing value.
func Floats64(name string, values ...float64) Column {
	return Column{Name: name, Kind: Double, Floats: values}
}

// Ints64 returns a long column that keeps its values exactly.
func Ints64(name string, values ...int64) Column {
	floats := make([]float64, len(values))
	for i, v := range values {
		floats[i] = float64(v)
	}
	return Column{Name: name, Kind: Long, Floats: floats, Ints: values}
}

// Strings returns a string column without missing values.
func Strings(name string, values ...string) Column {
	return Column{Name: name, Kind: String, Strings: values}
}

// NewFrame returns a frame of the columns, with the first one's length as Rows.
func NewFrame(columns ...Column) *Frame {
	f := &Frame{Columns: columns}
	if len(columns) > 0 {
		f.Rows = columns[0].Len()
	}
	return f
}

// Len returns the number of values.
func (c *Column) Len() int {
	if c.Kind.Numeric() {
		return len(c.Floats)
	}
	return len(c.Strings)
}

// Missing reports whether the value in the row is missing.
func (c *Column) Missing(row int) bool {
	if c.Valid != nil && !c.Valid[row] {
		return true
	}
	return c.Floats != nil && math.IsNaN(c.Floats[row])
}

// Value returns the row's value as float64, int64 (long and integer), bool or
// string; nil when it is missing.
func (c *Column) Value(row int) any {
	switch {
	case c.Missing(row):
		return nil
	case !c.Kind.Numeric():
		return c.Strings[row]
	case c.Ints != nil:
		return c.Ints[row]
	case c.Kind == Boolean:
		return c.Floats[row] != 0
	case c.Kind == Long || c.Kind == Integer:
		return int64(c.Floats[row])
	}
	return c.Floats[row]
}

// Column returns the column of that name, or nil.
func (f *Frame) Column(name string) *Column {
	for i := range f.Columns {
		if f.Columns[i].Name == name {
			return &f.Columns[i]
		}
	}
	return nil
}

// at returns the named column; i is where it stands in a frame that follows the
// signature's order, which is the common case.
func (f *Frame) at(i int, name string) *Column {
	if i < len(f.Columns) && f.Columns[i].Name == name {
		return &f.Columns[i]
	}
	return f.Column(name)
}

func (c *Column) firstMissing() int {
	if c.Valid == nil && c.Floats == nil {
		return -1
	}
	for row := range c.Len() {
		if c.Missing(row) {
			return row
		}
	}
	return -1
}

// check reports a frame whose parts do not fit each other.
func (f *Frame) check() error {
	if f.Rows <= 0 {
		return fairlead.Errorf(fairlead.Invalid, "the request has no rows")
	}
	seen := make(map[string]bool, len(f.Columns))
	for i := range f.Columns {
		if err := f.checkColumn(i); err != nil {
			return err
		}
		name := f.Columns[i].Name
		if seen[name] {
			return fairlead.Errorf(fairlead.Invalid, "input %q is given twice", name)
		}
		seen[name] = true
	}
	return nil
}

func (f *Frame) checkColumn(i int) error {
	c := &f.Columns[i]
	if !c.Kind.known() {
		return fairlead.Errorf(fairlead.Invalid, "input %q has the unknown type %q", c.Name, c.Kind)
	}
	if n := c.Len(); n != f.Rows {
		return fairlead.Errorf(fairlead.Invalid, "input %q has %d rows, and the request has %d",
			c.Name, n, f.Rows)
	}
	if c.Valid != nil && len(c.Valid) != f.Rows || c.Ints != nil && len(c.Ints) != f.Rows {
		return fairlead.Errorf(fairlead.Invalid, "input %q has parts of different lengths", c.Name)
	}
	return nil
}

func missingColumn(field Field, rows int) Column {
	c := Column{Name: field.Name, Kind: field.Kind, Valid: make([]bool, rows)}
	if !field.Kind.Numeric() {
		c.Strings = make([]string, rows)
		return c
	}
	c.Floats = make([]float64, rows)
	for i := range c.Floats {
		c.Floats[i] = math.NaN()
	}
	return c
}
