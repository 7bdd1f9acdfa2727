// Package worker keeps one model loaded in a process of its own, and answers
// batches through it. It owns the process: its group, its log, its restarts, and
// its end. What the process is, is the caller's: package python runs any MLflow
// model so, and package onnx the ONNX models that must not run in the server.
//
// The protocol goes over one end of a Unix socket pair that the process inherits,
// never over its standard output, and needs no path. A call that takes too long
// ends the process, since code that hangs cannot be interrupted otherwise; a process
// that dies is started again, each time later, until one answers.
//
// The other side is Serve here, or fairlead_worker.py, which describes the protocol.
// Start reading in worker.go, then process.go, wire.go and serve.go.
package worker
