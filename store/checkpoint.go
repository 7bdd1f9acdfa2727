package store

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"sync/atomic"

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
}

// Sizes of the log in pages that are not moved yet.
const (
	checkpointAt   = 4000   // what is moved beside the writer
	checkpointRest = 500    // what is left to the writer, if that can be reached
	checkpointMost = 12_000 // for which the writer waits
	checkpointLow  = 1000   // what is moved in a commit on a full disk
)

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
	left, err := unmoved(c.conn.QueryRowContext(ctx, lookAtLog))
	for before := left + 1; err == nil && left > checkpointRest && left < before; {
		before = left
		if _, err = c.conn.ExecContext(ctx, moveLog); err == nil {
			left, err = unmoved(c.conn.QueryRowContext(ctx, lookAtLog))
		}
	}
	c.rest.Store(err == nil)
}

const (
	lookAtLog = "pragma wal_checkpoint(noop)"
	moveLog   = "pragma wal_checkpoint(passive)"
)

// unmoved reads how many pages of the log are not moved yet.
func unmoved(row *sql.Row) (int64, error) {
	var busy, log, moved int64
	err := row.Scan(&busy, &log, &moved)
	return log - moved, err
}

// tend keeps the log short, after a batch is acknowledged.
func (w *writer) tend() {
	c := w.db.moving
	if c.rest.Load() {
		w.checkpoint()
		c.rest.Store(false)
	}
	if w.rows < checkpointRows {
		return
	}
	w.rows = 0
	left, err := unmoved(w.conn.QueryRowContext(context.Background(), lookAtLog))
	switch {
	case err != nil || left < checkpointAt:
	case left >= checkpointMost:
		c.moving.Lock()
		w.checkpoint()
		c.moving.Unlock()
	default:
		select {
		case c.poke <- struct{}{}:
		default:
		}
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
