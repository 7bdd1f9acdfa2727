package examples

import "embed"

// FS holds the example projects, one folder each, with paths like
// "bikes/fairlead.yaml". The patterns leave out what a run leaves behind, such as
// __pycache__/. An example with a folder data/ runs as it is (`fairlead init --template`).
//
//go:embed bikes/*.* bikes/colleague/*.* wine/*.* wine/data/*.csv
var FS embed.FS
