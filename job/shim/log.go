package shim

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sort"
	"strconv"
	"strings"

	"github.com/fairlead-ml/fairlead/job/shim/internal/keeper"
)

// segment is a kept piece of a step's output: where it starts in the stream, and
// how long it is.
type segment struct{ start, size int64 }

// LogPart is a piece of a step's output.
type LogPart struct {
	Skipped int64  // bytes between the asked offset and Data that were dropped
	Data    []byte // raw bytes, stdout and stderr in the order of printing
	Next    int64  // offset to continue from
	End     int64  // bytes that were printed so far
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
	if n := len(segments); n > 0 {
		part.End = segments[n-1].start + segments[n-1].size
	}
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
	f, err := os.Open(keeper.SegmentPath(dir, s.start))
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
	rest, ok := strings.CutPrefix(name, keeper.LogFile)
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
