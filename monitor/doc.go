// Package monitor watches what is live: it compares the inputs and predictions of
// each window with the reference of the version that answers (drift), and the
// realised error, from the joined ground truth, with what the gate saw (decay).
// N red windows of M open one incident; it closes only when M windows in a row are
// green, or when another version takes over. Drift is not decay: each has its own
// incidents.
//
// While a rollout gathers evidence, monitor pairs the losses of both versions day
// by day and gives them to the gate's store, from where package release decides. A
// candidate that cannot answer pays for it (paired.go).
//
// All windows follow stream time. A timer only asks for a job; the job reads on a
// snapshot and stores what it found, so the same stream gives the same windows on
// any machine and after any crash. Monitor owns the tables reference, watch, win,
// incident and paired, and never acts: package loop does.
//
// Start reading in monitor.go, then watch.go (what is watched, since when),
// window.go, drift.go, incident.go and paired.go.
package monitor
