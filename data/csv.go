package data

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/fairlead-ml/fairlead"
)

// maxRecord bounds one line of a CSV file in bytes, so that an unclosed quote does
// not read the rest of the file into memory.
const maxRecord = 1 << 20

// bounded fails when one record takes more than maxRecord bytes.
type bounded struct {
	r    io.Reader
	left int
}

var errRecordTooLong = errors.New("record too long")

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errRecordTooLong
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// csvFile is one file while its rows are looked at.
type csvFile struct {
	path, name string
	comma      rune
	header     []string
	rows       int64
	line       int // where the last whole record began
}

// scanCSV reads the whole file once: it checks its form, and narrows the types of
// its columns in set, to which it adds new ones in order.
func scanCSV(path, name string, set *columnSet) (*csvFile, error) {
	raw, err := openText(path, name)
	if err != nil {
		return nil, err
	}
	defer raw.Close()
	limit := &bounded{raw, maxRecord}
	in := bufio.NewReaderSize(limit, 1<<16)
	f := &csvFile{path: path, name: name}
	if f.comma, err = sniffComma(in, name); err != nil {
		return nil, err
	}
	r := csv.NewReader(in)
	r.Comma, r.ReuseRecord = f.comma, true
	first, err := r.Read()
	if err != nil {
		return nil, f.readError(err)
	}
	if f.header, err = checkHeader(name, first); err != nil {
		return nil, err
	}
	columns := set.add(f.header)
	for {
		limit.left = maxRecord
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, f.readError(err)
		}
		if len(record) > 1 || record[0] != "" {
			f.rows++
		}
		if err := f.observe(r, record, columns); err != nil {
			return nil, err
		}
	}
	return f, f.checkRows(columns)
}

func (f *csvFile) observe(r *csv.Reader, record []string, columns []*textColumn) error {
	f.line, _ = r.FieldPos(0)
	for i, v := range record {
		reason := ""
		switch {
		case !utf8.ValidString(v) || strings.IndexByte(v, 0) >= 0:
			reason = "the text is not UTF-8; save the file as UTF-8"
		case strings.IndexByte(v, '\r') >= 0: // readers disagree whether it ends a line
			reason = "there is a carriage return without a line feed; end lines with a line feed"
		}
		if reason != "" {
			return fairlead.Errorf(fairlead.Invalid, "%s line %d, column %q: %s", f.name, f.line,
				columns[i].name, reason)
		}
		columns[i].observe(v, f.name, f.line)
	}
	return nil
}

// checkRows refuses a file without rows, and one whose first line looks like all
// the others: then nothing names the columns.
func (f *csvFile) checkRows(columns []*textColumn) error {
	if f.rows == 0 {
		return fairlead.Errorf(fairlead.Invalid, "%s has a header and no rows", f.name)
	}
	values := false
	for i, c := range columns {
		fits := kinds(0)
		if h := trim(f.header[i]); h != "" {
			fits = kindsOf(h, anyKind)
		}
		if c.seen && c.fits != 0 && c.fits&fits == 0 {
			return nil
		}
		values = values || fits != 0
	}
	if !values {
		return nil
	}
	return noHeader(f.name, f.header)
}

func noHeader(name string, first []string) error {
	return fairlead.Errorf(fairlead.Invalid,
		"%s has no header: its first line (%.60s) holds values; add a line that names the columns",
		name, strings.Join(first, ","))
}

