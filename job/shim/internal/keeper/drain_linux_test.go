package keeper

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The disk may have been slow for as long as the end of the output is waited for.
func TestDrain_TakesWhatIsInThePipeAtTheDeadline(t *testing.T) {
	out, in, err := outputPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	defer syscall.Close(in) // a writer that left the step holds the pipe open
	text := strings.Repeat("a line\n", 9000) + "::metric last=1\n"
	if n, err := syscall.Write(in, []byte(text)); n != len(text) || err != nil {
		t.Fatal(n, err)
	}
	a := &attempt{dir: t.TempDir(), order: Order{LogLimit: 1 << 20, MarksLimit: 1 << 20}}
	out.SetReadDeadline(time.Unix(1, 0))
	a.drain(out, make(chan struct{}))
	if a.exit.LogBytes != int64(len(text)) || a.exit.LogDropped != 0 {
		t.Errorf("%d bytes, %d dropped", a.exit.LogBytes, a.exit.LogDropped)
	}
	marks, err := os.ReadFile(join(a.dir, MarksFile))
	if err != nil || string(marks) != "::metric last=1\n" {
		t.Errorf("marks %q, %v", marks, err)
	}
}
