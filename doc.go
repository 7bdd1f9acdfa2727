// Package fairlead holds the words that every other package shares: errors and
// their codes, public ids, the actor of a change, pages of a list, files that are
// written whole, and the two
// clocks. It imports nothing but the standard library and owns no state.
//
// Start reading in error.go; then clock.go for the difference between wall time
// and stream time, which the whole program depends on.
package fairlead
