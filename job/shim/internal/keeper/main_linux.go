package keeper

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// Main runs the shim and never returns when this process was started as one;
// else it returns at once. main and TestMain call it before anything else.
func Main() {
	if len(os.Args) != 2 || os.Args[0] != Argv0 {
		return
	}
	if err := run(os.Args[1]); err != nil {
		os.Exit(1) // there is no one to tell; without exit.json the attempt is lost
	}
	os.Exit(0)
}

// attempt is the shim's own state.
type attempt struct {
	dir   string
	order Order
	stop  chan os.Signal
	exit  Exit
	who   *reserved // shim.json
	end   *reserved // exit.json
}

// run is the life of a shim. It stays on one thread, since the command dies
// with the thread that forked it (PR_SET_PDEATHSIG), as it should when the shim
// is killed.
func run(dir string) error {
	runtime.LockOSThread()
	syscall.CloseOnExec(LockFD)
	syscall.CloseOnExec(OrderFD)
	a := &attempt{dir: dir, stop: make(chan os.Signal, 8)}
	signal.Notify(a.stop, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	if err := a.receive(); err != nil {
		return err
	}
	if err := becomeSubreaper(); err != nil {
		return err
	}
	var err error
	if a.who, err = reserve(dir, ShimFile); err != nil {
		return err
	}
	if a.end, err = reserve(dir, ExitFile); err != nil {
		return err
	}
	a.exit.StartedMS = time.Now().UnixMilli()
	if err := a.runCommand(); err != nil {
		return err
	}
	a.exit.FinishedMS = time.Now().UnixMilli()
	if err := a.end.write(Ending{Protocol: Protocol, Exit: a.exit}, durable); err != nil {
		return err
	}
	return syncDir(dir)
}

func (a *attempt) receive() error {
	f := os.NewFile(OrderFD, "order")
	defer f.Close()
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<40))
	if err != nil {
		return err
	}
	return json.Unmarshal(b, &a.order)
}

// runCommand fills in how the command ended. An error means that this is an
// attempt that no later server could watch, which therefore does not take place.
func (a *attempt) runCommand() error {
	if _, err := os.Stat(join(a.dir, KillFile)); err == nil {
		a.exit.State, a.exit.Code = Killed, -1
		return nil
	}
	out, in, err := outputPipe()
	if err != nil {
		return err
	}
	pid, err := a.fork(in)
	syscall.Close(in)
	if err != nil {
		a.exit.State, a.exit.Code, a.exit.Error = StartError, -1, a.startError(err)
		return nil
	}
	if err := a.announce(pid); err != nil {
		reap(pid)
		return err
	}
	drained := make(chan struct{})
	go a.drain(out, drained)
	asked := a.supervise(pid)
	status, left := reap(pid)
	a.finishDrain(out, drained)
	if asked == "" && a.terminatedToo(status) {
		asked = Killed
	}
	a.judge(asked, status)
	if a.exit.Left = left; left {
		a.exit.Error = "processes of the step did not end, even when killed"
	}
	return nil
}

// outputPipe returns the reading end, which Go's poller watches, and the
// writing end, which must block as a command expects of its stdout.
func outputPipe() (out *os.File, in int, err error) {
	var p [2]int
	if err := syscall.Pipe2(p[:], syscall.O_CLOEXEC); err != nil {
		return nil, -1, err
	}
	setPipeSize(p[1], drainBytes)
	if err := syscall.SetNonblock(p[0], true); err != nil {
		return nil, -1, err
	}
	return os.NewFile(uintptr(p[0]), "output"), p[1], nil
}

func (a *attempt) fork(out int) (int, error) {
	env := make([]string, 0, len(a.order.Env)+1)
	for _, e := range a.order.Env {
		if !strings.HasPrefix(e, AttemptVar+"=") {
			env = append(env, e)
		}
	}
	path, err := lookPath(a.order.Command[0], a.order.WorkDir, env)
	if err != nil {
		return 0, err
	}
	null, err := syscall.Open(os.DevNull, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer syscall.Close(null)
	return syscall.ForkExec(path, a.order.Command, &syscall.ProcAttr{
		Dir:   a.order.WorkDir,
		Env:   append(env, AttemptVar+"="+a.order.Cookie),
		Files: []uintptr{uintptr(null), uintptr(out), uintptr(out)},
		Sys:   &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
	})
}

// lookPath finds a command as a shell would, with the command's own PATH and
// in the command's own directory.
func lookPath(name, workDir string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil // the fork changes directory first
	}
	search := ""
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, "PATH="); ok {
			search = v
		}
	}
	for dir := range strings.SplitSeq(search, ":") {
		if search == "" {
			break
		}
		if dir == "" {
			dir = workDir // an empty part is the current directory, as in a shell
		}
		if !strings.HasPrefix(dir, "/") {
			dir = join(workDir, dir)
		}
		path := join(dir, name)
		info, err := os.Stat(path)
		if err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fmt.Errorf("%q is not on the step's PATH (%s)", name, search)
}

