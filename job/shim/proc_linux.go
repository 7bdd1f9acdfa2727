package shim

import (
	"bytes"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/fairlead-ml/fairlead/job/shim/internal/keeper"
)

// openProcess returns a pidfd of the very process that id names, and false when
// that one is gone or a zombie. The pidfd is opened before the comparison:
// afterwards the number could already belong to another process.
func openProcess(id keeper.Identity) (fd int, ok bool) {
	if id.PID <= 0 || id.BootID != keeper.BootID() {
		return -1, false
	}
	fd, err := unix.PidfdOpen(id.PID, unix.PIDFD_NONBLOCK)
	if err != nil {
		return -1, false
	}
	if s, err := keeper.ReadStat(id.PID); err != nil || s.Dead() || s.Start != id.Start {
		unix.Close(fd)
		return -1, false
	}
	return fd, true
}

// signalProcess sends sig to the very process that id names, if it lives.
func signalProcess(id keeper.Identity, sig unix.Signal) {
	if fd, ok := openProcess(id); ok {
		unix.PidfdSendSignal(fd, sig, nil, 0)
		unix.Close(fd)
	}
}

// carries reports whether the process was started with the environment entry.
func carries(pid int, entry string) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	return err == nil && bytes.Contains(append([]byte{0}, b...), []byte("\x00"+entry+"\x00"))
}
