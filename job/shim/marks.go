package shim

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fairlead-ml/fairlead/job/shim/internal/keeper"
)

// ReadMarks returns the marks of a step from offset on, without their line
// ends, and the offset to continue from. It may be called while the step runs.
func ReadMarks(dir string, offset int64) (marks []string, next int64, err error) {
	f, err := os.Open(filepath.Join(dir, keeper.MarksFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, offset, nil
	}
	if err != nil {
		return nil, offset, err
	}
	defer f.Close()
	const atOnce = 1 << 20
	b := make([]byte, atOnce)
	n, err := f.ReadAt(b, offset)
	if err != nil && err != io.EOF {
		return nil, offset, err
	}
	end := bytes.LastIndexByte(b[:n], '\n') + 1
	for _, line := range bytes.Split(b[:end], []byte("\n")) {
		if len(line) > 0 {
			marks = append(marks, string(line))
		}
	}
	return marks, offset + int64(end), nil
}
