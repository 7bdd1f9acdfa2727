package keeper

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
)

// BootID tells one run of the machine from another.
var BootID = sync.OnceValue(func() string {
	b, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b))
})

// Stat is the part of /proc/[pid]/stat that tells Processes apart.
type Stat struct {
	PID, PPID, Group int
	State            byte // R, S, D, Z, T, X …
	Start            uint64
}

// Dead says that the process has ended, although it may not be reaped.
func (s Stat) Dead() bool { return s.State == 'Z' || s.State == 'X' }

// Identity tells the process from a later one with its number.
func (s Stat) Identity() Identity { return Identity{PID: s.PID, Start: s.Start, BootID: BootID()} }

// ReadStat reads one process; see proc_pid_stat(5).
func ReadStat(pid int) (Stat, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Stat{}, err
	}
	return parseStat(pid, b)
}

// parseStat takes the line apart behind the command's name, which may itself
// hold spaces and parentheses.
func parseStat(pid int, b []byte) (Stat, error) {
	f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(f) < 20 || len(f[0]) == 0 {
		return Stat{}, fmt.Errorf("stat of process %d is cut short", pid)
	}
	s := Stat{PID: pid, State: f[0][0]}
	var err1, err2, err3 error
	s.PPID, err1 = strconv.Atoi(string(f[1]))
	s.Group, err2 = strconv.Atoi(string(f[2]))
	s.Start, err3 = strconv.ParseUint(string(f[19]), 10, 64)
	return s, errors.Join(err1, err2, err3)
}

// Processes returns all living processes, by pid.
func Processes() (map[int]Stat, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	all := make(map[int]Stat)
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if s, err := ReadStat(pid); err == nil && !s.Dead() {
			all[pid] = s
		}
	}
	return all, nil
}
