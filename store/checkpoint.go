package store

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mattn/go-sqlite3"
)

// checkpointer moves what the log of writes holds to the database file. It does so
// beside the writer, in whose commits the engine would do it otherwise, and of much at
// once: a page that many batches change is moved once. Only the little that was
// written meanwhile is left to the writer, so that the log can begin anew.
type checkpointer struct {
	conn   *sql.DB
	poke   chan struct{}
	quit   context.CancelFunc
	wait   sync.WaitGroup
	moving sync.Mutex  // held while pages are moved here
	rest   atomic.Bool // it is the writer's turn to move what was written meanwhile
	full   atomic.Bool // the database file could not grow
}

const pageSize = 4096 // bytes

// Sizes in pages.
const (
	checkpointAt   = 2000   // of the log that are not moved: they are, beside the writer
	checkpointRest = 500    // what is left to the writer, if that can be reached
	checkpointMost = 6000   // for which the writer waits
	logMost        = 12_000 // of all of the log, for which the writer waits for readers
	checkpointLow  = 1000   // what is moved in a commit on a full disk
)

// readersWait is how long the writer waits for reads that keep the log from beginning
// anew; of longer ones it grows.
const readersWait = 100 * time.Millisecond

// checkpointRows is how many rows are changed between two looks at the log.
const checkpointRows = 1000

func startCheckpointer(path string) (*checkpointer, error) {
	conn, err := open(path, false, 1)
	if err != nil {
		return nil, err
	}
	c := &checkpointer{conn: conn, poke: make(chan struct{}, 1)}
	if err := c.growInSteps(); err != nil {
		conn.Close()
		return nil, err
	}
	var ctx context.Context
	ctx, c.quit = context.WithCancel(context.Background())
	c.wait.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-c.poke:
				if !c.rest.Load() { // else it is the writer's turn, which this would lock out
					c.move(ctx)
				}
			}
		}
	})
	return c, nil
}

// growInSteps makes the file grow in steps also when this connection moves pages.
func (c *checkpointer) growInSteps() error {
	conn, err := c.conn.Conn(context.Background())
	if err != nil {
		return err
	}
	defer conn.Close()
	return growInSteps(conn)
}

// growth is the step by which the database file grows, in bytes. So there is mostly
// room in it where there is none on the disk.
const growth = 1 << 20

func growInSteps(conn *sql.Conn) error {
	err := conn.Raw(func(conn any) error {
		return conn.(*sqlite3.SQLiteConn).SetFileControlInt("", sqlite3.SQLITE_FCNTL_CHUNK_SIZE, growth)
	})
	if err != nil {
		return fmt.Errorf("open the database to write: %w", err)
	}
	return nil
}

// move leaves little to the writer. Where it cannot move anything, as on a full disk,
// the log grows on.
func (c *checkpointer) move(ctx context.Context) {
	c.moving.Lock()
	defer c.moving.Unlock()
	left, _, err := logPages(c.conn.QueryRowContext(ctx, lookAtLog))
	for before := left + 1; err == nil && left > checkpointRest && left < before; {
		before = left
		if _, err = c.conn.ExecContext(ctx, moveLog); err == nil {
			left, _, err = logPages(c.conn.QueryRowContext(ctx, lookAtLog))
		}
	}
	c.full.Store(isFull(err))
	c.rest.Store(err == nil)
}

const (
	lookAtLog = "pragma wal_checkpoint(noop)"
	moveLog   = "pragma wal_checkpoint(passive)"
)

// logPages reads how many pages of the log are not moved yet, and how many it has.
func logPages(row *sql.Row) (left, all int64, err error) {
	var busy, moved int64
	err = row.Scan(&busy, &all, &moved)
	return all - moved, all, err
}

// tend keeps the log short, after a batch is acknowledged.
func (w *writer) tend() {
	c := w.db.moving
	if c.rest.Load() {
		w.checkpoint()
		c.rest.Store(false)
	}
	if c.full.Swap(false) { // before the log needs room that the database file wants
		w.giveUpReserve()
	}
	if w.rows < checkpointRows {
		return
	}
	w.rows = 0
	left, all, err := logPages(w.conn.QueryRowContext(context.Background(), lookAtLog))
	if err != nil {
		return
	}
	if all < w.log { // it began anew
		w.moveAt = 0
	}
	if w.log = all; all < w.moveAt || left < checkpointAt && all < logMost {
		return
	}
	// What did not help, because of a long read or a full disk, is not tried again soon.
	w.moveAt = all + max(all/4, checkpointAt/4)
	if left < checkpointMost && all < logMost {
		select {
		case c.poke <- struct{}{}:
		default:
		}
		return
	}
	c.moving.Lock()
	defer c.moving.Unlock()
	w.restart()
}

// restart moves all of the log, and has it begin anew unless a long read is in the way.
func (w *writer) restart() {
	ctx := context.Background()
	for _, q := range []string{
		fmt.Sprint("pragma busy_timeout = ", readersWait.Milliseconds()),
		"pragma wal_checkpoint(restart)",
		fmt.Sprint("pragma busy_timeout = ", busyTimeout.Milliseconds()),
	} {
		w.conn.ExecContext(ctx, q) // where it cannot, the log grows on
	}
}

// checkpoint moves what the log of writes holds to the database file, which grows for
// it; where it cannot, the log grows on.
func (w *writer) checkpoint() { w.conn.ExecContext(context.Background(), moveLog) }

func (c *checkpointer) stop() error {
	c.quit()
	c.wait.Wait()
	return c.conn.Close()
}
