// Package python runs any MLflow model in a worker process of its own environment.
// It owns what that process is given: the interpreter, the script and its
// configuration, and the environment variables. Package worker owns the process.
// The server itself never unpickles anything.
//
// The other side is fairlead_worker.py. Start reading in python.go.
package python
