package filter

import (
	"strings"

	"github.com/fairlead-ml/fairlead/store"
)

// Match returns the comparison as a condition on column, with its arguments. An
// absent value (NULL) matches only IS NULL.
func (c Comparison) Match(column string) (cond string, args []any) {
	switch c.Op {
	case IsNull:
		return column + " is null", nil
	case IsNotNull:
		return column + " is not null", nil
	case In, NotIn:
		for _, v := range c.List {
			args = append(args, v)
		}
		in := " " + strings.ToLower(string(c.Op)) + " (" + store.Placeholders(len(args)) + ")"
		return column + in, args
	case Like:
		return column + " glob ?", []any{glob(c.Value.(string))}
	case ILike:
		return "lower(" + column + ") like lower(?) escape '\\'",
			[]any{strings.ReplaceAll(c.Value.(string), `\`, `\\`)}
	}
	return column + " " + string(c.Op) + " ?", []any{c.Value}
}

// glob writes a LIKE pattern in SQLite's case-sensitive language; its own `like`
// ignores the case of ASCII letters. Postgres' `like` needs no such translation.
func glob(pattern string) string {
	return globChars.Replace(pattern)
}

var globChars = strings.NewReplacer("%", "*", "_", "?", "*", "[*]", "?", "[?]", "[", "[[]")
