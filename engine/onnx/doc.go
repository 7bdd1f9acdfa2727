// Package onnx runs ONNX models in this process, by ONNX Runtime's shared library,
// which is opened at run time: the program works without it, and says what to do.
//
// It owns the process-wide runtime, the sessions and their buffers. It converts no
// model and opens no network connection. A model is first tried in a child process
// (Probe): a native crash or a hang there cannot end the server.
//
// Start reading in runtime.go, then session.go and probe.go.
package onnx
