package store

import "strings"

// sqliteDDL spells the fragments that migrations may use and engines spell
// differently: {{pk}} is a table's internal key, {{bytes}} binary data,
// {{float}} a 64-bit float.
var sqliteDDL = strings.NewReplacer(
	"{{pk}}", "integer primary key",
	"{{bytes}}", "blob",
	"{{float}}", "real",
)

// Placeholders returns n comma-separated parameter marks for an `in` list.
func Placeholders(n int) string {
	if n <= 0 {
		return "null"
	}
	return strings.Repeat("?,", n-1) + "?"
}

// like escapes what a like pattern means by itself.
var like = strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`)

// Holds returns the pattern for `lower(column) like ? escape '\'` of what holds a text,
// blind to ASCII case.
func Holds(text string) string { return "%" + Begins(text) }

// Begins is Holds for what begins with the text.
func Begins(text string) string { return like.Replace(strings.Map(lower, text)) + "%" }

// lower is what SQL's function of that name does to a letter: of others than ASCII nothing.
func lower(r rune) rune {
	if 'A' <= r && r <= 'Z' {
		r += 'a' - 'A'
	}
	return r
}
