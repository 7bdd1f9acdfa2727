package python

import "syscall"

// processAttributes gives the worker a group of its own, and lets the system kill
// it with the server, also while it is busy and does not look at its socket.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
