package shim

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

var bootID = sync.OnceValue(func() string {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b))
})

// stat is the part of /proc/[pid]/stat that tells processes apart.
type stat struct {
	pid, ppid, group int
	state            byte // R, S, D, Z, T, X …
	start            uint64
}

func (s stat) dead() bool { return s.state == 'Z' || s.state == 'X' }

func (s stat) identity() identity { return identity{PID: s.pid, Start: s.start, BootID: bootID()} }

// readStat reads one process; see proc_pid_stat(5).
func readStat(pid int) (stat, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, err
	}
	return parseStat(pid, b)
}

// parseStat takes the line apart behind the command's name, which may itself
// hold spaces and parentheses.
func parseStat(pid int, b []byte) (stat, error) {
	f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(f) < 20 || len(f[0]) == 0 {
		return stat{}, fmt.Errorf("stat of process %d is cut short", pid)
	}
	s := stat{pid: pid, state: f[0][0]}
	var err1, err2, err3 error
	s.ppid, err1 = strconv.Atoi(string(f[1]))
	s.group, err2 = strconv.Atoi(string(f[2]))
	s.start, err3 = strconv.ParseUint(string(f[19]), 10, 64)
	return s, errors.Join(err1, err2, err3)
}

// self is who the calling process is.
func self() (identity, error) {
	s, err := readStat(os.Getpid())
	return s.identity(), err
}

// openProcess returns a pidfd of the very process that id names, and false when
// that one is gone or a zombie. The pidfd is opened before the comparison:
// afterwards the number could already belong to another process.
func openProcess(id identity) (fd int, ok bool) {
	if id.PID <= 0 || id.BootID != bootID() {
		return -1, false
	}
	fd, err := unix.PidfdOpen(id.PID, unix.PIDFD_NONBLOCK)
	if err != nil {
		return -1, false
	}
	if s, err := readStat(id.PID); err != nil || s.dead() || s.start != id.Start {
		unix.Close(fd)
		return -1, false
	}
	return fd, true
}

// signalProcess sends sig to the very process that id names, if it lives.
func signalProcess(id identity, sig unix.Signal) {
	if fd, ok := openProcess(id); ok {
		unix.PidfdSendSignal(fd, sig, nil, 0)
		unix.Close(fd)
	}
}

// processes returns all living processes, by pid.
func processes() (map[int]stat, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	all := make(map[int]stat)
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if s, err := readStat(pid); err == nil && !s.dead() {
			all[pid] = s
		}
	}
	return all, nil
}

// carries reports whether the process was started with the environment entry.
func carries(pid int, entry string) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	return err == nil && bytes.Contains(append([]byte{0}, b...), []byte("\x00"+entry+"\x00"))
}
