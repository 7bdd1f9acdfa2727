package serving

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
)

// entry is what the log keeps of one request.
type entry struct {
	endpoint   *endpoint
	id         string
	atMS       int64
	explicit   bool // the caller gave the event time
	receivedMS int64
	served     int64
	size       size // of a buffered log
	rows       []entryRow
	scores     []score // that are there when it is stored
}

// finish completes the entry with what was answered.
func (e *entry) finish(q *scoring) {
	e.served, e.rows, e.scores = q.served, entryRows(e.id, q.frame), q.takeScores()
}

// entryRow is one row of a request.
type entryRow struct {
	id       string
	features string // JSON object
	answer   string // what was answered, for a durable log; see keepAnswer
	k        int64  // once it is stored; 0: another request had its id
}

// score is what one version said about a request that it was asked to score. A version
// that was not asked has none.
type score struct {
	version int64
	role    string
	outputs *engine.Frame
	err     error
	took    time.Duration // wall time; 0: it was not called
}

// rowID names the rows of a batch: a single row has the request's id itself.
func rowID(id string, row, rows int) string {
	if rows == 1 {
		return id
	}
	return id + "/" + strconv.Itoa(row)
}

// entryRows writes the rows of a request as the log keeps them.
func entryRows(id string, f *engine.Frame) []entryRow {
	out := make([]entryRow, f.Rows)
	order := make([]int, len(f.Columns))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(f.Columns[a].Name, f.Columns[b].Name) })
	var b []byte
	for row := range out {
		b = append(b[:0], '{')
		for n, i := range order {
			if n > 0 {
				b = append(b, ',')
			}
			b = append(appendText(b, f.Columns[i].Name), ':')
			b = appendValue(b, &f.Columns[i], row)
		}
		out[row] = entryRow{id: rowID(id, row, f.Rows), features: string(append(b, '}'))}
	}
	return out
}

// appendValue appends a value as JSON: integers exactly, also beyond 2^53; null for
// what is missing.
func appendValue(b []byte, c *engine.Column, row int) []byte {
	switch v := c.Value(row).(type) {
	case float64:
		if math.IsInf(v, 0) { // of an answer; requests have none
			return append(b, "null"...)
		}
		return strconv.AppendFloat(b, v, 'g', -1, 64)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case bool:
		return strconv.AppendBool(b, v)
	case string:
		return appendText(b, v)
	}
	return append(b, "null"...)
}

func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			text, err := json.Marshal(s)
			if err != nil {
				panic("serving: a string is always JSON: " + err.Error())
			}
			return append(b, text...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

// keepAnswer adds what was answered to each row: a JSON array of [name, kind, value].
func (e *entry) keepAnswer(out *engine.Frame) {
	var b []byte
	for row := range e.rows {
		b = append(b[:0], '[')
		for i := range out.Columns {
			c := &out.Columns[i]
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendText(append(b, '['), c.Name), ',')
			b = append(appendText(b, string(c.Kind)), ',')
			b = append(appendValue(b, c, row), ']')
		}
		e.rows[row].answer = string(append(b, ']'))
	}
}

// answered is what a request was answered before.
type answered struct {
	version int64
	rows    []string // the answers, in order
}

// frame is the inverse of keepAnswer.
func (a *answered) frame() (*engine.Frame, error) {
	f := &engine.Frame{Rows: len(a.rows)}
	for row, text := range a.rows {
		var cells [][3]any
		d := json.NewDecoder(bytes.NewReader([]byte(text)))
		d.UseNumber()
		if err := d.Decode(&cells); err != nil {
			return nil, fmt.Errorf("stored answer: %w", err)
		}
		for i, cell := range cells {
			if row == 0 {
				name, _ := cell[0].(string)
				kind, _ := cell[1].(string)
				f.Columns = append(f.Columns, engine.Column{Name: name, Kind: engine.Kind(kind)})
			}
			if i < len(f.Columns) {
				appendCell(&f.Columns[i], cell[2])
			}
		}
	}
	return f, nil
}

func appendCell(c *engine.Column, v any) {
	valid := true
	switch v := v.(type) {
	case json.Number:
		f, _ := v.Float64()
		c.Floats = append(c.Floats, f)
		if c.Kind == engine.Long {
			n, _ := v.Int64()
			c.Ints = append(c.Ints, n)
		}
	case bool:
		f := 0.0
		if v {
			f = 1
		}
		c.Floats = append(c.Floats, f)
	case string:
		c.Strings = append(c.Strings, v)
	default:
		valid = false
		if !c.Kind.Numeric() {
			c.Strings = append(c.Strings, "")
			break
		}
		c.Floats = append(c.Floats, math.NaN())
		if c.Kind == engine.Long {
			c.Ints = append(c.Ints, 0)
		}
	}
	if !valid || c.Valid != nil {
		for len(c.Valid) < c.Len()-1 {
			c.Valid = append(c.Valid, true)
		}
		c.Valid = append(c.Valid, valid)
	}
}

// firstNumber returns row's value in the first numeric column; ok is false when
// there is none, or it is no finite number.
func firstNumber(f *engine.Frame, row int) (v float64, ok bool) {
	for i := range f.Columns {
		if c := &f.Columns[i]; c.Kind.Numeric() {
			return c.Floats[row], !c.Missing(row) && !math.IsInf(c.Floats[row], 0)
		}
	}
	return 0, false
}

// checkFrame refuses what the log could not keep.
func checkFrame(f *engine.Frame) error {
	if f.Rows > MaxRows {
		return fairlead.Errorf(fairlead.Invalid, "the request has %d rows; send at most %d at once", f.Rows, MaxRows)
	}
	for i := range f.Columns {
		c := &f.Columns[i]
		if c.Len() != f.Rows {
			return fairlead.Errorf(fairlead.Invalid, "input %q has %d rows, and the request has %d",
				c.Name, c.Len(), f.Rows)
		}
		for row, v := range c.Floats {
			if math.IsInf(v, 0) {
				return fairlead.Errorf(fairlead.Invalid,
					"input %q is infinite in row %d; send a finite number, or null where it is missing", c.Name, row)
			}
		}
	}
	return nil
}
