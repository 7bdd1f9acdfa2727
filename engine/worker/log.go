package worker

import (
	"fmt"
	"os"
	"path/filepath"
)

// cappedLog is a file that keeps the newest output: at half of its bound it is
// renamed to name.1 and started afresh. What cannot be kept is dropped. Only one
// goroutine writes.
type cappedLog struct {
	file *os.File
	path string
	size int64
	half int64
}

// openLog opens the log, and makes its directory. After an error it drops what it is
// given.
func openLog(path string, limit int64) (*cappedLog, error) {
	l := &cappedLog{path: path, half: max(limit/2, 1)}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return l, fmt.Errorf("worker directory: %w", err)
	}
	return l, l.open(os.O_APPEND)
}

func (l *cappedLog) open(mode int) error {
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_WRONLY|mode, 0o644)
	if err != nil {
		return fmt.Errorf("worker log: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return fmt.Errorf("worker log: %w", err)
	}
	l.file, l.size = f, info.Size()
	return nil
}

// Write never fails: a log that cannot be written must not stop the worker whose
// output it drains.
func (l *cappedLog) Write(b []byte) (int, error) {
	if l.size+int64(len(b)) > l.half && l.size > 0 {
		l.rotate()
	}
	if l.file != nil {
		n, _ := l.file.Write(b[:min(int64(len(b)), l.half)])
		l.size += int64(n)
	}
	return len(b), nil
}

func (l *cappedLog) rotate() {
	l.Close()
	os.Rename(l.path, l.path+".1")
	if l.open(os.O_TRUNC) != nil {
		l.file = nil
	}
}

func (l *cappedLog) Close() error {
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	return err
}
