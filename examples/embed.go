package examples

import "embed"

// FS holds the example projects, one folder each, with paths like
// "bikes/fairlead.yaml".
//
//go:embed all:bikes
var FS embed.FS
