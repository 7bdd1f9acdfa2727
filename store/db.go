package store

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	_ "github.com/mattn/go-sqlite3" // the embedded engine; the fastest of the drivers tried

	"github.com/fairlead-ml/fairlead"
)

// Options say where the database is and how it is tuned. Zero values are defaults.
type Options struct {
	Path     string         // the SQLite file; its directory must exist
	Clock    fairlead.Clock // wall time, for the migration table
	Log      *slog.Logger
	Readers  int           // concurrent read transactions; default 2 per CPU, at least 4
	BatchMax int           // rows changed after which a batch is committed; default 4000
	ReadMax  time.Duration // wall time after which a read is cancelled; default 60 s
	LongMax  time.Duration // the same of a long read, its wait for a place included; default 10 s
	Reserve  int64         // bytes kept for control writes on a full disk; default 8 MiB
}

const longMax = 10 * time.Second

// DB is an open database. It is safe for concurrent use.
type DB struct {
	opt     Options
	write   *sql.DB
	read    *sql.DB
	writer  *writer
	long    chan struct{} // a place for each long read that may run
	moving  *checkpointer
	reserve *reserve
	changed atomic.Pointer[chan struct{}]
	closed  sync.Once
}

// Open opens or creates the database and brings every schema up to date, in the
// given order. A database that a newer program wrote is refused with Precondition.
func Open(ctx context.Context, opt Options, schemas ...Schema) (*DB, error) {
	opt = opt.withDefaults()
	_, statErr := os.Stat(opt.Path)
	fresh := os.IsNotExist(statErr)
	db := &DB{opt: opt, long: make(chan struct{}, max(1, opt.Readers/2)),
		reserve: newReserve(opt.Path, opt.Reserve)}
	var err error
	db.write, err = open(opt.Path, false, 1)
	if isFull(err) && db.reserve.giveUp() {
		db.write, err = open(opt.Path, false, 1)
	}
	if err != nil {
		return nil, err
	}
	if err := db.migrate(ctx, fresh, schemas); err != nil {
		db.write.Close()
		return nil, err
	}
	if db.read, err = open(opt.Path, true, opt.Readers); err != nil {
		db.write.Close()
		return nil, err
	}
	db.reserve.begin()
	ch := make(chan struct{})
	db.changed.Store(&ch)
	if db.moving, err = startCheckpointer(opt.Path); err != nil {
		db.read.Close()
		db.write.Close()
		return nil, err
	}
	if db.writer, err = startWriter(ctx, db); err != nil {
		db.moving.stop()
		db.read.Close()
		db.write.Close()
		return nil, err
	}
	return db, nil
}

