package ledger

import (
	"cmp"
	"database/sql"
	"errors"
	"sort"
	"strings"
	"time"
	"unicode/utf8"

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
		var body sql.NullString
		err := rows.Scan(&r.k, &r.ID, &r.Seq, &r.TimeMS, &r.AtMS, &r.ProjectK, &r.Project, &r.Type,
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
	if _, err := tx.Exec("update event set seq = ? where k = ?", r.Seq, r.k); err != nil {
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

// list returns the events that match, and where a search goes on that has looked at as
// many as it may: 0 when there is nothing left to look at.
func list(tx *store.Tx, f Filter) (out []*Record, next int64, err error) {
	f.Limit = f.limit()
	if f.Clock == Wall {
		if err := narrow(tx, &f); err != nil {
			return nil, 0, err
		}
	}
	last := int64(0)
	if f.look > 0 && f.picks() {
		if last, err = reach(tx, f); err != nil {
			return nil, 0, err
		}
	}
	q, args := "select "+columns+" from event where seq is not null", []any{}
	and := func(cond string, v ...any) { q, args = q+" and "+cond, append(args, v...) }
	place(f, and)
	if last != 0 && f.Newest {
		and("seq >= ?", last)
	} else if last != 0 {
		and("seq <= ?", last)
	}
	match(f, and)
	order := " order by seq"
	if f.Newest {
		order += " desc"
	}
	out, err = scanRecords(tx.Query(q+order+" limit ?", append(args, f.Limit)...))
	if len(out) == f.Limit {
		last = out[f.Limit-1].Seq
	}
	return out, last, err
}

// limit is how many events are wanted at most.
func (f Filter) limit() int { return min(cmp.Or(max(f.Limit, 0), 100), 1000) }

// place adds what says among which events a search looks.
func place(f Filter, and func(cond string, v ...any)) {
	if f.ProjectK != 0 {
		and("project_k = ?", f.ProjectK)
	}
	switch {
	case f.Newest && f.After > 0:
		and("seq < ?", f.After)
	case !f.Newest:
		and("seq > ?", f.After)
	}
	if f.first > 0 {
		and("seq >= ?", f.first)
	}
	if f.end > 0 {
		and("seq < ?", f.end)
	}
}

// match adds what says which of them it wants.
func match(f Filter, and func(cond string, v ...any)) {
	if head, ok := strings.CutSuffix(f.Subject, "*"); ok {
		and("substr(subject, 1, ?) = ?", utf8.RuneCountInString(head), head)
	} else if f.Subject != "" {
		and("subject = ?", f.Subject)
	}
	if f.Actor != "" {
		and("actor = ?", f.Actor)
	}
	if len(f.Types) > 0 {
		types := make([]any, len(f.Types))
		for i, t := range f.Types {
			types[i] = t
		}
		and("type in ("+store.Placeholders(len(types))+")", types...)
	}
	column := "time_ms"
	if f.Clock == Stream {
		column = "at_ms"
	}
	if !f.From.IsZero() {
		and(column+" >= ?", f.From.UnixMilli())
	}
	if !f.Until.IsZero() {
		and(column+" < ?", f.Until.UnixMilli())
	}
}

// picks reports whether a search leaves out events that it looks at.
func (f Filter) picks() bool {
	return f.Subject != "" || f.Actor != "" || len(f.Types) > 0 || !f.From.IsZero() || !f.Until.IsZero()
}

// reach returns the number of the last event that a search looks at, 0 when that is the
// last there is.
func reach(tx *store.Tx, f Filter) (last int64, err error) {
	q, args := "select seq from event where seq is not null", []any{}
	place(f, func(cond string, v ...any) { q, args = q+" and "+cond, append(args, v...) })
	order := " order by seq"
	if f.Newest {
		order += " desc"
	}
	err = tx.QueryRow(q+order+" limit 1 offset ?", append(args, f.look-1)...).Scan(&last)
	if errors.Is(err, store.ErrNoRows) {
		return 0, nil
	}
	return last, err
}

// setBack is by how much a clock may have been set back: numbers follow commits, and
// wall times follow numbers but for that.
const setBack = 24 * time.Hour

// narrow finds the numbers between which events of the asked wall time can be.
func narrow(tx *store.Tx, f *Filter) (err error) {
	if !f.From.IsZero() {
		if f.first, err = firstSince(tx, f.From.Add(-setBack)); err != nil {
			return err
		}
	}
	if !f.Until.IsZero() {
		f.end, err = firstSince(tx, f.Until.Add(setBack))
	}
	return err
}

// firstSince returns the number from which on events are of that wall time or later.
func firstSince(tx *store.Tx, t time.Time) (int64, error) {
	low, err := head(tx)
	if err != nil {
		return 0, err
	}
	var found error
	n := sort.Search(int(low), func(i int) bool {
		var ms int64
		if err := tx.QueryRow("select time_ms from event where seq = ?", i+1).Scan(&ms); err != nil {
			found = err
		}
		return ms >= t.UnixMilli()
	})
	return int64(n) + 1, found
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
