//go:build !linux

package python

import "syscall"

// processAttributes gives the worker a group of its own. A worker whose server
// died ends when it next looks at its socket.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
