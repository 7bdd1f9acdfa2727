package powercut

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ErrNoTracing is what Record returns where processes may not be traced.
var ErrNoTracing = errors.New("a power cut needs the right to trace a process")

// Record runs a command until it ends, and returns what it did to the files below dir,
// an absolute path. What is there before is durable. What the command prints is
// acknowledged with each write. It has one process, which may have threads.
func Record(cmd *exec.Cmd, dir string) (*Log, error) {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, err
	}
	log := &Log{}
	if err := log.begin(dir); err != nil {
		return nil, err
	}
	errs, err := os.CreateTemp("", "powercut-*") // no pipe: the command is waited for here
	if err != nil {
		return nil, err
	}
	defer os.Remove(errs.Name())
	defer errs.Close()
	cmd.Stderr = errs
	runtime.LockOSThread() // who traces is a thread
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Ptrace: true}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoTracing, err)
	}
	defer cmd.Process.Release()
	r := &recorder{dir: dir, pid: cmd.Process.Pid, calls: map[int]*call{}, log: log}
	status, err := r.trace()
	if err != nil {
		cmd.Process.Kill()
		return nil, err
	}
	if status.ExitStatus() != 0 {
		text, _ := os.ReadFile(errs.Name())
		return nil, fmt.Errorf("%s ended with %d: %s", cmd.Path, status, text)
	}
	return log, log.compare(dir)
}

// recorder traces a process.
type recorder struct {
	dir   string
	pid   int
	calls map[int]*call // by thread
	log   *Log
}

// call is a system call that has begun.
type call struct {
	nr    uint64
	args  [6]uint64
	op    op
	known bool // its op is to be recorded when it succeeds
	read  bool // its data are read from the file when it has ended
}

// trace lets the process run from one system call to the next, until it ends.
func (r *recorder) trace() (status unix.WaitStatus, err error) {
	if _, err := unix.Wait4(r.pid, &status, 0, nil); err != nil {
		return status, err
	}
	const options = unix.PTRACE_O_TRACESYSGOOD | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_EXITKILL
	if err := unix.PtraceSetOptions(r.pid, options); err != nil {
		return status, err
	}
	for thread, signal := r.pid, 0; ; {
		if err := unix.PtraceSyscall(thread, signal); err != nil && !errors.Is(err, unix.ESRCH) {
			return status, err
		}
		thread, err = unix.Wait4(-1, &status, unix.WALL|unix.WNOTHREAD, nil)
		if err != nil {
			return status, err
		}
		for !status.Stopped() { // of the threads of a process the first is reported last
			if thread == r.pid {
				return status, nil
			}
			if thread, err = unix.Wait4(-1, &status, unix.WALL|unix.WNOTHREAD, nil); err != nil {
				return status, err
			}
		}
		signal = 0
		switch stop := status.StopSignal(); {
		case stop == unix.SIGTRAP|0x80:
			err = r.step(thread)
		case stop != unix.SIGTRAP && stop != unix.SIGSTOP: // those are ptrace's own
			signal = int(stop)
		}
		if err != nil {
			return status, err
		}
	}
}

// syscallInfo is struct ptrace_syscall_info of ptrace(2).
type syscallInfo struct {
	op   uint8
	_    [3]uint8
	arch uint32
	ip   uint64
	sp   uint64
	data [8]uint64 // on entry the number and the arguments, on exit the result
}

const (
	getSyscallInfo = 0x420e
	infoEntry      = 1
	infoExit       = 2
)

func (r *recorder) step(thread int) error {
	var info syscallInfo
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, getSyscallInfo, uintptr(thread),
		unsafe.Sizeof(info), uintptr(unsafe.Pointer(&info)), 0, 0)
	if errno == unix.ESRCH {
		return nil // it was ended meanwhile
	}
	if errno != 0 {
		return errno
	}
	switch info.op {
	case infoEntry:
		c := &call{nr: info.data[0], args: [6]uint64(info.data[1:7])}
		r.calls[thread] = c
		return r.enter(c)
	case infoExit:
		c := r.calls[thread]
		delete(r.calls, thread)
		if c != nil && int64(info.data[0]) >= 0 {
			return r.leave(c, int64(info.data[0]))
		}
	}
	return nil
}

