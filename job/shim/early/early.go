// Package early turns a process that was started as a shim into one before the
// rest of the program is initialised. Package main of a large program imports it
// for that effect; what it saves is some ten milliseconds and megabytes a step.
//
// The effect needs no order of imports: it rests on the few that package keeper
// has. A process that was not started as a shim is left as it is.
package early

import "github.com/fairlead-ml/fairlead/job/shim/internal/keeper"

func init() { keeper.Main() }
