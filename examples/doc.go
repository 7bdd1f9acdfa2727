// Package examples carries the example projects inside the program, so that the
// single binary can copy them out. It owns no behaviour: each folder is a user's
// repository as a user would write it, and knows nothing of Fairlead but its
// fairlead.yaml and the environment variables that a step gets.
//
// Start reading in bikes/README.md.
package examples
