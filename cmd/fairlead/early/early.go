// Package early keeps the garbage collector back from the start of the program on. What
// a large program initialises fills the first few megabytes by itself, and to collect
// them is a sixth of what a short command takes. Package main imports it for that
// effect, which needs no order of imports: it rests on two packages only.
package early

import (
	"os"
	"runtime/debug"
)

// gcPercent suits a small live heap under many short requests too: with Go's default a
// tenth of a server's time goes into collecting a few megabytes.
const gcPercent = 400

func init() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
}