// startError says why the command did not start. Linux answers "no such file"
// for a missing work directory and interpreter as well as for a missing program.
func (a *attempt) startError(err error) string {
	if _, statErr := os.Stat(a.order.WorkDir); statErr != nil {
		err = fmt.Errorf("the work directory cannot be used: %w", statErr)
	}
	msg := fmt.Sprintf("start %s: %v", a.order.Command[0], err)
	if errors.Is(err, fs.ErrNotExist) && strings.Contains(a.order.Command[0], "/") {
		msg += " (the program, or the interpreter that its first line names, is missing)"
	}
	return msg[:min(len(msg), 2000)]
}

// announce lets a later server find the shim and the child.
func (a *attempt) announce(pid int) error {
	me, err := ReadStat(os.Getpid())
	if err != nil {
		return err
	}
	child, err := ReadStat(pid)
	if err != nil {
		return err
	}
	who := Whois{Protocol: Protocol, Shim: me.Identity(), Child: child.Identity()}
	return a.who.write(who, !durable)
}

// supervise waits for the end of the command, and brings it about at the
// time-out or when asked. It returns Killed, TimedOut, or "" for neither.
func (a *attempt) supervise(pid int) (asked State) {
	ended := make(chan struct{})
	go func() {
		awaitExit(pid)
		close(ended)
	}()
	timeout, kill := after(a.order.TimeoutMS), (<-chan time.Time)(nil)
	for {
		select {
		case <-ended:
			return asked
		case sig := <-a.stop:
			if sig != syscall.SIGTERM {
				continue // of a terminal: this session has none
			}
			if asked == "" {
				asked, kill = Killed, a.terminate(pid)
			}
		case <-timeout:
			if asked == "" {
				asked, kill = TimedOut, a.terminate(pid)
			}
		case <-kill:
			syscall.Kill(-pid, syscall.SIGKILL)
		}
	}
}

// termWithin bounds the time between a TERM to the command and the same to the shim.
const termWithin = 500 * time.Millisecond

// terminatedToo reports whether a command that ended by TERM (or as a shell tells
// that) was only faster than the shim in what was meant for both.
func (a *attempt) terminatedToo(status syscall.WaitStatus) bool {
	byTerm := status.Signaled() && status.Signal() == syscall.SIGTERM
	if !byTerm && status.ExitStatus() != 128+int(syscall.SIGTERM) {
		return false
	}
	late := time.After(termWithin)
	for {
		select {
		case sig := <-a.stop:
			if sig == syscall.SIGTERM {
				return true
			}
		case <-late:
			return false
		}
	}
}

// after is time.After, with a channel that never fires for 0.
func after(ms int64) <-chan time.Time {
	if ms == 0 {
		return nil
	}
	return time.After(time.Duration(ms) * time.Millisecond)
}

// terminate begins the end of the command's group and returns when to kill it.
func (a *attempt) terminate(pid int) <-chan time.Time {
	if a.order.GraceMS > 0 {
		syscall.Kill(-pid, syscall.SIGTERM)
	}
	return time.After(a.order.Grace())
}

// judge says how the command ended, from its wait status and what was asked.
func (a *attempt) judge(asked State, status syscall.WaitStatus) {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_CHILDREN, &usage) == nil {
		a.exit.MaxRSSBytes = usage.Maxrss << 10
		a.exit.UserMS = time.Duration(usage.Utime.Nano()).Milliseconds()
		a.exit.SysMS = time.Duration(usage.Stime.Nano()).Milliseconds()
	}
	a.exit.State, a.exit.Code = Exited, status.ExitStatus()
	if status.Signaled() {
		a.exit.State, a.exit.Signal = Signaled, status.Signal().String()
	}
	if asked != "" {
		a.exit.State = asked
	}
}
