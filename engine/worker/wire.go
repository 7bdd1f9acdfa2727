package worker

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
)

// The protocol is described at the top of fairlead_worker.py.
const (
	prefixBytes = 8
	maxHeader   = 256 << 20
	maxBody     = 1 << 30

	float64s = `"f8"`
	int64s   = `"i8"`
	// exactFloat is the bound up to which a float64 holds every whole number.
	exactFloat = 1 << 53
)

// request is a message to the worker; its columns are in the signature's order.
type request struct {
	Rows    int               `json:"rows"`
	Columns []json.RawMessage `json:"columns"`
	body    []byte
}

// response is a message from the worker.
type response struct {
	Rows    int              `json:"rows,omitempty"`
	Columns []responseColumn `json:"columns,omitempty"`
	Ready   bool             `json:"ready,omitempty"`
	Error   *responseError   `json:"error,omitempty"`
	body    []byte
}

type responseColumn struct {
	Name string          `json:"name"`
	Kind engine.Kind     `json:"kind"`
	Data json.RawMessage `json:"data"`
}

type responseError struct {
	Code    fairlead.Code `json:"code"`
	Message string        `json:"message"`
}

// encodeRequest returns the message for a batch in the signature's order.
func encodeRequest(f *engine.Frame) ([]byte, error) {
	columns := make([]json.RawMessage, len(f.Columns))
	for i := range f.Columns {
		var err error
		if columns[i], err = describe(&f.Columns[i]); err != nil {
			return nil, err
		}
	}
	msg, err := encode(request{Rows: f.Rows, Columns: columns}, f)
	if errors.Is(err, errTooLarge) {
		return nil, fairlead.Errorf(fairlead.Invalid, "the request is too large; send fewer rows at once")
	}
	return msg, err
}

var errTooLarge = errors.New("the message is too large")

// encode returns the message of a header and of what f's numeric columns hold.
func encode(header any, f *engine.Frame) ([]byte, error) {
	text, err := json.Marshal(header)
	if err != nil {
		return nil, fmt.Errorf("encode message: %w", err)
	}
	size := 0
	for i := range f.Columns {
		if f.Columns[i].Kind.Numeric() {
			size += 8 * f.Rows
		}
	}
	if len(text) > maxHeader || size > maxBody {
		return nil, errTooLarge
	}
	msg := make([]byte, 0, prefixBytes+len(text)+size)
	msg = binary.LittleEndian.AppendUint32(msg, uint32(len(text)))
	msg = binary.LittleEndian.AppendUint32(msg, uint32(size))
	return appendBody(append(msg, text...), f), nil
}

// describe says how a column goes: in the body as f8 or i8, or as a list of texts.
func describe(c *engine.Column) (json.RawMessage, error) {
	switch {
	case !c.Kind.Numeric():
		return json.Marshal(values(c))
	case exactInts(c):
		return json.RawMessage(int64s), nil
	}
	return json.RawMessage(float64s), fits(c)
}

func appendBody(msg []byte, f *engine.Frame) []byte {
	for i := range f.Columns {
		c := &f.Columns[i]
		switch {
		case !c.Kind.Numeric():
		case exactInts(c):
			for _, v := range c.Ints {
				msg = binary.LittleEndian.AppendUint64(msg, uint64(v))
			}
		default:
			for row, v := range c.Floats {
				if c.Missing(row) {
					v = math.NaN()
				}
				msg = binary.LittleEndian.AppendUint64(msg, math.Float64bits(v))
			}
		}
	}
	return msg
}

// exactInts reports whether a column can go as int64, which has no missing value.
func exactInts(c *engine.Column) bool {
	if c.Kind != engine.Long || c.Ints == nil {
		return false
	}
	for row := range c.Ints {
		if c.Missing(row) {
			return false
		}
	}
	return true
}

// fits refuses whole numbers that would change on their way as float64.
func fits(c *engine.Column) error {
	for row, v := range c.Ints {
		if !c.Missing(row) && (v > exactFloat || v < -exactFloat) {
			return fairlead.Errorf(fairlead.Invalid, "input %q has missing values and %d, and Python "+
				"cannot hold both exactly", c.Name, v).With("column", c.Name)
		}
	}
	return nil
}

