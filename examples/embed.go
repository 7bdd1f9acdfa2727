package examples

import "embed"

// FS holds the example projects, one folder each, with paths like
// "bikes/fairlead.yaml". The patterns leave out what a run leaves behind: data/
// and __pycache__/.
//
//go:embed bikes/*.* bikes/colleague/*.* wine/*.*
var FS embed.FS
