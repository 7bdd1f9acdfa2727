package keeper

import (
	"errors"
	"os"
	"syscall"
	"time"
)

// drainBytes is the size of the pipe and of the buffer that empties it.
const drainBytes = 256 << 10

// drainWithin bounds the wait for the end of the output after the step's
// processes are gone: a writer that left the step may hold the pipe open.
const drainWithin = 2 * time.Second

// drain empties the pipe into the log and the marks until its last writer is
// gone, and fills in what was printed.
func (a *attempt) drain(out *os.File, done chan<- struct{}) {
	defer close(done)
	log := &logWriter{dir: a.dir, limit: a.order.LogLimit}
	marks := &markScanner{path: join(a.dir, MarksFile), limit: a.order.MarksLimit}
	buf := make([]byte, drainBytes)
	var err error
	for err == nil {
		var n int
		n, err = out.Read(buf)
		log.Write(buf[:n])
		marks.Write(buf[:n])
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		n := readRest(out, buf)
		log.Write(buf[:n])
		marks.Write(buf[:n])
	}
	log.close()
	marks.close()
	a.exit.LogBytes, a.exit.LogDropped = log.total, log.total-log.kept
	a.exit.MarksDropped = marks.dropped
}

// readRest fills buf, which is as large as the pipe, with what is in the pipe, and waits
// for no more: a disk that was slow until the deadline must not cost the last lines.
func readRest(out *os.File, buf []byte) (n int) {
	raw, err := out.SyscallConn()
	if err != nil || out.SetReadDeadline(time.Time{}) != nil {
		return 0
	}
	raw.Read(func(fd uintptr) bool {
		for n < len(buf) {
			m, err := syscall.Read(int(fd), buf[n:])
			if err == syscall.EINTR {
				continue
			}
			if m <= 0 {
				break
			}
			n += m
		}
		return true
	})
	return n
}

// finishDrain waits for the rest of the output.
func (a *attempt) finishDrain(out *os.File, drained <-chan struct{}) {
	out.SetReadDeadline(time.Now().Add(drainWithin))
	<-drained
	out.Close()
}
