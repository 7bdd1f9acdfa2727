// Package store is the database handle: one writer with two lanes and group
// commit, a pool of readers, and numbered migrations. It knows SQL engines and
// nothing about what is stored; tables belong to the packages that use them.
//
// A write is a closure that runs inside a savepoint of a batch. Closures do no
// I/O and may be run again. When Write returns nil the change is synced to disk.
//
//	err := db.Write(ctx, store.Control, func(tx *store.Tx) error {
//		_, err := tx.Exec("update alias set n = ? where k = ?", n, k)
//		return err
//	})
//
// SQL texts keep to what SQLite and Postgres answer alike: `?` placeholders,
// bigint keys and milliseconds, text for JSON, `returning` for new keys. Where
// the engines differ the migrations use the fragments in dialect.go.
//
// Start reading in db.go, then writer.go.
package store
