package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fairlead-ml/fairlead"
	"github.com/fairlead-ml/fairlead/sink"
)

func (c *cli) webhookCommand() *cobra.Command {
	return group("webhook", "Show the webhooks and their deliveries, and send one again",
		c.webhookListCommand(), c.deliveriesCommand(), c.redeliverCommand())
}

func (c *cli) webhookListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the webhooks; MLflow's client makes and changes them",
		Example: "  fairlead webhook list",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			return c.with(ctx, func(cl *client) error {
				var page fairlead.Page[*sink.Webhook]
				var err error
				page.Items, err = every[*sink.Webhook](ctx, cl, "/webhooks", url.Values{})
				if err != nil {
					return err
				}
				return c.print(page, func(w io.Writer) { writeWebhooks(w, page.Items) })
			})
		},
	}
}

func writeWebhooks(w io.Writer, all []*sink.Webhook) {
	tw := table(w, "WEBHOOK", "NAME", "STATE", "FAILING SINCE", "URL", "EVENTS", "REASON")
	for _, h := range all {
		state := "disabled"
		if h.Active {
			state = "active"
		}
		tw.row(h.ID, h.Name, state, h.FailingSince, h.URL, strings.Join(h.Events, " "), h.Reason)
	}
	tw.flush()
}

func (c *cli) deliveriesCommand() *cobra.Command {
	var all bool
	var state string
	cmd := &cobra.Command{
		Use:   "deliveries WEBHOOK [DELIVERY]",
		Short: "Show what was sent to a webhook, by its id or name, or each attempt of one delivery",
		Example: `  fairlead webhook deliveries ci
  fairlead webhook deliveries ci --state failed
  fairlead webhook deliveries hook_01h2x… dlv_01h2y…`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			return c.with(ctx, func(cl *client) error {
				h, err := cl.webhook(ctx, args[0])
				if err != nil {
					return err
				}
				path := "/webhooks/" + url.PathEscape(h.ID) + "/deliveries"
				if len(args) == 2 {
					var d sink.DeliveryLog
					if err := cl.do(ctx, http.MethodGet, path+"/"+url.PathEscape(args[1]), nil, &d); err != nil {
						return err
					}
					return c.print(d, func(w io.Writer) { writeDelivery(w, &d) })
				}
				q := url.Values{}
				if state != "" {
					q.Set("state", state)
				}
				page, err := newest[*sink.Delivery](ctx, c, cl, path, q, all)
				if err != nil {
					return err
				}
				return c.print(page, func(w io.Writer) { writeDeliveries(w, page.Items) })
			})
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "not only the newest")
	cmd.Flags().StringVar(&state, "state", "", "only those that are waiting, delivered or failed")
	return cmd
}

// webhook returns the one with the id, or the only one with the name.
func (cl *client) webhook(ctx context.Context, name string) (*sink.Webhook, error) {
	all, err := every[*sink.Webhook](ctx, cl, "/webhooks", url.Values{})
	if err != nil {
		return nil, err
	}
	named := slices.DeleteFunc(all, func(h *sink.Webhook) bool {
		return h.ID != name && h.Name != name
	})
	switch len(named) {
	case 0:
		return nil, fairlead.Errorf(fairlead.NotFound,
			"there is no webhook %s; see `fairlead webhook list`", name)
	case 1:
		return named[0], nil
	}
	return nil, fairlead.Errorf(fairlead.Precondition,
		"%d webhooks have the name %s; name one by its id: %s or %s", len(named), name, named[0].ID,
		named[1].ID)
}

func writeDeliveries(w io.Writer, all []*sink.Delivery) {
	tw := table(w, "DELIVERY", "EVENT", "STATE", "MADE", "NEXT", "ATTEMPTS", "LAST")
	for _, d := range all {
		last := ""
		if d.Last != nil {
			last = came(d.Last)
		}
		tw.row(d.ID, d.Event, d.State, d.Created, d.Next, d.Attempts, last)
	}
	tw.flush()
}

// came says what came of an attempt, in one line.
func came(a *sink.Attempt) string {
	line, _, _ := strings.Cut(cmp.Or(a.Error, fmt.Sprintf("HTTP %d", a.Status)), "\n")
	return line
}

func writeDelivery(w io.Writer, d *sink.DeliveryLog) {
	fmt.Fprintf(w, "delivery %s of %s, %s\n%s\n\n", d.ID, d.Event, d.State, d.Body)
	tw := table(w, "ATTEMPT", "AT", "TOOK", "OUTCOME", "ANSWER")
	for _, a := range d.Log {
		answer, _, _ := strings.Cut(a.Answer, "\n")
		tw.row(a.N, a.At, fmt.Sprintf("%d ms", a.TookMS), came(a), answer)
	}
	tw.flush()
}

func (c *cli) redeliverCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "redeliver WEBHOOK DELIVERY",
		Short:   "Send a delivery again, under the same id",
		Example: "  fairlead webhook redeliver ci dlv_01h2y…",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			return c.with(ctx, func(cl *client) error {
				h, err := cl.webhook(ctx, args[0])
				if err != nil {
					return err
				}
				var d sink.Delivery
				path := "/webhooks/" + url.PathEscape(h.ID) + "/deliveries/" + url.PathEscape(args[1]) +
					"/redeliver"
				if err := cl.once(ctx, http.MethodPost, path, nil, &d); err != nil {
					return err
				}
				return c.print(d, func(w io.Writer) {
					fmt.Fprintf(w, "%s is sent again; see `fairlead webhook deliveries %s %s`\n",
						d.ID, h.ID, d.ID)
				})
			})
		},
	}
}
