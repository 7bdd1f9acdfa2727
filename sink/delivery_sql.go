package sink

import (
	"errors"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

const deliveryColumns = `d.k, d.id, d.webhook_k, w.id, d.event, d.cause, d.body, d.state, d.tries,
	d.next_ms, d.created_ms, d.finished_ms`

const fromDelivery = " from webhook_delivery d join webhook w on w.k = d.webhook_k "

func scanDelivery(row interface{ Scan(dest ...any) error }) (*Delivery, error) {
	d := &Delivery{}
	var next, created, finished int64
	err := row.Scan(&d.k, &d.ID, &d.webhookK, &d.Webhook, &d.Event, &d.Cause, &d.body, &d.State,
		&d.tries, &next, &created, &finished)
	d.Next, d.Created = fairlead.FromMS(next), fairlead.FromMS(created)
	d.Finished = fairlead.FromMS(finished)
	return d, err
}

// deliveryByID returns nil for one that is gone.
func deliveryByID(tx *store.Tx, id string) (*Delivery, error) {
	d, err := scanDelivery(tx.QueryRow("select "+deliveryColumns+fromDelivery+"where d.id = ?", id))
	if errors.Is(err, store.ErrNoRows) {
		return nil, nil
	}
	return d, err
}

func listDeliveries(tx *store.Tx, webhookK int64, state State, before int64, limit int) (
	[]*Delivery, error) {
	return deliveries(tx, `where d.webhook_k = ? and (? = '' or d.state = ?) and d.k < ?
		order by d.k desc limit ?`, webhookK, state, state, before, limit)
}

// due is the delivery of a webhook whose turn comes first.
type due struct {
	id       string
	webhookK int64
	at       time.Time // when it is to be sent, wall time
	failing  bool      // nothing has come through to the webhook since its last failure
}

// firstDue returns, of each active webhook, the delivery whose turn comes first, those
// first that wait longest.
func firstDue(tx *store.Tx) (out []*due, err error) {
	rows, err := tx.Query(`select d.id, d.webhook_k, d.next_ms, w.failing_since_ms from webhook w
		join webhook_delivery d on d.k = (select k from webhook_delivery
			where state = ? and webhook_k = w.k order by next_ms, k limit 1)
		where w.active = 1 order by d.next_ms, d.k`, Waiting)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		d, at, failing := &due{}, int64(0), int64(0)
		if err := rows.Scan(&d.id, &d.webhookK, &at, &failing); err != nil {
			return nil, err
		}
		d.at, d.failing = fairlead.FromMS(at), failing != 0
		out = append(out, d)
	}
	return out, rows.Err()
}

func deliveries(tx *store.Tx, where string, args ...any) (out []*Delivery, err error) {
	rows, err := tx.Query("select "+deliveryColumns+fromDelivery+where, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		d, err := scanDelivery(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, rows.Err()
}

func insertDelivery(tx *store.Tx, d *Delivery) error {
	return tx.QueryRow(`insert into webhook_delivery (id, webhook_k, event, cause, body, state, tries,
		next_ms, created_ms, finished_ms) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) returning k`,
		d.ID, d.webhookK, d.Event, d.Cause, d.body, d.State, d.tries, fairlead.MS(d.Next),
		fairlead.MS(d.Created), fairlead.MS(d.Finished)).Scan(&d.k)
}

func updateDelivery(tx *store.Tx, d *Delivery) error {
	_, err := tx.Exec(`update webhook_delivery set state = ?, tries = ?, next_ms = ?, finished_ms = ?
		where k = ?`, d.State, d.tries, fairlead.MS(d.Next), fairlead.MS(d.Finished), d.k)
	return err
}

// deleteOld removes at most limit deliveries that ended before, with their attempts.
func deleteOld(tx *store.Tx, before time.Time, limit int) (int64, error) {
	const old = `(select k from webhook_delivery where finished_ms > 0 and finished_ms < ?
		order by finished_ms, k limit ?)`
	ms := fairlead.MS(before)
	_, err := tx.Exec("delete from webhook_attempt where delivery_k in "+old, ms, limit)
	if err != nil {
		return 0, err
	}
	res, err := tx.Exec("delete from webhook_delivery where k in "+old, ms, limit)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func insertAttempt(tx *store.Tx, deliveryK int64, a *Attempt) error {
	_, err := tx.Exec(`insert into webhook_attempt
		(delivery_k, n, at_ms, took_ms, status, answer, error) values (?, ?, ?, ?, ?, ?, ?)`,
		deliveryK, a.N, fairlead.MS(a.At), a.TookMS, a.Status, a.Answer, a.Error)
	return err
}

// attempts returns the newest attempts of a delivery, the newest first.
func attempts(tx *store.Tx, deliveryK int64, limit int) ([]*Attempt, error) {
	rows, err := tx.Query(`select n, at_ms, took_ms, status, answer, error from webhook_attempt
		where delivery_k = ? order by n desc limit ?`, deliveryK, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []*Attempt{}
	for rows.Next() {
		a, at := &Attempt{}, int64(0)
		if err := rows.Scan(&a.N, &at, &a.TookMS, &a.Status, &a.Answer, &a.Error); err != nil {
			return nil, err
		}
		a.At = fairlead.FromMS(at)
		out = append(out, a)
	}
	return out, rows.Err()
}

// lastAttempt returns nil where there was none.
func lastAttempt(tx *store.Tx, deliveryK int64) (*Attempt, error) {
	last, err := attempts(tx, deliveryK, 1)
	if err != nil || len(last) == 0 {
		return nil, err
	}
	return last[0], nil
}

// countWaiting counts the deliveries that are to be sent, and the webhooks that get none
// because nothing came through.
func countWaiting(tx *store.Tx) (waiting, disabled float64, err error) {
	err = tx.QueryRow(`select (select count(*) from webhook_delivery d join webhook w
			on w.k = d.webhook_k where d.state = ? and w.active = 1),
		(select count(*) from webhook where active = 0 and reason <> '')`, Waiting).
		Scan(&waiting, &disabled)
	return waiting, disabled, err
}
