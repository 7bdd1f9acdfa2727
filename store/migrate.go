package store

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"path"
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

// snapshot copies the database beside itself before a migration.
func (db *DB) snapshot(ctx context.Context) error {
	to := fmt.Sprintf("%s.before-%s", db.opt.Path, db.opt.Clock.Now().Format("20060102-150405"))
	if _, err := db.write.ExecContext(ctx, "vacuum into ?", to); err != nil {
		return fmt.Errorf("snapshot before the migration to %s: %w", to, translate(err))
	}
	db.opt.Log.Info("database copied before a migration", "path", to)
	return nil
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
		return nil, fairlead.Errorf(fairlead.Precondition,
			"this data directory was written by a newer fairlead (%s is at version %d, this program knows %d); "+
				"start it with that version, or restore the snapshot beside the database",
			s.Component, have, len(all))
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
