package filter

import (
	"fmt"
	"strconv"
	"strings"
)

// plural is how a kind is written.
var plural = map[Kind]string{Metric: "metrics", Param: "params", Tag: "tags", Dataset: "datasets",
	Model: "models"}

// String writes the comparison.
func (c Comparison) String() string {
	text := name(c.Kind, c.Key) + " " + string(c.Op)
	switch c.Op {
	case IsNull, IsNotNull:
		return text
	case In, NotIn:
		values := make([]string, len(c.List))
		for i, v := range c.List {
			values[i] = literal(v)
		}
		return text + " (" + strings.Join(values, ", ") + ")"
	}
	return text + " " + literal(c.Value)
}

// String writes the parts with AND between them.
func (a All) String() string { return join(a, " AND ") }

// String writes the parts with OR between them.
func (a Any) String() string { return join(a, " OR ") }

// String writes NOT before what it denies.
func (n Not) String() string { return "NOT " + operand(n.X) }

func join(parts []Expr, between string) string {
	texts := make([]string, len(parts))
	for i, x := range parts {
		texts[i] = operand(x)
	}
	return strings.Join(texts, between)
}

// operand writes a part of a whole: lists of parts need parentheses.
func operand(e Expr) string {
	switch e.(type) {
	case All, Any:
		return "(" + e.String() + ")"
	}
	return e.String()
}

// String writes the key with its prefix, as it stands in a filter.
func (k Key) String() string { return name(k.Kind, k.Key) }

// name writes a key with its prefix, quoted where it must be.
func name(kind Kind, key string) string {
	for part := range strings.SplitSeq(key, ".") {
		if _, n := wordPart(part); n > 0 && n == len(part) && part[0] != '`' && part[0] != '"' {
			continue
		}
		key = "`" + strings.ReplaceAll(key, "`", "``") + "`"
		break
	}
	if kind == Attribute {
		return key
	}
	return plural[kind] + "." + key
}

func literal(v any) string {
	switch x := v.(type) {
	case float64:
		return strconv.FormatFloat(x, 'g', -1, 64)
	case string:
		return "'" + strings.ReplaceAll(x, "'", "''") + "'"
	}
	panic(fmt.Sprintf("filter: a value of type %T", v))
}
