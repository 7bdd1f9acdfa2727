// Package stream keeps stream time: for each endpoint a durable watermark, and
// the timers that fall due by it. Windows, holds, label delay, cooldown and
// sequential looks read this clock and no other, so that a stream that is
// replayed gives the same result, on any machine and after any crash.
//
// A watermark moves in one of two ways. It follows the requests: the newest
// event time minus the allowed lateness, or, while they carry none, wall time minus
// the same, also without requests and after a restart.
// Or a replay drives it: Advance moves it from one due timer to the next, each
// time waiting until everything that the timer caused has settled, so that a
// training of 20 s does not last a month of events. A stream that was never
// observed has no time yet; OnBegin tells when it gets one.
//
// Package stream owns the tables stream and timer and knows no stage. Start
// reading in stream.go, then advance.go.
package stream
