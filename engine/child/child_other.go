//go:build !linux

package child

import "syscall"

// attributes give the child a group of its own. One whose parent died ends when it
// next looks at its parent's pipe or socket.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

func (p *Process) wait() error {
	defer p.end()
	return p.cmd.Wait()
}
