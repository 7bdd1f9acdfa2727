package mlflow

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/tracking"
)

// args are the parameters of a request: the query of a GET, the JSON body of
// everything else. They are read as protobuf's JSON form has them, numbers as
// numbers or as text; what has another type is refused with MLflow's message. The
// first refusal is kept in err.
type args struct {
	query url.Values
	json  map[string]json.RawMessage
	at    string // where in the request a nested object stands
	left  *int   // objects in lists that the request may still have
	err   error
}

// The bounds of what a body may be made of: it is small, and would take many times its
// size.
const (
	maxFields  = 1000   // of an object
	maxObjects = 10_000 // in lists, of a request
)

// parse reads the request's parameters.
func (c *call) parse() error {
	if c.r.Method == http.MethodGet || c.r.Method == http.MethodHead {
		c.args = &args{query: c.r.URL.Query()}
		return nil
	}
	b, err := c.body()
	if err != nil {
		return err
	}
	c.args, err = parseArgs(b)
	return err
}

func parseArgs(b []byte) (*args, error) {
	left := maxObjects
	a := &args{json: map[string]json.RawMessage{}, left: &left}
	b = bytes.TrimSpace(b)
	if len(b) == 0 {
		return a, nil
	}
	if b[0] == '"' { // older clients encode the object twice
		var inner string
		if json.Unmarshal(b, &inner) == nil {
			b = []byte(inner)
		}
	}
	if !json.Valid(b) || !isObject(b) {
		return nil, fairlead.Errorf(fairlead.Invalid, "the request's body is not a JSON object")
	}
	var err error
	a.json, err = fields(b)
	return a, err
}

func isObject(raw json.RawMessage) bool { return raw[0] == '{' || string(raw) == "null" }

// fields returns the members of an object in valid JSON; the last one of a name counts.
// They share the text.
func fields(object json.RawMessage) (map[string]json.RawMessage, error) {
	out := map[string]json.RawMessage{}
	var key json.RawMessage
	var err error
	parts(object, func(part json.RawMessage) bool {
		if key == nil {
			key = part
			return true
		}
		var name string
		if err = json.Unmarshal(key, &name); err != nil {
			return false
		}
		if out[name], key = part, nil; len(out) > maxFields {
			err = fairlead.Errorf(fairlead.Invalid, "an object of the request has more than %d fields",
				maxFields)
		}
		return err == nil
	})
	return out, err
}

// parts calls fn with each element of a list, or with each key and each value of an
// object, in valid JSON, while fn says so.
func parts(b json.RawMessage, fn func(part json.RawMessage) bool) {
	depth, begin, text := 0, 1, false
	for i := 0; i < len(b); i++ {
		ends := false
		switch c := b[i]; {
		case text && c == '\\':
			i++
		case c == '"':
			text = !text
		case text:
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			depth--
			ends = depth == 0
		case c == ',' || c == ':':
			ends = depth == 1
		}
		if !ends {
			continue
		}
		if part := bytes.TrimSpace(b[begin:i]); len(part) > 0 && !fn(part) {
			return
		}
		begin = i + 1
	}
}

// raw returns a parameter's JSON; a query's text as a JSON string. Absent and
// null are the same.
func (a *args) raw(name string) (json.RawMessage, bool) {
	if a.query != nil {
		if !a.query.Has(name) {
			return nil, false
		}
		b, _ := json.Marshal(a.query.Get(name))
		return b, true
	}
	v, ok := a.json[name]
	return v, ok && string(v) != "null"
}

func (a *args) fail(err error) {
	if a.err == nil && err != nil {
		a.err = err
	}
}

const seeDocs = " See the API docs for more information about request parameters."

// badType refuses a value of a wrong type.
func (a *args) badType(name string, raw json.RawMessage) {
	var compact bytes.Buffer
	if json.Compact(&compact, raw) != nil {
		compact.Write(raw)
	}
	value := compact.String()
	if len(value) > 200 {
		value = value[:200] + "…"
	}
	a.fail(fairlead.Errorf(fairlead.Invalid,
		"Invalid value %s for parameter '%s' supplied:  Hint: Value was of type '%s'."+seeDocs,
		strings.ToValidUTF8(value, ""), a.at+name, pythonType(raw)))
}

// pythonType names a JSON value's type as MLflow's messages do.
func pythonType(raw json.RawMessage) string {
	switch c := raw[0]; {
	case c == '"':
		return "str"
	case c == '{':
		return "dict"
	case c == '[':
		return "list"
	case c == 't' || c == 'f':
		return "bool"
	case bytes.ContainsAny(raw, ".eE"):
		return "float"
	}
	return "int"
}

// str returns an optional text.
func (a *args) str(name string) string {
	raw, ok := a.raw(name)
	if !ok {
		return ""
	}
	var v string
	if raw[0] != '"' || json.Unmarshal(raw, &v) != nil {
		a.badType(name, raw)
	}
	return v
}

// need returns a text that must be there and not empty.
func (a *args) need(name string) string {
	v := a.str(name)
	if v == "" {
		a.fail(fairlead.Errorf(fairlead.Invalid,
			"Missing value for required parameter '%s'."+seeDocs, a.at+name))
	}
	return v
}

// has reports whether the parameter is given.
func (a *args) has(name string) bool {
	_, ok := a.raw(name)
	return ok
}

// runID returns the run, under its present or its older name.
func (a *args) runID() string {
	if !a.has("run_id") && a.has("run_uuid") {
		return a.need("run_uuid")
	}
	return a.need("run_id")
}

