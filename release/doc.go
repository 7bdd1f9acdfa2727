// Package release says which versions of a model should serve in an environment,
// and moves from one to the next. It owns environments, rollouts and assignments.
//
// An endpoint is a model in an environment, `{model}@{environment}`. Its
// assignment is the desired state: the live version, a canary's share, shadows
// and standbys, under a generation that grows with each change. Serving makes it
// true and reports with Observe; this package never loads a model and never
// sees a request.
//
// A rollout is a durable state machine. The rules are one pure function (next, in
// machine.go) of what stands and what happens; everything around it is rows and
// events, and each transition is one transaction, so a restart loses nothing and
// repeats nothing. Waiting is in stream time. A canary moves on paired evidence
// alone: both versions score the same requests, one answers. Without evidence it
// stays where it is and asks a human.
//
// Only rollouts to the last environment of a file move the alias `live`.
//
// Start reading in machine.go, then service.go and apply.go.
package release
