package keeper

import (
	"bytes"
	"os"
	"sort"
)

const (
	// maxMarkBytes is the longest line that is taken as a mark.
	maxMarkBytes = 4 << 10
	// maxLast bounds the names whose last marks are kept beyond the limit.
	maxLast = 4096
)

// markScanner picks the marks ("::word rest" at the start of a line) out of a
// stream that comes in chunks, and writes them to a file of their own, so that
// a metric printed after the log's cap is not lost. Like the log it never fails.
// What is past the limit, or the disk did not take, is dropped, except for the last
// mark of each name: that comes when the stream ends.
type markScanner struct {
	path    string
	limit   int64
	file    *os.File
	written int64
	dropped int64 // marks that were too long or past the limit
	last    map[string]*lastMark
	name    []byte // for nameOf

	line   []byte // a line that may be a mark, until its end comes
	skip   bool   // within a line that is none
	tooBig bool   // the line in hand is a mark that is too long
}

// lastMark is the newest mark of a name that is not in the file, and its number.
type lastMark struct {
	n    int64
	line []byte
}

func (m *markScanner) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		i := bytes.IndexByte(rest, '\n')
		if i < 0 {
			m.add(rest)
			break
		}
		m.add(rest[:i])
		m.endLine()
		rest = rest[i+1:]
	}
	return len(p), nil
}

// add takes a piece of the current line, for as long as it may become a mark.
func (m *markScanner) add(p []byte) {
	if m.skip || len(p) == 0 {
		return
	}
	if len(m.line) < 2 {
		n := min(2-len(m.line), len(p))
		if !bytes.HasPrefix([]byte("::"), append(m.line, p[:n]...)) {
			m.skip = true
			return
		}
	}
	if len(m.line)+len(p) > maxMarkBytes {
		m.tooBig = true
		p = p[:maxMarkBytes-len(m.line)]
	}
	m.line = append(m.line, p...)
}

// endLine ends the current line, which is kept if it is a mark.
func (m *markScanner) endLine() {
	if !m.skip && isMark(m.line) {
		m.keep(bytes.TrimSuffix(m.line, []byte("\r")))
	}
	m.line, m.skip, m.tooBig = m.line[:0], false, false
}

func (m *markScanner) keep(line []byte) {
	if m.file == nil && m.written == 0 {
		m.file, _ = os.OpenFile(m.path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	}
	if m.tooBig {
		m.dropped++
		return
	}
	if m.written+int64(len(line)) < m.limit && m.append(line) {
		if len(m.last) > 0 {
			delete(m.last, string(m.nameOf(line)))
		}
		return
	}
	m.dropped++
	name := m.nameOf(line)
	l := m.last[string(name)]
	if l == nil {
		if len(m.last) == maxLast {
			return
		}
		if l = new(lastMark); m.last == nil {
			m.last = map[string]*lastMark{}
		}
		m.last[string(name)] = l
	}
	l.n, l.line = m.dropped, append(l.line[:0], line...)
}

func (m *markScanner) append(line []byte) bool {
	if m.file == nil {
		return false
	}
	n, err := m.file.WriteAt(append(line, '\n'), m.written)
	if err == nil {
		m.written += int64(n)
	}
	return err == nil
}

// nameOf is what a mark is about: its words without what stands after their `=`.
// The result is good until the next call.
func (m *markScanner) nameOf(line []byte) []byte {
	m.name = m.name[:0]
	value := false
	for _, c := range line {
		if c == ' ' || c == '\t' {
			value = false
		} else if c == '=' {
			value = true
		}
		if !value {
			m.name = append(m.name, c)
		}
	}
	return m.name
}

// close takes a last line without an end, and keeps the last mark of each name.
func (m *markScanner) close() {
	m.endLine()
	list := make([]*lastMark, 0, len(m.last))
	for _, l := range m.last {
		list = append(list, l)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].n < list[j].n })
	for _, l := range list {
		if m.append(l.line) {
			m.dropped--
		}
	}
	if m.file != nil {
		m.file.Close()
	}
}

// isMark reports whether line is "::" + one lower-case word + a space or the end.
func isMark(line []byte) bool {
	word, ok := bytes.CutPrefix(line, []byte("::"))
	if !ok {
		return false
	}
	n := 0
	for n < len(word) && (word[n] >= 'a' && word[n] <= 'z' || n > 0 && word[n] == '-') {
		n++
	}
	return n > 0 && (n == len(word) || word[n] == ' ' || word[n] == '\r')
}
