// Package engine holds the words that every way of running a model shares: the
// signature of a model (which columns it takes and gives), the columnar batch
// that goes in and out, the Predictor that answers it, and the manifest at the
// root of a package directory.
//
// It owns no process, no session and no state: package onnx runs ONNX models in
// this process, package python runs any MLflow model in a worker of its own,
// package pyenv builds Python environments, and package packager turns a logged
// MLflow model into a package directory. It knows no registry, no endpoint and
// no database.
//
// Start reading in signature.go, then frame.go and manifest.go.
package engine
