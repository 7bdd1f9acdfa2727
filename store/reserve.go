package store

import (
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/fairlead-ml/fairlead"
)

// reserve is a file beside the database that only takes up room. On a full disk it
// is given up, so that control writes, a rollback above all, still find some; other
// writes are refused until there is room to take it back.
type reserve struct {
	path  string
	bytes int64
	low   atomic.Bool  // the reserve is given up
	tried atomic.Int64 // when it was last tried to take it back, Unix ms
}

// retake is how often a full disk is tried again, in wall time.
const retake = time.Second

func newReserve(dbPath string, bytes int64) *reserve {
	r := &reserve{path: filepath.Join(filepath.Dir(dbPath), ".reserve"), bytes: bytes}
	if err := r.take(); err != nil {
		r.low.Store(true)
	}
	return r
}

// take allocates the reserve; where the file system cannot, it writes it.
func (r *reserve) take() error {
	if info, err := os.Stat(r.path); err == nil && info.Size() >= r.bytes {
		return nil
	}
	f, err := os.OpenFile(r.path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = unix.Fallocate(int(f.Fd()), 0, 0, r.bytes)
	if errors.Is(err, unix.EOPNOTSUPP) {
		_, err = f.Write(make([]byte, r.bytes))
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(r.path))
	}
	return nil
}

// giveUp frees the reserve's room, and reports whether there was any to free.
func (r *reserve) giveUp() bool {
	return !r.low.Swap(true) && os.Remove(r.path) == nil
}

// admits reports whether writes other than control's may go on: as long as the
// reserve is there, or can be taken back.
func (r *reserve) admits(now time.Time) bool {
	if !r.low.Load() {
		return true
	}
	last := r.tried.Load()
	if now.UnixMilli()-last < retake.Milliseconds() || !r.tried.CompareAndSwap(last, now.UnixMilli()) {
		return false
	}
	if r.take() != nil {
		return false
	}
	r.low.Store(false)
	return true
}

var errFull = fairlead.Errorf(fairlead.Exhausted,
	"the disk of the data directory is full; free some room, nothing was changed")
