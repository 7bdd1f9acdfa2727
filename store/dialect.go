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
