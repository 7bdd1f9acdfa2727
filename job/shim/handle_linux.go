package shim

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/job/shim/internal/keeper"
)

// Handle is one attempt, running or ended. It is safe for concurrent use.
type Handle struct {
	dir    string
	intent keeper.Intent
	pidfd  *os.File      // of the shim; nil when it was dead already
	done   chan struct{} // closed when the shim is dead
	watch  sync.WaitGroup
}

// newHandle watches a living shim. pid is set when it is our own child, which
// then is reaped here.
func newHandle(dir string, in keeper.Intent, pidfd, pid int) (*Handle, error) {
	if err := unix.SetNonblock(pidfd, true); err != nil {
		unix.Close(pidfd)
		return nil, fmt.Errorf("watch the shim: %w", err)
	}
	h := &Handle{dir: dir, intent: in, done: make(chan struct{})}
	h.pidfd = os.NewFile(uintptr(pidfd), "pidfd")
	h.watch.Go(func() { h.awaitEnd(pid) })
	return h, nil
}

// awaitEnd ends when the shim is dead or the handle closed. A pidfd becomes
// readable when its process has ended, also as a zombie (pidfd_open(2)).
func (h *Handle) awaitEnd(pid int) {
	raw, err := h.pidfd.SyscallConn()
	if err != nil {
		return
	}
	err = raw.Read(func(fd uintptr) bool {
		p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(p, 0)
		return err == nil && n == 1
	})
	if err != nil {
		return
	}
	if pid > 0 {
		unix.Wait4(pid, nil, 0, nil)
	}
	close(h.done)
}

// attachWithin bounds the moment between a shim's fork and its shim.json.
const attachWithin = 5 * time.Second

// Attach finds the attempt in dir, whichever server started it. Its shim lives
// if and only if it holds the lock. NotFound means that nothing was ever
// started there; Unavailable that the shim runs and cannot be seen from here,
// for example from another container.
func Attach(dir string) (*Handle, error) {
	var in keeper.Intent // stays empty when a power loss damaged it: then nothing lives to be ended
	err := readRecord(dir, keeper.SpecFile, &in)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fairlead.Errorf(fairlead.NotFound, "no step was started in %s", dir)
	}
	if fairlead.Is(err, fairlead.Unimplemented) {
		return nil, err
	}
	for start := time.Now(); ; time.Sleep(time.Millisecond) {
		alive, err := locked(dir)
		if err != nil {
			return nil, err
		}
		if !alive {
			h := &Handle{dir: dir, intent: in, done: make(chan struct{})}
			close(h.done)
			return h, nil
		}
		var who keeper.Whois
		err = readRecord(dir, keeper.ShimFile, &who)
		if fairlead.Is(err, fairlead.Unimplemented) {
			return nil, err
		}
		if fd, ok := openProcess(who.Shim); ok {
			return newHandle(dir, in, fd, 0)
		}
		if time.Since(start) > attachWithin {
			return nil, fairlead.Errorf(fairlead.Unavailable,
				"the step in %s runs, but its process cannot be seen from here", dir)
		}
	}
}

// Alive reports whether the shim runs.
func (h *Handle) Alive() bool {
	select {
	case <-h.done:
		return false
	default:
		return true
	}
}

// Wait returns how the attempt ended, as soon as its shim is gone. After Lost,
// processes of the step may still run: call Kill before running it again.
func (h *Handle) Wait(ctx context.Context) (Exit, error) {
	select {
	case <-h.done:
	case <-ctx.Done():
		return Exit{}, ctx.Err()
	}
	exit, ok, err := readExit(h.dir)
	if ok || err != nil {
		return exit, err
	}
	return h.unknown(), nil
}

// unknown is the exit of an attempt whose shim left none.
func (h *Handle) unknown() Exit {
	e := Exit{State: Lost, Code: -1, StartedMS: h.intent.CreatedMS, Error: "the step's shim died"}
	if _, err := os.Stat(filepath.Join(h.dir, keeper.KillFile)); err == nil {
		e.State, e.Error = Killed, ""
	}
	return e
}

// Close stops watching; the attempt goes on. No other method may be called after it.
func (h *Handle) Close() error {
	if h.pidfd == nil {
		return nil
	}
	err := h.pidfd.Close()
	h.watch.Wait()
	return err
}
