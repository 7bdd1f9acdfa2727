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

// webhookOperations show what became of webhooks; MLflow's API makes and changes them.
func (a *API) webhookOperations() {
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
