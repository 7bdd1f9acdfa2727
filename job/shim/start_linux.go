package shim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/job/shim/internal/keeper"
)

// Start writes the intent and starts the command under a shim. It returns when
// the shim was started, which is before the command was; whether that worked
// says Wait. A directory takes one Start: a second one is a Conflict, and so a
// server that died in between never runs a command twice.
func Start(ctx context.Context, s Spec) (*Handle, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the attempt directory: %w", err)
	}
	lock, err := takeLock(s.Dir)
	if err != nil {
		return nil, err
	}
	defer unix.Close(lock) // the shim keeps its own copy, and with it the lock
	o := newOrder(s)
	if err := create(s.Dir, keeper.SpecFile, o.Intent); errors.Is(err, fs.ErrExist) {
		return nil, errStarted(s.Dir)
	} else if err != nil {
		return nil, fmt.Errorf("write the intent: %w", err)
	}
	return fork(s.Dir, lock, o)
}

func errStarted(dir string) error {
	return fairlead.Errorf(fairlead.Conflict,
		"the attempt in %s was started before; attach to it, or start another one", dir)
}

// newOrder fills in the defaults of s and draws the attempt's cookie.
func newOrder(s Spec) keeper.Order {
	log, marks := s.limits()
	return keeper.Order{
		Intent: keeper.Intent{
			Protocol: Protocol, Cookie: fairlead.NewHexID(),
			Command: s.Command, WorkDir: s.WorkDir,
			TimeoutMS: s.Timeout.Milliseconds(), GraceMS: s.Grace.Milliseconds(),
			CreatedMS: time.Now().UnixMilli(),
		},
		Env: s.Env, LogLimit: log, MarksLimit: marks,
	}
}

// takeLock returns a descriptor that holds the attempt's lock. It is taken here
// and inherited, so that there is no moment in which a running shim has none.
func takeLock(dir string) (int, error) {
	path, flags := filepath.Join(dir, keeper.LockFile), unix.O_CREAT|unix.O_RDWR|unix.O_CLOEXEC
	fd, err := unix.Open(path, flags, 0o600)
	if err != nil {
		return -1, fmt.Errorf("open the attempt's lock: %w", err)
	}
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		unix.Close(fd)
		return -1, errStarted(dir)
	}
	return fd, nil
}

// locked reports whether a process holds the attempt's lock. It asks for a
// shared one, so that two that ask do not take each other for a shim.
func locked(dir string) (bool, error) {
	fd, err := unix.Open(filepath.Join(dir, keeper.LockFile), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("open the attempt's lock: %w", err)
	}
	defer unix.Close(fd)
	err = unix.Flock(fd, unix.LOCK_SH|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}

// fork starts the running program, whatever has become of its file, as a shim.
func fork(dir string, lock int, o keeper.Order) (*Handle, error) {
	mem, err := orderFile(o)
	if err != nil {
		return nil, err
	}
	defer unix.Close(mem)
	null, err := unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(null)
	pidfd := -1
	pid, err := syscall.ForkExec("/proc/self/exe", []string{keeper.Argv0, dir}, &syscall.ProcAttr{
		Dir: dir,
		Env: shimEnv(),
		Files: []uintptr{uintptr(null), uintptr(null), uintptr(null),
			keeper.LockFD: uintptr(lock), keeper.OrderFD: uintptr(mem)},
		Sys: &syscall.SysProcAttr{Setsid: true, PidFD: &pidfd},
	})
	if err != nil {
		return nil, fmt.Errorf("start the shim: %w", err)
	}
	if pidfd < 0 {
		unix.Kill(pid, unix.SIGKILL)
		unix.Wait4(pid, nil, 0, nil)
		return nil, fairlead.Errorf(fairlead.Unimplemented, "steps need Linux 5.4 or newer (pidfd)")
	}
	return newHandle(dir, o.Intent, pidfd, pid)
}

// shimEnv is what the shim itself runs with: the loader's path and Go's own
// switches, and little of the machine.
func shimEnv() []string {
	env := []string{"GOMAXPROCS=2"}
	for _, name := range []string{"LD_LIBRARY_PATH", "GODEBUG", "GOCOVERDIR"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// orderFile returns a file in memory that holds o.
func orderFile(o keeper.Order) (int, error) {
	b, err := json.Marshal(o)
	if err != nil {
		return -1, err
	}
	fd, err := unix.MemfdCreate("fairlead-order", unix.MFD_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("pass the step's environment: %w", err)
	}
	for off := 0; off < len(b); {
		n, err := unix.Pwrite(fd, b[off:], int64(off))
		if err != nil {
			unix.Close(fd)
			return -1, fmt.Errorf("pass the step's environment: %w", err)
		}
		off += n
	}
	return fd, nil
}

// Void uses up an attempt directory without starting anything, so that a server
// which meant to start it, and sleeps, cannot. It is a Conflict when the attempt
// was started.
func Void(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the attempt directory: %w", err)
	}
	err := create(dir, keeper.SpecFile, newOrder(Spec{}).Intent)
	if errors.Is(err, fs.ErrExist) {
		return errStarted(dir)
	}
	return err
}
