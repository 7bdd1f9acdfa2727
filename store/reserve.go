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

// reserve is a file beside the database that only takes up room. On a full disk its
// room goes to the database's log of writes, where no upload and no step can take it,
// so that control writes, a rollback above all, still find some. Other writes are
// refused until there is room for the reserve again.
type reserve struct {
	path  string
	log   string // the database's log of writes
	bytes int64
	low   atomic.Bool  // the reserve is given up
	tried atomic.Int64 // when it was last tried to take it back, Unix ms
}

// retake is how often a full disk is tried again, in wall time.
const retake = time.Second

func newReserve(dbPath string, bytes int64) *reserve {
	path := filepath.Join(filepath.Dir(dbPath), ".reserve")
	return &reserve{path: path, log: dbPath + "-wal", bytes: bytes}
}

// begin takes the reserve, unless opening the database has used it up.
func (r *reserve) begin() {
	if !r.low.Load() && r.take() != nil {
		r.low.Store(true)
	}
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

// giveUp hands the reserve's room to the log of writes, and reports whether there was
// any. A quarter is left to the database file, which grows by it at the next checkpoint,
// and to the small files around it.
func (r *reserve) giveUp() bool {
	if r.low.Swap(true) || os.Remove(r.path) != nil {
		return false
	}
	f, err := os.OpenFile(r.log, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return true // free for all is better than kept from all
	}
	defer f.Close()
	info, err := f.Stat()
	for n := r.bytes / 4 * 3; err == nil && n >= minHandOver; n /= 2 {
		if unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, info.Size(), n) == nil {
			break
		}
	}
	return true
}

// minHandOver is the least room that is worth handing over, in bytes.
const minHandOver = 256 << 10

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
