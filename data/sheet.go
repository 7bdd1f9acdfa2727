package data

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/data/query"
)

// Sheet is a page of a table as it lies in a file that nobody has looked at: to show it,
// and not to compute with it.
type Sheet struct {
	Columns []SheetColumn `json:"columns"`
	Rows    [][]any       `json:"rows" doc:"text, number, true, false or null; whole numbers that JSON cannot hold are text"`
	First   int64         `json:"first" doc:"number of the first row, from 0"`
	Total   *int64        `json:"total,omitempty" doc:"rows of the file, where it says so"`
	Width   int           `json:"width" doc:"columns of the file; the first 300 of them are shown"`
	Next    SheetPlace    `json:"-"` // where the next page begins
	More    bool          `json:"-"`
}

// SheetColumn is a column of a Sheet.
type SheetColumn struct {
	Name string `json:"name"`
	Type string `json:"type" doc:"as the file names it; text of files that name none"`
}

// SheetPlace is where a page begins: a row, and the byte of a text file at which it lies.
type SheetPlace struct{ Row, Byte int64 }

// The bounds of a page and of what is shown of one cell.
const (
	maxSheetBytes   = 4 << 20
	maxSheetCell    = 1000 // characters
	maxSheetColumns = 300
)

// SheetFormat returns how ReadSheet reads a file of that name: csv, tsv or parquet; empty
// when it does not.
func SheetFormat(name string) string {
	name = strings.ToLower(name)
	for _, f := range []string{"csv", "tsv", "parquet"} {
		if strings.HasSuffix(name, "."+f) {
			return f
		}
	}
	return ""
}

// sheetTime is how long a page of a Parquet file may take, in wall time.
const sheetTime = 10 * time.Second

// ReadSheet returns at most limit rows of a table from a place on. Invalid when the file is
// no such table. Parquet is read in a process of its own: a small file can say that it needs
// all memory there is.
func (s *Service) ReadSheet(ctx context.Context, f *os.File, format string, at SheetPlace,
	limit int) (*Sheet, error) {
	if format == "parquet" {
		return s.readParquetSheet(ctx, f, at, limit)
	}
	return readTextSheet(f, format, at, limit)
}

func readTextSheet(f *os.File, format string, at SheetPlace, limit int) (*Sheet, error) {
	in := bufio.NewReaderSize(f, 1<<16)
	begin := int64(0)
	if head, _ := in.Peek(len(byteOrderMark)); bytes.Equal(head, byteOrderMark) {
		begin = int64(len(head))
		if _, err := in.Discard(len(head)); err != nil {
			return nil, fmt.Errorf("read table: %w", err)
		}
	}
	comma := '\t'
	if format != "tsv" {
		head, _ := in.Peek(1 << 15)
		line, _, _ := bytes.Cut(head, []byte("\n"))
		comma = commonest(line)
	}
	header, n, err := newTextRows(in, comma).read()
	if errors.Is(err, io.EOF) {
		return nil, fairlead.Errorf(fairlead.Invalid, "the file is empty")
	}
	if err != nil {
		return nil, err
	}
	out := &Sheet{Rows: [][]any{}, First: at.Row, Width: len(header)}
	for _, name := range header[:min(len(header), maxSheetColumns)] {
		out.Columns = append(out.Columns, SheetColumn{Name: cell(name), Type: "text"})
	}
	if at.Byte == 0 {
		at.Byte = begin + n
	}
	if _, err := f.Seek(at.Byte, io.SeekStart); err != nil {
		return nil, fmt.Errorf("read table: %w", err)
	}
	return out, out.fillText(newTextRows(f, comma), at, limit)
}

func (s *Sheet) fillText(rows *textRows, at SheetPlace, limit int) error {
	bytes := 0
	for len(s.Rows) < limit && bytes < maxSheetBytes {
		record, n, err := rows.read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		s.Next = SheetPlace{at.Row + int64(len(s.Rows)) + 1, at.Byte + n}
		row := make([]any, len(s.Columns))
		for i := range row {
			if i < len(record) {
				text := cell(record[i])
				bytes += len(text)
				row[i] = text
			}
		}
		s.Rows = append(s.Rows, row)
	}
	_, _, err := rows.read()
	s.More = err == nil
	return nil
}

// textRows reads records, none longer than maxRecord bytes.
type textRows struct {
	limit *bounded
	r     *csv.Reader
}

func newTextRows(in io.Reader, comma rune) *textRows {
	limit := &bounded{in, maxRecord}
	r := csv.NewReader(limit)
	r.Comma, r.ReuseRecord, r.FieldsPerRecord, r.LazyQuotes = comma, true, -1, true
	return &textRows{limit, r}
}

// read returns a record and the offset at which it ends.
func (t *textRows) read() ([]string, int64, error) {
	t.limit.left = maxRecord
	record, err := t.r.Read()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, fairlead.Errorf(fairlead.Invalid, "the file is no table of text: %v", err)
	}
	return record, t.r.InputOffset(), err
}

// cell is a text as it is shown: valid, and not endless.
func cell(text string) string {
	if len(text) > maxSheetCell {
		n := 0
		for i := range text {
			if n++; n > maxSheetCell {
				text = text[:i] + "…"
				break
			}
		}
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

func (s *Service) readParquetSheet(ctx context.Context, f *os.File, at SheetPlace, limit int) (*Sheet,
	error) {
	out := &sheetAnswer{Sheet: Sheet{Rows: [][]any{}, First: at.Row, Total: new(int64)}}
	_, err := s.sheets.Read(ctx, query.Request{Rows: int64(limit), Bytes: maxSheetBytes, Cell: maxSheetCell,
		SQL: fmt.Sprintf("select *, (select count(*) from t) from t limit %d offset %d", limit, at.Row),
	}, fmt.Sprintf("/proc/self/fd/%d", f.Fd()), out)
	if fairlead.Is(err, fairlead.Precondition) {
		return nil, fairlead.Errorf(fairlead.Precondition, "a page of this table takes more time or memory "+
			"than there is for it; download the file to look into it").Because(err)
	}
	if err != nil {
		return nil, err
	}
	out.Next = SheetPlace{Row: at.Row + int64(len(out.Rows))}
	out.More = len(out.Rows) > 0 && out.Next.Row < *out.Total
	return &out.Sheet, nil
}

// sheetAnswer takes rows whose last cell is the number of all rows.
type sheetAnswer struct{ Sheet }

// Columns implements query.Answer.
func (s *sheetAnswer) Columns(columns []query.Column) error {
	s.Width = len(columns) - 1
	for _, c := range columns[:min(len(columns)-1, maxSheetColumns)] {
		s.Sheet.Columns = append(s.Sheet.Columns, SheetColumn{Name: cell(c.Name), Type: c.Type})
	}
	return nil
}

// Row implements query.Answer.
func (s *sheetAnswer) Row(row []byte) error {
	var cells []json.RawMessage
	if err := json.Unmarshal(row, &cells); err != nil {
		return err
	}
	last := len(cells) - 1
	if err := json.Unmarshal(cells[last], s.Total); err != nil {
		return err
	}
	out := make([]any, min(last, maxSheetColumns))
	for i := range out {
		switch text := cells[i]; text[0] {
		case 'n': // null
		case '[', '{':
			out[i] = cell(string(text))
		case '"':
			var s string
			if err := json.Unmarshal(text, &s); err != nil {
				return err
			}
			out[i] = cell(s)
		default:
			out[i] = text
		}
	}
	s.Rows = append(s.Rows, out)
	return nil
}
