package sink

import (
	"errors"
	"math"
	"strings"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/store"
)

const webhookColumns = `w.k, w.id, w.project_k, w.project, w.name, w.url, w.description, w.events,
	w.secret, w.active, w.reason, w.failing_since_ms, w.created_ms, w.updated_ms`

func scanWebhook(row interface{ Scan(dest ...any) error }) (*Webhook, error) {
	w := &Webhook{}
	var events string
	var active, failing, created, updated int64
	err := row.Scan(&w.k, &w.ID, &w.project.K, &w.project.Name, &w.Name, &w.URL, &w.Description,
		&events, &w.sealed, &active, &w.Reason, &failing, &created, &updated)
	w.Events, w.Active, w.Signed = strings.Split(events, ","), active != 0, len(w.sealed) > 0
	w.FailingSince = fairlead.FromMS(failing)
	w.Created, w.Updated = fairlead.FromMS(created), fairlead.FromMS(updated)
	return w, err
}

func webhookByID(tx *store.Tx, p fairlead.Project, id string) (*Webhook, error) {
	w, err := scanWebhook(tx.QueryRow("select "+webhookColumns+
		" from webhook w where w.project_k = ? and w.id = ?", p.K, id))
	if errors.Is(err, store.ErrNoRows) {
		return nil, fairlead.Errorf(fairlead.NotFound, "Webhook with ID %s not found.", id)
	}
	return w, err
}

// webhookByK returns nil for one that was deleted.
func webhookByK(tx *store.Tx, k int64) (*Webhook, error) {
	w, err := scanWebhook(tx.QueryRow("select "+webhookColumns+" from webhook w where w.k = ?", k))
	if errors.Is(err, store.ErrNoRows) {
		return nil, nil
	}
	return w, err
}

// listWebhooks returns the newest of those before k; 0 is the end.
func listWebhooks(tx *store.Tx, p fairlead.Project, before int64, limit int) ([]*Webhook, error) {
	if before == 0 {
		before = math.MaxInt64
	}
	return webhooks(tx, "w.project_k = ? and w.k < ? order by w.k desc limit ?", p.K, before, limit)
}

func activeWebhooks(tx *store.Tx, projectK int64) ([]*Webhook, error) {
	return webhooks(tx, "w.project_k = ? and w.active = 1 order by w.k", projectK)
}

func webhooks(tx *store.Tx, where string, args ...any) (out []*Webhook, err error) {
	rows, err := tx.Query("select "+webhookColumns+" from webhook w where "+where, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		w, err := scanWebhook(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, w)
	}
	return out, rows.Err()
}

func countWebhooks(tx *store.Tx, p fairlead.Project) (n int, err error) {
	err = tx.QueryRow("select count(*) from webhook where project_k = ?", p.K).Scan(&n)
	return n, err
}

func insertWebhook(tx *store.Tx, w *Webhook) error {
	return tx.QueryRow(`insert into webhook (id, project_k, project, name, url, description, events,
		secret, active, reason, failing_since_ms, created_ms, updated_ms)
		values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) returning k`,
		w.ID, w.project.K, w.project.Name, w.Name, w.URL, w.Description,
		strings.Join(w.Events, ","), w.sealed, flag(w.Active), w.Reason,
		fairlead.MS(w.FailingSince), fairlead.MS(w.Created), fairlead.MS(w.Updated)).Scan(&w.k)
}

func updateWebhook(tx *store.Tx, w *Webhook) error {
	_, err := tx.Exec(`update webhook set name = ?, url = ?, description = ?, events = ?, secret = ?,
		active = ?, reason = ?, failing_since_ms = ?, updated_ms = ? where k = ?`,
		w.Name, w.URL, w.Description, strings.Join(w.Events, ","), w.sealed, flag(w.Active), w.Reason,
		fairlead.MS(w.FailingSince), fairlead.MS(w.Updated), w.k)
	return err
}

func deleteWebhook(tx *store.Tx, w *Webhook) error {
	for _, statement := range []string{
		`delete from webhook_attempt where delivery_k in
			(select k from webhook_delivery where webhook_k = ?)`,
		"delete from webhook_delivery where webhook_k = ?",
		"delete from webhook where k = ?",
	} {
		if _, err := tx.Exec(statement, w.k); err != nil {
			return err
		}
	}
	return nil
}

func flag(v bool) int64 {
	if v {
		return 1
	}
	return 0
}