// sysUnlink is unlink(2), which only older machines have beside unlinkat(2).
const sysUnlink = 87

// enter notes what a call is about to do.
func (r *recorder) enter(c *call) (err error) {
	a := c.args
	switch c.nr {
	case unix.SYS_WRITE:
		return r.enterWrite(c)
	case unix.SYS_PWRITE64:
		c.op = op{kind: write, off: int64(a[3])}
		if c.known = r.byFile(c, a[0]); c.known {
			c.op.data, err = r.memory(a[1], a[2])
		}
	case unix.SYS_WRITEV, unix.SYS_PWRITEV, unix.SYS_PWRITEV2, unix.SYS_SPLICE:
		if r.byFile(c, a[0]) || r.byFile(c, a[2]) {
			err = fmt.Errorf("call %d is not modelled", c.nr)
		}
	case unix.SYS_COPY_FILE_RANGE, unix.SYS_SENDFILE:
		to := a[0]
		if c.nr == unix.SYS_COPY_FILE_RANGE {
			to = a[2]
		}
		c.op = op{kind: write}
		if c.known = r.byFile(c, to); c.known {
			c.read = true
			c.op.off, err = r.position(to)
		}
	case unix.SYS_FTRUNCATE:
		c.op = op{kind: resize, off: int64(a[1])}
		c.known = r.byFile(c, a[0])
	case unix.SYS_FALLOCATE:
		c.op = op{kind: resize, off: int64(a[2] + a[3])}
		c.known = a[1] == 0 && r.byFile(c, a[0])
	case unix.SYS_FSYNC, unix.SYS_FDATASYNC:
		c.op = op{kind: sync, begun: len(r.log.ops)}
		c.known = r.byFile(c, a[0])
	case unix.SYS_RENAMEAT, unix.SYS_RENAMEAT2:
		c.op = op{kind: rename}
		if c.known, err = r.byName(a[0], a[1], &c.op.path); err == nil {
			_, err = r.byName(a[2], a[3], &c.op.to)
		}
	case unix.SYS_MKDIRAT:
		c.op = op{kind: mkdir}
		c.known, err = r.byName(a[0], a[1], &c.op.path)
	case unix.SYS_UNLINKAT:
		c.op = op{kind: remove}
		c.known, err = r.byName(a[0], a[1], &c.op.path)
	case sysUnlink:
		if runtime.GOARCH == "amd64" {
			c.op = op{kind: remove}
			c.known, err = r.byName(here, a[0], &c.op.path)
		}
	}
	return err
}

// here is the working directory as a descriptor, as the kernel has it.
const here = ^uint64(99) // AT_FDCWD, -100

// enterWrite notes a write at a file's position, or an acknowledgement.
func (r *recorder) enterWrite(c *call) (err error) {
	fd := c.args[0]
	if fd == 1 {
		data, err := r.memory(c.args[1], c.args[2])
		r.log.ops = append(r.log.ops, op{kind: say, data: data})
		return err
	}
	c.op = op{kind: write}
	if c.known = r.byFile(c, fd); !c.known {
		return nil
	}
	if c.op.off, err = r.position(fd); err == nil {
		c.op.data, err = r.memory(c.args[1], c.args[2])
	}
	return err
}

// leave records what a call has done.
func (r *recorder) leave(c *call, result int64) (err error) {
	if c.nr == unix.SYS_OPENAT {
		return r.opened(c, uint64(result))
	}
	if !c.known {
		return nil
	}
	switch {
	case c.read:
		c.op.data = make([]byte, result)
		err = r.content(c.op.path, c.op.off, c.op.data)
	case c.op.kind == write:
		c.op.data = c.op.data[:result]
	case c.nr == unix.SYS_FALLOCATE:
		if info, err := os.Stat(filepath.Join(r.dir, c.op.path)); err == nil {
			c.op.off = info.Size() // it makes no file shorter
		}
	}
	if c.op.kind != write || len(c.op.data) > 0 {
		r.log.ops = append(r.log.ops, c.op)
	}
	return err
}

