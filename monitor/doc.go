// Package monitor watches what is live: it compares the inputs of each window
// with the reference of the version that answers (drift), and the realised error,
// from the joined ground truth, with what the gate saw (decay). N red windows of M
// open one incident; it closes only when M windows in a row are green, or when
// another version takes over. Drift is not decay: each has its own incidents.
//
// While a canary runs, monitor pairs the losses of both versions day by day, and
// gives the evidence of a sequential test to the gate's store, from where package
// release decides.
//
// All windows follow stream time. A timer only asks for a job; the job reads on a
// snapshot and stores what it found. Monitor owns the tables reference, win,
// incident and paired, and never acts: package loop does.
//
// Start reading in monitor.go, then window.go, incident.go and paired.go.
package monitor
