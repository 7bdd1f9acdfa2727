package ledger

import (
	"database/sql"
	"errors"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/fairlead-ml/fairlead/store"
)

const columns = `k, id, coalesce(seq, 0), time_ms, at_ms, project_k, project, type, version,
	subject, actor, salt, body_digest, body`

func insertEvent(tx *store.Tx, r *Record) error {
	_, err := tx.Exec(`insert into event (id, time_ms, at_ms, project_k, project, type, version,
		subject, actor, salt, body_digest, body) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		r.ID, r.TimeMS, r.AtMS, r.ProjectK, r.Project, r.Type, r.Version,
		r.Subject, r.Actor, r.salt, r.Digest, string(r.Body))
	return err
}

func scanRecords(rows *sql.Rows, err error) ([]*Record, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []*Record
	for rows.Next() {
		var r Record
		var k int64
		var body sql.NullString
		err := rows.Scan(&k, &r.ID, &r.Seq, &r.TimeMS, &r.AtMS, &r.ProjectK, &r.Project, &r.Type,
			&r.Version, &r.Subject, &r.Actor, &r.salt, &r.Digest, &body)
		if err != nil {
			return nil, err
		}
		if body.Valid {
			r.Body = []byte(body.String)
		}
		out = append(out, &r)
	}
	return out, rows.Err()
}

func unnumbered(tx *store.Tx) ([]*Record, error) {
	return scanRecords(tx.Query("select " + columns + " from event where seq is null order by k"))
}

func head(tx *store.Tx) (seq int64, err error) {
	err = tx.QueryRow("select coalesce(max(seq), 0) from event").Scan(&seq)
	return seq, err
}

func storeLeaf(tx *store.Tx, r *Record, hashes []tlog.Hash) error {
	if _, err := tx.Exec("update event set seq = ? where id = ?", r.Seq, r.ID); err != nil {
		return err
	}
	ix := tlog.StoredHashIndex(0, r.Seq-1)
	for i, h := range hashes {
		_, err := tx.Exec("insert into leaf_hash (ix, hash) values (?, ?)", ix+int64(i), h[:])
		if err != nil {
			return err
		}
	}
	return nil
}

// hashReader reads stored hashes of the tree (tlog.HashReader).
type hashReader struct{ tx *store.Tx }

func (r hashReader) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, ix := range indexes {
		var b []byte
		if err := r.tx.QueryRow("select hash from leaf_hash where ix = ?", ix).Scan(&b); err != nil {
			return nil, err
		}
		copy(out[i][:], b)
	}
	return out, nil
}

func list(tx *store.Tx, f Filter) ([]*Record, error) {
	q, args := "select "+columns+" from event where seq is not null", []any{}
	and := func(cond string, v ...any) { q, args = q+" and "+cond, append(args, v...) }
	if f.ProjectK != 0 {
		and("project_k = ?", f.ProjectK)
	}
	if f.Subject != "" {
		and("subject = ?", f.Subject)
	}
	if len(f.Types) > 0 {
		types := make([]any, len(f.Types))
		for i, t := range f.Types {
			types[i] = t
		}
		and("type in ("+store.Placeholders(len(types))+")", types...)
	}
	switch {
	case f.Newest && f.After > 0:
		and("seq < ?", f.After)
	case !f.Newest:
		and("seq > ?", f.After)
	}
	order := " order by seq"
	if f.Newest {
		order += " desc"
	}
	limit := f.Limit
	if limit <= 0 {
		limit = 100
	}
	return scanRecords(tx.Query(q+order+" limit ?", append(args, min(limit, 1000))...))
}

func readCursor(tx *store.Tx, name string) (seq int64, err error) {
	err = tx.QueryRow("select seq from cursor where subscriber = ?", name).Scan(&seq)
	if errors.Is(err, store.ErrNoRows) {
		return 0, nil
	}
	return seq, err
}

func moveCursor(tx *store.Tx, name string, seq int64) error {
	_, err := tx.Exec(`insert into cursor (subscriber, seq) values (?, ?)
		on conflict (subscriber) do update set seq = excluded.seq`, name, seq)
	return err
}

func lastCheckpoint(tx *store.Tx) (size int64, err error) {
	err = tx.QueryRow("select coalesce(max(size), 0) from checkpoint").Scan(&size)
	return size, err
}

func insertCheckpoint(tx *store.Tx, size, timeMS int64, text string) error {
	_, err := tx.Exec("insert into checkpoint (size, time_ms, note) values (?, ?, ?)", size, timeMS, text)
	return err
}

func checkpoints(tx *store.Tx) ([]string, error) {
	rows, err := tx.Query("select note from checkpoint order by size")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		out = append(out, text)
	}
	return out, rows.Err()
}
