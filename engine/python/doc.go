// Package python runs any MLflow model in a worker process of its own
// environment, and answers batches through it. It owns the process: its group, its
// log, its restarts, and its end.
//
// The protocol goes over one end of a Unix socket pair that the worker inherits,
// never over its standard output, and needs no path. A call that takes too long
// ends the worker, since Python code cannot be interrupted otherwise; a worker
// that dies is started again, each time later, until one answers. The server
// itself never unpickles anything.
//
// The other side is fairlead_worker.py. Start reading in worker.go, then
// process.go and wire.go.
package python
