// Package onnx runs ONNX models in this process, by ONNX Runtime's shared library,
// which is opened at run time: the program works without it, and says what to do.
//
// It owns the process-wide runtime, the sessions and their buffers, and the marks of
// what is being called. It converts no model and opens no network connection. A model
// is first tried in a child process: a native crash or a hang there cannot end the
// server. One that ended the server all the same, and crashes again in its child,
// stays there.
//
// Start reading in engine.go, then runtime.go, session.go, marks.go and child.go.
package onnx
