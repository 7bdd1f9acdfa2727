package store

import (
	"context"

	"github.com/fairlead-ml/fairlead"
)

// Backup writes a copy of the database as it is at one moment to a new file, synced
// and readable by the owner alone. Reads and writes go on meanwhile: it reads in a
// connection of its own, whose snapshot has no bound in time, so the log of writes
// grows until it ends.
func (db *DB) Backup(ctx context.Context, to string) error {
	conn, err := open(db.opt.Path, false, 1)
	if err != nil {
		return err
	}
	defer conn.Close()
	return translate(copyTo(ctx, conn, to+".copy", to))
}

// CheckIntegrity reads the whole database, and returns Conflict with the first thing
// that is damaged.
func (db *DB) CheckIntegrity(ctx context.Context) error {
	return db.Read(ctx, func(tx *Tx) error {
		var found string
		if err := tx.QueryRow("pragma integrity_check(1)").Scan(&found); err != nil {
			return err
		}
		if found != "ok" {
			return fairlead.Errorf(fairlead.Conflict, "the database is damaged: %s", found)
		}
		return nil
	})
}

// Snapshot is Read without a bound in time, in a connection of its own: writes go on, and
// their log grows until it ends.
func (db *DB) Snapshot(ctx context.Context, fn func(tx *Tx) error) error {
	pool, err := open(db.opt.Path, true, 1)
	if err != nil {
		return err
	}
	defer pool.Close()
	conn, err := pool.Conn(ctx)
	if err != nil {
		return translate(err)
	}
	defer conn.Close()
	return snapshot(ctx, conn, fn)
}
