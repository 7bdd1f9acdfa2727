package stream

import (
	"errors"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// row is a stream as stored; the zero value is one that has not begun.
type row struct {
	watermarkMS int64
	driven      bool
	mode        mode
	lateness    time.Duration
}

func read(tx *store.Tx, p fairlead.Project, name string) (r row, err error) {
	var latenessMS int64
	err = tx.QueryRow(`select watermark_ms, driven, mode, lateness_ms from stream
		where project_k = ? and name = ?`, p.K, name).Scan(&r.watermarkMS, &r.driven, &r.mode, &latenessMS)
	if errors.Is(err, store.ErrNoRows) {
		return row{}, nil
	}
	r.lateness = time.Duration(latenessMS) * time.Millisecond
	return r, err
}

// readLive returns the streams that follow requests.
func readLive(tx *store.Tx) ([]*sighting, error) {
	rows, err := tx.Query(`select project_k, project, name, mode, lateness_ms, watermark_ms from stream
		where driven = 0 and mode > 0 order by project_k, name`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []*sighting
	for rows.Next() {
		g := &sighting{}
		var latenessMS int64
		err := rows.Scan(&g.project.K, &g.project.Name, &g.name, &g.mode, &latenessMS, &g.followedMS)
		if err != nil {
			return nil, err
		}
		g.lateness = time.Duration(latenessMS) * time.Millisecond
		out = append(out, g)
	}
	return out, rows.Err()
}

func write(tx *store.Tx, p fairlead.Project, name string, r row) error {
	driven := 0
	if r.driven {
		driven = 1
	}
	_, err := tx.Exec(`insert into stream (project_k, project, name, driven, mode, lateness_ms, watermark_ms)
		values (?, ?, ?, ?, ?, ?, ?) on conflict (project_k, name)
		do update set driven = excluded.driven, mode = excluded.mode, lateness_ms = excluded.lateness_ms,
			watermark_ms = excluded.watermark_ms`,
		p.K, p.Name, name, driven, int64(r.mode), r.lateness.Milliseconds(), r.watermarkMS)
	return err
}

func setTimer(tx *store.Tx, p fairlead.Project, t Timer) error {
	payload := t.Payload
	if payload == nil {
		payload = []byte("null")
	}
	_, err := tx.Exec(`insert into timer (project_k, stream, kind, key, due_ms, payload)
		values (?, ?, ?, ?, ?, ?) on conflict (project_k, stream, kind, key)
		do update set due_ms = excluded.due_ms, payload = excluded.payload`,
		p.K, t.Stream, t.Kind, t.Key, t.Due.UnixMilli(), string(payload))
	return err
}

func deleteTimer(tx *store.Tx, p fairlead.Project, stream, kind, key string) error {
	_, err := tx.Exec("delete from timer where project_k = ? and stream = ? and kind = ? and key = ?",
		p.K, stream, kind, key)
	return err
}

// readDue returns 0 for a timer that does not exist.
func readDue(tx *store.Tx, p fairlead.Project, stream, kind, key string) (ms int64, err error) {
	err = tx.QueryRow(`select due_ms from timer
		where project_k = ? and stream = ? and kind = ? and key = ?`,
		p.K, stream, kind, key).Scan(&ms)
	if errors.Is(err, store.ErrNoRows) {
		return 0, nil
	}
	return ms, err
}

// nextTimer returns the first timer that is due, in an order that does not depend
// on when timers were set.
func nextTimer(tx *store.Tx, p fairlead.Project, stream string, untilMS int64) (*Timer, error) {
	t := Timer{Stream: stream}
	var due int64
	var payload string
	err := tx.QueryRow(`select kind, key, due_ms, payload from timer
		where project_k = ? and stream = ? and due_ms <= ? order by due_ms, kind, key limit 1`,
		p.K, stream, untilMS).Scan(&t.Kind, &t.Key, &due, &payload)
	if errors.Is(err, store.ErrNoRows) {
		return nil, nil
	}
	t.Due, t.Payload = fairlead.FromMS(due), []byte(payload)
	return &t, err
}

func countTimers(tx *store.Tx, p fairlead.Project, stream string) (n int, nextMS int64, err error) {
	err = tx.QueryRow(`select count(*), coalesce(min(due_ms), 0) from timer
		where project_k = ? and stream = ?`, p.K, stream).Scan(&n, &nextMS)
	return n, nextMS, err
}
