package child

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/fairlead-ml/fairlead"
)

// drainMax is how long output is read on after the process, for a process of its
// own that left the group and keeps the pipe open.
const drainMax = time.Second

// Process is a started child.
type Process struct {
	PID  int
	cmd  *exec.Cmd
	err  error
	done chan struct{}

	mu     sync.Mutex
	reaped bool // its id, and so its group's, may belong to another process
}

// Start starts cmd. A command that is not there, or a system without room for one
// more process, is an error that says nothing about what was to run: Unavailable.
func Start(cmd *exec.Cmd) (*Process, error) {
	cmd.SysProcAttr = attributes()
	cmd.WaitDelay = drainMax
	p := &Process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error, 1)
	go p.run(started)
	if err := <-started; err != nil {
		return nil, fairlead.Errorf(fairlead.Unavailable, "%s does not start: %w", cmd.Path, err)
	}
	return p, nil
}

// run starts the process and reaps it. The system kills the child when the thread
// that forked it ends, so this goroutine keeps its thread until the child is gone.
func (p *Process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := p.cmd.Start(); err != nil {
		started <- err
		return
	}
	p.PID = p.cmd.Process.Pid
	started <- nil
	if p.err = p.wait(); errors.Is(p.err, exec.ErrWaitDelay) {
		p.err = nil
	}
	close(p.done)
}

// end kills what the process itself started, and lets go of its id.
func (p *Process) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.killGroup()
	p.reaped = true
}

// Kill ends the process and everything that it started. It does not wait.
func (p *Process) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		p.killGroup()
	}
}

func (p *Process) killGroup() { syscall.Kill(-p.PID, syscall.SIGKILL) }

// Done is closed when the process has ended and all its output is written.
func (p *Process) Done() <-chan struct{} { return p.done }

// State is how the process ended. It is valid once Done is closed.
func (p *Process) State() *os.ProcessState { return p.cmd.ProcessState }

// Run runs cmd to its end, and kills it when ctx ends first: then the error is
// ctx's. Otherwise it is that of Start, or an *exec.ExitError.
func Run(ctx context.Context, cmd *exec.Cmd) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	p, err := Start(cmd)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, p.Kill)
	defer stop()
	<-p.done
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return p.err
}

// native are the signals by which a process ends through its own code.
var native = []syscall.Signal{syscall.SIGSEGV, syscall.SIGABRT, syscall.SIGILL, syscall.SIGFPE,
	syscall.SIGBUS, syscall.SIGTRAP, syscall.SIGSYS}

// Crashed reports whether a process ended by a signal that its own code raised.
func Crashed(s *os.ProcessState) bool {
	status, ok := s.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && slices.Contains(native, status.Signal())
}

// Killed reports whether somebody else ended the process, such as the system when
// it had no more memory: that is no verdict about what ran in it.
func Killed(s *os.ProcessState) bool {
	status, ok := s.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && !slices.Contains(native, status.Signal())
}

// inherited are the variables of this process that any child may see.
var inherited = []string{"PATH", "HOME", "USER", "LANG", "LC_ALL", "LD_LIBRARY_PATH",
	"SSL_CERT_FILE", "SSL_CERT_DIR"}

// Environ returns the variables of this process that a child may see, and those of
// more: a name, or the beginning of names with a star at its end.
func Environ(more ...string) []string {
	var env []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		if slices.Contains(inherited, name) || slices.ContainsFunc(more, func(pattern string) bool {
			prefix, many := strings.CutSuffix(pattern, "*")
			return name == pattern || many && strings.HasPrefix(name, prefix)
		}) {
			env = append(env, kv)
		}
	}
	return env
}
