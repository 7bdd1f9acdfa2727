package data

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/data/query"
)

// The bounds of an answer that is made a file.
const (
	FileRows  = 1_000_000
	FileBytes = 256 << 20 // of its rows as JSON
)

// The forms of such a file.
const (
	CSV     = "csv"     // RFC 4180, the names first; missing values are empty
	Parquet = "parquet" // with the answer's types; lists, structs and the like are JSON
)

// QueryFile runs a query and returns its whole answer as a file of that form, which is
// gone when it is closed. An answer beyond FileRows or FileBytes is Precondition; the rest
// is as Query has it. The query has ended by then: who reads the file slowly keeps nobody
// from running theirs.
func (s *Service) QueryFile(ctx context.Context, p fairlead.Project, q Query, form string) (
	*os.File, error) {
	path := filepath.Join(s.dir, fairlead.NewHexID()+".answer")
	defer os.Remove(path)
	names, err := s.queryInto(ctx, p, q, form, path)
	if form == Parquet && err == nil {
		rows := path
		path = filepath.Join(s.dir, fairlead.NewHexID()+".parquet")
		defer os.Remove(path)
		err = s.duck.exec(ctx, "copy ("+typed(rows, names)+") to "+literal(path)+" (format parquet, row_group_size 20480)",
			map[string]string{rows: "the answer"})
	}
	if err != nil {
		return nil, err
	}
	return os.Open(path)
}

// queryInto writes the answer: as CSV, or as lines of JSON.
func (s *Service) queryInto(ctx context.Context, p fairlead.Project, q Query, form, path string) (
	[]query.Column, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("keep an answer: %w", err)
	}
	defer f.Close()
	buf := bufio.NewWriterSize(f, 1<<16)
	to := &answerFile{form: form, csv: csv.NewWriter(buf), lines: buf}
	q.Rows, q.Bytes, q.Cell = FileRows, FileBytes, 0
	done, err := s.Query(ctx, p, q, to)
	if err != nil {
		return nil, fullDisk(err)
	}
	if done.Cut != "" {
		return nil, fairlead.Errorf(fairlead.Precondition, "the answer has more than %d rows or %d MB, and "+
			"half a file helps nobody; select less, or take it in parts", FileRows, FileBytes>>20)
	}
	to.csv.Flush()
	return to.columns, fullDisk(errors.Join(to.csv.Error(), buf.Flush()))
}

func fullDisk(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return errFullDisk.Because(err)
	}
	return err
}

// answerFile writes rows as they come.
type answerFile struct {
	form    string
	csv     *csv.Writer
	lines   *bufio.Writer // of JSON
	columns []query.Column
}

// Columns implements query.Answer.
func (a *answerFile) Columns(columns []query.Column) error {
	a.columns = columns
	if a.form != CSV {
		return nil
	}
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = c.Name
	}
	return a.csv.Write(names)
}

// Row implements query.Answer.
func (a *answerFile) Row(row []byte) error {
	var cells []json.RawMessage
	if err := json.Unmarshal(row, &cells); err != nil {
		return err
	}
	if a.form == CSV {
		return a.record(cells)
	}
	line := []byte{'{'}
	for i, cell := range cells {
		if i > 0 {
			line = append(line, ',')
		}
		line = append(strconv.AppendInt(append(line, '"'), int64(i), 10), '"', ':')
		if cell[0] == '[' || cell[0] == '{' {
			text, err := json.Marshal(string(cell))
			if err != nil {
				return err
			}
			cell = text
		}
		line = append(line, cell...)
	}
	_, err := a.lines.Write(append(line, '}', '\n'))
	return err
}

func (a *answerFile) record(cells []json.RawMessage) error {
	texts := make([]string, len(cells))
	for i, cell := range cells {
		switch cell[0] {
		case 'n': // null
		case '"':
			if err := json.Unmarshal(cell, &texts[i]); err != nil {
				return err
			}
		default:
			texts[i] = string(cell)
		}
	}
	return a.csv.Write(texts)
}

// typed is the SQL that gives lines of texts the types of the answer again. The types come
// from the process that ran a user's query: what is not known here stays a text.
func typed(path string, columns []query.Column) string {
	have, selects := make([]string, len(columns)), make([]string, len(columns))
	seen := map[string]bool{}
	for i, c := range columns {
		value, name := ident(strconv.Itoa(i)), c.Name
		for n := 1; seen[strings.ToLower(name)]; n++ {
			name = c.Name + "_" + strconv.Itoa(n) // DuckDB does not tell cases apart
		}
		seen[strings.ToLower(name)] = true
		have[i] = value + ": 'VARCHAR'"
		switch {
		case c.Type == "HUGEINT" || c.Type == "UHUGEINT": // Parquet has none so wide
			value = "cast(" + value + " as decimal(38,0))"
		case c.Type == "BLOB":
			value = "from_hex(substr(" + value + ", 3))"
		case scalar.MatchString(c.Type):
			value = "cast(" + value + " as " + c.Type + ")"
		}
		selects[i] = value + " as " + ident(name)
	}
	return "select " + strings.Join(selects, ", ") + " from read_json(" + file(path) + ", format = " +
		"'newline_delimited', maximum_object_size = " + strconv.Itoa(query.MaxRow) + ", columns = {" +
		strings.Join(have, ", ") + "})"
}

// scalar are the types that texts can be cast to.
var scalar = regexp.MustCompile(`^(U?(TINY|SMALL|BIG)INT|U?INTEGER|DOUBLE|FLOAT|BOOLEAN|UUID|DATE|` +
	`TIME|TIMESTAMP(TZ|_S|_MS|_NS)?|DECIMAL\(\d+,\d+\))$`)
