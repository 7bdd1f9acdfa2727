package mlflow

import (
	"strconv"
	"unicode/utf8"

	"github.com/fairlead-ml/fairlead/tracking"
)

// cursor reads the two requests that come by the thousand, log-metric and log-batch,
// in one pass and without reflection (RFC 8259). It knows what clients ordinarily send
// and gives up at anything else: an escape in a text, a value of another type, a
// nested object. Such a request goes through args, which is slower and says what is
// wrong; what both accept means the same. The texts that it returns share the body.
type cursor struct {
	s    string
	i    int
	lost bool // gave up: whatever else it returns means nothing
}

// next skips white space and returns the byte after it, 0 at the end.
func (c *cursor) next() byte {
	for ; c.i < len(c.s); c.i++ {
		switch b := c.s[c.i]; b {
		case ' ', '\t', '\n', '\r':
		default:
			return b
		}
	}
	return 0
}

// take consumes b if it is next.
func (c *cursor) take(b byte) bool {
	if c.next() != b || c.lost {
		return false
	}
	c.i++
	return true
}

func (c *cursor) expect(b byte) {
	if !c.take(b) {
		c.lost = true
	}
}

// end reports whether all was read, and understood.
func (c *cursor) end() bool { return c.next() == 0 && c.i == len(c.s) && !c.lost }

// object calls field with each key; field reads the value.
func (c *cursor) object(field func(key string)) {
	c.expect('{')
	if c.take('}') {
		return
	}
	for !c.lost {
		key := c.text()
		c.expect(':')
		field(key)
		if c.take('}') {
			return
		}
		c.expect(',')
	}
}

// maxEntities is what a list of log-batch has at most.
const maxEntities = 1000

// list calls item for each element; item reads it.
func (c *cursor) list(item func()) {
	c.expect('[')
	if c.take(']') {
		return
	}
	for range maxEntities {
		item()
		if c.take(']') || c.lost {
			return
		}
		c.expect(',')
	}
	c.lost = true
}

// null consumes a null if it is next.
func (c *cursor) null() bool {
	if c.next() != 'n' || len(c.s)-c.i < 4 || c.s[c.i:c.i+4] != "null" {
		return false
	}
	c.i += 4
	return true
}

// text reads a text without escapes.
func (c *cursor) text() string {
	c.expect('"')
	start, ascii := c.i, true
	for ; c.i < len(c.s); c.i++ {
		switch b := c.s[c.i]; {
		case b == '"':
			v := c.s[start:c.i]
			c.i++
			if !ascii && !utf8.ValidString(v) {
				c.lost = true
			}
			return v
		case b == '\\' || b < ' ':
			c.lost = true
			return ""
		case b >= utf8.RuneSelf:
			ascii = false
		}
	}
	c.lost = true
	return ""
}

// optional reads a text or a null, which is the same as none.
func (c *cursor) optional() string {
	if c.null() {
		return ""
	}
	return c.text()
}

// number reads a number, also one given as text, and returns how it is written.
func (c *cursor) number() string {
	if c.next() == '"' {
		return c.text()
	}
	start := c.i
	c.skip('-')
	if !c.skip('0') {
		c.digits()
	}
	if c.skip('.') {
		c.digits()
	}
	if c.skip('e') || c.skip('E') {
		if !c.skip('+') {
			c.skip('-')
		}
		c.digits()
	}
	return c.s[start:c.i]
}

func (c *cursor) skip(b byte) bool {
	if c.i >= len(c.s) || c.s[c.i] != b {
		return false
	}
	c.i++
	return true
}

// digits reads at least one.
func (c *cursor) digits() {
	start := c.i
	for c.i < len(c.s) && c.s[c.i]-'0' <= 9 {
		c.i++
	}
	if c.i == start {
		c.lost = true
	}
}

func (c *cursor) float() float64 {
	v, err := parseFloat(c.number())
	if err != nil {
		c.lost = true
	}
	return v
}

func (c *cursor) int() int64 {
	v, err := strconv.ParseInt(c.number(), 10, 64)
	if err != nil {
		c.lost = true
	}
	return v
}

// ignored passes over a value that has no meaning here.
func (c *cursor) ignored() {
	if c.null() {
		return
	}
	c.number()
}

// field reads what a metric's object holds under key into m, and marks in seen
// which of the required are there.
func (c *cursor) field(m *tracking.Metric, seen *required, key string) {
	switch key {
	case "key":
		m.Key = c.text()
	case "value":
		m.Value = c.float()
		seen.value = true
	case "timestamp":
		m.TimestampMS = c.int()
		seen.timestamp = true
	case "step":
		m.Step = c.int()
	case "model_id":
		m.ModelID = c.optional()
	case "dataset_name":
		m.DatasetName = c.optional()
	case "dataset_digest":
		m.DatasetDigest = c.optional()
	default:
		c.ignored()
	}
}

// required are the numbers that every metric has.
type required struct{ value, timestamp bool }

func (c *cursor) complete(m tracking.Metric, seen required) {
	if m.Key == "" || !seen.value || !seen.timestamp {
		c.lost = true
	}
}

// metric reads the body of log-metric.
func (c *cursor) metric() (run string, m tracking.Metric, ok bool) {
	var seen required
	c.object(func(key string) {
		if key == "run_id" {
			run = c.text()
			return
		}
		c.field(&m, &seen, key)
	})
	c.complete(m, seen)
	return run, m, c.end() && run != ""
}

// batch reads the body of log-batch.
func (c *cursor) batch() (run string, b tracking.Batch, ok bool) {
	c.object(func(key string) {
		switch key {
		case "run_id":
			run = c.text()
		case "metrics":
			if b.Metrics = b.Metrics[:0]; b.Metrics == nil { // one is hardly shorter than 50 bytes
				b.Metrics = make([]tracking.Metric, 0, min(maxEntities, (len(c.s)-c.i)/50+1))
			}
			c.list(func() {
				var m tracking.Metric
				var seen required
				c.object(func(key string) { c.field(&m, &seen, key) })
				c.complete(m, seen)
				b.Metrics = append(b.Metrics, m)
			})
		case "params":
			b.Params = b.Params[:0]
			c.list(func() {
				k, v := c.pair()
				b.Params = append(b.Params, tracking.Param{Key: k, Value: v})
			})
		case "tags":
			b.Tags = b.Tags[:0]
			c.list(func() {
				k, v := c.pair()
				b.Tags = append(b.Tags, tracking.Tag{Key: k, Value: v})
			})
		default:
			c.ignored()
		}
	})
	return run, b, c.end() && run != ""
}

// pair reads an object of key and value.
func (c *cursor) pair() (k, v string) {
	c.object(func(key string) {
		switch key {
		case "key":
			k = c.text()
		case "value":
			v = c.optional()
		default:
			c.ignored()
		}
	})
	if k == "" {
		c.lost = true
	}
	return k, v
}