func (o Options) withDefaults() Options {
	if o.Readers == 0 {
		o.Readers = max(4, 2*runtime.GOMAXPROCS(0))
	}
	if o.BatchMax == 0 {
		o.BatchMax = 4000
	}
	if o.ReadMax == 0 {
		o.ReadMax = time.Minute
	}
	if o.LongMax == 0 {
		o.LongMax = longMax
	}
	if o.Reserve == 0 {
		o.Reserve = 8 << 20
	}
	if o.Clock == nil {
		o.Clock = fairlead.WallClock{}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// busyTimeout is how long a connection waits for another's lock, in wall time.
const busyTimeout = 5 * time.Second

// open returns a pool on the file. WAL with synchronous=FULL: an acknowledged
// write survives power loss, and group commit makes that cost nothing.
func open(path string, readonly bool, conns int) (*sql.DB, error) {
	q := url.Values{}
	q.Set("_journal_mode", "WAL")
	q.Set("_synchronous", "FULL")
	q.Set("_busy_timeout", fmt.Sprint(busyTimeout.Milliseconds()))
	q.Set("_foreign_keys", "1")
	q.Set("_cache_size", "-4000")
	if readonly {
		q.Set("_query_only", "1")
		q.Set("_txlock", "deferred")
		q.Set("_stmt_cache_size", "64") // the writer keeps its own, in Tx
	}
	db, err := sql.Open("sqlite3", "file:"+url.PathEscape(path)+"?"+q.Encode())
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", filepath.Base(path), err)
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	if err := db.Ping(); err != nil {
		db.Close()
		return nil, openError(path, err)
	}
	return db, nil
}

// Read runs fn on one consistent snapshot. The snapshot's age is bounded by
// Options.ReadMax, so that a slow reader cannot hold the log of writes forever; one
// that is cut off is Unavailable.
func (db *DB) Read(ctx context.Context, fn func(tx *Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, db.opt.ReadMax)
	defer cancel()
	conn, err := db.read.Conn(ctx)
	if err != nil {
		return translate(err)
	}
	defer conn.Close()
	return snapshot(ctx, conn, fn)
}

// ReadLong is Read for what may look at many rows, such as a search: it has less time,
// Options.LongMax, and half of the readers at most, so that short reads always find one.
func (db *DB) ReadLong(ctx context.Context, fn func(tx *Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, db.opt.LongMax)
	defer cancel()
	select {
	case db.long <- struct{}{}:
		defer func() { <-db.long }()
		return db.Read(ctx, fn)
	case <-ctx.Done():
		return translate(ctx.Err())
	}
}

// snapshot runs fn in a read transaction of the connection.
func snapshot(ctx context.Context, conn *sql.Conn, fn func(tx *Tx) error) error {
	lasting := context.WithoutCancel(ctx) // the driver starts a goroutine for what can be cancelled
	if _, err := conn.ExecContext(lasting, "begin"); err != nil {
		return translate(err)
	}
	defer conn.ExecContext(lasting, "rollback")
	return translate(fn(&Tx{ctx: ctx, conn: conn}))
}

// Write runs fn in the writer, in the given lane, and returns when the batch
// that holds it is synced to disk, or with fn's error and no change. The context
// bounds the wait for a place; a change that has begun is not cut off.
func (db *DB) Write(ctx context.Context, lane Lane, fn func(tx *Tx) error) error {
	return db.writer.submit(ctx, lane, fn)
}

// Size returns the bytes of the database file, and how many of them hold something: the
// rest is used again by later writes.
func (db *DB) Size(ctx context.Context) (file, used int64, err error) {
	err = db.Read(ctx, func(tx *Tx) error {
		return tx.QueryRow(`select page_count * page_size, (page_count - freelist_count) * page_size
			from pragma_page_count(), pragma_freelist_count(), pragma_page_size()`).Scan(&file, &used)
	})
	return file, used, err
}

// Room reports whether there is room for more than control writes: Exhausted from when
// the disk was full until the reserve is there again. Who is about to write much
// beside the database asks it first.
func (db *DB) Room() error {
	if !db.reserve.admits(db.opt.Clock.Now()) {
		return errFull
	}
	return nil
}

// Free is Write for what gives room back, and is small. On a full disk it goes on as a
// control write, which has a reserve; fn is called again then.
func (db *DB) Free(ctx context.Context, lane Lane, fn func(tx *Tx) error) error {
	err := db.Write(ctx, lane, fn)
	if lane != Control && fairlead.Is(err, fairlead.Exhausted) {
		err = db.Write(ctx, Control, fn)
	}
	return err
}

// Changed returns a channel that is closed by the next commit.
func (db *DB) Changed() <-chan struct{} { return *db.changed.Load() }

func (db *DB) announce() {
	next := make(chan struct{})
	close(*db.changed.Swap(&next))
}

// Close stops the writer after the writes it has accepted, and closes the file.
// It is safe to call twice.
func (db *DB) Close() error {
	var err error
	db.closed.Do(func() {
		db.writer.stop()
		err = db.moving.stop()
		if e := db.read.Close(); err == nil {
			err = e
		}
		if e := db.write.Close(); err == nil {
			err = e
		}
	})
	return err
}
