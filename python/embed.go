// Package python embeds the Python files that Fairlead runs in other people's
// environments: the worker that serves an MLflow model, and the script that
// packages one. It owns nothing else; packages engine/python and engine/packager
// run them, and say what they exchange.
//
// Start reading in fairlead_worker.py and fairlead_package.py.
package python

import _ "embed"

// Worker serves one MLflow model over the socket it inherits. It needs mlflow and
// the model's own requirements.
//
//go:embed fairlead_worker.py
var Worker []byte

// Packager converts an MLflow model to ONNX and compares the two. It needs the
// model's own requirements, and Converters for the conversion.
//
//go:embed fairlead_package.py
var Packager []byte

// Converters are the pinned requirements of a conversion, one a line, to be
// installed on top of the model's own.
//
//go:embed converters.txt
var Converters string
