// Package app wires the program together: it opens the data directory, makes every
// service, gives each what it stands on, and starts and stops them in order. It
// holds no behaviour of its own; tests start the whole program through it.
//
// Start reading in app.go; edge.go is where a request's project and permission are
// settled, before any handler sees it.
package app
