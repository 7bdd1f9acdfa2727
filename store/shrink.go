package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/fairlead-ml/fairlead"
)

// Shrink writes the database anew without the room that is free in its file, and gives
// that room back to the disk, as soon as no read has begun before. Reads go on meanwhile,
// and writes wait: some 20 s for each GB that is in use, on two busy cores. The disk must
// have room for that twice more.
func (db *DB) Shrink(ctx context.Context) error {
	if err := db.Room(); err != nil {
		return err
	}
	return db.writer.alone(ctx, func(conn *sql.Conn) error {
		ctx := context.WithoutCancel(ctx)
		if err := db.roomToShrink(ctx); err != nil {
			return err
		}
		db.moving.moving.Lock()
		defer db.moving.moving.Unlock()
		err := vacuum(ctx, conn, filepath.Dir(db.opt.Path))
		var busy, log, moved int64 // the log has grown by all that there is, also in vain
		row := conn.QueryRowContext(ctx, "pragma wal_checkpoint(truncate)")
		if err = cmp.Or(err, row.Scan(&busy, &log, &moved)); err != nil {
			return translate(err)
		}
		if busy != 0 {
			db.opt.Log.Warn("a long read keeps the disk's room until it ends and something is written")
		}
		return nil
	})
}

// vacuum writes the database anew, with its temporary file in a directory: where others are
// there may be less room, and others may read.
func vacuum(ctx context.Context, conn *sql.Conn, dir string) error {
	defer conn.ExecContext(ctx, "pragma temp_store_directory = ''")
	for _, q := range []string{
		"pragma temp_store_directory = '" + strings.ReplaceAll(dir, "'", "''") + "'", "vacuum",
	} {
		if _, err := conn.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

// roomToShrink is Exhausted when the disk has no room for what is in use twice more.
func (db *DB) roomToShrink(ctx context.Context) error {
	_, used, err := db.Size(ctx)
	if err != nil {
		return err
	}
	var disk unix.Statfs_t
	if err := unix.Statfs(filepath.Dir(db.opt.Path), &disk); err != nil {
		return fmt.Errorf("shrink the database: %w", err)
	}
	if free := int64(disk.Bavail) * disk.Bsize; free < 2*used+db.opt.Reserve {
		return fairlead.Errorf(fairlead.Exhausted, "the database has %d bytes in use, and shrinking it needs "+
			"room for that twice; the disk has %d free", used, free)
	}
	return nil
}
