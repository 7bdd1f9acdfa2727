package keeper

import (
	"os"
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
	for {
		n, err := out.Read(buf)
		log.Write(buf[:n])
		marks.Write(buf[:n])
		if err != nil {
			break
		}
	}
	log.close()
	marks.close()
	a.exit.LogBytes, a.exit.LogDropped = log.total, log.total-log.kept
	a.exit.MarksDropped = marks.dropped
}

// finishDrain waits for the rest of the output.
func (a *attempt) finishDrain(out *os.File, drained <-chan struct{}) {
	out.SetReadDeadline(time.Now().Add(drainWithin))
	<-drained
	out.Close()
}
