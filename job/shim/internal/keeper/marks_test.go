package keeper

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// FuzzMarks holds the scanner to the rule that how a stream is cut into chunks
// changes nothing.
func FuzzMarks(f *testing.F) {
	f.Add([]byte("::metric a=1\nx\n::b\r\n::"), 3)
	f.Add([]byte(":\n::a\n:::a\n::a-b c"), 1)
	scan := func(t *testing.T, in []byte, size int) string {
		m := &markScanner{path: filepath.Join(t.TempDir(), MarksFile), limit: 1 << 20}
		for rest := in; len(rest) > 0; {
			n := min(size, len(rest))
			m.Write(rest[:n])
			rest = rest[n:]
		}
		m.close()
		b, _ := os.ReadFile(m.path)
		return string(b)
	}
	f.Fuzz(func(t *testing.T, in []byte, size int) {
		whole := scan(t, in, len(in)+1)
		if cut := scan(t, in, max(1, size)); cut != whole {
			t.Errorf("in chunks of %d: %q, whole: %q", size, cut, whole)
		}
		for _, line := range bytes.Split([]byte(whole), []byte("\n")) {
			if len(line) > 0 && !isMark(line) {
				t.Errorf("%q was kept", line)
			}
		}
	})
}
