// Package pipeline makes candidates: it runs the steps of a project's fairlead.yaml
// for one commit, with pinned versions of the data, and registers the winner with
// what led to it.
//
// A run is one durable job. Its driver is a state machine over rows: after a
// crash it goes on where it was, adopts the steps that still live and keeps what
// has ended. Steps run as a graph, side by side; the tries of a search may
// overlap, but what they decide is judged in the order of the tries, so that the
// same values give the same winner on any machine (judge.go).
//
// An unchanged step is not run again: its outputs and metrics are found by a key
// over everything that they may depend on (key.go): command, content of the
// inputs, the step's own params, the commit's files, the environment's lock and
// the platform. A step sees the files of the commit in a private copy, without
// fairlead.yaml and without the files that `data` names: it reads data only as
// declared inputs, so no key can miss it and no step can see the holdout. A re-run
// (rerun.go) leaves the cache out from a step on, and stands on the run that it does
// again before it.
//
// Steps write into private directories; only the driver commits outputs, under
// the fence of its job. A step's token ends with its attempt. The package never
// moves an alias and never judges a candidate beyond choosing among its tries.
//
// Start reading in pipeline.go, then plan.go (what is to be done), drive.go and
// try.go (who does it) and attempt.go (how one step runs).
package pipeline
