package python

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/engine"
	scripts "github.com/fairlead-ml/fairlead/python"
)

const (
	logName   = "worker.log"
	stopGrace = 2 * time.Second
)

// process is one life of a worker.
type process struct {
	pid      int
	conn     *net.UnixConn
	cmd      *exec.Cmd
	done     chan struct{} // closed when the process has been reaped
	answered atomic.Bool
	killing  sync.Once
}

// startProcess starts a worker process and waits until it has loaded its model.
func startProcess(ctx context.Context, opts Options) (*process, error) {
	ctx, cancel := context.WithTimeout(ctx, opts.StartTimeout)
	defer cancel()
	conn, theirs, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("worker socket: %w", err)
	}
	defer theirs.Close()
	cmd, log, err := command(opts, theirs)
	if err != nil {
		conn.Close()
		return nil, err
	}
	p := &process{conn: conn, cmd: cmd, done: make(chan struct{})}
	if err := p.run(log); err != nil {
		conn.Close()
		return nil, fairlead.Errorf(fairlead.Precondition, "the model's Python does not start: %w", err)
	}
	if err := p.awaitReady(ctx); err != nil {
		p.kill()
		<-p.done
		return nil, err
	}
	return p, nil
}

// command describes the worker's process: a group of its own, with the socket as
// descriptor 3 and the capped log as output.
func command(opts Options, socket *os.File) (*exec.Cmd, io.Closer, error) {
	type field struct {
		Name string      `json:"name"`
		Kind engine.Kind `json:"kind"`
	}
	fields := make([]field, len(opts.Signature.Inputs))
	for i, f := range opts.Signature.Inputs {
		fields[i] = field{f.Name, f.Kind}
	}
	config, err := json.Marshal(map[string]any{
		"model": opts.ModelDir, "inputs": fields, "tensor": opts.Signature.Tensor != ""})
	if err != nil {
		return nil, nil, fmt.Errorf("worker configuration: %w", err)
	}
	log, err := openLog(filepath.Join(opts.Dir, logName), opts.LogBytes)
	if err != nil {
		return nil, nil, err
	}
	script := filepath.Join(opts.Dir, "fairlead_worker.py")
	if err := os.WriteFile(script, scripts.Worker, 0o644); err != nil {
		log.Close()
		return nil, nil, fmt.Errorf("worker script: %w", err)
	}
	cmd := exec.Command(opts.Python, script, string(config))
	cmd.Dir = opts.Dir
	cmd.Env = workerEnv(opts.Environ)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{socket}
	cmd.SysProcAttr = processAttributes()
	cmd.WaitDelay = time.Second // for a child of the model that keeps the log open
	return cmd, log, nil
}

// workerEnv drops what is the server's own or would change the environment, keeps
// numeric libraries to one thread, as many workers share a machine, and keeps
// mlflow from reporting its use.
func workerEnv(environ []string) []string {
	env := []string{"OMP_NUM_THREADS=1", "MLFLOW_DISABLE_TELEMETRY=true"}
	for _, kv := range environ {
		name, _, _ := strings.Cut(kv, "=")
		switch name {
		case "PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "PYTHONPATH":
			continue
		}
		if !strings.HasPrefix(name, "FAIRLEAD_") {
			env = append(env, kv)
		}
	}
	return append(env, "PYTHONUNBUFFERED=1")
}

// run starts the process, and reaps it. The thread that forks a child with a
// parent-death signal must outlive it, so that goroutine keeps its own.
func (p *process) run(log io.Closer) error {
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer log.Close()
		err := p.cmd.Start()
		if err == nil {
			p.pid = p.cmd.Process.Pid
		}
		started <- err
		if err != nil {
			return
		}
		p.cmd.Wait()
		p.killGroup() // what the model itself started
		p.conn.Close()
		close(p.done)
	}()
	return <-started
}

// awaitReady reads the worker's first message.
func (p *process) awaitReady(ctx context.Context) error {
	release := context.AfterFunc(ctx, func() { p.conn.SetDeadline(time.Unix(1, 0)) })
	defer release()
	resp, err := p.receive()
	switch {
	case ctx.Err() != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fairlead.Errorf(fairlead.Unavailable, "the model did not load in time; see %s", logName)
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		p.kill()
		<-p.done
		return fairlead.Errorf(fairlead.Invalid,
			"the model's worker ended as it loaded the model (%s); see %s", p.exit(), logName)
	case resp.Error != nil:
		return fairlead.Errorf(fairlead.Invalid, "the model does not load: %s", resp.Error.Message)
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

// kill ends the process and everything that it started.
func (p *process) kill() { p.killing.Do(p.killGroup) }

func (p *process) killGroup() { syscall.Kill(-p.pid, syscall.SIGKILL) }

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
func (p *process) exit() string { return p.cmd.ProcessState.String() }

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
