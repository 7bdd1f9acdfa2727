package stream

import (
	"errors"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

// row is a stream as stored; the zero value is one that has not begun.
type row struct {
	watermarkMS int64
	driven      bool
}

func read(tx *store.Tx, p fairlead.Project, name string) (r row, err error) {
	err = tx.QueryRow("select watermark_ms, driven from stream where project_k = ? and name = ?",
		p.K, name).Scan(&r.watermarkMS, &r.driven)
	if errors.Is(err, store.ErrNoRows) {
		return row{}, nil
	}
	return r, err
}

func write(tx *store.Tx, p fairlead.Project, name string, r row) error {
	_, err := tx.Exec(`insert into stream (project_k, project, name, driven, watermark_ms)
		values (?, ?, ?, ?, ?) on conflict (project_k, name)
		do update set driven = excluded.driven, watermark_ms = excluded.watermark_ms`,
		p.K, p.Name, name, r.driven, r.watermarkMS)
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
