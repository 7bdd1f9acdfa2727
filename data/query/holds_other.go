//go:build !linux

package query

// Missing names what holds a query's process on Linux and is not to be had here.
func Missing() []string { return []string{"Landlock", "seccomp"} }