// opened records that a file was made, or made empty.
func (r *recorder) opened(c *call, fd uint64) error {
	flags := c.args[2]
	if flags&(unix.O_CREAT|unix.O_TRUNC) == 0 || !r.byFile(c, fd) {
		return nil
	}
	c.op.kind = resize
	if flags&unix.O_CREAT != 0 && !r.log.has(c.op.path) {
		c.op.kind = create
	} else if flags&unix.O_TRUNC == 0 {
		return nil
	}
	r.log.ops = append(r.log.ops, c.op)
	return nil
}

// has reports whether a file has the name now.
func (l *Log) has(path string) bool {
	for i := len(l.ops) - 1; i >= 0; i-- {
		switch o := l.ops[i]; {
		case o.kind == create && o.path == path, o.kind == rename && o.to == path:
			return true
		case (o.kind == remove || o.kind == rename) && o.path == path:
			return false
		}
	}
	return false
}

// byFile sets the path of the call's op to that of a descriptor, and reports whether
// it is one of those that are recorded.
func (r *recorder) byFile(c *call, fd uint64) bool {
	path, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", r.pid, int32(fd)))
	if err != nil || strings.HasSuffix(path, " (deleted)") {
		return false
	}
	return r.below(path, &c.op.path)
}

// byName is byFile for a name in a directory.
func (r *recorder) byName(dirfd, name uint64, to *string) (ok bool, err error) {
	path, err := r.text(name)
	if err != nil {
		return false, err
	}
	if !filepath.IsAbs(path) {
		base := fmt.Sprintf("/proc/%d/fd/%d", r.pid, int32(dirfd))
		if int32(dirfd) == unix.AT_FDCWD {
			base = fmt.Sprintf("/proc/%d/cwd", r.pid)
		}
		if base, err = os.Readlink(base); err != nil {
			return false, nil // the call fails
		}
		path = filepath.Join(base, path)
	}
	return r.below(path, to), nil
}

// below sets a path relative to the recorded directory.
func (r *recorder) below(path string, to *string) bool {
	rel, err := filepath.Rel(r.dir, path)
	if err != nil || rel == ".." || strings.HasPrefix(rel, "../") || !modelled(rel) {
		return false
	}
	*to = filepath.ToSlash(rel)
	return true
}

// modelled reports whether a file is recorded: one that is mapped is not.
func modelled(path string) bool { return !strings.HasSuffix(path, "-shm") }

// memory reads n bytes of the process.
func (r *recorder) memory(at, n uint64) ([]byte, error) {
	b := make([]byte, n)
	if n == 0 {
		return b, nil
	}
	got, err := unix.ProcessVMReadv(r.pid, []unix.Iovec{{Base: &b[0], Len: n}},
		[]unix.RemoteIovec{{Base: uintptr(at), Len: int(n)}}, 0)
	if err == nil && uint64(got) < n {
		err = io.ErrUnexpectedEOF
	}
	return b, err
}

// text reads a string that ends with a zero byte; it asks for no more than one page.
func (r *recorder) text(at uint64) (string, error) {
	var s []byte
	for page := uint64(os.Getpagesize()); ; {
		b, err := r.memory(at, page-at%page)
		if err != nil {
			return "", err
		}
		before, _, ended := strings.Cut(string(b), "\x00")
		if s = append(s, before...); ended {
			return string(s), nil
		}
		at += uint64(len(b))
	}
}

// position returns where in its file a descriptor is.
func (r *recorder) position(fd uint64) (at int64, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%d", r.pid, fd))
	if err == nil {
		_, err = fmt.Sscanf(string(b), "pos: %d", &at)
	}
	return at, err
}

// content reads what a file has at an offset.
func (r *recorder) content(path string, off int64, into []byte) error {
	f, err := os.Open(filepath.Join(r.dir, path))
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.ReadAt(into, off)
	return err
}
