package pyenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// lockPoll is how often a waiting builder looks again. flock cannot be cancelled.
const lockPoll = 50 * time.Millisecond

// lockFile takes the exclusive lock of a file. The system releases it when this
// process has died and all those that inherited the file. The file stays: removing
// it would give two holders.
func lockFile(ctx context.Context, path string) (held *os.File, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			f.Close()
			return nil, fmt.Errorf("lock: %w", err)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, ctx.Err()
		case <-time.After(lockPoll):
		}
	}
}

// unlock releases the lock also where a process that inherited it lives on.
func unlock(held *os.File) {
	syscall.Flock(int(held.Fd()), syscall.LOCK_UN)
	held.Close()
}
