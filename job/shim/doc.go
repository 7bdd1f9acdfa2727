// Package shim runs one command so that it outlives the server that started it.
//
// Start forks the running binary again as a shim: a small process in its own
// session that starts the command, drains and caps its output, enforces its
// time-out, leaves nothing of it behind, and says in a file how it ended. The
// server may die at any moment; the next one finds the shim with Attach.
//
// The package owns what is inside an attempt directory, and nothing else. It
// never decides whether to run again (package job does) and never looks into
// what a step printed beyond picking out its marks.
//
// # The protocol
//
// A server must understand the directories that an older one left, so what
// follows changes only together with Protocol:
//
//	lock           held exclusively (flock) from before the fork until the shim
//	               is gone. It alone says that a shim lives: a pid never does
//	spec.json      the intent, written before the fork, once per directory; the
//	               command's environment, which may hold secrets, is not in it
//	shim.json      who the shim and its child are: pid, start time and boot id
//	exit.json      how it ended: temporary file, sync, rename, sync of the directory
//	kill           someone asked for the end
//	step.log       the first part of stdout and stderr, as one stream
//	step.log.N     the last parts; N is the offset in the stream of their first byte
//	marks.log      the lines of the stream that start with "::word ": the first
//	               ones up to a limit, and then the last one of each name
//
// SIGTERM to the shim ends the step: TERM to its process group, KILL after the
// grace period. The command and all that it starts carry the attempt's cookie
// in FAIRLEAD_ATTEMPT, so that a later server finds even those that called
// setsid after their shim was killed.
//
// Start reading in spec.go, then start_linux.go; internal/keeper is the shim's
// own process.
package shim