func values(c *engine.Column) []any {
	out := make([]any, c.Len())
	for row := range out {
		out[row] = c.Value(row)
	}
	return out
}

// roundTrip sends a message and returns the answer. After an error the connection
// is of no more use.
func (p *process) roundTrip(request []byte) (*response, error) {
	if _, err := p.conn.Write(request); err != nil {
		return nil, err
	}
	return p.receive()
}

func (p *process) receive() (*response, error) { return readResponse(p.conn) }

func readResponse(r io.Reader) (*response, error) {
	var resp response
	var err error
	resp.body, err = readMessage(r, &resp)
	return &resp, err
}

// readMessage reads a message's header into v, and returns its body.
func readMessage(r io.Reader, v any) ([]byte, error) {
	var prefix [prefixBytes]byte
	if _, err := io.ReadFull(r, prefix[:]); err != nil {
		return nil, err
	}
	header := binary.LittleEndian.Uint32(prefix[:4])
	body := binary.LittleEndian.Uint32(prefix[4:])
	if header > maxHeader || body > maxBody {
		return nil, fmt.Errorf("worker sent a message of %d + %d bytes", header, body)
	}
	// The buffer grows with what arrives, not with what was announced.
	var buf bytes.Buffer
	if _, err := io.CopyN(&buf, r, int64(header)+int64(body)); err != nil {
		return nil, err
	}
	text := buf.Next(int(header))
	if err := json.Unmarshal(text, v); err != nil {
		return nil, fmt.Errorf("worker's message: %w", err)
	}
	return buf.Bytes(), nil
}

// failure is the worker's own report that it could not predict.
func (r *response) failure() error {
	switch {
	case r.Error == nil:
		return nil
	case r.Error.Code == fairlead.Invalid, r.Error.Code == fairlead.Unavailable:
		return fairlead.Errorf(r.Error.Code, "%s", r.Error.Message)
	}
	return fairlead.Errorf(fairlead.Internal, "%s", r.Error.Message)
}

// frame decodes the columns of an answer to a number of rows.
func (r *response) frame(sig engine.Signature, rows int) (*engine.Frame, error) {
	if r.Rows != rows {
		return nil, fmt.Errorf("worker answered %d rows to %d", r.Rows, rows)
	}
	f := &engine.Frame{Rows: r.Rows, Columns: make([]engine.Column, len(r.Columns))}
	body := r.body
	for i, rc := range r.Columns {
		c := engine.Column{Name: rc.Name, Kind: rc.Kind}
		if c.Name == "" {
			c.Name = sig.OutputName(i, len(r.Columns))
		}
		var err error
		if body, err = fill(&c, rc.Data, body, r.Rows); err != nil {
			return nil, fmt.Errorf("worker's column %q: %w", c.Name, err)
		}
		f.Columns[i] = c
	}
	return f, nil
}

// fill fills a column from its description and the body, and returns the body's rest.
func fill(c *engine.Column, data json.RawMessage, body []byte, rows int) ([]byte, error) {
	text := string(data)
	numeric := text == float64s || text == int64s
	if c.Kind == "" || numeric != c.Kind.Numeric() {
		return nil, fmt.Errorf("has the kind %q and the data %.20s", c.Kind, text)
	}
	if !numeric {
		return body, decodeText(c, data, rows)
	}
	if rows < 0 || len(body) < 8*rows {
		return nil, io.ErrUnexpectedEOF
	}
	c.Floats = make([]float64, rows)
	if text == int64s {
		c.Ints = make([]int64, rows)
	}
	for row := range c.Floats {
		bits := binary.LittleEndian.Uint64(body[8*row:])
		if c.Ints == nil {
			c.Floats[row] = math.Float64frombits(bits)
			continue
		}
		c.Ints[row] = int64(bits)
		c.Floats[row] = float64(int64(bits))
	}
	return body[8*rows:], nil
}

func decodeText(c *engine.Column, data json.RawMessage, rows int) error {
	var texts []*string
	if err := json.Unmarshal(data, &texts); err != nil {
		return err
	}
	if len(texts) != rows {
		return io.ErrUnexpectedEOF
	}
	c.Strings = make([]string, len(texts))
	c.Valid = make([]bool, len(texts))
	for row, s := range texts {
		if s != nil {
			c.Strings[row], c.Valid[row] = *s, true
		}
	}
	return nil
}
