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
	"github.com/fairlead-ml/fairlead/api/rest"
	"github.com/fairlead-ml/fairlead/sink"
)

func (c *cli) webhookCommand() *cobra.Command {
	return group("webhook", "Tell other programs what happens in the registry",
		c.webhookCreateCommand(), c.webhookListCommand(), c.webhookUpdateCommand(),
		c.webhookDeleteCommand(), c.webhookTestCommand(), c.deliveriesCommand(), c.redeliverCommand())
}

// webhookFlags are the flags with which a webhook is described.
type webhookFlags struct {
	rest.WebhookChange
	name, url, description string
	signed                 bool
}

func (f *webhookFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringSliceVar(&f.Events, "on", nil, "events, such as model_version.created")
	flags.StringVar(&f.description, "description", "", "what it is for")
	flags.BoolVar(&f.signed, "signed", false,
		"sign deliveries; the secret is asked for, or read from the standard input")
}

// change returns what the flags of a command say.
func (f *webhookFlags) change(c *cli, cmd *cobra.Command) (*rest.WebhookChange, error) {
	for flag, set := range map[string]func(){
		"name":        func() { f.Name = &f.name },
		"url":         func() { f.URL = &f.url },
		"description": func() { f.Description = &f.description },
	} {
		if cmd.Flags().Changed(flag) {
			set()
		}
	}
	if f.signed {
		secret, err := c.newSecret("secret", "secret of the webhook")
		if err != nil {
			return nil, err
		}
		f.Secret = &secret
	}
	return &f.WebhookChange, nil
}

func (c *cli) webhookCreateCommand() *cobra.Command {
	var f webhookFlags
	cmd := &cobra.Command{
		Use:   "create NAME URL",
		Short: "Make a webhook: the URL is told of the events",
		Example: `  fairlead webhook create ci https://ci.example.org/hook --on model_version.created
  fairlead webhook create ci https://ci.example.org/hook --on model_version_alias.created --signed`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(f.Events) == 0 {
				return usage("say what it is told of, such as --on model_version.created")
			}
			in, err := f.change(c, cmd)
			if err != nil {
				return err
			}
			in.Name, in.URL = &args[0], &args[1]
			return c.with(cmd.Context(), func(cl *client) error {
				return c.changeWebhook(cmd.Context(), cl.once, http.MethodPost, "/webhooks", in)
			})
		},
	}
	f.add(cmd)
	return cmd
}

func (c *cli) webhookUpdateCommand() *cobra.Command {
	var f webhookFlags
	var active bool
	cmd := &cobra.Command{
		Use:   "update WEBHOOK",
		Short: "Change a webhook, stop it, or make it active again",
		Example: `  fairlead webhook update ci --active
  fairlead webhook update ci --active=false
  fairlead webhook update ci --on model_version.created,registered_model.created`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in, err := f.change(c, cmd)
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("active") {
				in.Active = &active
			}
			ctx := cmd.Context()
			return c.withWebhook(ctx, args[0], func(cl *client, _ *sink.Webhook, path string) error {
				return c.changeWebhook(ctx, cl.do, http.MethodPatch, path, in)
			})
		},
	}
	f.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.name, "name", "", "another name")
	flags.StringVar(&f.url, "url", "", "another URL")
	flags.BoolVar(&active, "active", false, "send what waits and what comes; =false sends nothing")
	return cmd
}

// changeWebhook makes a webhook, or changes it, and prints what it is then.
func (c *cli) changeWebhook(ctx context.Context,
	call func(ctx context.Context, method, path string, in, out any) error, method, path string,
	in *rest.WebhookChange) error {
	var h sink.Webhook
	if err := call(ctx, method, path, in, &h); err != nil {
		return err
	}
	return c.print(h, func(w io.Writer) { writeWebhooks(w, []*sink.Webhook{&h}) })
}

// withWebhook calls fn with the webhook of the id or name, and its path.
func (c *cli) withWebhook(ctx context.Context, name string,
	fn func(cl *client, h *sink.Webhook, path string) error) error {
	return c.with(ctx, func(cl *client) error {
		h, err := cl.webhook(ctx, name)
		if err != nil {
			return err
		}
		return fn(cl, h, "/webhooks/"+url.PathEscape(h.ID))
	})
}

func (c *cli) webhookDeleteCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "delete WEBHOOK",
		Short:   "Delete a webhook with its deliveries",
		Example: "  fairlead webhook delete ci",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			return c.withWebhook(ctx, args[0], func(cl *client, h *sink.Webhook, path string) error {
				var done rest.Done
				if err := cl.do(ctx, http.MethodDelete, path, nil, &done); err != nil {
					return err
				}
				return c.print(done, func(w io.Writer) { fmt.Fprintf(w, "%s is deleted\n", h.ID) })
			})
		},
	}
}

func (c *cli) webhookTestCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "test WEBHOOK [EVENT]",
		Short:   "Send an example of an event once, and say what came of it",
		Example: "  fairlead webhook test ci model_version.created",
		Args:    cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			return c.withWebhook(ctx, args[0], func(cl *client, h *sink.Webhook, path string) error {
				body := map[string]string{}
				if len(args) == 2 {
					body["event"] = args[1]
				}
				var a sink.Attempt
				if err := cl.do(ctx, http.MethodPost, path+"/test", body, &a); err != nil {
					return err
				}
				if a.Error != "" {
					return fairlead.Errorf(fairlead.Unavailable, "%s cannot be reached: %s", h.Name, a.Error)
				}
				return c.print(a, func(w io.Writer) { fmt.Fprintf(w, "%s, after %d ms\n", came(&a), a.TookMS) })
			})
		},
	}
}

func (c *cli) webhookListCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the webhooks, and why one was disabled",
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
			return c.withWebhook(ctx, args[0], func(cl *client, _ *sink.Webhook, path string) error {
				path += "/deliveries"
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
			return c.withWebhook(ctx, args[0], func(cl *client, h *sink.Webhook, path string) error {
				var d sink.Delivery
				path += "/deliveries/" + url.PathEscape(args[1]) + "/redeliver"
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
