// Package loop closes the loop: it is the only package that reacts across stages.
// One turn of the loop is a case, and a model has one active case at a time:
//
//	waiting → collecting → training → packaging → gating → releasing → closed
//
// A case is opened by a person (`fairlead run`), by a version that gets the alias
// `candidate` (from anyone, through any client; it goes from collecting straight to
// packaging), or by an incident whose `then` says retrain. It closes as promoted,
// stopped (by the gate), rolledback (by live evidence), failed, superseded (by a
// newer candidate) or unchanged (nothing to release: the version is live already, or
// the pipeline makes no model). Each step happens in the transaction that consumes the
// event which causes it, so a case survives any restart, and each says its reason in
// its event.
//
// The loop is careful: a cooldown in stream time between automatic cases, a budget
// of retrainings, and after several in a row that brought no new live version it stops
// and asks a human. An incident that it leaves alone is looked at again when what held
// it back is over. Explain says why it did or did not act. It decides nothing about
// quality: gates, sequential tests and windows do.
//
// Package loop owns the tables loop_case and loop_model. Start reading in case.go
// (the states), react.go (what moves them), open.go, incident.go, collect.go.
package loop
