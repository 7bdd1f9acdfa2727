package query

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/fairlead-ml/fairlead"
)

// failure is what is wrong with a query, as a child says it.
type failure struct {
	Code    fairlead.Code `json:"code"`
	Message string        `json:"message"`
	Place   Place         `json:"place"`
}

// Error returns the message.
func (f *failure) Error() string { return f.Message }

// err is the failure as callers see it.
func (f *failure) err() error {
	if f.Code == fairlead.Internal {
		return errors.New(f.Message)
	}
	return f.Place.In(fairlead.Errorf(f.Code, "%s", f.Message))
}

// In adds the place, if it is known, to an error about a query, as its details `line`,
// `column` and `position`.
func (p Place) In(e *fairlead.Error) *fairlead.Error {
	if p.Line == 0 {
		return e
	}
	return e.With("line", p.Line).With("column", p.Column).With("position", p.Position)
}

func newFailure(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	return &failure{Code: fairlead.Internal, Message: err.Error()}
}

func refusal(format string, args ...any) error {
	return &failure{Code: fairlead.Invalid, Message: fmt.Sprintf(format, args...)}
}

// at is Invalid at a position in the query, in bytes; one that is none is left out.
func (c *speaker) at(message, position string) error {
	f := &failure{Code: fairlead.Invalid, Message: message}
	if n, err := strconv.Atoi(position); err == nil {
		f.Place = c.place(n)
	}
	return f
}

// place is the place at a position in bytes; not known when that is none.
func (c *speaker) place(n int) Place {
	if n < 0 || n > len(c.order.SQL) {
		return Place{}
	}
	before := c.order.SQL[:n]
	return Place{Position: n, Line: 1 + strings.Count(before, "\n"),
		Column: 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])}
}

// located gives DuckDB's error its code, and its place in the query.
func (c *speaker) located(err error) error {
	var said struct {
		Kind     string `json:"exception_type"`
		Message  string `json:"exception_message"`
		Position string `json:"position"`
	}
	text := err.Error()
	var e *duckdb.Error
	if errors.As(err, &e) {
		text = e.Msg
	}
	if json.Unmarshal([]byte(text), &said) != nil {
		said.Message = text
	}
	switch said.Kind {
	case "Out of Memory":
		return &failure{Code: fairlead.Precondition, Message: fmt.Sprintf("the query needs more memory "+
			"than the %d MB there are for it; read fewer rows or columns, or aggregate before you join",
			MaxMemory>>20)}
	case "Permission":
		return c.at("a query reads the project's datasets by their names, and neither files nor "+
			"anything else outside of them", said.Position)
	case "INTERNAL", "FATAL":
		said.Message = "DuckDB breaks on this query, by a defect of its own; write it in another way: " +
			said.Message
	}
	if c.order.Foreign {
		return refusal("the file cannot be read as Parquet: %s", strings.ReplaceAll(said.Message,
			"/proc/self/fd/"+strconv.Itoa(firstFile), "it"))
	}
	return c.at(said.Message, said.Position)
}