func (f *csvFile) readError(err error) error {
	var e *csv.ParseError
	switch {
	case errors.Is(err, errRecordTooLong):
		return fairlead.Errorf(fairlead.Invalid,
			"%s: the record after line %d is longer than %d MB; is a quote not closed?",
			f.name, f.line, maxRecord>>20)
	case errors.As(err, &e) && errors.Is(e.Err, csv.ErrFieldCount):
		return fairlead.Errorf(fairlead.Invalid,
			"%s line %d does not have the %d values that the header names; correct the line, or quote "+
				"values that hold a %q", f.name, e.Line, len(f.header), f.comma)
	case errors.As(err, &e):
		return fairlead.Errorf(fairlead.Invalid,
			"%s line %d, byte %d: %w; write a quote within a quoted value twice",
			f.name, e.Line, e.Column, e.Err)
	case errors.Is(err, io.EOF):
		return emptyFile(f.name)
	}
	return fairlead.Errorf(fairlead.Invalid, "%s cannot be read: %w", f.name, err)
}

func emptyFile(name string) error {
	return fairlead.Errorf(fairlead.Invalid, "%s is empty; it needs a header and rows", name)
}

// byteOrderMark begins files that some spreadsheets write.
var byteOrderMark = []byte{0xEF, 0xBB, 0xBF}

// sniffComma finds the separator: the commonest of the candidates in the first
// line, outside quotes. It leaves in at the first character of the header.
func sniffComma(in *bufio.Reader, name string) (rune, error) {
	head, err := in.Peek(1 << 15)
	if len(head) == 0 {
		if err != nil && !errors.Is(err, io.EOF) {
			return 0, fairlead.Errorf(fairlead.Invalid, "%s cannot be read: %w", name, err)
		}
		return 0, emptyFile(name)
	}
	if bytes.HasPrefix(head, byteOrderMark) {
		head = head[len(byteOrderMark):]
		if _, err := in.Discard(len(byteOrderMark)); err != nil {
			return 0, fmt.Errorf("read %s: %w", name, err)
		}
	}
	line, _, _ := bytes.Cut(head, []byte("\n"))
	if len(bytes.TrimSpace(line)) == 0 {
		return 0, fairlead.Errorf(fairlead.Invalid,
			"the first line of %s is empty; it must name the columns", name)
	}
	return commonest(line), nil
}

func commonest(line []byte) rune {
	counts := map[byte]int{}
	quoted := false
	for _, b := range line {
		if b == '"' {
			quoted = !quoted
		}
		if !quoted {
			counts[b]++
		}
	}
	best := byte(',')
	for _, c := range []byte(";\t|") {
		if counts[c] > counts[best] {
			best = c
		}
	}
	return rune(best)
}

// maxColumnName is the longest name of a column in bytes.
const maxColumnName = 256

// checkHeader returns the trimmed names of the columns.
func checkHeader(file string, record []string) ([]string, error) {
	names := make([]string, len(record))
	for i, v := range record {
		names[i] = strings.TrimSpace(v)
	}
	return names, checkColumns(file, names)
}

// checkColumns refuses names that cannot be told apart: DuckDB's names are blind
// to case.
func checkColumns(file string, names []string) error {
	seen := map[string]string{}
	for i, name := range names {
		bad := !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' })
		switch {
		case name == "":
			return fairlead.Errorf(fairlead.Invalid, "column %d of %s has no name", i+1, file)
		case bad || len(name) > maxColumnName:
			return fairlead.Errorf(fairlead.Invalid,
				"the name of column %d of %s (%.40q) is not plain text of at most %d bytes; is this a "+
					"text file?", i+1, file, name, maxColumnName)
		}
		if other, taken := seen[strings.ToLower(name)]; taken {
			return fairlead.Errorf(fairlead.Invalid,
				"%s has the columns %q and %q, which must differ in more than case", file, other, name)
		}
		seen[strings.ToLower(name)] = name
	}
	return nil
}

// openText opens a file, through gzip when its name says so.
func openText(path, name string) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if !strings.HasSuffix(path, ".gz") {
		return f, nil
	}
	z, err := gzip.NewReader(f)
	if err != nil {
		f.Close()
		return nil, fairlead.Errorf(fairlead.Invalid, "%s is not a gzip file: %w", name, err)
	}
	return struct {
		io.Reader
		io.Closer
	}{z, f}, nil
}
