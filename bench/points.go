package main

import (
	"bytes"
	"fmt"
	"strconv"
)

// points is a text that logs points of a run, whose steps can be moved on in place:
// to make a new text each time would cost the server the processor.
type points struct {
	text []byte
	at0  []int // where the step of each row begins
	keys int
	n    int // how often next was called
}

// stepWidth is the number of digits of every step.
const stepWidth = 12

// newBatch is the body of a log-batch of rows points of so many keys.
func newBatch(run string, rows, keys int) *points {
	var b bytes.Buffer
	out := &points{keys: keys}
	fmt.Fprintf(&b, `{"run_id":%q,"metrics":[`, run)
	for i := range rows {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"key":"m%d","value":%d.25,"timestamp":%d,"step":`, i%keys, i,
			1_700_000_000_000+i)
		out.at0 = append(out.at0, b.Len())
		fmt.Fprintf(&b, "%0*d}", stepWidth, 0)
	}
	b.WriteString("]}")
	out.text = b.Bytes()
	out.at(0)
	return out
}

// newPoint is the body of a log-metric.
func newPoint(run string) *points {
	text := fmt.Appendf(nil, `{"run_id":%q,"key":"loss","value":0.5,"timestamp":%d,"step":`, run,
		1_700_000_000_000)
	out := &points{at0: []int{len(text)}, keys: 1}
	out.text = fmt.Appendf(text, "%0*d}", stepWidth, 0)
	out.at(0)
	return out
}

// request makes the body one of a request to the server at url.
func (p *points) request(url, path string) *points {
	text := postText(url, path, p.text)
	out := &points{text: text, keys: p.keys}
	for _, off := range p.at0 {
		out.at0 = append(out.at0, len(text)-len(p.text)+off)
	}
	return out
}

// next moves on to points that were never sent.
func (p *points) next() []byte {
	p.at(p.n)
	p.n++
	return p.text
}

// at moves the steps to those of the n-th batch.
func (p *points) at(n int) {
	for i, off := range p.at0 {
		strconv.AppendInt(p.text[:off], p.step(n, i), 10)
	}
}

// step returns the step of a row. All have stepWidth digits, the first one a 1, as
// JSON has no numbers with leading zeros.
func (p *points) step(n, row int) int64 {
	each := (len(p.at0) + p.keys - 1) / p.keys
	return 100_000_000_000 + int64(n*each+row/p.keys)
}
