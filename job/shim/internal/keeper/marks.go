package keeper

import (
	"bytes"
	"os"
)

// maxMarkBytes is the longest line that is taken as a mark.
const maxMarkBytes = 4 << 10

// markScanner picks the marks ("::word rest" at the start of a line) out of a
// stream that comes in chunks, and writes them to a file of their own, so that
// a metric printed after the log's cap is not lost. Like the log it never fails.
type markScanner struct {
	path    string
	limit   int64
	file    *os.File
	written int64
	dropped int64 // marks that were too long or past the limit

	line   []byte // a line that may be a mark, until its end comes
	skip   bool   // within a line that is none
	tooBig bool   // the line in hand is a mark that is too long
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
	size := int64(len(line)) + 1
	if m.file == nil || m.tooBig || m.written+size > m.limit {
		m.dropped++
		return
	}
	if _, err := m.file.WriteAt(append(line, '\n'), m.written); err != nil {
		m.dropped++
		return
	}
	m.written += size
}

// close takes a last line without an end.
func (m *markScanner) close() {
	m.endLine()
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
