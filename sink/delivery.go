package sink

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/store"
)

// State is where a delivery stands.
type State string

// The states. A delivery that has ended waits again when it is redelivered.
const (
	Waiting   State = "waiting" // to be sent, or sent again
	Delivered State = "delivered"
	Failed    State = "failed" // its tries are used up
)

// Delivery is one event on its way to one webhook. All its times are wall time.
type Delivery struct {
	ID       string    `json:"id"` // X-MLflow-Delivery-Id, the same at each try
	Webhook  string    `json:"webhook"`
	Event    string    `json:"event"`
	Cause    string    `json:"cause"` // id of the event in the ledger
	State    State     `json:"state"`
	Next     time.Time `json:"next_at,omitzero"` // of one that waits
	Created  time.Time `json:"created_at"`
	Finished time.Time `json:"finished_at,omitzero"`
	Attempts int64     `json:"attempts"`       // how often it was sent
	Last     *Attempt  `json:"last,omitempty"` // the last one

	k        int64
	webhookK int64
	tries    int64 // since it was made or redelivered
	body     string
}

// Attempt is one sending of a delivery.
type Attempt struct {
	N      int64     `json:"n"` // from 1
	At     time.Time `json:"at"`
	TookMS int64     `json:"took_ms"`
	Status int       `json:"status,omitempty"` // of HTTP; absent without an answer
	Answer string    `json:"answer,omitempty"` // the first 4 KiB of its body
	Error  string    `json:"error,omitempty"`  // why it is no success
}

// DeliveryLog is a delivery with all that is known of it.
type DeliveryLog struct {
	*Delivery
	Body json.RawMessage `json:"body"` // as it is sent
	Log  []*Attempt      `json:"log"`  // the newest first
}

// encode returns the body of a message as it is sent.
func encode(m *Message) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(m.Body); err != nil {
		return "", fmt.Errorf("encode %s: %w", m.Event, err)
	}
	return string(bytes.TrimSpace(b.Bytes())), nil
}

// enqueue stores a delivery for each active webhook that has subscribed to what the
// event means. It is the ledger's handler.
func (s *Service) enqueue(_ context.Context, tx *store.Tx, r *ledger.Record) error {
	hooks, err := activeWebhooks(tx, r.ProjectK)
	if err != nil {
		return err
	}
	happened := fairlead.FromMS(r.TimeMS)
	hooks = slices.DeleteFunc(hooks, func(w *Webhook) bool {
		return w.Created.After(happened) || !slices.ContainsFunc(s.Source.Types[r.Type],
			func(event string) bool { return slices.Contains(w.Events, event) })
	})
	if len(hooks) == 0 {
		return nil
	}
	m, err := s.Source.Message(tx, r)
	if err != nil || m == nil {
		return err
	}
	body, err := encode(m)
	if err != nil {
		return err
	}
	now := s.Clock.Now()
	for _, w := range hooks {
		if !slices.Contains(w.Events, m.Event) {
			continue
		}
		d := &Delivery{ID: fairlead.NewID("dlv", now), Event: m.Event, Cause: r.ID, State: Waiting,
			Next: now, Created: now, webhookK: w.k, body: body}
		if err := insertDelivery(tx, d); err != nil {
			return err
		}
		s.wakeAfter(tx)
	}
	return nil
}

// Deliveries returns a page of a webhook's deliveries, newest first; an empty state
// stands for all, a limit of 0 is 100, the highest one 1000.
func (s *Service) Deliveries(ctx context.Context, p fairlead.Project, webhook string, state State,
	token string, limit int) (out fairlead.Page[*Delivery], err error) {
	if limit <= 0 {
		limit = 100
	}
	limit = min(limit, 1000)
	filter, before := fmt.Sprintf("deliveries %d %q %q", p.K, webhook, state), int64(math.MaxInt64)
	if err := fairlead.DecodeCursor(token, filter, &before); err != nil {
		return out, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		w, err := webhookByID(tx, p, webhook)
		if err != nil {
			return err
		}
		if out.Items, err = listDeliveries(tx, w.k, state, before, limit+1); err != nil {
			return err
		}
		for _, d := range out.Items {
			if d.Last, err = lastAttempt(tx, d.k); err != nil {
				return err
			}
			d.Attempts = d.Last.count()
		}
		return nil
	})
	if len(out.Items) > limit {
		out.Items = out.Items[:limit]
		out.Next = fairlead.EncodeCursor(filter, out.Items[limit-1].k)
	}
	return out, err
}

func (a *Attempt) count() int64 {
	if a == nil {
		return 0
	}
	return a.N
}

// maxLog bounds how many attempts of one delivery are shown.
const maxLog = 100

// Delivery returns a delivery of a webhook with its log, or NotFound.
func (s *Service) Delivery(ctx context.Context, p fairlead.Project, webhook, id string) (
	out *DeliveryLog, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		d, err := s.find(tx, p, webhook, id)
		if err != nil {
			return err
		}
		out = &DeliveryLog{Delivery: d, Body: json.RawMessage(d.body)}
		if out.Log, err = attempts(tx, d.k, maxLog); err == nil && len(out.Log) > 0 {
			d.Last, d.Attempts = out.Log[0], out.Log[0].N
		}
		return err
	})
	return out, err
}

func (s *Service) find(tx *store.Tx, p fairlead.Project, webhook, id string) (*Delivery, error) {
	w, err := webhookByID(tx, p, webhook)
	if err != nil {
		return nil, err
	}
	d, err := deliveryByID(tx, id)
	if err == nil && (d == nil || d.webhookK != w.k) {
		err = fairlead.Errorf(fairlead.NotFound, "webhook %s has no delivery %s; deliveries that have "+
			"ended are kept for %d days", webhook, id, int(keep/(24*time.Hour)))
	}
	return d, err
}

// Redeliver sends a delivery again, with all its tries, under the same id and with the
// same body. One that waits is sent now. Precondition for a disabled webhook.
func (s *Service) Redeliver(tx *store.Tx, p fairlead.Project, webhook, id string) (*Delivery,
	error) {
	d, err := s.find(tx, p, webhook, id)
	if err != nil {
		return nil, err
	}
	w, err := webhookByID(tx, p, webhook)
	if err != nil {
		return nil, err
	}
	if !w.Active {
		return nil, fairlead.Errorf(fairlead.Precondition, "webhook %s is disabled, so nothing is "+
			"sent to it; make it active first: fairlead webhook update %s --active", w.Name, w.ID)
	}
	d.State, d.tries, d.Next, d.Finished = Waiting, 0, s.Clock.Now(), time.Time{}
	if err := updateDelivery(tx, d); err != nil {
		return nil, err
	}
	if d.Last, err = lastAttempt(tx, d.k); err != nil {
		return nil, err
	}
	d.Attempts = d.Last.count()
	s.wakeAfter(tx)
	return d, nil
}
