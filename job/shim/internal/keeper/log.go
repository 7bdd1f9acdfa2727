package keeper

import (
	"os"
	"slices"
)

// stdout and stderr are drained through one pipe into one stream: only so is
// their order kept, and a traceback stands after the line that was printed
// before it. Offsets are positions in that stream, so they stay true while the
// middle is dropped: the stream is kept in segments, each of which is a file
// that says where it starts. A gap between two segments is what was dropped.

// logWriter keeps the first half of limit bytes, and of the rest the last
// quarter to half. It never fails: what cannot be written counts as dropped,
// since a full disk must not stop a step by a full pipe.
type logWriter struct {
	dir   string
	limit int64

	total, kept int64 // bytes printed, bytes in files
	segments    []segment
	file        *os.File
}

type segment struct{ start, size int64 }

func (w *logWriter) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		if w.room() == 0 {
			w.rotate()
		}
		if w.file == nil {
			w.total += int64(len(rest))
			break
		}
		n := min(int64(len(rest)), w.room())
		w.write(rest[:n])
		rest = rest[n:]
	}
	return len(p), nil
}

// room is what the current segment still takes; 0 asks for a new one.
func (w *logWriter) room() int64 {
	if w.file == nil {
		return 0
	}
	cur := w.segments[len(w.segments)-1]
	if cur.start == 0 {
		return w.limit/2 - cur.size
	}
	return w.limit/4 - cur.size
}

// rotate begins a segment at the stream's position and drops all but two of
// the tail. It leaves no file when the disk is full; the next write tries again.
func (w *logWriter) rotate() {
	if w.file != nil {
		w.file.Close()
	}
	w.file, _ = os.OpenFile(SegmentPath(w.dir, w.total), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if w.file == nil {
		return
	}
	w.segments = append(w.segments, segment{start: w.total})
	first := 0
	if w.segments[0].start == 0 {
		first = 1
	}
	if len(w.segments)-first > 2 {
		w.drop(first)
	}
}

// drop removes the i-th segment.
func (w *logWriter) drop(i int) {
	os.Remove(SegmentPath(w.dir, w.segments[i].start))
	w.kept -= w.segments[i].size
	w.segments = slices.Delete(w.segments, i, i+1)
}

// write appends p to the current segment. After a failed write the stream goes
// on in a new segment, so that offsets stay true.
func (w *logWriter) write(p []byte) {
	n, err := w.file.Write(p)
	last := len(w.segments) - 1
	w.segments[last].size += int64(n)
	w.kept += int64(n)
	w.total += int64(len(p))
	if err == nil {
		return
	}
	w.file.Close()
	w.file = nil
	if w.segments[last].size == 0 {
		w.drop(last)
	}
}

func (w *logWriter) close() {
	if w.file != nil {
		w.file.Close()
	}
}
