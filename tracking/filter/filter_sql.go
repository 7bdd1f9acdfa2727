package filter

import (
	"fmt"
	"strings"

	"github.com/fairlead-ml/fairlead/store"
)

// SQL writes a filter as one condition, with its arguments; one writes a comparison.
// The empty filter is no condition.
func SQL(e Expr, one func(Comparison) (string, []any)) (cond string, args []any) {
	switch x := e.(type) {
	case nil:
		return "", nil
	case Comparison:
		return one(x)
	case Not:
		cond, args = SQL(x.X, one)
		return "(" + cond + ") is not true", args
	case All:
		return sqlOf(x, " and ", one)
	case Any:
		return sqlOf(x, " or ", one)
	}
	panic(fmt.Sprintf("filter: an expression of type %T", e))
}

func sqlOf(parts []Expr, between string, one func(Comparison) (string, []any)) (string, []any) {
	var conds []string
	var args []any
	for _, x := range parts {
		cond, more := SQL(x, one)
		conds, args = append(conds, "("+cond+")"), append(args, more...)
	}
	return strings.Join(conds, between), args
}

// Match returns the comparison as a condition on column, with its arguments. An
// absent value (NULL) matches only IS NULL.
func (c Comparison) Match(column string) (cond string, args []any) {
	switch c.Op {
	case IsNull:
		return column + " is null", nil
	case IsNotNull:
		return column + " is not null", nil
	case In, NotIn:
		in := " " + strings.ToLower(string(c.Op)) + " (" + store.Placeholders(len(c.List)) + ")"
		return column + in, c.List
	case Like:
		return column + " glob ?", []any{glob(c.Value.(string))}
	case ILike:
		return "lower(" + column + ") like lower(?) escape '\\'",
			[]any{strings.ReplaceAll(c.Value.(string), `\`, `\\`)}
	case Contains:
		return "lower(" + column + ") like lower(?) escape '\\'", []any{store.Holds(c.Value.(string))}
	}
	return column + " " + string(c.Op) + " ?", []any{c.Value}
}

// glob writes a LIKE pattern in SQLite's case-sensitive language; its own `like`
// ignores the case of ASCII letters. Postgres' `like` needs no such translation.
func glob(pattern string) string {
	return globChars.Replace(pattern)
}

var globChars = strings.NewReplacer("%", "*", "_", "?", "*", "[*]", "?", "[?]", "[", "[[]")
