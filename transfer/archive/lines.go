package archive

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"io"
	"os"

	"github.com/parquet-go/parquet-go"
)

// writer writes a file of a project, and counts and digests it.
type writer struct {
	f   *os.File
	buf *bufio.Writer
	sum hash.Hash
	File
}

func create(root *os.Root, dir, name string) (*writer, error) {
	f, err := root.OpenFile(dir+"/"+name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	w := &writer{f: f, sum: sha256.New(), File: File{Name: name}}
	w.buf = bufio.NewWriterSize(io.MultiWriter(f, w.sum), 1<<16)
	return w, nil
}

// Write adds bytes.
func (w *writer) Write(b []byte) (int, error) {
	n, err := w.buf.Write(b)
	w.Bytes += int64(n)
	return n, err
}

// close ends the file and describes it.
func (w *writer) close() (File, error) {
	err := errors.Join(w.buf.Flush(), w.f.Close())
	w.SHA256 = hex.EncodeToString(w.sum.Sum(nil))
	return w.File, err
}

// maxLine bounds a line, in bytes: a run has any number of params and tags.
const maxLine = 256 << 20

// lines writes JSON lines.
type lines struct {
	*writer
	enc *json.Encoder
}

func createLines(root *os.Root, dir, name string) (*lines, error) {
	w, err := create(root, dir, name)
	if err != nil {
		return nil, err
	}
	l := &lines{w, json.NewEncoder(w)}
	l.enc.SetEscapeHTML(false)
	return l, nil
}

func (l *lines) add(record any) error {
	l.Rows++
	return l.enc.Encode(record)
}

// eachLine calls fn with each record of a file of JSON lines; what is no such record is
// Invalid, with the line.
func eachLine[T any](root *os.Root, name string, fn func(*T) error) error {
	f, err := openFile(root, name)
	if err != nil {
		return err
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	in.Buffer(make([]byte, 0, 1<<16), maxLine)
	n := 0
	for in.Scan() {
		n++
		record := new(T)
		d := json.NewDecoder(bytes.NewReader(in.Bytes()))
		d.DisallowUnknownFields()
		err := d.Decode(record)
		if err == nil && d.More() {
			err = errors.New("there is more than one value")
		}
		if err != nil {
			return damaged(name, "line %d: %v", n, err)
		}
		if err := fn(record); err != nil {
			return err
		}
	}
	if errors.Is(in.Err(), bufio.ErrTooLong) {
		return damaged(name, "line %d is longer than %d bytes", n+1, maxLine)
	}
	return in.Err()
}

// table writes Parquet, in groups of rows so that few of them are in memory.
type table[T any] struct {
	*writer
	out  *parquet.GenericWriter[T]
	rows []T
}

// Rows that are handed on at once, and rows of a group.
const (
	tableChunk = 1 << 10
	tableGroup = 1 << 16
)

func createTable[T any](root *os.Root, dir, name string) (*table[T], error) {
	w, err := create(root, dir, name)
	if err != nil {
		return nil, err
	}
	return &table[T]{writer: w, out: parquet.NewGenericWriter[T](w, parquet.Compression(&parquet.Zstd),
		parquet.MaxRowsPerRowGroup(tableGroup), parquet.CreatedBy("fairlead", "1", ""))}, nil
}

func (t *table[T]) add(row *T) error {
	t.rows = append(t.rows, *row)
	t.Rows++
	if len(t.rows) < tableChunk {
		return nil
	}
	return t.flush()
}

func (t *table[T]) flush() error {
	_, err := t.out.Write(t.rows)
	t.rows = t.rows[:0]
	return err
}

func (t *table[T]) close() (File, error) {
	if err := errors.Join(t.flush(), t.out.Close()); err != nil {
		return File{}, errors.Join(err, t.f.Close())
	}
	return t.writer.close()
}
