//go:build !linux

package keeper

// Main returns at once: there are no shims on this platform.
func Main() {}
