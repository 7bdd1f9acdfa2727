package sink

import (
	"cmp"
	"context"
	"embed"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/event"
	"github.com/fairlead-ml/fairlead/ledger"
	"github.com/fairlead-ml/fairlead/store"
)

//go:embed migrations/*.sql
var files embed.FS

// Schema returns the tables of webhooks, deliveries and attempts.
func Schema() store.Schema { return store.Embedded("sink", files) }

// Webhook is an address that is told of events of its project.
type Webhook struct {
	ID           string    `json:"id"`
	Name         string    `json:"name"` // need not be unique, as in MLflow
	URL          string    `json:"url"`
	Description  string    `json:"description,omitempty"`
	Events       []string  `json:"events"` // such as "model_version.created", in the order given
	Active       bool      `json:"active"`
	Signed       bool      `json:"signed"`                 // has a secret, which is never shown
	Reason       string    `json:"reason,omitempty"`       // why it was disabled; empty when by hand
	FailingSince time.Time `json:"failing_since,omitzero"` // since the last success; wall time
	Created      time.Time `json:"created_at"`             // wall time
	Updated      time.Time `json:"updated_at"`             // wall time

	k       int64
	project fairlead.Project
	sealed  []byte
}

// Message is what an event says to a receiver.
type Message struct {
	Event string // what webhooks subscribe to
	Body  any    // marshalled as JSON
}

// Source says what events of the ledger mean to receivers.
type Source struct {
	// Types holds, for each type of event in the ledger, the events that it may be to
	// receivers.
	Types map[string][]string
	// Message returns what is sent for an event, nil for nothing. It does no I/O.
	Message func(tx *store.Tx, r *ledger.Record) (*Message, error)
	// Example returns what is sent to try an event out, nil for one that there is not.
	Example func(p fairlead.Project, event string, now time.Time) *Message
	Events  []string // all that webhooks can subscribe to
}

// Deps are what a Service stands on.
type Deps struct {
	DB      *store.DB
	Ledger  *ledger.Ledger
	Clock   fairlead.Clock
	Log     *slog.Logger
	Source  Source
	Dir     string  // the data directory, for the key of the secrets
	Allowed Allowed // addresses that are not public, and may be reached
}

// Service keeps webhooks and sends their deliveries.
type Service struct {
	Deps
	vault   *vault
	sender  *sender
	metrics *metrics
	atOnce  int // atOnce, but in tests

	wake  chan struct{} // there may be something to send
	quit  chan struct{} // closed by Stop
	once  sync.Once
	work  sync.WaitGroup
	mu    sync.Mutex
	busy  map[int64]*due // by the webhook's k: one delivery at a time
	swept time.Time      // when old deliveries were last removed; of the dispatcher alone
	// served holds when the webhooks with something due were last served; wall time.
	served map[int64]time.Time
}

// New returns a service on a database whose schema includes Schema() and the
// ledger's, and subscribes it to the source's events.
func New(d Deps) (*Service, error) {
	v, err := openVault(d.Dir)
	if err != nil {
		return nil, err
	}
	s := &Service{Deps: d, vault: v, sender: newSender(d.Allowed), atOnce: atOnce,
		wake: make(chan struct{}, 1), quit: make(chan struct{}), busy: map[int64]*due{},
		served: map[int64]time.Time{}}
	s.metrics = newMetrics(s)
	d.Ledger.Subscribe(ledger.Subscription{Name: "sink",
		Types: slices.Sorted(maps.Keys(d.Source.Types)), Handle: s.enqueue})
	return s, nil
}

var validName = regexp.MustCompile(`^(?i)[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$`)

// Limits of a webhook's texts, in bytes, and of a project's webhooks.
const (
	maxDescription = 5000
	maxSecret      = 1000
	maxWebhooks    = 100
)

// Change is what of a webhook is set; nil fields stay as they are.
type Change struct {
	Name, URL, Description, Secret *string
	Events                         []string // nil or empty: as they are
	Active                         *bool
}

// check refuses what can be seen to be wrong without the database.
func (s *Service) check(ctx context.Context, c Change) error {
	switch {
	case c.Name != nil && !validName.MatchString(*c.Name):
		return fairlead.Errorf(fairlead.Invalid, "Webhook name '%s' is invalid. It must start and end "+
			"with a letter or digit, be less than 63 characters long, and contain only letters, digits, "+
			"dots (.), underscores (_), and hyphens (-).", *c.Name)
	case c.Description != nil && len(*c.Description) > maxDescription:
		return fairlead.Errorf(fairlead.Invalid,
			"Webhook description is longer than %d bytes", maxDescription)
	case c.Secret != nil && len(*c.Secret) > maxSecret:
		return fairlead.Errorf(fairlead.Invalid, "Webhook secret is longer than %d bytes", maxSecret)
	}
	for _, e := range c.Events {
		if !slices.Contains(s.Source.Events, e) {
			return fairlead.Errorf(fairlead.Invalid, "there is no event %q; there are: %s", e,
				strings.Join(s.Source.Events, ", "))
		}
	}
	if c.URL != nil {
		return s.Allowed.check(ctx, *c.URL)
	}
	return nil
}

