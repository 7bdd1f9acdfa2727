//go:build amd64 || arm64

package shim

import (
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// awaitExit returns when the child pid has ended, and leaves it as a zombie, so
// that its number and its group's stay ours. Meanwhile it reaps the orphans
// that come to the shim as their subreaper.
func awaitExit(pid int) {
	for {
		ended, err := peek()
		switch {
		case err == unix.EINTR:
		case err != nil || ended == pid:
			return
		default:
			unix.Wait4(ended, nil, 0, nil)
		}
	}
}

// peek waits for any child to end and returns its pid without reaping it.
func peek() (int, error) {
	var info struct { // siginfo_t of SIGCHLD on 64-bit Linux
		signo, errno, code, _ int32
		pid, uid, status      int32
		_                     [100]byte
	}
	err := unix.Waitid(unix.P_ALL, 0, (*unix.Siginfo)(unsafe.Pointer(&info)),
		unix.WEXITED|unix.WNOWAIT, nil)
	return int(info.pid), err
}

// reapWithin bounds the wait for killed processes that hang in the kernel.
const reapWithin = 10 * time.Second

// reap kills what is left of the step and collects it: the group at once, then
// whatever else comes to the shim as a child, until there is none. It returns
// the wait status of the child pid, and whether something did not die.
func reap(pid int) (status unix.WaitStatus, left bool) {
	unix.Kill(-pid, unix.SIGKILL)
	done := make(chan struct{})
	var first unix.WaitStatus
	go func() {
		defer close(done)
		for reapOne(pid, &first) {
		}
	}()
	select {
	case <-done:
		return first, false
	case <-time.After(reapWithin):
		return unix.WaitStatus(unix.SIGKILL), true
	}
}

// reapOne collects one child and returns false when there is none left.
func reapOne(pid int, status *unix.WaitStatus) bool {
	var ws unix.WaitStatus
	got, err := unix.Wait4(-1, &ws, unix.WNOHANG, nil)
	if err == nil && got == 0 { // some live: they cannot change their numbers before we reap them
		killChildren()
		got, err = unix.Wait4(-1, &ws, 0, nil)
	}
	if err == unix.EINTR {
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
	all, err := processes()
	if err != nil {
		return
	}
	me := os.Getpid()
	for pid, s := range all {
		if s.ppid == me {
			unix.Kill(pid, unix.SIGKILL)
		}
	}
}
