// Package packager turns a logged MLflow model into a package directory: the model
// as ONNX when it answers recorded inputs as Python does, else the MLflow model
// itself for a Python worker, with the reason and the row that differs.
//
// The work is done by fairlead_package.py in the model's own environment; this
// side starts it, bounds it, and writes the manifest last. It never unpickles
// anything itself, and installs nothing: the environments are the caller's.
//
// Start reading in packager.go.
package packager
