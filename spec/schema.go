package spec

import (
	_ "embed"
	"slices"
)

//go:embed fairlead.schema.json
var schema []byte

// Schema returns the JSON Schema (draft 2020-12) of fairlead.yaml, for editors.
// It is generated from the types of this package (go generate), and says all
// that a schema can: what refers to something else only Parse checks.
func Schema() []byte { return slices.Clone(schema) }
