package serving

import (
	"cmp"
	"database/sql/driver"
	"errors"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

func (k bucketKey) compare(o bucketKey) int {
	return cmp.Or(cmp.Compare(k.projectK, o.projectK), cmp.Compare(k.endpoint, o.endpoint),
		cmp.Compare(k.clock, o.clock), cmp.Compare(k.at, o.at), cmp.Compare(k.version, o.version))
}

// add adds the cells of keys, which are in order, to the buckets of each width, and
// removes the buckets that are too old then.
func (t *traffic) add(tx *store.Tx, keys []bucketKey, cells map[bucketKey]*cell) error {
	for len(keys) > 0 {
		n := 1
		for n < len(keys) && keys[n].series == keys[0].series {
			n++
		}
		of := keys[:n]
		keys = keys[n:]
		for _, w := range widths {
			if err := addBuckets(tx, w, of, cells); err != nil {
				return err
			}
		}
	}
	return nil
}

// addBuckets adds the cells of one series to its buckets of one width.
func addBuckets(tx *store.Tx, w width, keys []bucketKey, cells map[bucketKey]*cell) error {
	of := keys[0].series
	span, err := readSpan(tx, of, w)
	if err != nil {
		return err
	}
	newest := max(span.newest-w.ms(), floor(keys[len(keys)-1].at, w.ms()))
	oldest := newest - w.ms()*(w.kept-1)
	folded := map[bucketKey]*cell{}
	for _, key := range keys {
		c := cells[key]
		key.at = floor(key.at, w.ms())
		if key.at < oldest {
			continue
		}
		if folded[key] == nil {
			folded[key] = &cell{}
		}
		folded[key].merge(c)
	}
	for key, c := range folded {
		if err := addBucket(tx, key, w, c); err != nil {
			return err
		}
	}
	if span.oldest == 0 || span.oldest >= oldest {
		return nil
	}
	_, err = tx.Exec(`delete from traffic where project_k = ? and endpoint = ? and clock = ?
		and width_ms = ? and at_ms < ?`, of.projectK, of.endpoint, int64(of.clock), w.ms(), oldest)
	return err
}

func addBucket(tx *store.Tx, key bucketKey, w width, c *cell) error {
	var answer, own []byte
	err := tx.QueryRow(`select answer, own from traffic where project_k = ? and endpoint = ?
		and clock = ? and width_ms = ? and at_ms = ? and model_n = ?`, key.projectK, key.endpoint,
		int64(key.clock), w.ms(), key.at, key.version).Scan(&answer, &own)
	if err != nil && !errors.Is(err, store.ErrNoRows) {
		return err
	}
	c.answer.addEncoded(answer)
	c.own.addEncoded(own)
	_, err = tx.Exec(`insert into traffic (project_k, endpoint, clock, width_ms, at_ms, model_n,
		requests, rows_n, errors, refused, scored, failed, answer, own)
		values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		on conflict (project_k, endpoint, clock, width_ms, at_ms, model_n) do update set
		requests = traffic.requests + excluded.requests, rows_n = traffic.rows_n + excluded.rows_n,
		errors = traffic.errors + excluded.errors, refused = traffic.refused + excluded.refused,
		scored = traffic.scored + excluded.scored, failed = traffic.failed + excluded.failed,
		answer = excluded.answer, own = excluded.own`,
		key.projectK, key.endpoint, int64(key.clock), w.ms(), key.at, key.version, c.Requests, c.Rows,
		c.Errors, c.Refused, c.Scored, c.Failed, c.answer.appendTo(nil), c.own.appendTo(nil))
	return err
}

// span is from the beginning of the oldest bucket to the end of the newest, in Unix
// milliseconds; zero: there are none.
type span struct{ oldest, newest int64 }

func readSpan(tx *store.Tx, of series, w width) (s span, err error) {
	const where = `from traffic where project_k = ? and endpoint = ? and clock = ? and width_ms = ?`
	args := []any{of.projectK, of.endpoint, int64(of.clock), w.ms()}
	err = tx.QueryRow("select coalesce((select min(at_ms) "+where+"), 0), "+
		"coalesce((select max(at_ms) "+where+"), 0)", append(args, args...)...).Scan(&s.oldest, &s.newest)
	if s.newest != 0 {
		s.newest += w.ms()
	}
	return s, err
}

// clockOf returns the clock that is asked for, and how far the endpoint's traffic goes
// by it: from the oldest day to the newest minute.
func clockOf(tx *store.Tx, p fairlead.Project, endpoint, name string) (by clock, s span, err error) {
	try := []clock{eventClock, wallClock}
	switch name {
	case "":
	case ByEvent:
		try = try[:1]
	case ByWall:
		try = try[1:]
	default:
		return 0, s, fairlead.Errorf(fairlead.Invalid, "clock is %q; it is %s or %s", name, ByWall, ByEvent)
	}
	for _, by = range try {
		of := series{p.K, endpoint, by}
		for i := len(widths) - 1; i >= 0; i-- {
			at, err := readSpan(tx, of, widths[i])
			if err != nil {
				return by, s, err
			}
			if i == len(widths)-1 {
				s.oldest = at.oldest
			}
			if at.newest != 0 {
				s.newest, s.oldest = at.newest, max(s.oldest, 0)
			}
		}
		if s.newest != 0 {
			break
		}
	}
	return by, s, nil
}

// addUp adds the buckets of a series from up to to.
func addUp(tx *store.Tx, of series, w width, from, to time.Time, sums *sums) error {
	return tx.Each(`select at_ms, model_n, requests, rows_n, errors, refused, scored, failed,
		answer, own from traffic where project_k = ? and endpoint = ? and clock = ? and width_ms = ?
		and at_ms >= ? and at_ms < ?`, []any{of.projectK, of.endpoint, int64(of.clock), w.ms(),
		from.UnixMilli(), to.UnixMilli()}, func(row []driver.Value) error {
		var n [8]int64
		for i := range n {
			n[i], _ = row[i].(int64)
		}
		s := sums.at(n[0], n[1])
		s.Counts.add(Counts{n[2], n[3], n[4], n[5], n[6], n[7]})
		answer, _ := row[8].([]byte)
		own, _ := row[9].([]byte)
		s.answer.addEncoded(answer)
		s.own.addEncoded(own)
		return nil
	})
}
