package shim_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/fairlead-ml/fairlead/job/shim"
)

// counting prints n lines "line 1" to "line n" quickly.
func counting(n int) string { return fmt.Sprintf(`seq -f 'line %%.0f' 1 %d`, n) }

func TestLog_KeepsTheFirstAndTheLastPart(t *testing.T) {
	s := sh(t, counting(100_000))
	s.LogLimitBytes = 64 << 10
	exit := run(t, s)
	got := output(t, s.Dir)

	notice := regexp.MustCompile(`\n\[fairlead: (\d+) bytes of output dropped here\]\n`)
	gap := notice.FindStringSubmatchIndex(got)
	if gap == nil {
		t.Fatalf("no line says what was dropped, in %d bytes", len(got))
	}
	head, tail := got[:gap[0]], got[gap[1]:]
	if !strings.HasPrefix(head, "line 1\nline 2\n") || len(head) != 32<<10 {
		t.Errorf("the first part has %d bytes and starts with %.20q", len(head), head)
	}
	if !strings.HasSuffix(tail, "line 99999\nline 100000\n") || len(tail) < 16<<10 {
		t.Errorf("the last part has %d bytes and ends with %q", len(tail), tail[len(tail)-20:])
	}
	dropped, _ := strconv.ParseInt(got[gap[2]:gap[3]], 10, 64)
	if dropped != exit.LogDropped || int64(len(head)+len(tail))+dropped != exit.LogBytes {
		t.Errorf("%d + %d + %d dropped, but exit = %+v", len(head), len(tail), dropped, exit)
	}
}

func TestLog_AFloodTakesNoSpace(t *testing.T) {
	s := sh(t, `echo '::metric before=1'; head -c 200000000 /dev/zero; echo; echo '::metric after=2'`)
	s.LogLimitBytes = 1 << 20
	exit := run(t, s)
	if !exit.OK() || exit.LogBytes < 200_000_000 {
		t.Fatalf("exit = %+v", exit)
	}
	var size int64
	entries, _ := os.ReadDir(s.Dir)
	for _, e := range entries {
		info, _ := e.Info()
		size += info.Size()
	}
	if size > 1<<20+8<<10 {
		t.Errorf("the attempt takes %d bytes", size)
	}
	marks, _, err := shim.ReadMarks(s.Dir, 0)
	if err != nil || len(marks) != 2 || marks[1] != "::metric after=2" {
		t.Errorf("marks = %q, %v", marks, err)
	}
}

func TestReadLog_FollowsAcrossWhatWasDropped(t *testing.T) {
	s := sh(t, counting(20_000))
	s.LogLimitBytes = 16 << 10
	exit := run(t, s)
	var read, skipped int64
	for offset := int64(0); ; {
		part, err := shim.ReadLog(s.Dir, offset, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if part.Next != offset+part.Skipped+int64(len(part.Data)) {
			t.Fatalf("from %d: skipped %d, read %d, next %d",
				offset, part.Skipped, len(part.Data), part.Next)
		}
		if len(part.Data) == 0 {
			break
		}
		read, skipped, offset = read+int64(len(part.Data)), skipped+part.Skipped, part.Next
	}
	if skipped != exit.LogDropped || read+skipped != exit.LogBytes {
		t.Errorf("read %d, skipped %d; exit = %+v", read, skipped, exit)
	}
}

func TestTail_StartsWithALine(t *testing.T) {
	s := sh(t, counting(5000))
	s.LogLimitBytes = 8 << 10
	run(t, s)
	part, err := shim.Tail(s.Dir, 30)
	if err != nil || string(part.Data) != "line 4999\nline 5000\n" {
		t.Errorf("tail = %q, %v", part.Data, err)
	}
	if part, err := shim.Tail(t.TempDir(), 30); err != nil || len(part.Data) != 0 {
		t.Errorf("tail of nothing = %q, %v", part.Data, err)
	}
}

func TestMarks_AreLinesOfTheirOwn(t *testing.T) {
	long := strings.Repeat("x", 5000)
	s := sh(t, `cat marks; printf '::metric unfinished=1'`)
	in := "::metric auc=0.91 step=3\nnot a ::metric x=1\n:: none\n::METRIC a=1\n::\n" +
		"::set-output a b\r\n ::metric b=1\n::notice\n::metric " + long + "\n::metric last=1\n"
	if err := os.WriteFile(filepath.Join(s.WorkDir, "marks"), []byte(in), 0o600); err != nil {
		t.Fatal(err)
	}
	exit := run(t, s)
	want := []string{"::metric auc=0.91 step=3", "::set-output a b", "::notice",
		"::metric last=1", "::metric unfinished=1"}
	got, next, err := shim.ReadMarks(s.Dir, 0)
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("marks = %q, %v", got, err)
	}
	if exit.MarksDropped != 1 {
		t.Errorf("%d marks dropped, want the one that is too long", exit.MarksDropped)
	}
	if more, again, err := shim.ReadMarks(s.Dir, next); err != nil || len(more) != 0 || again != next {
		t.Errorf("after the end: %q, %d, %v", more, again, err)
	}
	if got := output(t, s.Dir); got != in+"::metric unfinished=1" {
		t.Errorf("the log must hold the marks too")
	}
}

func TestMarks_AreBounded(t *testing.T) {
	s := sh(t, `echo '::metric early=1'; seq -f '::metric n=%.0f' 1 500; echo '::metric late=1 step=1'
		echo '::metric late=2 step=2'; seq -f '::metric n=%.0f' 501 997`)
	s.MarksLimitBytes = 1000
	exit := run(t, s)
	marks, _, err := shim.ReadMarks(s.Dir, 0)
	if err != nil || int64(len(marks))+exit.MarksDropped != 1000 || marks[0] != "::metric early=1" {
		t.Fatalf("%d marks, %d dropped, %v", len(marks), exit.MarksDropped, err)
	}
	last := strings.Join(marks[len(marks)-2:], ", ")
	if want := "::metric late=2 step=2, ::metric n=997"; last != want {
		t.Errorf("the marks end with %q, want the last of each name: %q", last, want)
	}
}
