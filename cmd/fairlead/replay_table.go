package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fairlead-ml/fairlead"
)

// sample is one row of the table.
type sample struct {
	at       time.Time
	id       string
	truth    *float64
	features map[string]any // number, truth value, text, or nil for missing
	more     map[string]any
}

// read loads the table, in order of time, for the model that the endpoint serves.
func (r *replay) read(ctx context.Context, file string) error {
	f, err := os.Open(file)
	if errors.Is(err, os.ErrNotExist) {
		return fairlead.Errorf(fairlead.NotFound, "there is no file %s", file)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if err := r.describe(ctx); err != nil {
		return err
	}
	table := csv.NewReader(f)
	header, err := table.Read()
	if err != nil {
		return fairlead.Errorf(fairlead.Invalid, "%s has no header line: %w", file, err)
	}
	for _, name := range append([]string{r.time, r.id, r.label}, r.with...) {
		if name != "" && !slices.Contains(header, name) {
			return fairlead.Errorf(fairlead.Invalid, "%s has no column %q; it has %s",
				file, name, strings.Join(header, ", "))
		}
	}
	for {
		record, err := table.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fairlead.Errorf(fairlead.Invalid, "%s: %w", file, err)
		}
		s, err := r.sample(header, record)
		if err != nil {
			line, _ := table.FieldPos(0)
			return fairlead.Errorf(fairlead.Invalid, "%s, line %d: %w", file, line, err)
		}
		r.rows = append(r.rows, s)
	}
	if len(r.rows) == 0 {
		return fairlead.Errorf(fairlead.Invalid, "%s has no rows", file)
	}
	slices.SortStableFunc(r.rows, func(a, b sample) int { return a.at.Compare(b.at) })
	return nil
}

func (r *replay) sample(header, record []string) (s sample, err error) {
	s.features, s.more = map[string]any{}, map[string]any{}
	for i, name := range header {
		switch text := record[i]; {
		case name == r.time:
			s.at, err = parseTime(text)
		case name == r.id && text == "":
			err = errors.New("it is empty; a label finds its request by it")
		case name == r.id:
			s.id = text
		case name == r.label:
			s.truth, err = parseTruth(text)
		case slices.Contains(r.with, name):
			s.more[name], err = cell(text, "")
		case !slices.Contains(r.drop, name):
			s.features[name], err = cell(text, r.datatypes[name])
		}
		if err != nil {
			return s, fmt.Errorf("column %s: %w", name, err)
		}
	}
	return s, nil
}

var timeLayouts = []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04:05",
	"2006-01-02 15:04", time.DateOnly}

func parseTime(text string) (time.Time, error) {
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time; write it as 2011-03-01T05:00:00Z", text)
}

// parseTruth reads a label; nil when the cell is empty or NaN.
func parseTruth(text string) (*float64, error) {
	v, err := number(text)
	if truth, ok := v.(float64); ok {
		return &truth, nil
	}
	return nil, err
}

// cell reads a cell as a tensor of the datatype holds it. Without a datatype it is a
// number when it looks like one, and text otherwise. An empty cell is missing: nil.
func cell(text, datatype string) (any, error) {
	switch {
	case text == "":
		return nil, nil
	case datatype == "BYTES":
		return text, nil
	case datatype == "BOOL":
		if v, err := strconv.ParseBool(text); err == nil {
			return v, nil
		}
		return whole(text)
	case strings.Contains(datatype, "INT"):
		return whole(text)
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && datatype == "" {
		return n, nil // with all its digits
	}
	v, err := number(text)
	if errors.Is(err, strconv.ErrSyntax) && datatype == "" {
		return text, nil
	}
	return v, err
}

// whole reads a whole number, also one that is written as 3.0.
func whole(text string) (any, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, nil
	}
	v, err := number(text)
	if f, ok := v.(float64); ok {
		if f != math.Trunc(f) || math.Abs(f) > 1<<53 {
			return nil, fmt.Errorf("%q is not a whole number", text)
		}
		return int64(f), nil
	}
	return nil, err
}

// number reads a number; nil for NaN, which is how tables write what is missing.
func number(text string) (any, error) {
	if text == "" {
		return nil, nil
	}
	v, err := strconv.ParseFloat(text, 64)
	switch {
	case errors.Is(err, strconv.ErrSyntax):
		return nil, fmt.Errorf("%q is not a number: %w", text, strconv.ErrSyntax)
	case math.IsInf(v, 0):
		return nil, fmt.Errorf("%q is infinite or too large, which JSON cannot say", text)
	case math.IsNaN(v):
		return nil, nil
	}
	return v, nil
}