// apply changes w. To make it active, or send it elsewhere, forgets its failures.
func (s *Service) apply(w *Webhook, c Change) {
	set(&w.Name, c.Name)
	set(&w.URL, c.URL)
	set(&w.Description, c.Description)
	set(&w.Active, c.Active)
	if len(c.Events) > 0 {
		w.Events = nil
		for _, e := range c.Events {
			if !slices.Contains(w.Events, e) {
				w.Events = append(w.Events, e)
			}
		}
	}
	if c.Secret != nil {
		w.sealed = s.vault.seal(w.ID, *c.Secret)
		w.Signed = *c.Secret != ""
	}
	if c.Active != nil || c.URL != nil {
		w.Reason, w.FailingSince = "", time.Time{}
	}
	w.Updated = s.Clock.Now()
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// Create makes a webhook, active unless the change says otherwise. Its URL is
// resolved before: Invalid for one that requests may not go to.
func (s *Service) Create(ctx context.Context, p fairlead.Project, c Change) (w *Webhook,
	err error) {
	if c.Name == nil || c.URL == nil || len(c.Events) == 0 {
		return nil, fairlead.Errorf(fairlead.Invalid, "a webhook needs a name, a URL and events")
	}
	if err := s.check(ctx, c); err != nil {
		return nil, err
	}
	err = s.DB.Write(ctx, store.Control, func(tx *store.Tx) error {
		n, err := countWebhooks(tx, p)
		if err != nil {
			return err
		}
		if n >= maxWebhooks {
			return fairlead.Errorf(fairlead.Exhausted,
				"a project has at most %d webhooks; delete one first", maxWebhooks)
		}
		now := s.Clock.Now()
		w = &Webhook{ID: fairlead.NewID("hook", now), Active: true, Created: now, project: p,
			sealed: []byte{}}
		s.apply(w, c)
		if err := insertWebhook(tx, w); err != nil {
			return err
		}
		return s.emit(ctx, tx, event.WebhookCreatedType, w)
	})
	return w, err
}

// Get returns a webhook of the project, or NotFound.
func (s *Service) Get(ctx context.Context, p fairlead.Project, id string) (w *Webhook, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		w, err = webhookByID(tx, p, id)
		return err
	})
	return w, err
}

// List returns a page of the project's webhooks, newest first; a limit of 0 is 100,
// the highest one 1000.
func (s *Service) List(ctx context.Context, p fairlead.Project, token string, limit int) (
	out fairlead.Page[*Webhook], err error) {
	if limit <= 0 {
		limit = 100
	}
	limit = min(limit, 1000)
	filter, before := fmt.Sprint("webhooks", p.K), int64(0)
	if err := fairlead.DecodeCursor(token, filter, &before); err != nil {
		return out, err
	}
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		out.Items, err = listWebhooks(tx, p, before, limit+1)
		return err
	})
	if len(out.Items) > limit {
		out.Items = out.Items[:limit]
		out.Next = fairlead.EncodeCursor(filter, out.Items[limit-1].k)
	}
	return out, err
}

// Update changes a webhook. What waited while it was disabled is sent when it is
// active again.
func (s *Service) Update(ctx context.Context, p fairlead.Project, id string, c Change) (w *Webhook,
	err error) {
	if err := s.check(ctx, c); err != nil {
		return nil, err
	}
	err = s.DB.Write(ctx, store.Control, func(tx *store.Tx) (err error) {
		if w, err = webhookByID(tx, p, id); err != nil {
			return err
		}
		s.apply(w, c)
		if err := updateWebhook(tx, w); err != nil {
			return err
		}
		s.wakeAfter(tx)
		return s.emit(ctx, tx, event.WebhookUpdatedType, w)
	})
	return w, err
}

// Delete removes a webhook with its deliveries; what is being sent is not recalled.
func (s *Service) Delete(ctx context.Context, p fairlead.Project, id string) error {
	return s.DB.Write(ctx, store.Control, func(tx *store.Tx) error {
		w, err := webhookByID(tx, p, id)
		if err != nil {
			return err
		}
		if err := deleteWebhook(tx, w); err != nil {
			return err
		}
		return s.emit(ctx, tx, event.WebhookDeletedType, w)
	})
}

// emit appends an event of a webhook. It leaves the URL out, which may hold a secret.
func (s *Service) emit(ctx context.Context, tx *store.Tx, name string, w *Webhook) error {
	_, err := s.Ledger.Append(ctx, tx, w.project, "webhook/"+w.ID, time.Time{}, event.Webhook{
		Name: name, Webhook: w.ID, Title: w.Name, Events: w.Events, Active: w.Active, Reason: w.Reason})
	return err
}

// Test sends an example of an event to the webhook once, of its first event for an empty
// one, and returns what came of it, also when the webhook is disabled. It is no
// delivery: nothing is stored.
func (s *Service) Test(ctx context.Context, p fairlead.Project, id, event string) (*Answer,
	error) {
	w, err := s.Get(ctx, p, id)
	if err != nil {
		return nil, err
	}
	now := s.Clock.Now()
	m := s.Source.Example(p, cmp.Or(event, w.Events[0]), now)
	if m == nil {
		return nil, fairlead.Errorf(fairlead.Invalid, "there is no event %q; there are: %s", event,
			strings.Join(s.Source.Events, ", "))
	}
	body, err := encode(m)
	if err != nil {
		return nil, err
	}
	secret, err := s.vault.open(w.ID, w.sealed)
	if err != nil {
		return nil, err
	}
	return s.sender.send(ctx, w.URL, secret, fairlead.NewID("dlv", now), now, body), nil
}
