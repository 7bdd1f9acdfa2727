package data

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Outline is what one CSV file holds, without that anything is kept of it.
type Outline struct {
	Columns []OutlineColumn
	Rows    int64
}

// OutlineColumn is a column of an Outline.
type OutlineColumn struct {
	Name   string
	Type   string // double | long | string | boolean | datetime, as Ingest would type it
	Full   bool   // each row has a value
	Unique bool   // no two rows have the same text
}

// ReadOutline reads a CSV file whole, by the rules of Ingest; name is what errors call
// it. A file that Ingest would refuse is Invalid.
func ReadOutline(path, name string) (*Outline, error) {
	set := &columnSet{byName: map[string]*textColumn{}}
	f, err := scanCSV(path, name, set)
	if err != nil {
		return nil, err
	}
	out := &Outline{Rows: f.rows}
	for _, c := range set.order {
		out.Columns = append(out.Columns, OutlineColumn{c.name, c.kind(), true, true})
	}
	return out, out.compare(f)
}

// compare reads the file again for what its values have in common.
func (o *Outline) compare(f *csvFile) error {
	raw, err := openText(f.path, f.name)
	if err != nil {
		return err
	}
	defer raw.Close()
	in := bufio.NewReaderSize(raw, 1<<16)
	if _, err := sniffComma(in, f.name); err != nil {
		return err
	}
	r := csv.NewReader(in)
	r.Comma, r.ReuseRecord = f.comma, true
	seen := make([]map[string]bool, len(o.Columns))
	for begun := false; ; begun = true {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", f.name, err)
		}
		if begun {
			o.observe(record, seen)
		}
	}
}

func (o *Outline) observe(record []string, seen []map[string]bool) {
	for i := range o.Columns {
		c, v := &o.Columns[i], trim(record[i])
		c.Full = c.Full && v != "" && !isMissing(v)
		switch {
		case !c.Unique:
		case seen[i][v]:
			c.Unique, seen[i] = false, nil
		default:
			if seen[i] == nil {
				seen[i] = map[string]bool{}
			}
			seen[i][strings.Clone(v)] = true
		}
	}
}
