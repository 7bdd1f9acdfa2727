// Package job is durable work: rows that some server runs, each to its end,
// whatever dies meanwhile.
//
// A job is enqueued in the transaction of its cause and finished in the
// transaction of its effect. A server that claims one holds a lease, which it
// renews, and a fence, a number that grows with each claim. What a run changes with
// Run.Write and Run.Commit is guarded by its fence, so a run that was taken over
// can no longer do it; what it writes otherwise must be as true for any other run.
// Failures of the work itself (attempts, with retries) are counted apart from
// losses of the server or the machine.
//
// A run may start commands as steps (step.go). They live under a shim of their
// own, so they outlive the server: the next run of the job re-attaches to a step
// that still lives, takes the exit of one that has ended, and cleans up after a
// lost one before it starts another.
//
// The package never knows what a job does. It reads wall time only; what must
// follow a replayed stream belongs in package stream. A handler never waits for
// another job, since both need a worker: it ends, and OnDone goes on.
//
// Start reading in job.go, then dispatch.go (who runs what) and run.go (how a
// run ends).
package job