// text strips the quotes of a number that is given as text.
func text(raw json.RawMessage) string {
	var v string
	if raw[0] == '"' && json.Unmarshal(raw, &v) == nil {
		return v
	}
	return string(raw)
}

// int returns an optional whole number, also one written 1.0 or "1".
func (a *args) int(name string) int64 {
	raw, ok := a.raw(name)
	if !ok {
		return 0
	}
	if n, err := strconv.ParseInt(text(raw), 10, 64); err == nil {
		return n
	}
	f, err := strconv.ParseFloat(text(raw), 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		a.badType(name, raw)
		return 0
	}
	return int64(f)
}

// needInt returns a whole number that must be there.
func (a *args) needInt(name string) int64 {
	if raw, ok := a.raw(name); !ok || text(raw) == "" {
		a.need(name)
		return 0
	}
	return a.int(name)
}

// float returns a number that must be there; NaN and infinities come as text.
func (a *args) float(name string) float64 {
	raw, ok := a.raw(name)
	if !ok || text(raw) == "" {
		a.need(name)
		return 0
	}
	v, err := parseFloat(text(raw))
	if err != nil {
		a.badType(name, raw)
	}
	return v
}

// parseFloat accepts the spellings of protobuf's JSON form. A number that is too
// large is infinite.
func parseFloat(s string) (float64, error) {
	if strings.HasPrefix(s, "0x") || strings.Contains(s, "_") {
		return 0, strconv.ErrSyntax
	}
	v, err := strconv.ParseFloat(s, 64)
	if math.IsInf(v, 0) {
		return v, nil
	}
	return v, err
}

func (a *args) bool(name string, otherwise bool) bool {
	raw, ok := a.raw(name)
	if !ok {
		return otherwise
	}
	v, err := strconv.ParseBool(text(raw))
	if err != nil {
		a.badType(name, raw)
	}
	return v
}

// enum returns the name of an enum's value, which is given by name or by number
// from 1.
func (a *args) enum(name string, values ...string) string {
	raw, ok := a.raw(name)
	if !ok {
		return ""
	}
	v := text(raw)
	if n, err := strconv.Atoi(v); err == nil && n >= 1 && n <= len(values) {
		return values[n-1]
	}
	if !slices.Contains(values, v) {
		a.badType(name, raw)
	}
	return v
}

// strs returns an optional list of texts; in a query the parameter is repeated.
func (a *args) strs(name string) []string {
	if a.query != nil {
		return a.query[name]
	}
	raw, ok := a.raw(name)
	if !ok {
		return nil
	}
	var v []string
	if json.Unmarshal(raw, &v) != nil {
		a.badType(name, raw)
	}
	return v
}

// needStrs returns a list of texts that must be there.
func (a *args) needStrs(name string) []string {
	if !a.has(name) {
		a.need(name)
		return nil
	}
	return a.strs(name)
}

// each calls fn with each object of an optional list.
func (a *args) each(name string, fn func(item *args)) {
	raw, ok := a.raw(name)
	if !ok {
		return
	}
	if raw[0] != '[' {
		a.badType(name, raw)
		return
	}
	i := 0
	parts(raw, func(r json.RawMessage) bool {
		if !isObject(r) {
			a.badType(fmt.Sprintf("%s[%d]", name, i), r)
			return false
		}
		if *a.left--; *a.left < 0 {
			a.fail(fairlead.Errorf(fairlead.Invalid,
				"the lists of the request have more than %d objects together; split it up", maxObjects))
			return false
		}
		item := a.below(fmt.Sprintf("%s[%d].", name, i), r)
		i++
		if item.err == nil {
			fn(item)
		}
		a.fail(item.err)
		return item.err == nil
	})
}

// below are the members of an object inside.
func (a *args) below(name string, raw json.RawMessage) *args {
	item := &args{at: a.at + name, left: a.left}
	item.json, item.err = fields(raw)
	return item
}

// object returns an optional nested object.
func (a *args) object(name string) *args {
	raw, ok := a.raw(name)
	switch {
	case !ok:
		raw = nil
	case !isObject(raw):
		a.badType(name, raw)
		raw = nil
	}
	return a.below(name+".", raw)
}

// tags returns a list of {key, value}.
func (a *args) tags(name string) (out []tracking.Tag) {
	a.each(name, func(t *args) {
		out = append(out, tracking.Tag{Key: t.need("key"), Value: t.str("value")})
	})
	return out
}

func (a *args) params(name string) (out []tracking.Param) {
	a.each(name, func(t *args) {
		out = append(out, tracking.Param{Key: t.need("key"), Value: t.str("value")})
	})
	return out
}

// search reads what all searches share.
func (a *args) search() tracking.Search {
	return tracking.Search{Experiments: a.strs("experiment_ids"), Filter: a.str("filter"),
		OrderBy: a.strs("order_by"), Limit: a.limit(), PageToken: a.str("page_token")}
}

// limit returns how many results are asked for, 0 when nothing is said.
func (a *args) limit() int {
	n := a.int("max_results")
	if a.has("max_results") && n <= 0 {
		a.fail(fairlead.Errorf(fairlead.Invalid, "Invalid value %d for parameter 'max_results' "+
			"supplied. It must be a positive integer", n))
	}
	return int(min(n, math.MaxInt32))
}

// view reads a view of lifecycle states.
func (a *args) view(name string) tracking.View {
	return tracking.View(a.enum(name, "ACTIVE_ONLY", "DELETED_ONLY", "ALL"))
}
