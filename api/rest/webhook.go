package rest

import (
	"context"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/auth"
	"github.com/fairlead-ml/fairlead/sink"
	"github.com/fairlead-ml/fairlead/store"
)

// WebhookInput names a webhook.
type WebhookInput struct {
	InProject
	Webhook string `path:"webhook"`
}

// DeliveriesInput selects deliveries of a webhook.
type DeliveriesInput struct {
	WebhookInput
	Paging
	State sink.State `query:"state" enum:"waiting,delivered,failed" doc:"absent for all"`
}

// DeliveryInput names a delivery.
type DeliveryInput struct {
	WebhookInput
	Delivery string `path:"delivery"`
}

// RedeliverInput names a delivery that is to be sent again.
type RedeliverInput struct {
	DeliveryInput
	Once
}

// WebhookChange is what of a webhook is set. What is absent stays as it is.
type WebhookChange struct {
	Name        *string  `json:"name,omitempty"`
	URL         *string  `json:"url,omitempty"`
	Description *string  `json:"description,omitempty"`
	Events      []string `json:"events,omitempty" doc:"such as model_version.created"`
	Secret      *string  `json:"secret,omitempty" doc:"signs deliveries, and is never shown; empty for none"`
	Active      *bool    `json:"active,omitempty" doc:"false: nothing is sent"`
}

func (c *WebhookChange) change() sink.Change {
	return sink.Change{Name: c.Name, URL: c.URL, Description: c.Description, Secret: c.Secret,
		Events: c.Events, Active: c.Active}
}

// NewWebhookInput describes a webhook to create.
type NewWebhookInput struct {
	InProject
	Once
	Body WebhookChange
}

// WebhookChangeInput changes a webhook.
type WebhookChangeInput struct {
	WebhookInput
	Body WebhookChange
}

// WebhookTestInput says what a webhook is tried out with.
type WebhookTestInput struct {
	WebhookInput
	Body struct {
		Event string `json:"event,omitempty" doc:"absent for the webhook's first"`
	}
}

// webhookBody bounds what is said of a webhook, in bytes.
const webhookBody = 32 << 10

// webhookOperations make webhooks, and show what became of them.
func (a *API) webhookOperations() {
	register(a, op{id: "create-webhook", method: "POST", path: "/webhooks", limit: webhookBody,
		summary: "Make a webhook, which needs a name, a URL and events", may: auth.Administer},
		func(ctx context.Context, p fairlead.Project, in *NewWebhookInput) (*sink.Webhook, error) {
			said := in.Body
			said.Secret = nil // of which nothing is kept, no digest either
			return inTurn(ctx, a, p, in.Key, "create-webhook", said, func() (*sink.Webhook, error) {
				return a.Sink.Create(ctx, p, in.Body.change())
			})
		})
	register(a, op{id: "update-webhook", method: "PATCH", path: "/webhooks/{webhook}",
		limit: webhookBody, summary: "Change a webhook, or make it active again", may: auth.Administer},
		func(ctx context.Context, p fairlead.Project, in *WebhookChangeInput) (*sink.Webhook, error) {
			return a.Sink.Update(ctx, p, in.Webhook, in.Body.change())
		})
	register(a, op{id: "delete-webhook", method: "DELETE", path: "/webhooks/{webhook}",
		summary: "Delete a webhook with its deliveries", may: auth.Administer},
		func(ctx context.Context, p fairlead.Project, in *WebhookInput) (Done, error) {
			return done(a.Sink.Delete(ctx, p, in.Webhook))
		})
	register(a, op{id: "test-webhook", method: "POST", path: "/webhooks/{webhook}/test",
		summary: "Send an example of an event once, and say what came of it", may: auth.Administer},
		func(ctx context.Context, p fairlead.Project, in *WebhookTestInput) (*sink.Attempt, error) {
			at := a.Clock.Now()
			answer, err := a.Sink.Test(ctx, p, in.Webhook, in.Body.Event)
			if err != nil {
				return nil, err
			}
			return answer.Attempt(1, at), nil
		})
	register(a, op{id: "list-webhooks", method: "GET", path: "/webhooks",
		summary: "List the webhooks, the newest first", may: auth.Administer},
		func(ctx context.Context, p fairlead.Project, in *ListInput) (
			fairlead.Page[*sink.Webhook], error) {
			return filled(a.Sink.List(ctx, p, in.Page, in.Limit))
		})
	register(a, op{id: "get-webhook", method: "GET", path: "/webhooks/{webhook}",
		summary: "A webhook, and why it was disabled", may: auth.Administer},
		func(ctx context.Context, p fairlead.Project, in *WebhookInput) (*sink.Webhook, error) {
			return a.Sink.Get(ctx, p, in.Webhook)
		})
	register(a, op{id: "list-deliveries", method: "GET", path: "/webhooks/{webhook}/deliveries",
		summary: "List a webhook's deliveries, the newest first", may: auth.Administer},
		func(ctx context.Context, p fairlead.Project, in *DeliveriesInput) (
			fairlead.Page[*sink.Delivery], error) {
			return filled(a.Sink.Deliveries(ctx, p, in.Webhook, in.State, in.Page, in.Limit))
		})
	register(a, op{id: "get-delivery", method: "GET",
		path:    "/webhooks/{webhook}/deliveries/{delivery}",
		summary: "A delivery, what is sent, and each attempt", may: auth.Administer},
		func(ctx context.Context, p fairlead.Project, in *DeliveryInput) (*sink.DeliveryLog, error) {
			return a.Sink.Delivery(ctx, p, in.Webhook, in.Delivery)
		})
	register(a, op{id: "redeliver", method: "POST",
		path:    "/webhooks/{webhook}/deliveries/{delivery}/redeliver",
		summary: "Send a delivery again, under the same id", may: auth.Administer},
		func(ctx context.Context, p fairlead.Project, in *RedeliverInput) (*sink.Delivery, error) {
			return atomically(ctx, a, p, in.Key, "redeliver", in,
				func(tx *store.Tx) (*sink.Delivery, error) {
					return a.Sink.Redeliver(tx, p, in.Webhook, in.Delivery)
				})
		})
}
