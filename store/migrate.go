package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/fairlead-ml/fairlead"
)

// Schema is the tables of one package: numbered files such as 001_begin.sql, in
// an embedded directory. Files are never changed once released, only added.
type Schema struct {
	Component string
	Files     fs.FS
}

// Embedded returns the schema of a package that embeds its migrations/ directory.
func Embedded(component string, files embed.FS) Schema {
	sub, err := fs.Sub(files, "migrations")
	if err != nil {
		panic("store: " + component + " embeds no migrations: " + err.Error())
	}
	return Schema{Component: component, Files: sub}
}

type migration struct {
	component string
	n         int
	name      string
	text      string
}

const migrationTable = `create table if not exists migration (
	component text not null, n bigint not null, name text not null, applied_ms bigint not null,
	primary key (component, n))`

// migrate applies what is missing, all of it in one transaction, after a
// snapshot of a database that already holds something.
func (db *DB) migrate(ctx context.Context, fresh bool, schemas []Schema) error {
	if _, err := db.write.ExecContext(ctx, migrationTable); err != nil {
		return openError(db.opt.Path, err)
	}
	if err := db.refuseUnknown(ctx, schemas); err != nil {
		return err
	}
	var pending []migration
	for _, s := range schemas {
		m, err := db.pending(ctx, s)
		if err != nil {
			return err
		}
		pending = append(pending, m...)
	}
	if len(pending) == 0 {
		return nil
	}
	if !fresh {
		if err := db.snapshot(ctx); err != nil {
			return err
		}
	}
	return db.apply(ctx, pending)
}

// refuseUnknown refuses a database that has tables of a component that this program
// does not know: a newer program made them. One that drops a component removes its
// rows from the table of migrations.
func (db *DB) refuseUnknown(ctx context.Context, schemas []Schema) error {
	rows, err := db.write.QueryContext(ctx, "select distinct component from migration order by component")
	if err != nil {
		return translate(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return translate(err)
		}
		if !slices.ContainsFunc(schemas, func(s Schema) bool { return s.Component == name }) {
			return errNewer("it has tables of %s, which this program does not know", name)
		}
	}
	return translate(rows.Err())
}

func errNewer(format string, args ...any) error {
	return fairlead.Errorf(fairlead.Precondition,
		"this data directory was written by a newer fairlead (%s); start it with that version, "+
			"or restore the snapshot beside the database", fmt.Sprintf(format, args...))
}

// snapshots is how many copies of the database are kept.
const snapshots = 2

// snapshot copies the database beside itself before a migration, whole and synced
// before it has its name, and removes old copies.
func (db *DB) snapshot(ctx context.Context) error {
	base := filepath.Clean(db.opt.Path) + ".before-"
	old, err := startingWith(base)
	if err != nil {
		return err
	}
	stamp := base + db.opt.Clock.Now().UTC().Format("20060102-150405")
	to := stamp
	for n := 2; slices.Contains(old, to); n++ {
		to = fmt.Sprintf("%s-%d", stamp, n)
	}
	if err := copyTo(ctx, db.write, db.opt.Path+".copy", to); err != nil {
		return fmt.Errorf("snapshot before the migration to %s: %w", to, translate(err))
	}
	db.opt.Log.Info("database copied before a migration", "path", to)
	for _, name := range old[:max(0, len(old)-snapshots+1)] {
		if err := os.Remove(name); err != nil {
			db.opt.Log.Warn("an old copy of the database cannot be removed", "path", name, "err", err)
		}
	}
	return nil
}

// startingWith returns the files whose paths begin with base, in order. A directory may
// have any name, so this is no pattern.
func startingWith(base string) (paths []string, err error) {
	entries, err := os.ReadDir(filepath.Dir(base))
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), filepath.Base(base)) {
			paths = append(paths, filepath.Join(filepath.Dir(base), e.Name()))
		}
	}
	return paths, err
}

// copyTo writes a copy of the database, readable by the owner alone, by way of a
// temporary file beside it.
func copyTo(ctx context.Context, from *sql.DB, temp, to string) error {
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // what a kill has left
	}
	f, err := os.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = from.ExecContext(ctx, "vacuum into ?", temp)
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = os.Rename(temp, to)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	dir, err := os.Open(filepath.Dir(to))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func (db *DB) apply(ctx context.Context, pending []migration) error {
	tx, err := db.write.BeginTx(ctx, nil)
	if err != nil {
		return translate(err)
	}
	defer tx.Rollback()
	now := db.opt.Clock.Now().UnixMilli()
	for _, m := range pending {
		if _, err := tx.ExecContext(ctx, m.text); err != nil {
			return fmt.Errorf("migration %s/%s: %w", m.component, m.name, translate(err))
		}
		_, err := tx.ExecContext(ctx,
			"insert into migration (component, n, name, applied_ms) values (?, ?, ?, ?)",
			m.component, m.n, m.name, now)
		if err != nil {
			return fmt.Errorf("migration %s/%s: %w", m.component, m.name, translate(err))
		}
	}
	return translate(tx.Commit())
}

// pending lists the schema's files that the database has not seen.
func (db *DB) pending(ctx context.Context, s Schema) ([]migration, error) {
	all, err := s.migrations()
	if err != nil {
		return nil, err
	}
	var have int
	err = db.write.QueryRowContext(ctx,
		"select coalesce(max(n), 0) from migration where component = ?", s.Component).Scan(&have)
	if err != nil {
		return nil, translate(err)
	}
	if have > len(all) {
		return nil, errNewer("%s is at version %d, this program knows %d", s.Component, have, len(all))
	}
	return all[have:], nil
}

func (s Schema) migrations() ([]migration, error) {
	names, err := fs.Glob(s.Files, "*.sql")
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var all []migration
	for i, name := range names {
		n, err := strconv.Atoi(strings.SplitN(path.Base(name), "_", 2)[0])
		if err != nil || n != i+1 {
			return nil, fmt.Errorf("schema %s: %s is not migration number %d", s.Component, name, i+1)
		}
		text, err := fs.ReadFile(s.Files, name)
		if err != nil {
			return nil, err
		}
		all = append(all, migration{s.Component, n, name, sqliteDDL.Replace(string(text))})
	}
	return all, nil
}
