package data

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/fairlead-ml/fairlead"
)

// Sheet is a page of a table as it lies in a file that nobody has looked at: to show it,
// and not to compute with it.
type Sheet struct {
	Columns []SheetColumn `json:"columns"`
	Rows    [][]any       `json:"rows" doc:"text, number, true, false or null; whole numbers that JSON cannot hold are text"`
	First   int64         `json:"first" doc:"number of the first row, from 0"`
	Total   *int64        `json:"total,omitempty" doc:"rows of the file, where it says so"`
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
	maxSheetColumns = 2000
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

// ReadSheet returns at most limit rows of a table from a place on. Invalid when the file is
// no such table.
func ReadSheet(f *os.File, size int64, format string, at SheetPlace, limit int) (*Sheet, error) {
	if format == "parquet" {
		return readParquetSheet(f, size, at, limit)
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
	out := &Sheet{Rows: [][]any{}, First: at.Row}
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

func readParquetSheet(f *os.File, size int64, at SheetPlace, limit int) (out *Sheet, err error) {
	defer func() { // of files that are no good
		if p := recover(); p != nil {
			out, err = nil, notParquet(fmt.Errorf("%v", p))
		}
	}()
	file, err := parquet.OpenFile(f, size, parquet.SkipBloomFilters(true), parquet.SkipPageIndex(true))
	if err != nil {
		return nil, notParquet(err)
	}
	total := file.NumRows()
	out = &Sheet{Rows: [][]any{}, First: at.Row, Total: &total}
	leaves := file.Schema().Columns()
	leaves = leaves[:min(len(leaves), maxSheetColumns)]
	shows := make([]func(parquet.Value) any, len(leaves))
	for i, path := range leaves {
		leaf, _ := file.Schema().Lookup(path...)
		name := strings.Join(path, ".")
		if n := len(path); n > 2 && path[n-2] == "list" {
			name = strings.Join(path[:n-2], ".")
		}
		out.Columns = append(out.Columns, SheetColumn{Name: cell(name), Type: leaf.Node.Type().String()})
		shows[i] = shower(leaf.Node.Type())
	}
	skip, bytes := at.Row, 0
	for _, group := range file.RowGroups() {
		if skip >= group.NumRows() {
			skip -= group.NumRows()
			continue
		}
		if err := out.fillGroup(group, skip, limit, shows, &bytes); err != nil {
			return nil, notParquet(err)
		}
		if skip = 0; len(out.Rows) >= limit || bytes > maxSheetBytes {
			break
		}
	}
	out.Next = SheetPlace{Row: at.Row + int64(len(out.Rows))}
	out.More = out.Next.Row < total && len(out.Rows) > 0
	return out, nil
}

func notParquet(err error) error {
	return fairlead.Errorf(fairlead.Invalid, "the file cannot be read as Parquet: %v", err)
}

func (s *Sheet) fillGroup(group parquet.RowGroup, skip int64, limit int,
	shows []func(parquet.Value) any, bytes *int) error {
	rows := group.Rows()
	defer rows.Close()
	if err := rows.SeekToRow(skip); err != nil {
		return err
	}
	buf := make([]parquet.Row, 64)
	for len(s.Rows) < limit && *bytes <= maxSheetBytes {
		n, err := rows.ReadRows(buf[:min(len(buf), limit-len(s.Rows))])
		for _, r := range buf[:n] {
			row := make([]any, len(shows))
			r.Range(func(i int, values []parquet.Value) bool {
				if i < len(shows) {
					row[i] = showAll(values, shows[i])
					if text, ok := row[i].(string); ok {
						*bytes += len(text)
					}
					*bytes += 8
				}
				return true
			})
			s.Rows = append(s.Rows, row)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// showAll is one value, or the text of the list that several are.
func showAll(values []parquet.Value, show func(parquet.Value) any) any {
	if len(values) == 1 {
		if values[0].IsNull() {
			return nil
		}
		if values[0].RepetitionLevel() == 0 && values[0].DefinitionLevel() <= 1 {
			return show(values[0])
		}
	}
	list := make([]any, 0, min(len(values), maxSheetCell))
	for _, v := range values[:min(len(values), maxSheetCell)] {
		if v.IsNull() {
			list = append(list, nil)
		} else {
			list = append(list, show(v))
		}
	}
	b, err := json.Marshal(list)
	if err != nil {
		return fmt.Sprint(list)
	}
	return cell(string(b))
}

// shower returns how values of a type are shown.
func shower(t parquet.Type) func(parquet.Value) any {
	if l := t.LogicalType(); l != nil {
		switch l := l.Value.(type) {
		case *format.TimestampType:
			return timestamps(l)
		case *format.DateType:
			return func(v parquet.Value) any {
				return time.Unix(int64(v.Int32())*86400, 0).UTC().Format(time.DateOnly)
			}
		case *format.DecimalType:
			return func(v parquet.Value) any { return decimal(v, int(l.Scale)) }
		}
	}
	return func(v parquet.Value) any { return plain(v) }
}

func timestamps(t *format.TimestampType) func(parquet.Value) any {
	unit := time.Nanosecond
	switch t.Unit.Value.(type) {
	case *format.MilliSeconds:
		unit = time.Millisecond
	case *format.MicroSeconds:
		unit = time.Microsecond
	}
	layout := "2006-01-02T15:04:05.999999999"
	if t.IsAdjustedToUTC {
		layout = time.RFC3339Nano
	}
	perSecond := int64(time.Second / unit)
	return func(v parquet.Value) any {
		n := v.Int64()
		return time.Unix(n/perSecond, n%perSecond*int64(unit)).UTC().Format(layout)
	}
}

// decimal shows what is stored as a whole number; what is stored as bytes is not shown.
func decimal(v parquet.Value, scale int) any {
	var digits string
	switch v.Kind() {
	case parquet.Int32:
		digits = strconv.FormatInt(int64(v.Int32()), 10)
	case parquet.Int64:
		digits = strconv.FormatInt(v.Int64(), 10)
	default:
		return plain(v)
	}
	sign := ""
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	if scale <= 0 {
		return sign + digits
	}
	digits = strings.Repeat("0", max(0, scale+1-len(digits))) + digits
	return sign + digits[:len(digits)-scale] + "." + digits[len(digits)-scale:]
}

// maxExact is the largest whole number up to which JSON's numbers are exact everywhere.
const maxExact = 1 << 53

func plain(v parquet.Value) any {
	switch v.Kind() {
	case parquet.Boolean:
		return v.Boolean()
	case parquet.Int32:
		return v.Int32()
	case parquet.Int64:
		if n := v.Int64(); n > -maxExact && n < maxExact {
			return n
		}
		return strconv.FormatInt(v.Int64(), 10)
	case parquet.Float:
		return jsonNumber(float64(v.Float()), 32)
	case parquet.Double:
		return jsonNumber(v.Double(), 64)
	case parquet.ByteArray, parquet.FixedLenByteArray:
		if b := v.ByteArray(); !utf8.Valid(b) {
			return "base64:" + base64.StdEncoding.EncodeToString(b[:min(len(b), maxSheetCell/2)])
		}
		return cell(string(v.ByteArray()))
	}
	return cell(v.String())
}

// jsonNumber is a text where JSON has no number for it.
func jsonNumber(v float64, bits int) any {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	if bits == 32 {
		return json.Number(strconv.FormatFloat(v, 'g', -1, 32))
	}
	return v
}
