package worker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine/child"
)

const (
	logName   = "worker.log"
	stopGrace = 2 * time.Second
)

// process is one life of a worker.
type process struct {
	child    *child.Process
	conn     *net.UnixConn
	loaded   chan struct{} // closed when awaitReady has returned
	done     chan struct{} // closed when the process has been reaped
	called   atomic.Bool   // it was sent a request
	answered atomic.Bool
}

// startProcess starts a worker process and waits until it has loaded its model.
func startProcess(ctx context.Context, opts Options) (*process, error) {
	ctx, cancel := context.WithTimeout(ctx, opts.StartTimeout)
	defer cancel()
	p, err := fork(opts)
	if err != nil {
		return nil, err
	}
	err = p.awaitReady(ctx)
	close(p.loaded)
	if err != nil {
		p.kill()
		<-p.done
		return nil, err
	}
	return p, nil
}

// fork starts the process with the socket as descriptor 3 and the capped log as
// output.
func fork(opts Options) (*process, error) {
	conn, theirs, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("worker socket: %w", err)
	}
	defer theirs.Close()
	log, err := openLog(filepath.Join(opts.Dir, logName), opts.LogBytes)
	if err != nil {
		opts.Log.Warn("a model worker's output is dropped", "dir", opts.Dir, "error", err)
	}
	cmd := exec.Command(opts.Path, opts.Args...)
	cmd.Dir, cmd.Env = nearest(opts.Dir), opts.Env
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{theirs}
	p := &process{conn: conn, loaded: make(chan struct{}), done: make(chan struct{})}
	if p.child, err = child.Start(cmd); err != nil {
		log.Close()
		conn.Close()
		return nil, err
	}
	go func() {
		<-p.child.Done()
		log.Close()
		conn.CloseRead() // what it said before its end can still be read
		close(p.done)
		<-p.loaded
		conn.Close()
	}()
	return p, nil
}

// nearest returns dir, or the directory closest above it that is there.
func nearest(dir string) string {
	for up := filepath.Dir(dir); up != dir; dir, up = up, filepath.Dir(up) {
		if _, err := os.Stat(dir); err == nil {
			break
		}
	}
	return dir
}

// awaitReady reads the worker's first message.
func (p *process) awaitReady(ctx context.Context) error {
	release := context.AfterFunc(ctx, func() { p.conn.SetDeadline(time.Unix(1, 0)) })
	defer release()
	resp, err := p.receive()
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fairlead.Errorf(fairlead.Unavailable, "the model did not load in time; see %s", logName)
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		p.stop() // it may be about to end by itself, and to say how
		if child.Killed(p.child.State()) {
			return fairlead.Errorf(fairlead.Unavailable,
				"the model's worker was killed as it loaded the model (%s); see %s", p.exit(), logName)
		}
		return fairlead.Errorf(fairlead.Invalid,
			"the model's worker ended as it loaded the model (%s); see %s", p.exit(), logName)
	case resp.Error != nil && resp.Error.Code == fairlead.Unavailable:
		return resp.failure()
	case resp.Error != nil:
		return fairlead.Errorf(fairlead.Invalid, "%s", resp.Error.Message)
	}
	return nil
}

// stop ends the process: its socket closes, and after a while it is killed.
func (p *process) stop() {
	p.conn.CloseWrite()
	timer := time.NewTimer(stopGrace)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		p.kill()
		<-p.done
	}
}

func (p *process) kill() { p.child.Kill() }

// ended reports whether the process is gone; the supervisor may not know yet.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// exit says how the process ended. It is valid once done is closed.
func (p *process) exit() string { return p.child.State().String() }

// socketPair returns a connection and the file that is its other end. Neither is
// inherited by a process that is started meanwhile.
func socketPair() (*net.UnixConn, *os.File, error) {
	syscall.ForkLock.RLock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, err
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "worker"), os.NewFile(uintptr(fds[1]), "worker")
	defer ours.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return conn.(*net.UnixConn), theirs, nil
}
