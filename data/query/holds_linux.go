package query

import (
	"runtime"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Missing names what holds a query's process elsewhere and is not to be had here:
// "Landlock" keeps it from files, and "seccomp" from programs, sockets and other
// processes. Without them DuckDB's own lock holds a query, and nothing a DuckDB that has
// a hole.
func Missing() (names []string) {
	const versionOnly = 1
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, versionOnly); errno != 0 {
		names = append(names, "Landlock")
	}
	action := uint32(unix.SECCOMP_RET_ERRNO)
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_GET_ACTION_AVAIL, 0,
		uintptr(unsafe.Pointer(&action)))
	if errno != 0 || !slices.Contains([]string{"amd64", "arm64"}, runtime.GOARCH) {
		names = append(names, "seccomp")
	}
	return names
}
