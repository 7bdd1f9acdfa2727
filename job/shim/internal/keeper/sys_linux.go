package keeper

import "syscall"

// The system calls that package syscall lacks. This package uses nothing but
// the standard library, so that it is initialised before what a large program
// depends on (see doc.go).
const (
	prSetChildSubreaper = 36   // prctl(2)
	fSetPipeSize        = 1031 // fcntl(2)
)

// becomeSubreaper makes orphans among the process's descendants its children.
func becomeSubreaper() error {
	_, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, prSetChildSubreaper, 1, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// setPipeSize asks for a larger pipe; a smaller one is slower, no more.
func setPipeSize(fd, size int) {
	syscall.RawSyscall(syscall.SYS_FCNTL, uintptr(fd), fSetPipeSize, uintptr(size))
}
