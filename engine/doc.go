// Package engine holds the words that every way of running a model shares: the
// signature of a model (which columns it takes and gives), the columnar batch
// that goes in and out, the Predictor that answers it, how many calls run at once,
// and the manifest at the root of a package directory.
//
// It owns no process, no session and no state: package onnx runs ONNX models in
// this process, package python any MLflow model in a process of its own, which
// package worker keeps alive; package pyenv builds Python environments, package
// packager turns a logged MLflow model into a package directory, and package child
// starts and ends what they all run. It knows no registry, no endpoint and no
// database.
//
// Start reading in signature.go, then frame.go and manifest.go.
package engine
