package blob

import (
	"database/sql"
	"errors"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

func touch(tx *store.Tx, o Object, nowMS int64) error {
	_, err := tx.Exec(`insert into blob (digest, bytes, touched_ms) values (?, ?, ?)
		on conflict (digest) do update set touched_ms = excluded.touched_ms`,
		o.Digest, o.Bytes, nowMS)
	return err
}

// sqlChunk is how many rows one statement checks or inserts.
const sqlChunk = 100

// missing returns one of the digests that is not stored, "" when all are.
func missing(tx *store.Tx, entries []Entry) (string, error) {
	have := map[string]bool{}
	args := make([]any, len(entries))
	for i, e := range entries {
		args[i] = e.Digest
	}
	rows, err := tx.Query("select digest from blob where digest in ("+
		store.Placeholders(len(args))+")", args...)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	for rows.Next() {
		var digest string
		if err := rows.Scan(&digest); err != nil {
			return "", err
		}
		have[digest] = true
	}
	for _, e := range entries {
		if !have[e.Digest] {
			return e.Digest, nil
		}
	}
	return "", rows.Err()
}

func insertRefs(tx *store.Tx, p fairlead.Project, o Owner, entries []Entry) error {
	args := make([]any, 0, 5*len(entries))
	for _, e := range entries {
		args = append(args, p.K, o.Kind, o.ID, e.Path, e.Digest)
	}
	marks := strings.Repeat("(?, ?, ?, ?, ?), ", len(entries)-1) + "(?, ?, ?, ?, ?)"
	_, err := tx.Exec(`insert into blob_ref (project_k, owner_kind, owner_id, path, digest) values `+
		marks+` on conflict (project_k, owner_kind, owner_id, path)
		do update set digest = excluded.digest`, args...)
	return err
}

// conflicting returns a stored path that is a directory on the way to path, or a
// file below it; "" when there is none.
func conflicting(tx *store.Tx, p fairlead.Project, o Owner, path string) (string, error) {
	args := []any{p.K, o.Kind, o.ID}
	for i := range path {
		if path[i] == '/' {
			args = append(args, path[:i])
		}
	}
	if len(args) > 3 {
		found, err := onePath(tx, "path in ("+store.Placeholders(len(args)-3)+")", args)
		if found != "" || err != nil {
			return found, err
		}
	}
	from, to := below(path + "/")
	return onePath(tx, "path >= ? and path < ?", []any{p.K, o.Kind, o.ID, from, to})
}

func onePath(tx *store.Tx, condition string, args []any) (found string, err error) {
	err = tx.QueryRow(`select path from blob_ref
		where project_k = ? and owner_kind = ? and owner_id = ? and `+condition+`
		order by path limit 1`, args...).Scan(&found)
	if errors.Is(err, store.ErrNoRows) {
		return "", nil
	}
	return found, err
}

// below returns the bounds of the paths that begin with start, which ends with a
// slash. The byte after a slash is 0, so a range of the index holds them all; it
// takes a collation by bytes, which is SQLite's, and C of Postgres.
func below(start string) (from, to string) {
	return start, strings.TrimSuffix(start, "/") + "0"
}

func deleteRef(tx *store.Tx, p fairlead.Project, o Owner, path string) (bool, error) {
	res, err := tx.Exec(`delete from blob_ref
		where project_k = ? and owner_kind = ? and owner_id = ? and path = ?`,
		p.K, o.Kind, o.ID, path)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

func deleteRefs(tx *store.Tx, p fairlead.Project, o Owner) error {
	_, err := tx.Exec("delete from blob_ref where project_k = ? and owner_kind = ? and owner_id = ?",
		p.K, o.Kind, o.ID)
	return err
}

func deleteSomeRefs(tx *store.Tx, p fairlead.Project, o Owner, limit int) (int, error) {
	res, err := tx.Exec(`delete from blob_ref
		where project_k = ? and owner_kind = ? and owner_id = ? and path in (
			select path from blob_ref where project_k = ? and owner_kind = ? and owner_id = ? limit ?)`,
		p.K, o.Kind, o.ID, p.K, o.Kind, o.ID, limit)
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	return int(n), err
}

func readRef(tx *store.Tx, p fairlead.Project, o Owner, path string) (obj Object, err error) {
	err = tx.QueryRow(`select r.digest, b.bytes from blob_ref r join blob b on b.digest = r.digest
		where r.project_k = ? and r.owner_kind = ? and r.owner_id = ? and r.path = ?`,
		p.K, o.Kind, o.ID, path).Scan(&obj.Digest, &obj.Bytes)
	return obj, err
}

// readRefs returns the owner's files whose path begins with start, which is empty or
// ends with a slash, by path.
func readRefs(tx *store.Tx, p fairlead.Project, o Owner, start string) (out []Entry, err error) {
	condition, args := "", []any{p.K, o.Kind, o.ID}
	if start != "" {
		from, to := below(start)
		condition, args = "and r.path >= ? and r.path < ?", append(args, from, to)
	}
	rows, err := tx.Query(`select r.path, r.digest, b.bytes
		from blob_ref r join blob b on b.digest = r.digest
		where r.project_k = ? and r.owner_kind = ? and r.owner_id = ? `+condition+`
		order by r.path`, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var e Entry
		if err := rows.Scan(&e.Path, &e.Digest, &e.Bytes); err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, rows.Err()
}

// isGarbage is that nothing refers to a blob b and no write has touched it since.
const isGarbage = `b.touched_ms < ? and not exists (
	select 1 from blob_ref r where r.digest = b.digest)`

// garbageAfter looks at up to limit blobs after last, by digest. It returns those that are
// garbage, and the last that it looked at; empty when there was none.
func garbageAfter(tx *store.Tx, cutoffMS int64, last string, limit int) (garbage []Object,
	at string, err error) {
	rows, err := tx.Query("select b.digest, b.bytes, case when "+isGarbage+` then 1 else 0 end
		from blob b where b.digest > ? order by b.digest limit ?`, cutoffMS, last, limit)
	if err != nil {
		return nil, "", err
	}
	defer rows.Close()
	for rows.Next() {
		var o Object
		var is bool
		if err := rows.Scan(&o.Digest, &o.Bytes, &is); err != nil {
			return nil, "", err
		}
		at = o.Digest
		if is {
			garbage = append(garbage, o)
		}
	}
	return garbage, at, rows.Err()
}

// deleteGarbage deletes the rows of those blobs that are still garbage, and returns what
// they were.
func deleteGarbage(tx *store.Tx, cutoffMS int64, objects []Object) ([]Object, error) {
	args := []any{cutoffMS}
	for _, o := range objects {
		args = append(args, o.Digest)
	}
	return scanObjects(tx.Query("delete from blob as b where "+isGarbage+" and b.digest in ("+
		store.Placeholders(len(objects))+") returning digest, bytes", args...))
}

func usage(tx *store.Tx) (u Usage, err error) {
	err = tx.QueryRow(`select coalesce(sum(b.bytes), 0), coalesce(sum(case when not exists (
		select 1 from blob_ref r where r.digest = b.digest) then b.bytes end), 0)
		from blob b`).Scan(&u.Bytes, &u.Unused)
	return u, err
}

func weigh(tx *store.Tx, p fairlead.Project, o Owner) (files, bytes int64, err error) {
	err = tx.QueryRow(`select count(*), coalesce(sum(b.bytes), 0)
		from blob_ref r join blob b on b.digest = r.digest
		where r.project_k = ? and r.owner_kind = ? and r.owner_id = ?`,
		p.K, o.Kind, o.ID).Scan(&files, &bytes)
	return files, bytes, err
}

// storedWith returns the stored digests that begin so.
func storedWith(tx *store.Tx, start string) (map[string]bool, error) {
	objects, err := scanObjects(tx.Query(`select digest, bytes from blob
		where digest >= ? and digest < ?`, start, start+"g")) // the digit after f
	out := make(map[string]bool, len(objects))
	for _, o := range objects {
		out[o.Digest] = true
	}
	return out, err
}

func stored(tx *store.Tx, digest string) (bool, error) {
	var n int
	err := tx.QueryRow("select count(*) from blob where digest = ?", digest).Scan(&n)
	return n > 0, err
}

// objectsAfter returns up to limit stored objects by digest, those after last.
func objectsAfter(tx *store.Tx, last string, limit int) ([]Object, error) {
	return scanObjects(tx.Query("select digest, bytes from blob where digest > ? "+
		"order by digest limit ?", last, limit))
}

func scanObjects(rows *sql.Rows, err error) (out []Object, _ error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var o Object
		if err := rows.Scan(&o.Digest, &o.Bytes); err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	return out, rows.Err()
}

// owners names some of who refers to an object.
func owners(tx *store.Tx, digest string) ([]string, error) {
	rows, err := tx.Query(`select owner_kind, owner_id, path from blob_ref where digest = ?
		order by project_k, owner_kind, owner_id, path limit 3`, digest)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []string{}
	for rows.Next() {
		var kind, id, path string
		if err := rows.Scan(&kind, &id, &path); err != nil {
			return nil, err
		}
		out = append(out, path+" of "+kind+" "+id)
	}
	return out, rows.Err()
}
