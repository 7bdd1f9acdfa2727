package shim

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
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
	w.file, _ = os.OpenFile(segmentPath(w.dir, w.total), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
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
	os.Remove(segmentPath(w.dir, w.segments[i].start))
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

func segmentPath(dir string, start int64) string {
	if start == 0 {
		return filepath.Join(dir, logFile)
	}
	return filepath.Join(dir, logFile+"."+strconv.FormatInt(start, 10))
}

// LogPart is a piece of a step's output.
type LogPart struct {
	Skipped int64  // bytes between the asked offset and Data that were dropped
	Data    []byte // raw bytes, stdout and stderr in the order of printing
	Next    int64  // offset to continue from
}

// ReadLog returns up to limit bytes of a step's output from offset on, also
// while it runs. Empty Data means that there is nothing more yet.
func ReadLog(dir string, offset int64, limit int) (LogPart, error) {
	for {
		part, err := readLog(dir, offset, limit)
		if !errors.Is(err, fs.ErrNotExist) { // else the shim has just dropped that segment
			return part, err
		}
	}
}

func readLog(dir string, offset int64, limit int) (LogPart, error) {
	segments, err := listSegments(dir)
	if err != nil {
		return LogPart{}, err
	}
	part := LogPart{Next: offset}
	for _, s := range segments {
		if s.start+s.size <= part.Next {
			continue
		}
		if s.start > part.Next {
			if len(part.Data) > 0 {
				return part, nil
			}
			part.Skipped, part.Next = s.start-offset, s.start
		}
		data, err := readSegment(dir, s, part.Next, limit-len(part.Data))
		if err != nil {
			return LogPart{}, err
		}
		part.Data = append(part.Data, data...)
		part.Next += int64(len(data))
	}
	return part, nil
}

func readSegment(dir string, s segment, from int64, limit int) ([]byte, error) {
	f, err := os.Open(segmentPath(dir, s.start))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, min(int64(limit), s.start+s.size-from))
	n, err := f.ReadAt(b, from-s.start)
	if err == io.EOF {
		err = nil
	}
	return b[:n], err
}

// listSegments returns the kept segments in the stream's order. A directory
// that does not exist has none.
func listSegments(dir string) ([]segment, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []segment
	for _, e := range entries {
		start, ok := segmentStart(e.Name())
		if !ok {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, segment{start, info.Size()})
	}
	sort.Slice(list, func(i, j int) bool { return list[i].start < list[j].start })
	return list, nil
}

func segmentStart(name string) (int64, bool) {
	rest, ok := strings.CutPrefix(name, logFile)
	if !ok || rest == "" {
		return 0, ok
	}
	n, err := strconv.ParseInt(strings.TrimPrefix(rest, "."), 10, 64)
	return n, err == nil && rest[0] == '.'
}

// Tail returns about the last n bytes of a step's output, from the start of a line.
func Tail(dir string, n int) (LogPart, error) {
	segments, err := listSegments(dir)
	if err != nil || len(segments) == 0 {
		return LogPart{}, err
	}
	last := segments[len(segments)-1]
	from := max(0, last.start+last.size-int64(n))
	part, err := ReadLog(dir, from, n)
	if from == 0 || err != nil {
		return part, err
	}
	if i := strings.IndexByte(string(part.Data), '\n'); i >= 0 && i+1 < len(part.Data) {
		part.Data = part.Data[i+1:]
	}
	return part, nil
}

// CopyLog writes a step's whole output to w, with a line where some was dropped.
func CopyLog(w io.Writer, dir string) error {
	const chunk = 256 << 10
	for offset := int64(0); ; {
		part, err := ReadLog(dir, offset, chunk)
		if err != nil || len(part.Data) == 0 {
			return err
		}
		if part.Skipped > 0 {
			fmt.Fprintf(w, "\n[fairlead: %d bytes of output dropped here]\n", part.Skipped)
		}
		if _, err := w.Write(part.Data); err != nil {
			return err
		}
		offset = part.Next
	}
}
