//go:build amd64 || arm64

package keeper

import (
	"os"
	"syscall"
	"time"
	"unsafe"
)

// awaitExit returns when the child pid has ended, and leaves it as a zombie, so
// that its number and its group's stay ours. Meanwhile it reaps the orphans
// that come to the shim as their subreaper.
func awaitExit(pid int) {
	for {
		ended, err := peek()
		switch {
		case err == syscall.EINTR:
		case err != nil || ended == pid:
			return
		default:
			syscall.Wait4(ended, nil, 0, nil)
		}
	}
}

// waitAny is P_ALL of waitid(2).
const waitAny = 0

// peek waits for any child to end and returns its pid without reaping it.
func peek() (int, error) {
	var info struct { // siginfo_t of SIGCHLD on 64-bit Linux
		signo, errno, code, _ int32
		pid, uid, status      int32
		_                     [100]byte
	}
	_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, waitAny, 0, uintptr(unsafe.Pointer(&info)),
		syscall.WEXITED|syscall.WNOWAIT, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(info.pid), nil
}

// reapWithin bounds the wait for killed processes that hang in the kernel.
const reapWithin = 10 * time.Second

// reap kills what is left of the step and collects it: the group at once, then
// whatever else comes to the shim as a child, until there is none. It returns
// the wait status of the child pid, and whether something did not die.
func reap(pid int) (status syscall.WaitStatus, left bool) {
	syscall.Kill(-pid, syscall.SIGKILL)
	done := make(chan struct{})
	var first syscall.WaitStatus
	go func() {
		defer close(done)
		for reapOne(pid, &first) {
		}
	}()
	select {
	case <-done:
		return first, false
	case <-time.After(reapWithin):
		return syscall.WaitStatus(syscall.SIGKILL), true
	}
}

// reapOne collects one child and returns false when there is none left.
func reapOne(pid int, status *syscall.WaitStatus) bool {
	var ws syscall.WaitStatus
	got, err := syscall.Wait4(-1, &ws, syscall.WNOHANG, nil)
	if err == nil && got == 0 { // some live: they cannot change their numbers before we reap them
		killChildren()
		got, err = syscall.Wait4(-1, &ws, 0, nil)
	}
	if err == syscall.EINTR {
		return true
	}
	if got == pid {
		*status = ws
	}
	return err == nil
}

// killChildren kills the shim's living children. Theirs become the shim's, and
// are killed in the next round.
func killChildren() {
	all, err := Processes()
	if err != nil {
		return
	}
	me := os.Getpid()
	for pid, s := range all {
		if s.PPID == me {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}
