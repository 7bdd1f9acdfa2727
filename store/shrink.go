package store

import (
	"context"
	"database/sql"
	"path/filepath"
	"strings"
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
		// Not where temporary files are: there may be less room, and others may read.
		dir := strings.ReplaceAll(filepath.Dir(db.opt.Path), "'", "''")
		defer conn.ExecContext(ctx, "pragma temp_store_directory = ''")
		for _, q := range []string{
			"pragma temp_store_directory = '" + dir + "'", "vacuum", "pragma wal_checkpoint(truncate)",
		} {
			if _, err := conn.ExecContext(ctx, q); err != nil {
				return translate(err)
			}
		}
		return nil
	})
}
