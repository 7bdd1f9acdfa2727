// Package keeper is what a shim does in its own process, and the records by which
// shims and servers speak to each other.
//
// It imports only small packages of the standard library. A Go program
// initialises its packages in the order of their import paths, each as soon as
// its imports are: with few imports this one comes early, which lets package
// early turn a process into a shim before a large program has spent the time and
// memory for the rest of itself.
//
// Start reading in main_linux.go; record.go has the records.
package keeper
