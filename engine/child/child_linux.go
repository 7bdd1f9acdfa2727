package child

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// attributes give the child a group of its own, and let the system kill it with
// this process, also while it is busy and looks at nothing.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// wait ends the group before its leader is reaped: until then no other process can
// have the id.
func (p *Process) wait() error {
	for unix.Waitid(unix.P_PID, p.PID, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	p.end()
	return p.cmd.Wait()
}
