// Package spec owns fairlead.yaml: its types, how a file is read, what is wrong
// with it and where, and the JSON Schema that editors use. The types are the one
// source of the decoder, of the schema and of the reference page
// (docs/fairlead-yaml.md); struct tags say what a type alone cannot:
//
//	json      the key in the file, and in the API
//	required  the key must be given
//	default   the value when the key is absent
//	enum      the values allowed, separated by |
//	form      the shape of a text (forms.go); keys: the shape of a mapping's keys
//	min, max  bounds of a number, inclusive; above: an exclusive lower bound
//	unit      percent: 10% is 10; fraction: 10% is 0.1
//	clock     stream or wall: which clock a duration follows (every duration has it)
//	zero      "ok" where a duration may be 0s
//	number    "text" where a number may stand for its text, as in version: 3.11
//	file      "-" for a field that the key of a mapping fills, not the body
//
// It also keeps the projects and the revisions of their files (project.go).
//
// It never runs anything, never opens a file of a repository, and compiles no
// check (package gate does).
//
// Start reading in spec.go for the types, then parse.go for Parse.
package spec

//go:generate go test -run "TestReference|AsRecorded" . -update
